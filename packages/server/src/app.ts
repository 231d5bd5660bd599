/**
 * The composition root: opens storage, then ingest, then queries, then serves; closes in reverse. Everything is constructed
 * here and handed to what needs it.
 */

import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine, EngineEvent } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import { AppError, messageOf } from '@glasshouse/model';
import { embeddedTarget, remoteTarget, Store, StoreError } from '@glasshouse/store';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { clickhouseRoutes } from './api/clickhouse.ts';
import { controlRoutes } from './api/control.ts';
import { maintenanceRoutes } from './api/maintenance.ts';
import { sqlRoutes } from './api/sql.ts';
import { Access } from './control/access.ts';
import { AdminToken } from './control/admin-token.ts';
import { Maintenance } from './control/maintenance.ts';
import type { Listener } from './http/listen.ts';
import { listenHttp } from './http/listen.ts';
import type { OnError, Route } from './http/router.ts';
import { Router } from './http/router.ts';
import { Ingest } from './pipeline/ingest.ts';
import { Door } from './query/door.ts';
import { otlpGrpcServer } from './receivers/otlp-grpc.ts';
import { otlpHttpRoutes } from './receivers/otlp-http.ts';
import { statusRoutes } from './telemetry/status.ts';
import { Drain } from './wal/drain.ts';
import type { DrainEvent } from './wal/drain.ts';
import type { DirectoryLock } from './wal/lock.ts';
import { lockDirectory } from './wal/lock.ts';
import type { Recovered } from './wal/recover.ts';
import { recoverSegments } from './wal/recover.ts';
import { LogRoom } from './wal/room.ts';
import { syncDirectory } from './wal/segment.ts';

export interface App {
  readonly listeners: readonly Listener[];
  /** Convenience ports that another process has. */
  readonly skipped: readonly string[];
  close(): Promise<void>;
}

/** While the store is healthy, this many segments may wait for it before senders are slowed down. */
const MAX_BEHIND_SEGMENTS = 4;
const MAX_BEHIND_MS = 5_000;
const CLOSE_GRACE_MS = 5_000;
const UNSTORED_LOG_MS = 10_000;

/** Starts everything and resolves when it serves. */
export async function startApp(config: Config, log: Logger): Promise<App> {
  mkdirSync(walDirectory(config), { recursive: true, mode: 0o700 });
  // Before anything else: a second server must not touch the segments of the first.
  const lock = await lockDirectory(config.dataDir);
  try {
    syncDirectory(config.dataDir);
    return await openApp(config, log, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openApp(config: Config, log: Logger, lock: DirectoryLock): Promise<App> {
  const walDir = walDirectory(config);
  const engine = config.storeUrl === undefined ? await openEngine(config, log) : undefined;
  const target = engine === undefined ? remoteTarget(config.storeUrl as string, config.storeCluster) : embeddedTarget(engine);
  const retentionDays = config.retentionDays || undefined;
  const store = Store.connect({ target, retentionDays });
  const migrated = migrate(store, log);
  // The embedded engine is there or we would not be here; a remote store may come later, and the log takes data until then.
  if (engine !== undefined) await migrated;

  const drain = new Drain({ store, now: Date.now, retentionDays, onEvent: (event) => logDrain(log, event) });
  engine?.onState((state) => state === 'ready' && drain.retryNow());
  const room = new LogRoom(
    {
      directory: walDir,
      maxBytes: config.walMaxBytes,
      reserveBytes: config.diskReserveBytes,
      maxBehindSegments: MAX_BEHIND_SEGMENTS,
      maxWaitMs: MAX_BEHIND_MS,
    },
    drain,
  );
  const recover = (): void => {
    const recovered = recoverSegments(walDir, drain.paths());
    logRecovered(log, recovered);
    drain.recover(recovered);
  };
  recover();
  const draining = drain.run();

  const ingest = new Ingest(
    {
      directory: walDir,
      node: nodeNumber(config.dataDir),
      maxBodyBytes: config.maxBodyBytes,
      maxJsonBytes: config.maxJsonBytes,
      maxSegmentRows: config.segmentRows,
      maxSegmentBytes: config.segmentBytes,
      retentionMs: config.retentionDays === 0 ? undefined : config.retentionDays * 86_400_000,
      maxAheadMs: config.maxAheadSeconds * 1000,
      maxInflightBytes: config.maxInflightBytes,
    },
    room,
    {
      onSealed: (segments) => drain.add(segments),
      onUnstored: onceIn(UNSTORED_LOG_MS, (reason) => log.error({ reason }, 'cannot write the log: requests are refused')),
      onLost: (cause) => {
        log.error({ err: cause }, 'the ingest worker ended, will start another');
        recover();
      },
    },
  );
  // An idle store gets what there is; a busy one lets the open segments grow, which makes its parts larger.
  const sealer = setInterval(() => {
    if (ingest.openRows > 0 && drain.wantsMore) ingest.seal();
  }, config.sealMs);

  const adminToken = AdminToken.open({ dataDir: config.dataDir, given: config.adminToken, random: randomBytes });
  const access = await Access.open({
    store,
    mode: config.auth,
    adminToken,
    now: Date.now,
    snapshotPath: join(config.dataDir, 'keys.json'),
    onStore: (up, reason) => (up ? log.info('the control plane reads from the store again') : log.warn({ reason }, 'the control plane cannot read from the store')),
  });
  const door = new Door({
    store,
    limits: {
      maxExecutionSeconds: config.queryMaxSeconds,
      maxMemoryBytes: config.queryMaxMemory,
      maxThreads: config.querySlots,
      maxResultBytes: config.queryMaxResult,
      concurrent: config.tenantQueries,
      waiting: config.tenantQueries * 10,
      waitMs: 10_000,
    },
    audit: (line) => log.info(line, 'query'),
    now: Date.now,
  });
  const maintenance = new Maintenance({
    store,
    backupDir: backupDirectory(config),
    flush: () => flush(ingest, drain),
    hold: () => drain.hold(),
    reload: () => access.refresh(),
    now: Date.now,
  });
  const { listeners, skipped, closeGrpc } = await listen(config, log, { ingest, access, door, maintenance, drain, room, store });

  return {
    listeners,
    skipped,
    close: async () => {
      await Promise.all([...listeners.map((listener) => listener.close(CLOSE_GRACE_MS)), within(closeGrpc(), CLOSE_GRACE_MS)]);
      clearInterval(sealer);
      // From here on everything acknowledged is in sealed segments; what the store doesn't take now it gets at the next start.
      await ingest.stop();
      await within(drainDry(drain), CLOSE_GRACE_MS);
      drain.stop();
      await within(draining, CLOSE_GRACE_MS);
      room.stop();
      access.close();
      await store.close();
      await engine?.stop();
      lock.release();
    },
  };
}

/** Brings the schema up to date, for as long as it takes. */
async function migrate(store: Store, log: Logger): Promise<void> {
  for (let delayMs = 500; ; delayMs = Math.min(delayMs * 2, 30_000)) {
    try {
      const ran = await store.migrate();
      if (ran.length > 0) log.info({ migrations: ran }, 'migrated the store');
      return;
    } catch (error) {
      if (!(error instanceof StoreError) || error.number !== 0) throw error;
      log.warn({ err: error }, 'cannot migrate the store yet');
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}

function openEngine(config: Config, log: Logger): Promise<Engine> {
  return startEngine({
    dataDir: join(config.dataDir, 'engine'),
    backupDir: backupDirectory(config),
    maxMemoryBytes: config.engineMaxMemory,
    querySlots: config.querySlots,
    maxExecutionSeconds: config.queryMaxSeconds,
    onEvent: (event) => logEngine(log, event),
  });
}

function backupDirectory(config: Config): string {
  return join(config.dataDir, 'backup');
}

/** Resolves when everything that was acknowledged before the call is in the store. */
async function flush(ingest: Ingest, drain: Drain): Promise<void> {
  ingest.seal();
  while (ingest.openRows > 0 && drain.backlogSegments === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const paths = drain.paths();
  while ([...paths].some((path) => drain.paths().has(path))) await drain.progress();
}

/** A 16-bit number of this data directory, which keeps its segment ids apart from those of other servers. */
function nodeNumber(dataDir: string): number {
  const path = join(dataDir, 'node-number');
  if (!existsSync(path)) writeFileSync(path, String(randomInt(0x1_0000)), { mode: 0o600 });
  return Number(readFileSync(path, 'utf8'));
}

interface Served {
  readonly ingest: Ingest;
  readonly access: Access;
  readonly door: Door;
  readonly maintenance: Maintenance;
  readonly drain: Drain;
  readonly room: LogRoom;
  readonly store: Store;
}

async function listen(
  config: Config,
  log: Logger,
  parts: Served,
): Promise<{ listeners: Listener[]; skipped: string[]; closeGrpc: () => Promise<void> }> {
  const { ingest: sink, access: principals, door, maintenance } = parts;
  const onError: OnError = ({ request, path }, error) => {
    // A sender that is told to come again is counted where that is decided; there may be thousands in a second.
    if (error.kind.retryable) return;
    log.error({ err: error, method: request.method, path }, 'a request failed');
  };
  const common = statusRoutes(parts);
  const otlp = otlpHttpRoutes({ sink, principals, maxBodyBytes: config.maxBodyBytes, maxJsonBytes: config.maxJsonBytes });
  const clickhouse = clickhouseRoutes(door, principals);
  const everything = [...otlp, ...sqlRoutes(door, principals), ...clickhouse, ...controlRoutes(principals, Date.now), ...maintenanceRoutes(maintenance, principals)];
  const grpc = otlpGrpcServer({ sink, principals, maxBodyBytes: config.maxBodyBytes });
  const router = (routes: Route[]): Router => new Router([...common, ...routes], onError);

  const grpcInjector = grpc.createConnectionInjector((await import('@grpc/grpc-js')).ServerCredentials.createInsecure());
  const listeners = [
    await listenHttp('main', config.host, config.port, router(everything).listener, (socket) => grpcInjector.injectConnection(socket)),
  ];
  const skipped: string[] = [];
  const convenience = async (name: string, open: () => Promise<Listener>): Promise<void> => {
    try {
      listeners.push(await open());
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'conflict') throw error;
      log.warn({ listener: name }, messageOf(error));
      skipped.push(messageOf(error));
    }
  };
  await convenience('otlp-http', () => listenHttp('otlp-http', config.host, config.otlpHttpPort, router(otlp).listener));
  await convenience('otlp-grpc', () =>
    listenHttp('otlp-grpc', config.host, config.otlpGrpcPort, router([]).listener, (socket) =>
      grpcInjector.injectConnection(socket),
    ),
  );
  await convenience('clickhouse', () =>
    listenHttp('clickhouse', config.host, config.clickhousePort, router(clickhouse).listener),
  );
  return { listeners, skipped, closeGrpc: () => new Promise((resolve) => grpc.tryShutdown(() => resolve())) };
}

/** Resolves when the store has taken what is left, or has stopped taking. */
async function drainDry(drain: Drain): Promise<void> {
  while (drain.behindSegments > 0 && drain.healthy) await drain.progress();
}

/** Calls `report` at most once in an interval, so that a fault that hits every request does not fill the server's log. */
function onceIn(intervalMs: number, report: (reason: string) => void): (reason: string) => void {
  let quietUntilMs = 0;
  return (reason) => {
    if (Date.now() < quietUntilMs) return;
    quietUntilMs = Date.now() + intervalMs;
    report(reason);
  };
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

function logRecovered(log: Logger, { torn, damaged, failed }: Recovered): void {
  for (const { path, bytes } of torn) log.warn({ path, bytes }, 'cut the torn tail of a segment');
  for (const damage of damaged) log.error(damage, 'a segment is damaged: acknowledged rows may be lost');
  for (const { path, error } of failed) log.error({ path, err: error }, 'cannot recover a segment, will try at the next start');
}

function logDrain(log: Logger, event: DrainEvent): void {
  const { table, path, rows } = event.segment;
  switch (event.type) {
    case 'failed':
      log.warn({ table, path, attempt: event.attempt, err: event.error }, 'the store did not take a segment, will try again');
      return;
    case 'quarantined':
      log.error({ table, path: event.path, rows, reason: event.error }, 'put a segment aside that the store refuses');
      return;
    case 'vanished':
      log.error({ table, path, rows, err: event.error }, 'a segment is gone that was not handed over');
      return;
    case 'replayed':
      log.info({ table, path, rows, missingDays: event.missingDays }, 'handed over a segment whose state was unknown');
      return;
  }
}

function logEngine(log: Logger, event: EngineEvent): void {
  if (event.type === 'ready') log.info(event, 'the engine is ready');
  else if (event.type === 'exited' && event.code === 0) log.info(event, 'the engine ended');
  else log.warn(event, 'the engine is not well');
}
