/**
 * The configuration: every setting declared once, with its unit, its default and what it is for. This is the only file of
 * the server that reads the environment. The reference page is generated from it.
 *
 * Must stay true: the configuration is checked as a whole at the start and never changes afterwards.
 */

import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { AppError, messageOf } from '@glasshouse/model';
import type { Setting } from './setting.ts';
import { bytes, choice, hostList, integer, keyOf, optionalText, port, text } from './setting.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Every setting. The keys are the names in code, `name` is the environment variable. */
export const SETTINGS = {
  dataDir: text('GLASSHOUSE_DATA_DIR', './data', 'Directory of everything that is stored.'),
  host: text(
    'GLASSHOUSE_HOST',
    '127.0.0.1',
    'Address of all listeners. Anything but loopback needs GLASSHOUSE_AUTH=keys.',
  ),
  port: port('GLASSHOUSE_PORT', 3000, 'Main port: every protocol is served here, gRPC too.'),
  otlpHttpPort: port('GLASSHOUSE_OTLP_HTTP_PORT', 4318, 'OTLP over HTTP.'),
  otlpGrpcPort: port('GLASSHOUSE_OTLP_GRPC_PORT', 4317, 'OTLP over gRPC.'),
  clickhousePort: port('GLASSHOUSE_CLICKHOUSE_PORT', 8123, 'ClickHouse HTTP interface, read-only.'),
  tinybirdPort: port(
    'GLASSHOUSE_TINYBIRD_PORT',
    7181,
    'Interface of the data platform, where its tools look for a local server.',
  ),
  auth: choice(
    'GLASSHOUSE_AUTH',
    ['open', 'keys'],
    'open',
    'Whether a request needs an API key. `open` is for loopback only.',
  ),
  signup: choice(
    'GLASSHOUSE_SIGNUP',
    ['admin', 'open'],
    'admin',
    "Who may sign up by the routes of Observa's SDK where keys are asked for: its administrator, or everybody who reaches the server.",
  ),
  adminToken: optionalText(
    'GLASSHOUSE_ADMIN_TOKEN',
    'Admin token; without it one is made in DATA_DIR/admin-token.',
    true,
  ),
  tokenKey: keyOf(
    'GLASSHOUSE_TOKEN_KEY',
    'Key that the tokens of workspaces are made with, 64 hex digits; without it one is made in DATA_DIR/token-key. Servers that share a store need the same.',
  ),
  storeUrl: optionalText(
    'GLASSHOUSE_STORE_URL',
    'ClickHouse to use instead of the embedded engine: https://user:password@host:8443/database.',
    true,
  ),
  storeCluster: optionalText(
    'GLASSHOUSE_STORE_CLUSTER',
    'Name of the ClickHouse cluster, for replicated and distributed tables.',
  ),
  retentionDays: integer('GLASSHOUSE_RETENTION_DAYS', 90, 0, 3650, 'Days that telemetry is kept. 0 keeps it for good.'),
  auditDays: integer('GLASSHOUSE_AUDIT_DAYS', 400, 1, 36_500, 'Days that rows of the audit log are kept.'),
  logLevel: choice(
    'GLASSHOUSE_LOG_LEVEL',
    ['debug', 'info', 'warn', 'error'],
    'info',
    'Least severe log lines that are written.',
  ),
  maxBodyBytes: bytes(
    'GLASSHOUSE_MAX_BODY_SIZE',
    64 * MIB,
    '64MiB',
    'Largest OTLP request, before and after decompression.',
  ),
  eventsRequestsPerSecond: integer(
    'GLASSHOUSE_EVENTS_REQUESTS_PER_SECOND',
    1000,
    1,
    1_000_000,
    'Requests of the data platform that a token, or a data source, may take per second; then 429.',
  ),
  eventsBytesPerSecond: bytes(
    'GLASSHOUSE_EVENTS_BYTES_PER_SECOND',
    256 * MIB,
    '256MiB',
    'Bytes of events that a token, or a data source, may take per second; then 429.',
  ),
  maxEventsBytes: bytes(
    'GLASSHOUSE_MAX_EVENTS_BYTES',
    10 * MIB,
    '10MiB',
    'Largest body of the Events API, as it comes over the wire.',
  ),
  importMaxBytes: bytes(
    'GLASSHOUSE_IMPORT_MAX_SIZE',
    GIB,
    '1GiB',
    'Largest file that is imported, before and after unpacking.',
  ),
  importMaxSeconds: integer(
    'GLASSHOUSE_IMPORT_MAX_SECONDS',
    1_800,
    1,
    86_400,
    'Longest time for fetching a URL that is imported.',
  ),
  importAllow: hostList(
    'GLASSHOUSE_IMPORT_ALLOW',
    'Servers that URLs of imports may name although their addresses are not public: host:port, separated by commas.',
  ),
  mirrorAllow: hostList(
    'GLASSHOUSE_MIRROR_ALLOW',
    'Servers that mirrors may send to although their addresses are not public: host:port, separated by commas.',
  ),
  maxJsonBytes: bytes(
    'GLASSHOUSE_MAX_JSON_SIZE',
    20 * MIB,
    '20MiB',
    'Largest OTLP/JSON request, before and after decompression.',
  ),
  maxInflightBytes: bytes(
    'GLASSHOUSE_MAX_INFLIGHT_SIZE',
    256 * MIB,
    '256MiB',
    'Memory for request bodies that are being read or decoded.',
  ),
  maxAheadSeconds: integer(
    'GLASSHOUSE_MAX_AHEAD_SECONDS',
    86_400,
    0,
    31_536_000,
    'Items whose time is further in the future than this are refused.',
  ),
  walMaxBytes: bytes(
    'GLASSHOUSE_WAL_MAX_SIZE',
    8 * GIB,
    '8GiB',
    'Largest write-ahead log; at this size senders are told to come again.',
  ),
  diskReserveBytes: bytes(
    'GLASSHOUSE_DISK_RESERVE',
    512 * MIB,
    '512MiB',
    'With less free disk than this, senders are told to come again.',
  ),
  segmentRows: integer(
    'GLASSHOUSE_SEGMENT_ROWS',
    262_144,
    1_000,
    2_000_000,
    'Rows at which a segment of the log is handed to the store.',
  ),
  segmentBytes: bytes(
    'GLASSHOUSE_SEGMENT_SIZE',
    128 * MIB,
    '128MiB',
    'Size at which a segment of the log is handed to the store.',
  ),
  sealMs: integer('GLASSHOUSE_SEAL_MS', 250, 10, 60_000, 'Milliseconds after which data is handed to an idle store.'),
  queryMaxSeconds: integer('GLASSHOUSE_QUERY_MAX_SECONDS', 60, 1, 3600, 'Longest query.'),
  queryMaxMemory: bytes(
    'GLASSHOUSE_QUERY_MAX_MEMORY',
    Math.floor(totalmem() / 8),
    'an eighth of the memory',
    'Memory of one query.',
  ),
  queryMaxResult: bytes('GLASSHOUSE_QUERY_MAX_RESULT', 16 * GIB, '16GiB', 'Largest result of one query.'),
  tenantQueries: integer('GLASSHOUSE_TENANT_QUERIES', 8, 1, 256, 'Queries of one tenant that run at once; more wait.'),
  engineMaxMemory: bytes(
    'GLASSHOUSE_ENGINE_MAX_MEMORY',
    Math.floor(totalmem() / 2),
    'half of the memory',
    'Memory of the embedded engine.',
  ),
  querySlots: integer(
    'GLASSHOUSE_QUERY_SLOTS',
    Math.max(2, availableParallelism()),
    1,
    64,
    'Queries that run at once in the embedded engine.',
    'the number of processors, at least 2',
  ),
} satisfies Record<string, Setting<unknown>>;

export type Config = Readonly<{ [K in keyof typeof SETTINGS]: ReturnType<(typeof SETTINGS)[K]['parse']> }>;

/** Reads and checks the configuration. Throws AppError with every fault in it, one a line. */
export function readConfig(environment: Environment): Config {
  const values: Record<string, unknown> = {};
  const faults: string[] = [];
  for (const [key, setting] of Object.entries(SETTINGS) as [string, Setting<unknown>][]) {
    try {
      values[key] = setting.parse(valueOf(setting, environment));
    } catch (error) {
      faults.push(messageOf(error));
    }
  }
  if (faults.length > 0) throw new AppError('bad_request', faults.join('\n'));
  const config = { ...values, dataDir: resolve(values['dataDir'] as string) } as Config;
  checkExposure(config);
  return Object.freeze(config);
}

/** The value of the variable, or the contents of the file that its _FILE twin names. */
function valueOf(setting: Setting<unknown>, environment: Environment): string | undefined {
  const file = setting.secret === true ? environment[`${setting.name}_FILE`] : undefined;
  if (file === undefined || file === '') return environment[setting.name];
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new AppError('bad_request', `cannot read ${setting.name}_FILE=${file}: ${messageOf(cause)}`, { cause });
  }
}

/** The environment of this process. */
export function environment(): Environment {
  return process.env;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** Open authentication is only for listeners that nobody else can reach. */
function checkExposure(config: Config): void {
  if (config.auth === 'keys' || LOOPBACK.test(config.host)) return;
  throw new AppError(
    'bad_request',
    `cannot listen on GLASSHOUSE_HOST=${config.host} with GLASSHOUSE_AUTH=open: everybody who reaches this address could ` +
      'read and write all telemetry. Set GLASSHOUSE_AUTH=keys (make keys with `glasshouse keys create`), or listen on 127.0.0.1.',
  );
}
