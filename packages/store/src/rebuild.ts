/**
 * Moves the rows of a data source to a table of another schema while rows keep coming: first all segments but the last one,
 * partition by partition, then what came meanwhile, and at the end, while nothing is handed over, the rest.
 *
 * Must stay true: segments are handed over in the order of their ids, so what is below the greatest id in the table is
 * complete, and what is not was not copied yet. Rows of engines that add up are not merged between the first copy and the
 * last one: a merged row would count twice. Who inserts rows without a segment keeps out until the move is over.
 */

import { randomUUID } from 'node:crypto';
import type { DataSource, DataSourceColumn } from '@glasshouse/model';
import { AppError, invariant, SEGMENT } from '@glasshouse/model';
import type { Client } from './client.ts';
import { StoreError } from './client.ts';
import { isAdditive, keepsRows } from './datasource-ddl.ts';
import { quoteName, quoteText } from './ddl.ts';

export interface RebuildOptions {
  readonly client: Client;
  /** The live table, quoted, and its bare name. */
  readonly source: string;
  readonly sourceName: string;
  /** The table that is made, quoted. */
  readonly target: string;
  readonly before: DataSource;
  readonly after: DataSource;
  readonly create: () => Promise<void>;
  readonly discard: () => Promise<void>;
}

/** How far a move is, in rows of the former table. */
export interface RebuildProgress {
  readonly rows: number;
  readonly total: number;
}

/** Columns and the SELECT list that fills them. */
export interface Mapping {
  readonly columns: readonly string[];
  readonly list: string;
}

/** With less than this to copy, the last step is short enough to hold the hand-over for it. */
const SHORT_ROWS = 20_000;
const MAX_ROUNDS = 8;
/** Two readings of whole seconds differ by less. */
const CLOCK_SECONDS = 2;
/** Settings of statements that copy rows from one table of a data source to another. */
export const COPYING = {
  insert_allow_materialized_columns: 1,
  max_partitions_per_insert_block: 0,
  insert_deduplicate: 0,
  max_execution_time: 0,
  // Each row as it was: what replaces or adds up is left to the merges.
  optimize_on_insert: 0,
  // It takes the time that it takes, but no memory from those who ingest and ask meanwhile.
  max_threads: 2,
  max_insert_threads: 1,
  min_insert_block_size_bytes: 48 << 20,
  min_insert_block_size_rows: 262_144,
  preferred_block_size_bytes: 1 << 20,
};

export class Rebuild {
  private readonly options: RebuildOptions;
  private mapping: Mapping | undefined;
  /** Segments below are copied; 0 stands for rows that came without one. Undefined before the first copy. */
  private copiedBelow: bigint | undefined;
  private copiedRows = 0;
  private merging = true;
  private engineStart = 0;

  constructor(options: RebuildOptions) {
    this.options = options;
  }

  /** Makes the new table. Rejects with the engine's refusal, or `bad_request` if the rows cannot be mapped to it. */
  async create(): Promise<void> {
    await this.options.create();
    this.mapping = await this.map();
  }

  /**
   * Copies what is there but for the last segment. Rejects with `cancelled` when the signal aborts, and with `bad_request` for
   * a value that the new schema cannot hold; the live table is as it was then.
   */
  async fill(onProgress: (progress: RebuildProgress) => void, signal?: AbortSignal): Promise<void> {
    if (!this.copies) return;
    if (this.copiedBelow !== undefined) return;
    if (isAdditive(this.options.before.engine)) await this.stopMerges();
    await this.copyRound(onProgress, signal);
  }

  /** Lets merges run again while nothing is done for long. What cannot be kept up to date then is copied again later. */
  async rest(): Promise<void> {
    if (!this.merging) await this.reset();
  }

  /** Forgets what was copied: rows were changed that were copied already. */
  async reset(): Promise<void> {
    await this.startMerges();
    if (this.copiedBelow === undefined) return;
    this.copiedBelow = undefined;
    this.copiedRows = 0;
    await this.options.client.command(`TRUNCATE TABLE ${this.options.target} SYNC`);
  }

  /** Copies what came since, until little is left. */
  async catchUp(onProgress: (progress: RebuildProgress) => void, signal?: AbortSignal): Promise<void> {
    await this.fill(onProgress, signal);
    if (!this.copies) return;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if ((await this.rowsFrom(this.copiedBelow ?? 0n)) < SHORT_ROWS) return;
      await this.copyRound(onProgress, signal);
    }
  }

  /** Copies the rest. To be called while nothing is handed over; the new table has all rows then. */
  async settle(): Promise<void> {
    if (!this.copies) return;
    invariant(this.copiedBelow !== undefined, 'the rest is copied before the bulk');
    if (!this.merging && Math.abs((await this.engineStarted()) - this.engineStart) > CLOCK_SECONDS) {
      throw new AppError('unavailable', 'cannot finish the move: the engine was restarted meanwhile; start again');
    }
    await this.copy(this.copiedBelow, undefined, () => undefined, undefined);
    await this.compare();
  }

  /** Gives up: removes the new table, unless it is live, and leaves the former one as it was. */
  async discard(): Promise<void> {
    await this.startMerges().catch(() => undefined);
    await this.options.discard();
  }

  private get copies(): boolean {
    return keepsRows(this.options.before.engine) && keepsRows(this.options.after.engine);
  }

  /** Copies all segments below the greatest one, which may not be complete. */
  private async copyRound(onProgress: (progress: RebuildProgress) => void, signal?: AbortSignal): Promise<void> {
    const [row] = await this.rows<{ top: string }>(
      `SELECT toString(max(${SEGMENT})) AS top FROM ${this.options.source}`,
    );
    const top = BigInt(row?.top ?? 0);
    const below = top === 0n ? 1n : top;
    await this.copy(this.copiedBelow ?? 0n, below, onProgress, signal);
    this.copiedBelow = below;
  }

  /** Copies the segments from `from` up to but without `below`. */
  private async copy(
    from: bigint,
    below: bigint | undefined,
    onProgress: (progress: RebuildProgress) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { client, source, sourceName, target } = this.options;
    const mapping = this.mapping;
    invariant(mapping, 'rows are copied before the table was made');
    const self = quoteName(sourceName);
    const segment = `${self}.${SEGMENT}`;
    const range = `${segment} >= ${from}${below === undefined ? '' : ` AND ${segment} < ${below}`}`;
    const partitions = await this.rows<{ id: string; n: string }>(
      `SELECT _partition_id AS id, count() AS n FROM ${source} AS ${self} WHERE ${range} GROUP BY id ORDER BY id`,
    );
    if (partitions.length > 0 && mapping.columns.length === 0) {
      throw new AppError(
        'bad_request',
        `cannot move the rows of data source=${sourceName}: no column has the name of a former one; say how with FORWARD_QUERY`,
      );
    }
    const total = this.copiedRows + partitions.reduce((sum, { n }) => sum + Number(n), 0);
    const columns = mapping.columns.map(quoteName).join(', ');
    for (const { id, n } of partitions) {
      signal?.throwIfAborted();
      const queryId = `rebuild-${randomUUID()}`;
      const kill = (): void =>
        void client
          .command('KILL QUERY WHERE query_id = {id:String} ASYNC', { params: { id: queryId } })
          .catch(() => undefined);
      signal?.addEventListener('abort', kill, { once: true });
      try {
        await client.command(
          `INSERT INTO ${target} (${columns}, ${SEGMENT}) SELECT ${columns}, ${SEGMENT} FROM ` +
            `(SELECT ${mapping.list}, ${segment} AS ${SEGMENT} FROM ${source} AS ${self} ` +
            `WHERE ${self}._partition_id = ${quoteText(id)} AND ${range})`,
          { settings: COPYING, queryId },
        );
      } catch (error) {
        throw explained(error, signal);
      } finally {
        signal?.removeEventListener('abort', kill);
      }
      this.copiedRows += Number(n);
      onProgress({ rows: this.copiedRows, total });
    }
  }

  /** A last look, where the number of rows says something: they neither merge nor expire. */
  private async compare(): Promise<void> {
    const { before, after, source, target } = this.options;
    const isPlain = ({ engine }: DataSource): boolean => engine.name === 'MergeTree' && (engine.ttl ?? '') === '';
    if (!isPlain(before) || !isPlain(after)) return;
    const [row] = await this.rows<{ was: string; is: string }>(
      `SELECT (SELECT count() FROM ${source}) AS was, (SELECT count() FROM ${target}) AS is`,
    );
    if (row?.was === row?.is) return;
    throw new AppError('conflict', `cannot finish the move: ${row?.is} of ${row?.was} rows were copied; start again`);
  }

  private rowsFrom(segment: bigint): Promise<number> {
    return this.rows<{ n: string }>(
      `SELECT count() AS n FROM ${this.options.source} WHERE ${SEGMENT} >= ${segment}`,
    ).then(([row]) => Number(row?.n ?? 0));
  }

  private async map(): Promise<Mapping> {
    const { before, after, source, sourceName } = this.options;
    const isNew = after.forwardQuery !== undefined && after.forwardQuery !== before.forwardQuery;
    if (!isNew) return sameNames(before, after);
    const list = (after.forwardQuery ?? '').trim().replace(/^SELECT\s+/iu, '');
    const described = await this.rows<{ name: string }>(
      `DESCRIBE (SELECT ${list} FROM ${source} AS ${quoteName(sourceName)})`,
    ).catch((error: unknown) => {
      throw explained(error, undefined);
    });
    const columns = described.map(({ name }) => name);
    for (const name of columns) {
      const column = after.columns.find((candidate) => candidate.name === name);
      if (column !== undefined && column.kind !== 'ALIAS') continue;
      throw new AppError(
        'bad_request',
        `cannot use FORWARD_QUERY: its column ${name} is not one of data source ${after.name}; name it with AS, or leave it out`,
      );
    }
    return { columns, list };
  }

  private rows<Row>(sql: string): Promise<Row[]> {
    return this.options.client.rows<Row>(sql);
  }

  private async stopMerges(): Promise<void> {
    await this.options.client.command(`SYSTEM STOP MERGES ${this.options.source}`);
    this.merging = false;
    this.engineStart = await this.engineStarted();
  }

  private async startMerges(): Promise<void> {
    if (this.merging) return;
    await this.options.client.command(`SYSTEM START MERGES ${this.options.source}`);
    this.merging = true;
  }

  /** When the engine started, in seconds since 1970: a restart forgets that merges are stopped. */
  private async engineStarted(): Promise<number> {
    const [row] = await this.rows<{ at: string }>('SELECT toInt64(toUnixTimestamp(now())) - toInt64(uptime()) AS at');
    return Number(row?.at ?? 0);
  }
}

/**
 * The rows as they are, in the types of the new schema. A value that does not fit is an error, never another value. Without a
 * column in common there is nothing to copy, which is right for a table without rows.
 */
export function sameNames(before: DataSource, after: DataSource): Mapping {
  const columns: string[] = [];
  const list: string[] = [];
  const former = new Map(before.columns.map((column) => [column.name, column]));
  for (const column of after.columns) {
    const old = former.get(column.name);
    if (old === undefined || old.kind === 'EPHEMERAL' || column.kind === 'ALIAS' || column.kind === 'EPHEMERAL')
      continue;
    // Computed anew, unless it is the same: then the value of back then stays.
    if (column.kind === 'MATERIALIZED' && (old.kind !== 'MATERIALIZED' || old.expression !== column.expression))
      continue;
    columns.push(column.name);
    list.push(`${converted(old, column)} AS ${quoteName(column.name)}`);
  }
  return { columns, list: list.join(', ') };
}

function converted(old: DataSourceColumn, column: DataSourceColumn): string {
  const name = quoteName(column.name);
  if (old.type === column.type) return name;
  // Between floats "accurate" would refuse all that is no sum of powers of two.
  const cast =
    /^(?:Nullable\()?Float/u.test(old.type) && /^(?:Nullable\()?Float/u.test(column.type) ? 'CAST' : 'accurateCast';
  return `${cast}(${name}, ${quoteText(column.type)})`;
}

function explained(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true)
    return new AppError('cancelled', 'cannot finish the move: it was cancelled', { cause: error });
  if (!(error instanceof StoreError) || error.number === 0) return error;
  return new AppError(
    'bad_request',
    `cannot move the rows to the new schema: ${error.message}; say how with FORWARD_QUERY`,
    { cause: error },
  );
}
