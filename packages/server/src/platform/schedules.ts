/**
 * Schedules of copies and sinks: which pipes are due, and which wait until somebody resumes them. What was run when is kept in a
 * file of this server, so that a restart neither forgets nor repeats.
 *
 * Must stay true: a time is noted down, durably, before its run begins, so it is never run twice. Of the times that passed while
 * the server was away one is made up for, however many there were. Times are UTC.
 */

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { Cron } from 'croner';
import { messageOf } from '@glasshouse/model';
import type { PipeEntry } from './resource-row.ts';

/** What is to be run, and when. */
export interface Scheduled {
  readonly entry: PipeEntry;
  /** Of five or six fields. */
  readonly cron: string;
}

export interface SchedulesOptions {
  /** All pipes with a schedule. */
  readonly scheduled: () => readonly Scheduled[];
  /** Starts the run that was due at this time, in ms since 1970. */
  readonly run: (entry: PipeEntry, dueMs: number) => Promise<void>;
  readonly now: () => number;
  /** File that outlives the process; undefined for none. */
  readonly statePath?: string;
  /** How often it is looked for what is due, in ms. */
  readonly everyMs?: number;
  /** Told of schedules that are none, and of runs that could not be started. */
  readonly onFailed?: (failed: { readonly tenant: string; readonly pipe: string; readonly reason: string }) => void;
}

interface State {
  /** Ids of pipes. */
  readonly paused: Set<string>;
  /** When what has this id and schedule was run last, or seen first, in ms since 1970. */
  readonly since: Map<string, number>;
}

const EVERY_MS = 1_000;
/** The values that mean that nothing is scheduled. */
const ON_DEMAND = /^(?:@on-demand|@once|none|)$/iu;

export class Schedules {
  private readonly options: SchedulesOptions;
  private readonly state: State;
  private readonly timer: NodeJS.Timeout;
  private readonly next = new Map<string, number>();
  private readonly reported = new Set<string>();

  constructor(options: SchedulesOptions) {
    this.options = options;
    this.state = load(options.statePath);
    this.timer = setInterval(() => void this.tick(), options.everyMs ?? EVERY_MS);
    this.timer.unref();
  }

  isPaused(id: string): boolean {
    return this.state.paused.has(id);
  }

  /** Keeps a pipe from being run by its schedule. */
  pause(id: string): void {
    this.state.paused.add(id);
    this.save();
  }

  /** Lets the schedule run again; what was due meanwhile is not made up for. */
  resume(id: string): void {
    this.state.paused.delete(id);
    for (const key of [...this.state.since.keys()]) if (key.startsWith(`${id} `)) this.begin(key);
    this.save();
  }

  /** Starts what is due. Never rejects. */
  async tick(): Promise<void> {
    const due: { readonly entry: PipeEntry; readonly atMs: number }[] = [];
    const present = new Set<string>();
    let isNew = false;
    for (const { entry, cron } of this.options.scheduled()) {
      const key = `${entry.id} ${cron}`;
      present.add(key);
      if (!this.state.since.has(key)) {
        this.begin(key);
        isNew = true;
      }
      const atMs = this.nextOf(key, entry, cron);
      if (atMs > this.options.now() || this.isPaused(entry.id)) continue;
      this.begin(key);
      due.push({ entry, atMs });
    }
    const gone = [...this.state.since.keys()].filter((key) => !present.has(key));
    for (const key of gone) this.forget(key);
    if (due.length + gone.length > 0 || isNew) this.save();
    await Promise.all(due.map(({ entry, atMs }) => this.start(entry, atMs)));
  }

  /** Ends the timer. */
  close(): void {
    clearInterval(this.timer);
  }

  private async start(entry: PipeEntry, dueMs: number): Promise<void> {
    try {
      await this.options.run(entry, dueMs);
    } catch (error) {
      this.options.onFailed?.({ tenant: entry.tenant, pipe: entry.name, reason: messageOf(error) });
    }
  }

  /** From now on only what comes after this moment is due. */
  private begin(key: string): void {
    this.state.since.set(key, this.options.now());
    this.next.delete(key);
  }

  private forget(key: string): void {
    this.state.since.delete(key);
    this.next.delete(key);
    this.reported.delete(key);
  }

  private nextOf(key: string, { tenant, name }: PipeEntry, cron: string): number {
    const known = this.next.get(key);
    if (known !== undefined) return known;
    let at = Infinity;
    try {
      at = nextRun(cron, this.state.since.get(key) ?? this.options.now()) ?? Infinity;
    } catch (error) {
      if (!this.reported.has(key)) this.options.onFailed?.({ tenant, pipe: name, reason: messageOf(error) });
      this.reported.add(key);
    }
    this.next.set(key, at);
    return at;
  }

  private save(): void {
    const { statePath } = this.options;
    if (statePath !== undefined) store(statePath, this.state);
  }
}

/** The schedule that a setting means; undefined for none. */
export function cronOf(text: string | undefined): string | undefined {
  const cron = (text ?? '').trim();
  return ON_DEMAND.test(cron) ? undefined : cron;
}

/** The next time after another, in ms; undefined if there is none. Throws for what is no schedule. */
export function nextRun(cron: string, afterMs: number): number | undefined {
  return new Cron(cron, { paused: true, timezone: 'UTC' }).nextRun(new Date(afterMs))?.getTime();
}

function load(path: string | undefined): State {
  try {
    const { paused, since } = JSON.parse(readFileSync(path ?? '', 'utf8')) as {
      readonly paused: readonly string[];
      readonly since: Readonly<Record<string, number>>;
    };
    return { paused: new Set(paused), since: new Map(Object.entries(since)) };
  } catch {
    return { paused: new Set(), since: new Map() };
  }
}

/** Whole and synced, or not at all. */
function store(path: string, { paused, since }: State): void {
  const text = JSON.stringify({ paused: [...paused], since: Object.fromEntries(since) });
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
}
