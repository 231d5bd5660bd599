/**
 * Tenants: who data belongs to. A tenant is a row here and a database with its views in the store.
 *
 * Must stay true: a tenant is listed only when its database is there, so nobody finds half of one.
 */

import { AppError, NAME_PATTERN } from '@glasshouse/model';
import { quoteName, tenantDatabase } from '@glasshouse/store';
import type { Store } from '@glasshouse/store';
import type { OnChange } from './audit-entry.ts';

export interface Tenant {
  readonly name: string;
  readonly createdAt: Date;
}

/** What of the store this needs. */
export type TenantStore = Pick<Store, 'command' | 'prepareTenant' | 'rows' | 'target'>;

interface TenantRow {
  readonly name: string;
  readonly created: string;
}

export class Tenants {
  /** Called for each tenant that is made, before it is said to be there; what it fails with is nobody's business here. */
  onMade: ((name: string) => Promise<void>) | undefined;
  private readonly store: TenantStore;
  private readonly now: () => number;
  private readonly onChange: OnChange | undefined;
  private readonly known = new Map<string, Tenant>();

  constructor(store: TenantStore, now: () => number, onChange?: OnChange) {
    this.store = store;
    this.now = now;
    this.onChange = onChange;
  }

  /** Reads the list again. Rejects when the store is down; the former list stays. */
  async refresh(): Promise<void> {
    const rows = await this.store.rows<TenantRow>(
      `SELECT name, toUnixTimestamp64Milli(created_at) AS created FROM ${this.table} FINAL WHERE NOT deleted ORDER BY name`,
    );
    this.known.clear();
    for (const { name, created } of rows) this.known.set(name, { name, createdAt: new Date(Number(created)) });
  }

  /** Makes the views of every tenant anew: an update of the server may have changed them. */
  async prepareAll(): Promise<void> {
    for (const name of this.known.keys()) await this.store.prepareTenant(name);
  }

  list(): readonly Tenant[] {
    return [...this.known.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  has(name: string): boolean {
    return this.known.has(name);
  }

  /** Makes the tenant, or finds it. Rejects with `bad_request` for a bad name, `unavailable` when the store is down. */
  async ensure(name: string): Promise<Tenant> {
    checkName('tenant', name);
    const present = this.known.get(name);
    if (present !== undefined) return present;
    await this.store.prepareTenant(name);
    const tenant = { name, createdAt: new Date(this.now()) };
    await this.store.command(
      `INSERT INTO ${this.table} (name, created_at, deleted, version)
       SELECT {name:String}, fromUnixTimestamp64Milli({now:Int64}, 'UTC'), false, {version:UInt64}`,
      { params: { name, now: this.now(), version: this.now() } },
    );
    this.known.set(name, tenant);
    this.onChange?.({ action: 'tenant.create', tenant: name, target: name, before: null, after: tenant });
    await this.onMade?.(name).catch(() => undefined);
    return tenant;
  }

  /** Forgets a tenant, and removes its database with all its views and tables. Its telemetry stays where it is, out of reach. */
  async remove(name: string): Promise<void> {
    checkName('tenant', name);
    await this.store.command(
      `INSERT INTO ${this.table} (name, created_at, deleted, version)
       SELECT {name:String}, fromUnixTimestamp64Milli({now:Int64}, 'UTC'), true, {version:UInt64}`,
      { params: { name, now: this.now(), version: this.now() } },
    );
    const before = this.known.get(name) ?? null;
    this.known.delete(name);
    this.onChange?.({ action: 'tenant.delete', tenant: name, target: name, before, after: null });
    await this.store.command(`DROP DATABASE IF EXISTS ${quoteName(tenantDatabase(name))} SYNC`);
  }

  private get table(): string {
    return `${this.store.target.database}.tenants`;
  }
}

/** Throws `bad_request` unless the name is one of `NAME_PATTERN`. */
export function checkName(what: string, name: string): void {
  if (NAME_PATTERN.test(name)) return;
  throw new AppError(
    'bad_request',
    `cannot use ${what}=${JSON.stringify(name.slice(0, 80))}: lower-case letters, digits, - and _ only, a letter or digit first, 63 at most`,
  );
}
