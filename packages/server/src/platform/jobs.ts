/**
 * Jobs: work of a workspace that takes longer than its request, with a state that can be asked for. Kept in the store, so that
 * a client that polls finds it after a restart too.
 *
 * Must stay true: only a few run at a time, and the others wait in order. A job that its server did not finish before it went
 * away ends as an error, unless it is of a kind that goes on: then it waits for whoever takes such jobs up.
 */

import { AppError, messageOf } from '@glasshouse/model';
import type { Store } from '@glasshouse/store';
import type { RandomBytes } from '../control/secret.ts';
import { dateTime } from './rows.ts';
import { randomUuid } from './token-key.ts';

export type JobStatus = 'waiting' | 'working' | 'done' | 'error' | 'cancelled';
export type JobFields = Readonly<Record<string, unknown>>;

export interface Job {
  readonly tenant: string;
  readonly id: string;
  /** Such as `import`, `populate`, `copy`, `delete_data`. */
  readonly kind: string;
  readonly status: JobStatus;
  /** From 0 to 100. */
  readonly progress: number;
  /** What it was started with; enough to go on with after a restart. */
  readonly details: JobFields;
  /** What it came to, once it is done. */
  readonly result: JobFields;
  readonly error: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What a running job has to report, and to heed. */
export interface JobContext {
  readonly job: Job;
  readonly signal: AbortSignal;
  /** Says how far it is, from 0 to 100. */
  readonly progress: (percent: number) => void;
}

export type JobRun = (context: JobContext) => Promise<JobFields | void>;

export interface JobsOptions {
  readonly store: Pick<Store, 'insertRows' | 'rows' | 'target'>;
  readonly now: () => number;
  readonly random: RandomBytes;
  /** Number of this server. */
  readonly node: number;
  /** How many run at once. */
  readonly concurrent?: number;
  /** Kinds of jobs that go on after a restart. */
  readonly resumable?: readonly string[];
}

/** Who goes on with jobs that a restart ended. */
export interface Taker {
  /** Told of each; it lets the job `begin` when it can. */
  takeUp(job: Job): void;
  /** Told when what was left is known, and it was told of all of it. */
  recovered(): void;
}

interface JobRow {
  readonly tenant: string;
  readonly id: string;
  readonly kind: string;
  readonly node: number;
  readonly status: string;
  readonly progress: number;
  readonly details: string;
  readonly result: string;
  readonly error: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly version: string;
}

interface Active {
  job: Job;
  version: number;
  run: JobRun;
  readonly abort: AbortController;
  readonly ended: Promise<Job>;
  readonly end: (job: Job) => void;
}

const CONCURRENT = 2;
const MAX_WAITING = 1_000;
const SAVE_EVERY_MS = 1_000;
const LISTED = 1_000;

export class Jobs {
  private readonly options: JobsOptions;
  private readonly active = new Map<string, Active>();
  private readonly waiting: Active[] = [];
  /** How jobs ended of which the store could not be told. */
  private readonly untold = new Map<string, Job>();
  /** Those that wait for somebody to let them begin. */
  private readonly announced = new Map<string, Active>();
  private readonly takers = new Map<string, Taker>();
  private isRecovered = false;
  private running = 0;
  private closed = false;

  constructor(options: JobsOptions) {
    this.options = options;
  }

  /** True from the moment on that nothing begins any more. */
  get isClosed(): boolean {
    return this.closed;
  }

  /** Says who takes up jobs of this kind. It hears at once of those that are left already. */
  resumes(kind: string, taker: Taker): void {
    this.takers.set(kind, taker);
    for (const { job } of [...this.announced.values()]) if (job.kind === kind) taker.takeUp(job);
    if (this.isRecovered) taker.recovered();
  }

  /** Starts a job, or puts it behind those that wait. Rejects with `rate_limited` if too many do. */
  async start(tenant: string, kind: string, details: JobFields, run: JobRun): Promise<Job> {
    const job = await this.announce(tenant, kind, details);
    this.begin(job.id, run);
    return job;
  }

  /**
   * Writes a job down that is to `begin` later; until then it waits, and can be cancelled. Rejects with `rate_limited` if too many
   * wait.
   */
  async announce(tenant: string, kind: string, details: JobFields, id = this.newId()): Promise<Job> {
    if (this.waiting.length >= MAX_WAITING)
      throw new AppError('rate_limited', `cannot start a job: ${MAX_WAITING} are waiting`, { retryAfterSeconds: 10 });
    const at = new Date(this.options.now());
    const state = { status: 'waiting' as const, progress: 0, result: {}, error: '' };
    const job: Job = { tenant, id, kind, details, ...state, createdAt: at, updatedAt: at };
    const active = this.activate(job, at.getTime(), undetermined);
    this.announced.set(id, active);
    try {
      await this.save(active, {});
    } catch (error) {
      this.announced.delete(id);
      this.active.delete(id);
      throw error;
    }
    return active.job;
  }

  /** Puts an announced job behind those that wait. Nothing happens if it was cancelled meanwhile. */
  begin(id: string, run: JobRun): void {
    const active = this.announced.get(id);
    if (active === undefined) return;
    this.announced.delete(id);
    active.run = run;
    this.enqueue(active);
  }

  /** True if the job is announced and has not begun, nor was cancelled. */
  isAnnounced(id: string): boolean {
    return !this.closed && this.announced.has(id);
  }

  /** An id for a job that will be announced. */
  newId(): string {
    return randomUuid(this.options.random);
  }

  /** The job of this id. Rejects with `not_found`. */
  async get(tenant: string, id: string): Promise<Job> {
    const known = this.active.get(id)?.job ?? this.untold.get(id);
    if (known !== undefined && known.tenant === tenant) return known;
    const [row] = await this.read('tenant = {tenant:String} AND id = {id:String}', { tenant, id });
    if (row !== undefined) return fromRow(row);
    throw new AppError('not_found', `cannot find job=${id.slice(0, 80)}: the workspace has none of that id`);
  }

  /** The last jobs of the workspace, newest first. */
  async list(tenant: string): Promise<Job[]> {
    // One that ends while its row is read has an older state there.
    const before = new Map(this.active);
    const rows = await this.read('tenant = {tenant:String}', { tenant });
    return rows.map(
      (row) => (this.active.get(row.id) ?? before.get(row.id))?.job ?? this.untold.get(row.id) ?? fromRow(row),
    );
  }

  /** Ends a job that has not ended yet. Rejects with `not_found`, or `conflict` if it has. */
  async cancel(tenant: string, id: string): Promise<Job> {
    const job = await this.get(tenant, id);
    const active = this.active.get(id);
    if (active === undefined) throw new AppError('conflict', `cannot cancel job=${id}: its status is ${job.status}`);
    active.abort.abort();
    const place = this.waiting.indexOf(active);
    if (place >= 0) this.waiting.splice(place, 1);
    if (place >= 0 || this.announced.delete(id)) await this.finish(active, { status: 'cancelled' });
    return active.ended;
  }

  /** Resolves when the job has ended. Rejects with `not_found`. */
  async ended(tenant: string, id: string): Promise<Job> {
    const active = this.active.get(id);
    return active === undefined || active.job.tenant !== tenant ? this.get(tenant, id) : active.ended;
  }

  /** Takes up what this server did not finish before it went away; of `anyNode`, what no server will. */
  async recover(anyNode = false): Promise<void> {
    const mine = anyNode ? '' : 'node = {node:UInt32} AND ';
    const left = await this.read(`${mine}status IN ('waiting', 'working')`, { node: this.options.node });
    for (const row of left.toReversed()) {
      if (this.active.has(row.id)) continue;
      const active = this.activate(fromRow(row), Number(row.version), undetermined);
      if (this.goesOn(active)) {
        await this.save(active, { status: 'waiting' });
        this.announced.set(row.id, active);
        this.takers.get(row.kind)?.takeUp(active.job);
      } else {
        await this.finish(active, { status: 'error', error: 'cannot finish the job: the server was restarted' });
      }
    }
    this.isRecovered = true;
    for (const taker of this.takers.values()) taker.recovered();
  }

  /** Lets nothing begin any more, tells what runs to stop, and waits for it. */
  async close(): Promise<void> {
    this.closed = true;
    const idle = new Set([...this.waiting, ...this.announced.values()]);
    const running = [...this.active.values()].filter((active) => !idle.has(active));
    for (const { abort } of running) abort.abort();
    await Promise.all(running.map(({ ended }) => ended));
  }

  private activate(job: Job, version: number, run: JobRun): Active {
    const { promise: ended, resolve: end } = Promise.withResolvers<Job>();
    const active = { job, version, run, abort: new AbortController(), ended, end };
    this.active.set(job.id, active);
    return active;
  }

  private enqueue(active: Active): void {
    this.waiting.push(active);
    this.next();
  }

  private next(): void {
    while (!this.closed && this.running < (this.options.concurrent ?? CONCURRENT)) {
      const active = this.waiting.shift();
      if (active === undefined) return;
      this.running++;
      void this.work(active).finally(() => {
        this.running--;
        this.next();
      });
    }
  }

  /** Never rejects. */
  private async work(active: Active): Promise<void> {
    let savedAt = this.options.now();
    const progress = (percent: number): void => {
      active.job = { ...active.job, progress: Math.min(100, Math.max(active.job.progress, percent)) };
      if (this.options.now() - savedAt < SAVE_EVERY_MS) return;
      savedAt = this.options.now();
      // A state in between may be missed; the last one is not.
      void this.save(active, {}).catch(() => undefined);
    };
    try {
      // As with progress: a store that is away for a moment is no reason to end what has not begun.
      await this.save(active, { status: 'working' }).catch(() => undefined);
      active.abort.signal.throwIfAborted();
      const result = await active.run({ job: active.job, signal: active.abort.signal, progress });
      await this.finish(active, { status: 'done', progress: 100, result: result ?? {} });
    } catch (error) {
      if (this.closed && active.abort.signal.aborted && this.goesOn(active)) {
        // Its row says that it is under way, which is what the next start has to find.
        this.release(active);
        return;
      }
      const cancelled = active.abort.signal.aborted && !this.closed;
      const outcome = cancelled
        ? { status: 'cancelled' as const }
        : { status: 'error' as const, error: messageOf(error) };
      await this.finish(active, outcome);
    }
  }

  /** Ends a job, for its client even if the store cannot be told. */
  private async finish(active: Active, change: Partial<Job>): Promise<void> {
    await this.save(active, change).catch(() => this.untold.set(active.job.id, active.job));
    this.release(active);
  }

  private release(active: Active): void {
    this.active.delete(active.job.id);
    active.end(active.job);
  }

  private goesOn({ job }: Active): boolean {
    return this.options.resumable?.includes(job.kind) === true;
  }

  private async save(active: Active, change: Partial<Job>): Promise<void> {
    const at = this.options.now();
    active.job = { ...active.job, ...change, updatedAt: new Date(at) };
    active.version = Math.max(at, active.version + 1);
    await this.options.store.insertRows('jobs', [toRow(active.job, this.options.node, active.version)]);
  }

  private read(condition: string, params: Readonly<Record<string, unknown>>): Promise<JobRow[]> {
    const { store } = this.options;
    return store.rows<JobRow>(
      `SELECT tenant, id, kind, node, status, progress, details, result, error, toString(version) AS version,
         toString(toUnixTimestamp64Milli(created_at)) AS created_at, toString(toUnixTimestamp64Milli(updated_at)) AS updated_at
       FROM ${store.target.database}.jobs FINAL WHERE ${condition} ORDER BY jobs.created_at DESC, id LIMIT ${LISTED}`,
      { params },
    );
  }
}

/** What a job does of which nobody has said it yet. */
function undetermined(): Promise<void> {
  return Promise.resolve();
}

function fromRow(row: JobRow): Job {
  const { tenant, id, kind, progress, error } = row;
  return {
    tenant,
    id,
    kind,
    status: row.status as JobStatus,
    progress,
    details: JSON.parse(row.details) as JobFields,
    result: JSON.parse(row.result) as JobFields,
    error,
    createdAt: new Date(Number(row.created_at)),
    updatedAt: new Date(Number(row.updated_at)),
  };
}

function toRow(job: Job, node: number, version: number): JobRow {
  const { tenant, id, kind, status, progress, error } = job;
  return {
    tenant,
    id,
    kind,
    node,
    status,
    progress,
    details: JSON.stringify(job.details),
    result: JSON.stringify(job.result),
    error,
    created_at: dateTime(job.createdAt),
    updated_at: dateTime(job.updatedAt),
    version: String(version),
  };
}
