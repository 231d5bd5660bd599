/**
 * The way of one segment's lines for one data source: those that fit into its table, the others into its quarantine. Separate
 * from the hand-over, which says what goes where and in which order.
 *
 * Must stay true: each line ends up in one of the two tables, whatever was there before a failure. Rows that are held are in neither
 * before the materializer has inserted them together with what pipes make for the same data source.
 */

import type { Barred, EventMapping } from '@glasshouse/language';
import { isolateFaults, keyParts, MAPPING_SETTINGS } from '@glasshouse/language';
import { invariant, QUARANTINE_SUFFIX } from '@glasshouse/model';
import type { EventStore, SegmentFile, StagedLines } from '@glasshouse/store';
import { keepsRows, linesOf, outside, quoteName, StoreError, tenantDatabase } from '@glasshouse/store';
import type { Mappings } from './mappings.ts';
import type { DataSourceEntry } from './resource-row.ts';

interface TransferOptions {
  readonly store: EventStore;
  readonly mappings: Mappings;
}

/** The lines of one segment for one data source. */
export class Transfer {
  /** Lines that did not fit; known when they were handed over or held. */
  rejected = 0;
  private readonly segment: SegmentFile;
  private readonly entry: DataSourceEntry;
  private readonly lines: StagedLines;
  private readonly options: TransferOptions;
  private readonly target: string;
  private readonly quarantine: string;
  private mapping: EventMapping | undefined;

  /** `into` names another table than the live one. */
  constructor(
    segment: SegmentFile,
    entry: DataSourceEntry,
    lines: StagedLines,
    options: TransferOptions,
    into: string | undefined,
  ) {
    this.segment = segment;
    this.entry = entry;
    this.lines = lines;
    this.options = options;
    const database = quoteName(tenantDatabase(entry.tenant));
    this.target = into ?? `${database}.${quoteName(entry.name)}`;
    this.quarantine = `${database}.${quoteName(entry.name + QUARANTINE_SUFFIX)}`;
  }

  /** Inserts the rows; true if something was missing. */
  async run(doubtful: boolean): Promise<boolean> {
    const where = linesOf(this.lines.dataSource);
    // What was barred before a failure has to be barred again, or it would be in neither table.
    let mapping = this.map(doubtful ? await this.faults(where) : []);
    let wasMissing = true;
    try {
      wasMissing = await this.insertGood(mapping, where, doubtful);
    } catch (error) {
      if (doubtful || !isOfRow(error)) throw error;
      const barred = await this.faults(where);
      if (barred.length === 0) throw error;
      mapping = this.map(barred);
      await this.insertGood(mapping, where, true);
    }
    this.mapping = mapping;
    const good = await this.good(mapping, where);
    this.rejected = this.lines.lines - good;
    if (this.rejected > 0) await this.insertRejected(mapping, where, doubtful);
    return wasMissing;
  }

  /**
   * Puts the rows that fit into a table of their own, for somebody else to insert, and quarantines the others. Its quoted name. What
   * the data source's own table would refuse is among the others.
   */
  async hold(doubtful: boolean): Promise<string> {
    const where = linesOf(this.lines.dataSource);
    this.mapping = this.map(await this.faults(where));
    const landing = await this.land();
    this.rejected = this.lines.lines - (await this.options.store.countLanded(landing));
    if (this.rejected > 0) await this.insertRejected(this.mapping, where, doubtful);
    return landing;
  }

  /** Inserts rows that were held, but for those that are there. True if something was missing. */
  insertAlone(): Promise<boolean> {
    const { mapping } = this;
    invariant(mapping !== undefined, 'BUG: rows are inserted that were not held');
    return this.insertGood(mapping, linesOf(this.lines.dataSource), true);
  }

  /** Puts the rows that fit into a table of their own, as they came. Its quoted name. */
  async land(): Promise<string> {
    const { mapping } = this;
    invariant(mapping !== undefined, 'BUG: rows land that were not handed over');
    const target = await this.options.store.makeLanding(this.segment, this.entry.definition);
    await this.insert(mapping.insertGood({ ...this.names(linesOf(this.lines.dataSource)), target }));
    return target;
  }

  private map(barred: readonly Barred[]): EventMapping {
    return this.options.mappings.of(this.entry, this.lines.filters, barred);
  }

  /** Lines on which an expression of the user throws, such as a DEFAULT that converts. */
  private faults(where: string): Promise<readonly Barred[]> {
    return isolateFaults({
      names: { staging: this.staging, where },
      map: (barred) => this.map(barred),
      ask: async (sql) =>
        (await this.options.store.rows<Record<string, string | number>>(this.segment, sql, MAPPING_SETTINGS))[0],
      isOfRow,
    });
  }

  /** Quarantined rows by the request that brought them. */
  requests(): Promise<ReadonlyMap<string, number>> {
    return this.options.store.quarantined(this.quarantine, this.segment);
  }

  private async insertGood(mapping: EventMapping, where: string, doubtful: boolean): Promise<boolean> {
    const { definition } = this.entry;
    if (!doubtful) {
      await this.insert(mapping.insertGood(this.names(where)));
      return false;
    }
    // What keeps no rows lacks none.
    if (!keepsRows(definition.engine)) return false;
    const isAdditive = mergesRows(definition.engine.name);
    const present = await this.options.store.partitions(this.target, this.segment, isAdditive);
    if (present.length === 0) await this.insert(mapping.insertGood(this.names(where)));
    else {
      const expected = await this.options.store.rows<{ partition: string }>(
        this.segment,
        mapping.partitions({ staging: this.staging, where }),
        MAPPING_SETTINGS,
      );
      if (expected.every(({ partition }) => present.includes(partition))) return false;
      const only = outside(keyParts(definition.engine.partitionKey ?? ''), present);
      await this.insert(mapping.insertGood({ ...this.names(where), only }));
    }
    return true;
  }

  private async insertRejected(mapping: EventMapping, where: string, doubtful: boolean): Promise<void> {
    const present = doubtful ? await this.options.store.partitions(this.quarantine, this.segment, false) : [];
    // Its partition is the day of arrival.
    const only = outside(['toDate(insertion_date)'], present);
    const names = { ...this.names(where), target: this.quarantine };
    await this.insert(mapping.insertQuarantine(present.length === 0 ? names : { ...names, only }));
  }

  /** How many of the lines fitted. Where rows are kept as they came the table says so, which costs no second parse. */
  private async good(mapping: EventMapping, where: string): Promise<number> {
    if (keepsEveryRow(this.entry.definition.engine.name)) {
      const stored = await this.options.store.countNew(this.target, this.segment);
      if (stored === this.lines.lines) return stored;
    }
    const [row] = await this.options.store.rows<{ good: string }>(
      this.segment,
      mapping.count({ staging: this.staging, where }),
      MAPPING_SETTINGS,
    );
    return Number(row?.good ?? 0);
  }

  private insert(sql: string): Promise<void> {
    return this.options.store.insert(this.segment, sql, MAPPING_SETTINGS);
  }

  private get staging(): string {
    return this.options.store.staging(this.segment);
  }

  private names(where: string): { staging: string; where: string; target: string; segment: string } {
    return { staging: this.staging, where, target: this.target, segment: `toUInt64(${this.segment.id})` };
  }
}

/** Engines that add rows up, so that of several segments' rows only one is left, with the greatest segment. */
export function mergesRows(engine: string): boolean {
  return engine === 'AggregatingMergeTree' || engine === 'SummingMergeTree';
}

/** True if the table has the rows as they came. */
export function keepsEveryRow(engine: string): boolean {
  return engine === 'MergeTree';
}

/**
 * Errors of the store's state and not of a row: out of reach, out of time, of memory, of disk, too many parts, cancelled.
 * (ClickHouse's codes.)
 */
const TRANSIENT: ReadonlySet<number> = new Set([
  0, 159, 160, 202, 209, 210, 236, 241, 242, 243, 252, 319, 394, 425, 439,
]);

/** True for an error that the rows, or a statement of the user, are to blame for, and not the store's state. */
export function isOfRow(error: unknown): boolean {
  return error instanceof StoreError && !TRANSIENT.has(error.number);
}
