/**
 * The main thread's side of the mirror: gives each segment of events a second name before the store takes it, and tells the thread
 * that sends them what goes where.
 *
 * Must stay true: while there is no mirror nothing is done, and there is no thread. What goes wrong here is told and counted, and never a
 * reason for the hand-over to fail. A segment is handed over when its second name is durable, or when it was counted as missed.
 */

import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, link, open, rename, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError } from '@glasshouse/model';
import type { Catalog } from '../platform/catalog.ts';
import type { Mirrors } from '../platform/mirrors.ts';
import type { SourceSwitches } from '../platform/source-switches.ts';
import { isServiceSource } from '../platform/usage-names.ts';
import type { HandOver } from '../wal/hand-over.ts';
import type { SegmentInfo } from '../wal/segment.ts';
import type { PlannedSource } from './chosen.ts';
import type { FromOutbox, MirrorStatus, OutboxOptions, ToOutbox } from './messages.ts';

export type MirrorEvent =
  | Extract<FromOutbox, { kind: 'dead' | 'dropped' | 'unread' }>
  /** A segment is not mirrored, because too much waits to be read or the link could not be made. */
  | { readonly kind: 'missed'; readonly id: bigint; readonly reason: string }
  | { readonly kind: 'lost'; readonly reason: string }
  /** The token of a mirror was sealed with another key. */
  | { readonly kind: 'locked'; readonly tenant: string };

export interface MirroringOptions extends Pick<OutboxOptions, 'allow' | 'directory' | 'maxMs' | 'reserveBytes'> {
  readonly mirrors: Pick<Mirrors, 'isKnown' | 'list' | 'size' | 'tokenOf'>;
  readonly switches: Pick<SourceSwitches, 'find'>;
  readonly catalog: Pick<Catalog, 'dataSources'>;
  readonly onEvent: (event: MirrorEvent) => void;
}

/** Bytes of segments that may wait to be read; the thread is faster than the log, so this is for one that does not work. */
const MAX_INBOX_BYTES = 2 ** 30;
const RESTART_MS = 1_000;
const CLOSE_MS = 5_000;
const LINK = /^[0-9a-f]{16}\.gz$/u;

export class Mirroring {
  /** Segments that are not mirrored, by no fault of their destination. */
  missedSegments = 0;
  private readonly options: MirroringOptions;
  private readonly inbox: string;
  private worker: Worker | undefined;
  private latest: readonly MirrorStatus[] = [];
  /** Bytes of what lies in the inbox, by segment. */
  private readonly unread = new Map<bigint, number>();
  /** The last segment that was given a second name. */
  private last = 0n;
  private isClosed = false;
  private restarting: NodeJS.Timeout | undefined;
  private stopped: (() => void) | undefined;

  constructor(options: MirroringOptions) {
    this.options = options;
    this.inbox = join(options.directory, 'inbox');
    this.configure();
  }

  /** How it stands with the mirrors, of all tenants or of one. */
  statuses(tenant?: string): readonly MirrorStatus[] {
    return this.latest.filter((one) => tenant === undefined || one.tenant === tenant);
  }

  /** The hand-over of events, with the mirror's before it. */
  before(inner: HandOver): HandOver {
    return {
      insert: async (segment) => {
        await this.take(segment);
        return inner.insert(segment);
      },
      complete: async (segment) => {
        await this.take(segment);
        return inner.complete(segment);
      },
    };
  }

  /** To be called when mirrors or switches changed. A folder that cannot be read is told, and tried again. */
  configure(): void {
    const { mirrors } = this.options;
    if (!mirrors.isKnown || this.isClosed) return;
    if (this.worker !== undefined) this.sendDestinations();
    else if (mirrors.size > 0) {
      try {
        this.start();
      } catch (error) {
        this.startLater(error);
      }
    }
  }

  private sendDestinations(): void {
    const { mirrors, onEvent } = this.options;
    const destinations = mirrors.list().flatMap(({ tenant, url, limitBytes, paused }) => {
      const token = mirrors.tokenOf(tenant);
      // Its events are kept, for the token that will be given.
      if (token === undefined) onEvent({ kind: 'locked', tenant });
      return [{ tenant, url, limitBytes, token: token ?? '', paused: paused || token === undefined }];
    });
    this.send({ kind: 'destinations', destinations });
  }

  /** Sends again what was put aside of a tenant's. Returns how many batches that are. */
  retry(tenant: string): number {
    this.send({ kind: 'retry', tenant });
    return this.statuses(tenant).reduce((sum, { deadBatches }) => sum + deadBatches, 0);
  }

  /** Ends what is under way; what waits is sent after the next start. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.restarting);
    const { worker } = this;
    if (worker === undefined) return;
    worker.ref();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.stopped = resolve;
    const late = setTimeout(resolve, CLOSE_MS);
    this.send({ kind: 'stop' });
    await promise;
    clearTimeout(late);
    await worker.terminate();
  }

  /** Gives a segment a second name, unless nobody has a mirror. */
  private async take(segment: SegmentInfo): Promise<void> {
    const { mirrors } = this.options;
    if (!mirrors.isKnown)
      throw new AppError('unavailable', 'cannot hand over events: it is not known yet who has a mirror');
    if (mirrors.size === 0 || segment.id <= this.last) return;
    this.last = segment.id;
    if (this.unreadBytes + segment.bytes > MAX_INBOX_BYTES) {
      this.miss(segment.id, 'too many segments wait to be read');
      return;
    }
    const path = join(this.inbox, `${segment.id.toString(16).padStart(16, '0')}.gz`);
    try {
      await linkOrCopy(segment.path, path);
      await sync(this.inbox);
    } catch (error) {
      this.miss(segment.id, String(error));
      return;
    }
    this.unread.set(segment.id, segment.bytes);
    this.arrive(segment.id);
  }

  private get unreadBytes(): number {
    let sum = 0;
    for (const bytes of this.unread.values()) sum += bytes;
    return sum;
  }

  private miss(id: bigint, reason: string): void {
    this.missedSegments++;
    this.options.onEvent({ kind: 'missed', id, reason });
  }

  private arrive(id: bigint): void {
    const path = join(this.inbox, `${id.toString(16).padStart(16, '0')}.gz`);
    this.send({ kind: 'arrived', segment: { id, path, plan: this.plan() } });
  }

  /** What of each data source goes, by its id. */
  private plan(): (readonly [string, PlannedSource])[] {
    const { mirrors, switches, catalog } = this.options;
    return mirrors.list().flatMap(({ tenant, sources, percent }) =>
      catalog.dataSources(tenant).flatMap(({ id, name }): (readonly [string, PlannedSource])[] => {
        if (isServiceSource(name) || (sources.length > 0 && !sources.includes(name))) return [];
        const own = switches.find(tenant, name);
        const share = own?.mirrorPercent ?? percent;
        return share === 0 ? [] : [[id, { tenant, name, percent: share, key: own?.key ?? '' }]];
      }),
    );
  }

  private start(): void {
    const { directory, allow, reserveBytes, maxMs } = this.options;
    mkdirSync(this.inbox, { recursive: true, mode: 0o700 });
    const position = readPosition(directory);
    const left = this.readInbox(position);
    const workerData: OutboxOptions = {
      directory,
      position,
      installation: installationOf(directory),
      allow,
      reserveBytes,
      maxMs,
    };
    const entry = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(entry, { workerData });
    let cause: unknown = new Error('the thread ended');
    worker.on('message', (message: FromOutbox) => this.receive(message));
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => this.replace(cause));
    // The server ends without it, should it hang.
    worker.unref();
    this.worker = worker;
    this.sendDestinations();
    for (const id of left) this.arrive(id);
  }

  /** What an earlier process, or an earlier thread, left unread, in its order. */
  private readInbox(position: bigint): readonly bigint[] {
    this.unread.clear();
    if (position > this.last) this.last = position;
    const left: bigint[] = [];
    for (const name of readdirSync(this.inbox).toSorted()) {
      const path = join(this.inbox, name);
      const id = LINK.test(name) ? BigInt(`0x${name.slice(0, 16)}`) : 0n;
      if (id <= position) {
        rmSync(path, { force: true });
        continue;
      }
      if (id > this.last) this.last = id;
      this.unread.set(id, statSync(path).size);
      left.push(id);
    }
    return left;
  }

  private send(message: ToOutbox): void {
    this.worker?.postMessage(message, []);
  }

  private receive(message: FromOutbox): void {
    switch (message.kind) {
      case 'status':
        this.latest = message.statuses;
        return;
      case 'read':
        this.unread.delete(message.id);
        return;
      case 'unread':
        this.missedSegments++;
        this.options.onEvent(message);
        return;
      case 'dead':
      case 'dropped':
        this.options.onEvent(message);
        return;
      case 'stopped':
        this.stopped?.();
        return;
    }
  }

  private replace(cause: unknown): void {
    this.worker = undefined;
    this.stopped?.();
    if (!this.isClosed) this.startLater(cause);
  }

  private startLater(cause: unknown): void {
    this.options.onEvent({ kind: 'lost', reason: String(cause) });
    clearTimeout(this.restarting);
    this.restarting = setTimeout(() => this.configure(), RESTART_MS).unref();
  }
}

/** Asynchronous, as `sync` is: whoever waits for an answer is not to wait for this disk. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code === 'ENOENT' || code === 'ENOSPC') throw error;
    // Not every file system has links. Who reads it never sees half of it.
    const draft = `${to}.new`;
    try {
      await copyFile(from, draft);
      await sync(draft);
      await rename(draft, to);
    } catch (failed) {
      await rm(draft, { force: true });
      throw failed;
    }
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function readPosition(directory: string): bigint {
  try {
    return BigInt(readFileSync(join(directory, 'position'), 'utf8'));
  } catch {
    return 0n;
  }
}

/** A name for this installation, by which another server tells its batches from others'. */
function installationOf(directory: string): string {
  const path = join(directory, 'installation');
  try {
    const known = readFileSync(path, 'utf8').trim();
    if (/^[0-9a-f]{16}$/u.test(known)) return known;
  } catch {
    // It is made now.
  }
  const made = randomBytes(8).toString('hex');
  writeFileSync(path, made, { mode: 0o600, flush: true });
  return made;
}
