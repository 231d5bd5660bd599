/**
 * The store: what the server does with ClickHouse, in a few verbs. Facts come in as whole segments, control rows as
 * objects, and users' queries go out as the bytes that the engine sends.
 */

import { randomUUID } from 'node:crypto';
import { AppError, invariant } from '@glasshouse/model';
import { FACT_TABLES } from '@glasshouse/schema';
import type { BackupOptions, BackupProgress, BackupResult } from './backup.ts';
import { backupAll, truncateFacts } from './backup.ts';
import type { RawResult, StatementOptions } from './client.ts';
import { Client, guarded } from './client.ts';
import { onCluster, quoteName, quoteText, TABLE_MAKING } from './ddl.ts';
import { migrate } from './migrate.ts';
import { paramSettings, Questions } from './questions.ts';
import type { ReadBackup } from './restore.ts';
import { endRestore, placeRestored, planRestore, readBackup, replacedDatabase } from './restore.ts';
import type { Target } from './target.ts';
import type { ListedView } from './views.ts';
import { createTenantViews, sessionComment, tenantDatabase } from './views.ts';

export interface StoreOptions {
  readonly target: Target;
  /** Days that facts are kept; undefined keeps them for good. */
  readonly retentionDays: number | undefined;
  /** Days that rows of the audit log are kept; undefined for the default. */
  readonly auditDays?: number | undefined;
}

/** A segment to hand over, as the log describes it. */
export interface SegmentFile {
  readonly table: string;
  readonly id: bigint;
  readonly path: string;
  /** Rows by UTC day, days counted from 1970-01-01. */
  readonly days: ReadonlyMap<number, number>;
  /** True if damaged rows were taken out of it: a day that was inserted before that rightly holds more than `days` says. */
  readonly repaired?: boolean;
}

/** How a user's query is run. */
export interface ReadOptions extends Omit<StatementOptions, 'params'> {
  /** Values of `{name:String}`. */
  readonly params?: Readonly<Record<string, string>>;
  /** What the catalogue shows besides. */
  readonly views?: readonly ListedView[];
}

/** How often those are asked to end that still insert a segment of which nobody awaits the answer. */
const KILL_EVERY_MS = 10_000;

/**
 * An insert of a segment makes one part per partition (of facts, a day) and nothing smaller: only then is a partition either
 * there or not, which the ledger relies on. So nothing may cut the segment into several blocks.
 */
export const ONE_PART_PER_PARTITION = {
  max_insert_block_size: 10_000_000,
  min_insert_block_size_rows: 10_000_000,
  min_insert_block_size_bytes: 8_000_000_000,
  max_partitions_per_insert_block: 0,
  async_insert: 0,
  input_format_parallel_parsing: 0,
  max_insert_threads: 1,
  optimize_on_insert: 0,
  // A column that the table doesn't have would be left out in silence; refused, the segment is kept.
  input_format_skip_unknown_fields: 0,
  // Into a distributed table: the answer comes when the shards have the rows.
  distributed_foreground_insert: 1,
};

export class Store {
  readonly target: Target;
  private readonly writer: Client;
  private readonly reader: Questions;
  private readonly retentionDays: number | undefined;
  private readonly auditDays: number | undefined;

  private constructor(options: StoreOptions) {
    this.target = options.target;
    this.retentionDays = options.retentionDays;
    this.auditDays = options.auditDays;
    this.writer = new Client(options.target, options.target.writer, { maxConnections: 8, requestTimeoutMs: 600_000 });
    this.reader = new Questions(options.target, options.target.reader, { maxConnections: 64, timeoutMs: 3_600_000 });
  }

  /** Connects lazily: nothing is asked of the store yet, so this works while it is down. `migrate` must follow. */
  static connect(options: StoreOptions): Store {
    return new Store(options);
  }

  /** Connects and brings the schema up to date. */
  static async open(options: StoreOptions): Promise<Store> {
    const store = Store.connect(options);
    await store.migrate();
    return store;
  }

  /** Brings the schema up to date; may be called again after a failure. Resolves with the names of the migrations that ran. */
  migrate(): Promise<string[]> {
    const { database, cluster, compression, isCurrent } = this.target;
    return migrate(this.writer, {
      database,
      cluster,
      compression,
      isCurrent,
      retentionDays: this.retentionDays,
      auditDays: this.auditDays,
    });
  }

  ping(): Promise<boolean> {
    return this.writer.ping();
  }

  /** Runs a statement of our own. */
  command(sql: string, options: StatementOptions = {}): Promise<void> {
    return this.writer.command(sql, options);
  }

  /** Runs a query of our own. 64-bit integers come as strings. */
  rows<Row>(sql: string, options: StatementOptions = {}): Promise<Row[]> {
    return this.writer.rows<Row>(sql, options);
  }

  /** The same piece by piece, each row as the list of its values. */
  pieces<Row extends readonly unknown[]>(sql: string, options: StatementOptions = {}): AsyncIterable<Row[]> {
    return this.writer.pieces<Row>(sql, options);
  }

  /** Inserts rows into a table of the control plane. */
  insertRows(table: string, rows: readonly object[]): Promise<void> {
    return this.writer.insert(`${this.target.database}.${table}`, rows);
  }

  /**
   * Runs a user's query in its tenant's session. The caller has judged the statement; this adds the walls behind that: a
   * reader's session, the tenant named in it, and the tenant's database as the default.
   */
  async read(tenant: string, sql: string, options: ReadOptions = {}): Promise<RawResult> {
    const { settings, params = {}, queryId = randomUUID(), database = tenantDatabase(tenant), signal, views } = options;
    const session = { readonly: 1, log_comment: sessionComment(tenant, views), database, query_id: queryId };
    const search = { ...settings, ...paramSettings(params), ...session };
    const stream = await guarded(this.reader.ask({ sql, search, signal }));
    return { stream, headers: stream.headers, queryId };
  }

  /** Makes the tenant's database and the views in it, but for those whose name a data source has. */
  async prepareTenant(tenant: string): Promise<void> {
    const { database, cluster } = this.target;
    const name = tenantDatabase(tenant);
    await this.writer.command(`CREATE DATABASE IF NOT EXISTS ${quoteName(name)}${onCluster(cluster)}`);
    const tables = await this.writer.rows<{ name: string }>(
      "SELECT name FROM system.tables WHERE database = {name:String} AND engine != 'View'",
      { params: { name } },
    );
    const condition = `tenant_id = ${quoteText(tenant)}`;
    const taken = new Set(tables.map((table) => table.name));
    const views = createTenantViews(name, database, condition, onCluster(cluster), taken);
    await Promise.all(views.map((sql) => this.writer.command(sql)));
  }

  /** Inserts a whole segment. After an error it may be in the table or not: `missingDays` tells. */
  async insertSegment(segment: SegmentFile): Promise<void> {
    const { name, columns } = this.tableOf(segment);
    await this.insertSegmentFile(name, columns, segment);
  }

  /** Inserts the file of a segment into a table; name and columns quoted. */
  async insertSegmentFile(table: string, columns: string, segment: SegmentFile): Promise<void> {
    const queryId = `${insertId(segment)}-${randomUUID()}`;
    // What the file lacks gets its type's default, and no column has another: expressions for it in each block cost 2 ms an insert.
    const settings = { ...ONE_PART_PER_PARTITION, input_format_defaults_for_omitted_fields: 0 };
    await this.writer.insertFile(table, columns, segment.path, settings, queryId);
  }

  /**
   * Resolves when no insert of the segment is under way any more. One whose caller is gone may still run, and what it does is
   * known only when it has ended: it is given some time, then asked to stop, as often as it takes. Removes what an
   * interrupted `insertDays` left behind.
   */
  async settled(segment: SegmentFile): Promise<void> {
    const mine =
      `(startsWith(Settings['log_comment'], {id:String}) OR startsWith(query_id, {id:String})) ` +
      `AND NOT has(['Select', 'KillQuery'], query_kind)`;
    const params = { id: insertId(segment) };
    let killAtMs = Date.now() + KILL_EVERY_MS;
    for (;;) {
      const [row] = await this.writer.rows<{ running: number | string }>(
        `SELECT count() AS running FROM system.processes WHERE ${mine}`,
        { params },
      );
      // Servers differ in whether a 64-bit number comes in quotes.
      if (Number(row?.running) === 0) break;
      if (Date.now() >= killAtMs) {
        killAtMs = Date.now() + KILL_EVERY_MS;
        await this.writer.command(`KILL QUERY WHERE ${mine} ASYNC`, { params });
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await this.writer.command(`DROP TABLE IF EXISTS ${this.stagingOf(segment)} SYNC`);
  }

  /** The days of the segment whose rows are not in the table. Throws if a day is there in part, which must not happen. */
  async missingDays(segment: SegmentFile): Promise<number[]> {
    const { name, day } = this.tableOf(segment);
    const days = [...segment.days.keys()];
    const [first, last] = [Math.min(...days), Math.max(...days)];
    const found = await this.writer.rows<{ day: number; count: string }>(
      `SELECT toUInt32(${day}) AS day, count() AS count FROM ${name}
       WHERE ${day} BETWEEN toDate({first:UInt32}) AND toDate({last:UInt32})
         AND _segment = {segment:UInt64} GROUP BY day`,
      { params: { first, last, segment: segment.id.toString() }, settings: { select_sequential_consistency: 1 } },
    );
    const counts = new Map(found.map((row) => [row.day, Number(row.count)]));
    const missing: number[] = [];
    for (const [day, expected] of segment.days) {
      const count = counts.get(day) ?? 0;
      if (count === 0) missing.push(day);
      else if (count < expected || (count > expected && segment.repaired !== true)) {
        throw new AppError(
          'internal',
          `cannot hand over segment=${segment.path}: day ${day} holds ${count} of ${expected} rows in ${segment.table}`,
        );
      }
    }
    return missing;
  }

  /** Inserts only the given days of a segment, by way of a table of its own. */
  async insertDays(segment: SegmentFile, days: readonly number[]): Promise<void> {
    const { name, columns, day } = this.tableOf(segment);
    const staging = this.stagingOf(segment);
    await this.writer.command(`DROP TABLE IF EXISTS ${staging} SYNC`);
    const columnDdl = FACT_TABLES.find((table) => table.name === segment.table)
      ?.columns.map((column) => `${quoteName(column.name)} ${column.type}`)
      .join(', ');
    await this.writer.command(`CREATE TABLE ${staging} (${columnDdl}) ENGINE = MergeTree ORDER BY tuple()`, {
      settings: TABLE_MAKING,
    });
    try {
      await this.writer.insertFile(
        staging,
        columns,
        segment.path,
        ONE_PART_PER_PARTITION,
        `${insertId(segment)}-${randomUUID()}`,
      );
      await this.writer.command(
        `INSERT INTO ${name} (${columns}) SELECT ${columns} FROM ${staging} WHERE toUInt32(${day}) IN {days:Array(UInt32)}`,
        {
          params: { days },
          settings: { ...ONE_PART_PER_PARTITION, max_threads: 1, max_block_size: 10_000_000 },
          // By this name `settled` finds it, should it outlive its connection.
          queryId: `${insertId(segment)}-${randomUUID()}`,
        },
      );
    } finally {
      await this.writer.command(`DROP TABLE IF EXISTS ${staging} SYNC`);
    }
  }

  /** Copies everything that is stored, workspaces included. Inserts and queries go on. */
  backup(options: BackupOptions): Promise<BackupResult> {
    this.needsOneServer('back up');
    return backupAll(this.writer, this.target.database, options);
  }

  /** Reads a backup beside what is there; `planRestore` or `endRestore` must follow. */
  readBackup(path: string, onProgress: (progress: BackupProgress) => void): Promise<ReadBackup> {
    this.needsOneServer('restore');
    return readBackup(this.writer, this.target.database, path, onProgress);
  }

  /** Makes sure that what was read will be put in its place, by `placeRestored` or at the next start. */
  planRestore(path: string, read: ReadBackup): Promise<void> {
    return planRestore(this.writer, this.target.database, path, read);
  }

  /** Puts what was planned in its place; nothing may be inserted meanwhile. Resolves with whether there is a plan. */
  async placeRestored(): Promise<boolean> {
    return this.target.readsPaths && (await placeRestored(this.writer, this.target.database));
  }

  /** Forgets the plan, or what was read without one. */
  async endRestore(): Promise<void> {
    if (this.target.readsPaths) await endRestore(this.writer, this.target.database);
  }

  /** Name of the database that has what the last restore replaced. */
  get replaced(): string {
    return replacedDatabase(this.target.database);
  }

  /** Deletes all facts of all tenants. */
  async deleteFacts(): Promise<void> {
    const { database, cluster } = this.target;
    await truncateFacts(this.writer, database, onCluster(cluster), cluster === undefined ? '' : '_local');
  }

  private needsOneServer(what: string): void {
    if (this.target.readsPaths) return;
    throw new AppError(
      'bad_request',
      `cannot ${what} a remote store from here: use its own BACKUP and RESTORE statements`,
    );
  }

  /** The table by which some days of a segment are inserted without the others. */
  private stagingOf(segment: SegmentFile): string {
    return `${quoteName(this.target.database)}.${quoteName(stagingName(segment))}`;
  }

  /** The table of a segment, its columns, and the day of a row, by which all of them are partitioned. */
  private tableOf(segment: SegmentFile): { name: string; columns: string; day: string } {
    const table = FACT_TABLES.find((candidate) => candidate.name === segment.table);
    invariant(table, `no fact table ${segment.table}`);
    return {
      name: `${quoteName(this.target.database)}.${quoteName(table.name)}`,
      columns: table.columns.map((column) => quoteName(column.name)).join(', '),
      day: table.partitionBy,
    };
  }

  async close(): Promise<void> {
    this.reader.close();
    await this.writer.close();
  }
}

/** What the query ids of a segment's inserts begin with. */
export function insertId(segment: SegmentFile): string {
  return `segment-${segment.id.toString(16).padStart(16, '0')}`;
}

/** Name of the table that a segment is loaded into where it cannot go straight to its own. */
export function stagingName(segment: SegmentFile): string {
  return `replay_${segment.id.toString(16)}`;
}
