/**
 * The hand-over of events: a segment's lines go through a staging table into the tables of their data sources, and what does
 * not fit goes into their quarantines. Then whoever waits for a request of the segment is told what became of it.
 *
 * Must stay true: segments come in the order of their ids, each again until it is done. A row is inserted or quarantined
 * exactly once: a partition has a segment whole or not at all, and after a failure only what lacks it is inserted. So rows for a
 * data source that pipes fill as well are not inserted here, but with what the pipes make (`materialize.ts`). A data source that
 * fails for a reason of its own holds up nobody else: its rows are quarantined with that reason.
 */

import { AppError } from '@glasshouse/model';
import type { EventStore, SegmentFile } from '@glasshouse/store';
import type { Batches } from './batches.ts';
import type { Loads } from './loads.ts';
import type { Mappings } from './mappings.ts';
import type { Arrival, Materializer } from './materialize.ts';
import type { Outcomes } from './outcomes.ts';
import type { DataSourceEntry } from './resource-row.ts';
import { keepsEveryRow, Transfer } from './transfer.ts';

export interface EventHandOverOptions {
  readonly store: EventStore;
  /** The live data source of an id; `deleted` for one that is gone, undefined for an id that nobody has heard of. */
  readonly dataSource: (id: string) => DataSourceEntry | 'deleted' | undefined;
  /** Rows that go into tables which are not live yet. */
  readonly loads?: Loads;
  readonly mappings: Mappings;
  readonly materializer: Materializer;
  readonly outcomes: Outcomes;
  /** Told of the batches that the store has from now on. */
  readonly batches?: Pick<Batches, 'stored'>;
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
    for (const lines of staged) {
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
      const { isFilled, isRead } = into === undefined ? materializer.partOf(entry) : { isFilled: false, isRead: false };
      let landing: string | undefined;
      if (isFilled) landing = await transfer.hold(doubtful);
      else {
        if (await transfer.run(doubtful)) missing++;
        const isKept = keepsEveryRow(entry.definition.engine.name);
        if (isRead && !isKept && lines.lines > transfer.rejected) landing = await transfer.land();
      }
      if (landing !== undefined) landings.push(landing);
      if ((isFilled || isRead) && lines.lines > transfer.rejected) {
        const insertAlone = isFilled ? () => transfer.insertAlone() : undefined;
        filled.set(entry.tenant, [...(filled.get(entry.tenant) ?? []), { name: entry.name, landing, insertAlone }]);
      }
      this.counts.inserted += lines.lines - transfer.rejected;
      this.counts.quarantined += transfer.rejected;
      if (transfer.rejected > 0) {
        for (const [request, count] of await transfer.requests()) quarantined.set(request, count);
      }
    }
    for (const [tenant, sources] of filled) missing += await materializer.run(segment, tenant, sources, doubtful);
    await this.remember(staged.flatMap(({ batches }) => batches));
    outcomes.settle(segment.id, quarantined);
    await store.unload(segment, landings);
    return { missing, of: staged.length };
  }

  /** After the rows, and before the segment is done with: a name is never lost, and none is known without its rows. */
  private async remember(batches: readonly string[]): Promise<void> {
    if (batches.length === 0) return;
    await this.options.store.remember(batches);
    this.options.batches?.stored(batches);
  }
}
