/**
 * How a segment gets into the store. Facts go into their table day by day, since an insert makes one part per day; other
 * tables of the log have other ways, behind the same two verbs.
 */

import type { SegmentFile } from '@glasshouse/store';
import type { SegmentInfo } from './segment.ts';

/** What was found of a segment that may have been handed over before. */
export interface Completed {
  /** Parts that were missing and are there now, of all that the segment makes. */
  readonly missing: number;
  readonly of: number;
}

export interface HandOver {
  /** Hands over a segment of which nothing is in the store. After an error it may be there, in part or whole. */
  insert(segment: SegmentInfo): Promise<void>;
  /** Hands over what the store does not hold of a segment, when nothing of it is under way any more. */
  complete(segment: SegmentInfo): Promise<Completed>;
}

/** What the hand-over of facts needs of the store. */
export interface DayStore {
  insertSegment(segment: SegmentFile): Promise<void>;
  /** Resolves when no insert of the segment is under way any more. */
  settled(segment: SegmentFile): Promise<void>;
  missingDays(segment: SegmentFile): Promise<number[]>;
  insertDays(segment: SegmentFile, days: readonly number[]): Promise<void>;
}

export interface FactHandOverOptions {
  readonly store: DayStore;
  readonly now: () => number;
  /** Days that the store keeps facts; what is older may vanish from the table at any time. Undefined: for good. */
  readonly retentionDays?: number | undefined;
}

const DAY_MS = 86_400_000;

export class FactHandOver implements HandOver {
  private readonly options: FactHandOverOptions;

  constructor(options: FactHandOverOptions) {
    this.options = options;
  }

  insert(segment: SegmentInfo): Promise<void> {
    const { path, gathered = path } = segment;
    return this.options.store.insertSegment({ ...segment, path: gathered });
  }

  async complete(segment: SegmentInfo): Promise<Completed> {
    const { store } = this.options;
    await store.settled(segment);
    const missing = await store.missingDays(segment);
    if (missing.length === segment.days.size) await store.insertSegment(segment);
    else if (missing.length > 0) await store.insertDays(segment, missing);
    if (missing.length > 0) {
      const left = (await store.missingDays(segment)).filter((day) => !this.isExpired(day));
      if (left.length > 0) {
        throw new Error(`cannot hand over segment=${segment.path}: ${left.length} days are still missing`);
      }
    }
    return { missing: missing.length, of: segment.days.size };
  }

  /** True for a day of which the store may have dropped rows already because they are too old. */
  private isExpired(day: number): boolean {
    const { retentionDays, now } = this.options;
    return retentionDays !== undefined && (day + retentionDays) * DAY_MS <= now();
  }
}

/** Picks the way by the segment's table; facts where no other is named. */
export function byTable(facts: HandOver, others: ReadonlyMap<string, HandOver>): HandOver {
  const wayOf = (segment: SegmentInfo): HandOver => others.get(segment.table) ?? facts;
  return {
    insert: (segment) => wayOf(segment).insert(segment),
    complete: (segment) => wayOf(segment).complete(segment),
  };
}

/** Tells of each segment when the store has all of it. */
export function announced(handOver: HandOver, onStored: (segment: SegmentInfo) => void): HandOver {
  return {
    insert: async (segment) => {
      await handOver.insert(segment);
      onStored(segment);
    },
    complete: async (segment) => {
      const completed = await handOver.complete(segment);
      onStored(segment);
      return completed;
    },
  };
}
