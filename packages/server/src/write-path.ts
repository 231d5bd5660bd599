/**
 * The way of what comes in: the room for it, the worker that decodes it and writes the log, and the drain that hands the log over to
 * the store.
 */

import { basename, join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { GENERATIONS, EVENTS } from '@glasshouse/schema';
import type { Store } from '@glasshouse/store';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { Quotas } from './control/quotas.ts';
import { RecentCalls } from './control/recent-calls.ts';
import { logDrain, logRecovered, onceIn } from './events.ts';
import { nodeNumber } from './node-number.ts';
import { Ingest } from './pipeline/ingest.ts';
import { Drain } from './wal/drain.ts';
import type { HandOver } from './wal/hand-over.ts';
import { byTable, FactHandOver } from './wal/hand-over.ts';
import { recoverSegments } from './wal/recover.ts';
import { LogRoom } from './wal/room.ts';
import { parseSegmentName, syncDirectory } from './wal/segment.ts';

/** While the store is healthy, this many segments may wait for it before senders are slowed down. */
const MAX_BEHIND_SEGMENTS = 4;
const MAX_BEHIND_MS = 5_000;
const CLOSE_GRACE_MS = 5_000;
const UNSTORED_LOG_MS = 10_000;
/** Traffic is heavy when this share of a full segment arrives within one interval of sealing; then several pass. */
const HEAVY_SHARE = 8;
const HEAVY_WAITS = 4;

export interface MadeDrain {
  readonly drain: Drain;
  /** The way of facts. */
  readonly facts: HandOver;
  /** Other ways, by table. */
  readonly ways: Map<string, HandOver>;
}

/** Makes the drain, which stands still until the write path is open, and the ways for tables that are not plain facts. */
export function makeDrain(config: Config, log: Logger, store: Store): MadeDrain {
  const ways = new Map<string, HandOver>();
  const facts = new FactHandOver({ store, now: Date.now, retentionDays: config.retentionDays || undefined });
  const drain = new Drain({
    handOver: byTable(facts, ways),
    inOrder: new Set([EVENTS.name]),
    now: Date.now,
    onEvent: (event) => logDrain(log, event),
  });
  return { drain, facts, ways };
}

export interface WritePath {
  readonly room: LogRoom;
  readonly ingest: Ingest;
  readonly closeIngest: () => Promise<void>;
  readonly recentCalls: RecentCalls;
}

interface AroundWritePath {
  readonly engine: Engine | undefined;
  readonly quotas: Quotas;
  readonly store: Store;
}

export function openIngest(
  config: Config,
  log: Logger,
  drain: Drain,
  { engine, quotas, store }: AroundWritePath,
): WritePath {
  const directory = walDirectory(config);
  const retentionDays = config.retentionDays || undefined;
  engine?.onState((state) => state === 'ready' && drain.retryNow());
  const room = new LogRoom(
    {
      directory,
      maxBytes: config.walMaxBytes,
      reserveBytes: config.diskReserveBytes,
      maxBehindSegments: MAX_BEHIND_SEGMENTS,
      maxWaitMs: MAX_BEHIND_MS,
    },
    drain,
  );
  const recover = (): void => {
    const recovered = recoverSegments(directory, drain.paths());
    logRecovered(log, recovered);
    drain.recover(recovered);
  };
  recover();
  const draining = drain.run();

  const ingest = new Ingest(
    {
      directory,
      node: nodeNumber(config.dataDir),
      maxBodyBytes: config.maxBodyBytes,
      maxJsonBytes: config.maxJsonBytes,
      maxSegmentRows: config.segmentRows,
      maxSegmentBytes: config.segmentBytes,
      retentionMs: retentionDays === undefined ? undefined : retentionDays * 86_400_000,
      maxAheadMs: config.maxAheadSeconds * 1000,
      maxInflightBytes: config.maxInflightBytes,
    },
    room,
    {
      onSealed: (segments) => drain.add(segments),
      onSpent: (spent) => {
        for (const { dollars, ...owner } of spent) quotas.addSpend(owner, dollars);
      },
      onUnknown: (reason) =>
        log.warn(
          { reason },
          'requests with calls waited no longer for the calls of before the start: one may count again',
        ),
      onUnstored: onceIn(UNSTORED_LOG_MS, (reason) =>
        log.error({ reason }, 'cannot write the log: requests are refused'),
      ),
      onLost: (cause) => {
        log.error({ err: cause }, 'the ingest worker ended, will start another');
        recover();
      },
      onReplaced: () => void recentCalls.load(),
    },
  );
  const recentCalls = openRecentCalls(log, { store, drain, ingest });
  // An idle store gets what there is; a busy one lets the open segments grow. So does heavy traffic, for a while: larger parts
  // cost the store less, in the insert and in the merges after it.
  let sealedAtMs = Date.now();
  const sealer = setInterval(() => {
    if (ingest.openRows === 0 || !drain.wantsMore) return;
    const isHeavy = ingest.openRows * HEAVY_SHARE >= config.segmentRows;
    if (isHeavy && Date.now() - sealedAtMs < config.sealMs * HEAVY_WAITS) return;
    sealedAtMs = Date.now();
    ingest.seal();
  }, config.sealMs);

  const closeIngest = async (): Promise<void> => {
    clearInterval(sealer);
    // From here on everything acknowledged is in sealed segments; what the store doesn't take now it gets at the next start.
    await ingest.stop();
    await within(drainDry(drain), CLOSE_GRACE_MS);
    drain.stop();
    await within(draining, CLOSE_GRACE_MS);
    room.stop();
  };
  return { room, ingest, closeIngest, recentCalls };
}

interface RecentCallsParts extends Pick<WritePath, 'ingest'> {
  readonly store: Store;
  readonly drain: Drain;
}

/** The worker is to know the calls of before its start, so that a second report of one is told from a new call. */
function openRecentCalls(log: Logger, { store, drain, ingest }: RecentCallsParts): RecentCalls {
  return new RecentCalls({
    store,
    now: Date.now,
    tell: (calls, areAll) => ingest.remember(calls, areAll),
    leftOver: () =>
      [...drain.paths()].flatMap((path) => {
        const name = parseSegmentName(basename(path));
        return name?.table === GENERATIONS.name ? [name.id] : [];
      }),
    progress: () => drain.progress(),
    onLoaded: (calls) => log.info({ calls }, 'knows the calls of before the start again'),
    onFault: onceIn(UNSTORED_LOG_MS, (reason) =>
      log.warn({ reason }, 'cannot read the calls of before the start: a second report of one counts again'),
    ),
  });
}

/** Resolves when everything that was acknowledged before the call is in the store. */
export async function flush(ingest: Ingest, drain: Drain): Promise<void> {
  await ingest.sealAll();
  const paths = drain.paths();
  while ([...paths].some((path) => drain.paths().has(path))) await drain.progress();
}

/** Resolves when the store has taken what is left, or has stopped taking. */
async function drainDry(drain: Drain): Promise<void> {
  while (drain.behindSegments > 0 && drain.healthy) await drain.progress();
}

/**
 * Holds the drain for a change of what is stored. No segment that was handed over before comes back, not even after a power loss: its
 * rows may no longer say that it is there, because they were made anew, or are in another partition.
 */
export async function holdFor(drain: Drain, directory: string): Promise<() => void> {
  const release = await drain.hold();
  try {
    syncDirectory(directory);
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

/** Waits for `work`, but not for longer than `milliseconds`. */
async function within(work: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

export function walDirectory(config: Config): string {
  return join(config.dataDir, 'wal');
}
