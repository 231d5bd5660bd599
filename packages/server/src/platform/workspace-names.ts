/**
 * Workspaces that clients make by a name of their own choice, such as one for each project that somebody builds. A workspace is
 * a tenant, whose name has to be plain, so the chosen one is kept beside it.
 *
 * Must stay true: a tenant that was not made here is listed under its own name and cannot be removed here. What is removed is
 * gone with all its rows; the tenant's name may come back, its data sources' ids do not.
 */

import { createHash } from 'node:crypto';
import { AppError, NAME_PATTERN } from '@glasshouse/model';
import type { Store } from '@glasshouse/store';
import type { Tenants } from '../control/tenants.ts';
import type { Platform } from './platform.ts';
import { principalOf } from './principal.ts';
import { dateTime } from './rows.ts';
import type { Workspace } from './workspaces.ts';

export interface NamedWorkspace extends Workspace {
  readonly name: string;
}

export interface WorkspaceNamesOptions {
  readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly tenants: Pick<Tenants, 'ensure' | 'remove'>;
  readonly platform: Platform;
  readonly now: () => number;
}

interface Row {
  readonly tenant: string;
  readonly name: string;
}

const MAX_NAME_LENGTH = 120;
const NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_ .@/-]*$/u;
const SLUG_LENGTH = 40;

export class WorkspaceNames {
  private readonly options: WorkspaceNamesOptions;

  constructor(options: WorkspaceNamesOptions) {
    this.options = options;
  }

  /** All workspaces, by name. Rejects with `unavailable` when the store is down. */
  async list(): Promise<NamedWorkspace[]> {
    const names = await this.names();
    return this.options.platform.workspaces
      .list()
      .map((workspace) => ({ ...workspace, name: names.get(workspace.tenant) ?? workspace.tenant }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The workspace of a tenant, which need not be known yet. */
  async ofTenant(tenant: string): Promise<NamedWorkspace> {
    const { platform } = this.options;
    const workspace = platform.workspaces.find(tenant);
    if (workspace === undefined) throw notFound(tenant);
    // Under its plain name while nobody can be asked for another one.
    const names = await this.names().catch(() => new Map<string, string>());
    return { ...workspace, name: names.get(tenant) ?? tenant };
  }

  /** Makes a workspace. Rejects with `conflict` if there is one of this name, and `bad_request` for what is no name. */
  async create(name: string): Promise<NamedWorkspace> {
    const { store, tenants, platform, now } = this.options;
    if (name.length > MAX_NAME_LENGTH || !NAME.test(name))
      throw new AppError(
        'bad_request',
        `cannot make workspace=${JSON.stringify(name.slice(0, 80))}: letters, digits and _ . @ / - only, ${MAX_NAME_LENGTH} at most`,
      );
    const tenant = tenantFor(name);
    const present = (await this.list()).find((workspace) => workspace.name === name || workspace.tenant === tenant);
    if (present !== undefined)
      throw new AppError('conflict', `cannot make workspace=${name}: there is one of that name`);
    await tenants.ensure(tenant);
    const at = now();
    await store.insertRows('workspaces', [
      { tenant, name, created_at: dateTime(new Date(at)), deleted: false, version: String(at) },
    ]);
    await platform.prepare(tenant);
    return this.ofTenant(tenant);
  }

  /** Removes a workspace that was made here, of this id or name, with everything in it. */
  async remove(which: string): Promise<NamedWorkspace> {
    const { store, tenants, platform, now } = this.options;
    const names = await this.names();
    const workspace = (await this.list()).find(({ id, name }) => id === which || name === which);
    if (workspace === undefined) throw notFound(which);
    const { tenant, name } = workspace;
    if (!names.has(tenant))
      throw new AppError(
        'forbidden',
        `cannot remove workspace=${name}: it is a tenant of the server and was not made here`,
      );
    const { catalog, registry, secrets, tokens } = platform;
    const by = principalOf({ tenant, tokenId: 'removal', name: 'removal', kind: 'admin', scopes: [{ type: 'ADMIN' }] });
    for (const pipe of catalog.pipes(tenant)) await registry.dropPipe(tenant, pipe.id, true);
    for (const source of catalog.dataSources(tenant)) await registry.dropDataSource(tenant, source.id, true);
    for (const token of tokens.list(by)) if (token.origin !== 'default') await tokens.remove(by, token.id);
    for (const secret of secrets.list(by)) await secrets.remove(by, secret.name);
    const at = now();
    await store.insertRows('workspaces', [
      { tenant, name, created_at: dateTime(new Date(at)), deleted: true, version: String(at) },
    ]);
    await tenants.remove(tenant);
    platform.workspaces.remove(tenant);
    return workspace;
  }

  private async names(): Promise<Map<string, string>> {
    const { store } = this.options;
    const rows = await store.rows<Row>(
      `SELECT tenant, name FROM ${store.target.database}.workspaces FINAL WHERE NOT deleted ORDER BY tenant`,
    );
    return new Map(rows.map(({ tenant, name }) => [tenant, name]));
  }
}

/** The tenant for a workspace of this name: the name itself if it is plain, or else what is plain of it, and a digest. */
function tenantFor(name: string): string {
  if (NAME_PATTERN.test(name)) return name;
  const slug = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/gu, '_')
    .replaceAll(/^_+|_+$/gu, '')
    .slice(0, SLUG_LENGTH);
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 16);
  return `${slug === '' ? 'w' : slug}_${digest}`;
}

function notFound(which: string): AppError {
  return new AppError('not_found', `cannot find workspace=${which.slice(0, 80)}: there is none of that name or id`);
}
