/**
 * The hand-over of events: a segment's lines go through a staging table into the tables of their data sources, and what does
 * not fit goes into their quarantines. Then whoever waits for a request of the segment is told what became of it.
 *
 * Must stay true: segments come in the order of their ids, each again until it is done. A row is inserted or quarantined
 * exactly once: a partition has a segment whole or not at all, and after a failure only what lacks it is inserted. A data
 * source that fails for a reason of its own holds up nobody else: its rows are quarantined with that reason.
 */

import type { Barred, EventMapping } from '@glasshouse/language';
import { isolateFaults, MAPPING_SETTINGS } from '@glasshouse/language';
import { AppError, invariant, QUARANTINE_SUFFIX } from '@glasshouse/model';
import type { EventStore, SegmentFile, StagedLines } from '@glasshouse/store';
import { keepsRows, linesOf, outside, quoteName, StoreError, tenantDatabase } from '@glasshouse/store';
import type { Loads } from './loads.ts';
import type { Mappings } from './mappings.ts';
import type { Arrival, Materializer } from './materialize.ts';
import type { Outcomes } from './outcomes.ts';
import type { DataSourceEntry } from './resource-row.ts';

export interface EventHandOverOptions {
  readonly store: EventStore;
  /** The live data source of an id; `deleted` for one that is gone, undefined for an id that nobody has heard of. */
  readonly dataSource: (id: string) => DataSourceEntry | 'deleted' | undefined;
  /** Rows that go into tables which are not live yet. */
  readonly loads?: Loads;
  readonly mappings: Mappings;
  readonly materializer: Materializer;
  readonly outcomes: Outcomes;
  /** Resolves when tables are where their names say. */
  readonly settled?: () => Promise<void>;
  /** Told of lines whose data source is gone. */
  readonly onDropped: (dropped: { readonly dataSource: string; readonly lines: number }) => void;
}

/** Numbers that the hand-over counts; read by /metrics. */
export interface EventCounts {
  inserted: number;
  quarantined: number;
  /** Lines whose data source was deleted before they were handed over. */
  dropped: number;
}

export class EventHandOver {
  readonly counts: EventCounts = { inserted: 0, quarantined: 0, dropped: 0 };
  private readonly options: EventHandOverOptions;

  constructor(options: EventHandOverOptions) {
    this.options = options;
  }

  /** Hands over a segment of which nothing is in the store. */
  async insert(segment: SegmentFile): Promise<void> {
    await this.options.settled?.();
    await this.run(segment, false);
  }

  /** Hands over what the store lacks of a segment. Counts in data sources: how many lacked some of it, of how many. */
  async complete(segment: SegmentFile): Promise<{ missing: number; of: number }> {
    await this.options.settled?.();
    await this.options.store.settled(segment);
    return this.run(segment, true);
  }

  private async run(segment: SegmentFile, doubtful: boolean): Promise<{ missing: number; of: number }> {
    const { store, outcomes, dataSource, loads, materializer, onDropped } = this.options;
    const staged = await store.load(segment);
    const quarantined = new Map<string, number>();
    const filled = new Map<string, Arrival[]>();
    const landings: string[] = [];
    let missing = 0;
    for (const [number, lines] of staged.entries()) {
      const load = loads?.find(lines.dataSource);
      const entry = load === undefined ? dataSource(lines.dataSource) : load === 'ended' ? 'deleted' : load.entry;
      if (entry === undefined) {
        // Another server may have made it a moment ago; and nothing is dropped for lack of knowledge.
        throw new AppError('internal', `cannot hand over events: data source=${lines.dataSource} is not known here`);
      }
      if (entry === 'deleted') {
        this.counts.dropped += lines.lines;
        onDropped({ dataSource: lines.dataSource, lines: lines.lines });
        continue;
      }
      const into = typeof load === 'object' ? load.table : undefined;
      // What is there of a load already cannot be told from what is not, and nobody counts on it: it begins anew.
      if (into !== undefined && doubtful) {
        loads?.fail(lines.dataSource);
        continue;
      }
      const transfer = new Transfer(segment, entry, lines, this.options, into);
      if (await transfer.run(doubtful)) missing++;
      if (into === undefined && lines.lines > transfer.rejected && materializer.reads(entry)) {
        const { name } = entry;
        const landing = keepsEveryRow(entry.definition.engine.name) ? undefined : await transfer.land(number);
        if (landing !== undefined) landings.push(landing);
        filled.set(entry.tenant, [...(filled.get(entry.tenant) ?? []), { name, landing }]);
      }
      this.counts.inserted += lines.lines - transfer.rejected;
      this.counts.quarantined += transfer.rejected;
      if (transfer.rejected > 0) {
        for (const [request, count] of await transfer.requests()) quarantined.set(request, count);
      }
    }
    for (const [tenant, sources] of filled) await materializer.run(segment, tenant, sources, doubtful);
    outcomes.settle(segment.id, quarantined);
    await store.unload(segment, landings);
    return { missing, of: staged.length };
  }
}

/** The lines of one segment for one data source. */
class Transfer {
  rejected = 0;
  private readonly segment: SegmentFile;
  private readonly entry: DataSourceEntry;
  private readonly lines: StagedLines;
  private readonly options: EventHandOverOptions;
  private readonly target: string;
  private readonly quarantine: string;
  private mapping: EventMapping | undefined;

  /** `into` names another table than the live one. */
  constructor(
    segment: SegmentFile,
    entry: DataSourceEntry,
    lines: StagedLines,
    options: EventHandOverOptions,
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

  /** Inserts the rows and what is made of them; true if something was missing. */
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

  /** Puts the rows that fit into a table of their own, as they came. Its quoted name. */
  async land(number: number): Promise<string> {
    const { mapping } = this;
    invariant(mapping !== undefined, 'BUG: rows land that were not handed over');
    const target = await this.options.store.makeLanding(this.segment, number, this.entry.definition);
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
      const only = outside(definition.engine.partitionKey, present);
      await this.insert(mapping.insertGood({ ...this.names(where), only }));
    }
    return true;
  }

  private async insertRejected(mapping: EventMapping, where: string, doubtful: boolean): Promise<void> {
    const present = doubtful ? await this.options.store.partitions(this.quarantine, this.segment, false) : [];
    // Its partition is the day of arrival.
    const only = outside('toDate(insertion_date)', present);
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
function mergesRows(engine: string): boolean {
  return engine === 'AggregatingMergeTree' || engine === 'SummingMergeTree';
}

function keepsEveryRow(engine: string): boolean {
  return engine === 'MergeTree';
}

/**
 * Errors of the store's state and not of a row: out of reach, out of time, of memory, of disk, too many parts, cancelled.
 * (ClickHouse's codes.)
 */
const TRANSIENT: ReadonlySet<number> = new Set([
  0, 159, 160, 202, 209, 210, 236, 241, 242, 243, 252, 319, 394, 425, 439,
]);

function isOfRow(error: unknown): boolean {
  return error instanceof StoreError && !TRANSIENT.has(error.number);
}
