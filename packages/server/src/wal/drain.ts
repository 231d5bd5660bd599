/**
 * The drain: hands sealed segments over to the store, exactly once, and removes them.
 *
 * The table is the ledger. When the outcome of an insert is not known (the engine died, the connection broke, this process
 * was killed), the drain asks the table which days of the segment it holds and inserts only the others. A segment is removed
 * only after the store said that it has all of it.
 */

import { mkdirSync, renameSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '@glasshouse/model';
import type { SegmentFile } from '@glasshouse/store';
import type { SegmentInfo } from './segment.ts';

/** What the drain needs of the store. */
export interface SegmentStore {
  insertSegment(segment: SegmentFile): Promise<void>;
  /** Resolves when no insert of the segment is under way any more. */
  settled(segment: SegmentFile): Promise<void>;
  missingDays(segment: SegmentFile): Promise<number[]>;
  insertDays(segment: SegmentFile, days: readonly number[]): Promise<void>;
}

export type DrainEvent =
  | { readonly type: 'failed'; readonly segment: SegmentInfo; readonly attempt: number; readonly error: unknown }
  | { readonly type: 'quarantined'; readonly segment: SegmentInfo; readonly path: string; readonly error: unknown }
  | { readonly type: 'replayed'; readonly segment: SegmentInfo; readonly missingDays: number };

export interface DrainOptions {
  readonly store: SegmentStore;
  readonly onEvent: (event: DrainEvent) => void;
  readonly now: () => number;
}

/** A segment on its way. `doubtful` means that some of it may be in the table already. */
interface Waiting {
  readonly segment: SegmentInfo;
  doubtful: boolean;
  attempts: number;
  notBeforeMs: number;
}

export interface DrainCounts {
  insertedRows: number;
  insertedSegments: number;
  failedAttempts: number;
  replayedSegments: number;
  quarantinedSegments: number;
  insertSeconds: number;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** A segment that the store refuses this often, while it takes others, is put aside. */
const MAX_REFUSALS = 12;

export class Drain {
  readonly counts: DrainCounts = {
    insertedRows: 0,
    insertedSegments: 0,
    failedAttempts: 0,
    replayedSegments: 0,
    quarantinedSegments: 0,
    insertSeconds: 0,
  };
  private readonly options: DrainOptions;
  private readonly queue: Waiting[] = [];
  private readonly waiters: (() => void)[] = [];
  private current: Waiting | undefined;
  private consecutiveFailures = 0;
  private running = false;
  private wake: (() => void) | undefined;

  constructor(options: DrainOptions) {
    this.options = options;
  }

  /** Bytes of all segments that are not handed over yet. */
  get backlogBytes(): number {
    let bytes = this.current?.segment.bytes ?? 0;
    for (const { segment } of this.queue) bytes += segment.bytes;
    return bytes;
  }

  /** Segments that are not handed over yet. */
  get backlogSegments(): number {
    return this.queue.length + (this.current === undefined ? 0 : 1);
  }

  /** True while hand-over works: the last attempt succeeded, or none was made. */
  get healthy(): boolean {
    return this.consecutiveFailures === 0;
  }

  /** Adds segments that were sealed now, or found at the start (`doubtful`: they may have been inserted already). */
  add(segments: readonly SegmentInfo[], doubtful = false): void {
    for (const segment of segments) this.queue.push({ segment, doubtful, attempts: 0, notBeforeMs: 0 });
    this.wake?.();
  }

  /** Resolves after the next segment was handed over or failed. */
  progress(): Promise<void> {
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Hands over until `stop`. */
  async run(): Promise<void> {
    this.running = true;
    while (this.running) {
      const next = this.takeDue();
      if (next === undefined) await this.pause();
      else await this.handOver(next);
    }
  }

  stop(): void {
    this.running = false;
    this.wake?.();
  }

  /** The first segment whose time has come; those that failed wait behind the others. */
  private takeDue(): Waiting | undefined {
    const nowMs = this.options.now();
    const index = this.queue.findIndex((waiting) => waiting.notBeforeMs <= nowMs);
    return index < 0 ? undefined : this.queue.splice(index, 1)[0];
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, FIRST_RETRY_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private async handOver(waiting: Waiting): Promise<void> {
    const { store, onEvent } = this.options;
    const { segment } = waiting;
    this.current = waiting;
    const startedAt = performance.now();
    try {
      if (waiting.doubtful) await this.complete(segment);
      else await store.insertSegment(segment);
      unlinkSync(segment.path);
      this.counts.insertedRows += segment.rows;
      this.counts.insertedSegments++;
      this.consecutiveFailures = 0;
    } catch (error) {
      waiting.doubtful = true;
      waiting.attempts++;
      this.counts.failedAttempts++;
      onEvent({ type: 'failed', segment, attempt: waiting.attempts, error });
      if (waiting.attempts >= MAX_REFUSALS && isRefusal(error) && this.consecutiveFailures === 0) {
        this.quarantine(segment, error);
      } else {
        waiting.notBeforeMs = this.options.now() + Math.min(FIRST_RETRY_MS * 2 ** waiting.attempts, LAST_RETRY_MS);
        this.queue.push(waiting);
      }
      this.consecutiveFailures++;
    } finally {
      this.current = undefined;
      this.counts.insertSeconds += (performance.now() - startedAt) / 1000;
      for (const resolve of this.waiters.splice(0)) resolve();
    }
  }

  /** Inserts what the table does not hold of a segment that may have been inserted before. */
  private async complete(segment: SegmentInfo): Promise<void> {
    const { store, onEvent } = this.options;
    await store.settled(segment);
    const missing = await store.missingDays(segment);
    if (missing.length === segment.days.size) await store.insertSegment(segment);
    else if (missing.length > 0) await store.insertDays(segment, missing);
    if (missing.length > 0) {
      const left = await store.missingDays(segment);
      if (left.length > 0) throw new Error(`cannot hand over segment=${segment.path}: ${left.length} days are still missing`);
    }
    this.counts.replayedSegments++;
    onEvent({ type: 'replayed', segment, missingDays: missing.length });
  }

  /** Puts a segment aside that the store will never take, so that it is neither lost nor in the way. */
  private quarantine(segment: SegmentInfo, error: unknown): void {
    const directory = join(dirname(segment.path), 'quarantine');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, basename(segment.path));
    renameSync(segment.path, path);
    this.counts.quarantinedSegments++;
    this.options.onEvent({ type: 'quarantined', segment, path, error: messageOf(error) });
  }
}

/** True if the store answered with an exception about the data, and not because it is overloaded or away. */
function isRefusal(error: unknown): boolean {
  const number = (error as { number?: unknown }).number;
  const PASSING = new Set([0, 159, 202, 209, 210, 241, 243, 252, 319, 394]);
  return typeof number === 'number' && !PASSING.has(number);
}
