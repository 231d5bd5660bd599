/**
 * The composition root: opens storage, then ingest, then queries, then serves; closes in reverse. Everything is constructed
 * here and handed to what needs it.
 */

import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine, EngineEvent } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import { AppError, messageOf } from '@glasshouse/model';
import { embeddedTarget, remoteTarget, Store } from '@glasshouse/store';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { Principals } from './control/principals.ts';
import type { Listener } from './http/listen.ts';
import { listenHttp } from './http/listen.ts';
import type { OnError, Route } from './http/router.ts';
import { Router } from './http/router.ts';
import { Ingest } from './pipeline/ingest.ts';
import { otlpGrpcServer } from './receivers/otlp-grpc.ts';
import { otlpHttpRoutes } from './receivers/otlp-http.ts';
import { statusRoutes } from './telemetry/status.ts';
import { Drain } from './wal/drain.ts';
import type { DrainEvent } from './wal/drain.ts';
import { recoverSegments } from './wal/recover.ts';
import { LogRoom } from './wal/room.ts';

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

/** Starts everything and resolves when it serves. */
export async function startApp(config: Config, log: Logger): Promise<App> {
  const walDir = join(config.dataDir, 'wal');
  mkdirSync(walDir, { recursive: true, mode: 0o700 });

  const engine = config.storeUrl === undefined ? await openEngine(config, log) : undefined;
  const target = engine === undefined ? remoteTarget(config.storeUrl as string, config.storeCluster) : embeddedTarget(engine);
  const store = await Store.open({ target, retentionDays: config.retentionDays || undefined });

  const drain = new Drain({ store, now: Date.now, onEvent: (event) => logDrain(log, event) });
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
  const recovered = recoverSegments(walDir);
  for (const { path, bytes } of recovered.torn) log.warn({ path, bytes }, 'cut the torn tail of a segment');
  drain.add(recovered.segments, true);
  const draining = drain.run();

  const ingest = new Ingest(
    {
      directory: walDir,
      node: nodeNumber(config.dataDir),
      maxBodyBytes: config.maxBodyBytes,
      maxSegmentRows: config.segmentRows,
      maxSegmentBytes: config.segmentBytes,
      retentionMs: config.retentionDays === 0 ? undefined : config.retentionDays * 86_400_000,
      maxAheadMs: config.maxAheadSeconds * 1000,
      maxInflightBytes: config.maxInflightBytes,
    },
    room,
    (segments) => drain.add(segments),
  );
  // An idle store gets what there is; a busy one lets the open segments grow, which makes its parts larger.
  const sealer = setInterval(() => {
    if (ingest.openRows > 0 && drain.backlogSegments === 0) ingest.seal();
  }, config.sealMs);

  const principals: Principals = openPrincipals();
  const { listeners, skipped, closeGrpc } = await listen(config, log, { ingest, principals, drain, room, store });

  return {
    listeners,
    skipped,
    close: async () => {
      await Promise.all([...listeners.map((listener) => listener.close(CLOSE_GRACE_MS)), closeGrpc()]);
      clearInterval(sealer);
      await ingest.stop();
      await drainDry(drain);
      drain.stop();
      await draining;
      room.stop();
      await store.close();
      await engine?.stop();
    },
  };
}

function openPrincipals(): Principals {
  return {
    resolve: () => ({
      placement: { tenant: 'default', project: 'default', environment: 'dev' },
      scopes: ['ingest', 'query'],
      keyId: 'open',
    }),
  };
}

function openEngine(config: Config, log: Logger): Promise<Engine> {
  return startEngine({
    dataDir: join(config.dataDir, 'engine'),
    backupDir: join(config.dataDir, 'backup'),
    maxMemoryBytes: config.engineMaxMemory,
    querySlots: config.querySlots,
    maxExecutionSeconds: config.queryMaxSeconds,
    onEvent: (event) => logEngine(log, event),
  });
}

/** A 16-bit number of this data directory, which keeps its segment ids apart from those of other servers. */
function nodeNumber(dataDir: string): number {
  const path = join(dataDir, 'node-number');
  if (!existsSync(path)) writeFileSync(path, String(randomInt(0x1_0000)), { mode: 0o600 });
  return Number(readFileSync(path, 'utf8'));
}

interface Served {
  readonly ingest: Ingest;
  readonly principals: Principals;
  readonly drain: Drain;
  readonly room: LogRoom;
  readonly store: Store;
}

async function listen(
  config: Config,
  log: Logger,
  parts: Served,
): Promise<{ listeners: Listener[]; skipped: string[]; closeGrpc: () => Promise<void> }> {
  const { ingest: sink, principals } = parts;
  const onError: OnError = ({ request, path }, error) =>
    log.error({ err: error, method: request.method, path }, 'a request failed');
  const common = statusRoutes(parts);
  const otlp = otlpHttpRoutes({ sink, principals, maxBodyBytes: config.maxBodyBytes, maxJsonBytes: config.maxJsonBytes });
  const grpc = otlpGrpcServer({ sink, principals, maxBodyBytes: config.maxBodyBytes });
  const router = (routes: Route[]): Router => new Router([...common, ...routes], onError);

  const grpcInjector = grpc.createConnectionInjector((await import('@grpc/grpc-js')).ServerCredentials.createInsecure());
  const listeners = [
    await listenHttp('main', config.host, config.port, router(otlp).listener, (socket) => grpcInjector.injectConnection(socket)),
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
  return { listeners, skipped, closeGrpc: () => new Promise((resolve) => grpc.tryShutdown(() => resolve())) };
}

/** Gives the store a while to take what is left; what it doesn't take stays in the log for the next start. */
async function drainDry(drain: Drain): Promise<void> {
  const deadline = Date.now() + CLOSE_GRACE_MS;
  while (drain.backlogSegments > 0 && drain.healthy && Date.now() < deadline) await drain.progress();
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
    case 'replayed':
      log.info({ table, path, rows, missingDays: event.missingDays }, 'handed over a segment whose state was unknown');
      return;
  }
}

function logEngine(log: Logger, event: EngineEvent): void {
  if (event.type === 'ready') log.info(event, 'the engine is ready');
  else log.warn(event, 'the engine is not well');
}
