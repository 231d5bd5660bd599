/**
 * The sink: the main thread's side of the ingest worker. It lends buffers, sends requests over, matches answers, and says
 * no before a body is read when there is no room.
 */

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError, invariant } from '@glasshouse/model';
import type { PolicySet } from '@glasshouse/redaction';
import type { Spent } from '../generations/spending.ts';
import type { KnownPrices } from '../generations/prices.ts';
import type { StoredCall } from '../generations/stored-calls.ts';
import type { SegmentInfo } from '../wal/segment.ts';
import { Bodies } from './bodies.ts';
import type { Answer, FromWorker, ToWorker, WorkerOptions } from './messages.ts';
import type { BodyBuffer, IngestRequest, IngestResult, Sink } from './sink.ts';

export interface IngestOptions extends Omit<WorkerOptions, 'maxHeldBytes'> {
  /** Bodies being read or decoded may take this much memory in all. */
  readonly maxInflightBytes: number;
}

/** What the sink asks about room behind it: the log's size and the drain's lag. */
export interface Room {
  /** Resolves when the log can take more; rejects with `unavailable` when it is full. */
  ready(): Promise<void>;
}

/** Numbers that the sink counts; read by /metrics. */
export interface IngestCounts {
  accepted: number;
  rejected: Map<string, number>;
  commits: number;
  /** Commits of which a table could not be written, so that its requests were refused. */
  failedCommits: number;
  committedBytes: number;
  syncSeconds: number;
}

/** What the sink tells those behind it. */
export interface IngestEvents {
  /** Segments were sealed and are to be handed over. */
  onSealed(segments: readonly SegmentInfo[]): void;
  /** Generations were stored that cost this. */
  onSpent(spent: readonly Spent[]): void;
  /** Requests with calls did not wait longer for the calls of before the start, so one of these may count again. */
  onUnknown(reason: string): void;
  /** A commit failed for some table, and its requests were refused. */
  onUnstored(reason: string): void;
  /** The worker ended by itself. Whatever it left in the log is to be recovered now, before another one starts. */
  onLost(cause: unknown): void;
  /** Another worker is in the place of one that ended. It knows nothing of the calls that the last one saw. */
  onReplaced(): void;
}

/** Pause before a worker that ended is replaced, so that one which can't live doesn't take the processor. */
const RESTART_MS = 1_000;

/** The part of the room for bodies that requests may take that wait for the calls of before a start. */
const HELD_SHARE = 0.5;

interface Waiting {
  readonly body: BodyBuffer;
  readonly resolve: (result: IngestResult) => void;
  readonly reject: (error: AppError) => void;
}

/** Waits until the worker has sealed everything. */
interface Settling {
  readonly resolve: (skipped: boolean) => void;
  readonly reject: (error: AppError) => void;
}

export class Ingest implements Sink {
  readonly counts: IngestCounts = {
    accepted: 0,
    rejected: new Map(),
    commits: 0,
    failedCommits: 0,
    committedBytes: 0,
    syncSeconds: 0,
  };
  /** Rows that are durable but in segments that are still open. */
  openRows = 0;
  private readonly options: IngestOptions;
  private worker: Worker;
  private readonly bodies = new Bodies((id) => this.forget(id));
  /** Ids of the buffers that the present worker knows. */
  private readonly known = new Set<number>();
  private readonly waiting = new Map<number, Waiting>();
  private readonly room: Room;
  private readonly events: IngestEvents;
  private readonly settling: Settling[] = [];
  private nextId = 1;
  private redaction: PolicySet | undefined;
  private prices: KnownPrices | undefined;
  private failure: AppError | undefined;
  private stopped: (() => void) | undefined;

  constructor(options: IngestOptions, room: Room, events: IngestEvents) {
    this.options = options;
    this.room = room;
    this.events = events;
    this.worker = this.startWorker();
  }

  private startWorker(): Worker {
    const { maxInflightBytes, ...rest } = this.options;
    const workerData: WorkerOptions = { ...rest, maxHeldBytes: maxInflightBytes * HELD_SHARE };
    const entry = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(entry, { workerData });
    let cause: unknown = new Error('the ingest worker ended');
    worker.on('message', (message: FromWorker) => this.receive(message));
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => this.replace(cause));
    if (this.redaction !== undefined) worker.postMessage({ kind: 'policies', redaction: this.redaction });
    if (this.prices !== undefined) worker.postMessage({ kind: 'prices', known: this.prices });
    return worker;
  }

  async ready(bytes: number): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    if (this.bodies.lentBytes + bytes > this.options.maxInflightBytes && this.bodies.lentBytes > 0) {
      throw new AppError('unavailable', 'cannot take the request: too much data is in flight', {
        retryAfterSeconds: 1,
      });
    }
    await this.room.ready();
  }

  lend(bytes: number): BodyBuffer {
    return this.bodies.lend(bytes);
  }

  giveBack(body: BodyBuffer): void {
    this.bodies.giveBack(body);
  }

  accept(request: IngestRequest): Promise<IngestResult> {
    if (this.failure !== undefined) {
      this.giveBack(request.body);
      return Promise.reject(this.failure);
    }
    return new Promise((resolve, reject) => {
      const id = this.nextId++;
      const { body, ...rest } = request;
      this.waiting.set(id, { body, resolve, reject });
      const isKnown = this.known.has(body.id);
      this.known.add(body.id);
      const buffer = isKnown ? {} : { buffer: body.buffer };
      this.send({ kind: 'request', id, request: rest, body: body.id, length: body.length, ...buffer });
    });
  }

  private forget(body: number): void {
    if (this.known.delete(body)) this.send({ kind: 'forget', body });
  }

  /** Lets these policies, and no others, hold for every request from now on. */
  redact(redaction: PolicySet): void {
    this.redaction = redaction;
    if (this.failure === undefined) this.send({ kind: 'policies', redaction });
  }

  /** Lets these prices count for every generation from now on. */
  price(known: KnownPrices): void {
    this.prices = known;
    if (this.failure === undefined) this.send({ kind: 'prices', known });
  }

  /**
   * Lets these calls be taken for seen: a report of one of them is a duplicate.
   *
   * @param areAll whether no more of them come; requests with calls wait for that after a start, for some seconds
   */
  remember(calls: readonly StoredCall[], areAll: boolean): void {
    if (this.failure === undefined) this.send({ kind: 'calls', calls, areAll });
  }

  /** Asks the worker to close its open segments, so that the drain gets what is in them. */
  seal(): void {
    this.send({ kind: 'seal' });
  }

  /** Resolves when all that was acknowledged so far was told to `onSealed`. Rejects with `unavailable` if the worker ended. */
  async sealAll(): Promise<void> {
    await this.settle(undefined);
  }

  /**
   * The same, and lets every segment from now on have an id above `to`. Resolves with whether it could have been otherwise.
   * Rejects with `unavailable` if the log cannot be written.
   */
  skipIds(to: bigint): Promise<boolean> {
    return this.settle(to);
  }

  private settle(skipTo: bigint | undefined): Promise<boolean> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.settling.push({ resolve, reject });
      this.send({ kind: 'settle', skipTo });
    });
  }

  /** Commits and seals what is left, and ends the worker. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.stopped = resolve;
      // A worker that is gone has left its segments to the drain already.
      if (this.failure !== undefined) {
        resolve();
        return;
      }
      // What is accepted already comes before this message; nothing may come after it.
      this.failure = new AppError('unavailable', 'cannot take the request: the server is stopping', {
        retryAfterSeconds: 5,
      });
      this.send({ kind: 'stop' });
    });
  }

  private send(message: ToWorker): void {
    this.worker.postMessage(message, []);
  }

  private receive(message: FromWorker): void {
    switch (message.kind) {
      case 'committed':
        this.openRows = message.openRows;
        this.counts.commits++;
        this.counts.committedBytes += message.bytes;
        this.counts.syncSeconds += message.syncMs / 1000;
        if (message.spent.length > 0) this.events.onSpent(message.spent);
        if (message.failure !== undefined) {
          this.counts.failedCommits++;
          this.events.onUnstored(message.failure);
        }
        for (const answer of message.answers) this.finish(answer);
        return;
      case 'sealed':
        this.openRows = message.openRows;
        this.events.onSealed(message.segments);
        return;
      case 'overdue':
        this.events.onUnknown(message.why);
        return;
      case 'settled': {
        const asked = this.settling.shift();
        if (message.error === undefined) asked?.resolve(message.skipped);
        else asked?.reject(new AppError('unavailable', `cannot raise the ids of segments: ${message.error}`));
        return;
      }
      case 'stopped':
        this.stopped?.();
        return;
    }
  }

  private finish(answer: Answer): void {
    const waiting = this.waiting.get(answer.id);
    invariant(waiting, `no request waits for answer ${answer.id}`);
    this.bodies.giveBack(waiting.body);
    this.waiting.delete(answer.id);
    const { accepted, rejected, unfit = 0, message, segment, error } = answer;
    if (error !== undefined) {
      const retry = error.code === 'unavailable' ? { retryAfterSeconds: 5 } : {};
      waiting.reject(new AppError(error.code, error.message, retry));
      return;
    }
    this.counts.accepted += accepted;
    for (const [reason, count] of answer.reasons) {
      this.counts.rejected.set(reason, (this.counts.rejected.get(reason) ?? 0) + count);
    }
    waiting.resolve({ accepted, rejected, unfit, message, segment });
  }

  /**
   * Puts a new worker in the place of one that ended. What it had decoded but not answered may be in the log or not, so its
   * senders are told to send again; what it had acknowledged is recovered from the log.
   */
  private replace(cause: unknown): void {
    this.failure ??= new AppError('unavailable', 'cannot take the request: the ingest worker ended', {
      cause,
      retryAfterSeconds: RESTART_MS / 1000,
    });
    this.known.clear();
    for (const { body, reject } of this.waiting.values()) {
      this.bodies.giveBack(body);
      reject(this.failure);
    }
    this.waiting.clear();
    for (const { reject } of this.settling.splice(0)) reject(this.failure);
    if (this.stopped !== undefined) {
      this.stopped();
      return;
    }
    this.openRows = 0;
    this.events.onLost(cause);
    setTimeout(() => {
      if (this.stopped !== undefined) return;
      this.worker = this.startWorker();
      this.failure = undefined;
      this.events.onReplaced();
    }, RESTART_MS).unref();
  }
}
