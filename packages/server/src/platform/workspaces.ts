/**
 * Workspaces: tenants, under the ids by which clients of the data platform know them. Separate from the tenants themselves
 * because a start without the store knows the names from a copy.
 *
 * Must stay true: an id follows from the tenant's name, so it is the same on every server and for ever.
 */

import { workspaceId } from './token-key.ts';

export interface Workspace {
  readonly id: string;
  readonly tenant: string;
}

export class Workspaces {
  private readonly byId = new Map<string, Workspace>();

  /** Adds the tenants that are new. */
  add(tenants: readonly string[]): void {
    for (const tenant of tenants) {
      const id = workspaceId(tenant);
      if (!this.byId.has(id)) this.byId.set(id, { id, tenant });
    }
  }

  /** Forgets those that are not among the tenants, and adds the others. */
  replace(tenants: readonly string[]): void {
    const present = new Set(tenants);
    for (const { id, tenant } of this.list()) if (!present.has(tenant)) this.byId.delete(id);
    this.add(tenants);
  }

  /** Forgets a workspace whose tenant is gone. */
  remove(tenant: string): void {
    this.byId.delete(workspaceId(tenant));
  }

  list(): readonly Workspace[] {
    return [...this.byId.values()].toSorted((a, b) => (a.tenant < b.tenant ? -1 : 1));
  }

  /** The workspace of this id or name. */
  find(which: string): Workspace | undefined {
    return this.byId.get(which) ?? this.byId.get(workspaceId(which));
  }
}
