/**
 * The registry: what can be done with the resources of a workspace, one at a time. It checks and judges a definition, has the
 * tables made or changed, and writes the row; whole projects go through `deploy.ts` by the same steps.
 *
 * Must stay true: nothing is made of a definition that was not judged. Operations on one data source that would undo each other
 * do not run at the same time.
 */

import type { DataSource, Pipe } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { DataSources, TableSize } from '@glasshouse/store';
import { keepsRows } from '@glasshouse/store';
import type { RandomBytes } from '../control/secret.ts';
import type { Catalog } from './catalog.ts';
import { checkDataSource, checkPipe } from './definitions.ts';
import type { Judges } from './judges.ts';
import { Locks } from './locks.ts';
import { checkClash, checkResourceName } from './names.ts';
import { mentions } from './references.ts';
import type { DataSourceEntry, PipeEntry, ResourceEntry } from './resource-row.ts';
import { placeOf } from './resource-row.ts';
import type { CommitOptions, OnProgress, Step } from './steps.ts';
import { createStep, dropPipeStep, dropStep, putPipeStep, run, updateStep } from './steps.ts';
import type { Granted, Tokens } from './tokens.ts';

export interface RegistryOptions {
  readonly catalog: Catalog;
  readonly tables: DataSources;
  readonly judges: Judges;
  readonly tokens: Pick<Tokens, 'bind' | 'grant'>;
  /** Keeps the store free of hand-overs until the returned function is called. No segment may be there in part meanwhile. */
  readonly hold: () => Promise<() => void>;
  /** Told when a change failed and it is not known whether all of it was taken back. Nothing is handed over at that time. */
  readonly onUnsure?: () => void;
  readonly now: () => number;
  readonly random: RandomBytes;
}

export interface ChangeOptions {
  /** Only says what would happen. */
  readonly dryRun?: boolean;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

export interface Changed {
  readonly entry: DataSourceEntry;
  /** What changed, or would change, in words; empty if nothing. */
  readonly changes: readonly string[];
  readonly losses: readonly string[];
}

export class Registry {
  readonly catalog: Catalog;
  readonly locks = new Locks();
  /** Data sources that are being made for their first events, by tenant and name. */
  readonly makings = new Map<string, Promise<DataSourceEntry>>();
  private readonly options: RegistryOptions;

  constructor(options: RegistryOptions) {
    this.options = options;
    this.catalog = options.catalog;
  }

  /** The data source of this name or id. Throws `not_found`. */
  dataSource(tenant: string, which: string): DataSourceEntry {
    const entry = this.catalog.dataSource(tenant, which);
    if (entry !== undefined) return entry;
    throw new AppError(
      'not_found',
      `cannot find data source=${which.slice(0, 130)}: the workspace has none of that name`,
    );
  }

  /** The pipe of this name or id. Throws `not_found`. */
  pipe(tenant: string, which: string): PipeEntry {
    const entry = this.catalog.pipe(tenant, which);
    if (entry !== undefined) return entry;
    throw new AppError('not_found', `cannot find pipe=${which.slice(0, 130)}: the workspace has none of that name`);
  }

  /** Rows and bytes of the workspace's tables, by name, quarantines included. */
  sizes(tenant: string): Promise<ReadonlyMap<string, TableSize>> {
    return this.options.tables.sizes(tenant);
  }

  /** Pipes that read or write the resource. */
  dependents(tenant: string, name: string): readonly PipeEntry[] {
    return this.catalog.pipes(tenant).filter((pipe) => pipe.name !== name && mentions(pipe.definition, name));
  }

  /**
   * Makes a data source. Rejects with `conflict` if the name is taken (a built-in one that nobody has changed gives way), with
   * `bad_request` or `forbidden` for a definition that cannot be, and with the engine's refusal.
   */
  async createDataSource(tenant: string, definition: DataSource): Promise<DataSourceEntry> {
    const { name } = definition;
    const present = this.catalog.find(tenant, name);
    if (present?.kind === 'datasource' && present.builtIn)
      return (await this.alterDataSource(tenant, name, definition)).entry;
    await checkDataSource(definition, this.options.judges, undefined);
    return this.locks.exclusively(`${tenant}/${name.toLowerCase()}`, 'the creation of a data source', async () => {
      this.checkName('datasource', tenant, name);
      const step = createStep(this.options.tables, definition, {
        ...this.stamp(),
        tenant,
        id: this.newId(),
        builtIn: false,
      });
      await this.apply(tenant, step);
      return this.dataSource(tenant, name);
    });
  }

  /** Makes a data source that comes with the server, under an id that is the same on every server. */
  async createBuiltIn(tenant: string, definition: DataSource, id: string): Promise<void> {
    await this.locks.exclusively(`${tenant}/${definition.name}`, 'the creation of a data source', async () => {
      if (this.catalog.hadBuiltIn(id) || this.catalog.find(tenant, definition.name) !== undefined) return;
      await this.apply(
        tenant,
        createStep(this.options.tables, definition, { ...this.stamp(), tenant, id, builtIn: true }),
      );
    });
  }

  /**
   * Gives a data source another definition: in place where that is possible, else by moving its rows while more come in.
   * Rejects like `createDataSource`, and with `cancelled`; the data source is as it was then.
   */
  async alterDataSource(
    tenant: string,
    which: string,
    definition: DataSource,
    options: ChangeOptions = {},
  ): Promise<Changed> {
    const entry = this.dataSource(tenant, which);
    const { name } = entry;
    if (definition.name !== name)
      throw new AppError('bad_request', `cannot alter data source=${name}: the definition is of ${definition.name}`);
    await checkDataSource(definition, this.options.judges, entry.definition);
    return this.locks.exclusively(entry.id, 'a change of the data source', async () => {
      const step = updateStep(this.options.tables, this.dataSource(tenant, entry.id), definition, this.stamp());
      if (options.dryRun !== true) await this.apply(tenant, step, options);
      return { entry: this.dataSource(tenant, entry.id), changes: step.changes, losses: step.losses };
    });
  }

  /** Gives a data source another name. Rejects with `conflict` if it is taken, or if pipes use the present one. */
  async renameDataSource(tenant: string, which: string, name: string, force = false): Promise<DataSourceEntry> {
    const entry = this.dataSource(tenant, which);
    if (entry.name === name) return entry;
    checkResourceName('datasource', name);
    this.checkUnused(tenant, entry.name, force, 'rename');
    const { catalog, hold, tables } = this.options;
    await this.locks.exclusively(entry.id, 'a change of the data source', async () => {
      this.checkName('datasource', tenant, name);
      await this.bindTokens(tenant);
      const { deployment: _, at } = this.stamp();
      const release = await hold();
      try {
        await tables.rename(placeOf(entry), name);
        const definition = { ...entry.definition, name };
        const version = Math.max(at.getTime(), entry.version + 1);
        await catalog
          .save([{ ...entry, name, definition, builtIn: false, updatedAt: at, version, deleted: false }])
          .catch(async (error: unknown) => {
            await tables.rename({ ...placeOf(entry), name }, entry.name);
            throw error;
          });
      } finally {
        release();
      }
    });
    await this.grantTokens(tenant);
    return this.dataSource(tenant, name);
  }

  /** Removes a data source and its rows. Rejects with `conflict` if pipes use it, unless forced. */
  async dropDataSource(tenant: string, which: string, force = false): Promise<DataSourceEntry> {
    const entry = this.dataSource(tenant, which);
    this.checkUnused(tenant, entry.name, force, 'drop');
    await this.locks.exclusively(entry.id, 'a change of the data source', async () => {
      await this.bindTokens(tenant);
      await this.apply(tenant, dropStep(this.options.tables, entry, this.stamp(), false));
    });
    return entry;
  }

  /** Removes all rows of a data source, or of its quarantine. */
  async truncate(tenant: string, which: string, what: 'rows' | 'quarantine' = 'rows'): Promise<void> {
    const entry = this.dataSource(tenant, which);
    if (what === 'rows' && !keepsRows(entry.definition.engine)) return;
    await this.locks.exclusively(entry.id, 'a truncation', () => this.options.tables.truncate(placeOf(entry), what));
  }

  /** Counts the rows that meet a condition, which is judged first. */
  async countRows(tenant: string, which: string, condition: string): Promise<number> {
    const entry = this.dataSource(tenant, which);
    await this.options.judges.judgeFilter(condition);
    return this.options.tables.count(placeOf(entry), condition);
  }

  /** Deletes the rows that meet a condition, which is judged first; answers how many there were. */
  async deleteRows(tenant: string, which: string, condition: string): Promise<number> {
    const entry = this.dataSource(tenant, which);
    await this.options.judges.judgeFilter(condition);
    return this.locks.exclusively(entry.id, 'a deletion of rows', async () => {
      const count = await this.options.tables.count(placeOf(entry), condition);
      if (count > 0) await this.options.tables.deleteRows(placeOf(entry), condition);
      return count;
    });
  }

  /** Makes a pipe, or gives it another definition. Rejects with `conflict` if a data source has its name. */
  async putPipe(tenant: string, definition: Pipe): Promise<PipeEntry> {
    const among = this.catalog.list(tenant).map((entry) => entry.definition);
    await checkPipe(tenant, definition, among, this.options.judges);
    const { name } = definition;
    await this.locks.exclusively(`${tenant}/${name.toLowerCase()}`, 'a change of the pipe', async () => {
      const former = this.catalog.pipe(tenant, name);
      if (former === undefined) this.checkName('pipe', tenant, name);
      const id = former?.id ?? this.newId();
      await this.apply(tenant, putPipeStep(former, definition, { ...this.stamp(), tenant, id }));
    });
    return this.pipe(tenant, name);
  }

  /** Removes a pipe. Rejects with `conflict` if others use it, unless forced. */
  async dropPipe(tenant: string, which: string, force = false): Promise<PipeEntry> {
    const entry = this.pipe(tenant, which);
    this.checkUnused(tenant, entry.name, force, 'drop');
    await this.bindTokens(tenant);
    await this.apply(tenant, dropPipeStep(entry, this.stamp()));
    return entry;
  }

  /** A new id of a resource. */
  newId(): string {
    return `t_${this.options.random(16).toString('hex')}`;
  }

  /** What steps need to take effect, for those who run several. */
  commitOptions(options: ChangeOptions = {}): CommitOptions {
    const { catalog, hold, onUnsure } = this.options;
    const unsure = onUnsure === undefined ? {} : { onUnsure };
    return { hold, save: (rows) => catalog.save(rows), ...unsure, ...options };
  }

  /** Ties scopes of tokens to the resources that they name, before one of these loses its name. */
  bindTokens(tenant: string): Promise<void> {
    return this.options.tokens.bind(tenant);
  }

  /** Gives the workspace's tokens what its resources grant. */
  async grantTokens(tenant: string): Promise<void> {
    await this.options.tokens.grant(tenant, this.catalog.list(tenant).flatMap(grantsOf));
  }

  private async apply(tenant: string, step: Step, options: ChangeOptions = {}): Promise<void> {
    await run([step], this.commitOptions(options));
    await this.grantTokens(tenant);
  }

  private checkName(kind: 'datasource' | 'pipe', tenant: string, name: string): void {
    checkClash(
      kind,
      name,
      this.catalog.list(tenant).map((entry) => entry.name),
    );
  }

  private checkUnused(tenant: string, name: string, force: boolean, verb: string): void {
    const users = force ? [] : this.dependents(tenant, name).map((pipe) => pipe.name);
    if (users.length === 0) return;
    throw new AppError(
      'conflict',
      `cannot ${verb} ${name}: it is used by ${users.join(', ')}; change these first, or force it`,
    );
  }

  private stamp(): { readonly at: Date; readonly deployment: string } {
    return { at: new Date(this.options.now()), deployment: '' };
  }
}

/** What a data file of the resource grants to tokens. */
function grantsOf(entry: ResourceEntry): Granted[] {
  return entry.definition.tokens.map(({ name, scope }) => {
    const resource = entry.name;
    if (entry.kind === 'pipe') return { name, scopes: [{ type: 'PIPES:READ', resource }] };
    return { name, scopes: [{ type: scope === 'APPEND' ? 'DATASOURCES:APPEND' : 'DATASOURCES:READ', resource }] };
  });
}
