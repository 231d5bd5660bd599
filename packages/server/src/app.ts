/**
 * The composition root: opens storage, then ingest, then queries, then serves; closes in reverse. Everything is constructed
 * here and handed to what needs it.
 */

import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import { embeddedTarget, remoteTarget, Store, StoreError } from '@glasshouse/store';
import { AppError } from '@glasshouse/model';
import { EVENTS, GENERATIONS } from '@glasshouse/schema';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { Access } from './control/access.ts';
import { AdminToken } from './control/admin-token.ts';
import { Audit } from './control/audit.ts';
import { Maintenance } from './control/maintenance.ts';
import { Quotas } from './control/quotas.ts';
import { RecentCalls } from './control/recent-calls.ts';
import { RedactionPolicies } from './control/redaction.ts';
import { storedBytesOf } from './control/stored-bytes.ts';
import { logDrain, logEngine, logRecovered, onceIn } from './events.ts';
import type { Listener } from './http/listen.ts';
import type { Route } from './http/router.ts';
import { Ingest } from './pipeline/ingest.ts';
import { Definitions } from './query/definitions.ts';
import type { AuditLine } from './query/door.ts';
import { Door } from './query/door.ts';
import { nodeNumber } from './node-number.ts';
import { openPrices } from './prices.ts';
import { openRollOut } from './roll-out.ts';
import { serve } from './serve.ts';
import type { OpenWorkspaces } from './workspaces.ts';
import { openWorkspaces } from './workspaces.ts';
import { Drain } from './wal/drain.ts';
import type { HandOver } from './wal/hand-over.ts';
import { announced, byTable, FactHandOver } from './wal/hand-over.ts';
import { lockDirectory } from './wal/lock.ts';
import { recoverSegments } from './wal/recover.ts';
import { LogRoom } from './wal/room.ts';
import { parseSegmentName, syncDirectory } from './wal/segment.ts';

export interface App {
  readonly listeners: readonly Listener[];
  /** What the main port serves. */
  readonly routes: readonly Pick<Route, 'method' | 'path'>[];
  /** Convenience ports that another process has, as sentences. */
  readonly skipped: readonly string[];
  close(): Promise<void>;
}

/** While the store is healthy, this many segments may wait for it before senders are slowed down. */
const MAX_BEHIND_SEGMENTS = 4;
const MAX_BEHIND_MS = 5_000;
const CLOSE_GRACE_MS = 5_000;
const UNSTORED_LOG_MS = 10_000;
const QUEUE_WAIT_MS = 10_000;
/** Pause between questions whether the store is back. */
const AWAY_MS = 500;
/** Traffic is heavy when this share of a full segment arrives within one interval of sealing; then several pass. */
const HEAVY_SHARE = 8;
const HEAVY_WAITS = 4;

/** Starts everything and resolves when it serves. */
export async function startApp(config: Config, log: Logger): Promise<App> {
  mkdirSync(walDirectory(config), { recursive: true, mode: 0o700 });
  // Before anything else: a second server must not touch the segments of the first.
  const lock = await lockDirectory(config.dataDir);
  try {
    syncDirectory(config.dataDir);
    const { store, engine, isRestored } = await openStore(config, log);
    const audit = await openAudit(config, log, store);
    const access = await openAccess(config, log, store, audit);
    const quotas = await openQuotas(config, log, store, access, audit);
    const { door, definitions } = openDoor(config, log, store, audit);
    const { drain, facts, ways } = makeDrain(config, log, store);
    let flushed = (): Promise<void> => Promise.reject(new AppError('unavailable', 'cannot hand over: still starting'));
    const workspaces = await openWorkspaces(config, log, {
      store,
      access,
      audit,
      door,
      definitions,
      hold: () => holdFor(drain, walDirectory(config)),
      flush: () => flushed(),
      isRestored,
    });
    const rollOut = await openRollOut(config, log, { store, audit, ...workspaces });
    ways.set(EVENTS.name, rollOut.mirroring.before(workspaces.events));
    ways.set(
      GENERATIONS.name,
      announced(facts, ({ id }) => workspaces.outcomes.settle(id, new Map())),
    );
    const { room, ingest, closeIngest, recentCalls } = openIngest(config, log, drain, { engine, quotas, store });
    const redaction = await openRedaction(config, { store, audit, ingest, key: workspaces.key });
    const maintenance = openMaintenance(config, { store, access, ingest, drain, ...workspaces });
    flushed = () => flush(ingest, drain);
    const prices = await openPrices(config, log, {
      store,
      control: workspaces.control,
      flush: flushed,
      tell: (known) => ingest.price(known),
    });
    const parts = {
      ingest,
      access,
      audit,
      quotas,
      redaction,
      door,
      maintenance,
      drain,
      room,
      store,
      prices,
      rollOut,
      flush: flushed,
      ...workspaces,
    };
    const serving = await serve(config, log, parts);
    void recentCalls.load();
    return {
      listeners: serving.listeners,
      routes: serving.routes,
      skipped: serving.skipped,
      close: async () => {
        await serving.close(CLOSE_GRACE_MS);
        recentCalls.close();
        await prices.close();
        await closeIngest();
        await rollOut.close();
        await workspaces.platform.close();
        await workspaces.tables.client.close();
        access.close();
        quotas.close();
        redaction.close();
        await audit.close();
        await store.close();
        await engine?.stop();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

interface Storage {
  readonly store: Store;
  /** Undefined with a store of somebody else's. */
  readonly engine: Engine | undefined;
  /** True if the last process left a restore that this start finished. */
  readonly isRestored: boolean;
}

async function openStore(config: Config, log: Logger): Promise<Storage> {
  const kept = { retentionDays: config.retentionDays || undefined, auditDays: config.auditDays };
  if (config.storeUrl !== undefined) {
    const store = Store.connect({ target: remoteTarget(config.storeUrl, config.storeCluster), ...kept });
    // It may be away, and come later: the log takes data until then.
    void migrate(store, log, () => true);
    return { store, engine: undefined, isRestored: false };
  }
  const engine = await startEngine({
    dataDir: join(config.dataDir, 'engine'),
    backupDir: backupDirectory(config),
    maxMemoryBytes: config.engineMaxMemory,
    querySlots: config.querySlots,
    maxExecutionSeconds: config.queryMaxSeconds,
    onEvent: (event) => logEngine(log, event),
  });
  const store = Store.connect({ target: embeddedTarget(engine), ...kept });
  const isRestored = await store.placeRestored();
  await store.endRestore();
  if (isRestored) log.warn('put the tables of a backup in place: the restore was interrupted');
  await migrate(store, log, () => false);
  return { store, engine, isRestored };
}

/** Brings the schema up to date, again and again while the store is away or `retries` the error that it answered. */
async function migrate(store: Store, log: Logger, retries: (error: unknown) => boolean): Promise<void> {
  for (let delayMs = 500; ; delayMs = Math.min(delayMs * 2, 30_000)) {
    try {
      const ran = await store.migrate();
      if (ran.length > 0) log.info({ migrations: ran }, 'migrated the store');
      return;
    } catch (error) {
      const isAway = error instanceof StoreError && error.number === 0;
      if (!isAway && !retries(error)) throw error;
      log.error({ err: error }, 'cannot migrate the store: nothing can be handed over yet');
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}

interface MadeDrain {
  readonly drain: Drain;
  /** The way of facts. */
  readonly facts: HandOver;
  /** Other ways, by table. */
  readonly ways: Map<string, HandOver>;
}

/** Makes the drain, which stands still until the write path is open, and the ways for tables that are not plain facts. */
function makeDrain(config: Config, log: Logger, store: Store): MadeDrain {
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

interface WritePath {
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

function openIngest(config: Config, log: Logger, drain: Drain, { engine, quotas, store }: AroundWritePath): WritePath {
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

/** What changes, and who did it, is kept here until the store has it. */
function openAudit(config: Config, log: Logger, store: Store): Promise<Audit> {
  return Audit.open({
    store,
    directory: join(config.dataDir, 'audit'),
    now: Date.now,
    onFault: (what, error) => log.error({ err: error }, what),
  });
}

function openAccess(config: Config, log: Logger, store: Store, audit: Audit): Promise<Access> {
  return Access.open({
    store,
    mode: config.auth,
    adminToken: AdminToken.open({ dataDir: config.dataDir, given: config.adminToken, random: randomBytes }),
    now: Date.now,
    snapshotPath: join(config.dataDir, 'keys.json'),
    onChange: audit.changed,
    onStore: (up, reason) => {
      if (up) log.info('the control plane reads from the store again');
      else log.warn({ reason }, 'the control plane cannot read from the store');
    },
  });
}

interface RedactionParts extends Pick<WritePath, 'ingest'>, Pick<OpenWorkspaces, 'key'> {
  readonly store: Store;
  readonly audit: Audit;
}

/** What is redacted before it is stored; the ingest worker has it before the first request comes. */
function openRedaction(config: Config, { store, audit, ingest, key }: RedactionParts): Promise<RedactionPolicies> {
  return RedactionPolicies.open({
    store,
    now: Date.now,
    path: join(config.dataDir, 'redaction.json'),
    hashKey: () => key.derived('redaction'),
    apply: (set) => ingest.redact(set),
    onChange: audit.changed,
  });
}

/** How much tenants may send and store; that a limit is near is logged and recorded once. */
function openQuotas(config: Config, log: Logger, store: Store, access: Access, audit: Audit): Promise<Quotas> {
  return Quotas.open({
    store,
    now: Date.now,
    path: join(config.dataDir, 'quota-use.json'),
    storedBytes: storedBytesOf(store, () => access.tenants.list().map(({ name }) => name)),
    onChange: audit.changed,
    onNear: (owner, reached) => {
      log.warn({ ...owner, ...reached }, 'a quota is nearly used up');
      audit.changed({ action: 'quota.warn', ...owner, target: reached.kind, before: null, after: reached });
    },
  });
}

function openDoor(config: Config, log: Logger, store: Store, audit: Audit): { door: Door; definitions: Definitions } {
  const limits = {
    maxExecutionSeconds: config.queryMaxSeconds,
    maxMemoryBytes: config.queryMaxMemory,
    maxThreads: config.querySlots,
    maxResultBytes: config.queryMaxResult,
    concurrent: config.tenantQueries,
    waiting: config.tenantQueries * 10,
    waitMs: QUEUE_WAIT_MS,
  };
  const record = (line: AuditLine): void => {
    log.info(line, 'query');
    audit.note({ query: line.sql });
  };
  const door = new Door({ store, limits, audit: record, now: Date.now });
  return { door, definitions: new Definitions({ store, limits, door }) };
}

interface MaintenanceParts extends Pick<WritePath, 'ingest'>, Pick<OpenWorkspaces, 'key' | 'platform'> {
  readonly drain: Drain;
  readonly store: Store;
  readonly access: Access;
}

function openMaintenance(config: Config, parts: MaintenanceParts): Maintenance {
  const { store, access, ingest, drain, key, platform } = parts;
  return new Maintenance({
    store,
    workspaces: platform,
    key,
    backupDir: backupDirectory(config),
    flush: () => flush(ingest, drain),
    hold: () => drain.hold(),
    skipIds: (to) => ingest.skipIds(to),
    reload: () =>
      whileAway(async () => {
        await access.adopt();
        await platform.adopt();
      }),
    now: Date.now,
  });
}

/** Does something that can be done twice, again and again while the store is away. */
async function whileAway(act: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await act();
      return;
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'unavailable') throw error;
      await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
    }
  }
}

/** Resolves when everything that was acknowledged before the call is in the store. */
async function flush(ingest: Ingest, drain: Drain): Promise<void> {
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
async function holdFor(drain: Drain, directory: string): Promise<() => void> {
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

function walDirectory(config: Config): string {
  return join(config.dataDir, 'wal');
}

function backupDirectory(config: Config): string {
  return join(config.dataDir, 'backup');
}
