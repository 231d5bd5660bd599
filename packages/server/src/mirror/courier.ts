/**
 * Sends one tenant's queue, a batch after the other.
 *
 * Must stay true: a batch leaves the queue only when it was taken, or put aside with its reason, or given up for lack of room, and each of these is
 * counted. While the other side is away it is asked ever more rarely, and never before the time that it named.
 */

import { createHash } from 'node:crypto';
import { AppError, messageOf } from '@glasshouse/model';
import { MIRROR_PREFIX } from './chosen.ts';
import type { Post, Posted, Target } from './post.ts';
import type { Next, Queue } from './queue.ts';

export interface Destination extends Target {
  readonly tenant: string;
  readonly limitBytes: number;
  readonly paused: boolean;
}

/** Numbers since the start. */
export interface CourierCounts {
  sentLines: number;
  sentBatches: number;
  /** Rows of them that the other side put into a quarantine, as its answers say. */
  refusedRows: number;
  deadLines: number;
  /** Attempts that are made again. */
  retries: number;
}

/** What went wrong last. */
export interface CourierFault {
  readonly at: string;
  /** 0 if there was no answer. */
  readonly status: number;
  readonly reason: string;
}

export interface CourierOptions {
  readonly queue: Queue;
  /** Up to this segment the queue is whole. */
  readonly position: () => bigint;
  readonly post: Post;
  /** Tells this server's batches from others'. */
  readonly installation: string;
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly onChanged: () => void;
  readonly onDead: (next: Pick<Next, 'lines' | 'source'>, fault: CourierFault) => void;
}

type Outcome =
  | { readonly kind: 'taken' }
  | { readonly kind: 'again'; readonly afterMs: number }
  | { readonly kind: 'refused'; readonly fault: CourierFault };

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;
const MAX_REASON = 500;
/** Client errors that are about the moment: too slow, too early, too often, gone while it was answering. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 499]);

export class Courier {
  readonly counts: CourierCounts = { sentLines: 0, sentBatches: 0, refusedRows: 0, deadLines: 0, retries: 0 };
  /** Undefined once a batch was taken. */
  fault: CourierFault | undefined;
  /** When it is tried again, in ms since 1970; undefined if nothing keeps it from sending. */
  notBefore: number | undefined;
  /** Whether the other side takes each batch once; undefined until it answered. */
  isExact: boolean | undefined;
  private readonly options: CourierOptions;
  private destination: Destination;
  private failures = 0;
  private dead: string[] = [];
  private readonly stopping = new AbortController();
  private wakeUp: (() => void) | undefined;
  private isWoken = false;

  constructor(destination: Destination, options: CourierOptions) {
    this.destination = destination;
    this.options = options;
  }

  configure(destination: Destination): void {
    const isElsewhere = destination.url !== this.destination.url || destination.token !== this.destination.token;
    this.destination = destination;
    this.options.queue.limitBytes = destination.limitBytes;
    if (isElsewhere) this.notBefore = undefined;
    this.wake();
  }

  /** Sends again what was put aside. Returns how many batches that are. */
  retryDead(): number {
    this.dead = [...this.options.queue.deadPaths()];
    this.wake();
    return this.dead.length;
  }

  wake(): void {
    this.isWoken = true;
    this.wakeUp?.();
  }

  stop(): void {
    this.stopping.abort();
    this.wake();
  }

  /** Sends until `stop`. Never rejects. */
  async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      this.isWoken = false;
      const waitMs = this.notBefore === undefined ? 0 : this.notBefore - this.options.now();
      if (this.destination.paused || waitMs > 0) await this.rest(waitMs > 0 ? waitMs : undefined);
      else if (!(await this.step())) await this.rest(undefined);
    }
  }

  /** Sends the next batch. Resolves to false if there is none. */
  private async step(): Promise<boolean> {
    const { queue, position } = this.options;
    this.notBefore = undefined;
    const path = this.dead[0];
    if (path !== undefined) {
      const next = queue.readDead(path);
      const outcome = next === undefined ? undefined : await this.send(next);
      if (outcome?.kind === 'again') this.postpone(outcome.afterMs);
      else this.dead.shift();
      if (outcome?.kind === 'taken') queue.forgetDead(path);
      this.options.onChanged();
      return true;
    }
    const next = queue.next(position());
    if (next === undefined) return false;
    const outcome = await this.send(next);
    if (this.stopping.signal.aborted) return true;
    if (outcome.kind === 'again') this.postpone(outcome.afterMs);
    else {
      if (outcome.kind === 'refused') {
        queue.bury(next, outcome.fault);
        this.counts.deadLines += next.lines;
        this.options.onDead(next, outcome.fault);
      }
      queue.done(next);
    }
    this.options.onChanged();
    return true;
  }

  private async send(next: Next): Promise<Outcome> {
    const { post, now } = this.options;
    const at = new Date(now()).toISOString();
    let posted: Posted;
    try {
      posted = await post(this.destination, next, this.nameOf(next), this.stopping.signal);
    } catch (error) {
      // An address that may not be reached is a matter of settings, and these may be put right.
      const status = error instanceof AppError && error.code === 'bad_request' ? 400 : 0;
      this.fault = { at, status, reason: messageOf(error).slice(0, MAX_REASON) };
      return { kind: 'again', afterMs: 0 };
    }
    const { status, text, retryAfterMs, knowsNames } = posted;
    if (status >= 200 && status < 300) {
      this.failures = 0;
      this.fault = undefined;
      this.isExact = knowsNames;
      this.counts.sentLines += next.lines;
      this.counts.sentBatches++;
      this.counts.refusedRows += refusedRows(text);
      return { kind: 'taken' };
    }
    const isRedirect = status >= 300 && status < 400;
    const said = isRedirect ? 'it redirects; set the URL that it redirects to' : text.trim();
    const fault = { at, status, reason: this.withoutToken(said).slice(0, MAX_REASON) };
    this.fault = fault;
    if (status >= 400 && status < 500 && !PASSING.has(status)) {
      this.failures = 0;
      return { kind: 'refused', fault };
    }
    return { kind: 'again', afterMs: retryAfterMs ?? 0 };
  }

  /** Should the other side quote it. */
  private withoutToken(text: string): string {
    return text.replaceAll(this.destination.token, '[token]');
  }

  private postpone(leastMs: number): void {
    const fullMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(this.failures, 20), LAST_RETRY_MS);
    this.failures++;
    this.counts.retries++;
    // Half of it is chance, so that many servers that lost one destination do not come back to it at once.
    const backOffMs = fullMs * (0.5 + this.options.random() / 2);
    this.notBefore = this.options.now() + Math.max(leastMs, backOffMs);
  }

  private nameOf({ segment, number, source }: Next): string {
    const { tenant } = this.destination;
    const whose = createHash('sha256').update(`${tenant}\0${source}`).digest('hex').slice(0, 16);
    return `${MIRROR_PREFIX}${this.options.installation}.${whose}.${segment.toString(16).padStart(16, '0')}.${number}`;
  }

  /** Waits, at most so long, or until it is woken. */
  private async rest(milliseconds: number | undefined): Promise<void> {
    if (this.isWoken) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.wakeUp = resolve;
    const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
    await promise;
    clearTimeout(timer);
    this.wakeUp = undefined;
  }
}

/** What an answer of the Events API says of rows that did not fit. */
function refusedRows(text: string): number {
  try {
    const rows = (JSON.parse(text) as { readonly quarantined_rows?: unknown } | null)?.quarantined_rows;
    return typeof rows === 'number' && Number.isSafeInteger(rows) && rows > 0 ? rows : 0;
  } catch {
    return 0;
  }
}
