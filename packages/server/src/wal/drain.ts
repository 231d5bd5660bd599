/**
 * The drain: hands sealed segments over to the store, exactly once, and removes them.
 *
 * The table is the ledger. When the outcome of an insert is not known (the engine died, the connection broke, this process
 * was killed), the drain asks the table which days of the segment it holds and inserts only the others. A segment is removed
 * only after the store said that it has all of it. A removed file may come back after a power loss, because its directory is
 * not synced: the next start asks the table about it, as about any other leftover.
 *
 * Must stay true: nothing that goes wrong with one segment ends the loop or holds up the others for good.
 */

import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '@glasshouse/model';
import type { HandOver } from './hand-over.ts';
import { Hold } from './hold.ts';
import type { Recovered } from './recover.ts';
import { QUARANTINE, recoverSegment } from './recover.ts';
import { isRefusal } from './refusal.ts';
import type { SegmentInfo } from './segment.ts';
import { parseSegmentName, syncDirectory } from './segment.ts';

export type DrainEvent =
  | { readonly type: 'failed'; readonly segment: SegmentInfo; readonly attempt: number; readonly error: unknown }
  | { readonly type: 'quarantined'; readonly segment: SegmentInfo; readonly path: string; readonly error: unknown }
  | { readonly type: 'replayed'; readonly segment: SegmentInfo; readonly missing: number }
  /** Somebody else removed the file: what of it was not handed over is lost. */
  | { readonly type: 'vanished'; readonly segment: SegmentInfo; readonly error: unknown };

export interface DrainOptions {
  readonly handOver: HandOver;
  readonly onEvent: (event: DrainEvent) => void;
  readonly now: () => number;
  /** Tables whose segments are handed over in the order of their ids, each only when those before it are done. */
  readonly inOrder?: ReadonlySet<string>;
  /** How long `hold` waits at most, in ms. */
  readonly holdWaitMs?: number;
}

/** A segment on its way. */
interface Waiting {
  segment: SegmentInfo;
  /** Some of it may be in the table already. */
  doubtful: boolean;
  /** All of it is in the table; only the file is left to remove. */
  isStored: boolean;
  /** The store's last answer was that it will not have it. */
  isRefused: boolean;
  attempts: number;
  notBeforeMs: number;
  /** Segments that had been handed over when this one failed first. */
  insertedBefore: number;
}

export interface DrainCounts {
  insertedRows: number;
  insertedSegments: number;
  failedAttempts: number;
  replayedSegments: number;
  /** Replayed segments of which the store held some but not all. */
  completedSegments: number;
  quarantinedSegments: number;
  vanishedSegments: number;
  /** Segments whose end was cut at the start, because it was never finished. */
  tornSegments: number;
  /** Segments found damaged, and rows known to be lost in them. */
  damagedSegments: number;
  lostRows: number;
  insertSeconds: number;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** A segment that fails alone is tried ever more rarely, because each try may cost the store a whole insert. */
const LAST_LONE_RETRY_MS = 60_000;
/** While nothing can be handed over, the open segments are closed this often, in case one of them is taken. */
const PROBE_MS = 10_000;
/** A store that takes longer than this for a segment is as good as away. */
const STALL_MS = 5_000;
/** A segment that the store refuses this often, while it takes others, is put aside. */
const MAX_REFUSALS = 12;
/** Segments that may have a second file while they wait. */
const MAX_GATHERED = 16;
const HOLD_WAIT_MS = 30_000;

export class Drain {
  readonly counts: DrainCounts = {
    insertedRows: 0,
    insertedSegments: 0,
    failedAttempts: 0,
    replayedSegments: 0,
    completedSegments: 0,
    quarantinedSegments: 0,
    vanishedSegments: 0,
    tornSegments: 0,
    damagedSegments: 0,
    lostRows: 0,
    insertSeconds: 0,
  };
  private readonly options: DrainOptions;
  private readonly queue: Waiting[] = [];
  private readonly waiters: (() => void)[] = [];
  private current: Waiting | undefined;
  private storeFailures = 0;
  private storeNotBeforeMs = 0;
  private lastAddedMs = 0;
  private startedMs = 0;
  private readonly holding: Hold;
  private running = false;
  private wake: (() => void) | undefined;

  constructor(options: DrainOptions) {
    this.options = options;
    const drain = {
      half: () => this.half()?.segment,
      current: () => this.current?.segment,
      progress: () => this.progress(),
      changed: () => this.retryHalves(),
    };
    this.holding = new Hold(drain, options.holdWaitMs ?? HOLD_WAIT_MS);
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

  /** Segments that the store has yet to take: the backlog without those that fail alone, which nobody should wait for. */
  get behindSegments(): number {
    let behind = this.current !== undefined && !this.isAlone(this.current) ? 1 : 0;
    for (const waiting of this.queue) if (!this.isAlone(waiting)) behind++;
    return behind;
  }

  /**
   * True when the open segments should be closed: the store has nothing to do, or has taken nothing for a while, which may
   * be the fault of the segments that it was given.
   */
  get wantsMore(): boolean {
    if (this.behindSegments === 0) return true;
    const isStalled = this.current === undefined && this.queue.every((waiting) => waiting.attempts > 0);
    return isStalled && this.options.now() - this.lastAddedMs >= PROBE_MS;
  }

  /** True while the store answers in time, and its last answer was good, or about the data of one segment. */
  get healthy(): boolean {
    const isStalled = this.current !== undefined && this.options.now() - this.startedMs > STALL_MS;
    return this.storeFailures === 0 && !isStalled;
  }

  /** Adds segments that were sealed now, or found at the start (`doubtful`: they may have been inserted already). */
  add(segments: readonly SegmentInfo[], doubtful = false): void {
    this.lastAddedMs = this.options.now();
    for (const segment of segments) {
      const fresh = { isStored: false, isRefused: false, attempts: 0, notBeforeMs: 0, insertedBefore: 0 };
      const waiting = { segment, doubtful, ...fresh };
      // A store that is away is no reason to keep the same rows twice.
      if (this.queue.length >= MAX_GATHERED) void this.forgetGathered(waiting);
      this.queue.push(waiting);
    }
    this.wake?.();
  }

  /** Adds what a start found, and counts what it found wrong with it. */
  recover({ segments, torn, damaged }: Recovered): void {
    this.counts.tornSegments += torn.length;
    this.counts.damagedSegments += damaged.length;
    for (const { rows } of damaged) this.counts.lostRows += rows;
    this.add(segments, true);
  }

  /** Paths of all segments that it has, so that nobody else takes them for leftovers. */
  paths(): Set<string> {
    const all = this.current === undefined ? this.queue : [this.current, ...this.queue];
    return new Set(all.map(({ segment }) => segment.path));
  }

  /** Tries at once what waits for the store to come back. */
  retryNow(): void {
    this.storeNotBeforeMs = 0;
    for (const waiting of this.queue) if (!this.isAlone(waiting)) waiting.notBeforeMs = 0;
    this.wake?.();
  }

  /** Resolves after the next segment was handed over or failed. */
  progress(): Promise<void> {
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Hands over until `stop`. Never rejects. */
  async run(): Promise<void> {
    this.running = true;
    while (this.running) {
      const next = this.takeDue();
      if (next === undefined) await this.pause();
      else await this.handOver(next);
    }
  }

  /**
   * Hands nothing over from the moment that it resolves until the returned function is called; who asks meanwhile waits for
   * that. No segment of a table in order is in the store in part then: a change of partitions could make it look complete.
   * Rejects with `unavailable` if the store does not get there in time.
   */
  hold(): Promise<() => void> {
    return this.holding.take();
  }

  stop(): void {
    this.running = false;
    this.wake?.();
  }

  /** The first segment whose time has come; those that failed wait behind the others. */
  private takeDue(): Waiting | undefined {
    const nowMs = this.options.now();
    if (this.holding.state === 'held' || this.storeNotBeforeMs > nowMs) return undefined;
    const index = this.queue.findIndex((waiting) => waiting.notBeforeMs <= nowMs && !this.hasToWait(waiting));
    return index < 0 ? undefined : this.queue.splice(index, 1)[0];
  }

  /** True for a segment that may not overtake another of its table, or may not begin now. */
  private hasToWait({ segment: { table, id } }: Waiting): boolean {
    if (this.options.inOrder?.has(table) !== true) return false;
    if (this.queue.some(({ segment }) => segment.table === table && segment.id < id)) return true;
    return (
      this.holding.state === 'finishing' &&
      !this.queue.some((other) => other.segment.table === table && other.segment.id >= id && this.isHalf(other))
    );
  }

  /** True for a segment of a table in order of which a part may be in the store. */
  private isHalf({ segment, doubtful, isStored }: Waiting): boolean {
    return this.options.inOrder?.has(segment.table) === true && doubtful && !isStored;
  }

  /** A segment that is on its way into a table in order, or half there. */
  private half(): Waiting | undefined {
    const { current } = this;
    if (current !== undefined && this.options.inOrder?.has(current.segment.table) === true) return current;
    return this.queue.find((waiting) => this.isHalf(waiting));
  }

  private retryHalves(): void {
    for (const waiting of this.queue) if (this.isHalf(waiting)) waiting.notBeforeMs = 0;
    this.wake?.();
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
    this.current = waiting;
    this.startedMs = this.options.now();
    const startedAt = performance.now();
    try {
      await this.attempt(waiting);
      this.storeFailures = 0;
    } catch (error) {
      await this.forgetGathered(waiting);
      this.fail(waiting, error);
    } finally {
      this.current = undefined;
      this.counts.insertSeconds += (performance.now() - startedAt) / 1000;
      for (const resolve of this.waiters.splice(0)) resolve();
    }
  }

  private async attempt(waiting: Waiting): Promise<void> {
    if (waiting.segment.unchecked) this.check(waiting);
    if (!waiting.isStored) {
      if (waiting.doubtful) await this.complete(waiting.segment);
      else await this.options.handOver.insert(waiting.segment);
      waiting.isStored = true;
      this.counts.insertedRows += waiting.segment.rows;
      this.counts.insertedSegments++;
    }
    await this.forgetGathered(waiting);
    // Asynchronous, because the file system takes its time to free a large file.
    await unlink(waiting.segment.path);
  }

  /** From now on the segment itself is what is handed over. */
  private async forgetGathered(waiting: Waiting): Promise<void> {
    const { gathered, ...segment } = waiting.segment;
    if (gathered === undefined) return;
    waiting.segment = segment;
    // What cannot be removed is in nobody's way, and the next start tries again.
    await unlink(gathered).catch(() => undefined);
  }

  /** Cuts what a failed write may have left behind the last durable frame. */
  private check(waiting: Waiting): void {
    const { path } = waiting.segment;
    const name = parseSegmentName(basename(path));
    const recovered = name === undefined ? undefined : recoverSegment(path, name);
    if (recovered?.segment === undefined)
      throw new Error(`cannot hand over segment=${path}: nothing in it can be read`);
    waiting.segment = recovered.segment;
  }

  /** Inserts what the store does not hold of a segment that may have been handed over before. */
  private async complete(segment: SegmentInfo): Promise<void> {
    const { missing, of } = await this.options.handOver.complete(segment);
    this.counts.replayedSegments++;
    if (missing > 0 && missing < of) this.counts.completedSegments++;
    this.options.onEvent({ type: 'replayed', segment, missing });
  }

  /** Decides what becomes of a segment whose hand-over failed. */
  private fail(waiting: Waiting, error: unknown): void {
    const { onEvent, now } = this.options;
    const { segment } = waiting;
    if (!existsSync(segment.path)) {
      if (waiting.isStored) return;
      this.counts.vanishedSegments++;
      onEvent({ type: 'vanished', segment, error });
      return;
    }
    waiting.doubtful = true;
    waiting.attempts++;
    waiting.isRefused = isRefusal(error);
    this.counts.failedAttempts++;
    onEvent({ type: 'failed', segment, attempt: waiting.attempts, error });
    if (waiting.attempts === 1) waiting.insertedBefore = this.counts.insertedSegments;
    if (waiting.isRefused) {
      this.storeFailures = 0;
      if (this.isHopeless(waiting) && this.quarantine(segment, error)) return;
    } else {
      this.storeFailures++;
      this.storeNotBeforeMs = now() + backOffMs(this.storeFailures, LAST_RETRY_MS);
    }
    const mostMs = this.isAlone(waiting) ? LAST_LONE_RETRY_MS : LAST_RETRY_MS;
    waiting.notBeforeMs = now() + backOffMs(waiting.attempts, mostMs);
    this.queue.push(waiting);
  }

  /** True for a segment that fails while the store is well: it was refused for what it is, or others were taken since. */
  private isAlone({ attempts, isRefused, insertedBefore }: Waiting): boolean {
    return attempts > 0 && (isRefused || this.counts.insertedSegments > insertedBefore);
  }

  /** Refused often, while others were taken: then it is not the store. */
  private isHopeless({ attempts, insertedBefore }: Waiting): boolean {
    return attempts >= MAX_REFUSALS && this.counts.insertedSegments > insertedBefore;
  }

  /**
   * Puts a segment aside that the store will never take, so that it is neither lost nor in the way. Moved back into the
   * log's directory it is handed over at the next start. Returns false if it could not be moved.
   */
  private quarantine(segment: SegmentInfo, error: unknown): boolean {
    const directory = join(dirname(segment.path), QUARANTINE);
    const path = join(directory, basename(segment.path));
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      renameSync(segment.path, path);
      syncDirectory(directory);
    } catch {
      return false;
    }
    this.counts.quarantinedSegments++;
    this.options.onEvent({ type: 'quarantined', segment, path, error: messageOf(error) });
    return true;
  }
}

function backOffMs(attempts: number, mostMs: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempts, 20), mostMs);
}
