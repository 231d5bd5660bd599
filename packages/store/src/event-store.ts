/**
 * What the hand-over of events does with the store: a segment's lines into a staging table, and from there, by statements that
 * others generate, into the tables of data sources.
 *
 * Must stay true: an insert makes one part per partition, so a partition has a segment whole or not at all. Every statement of
 * a segment carries its name, by which `Store.settled` finds one that outlived its connection.
 */

import { randomUUID } from 'node:crypto';
import type { DataSource } from '@glasshouse/model';
import { EVENTS } from '@glasshouse/schema';
import { buildingDatabase } from './backup.ts';
import { createLandingTable } from './datasource-ddl.ts';
import { quoteName, quoteText, TABLE_MAKING } from './ddl.ts';
import type { SegmentFile, Store } from './store.ts';
import { insertId, ONE_PART_PER_PARTITION, stagingName } from './store.ts';

type Statements = Pick<Store, 'command' | 'insertSegmentFile' | 'rows' | 'settled' | 'target'>;

/** The lines of a segment for one data source. */
export interface StagedLines {
  readonly dataSource: string;
  readonly lines: number;
  /** The distinct write filters among them, without the empty one. */
  readonly filters: readonly string[];
  /** Ids of the batches among them whose senders named them. */
  readonly batches: readonly string[];
}

/** What the id of a request begins with whose sender named it, so that it is taken once. */
export const BATCH_PREFIX = 'batch-';

export class EventStore {
  private readonly store: Statements;

  constructor(store: Statements) {
    this.store = store;
  }

  /** Name of the segment's staging table, quoted. */
  staging(segment: SegmentFile): string {
    return `${quoteName(this.store.target.database)}.${quoteName(stagingName(segment))}`;
  }

  /** Loads a segment into its staging table, and says what is in it. */
  async load(segment: SegmentFile): Promise<readonly StagedLines[]> {
    const staging = this.staging(segment);
    const columns = EVENTS.columns.map(({ name, type }) => `${quoteName(name)} ${type}`).join(', ');
    await this.store.command(`DROP TABLE IF EXISTS ${staging} SYNC`);
    await this.store.command(`CREATE TABLE ${staging} (${columns}) ENGINE = Memory`, { settings: TABLE_MAKING });
    const names = EVENTS.columns.map(({ name }) => quoteName(name)).join(', ');
    await this.store.insertSegmentFile(staging, names, segment);
    const rows = await this.store.rows<{ id: string; lines: string; filters: string[]; batches: string[] }>(
      `SELECT datasource_id AS id, count() AS lines, groupUniqArrayIf(filter, filter != '') AS filters,
         groupUniqArrayIf(import_id, startsWith(import_id, '${BATCH_PREFIX}')) AS batches
       FROM ${staging} GROUP BY id ORDER BY id`,
    );
    return rows.map(({ id, lines, filters, batches }) => ({ dataSource: id, lines: Number(lines), filters, batches }));
  }

  /**
   * Makes a table for the rows of a data source that the segment brings, for whoever reads them after the data source's own
   * table has merged them, or has not kept them, or before it gets them. Its quoted name. One that `isLarge` is on
   * disk, where nobody looks for what is left of a segment, but a start removes it.
   */
  async makeLanding(segment: SegmentFile, dataSource: DataSource, isLarge = false): Promise<string> {
    const { database } = this.store.target;
    const place = isLarge ? buildingDatabase(database) : database;
    const name = `${quoteName(place)}.${quoteName(landingPrefix(segment) + randomUUID())}`;
    await this.store.command(createLandingTable(dataSource, name, isLarge), { settings: TABLE_MAKING });
    return name;
  }

  /** Rows in a table that `makeLanding` made; of those that a condition picks, if there is one. */
  async countLanded(landing: string, condition = '1'): Promise<number> {
    const [row] = await this.store.rows<{ count: string }>(
      `SELECT count() AS count FROM ${landing} WHERE ${condition}`,
    );
    return Number(row?.count ?? 0);
  }

  /** Writes down that the rows of these batches came. Again is no harm. */
  async remember(batches: readonly string[]): Promise<void> {
    const rows = batches.map((id) => `(${quoteText(id)}, now64(3))`).join(', ');
    await this.store.command(`INSERT INTO ${this.batchTable} (id, stored_at) VALUES ${rows}`);
  }

  /** Whether `remember` was told of the batch, in the days that the table keeps it. */
  async remembers(batch: string): Promise<boolean> {
    const params = { id: batch };
    const rows = await this.store.rows(`SELECT 1 FROM ${this.batchTable} WHERE id = {id:String} LIMIT 1`, { params });
    return rows.length > 0;
  }

  private get batchTable(): string {
    return `${quoteName(this.store.target.database)}.event_batches`;
  }

  /** Drops the staging table, and these others of the segment. */
  unload(segment: SegmentFile, landings: readonly string[]): Promise<void> {
    return this.drop([this.staging(segment), ...landings]);
  }

  /** Drops tables that `makeLanding` made. */
  async drop(landings: readonly string[]): Promise<void> {
    for (const table of landings) await this.store.command(`DROP TABLE IF EXISTS ${table} SYNC`);
  }

  /** Resolves when nothing of the segment is under way any more, and no table of its own is left. */
  async settled(segment: SegmentFile): Promise<void> {
    await this.store.settled(segment);
    const { database } = this.store.target;
    const left = await this.store.rows<{ name: string }>(
      'SELECT name FROM system.tables WHERE database = {database:String} AND startsWith(name, {prefix:String})',
      { params: { database, prefix: landingPrefix(segment) } },
    );
    for (const { name } of left)
      await this.store.command(`DROP TABLE IF EXISTS ${quoteName(database)}.${quoteName(name)} SYNC`);
  }

  /** Runs an insert of the segment. */
  async insert(
    segment: SegmentFile,
    sql: string,
    settings: Readonly<Record<string, number | string>>,
    database?: string,
  ): Promise<void> {
    await this.store.command(sql, {
      ...(database === undefined ? {} : { database }),
      settings: { ...ONE_PART_PER_PARTITION, ...settings, max_threads: INSERT_THREADS },
      queryId: `${insertId(segment)}-${randomUUID()}`,
    });
  }

  /** Runs a query over the staging table. */
  rows<Row>(segment: SegmentFile, sql: string, settings: Readonly<Record<string, number | string>>): Promise<Row[]> {
    return this.store.rows<Row>(sql, { settings, queryId: `${insertId(segment)}-${randomUUID()}` });
  }

  /** Names of the columns that a statement gives. */
  async columns(
    segment: SegmentFile,
    sql: string,
    settings: Readonly<Record<string, number | string>>,
    database: string,
  ): Promise<readonly string[]> {
    const rows = await this.store.rows<{ name: string }>(`DESCRIBE (\n${sql}\n)`, {
      database,
      settings,
      queryId: `${insertId(segment)}-${randomUUID()}`,
    });
    return rows.map(({ name }) => name);
  }

  /** The partitions of a table that have rows of this segment, or, `since`, of it or a later one. Quoted name. */
  async partitions(table: string, segment: SegmentFile, since: boolean): Promise<readonly string[]> {
    const rows = await this.store.rows<{ partition: string }>(
      `SELECT DISTINCT _partition_id AS partition FROM ${table} WHERE _segment ${since ? '>=' : '='} {segment:UInt64}`,
      { params: { segment: segment.id.toString() } },
    );
    return rows.map(({ partition }) => partition);
  }

  /**
   * Rows of the segment in a table, soon after they were inserted; of rows inserted longer ago some may not be counted. There is no index
   * over segments, so that only the parts are read that are new, or merged since.
   */
  async countNew(table: string, segment: SegmentFile): Promise<number> {
    // Of a table on several servers this one does not know the parts.
    const isNew = this.store.target.cluster === undefined ? ` AND _part IN (${NEW_PARTS})` : '';
    const [row] = await this.store.rows<{ count: string }>(
      `SELECT count() AS count FROM ${table} WHERE _segment = {segment:UInt64}${isNew}`,
      { params: { segment: segment.id.toString(), table, seconds: NEW_SECONDS } },
    );
    return Number(row?.count ?? 0);
  }

  /** Quarantined rows of the segment by the request that brought them. */
  async quarantined(table: string, segment: SegmentFile): Promise<ReadonlyMap<string, number>> {
    const rows = await this.store.rows<{ request: string; count: string }>(
      `SELECT ifNull(c__import_id, '') AS request, count() AS count FROM ${table} WHERE _segment = {segment:UInt64} GROUP BY request`,
      { params: { segment: segment.id.toString() } },
    );
    return new Map(rows.map(({ request, count }) => [request, Number(count)]));
  }
}

function landingPrefix(segment: SegmentFile): string {
  return `${stagingName(segment)}_`;
}

/** The parse of JSON is most of the work, and the only part of an insert that more threads speed up. */
const INSERT_THREADS = 2;

/** Parts younger than this may hold what an insert made that has just ended, by the clock of the store. */
const NEW_SECONDS = 60;
const NEW_PARTS = `SELECT name FROM system.parts WHERE active AND modification_time >= now() - {seconds:UInt32}
  AND concat('\`', database, '\`.\`', table, '\`') = {table:String}`;

/** The condition that picks one data source's lines in the staging table. */
export function linesOf(dataSource: string): string {
  return `datasource_id = ${quoteText(dataSource)}`;
}

/**
 * A condition on rows: that they belong to none of the partitions. The parts of the key have to be given one by one, because of a
 * tuple the function makes another id than the table does. Without a partition key there is but one.
 */
export function outside(keyParts: readonly string[], partitions: readonly string[]): string {
  if (partitions.length === 0) return '1';
  const partition = keyParts.length === 0 ? "'all'" : `partitionID(${keyParts.join(', ')})`;
  return `${partition} NOT IN (${partitions.map(quoteText).join(', ')})`;
}
