/**
 * Another table for a data source, made and filled out of sight. Its rows are added to the live one, or it takes the place of that
 * at once: with its rows alone, or with what the live one has by then beside them. Copies and populations are made of it.
 *
 * Must stay true: nothing is seen before all of it is made. Of a replacement a reader sees all former rows or all new ones, and if
 * anything fails, or the server dies, the live table is as it was. Whoever makes one keeps everybody else off the data source.
 */

import { randomUUID } from 'node:crypto';
import type { DataSourceColumn } from '@glasshouse/model';
import { AppError, SEGMENT } from '@glasshouse/model';
import type { DataSources, TablePlace } from '@glasshouse/store';
import { quoteName, tenantDatabase } from '@glasshouse/store';
import type { DataSourceEntry, PendingPopulation } from './resource-row.ts';
import { placeOf } from './resource-row.ts';
import type { Step } from './steps.ts';

export interface ReplaceOptions {
  readonly now: () => number;
  /** Adds the last rows, while nothing is handed over. */
  readonly rest: () => Promise<void>;
  /** Populations of the data source that are yet to come when the table is live. */
  readonly pending: readonly PendingPopulation[];
}

/** About a statement whose rows go into a table. */
export interface FillOptions {
  /** What the rows say that brought them. */
  readonly segment: bigint;
  readonly params?: Readonly<Record<string, string>>;
  /** With which the statement was let through. */
  readonly settings: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const FILLING = {
  insert_allow_materialized_columns: 1,
  max_partitions_per_insert_block: 0,
  insert_deduplicate: 0,
  max_execution_time: 0,
  optimize_on_insert: 0,
};
const KILL_EVERY_MS = 500;

/** A table of a data source's kind that nobody sees. */
export class HiddenTable {
  readonly entry: DataSourceEntry;
  private readonly tables: DataSources;
  private readonly place: TablePlace;

  /** `version` is one that no other table of the data source has. */
  constructor(entry: DataSourceEntry, tables: DataSources, version: number) {
    if (entry.definition.engine.name === 'Null')
      throw new AppError('bad_request', `cannot fill data source=${entry.name}: its engine keeps no rows`);
    this.entry = entry;
    this.tables = tables;
    this.place = { ...placeOf(entry), version };
  }

  /** Makes the table. */
  create(): Promise<void> {
    return this.tables.build(this.place, this.entry.definition);
  }

  /** Puts the rows of a judged statement into the table. Rejects with the engine's refusal, or `cancelled`. */
  fill(sql: string, options: FillOptions): Promise<void> {
    return insertRows(this.tables.client, this.table, this.entry, sql, options);
  }

  /** Rows that are in the table by now. */
  async rows(): Promise<number> {
    const [row] = await this.tables.client.rows<{ n: string }>(`SELECT count() AS n FROM ${this.table}`);
    return Number(row?.n ?? 0);
  }

  /** Puts the rows into the data source, a partition at once. */
  append(): Promise<void> {
    return this.move(this.table, this.live);
  }

  /** Takes the rows of the data source as well, all that there are. */
  takeLive(): Promise<void> {
    return this.move(this.live, this.table);
  }

  /** The step that lets the table take the live one's place. Its version has to be above that of the live one. */
  replacing({ now, rest, pending }: ReplaceOptions): Step {
    const { entry, place, tables } = this;
    const former = placeOf(entry);
    const { pending: _, ...kept } = entry;
    return {
      kind: 'update',
      resource: 'datasource',
      name: entry.name,
      changes: [],
      losses: [],
      row: {
        ...kept,
        ...(pending.length === 0 ? {} : { pending }),
        tableVersion: place.version,
        updatedAt: new Date(now()),
        version: Math.max(now(), entry.version + 1),
        deleted: false,
      },
      commit: async () => {
        await rest();
        await tables.place(place);
      },
      undo: () => tables.place(former),
      finish: () => tables.discard(former),
    };
  }

  /** Removes the table, unless it is live by now. */
  async discard(): Promise<void> {
    await this.tables.discard(this.place);
  }

  /** Files are shared, so this takes no time. A table that was altered may differ in what only the engine sees: then rows are copied. */
  private async move(from: string, to: string): Promise<void> {
    const { client } = this.tables;
    try {
      await client.command(`ALTER TABLE ${to} ATTACH PARTITION ALL FROM ${from}`);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'bad_request') throw error;
      const columns = this.entry.definition.columns.filter(({ kind }) => kind !== 'ALIAS' && kind !== 'EPHEMERAL');
      const list = [...columns.map(({ name }) => quoteName(name)), SEGMENT].join(', ');
      await client.command(`INSERT INTO ${to} (${list}) SELECT ${list} FROM ${from}`, { settings: FILLING });
    }
  }

  /** Its quoted name. */
  get table(): string {
    return `${quoteName(this.tables.building)}.${quoteName(`${this.place.id}_${this.place.version}`)}`;
  }

  private get live(): string {
    return `${quoteName(tenantDatabase(this.entry.tenant))}.${quoteName(this.entry.name)}`;
  }
}

/** Inserts those columns of a judged statement that the data source has. Rejects with `bad_request` if there is none, and `cancelled`. */
export async function insertRows(
  client: DataSources['client'],
  table: string,
  entry: DataSourceEntry,
  sql: string,
  { segment, params = {}, settings, signal }: FillOptions,
): Promise<void> {
  signal.throwIfAborted();
  const database = tenantDatabase(entry.tenant);
  const made = await client.rows<{ name: string }>(`DESCRIBE (\n${sql}\n)`, { database, params, settings });
  const columns = fillable(entry.definition.columns, new Set(made.map(({ name }) => name)));
  if (columns.length === 0)
    throw new AppError('bad_request', `cannot fill data source=${entry.name}: the query gives none of its columns`);
  const list = columns.map(quoteName).join(', ');
  const queryId = `fill-${randomUUID()}`;
  const running = client.command(
    `INSERT INTO ${table} (${list}, ${SEGMENT}) SELECT ${list}, toUInt64(${segment}) AS ${SEGMENT} FROM (\n${sql}\n)`,
    { database, params, settings: { ...settings, ...FILLING }, queryId },
  );
  await endedWith(client, running, queryId, signal);
}

/** Waits for the statement; from the moment that the signal aborts, asks the engine again and again to end it. */
async function endedWith(
  client: DataSources['client'],
  running: Promise<void>,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const kill = (): void => {
    const condition = "query_id = {id:String} OR startsWith(Settings['log_comment'], {id:String})";
    void client.command(`KILL QUERY WHERE ${condition} ASYNC`, { params: { id } }).catch(() => undefined);
  };
  const onAbort = (): void => {
    kill();
    timer = setInterval(kill, KILL_EVERY_MS);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await running;
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new AppError('cancelled', 'cannot finish the job: it was cancelled', { cause });
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function fillable(columns: readonly DataSourceColumn[], made: ReadonlySet<string>): string[] {
  return columns.filter(({ name, kind }) => made.has(name) && kind !== 'ALIAS').map(({ name }) => name);
}
