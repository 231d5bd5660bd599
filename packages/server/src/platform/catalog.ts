/**
 * The catalogue of all workspaces: which resources there are. Rows of the store, cached whole, because receivers and the drain
 * ask for every request and segment and must go on while the store is away.
 *
 * Must stay true: what was written here is seen here at once. An id never comes back, so a row that was meant for a data source
 * that is gone finds none.
 */

import type { Store } from '@glasshouse/store';
import type { DataSourceEntry, PipeEntry, ResourceEntry, ResourceRow, StoredResource } from './resource-row.ts';
import { fromRow, toRow } from './resource-row.ts';

export type CatalogStore = Pick<Store, 'insertRows' | 'rows' | 'target'>;

export class Catalog {
  private readonly store: CatalogStore;
  /** By id, deleted ones included. */
  private rows = new Map<string, StoredResource>();
  /** Live ones by tenant, then by name. */
  private names = new Map<string, Map<string, ResourceEntry>>();
  private seen = '';
  /** The cached rows are not the store's: the next reading takes their place. */
  private isForeign = false;
  /** Grows whenever anything changed. */
  revision = 0;

  constructor(store: CatalogStore) {
    this.store = store;
  }

  /** Reads all resources again, if there is anything new. Rejects when the store is down; the cached ones stay. */
  async refresh(): Promise<void> {
    const table = `${this.store.target.database}.resources`;
    const [mark] = await this.store.rows<{ mark: string }>(
      `SELECT concat(toString(count()), ' ', toString(sum(cityHash64(id, version)))) AS mark FROM ${table} FINAL`,
    );
    if (mark !== undefined && mark.mark === this.seen) return;
    const rows = await this.store.rows<ResourceRow>(
      `SELECT tenant, id, kind, name, definition, table_version, built_in, deployment, deleted, toString(version) AS version,
         toString(toUnixTimestamp64Milli(created_at)) AS created_at, toString(toUnixTimestamp64Milli(updated_at)) AS updated_at
       FROM ${table} FINAL`,
    );
    const former = this.rows;
    const next = new Map(rows.map((row) => [row.id, fromRow(row)]));
    // What was written here while the answer was on its way is newer than it.
    for (const row of this.isForeign ? [] : former.values())
      if (row.version > (next.get(row.id)?.version ?? 0)) next.set(row.id, row);
    this.isForeign = false;
    this.rows = next;
    this.seen = mark?.mark ?? '';
    this.index();
  }

  /** Takes resources from elsewhere, until the first refresh. */
  restore(rows: readonly StoredResource[]): void {
    for (const row of rows) if (!this.rows.has(row.id)) this.rows.set(row.id, row);
    this.isForeign = true;
    this.index();
  }

  /** Believes nothing of what is cached once the store was read again: it was replaced as a whole. */
  distrust(): void {
    this.isForeign = true;
    this.seen = '';
  }

  /**
   * Remembers data sources that the store knows nothing of any more, as deleted: events for them may still be in the log, and
   * their ids never come back. Those that come with the server may be made again.
   */
  async bury(former: readonly StoredResource[]): Promise<void> {
    const gone = former.filter(({ id, kind }) => kind === 'datasource' && !this.rows.has(id));
    await this.save(gone.map((row) => ({ ...row, deleted: true, deployment: '' })));
  }

  /** All rows, for a copy that outlives the process. */
  snapshot(): readonly StoredResource[] {
    return [...this.rows.values()];
  }

  /** Live resources of a workspace, by name. */
  list(tenant: string): readonly ResourceEntry[] {
    return [...(this.names.get(tenant)?.values() ?? [])].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  dataSources(tenant: string): readonly DataSourceEntry[] {
    return this.list(tenant).filter((entry) => entry.kind === 'datasource');
  }

  pipes(tenant: string): readonly PipeEntry[] {
    return this.list(tenant).filter((entry) => entry.kind === 'pipe');
  }

  /** The live resource of this name or id. */
  find(tenant: string, which: string): ResourceEntry | undefined {
    const named = this.names.get(tenant)?.get(which);
    if (named !== undefined) return named;
    const row = this.rows.get(which);
    return row === undefined || row.deleted || row.tenant !== tenant ? undefined : row;
  }

  /** The live data source of this name or id. */
  dataSource(tenant: string, which: string): DataSourceEntry | undefined {
    const entry = this.find(tenant, which);
    return entry?.kind === 'datasource' ? entry : undefined;
  }

  pipe(tenant: string, which: string): PipeEntry | undefined {
    const entry = this.find(tenant, which);
    return entry?.kind === 'pipe' ? entry : undefined;
  }

  /** The live data source of this id, of whatever workspace: what the drain asks for a segment. */
  dataSourceById(id: string): DataSourceEntry | undefined {
    const row = this.rows.get(id);
    return row === undefined || row.deleted || row.kind !== 'datasource' ? undefined : row;
  }

  /** True if there is a resource of this id, or was one. */
  had(id: string): boolean {
    return this.rows.has(id);
  }

  /** True if there is a data source of this id that came with the server, or was one until somebody dropped or changed it. */
  hadBuiltIn(id: string): boolean {
    const row = this.rows.get(id);
    // Nobody dropped what is deleted and built in: it went with a restore.
    return row !== undefined && !(row.deleted && row.builtIn);
  }

  /** Writes rows, all or none of them. */
  async save(rows: readonly StoredResource[]): Promise<void> {
    if (rows.length === 0) return;
    await this.store.insertRows('resources', rows.map(toRow));
    for (const row of rows) this.rows.set(row.id, row);
    this.index();
  }

  private index(): void {
    this.revision++;
    const names = new Map<string, Map<string, ResourceEntry>>();
    for (const row of this.rows.values()) {
      if (row.deleted) continue;
      const tenant = names.get(row.tenant) ?? new Map<string, ResourceEntry>();
      names.set(row.tenant, tenant);
      tenant.set(row.name, row);
    }
    this.names = names;
  }
}
