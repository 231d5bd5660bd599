/**
 * The server under test: the built product in a process of its own, on free ports and an empty data directory, reached only
 * as a user would reach it.
 */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const READY_MS = 30_000;
const STOP_MS = 60_000;
const POLL_MS = 10;

/** The answer of `/v0/sql`, as far as it is used here. */
export interface SqlAnswer<Row> {
  readonly data: readonly Row[];
  /** Seconds that the engine took of the whole. */
  readonly statistics: { readonly elapsed: number };
}

/** Ends with its scope, so that a section that fails leaves nothing running. */
export interface Server extends AsyncDisposable {
  readonly pid: number;
  readonly dataDir: string;
  /** The main port. */
  readonly port: number;
  /** Port of OTLP over HTTP. */
  readonly otlpPort: number;
  /** From the start of the process until it took data. */
  readonly readyMs: number;
  sql<Row>(query: string): Promise<readonly Row[]>;
  /** The same with what the server says about it. */
  ask<Row>(query: string): Promise<SqlAnswer<Row>>;
  /** A number of /metrics, summed over its labels. */
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

/** Starts the server in `dataDir` and resolves when it is ready. */
export async function startServer(dataDir: string, settings: Readonly<Record<string, string>> = {}): Promise<Server> {
  const [main, otlp, grpc, clickhouse, tinybird] = await freePorts(5);
  const startedAt = performance.now();
  const child = spawn(process.execPath, [join(ROOT, 'packages/server/dist/main.js')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      GLASSHOUSE_LOG_LEVEL: 'warn',
      ...settings,
      GLASSHOUSE_DATA_DIR: dataDir,
      GLASSHOUSE_PORT: String(main),
      GLASSHOUSE_OTLP_HTTP_PORT: String(otlp),
      GLASSHOUSE_OTLP_GRPC_PORT: String(grpc),
      GLASSHOUSE_CLICKHOUSE_PORT: String(clickhouse),
      GLASSHOUSE_TINYBIRD_PORT: String(tinybird),
    },
  });
  const base = `http://127.0.0.1:${main}`;
  try {
    await untilReady(child, base);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return {
    pid: child.pid ?? 0,
    dataDir,
    port: main ?? 0,
    otlpPort: otlp ?? 0,
    readyMs: performance.now() - startedAt,
    sql: async <Row>(query: string) => (await ask<Row>(base, query)).data,
    ask: (query) => ask(base, query),
    metric: (name) => readMetric(base, name),
    stop: () => stop(child),
    [Symbol.asyncDispose]: () => stop(child),
  };
}

async function untilReady(child: ChildProcess, base: string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const response = await fetch(`${base}/ready`).catch(() => undefined);
    await response?.arrayBuffer();
    if (response?.ok === true) return;
    if (child.exitCode !== null) throw new Error(`cannot start the server: it ended with ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error(`cannot start the server: it was not ready within ${READY_MS} ms`);
    await pause(POLL_MS);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const overdue = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(overdue);
}

async function ask<Row>(base: string, query: string): Promise<SqlAnswer<Row>> {
  const response = await fetch(`${base}/v0/sql`, { method: 'POST', body: query });
  const text = await response.text();
  if (!response.ok) throw new Error(`cannot query ${query}: ${response.status} ${text.slice(0, 300)}`);
  return JSON.parse(text) as SqlAnswer<Row>;
}

async function readMetric(base: string, name: string): Promise<number> {
  const text = await (await fetch(`${base}/metrics`)).text();
  const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
  if (values.length === 0) throw new Error(`cannot read metric=${name}: the server does not have it`);
  return values.reduce((sum, match) => sum + Number(match[1]), 0);
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
