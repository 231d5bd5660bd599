/**
 * Which routes each listener has, and opening them all. The main port has everything, gRPC too; the others are where clients
 * look for one protocol, and the server does without one whose port is taken.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { ServerCredentials } from '@grpc/grpc-js';
import { AppError, messageOf } from '@glasshouse/model';
import type { Store } from '@glasshouse/store';
import type { Logger } from 'pino';
import { auditRoutes } from './api/audit.ts';
import { audited } from './api/audited.ts';
import { clickhouseRoutes } from './api/clickhouse.ts';
import { controlRoutes } from './api/control.ts';
import { maintenanceRoutes } from './api/maintenance.ts';
import { priceRoutes } from './api/prices.ts';
import { quotaRoutes } from './api/quotas.ts';
import { mirrorRoutes } from './api/mirror.ts';
import { redactionRoutes } from './api/redaction.ts';
import { sourceRoutes } from './api/sources.ts';
import { sqlRoutes } from './api/sql.ts';
import { SdkKeys } from './api/observa/keys.ts';
import { observaRoutes } from './api/observa/routes.ts';
import { pipeRoutes } from './api/tinybird/pipe-routes.ts';
import type { TinybirdParts } from './api/tinybird/routes.ts';
import { tinybirdRoutes } from './api/tinybird/routes.ts';
import { workspaceCallers } from './api/tinybird/sql-callers.ts';
import type { Config } from './config.ts';
import type { Access } from './control/access.ts';
import type { Audit } from './control/audit.ts';
import type { Maintenance } from './control/maintenance.ts';
import type { Quotas } from './control/quotas.ts';
import type { RedactionPolicies } from './control/redaction.ts';
import { Users } from './control/users.ts';
import { loopbackHostOnly } from './http/host.ts';
import type { Listener } from './http/listen.ts';
import { listenHttp } from './http/listen.ts';
import type { OnError, Route } from './http/router.ts';
import { Router } from './http/router.ts';
import type { Ingest } from './pipeline/ingest.ts';
import type { OpenPipes } from './platform/endpoints-open.ts';
import { openPipes } from './platform/endpoints-open.ts';
import { Imports } from './platform/import.ts';
import { Spool } from './platform/import-spool.ts';
import { WorkspaceNames } from './platform/workspace-names.ts';
import type { Door } from './query/door.ts';
import { appendBothTo, appendTo } from './receivers/append.ts';
import { eventsRoutes } from './receivers/events.ts';
import type { OpenPrices } from './prices.ts';
import { otlpGrpcServer } from './receivers/otlp-grpc.ts';
import { otlpHttpRoutes } from './receivers/otlp-http.ts';
import { statusRoutes } from './telemetry/status.ts';
import type { Drain } from './wal/drain.ts';
import type { OpenRollOut } from './roll-out.ts';
import type { LogRoom } from './wal/room.ts';
import type { OpenWorkspaces } from './workspaces.ts';

/** What the routes lead to. */
export interface Served extends OpenWorkspaces {
  readonly ingest: Ingest;
  readonly access: Access;
  readonly audit: Audit;
  readonly quotas: Quotas;
  readonly redaction: RedactionPolicies;
  readonly door: Door;
  readonly maintenance: Maintenance;
  readonly drain: Drain;
  readonly room: LogRoom;
  readonly store: Store;
  readonly prices: OpenPrices;
  readonly rollOut: OpenRollOut;
  /** Resolves when everything acknowledged so far is in the store. */
  readonly flush: () => Promise<void>;
}

export interface Serving {
  readonly listeners: readonly Listener[];
  /** What the main port serves. */
  readonly routes: readonly Pick<Route, 'method' | 'path'>[];
  /** Convenience ports that another process has, as sentences. */
  readonly skipped: readonly string[];
  /** Takes nothing new and resolves when the open requests are answered. */
  close(graceMs: number): Promise<void>;
}

/** Opens all listeners. Rejects with `conflict` if the main port is taken. */
export async function serve(config: Config, log: Logger, parts: Served): Promise<Serving> {
  const { ingest: sink, access, audit, quotas, door, maintenance } = parts;
  const { host, maxBodyBytes, maxJsonBytes } = config;
  const common = statusRoutes(parts);
  const { credentials } = parts.platform;
  const router = (...routes: Route[][]): RequestListener => {
    const recorded = audited([...common, ...routes.flat()], { audit, credentials, keys: access.keys });
    const { listener } = new Router(recorded, onError(log));
    return config.auth === 'open' ? loopbackHostOnly(listener) : listener;
  };
  const otlp = otlpHttpRoutes({ sink, principals: access, quotas, maxBodyBytes, maxJsonBytes });
  const events = eventsRoutes({
    sink,
    platform: parts.platform,
    quotas,
    outcomes: parts.outcomes,
    batches: parts.batches,
    switches: parts.rollOut.switches,
    hurry: () => sink.seal(),
    maxBodyBytes: config.maxEventsBytes,
  });
  const pipes = openPipesOf(config, log, parts);
  const clickhouse = clickhouseRoutes(door, access, (tenant, text) => pipes.endpoints.whole(tenant, text));
  const sql = sqlRoutes(door, access, workspaceCallers(parts.platform, pipes.endpoints));
  const tinybird = [
    ...tinybirdRoutes(tinybirdParts(config, parts)),
    ...pipeRoutes({ ...pipes, platform: parts.platform, door, now: Date.now }),
    ...events,
    ...sql,
  ];
  const sdkKeys = new SdkKeys({ access, platform: parts.platform, random: randomBytes, now: Date.now });
  const everything = [
    ...otlp,
    ...tinybird,
    ...clickhouse,
    ...controlRoutes(access, Date.now, sdkKeys),
    ...maintenanceRoutes(maintenance, access, audit.end),
    ...priceRoutes({ ...parts.prices, door, credentials: parts.platform.credentials, now: Date.now }),
    ...auditRoutes({ audit, credentials, now: Date.now }),
    ...quotaRoutes({ quotas, credentials }),
    ...redactionRoutes({ redaction: parts.redaction, credentials }),
    ...mirrorRoutes({ ...parts.rollOut, credentials }),
    ...sourceRoutes({ ...parts.rollOut, credentials }),
    ...observaRoutes({
      keys: sdkKeys,
      access,
      platform: parts.platform,
      append: appendTo(sink),
      appendBoth: appendBothTo(sink),
      switches: parts.rollOut.switches,
      quotas,
      rows: (sql, options) => parts.store.rows(sql, options),
      users: new Users({ store: parts.store, now: Date.now, onChange: audit.changed }),
      announce: audit.announce,
      sessionSecret: () => parts.key.derived('sessions').toString('hex'),
      mayAllSignUp: config.signup === 'open',
      isOpen: config.auth === 'open',
      now: Date.now,
    }),
  ];
  const grpc = otlpGrpcServer({ sink, principals: access, quotas, maxBodyBytes });
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const toGrpc = injector.injectConnection.bind(injector);

  const listeners = [await listenHttp('main', host, config.port, router(everything), toGrpc)];
  const skipped: string[] = [];
  const convenience = [
    () => listenHttp('otlp-http', host, config.otlpHttpPort, router(otlp)),
    () => listenHttp('otlp-grpc', host, config.otlpGrpcPort, router(), toGrpc),
    () => listenHttp('clickhouse', host, config.clickhousePort, router(clickhouse)),
    () => listenHttp('tinybird', host, config.tinybirdPort, router(tinybird)),
  ];
  for (const open of convenience) {
    try {
      listeners.push(await open());
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'conflict') throw error;
      log.warn(messageOf(error));
      skipped.push(messageOf(error));
    }
  }
  return {
    listeners,
    routes: [...common, ...everything],
    skipped,
    close: async (graceMs) => {
      const closeGrpc = new Promise<void>((resolve) => grpc.tryShutdown(() => resolve()));
      const late = new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref());
      await Promise.all([...listeners.map((listener) => listener.close(graceMs)), Promise.race([closeGrpc, late])]);
      await pipes.close();
    },
  };
}

function openPipesOf(config: Config, log: Logger, parts: Served): OpenPipes {
  const { platform, tables, store, door, judges, builtIn, materializer, ingest: sink } = parts;
  const append = appendTo(sink);
  return openPipes({
    platform,
    tables,
    store,
    door,
    judges,
    builtIn,
    materializer,
    secrets: (tenant) => platform.secrets.values(tenant),
    append: async (tenant, dataSource, lines) => {
      await append({ tenant, dataSource, importId: randomUUID(), filter: '' }, Buffer.from(lines));
    },
    dataDir: config.dataDir,
    now: Date.now,
    onFailed: (failed) => log.warn(failed, 'a schedule was not kept'),
  });
}

/** How long a server that a URL names may say nothing. */
const IMPORT_IDLE_MS = 30_000;

/** Longest statement that is put in neat lines, as it stands in an address: parameters go there, and the engine takes no longer one. */
const MAX_FORMATTED = 11_000;

function tinybirdParts(config: Config, parts: Served): TinybirdParts {
  const { platform, tables, loads, outcomes, ingest: sink, access, store, flush } = parts;
  const spool = new Spool({
    directory: join(config.dataDir, 'imports'),
    maxBytes: config.importMaxBytes,
    reserveBytes: config.diskReserveBytes,
  });
  const imports = new Imports({
    registry: platform.registry,
    jobs: platform.jobs,
    tables,
    loads,
    outcomes,
    append: appendTo(sink),
    quotas: parts.quotas,
    hurry: () => sink.seal(),
    flush,
    spool,
    fetch: {
      allow: config.importAllow,
      maxBytes: config.importMaxBytes,
      maxMs: config.importMaxSeconds * 1000,
      idleMs: IMPORT_IDLE_MS,
    },
    rowBytes: config.maxEventsBytes,
    maxBytes: config.importMaxBytes,
    now: Date.now,
  });
  return {
    platform,
    imports,
    workspaces: new WorkspaceNames({ store: parts.control, tenants: access.tenants, platform, now: Date.now }),
    maxImportBytes: config.importMaxBytes,
    isLocal: config.auth === 'open',
    format: async (sql) => {
      if (encodeURIComponent(sql).length > MAX_FORMATTED) return sql;
      const [row] = await store.rows<{ q: string }>('SELECT formatQuery({sql:String}) AS q', { params: { sql } });
      return row?.q ?? sql;
    },
  };
}

function onError(log: Logger): OnError {
  return ({ request, path }, error) => {
    // A sender that is told to come again is counted where that is decided; there may be thousands in a second.
    if (error.kind.retryable) return;
    log.error({ err: error, method: request.method, path }, 'a request failed');
  };
}
