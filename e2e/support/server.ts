/**
 * The server under test: the built product in a process of its own, on free ports and an empty data directory, reached only
 * as a user would reach it. Every suite of this folder starts from here.
 *
 * Must stay true: whoever starts a server stops it, and nothing of it is left behind.
 */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach } from 'vitest';
import { parseExact } from './json.ts';

const ROOT = join(import.meta.dirname, '../..');
const ENTRY = join(ROOT, 'packages/server/dist/main.js');
const READY_MS = 60_000;
const STOP_MS = 30_000;
/** How long rows may take to become visible before a test gives up; far more than they need. */
const VISIBLE_MS = 30_000;
const POLL_MS = 20;
const LOG_LINES = 80;

export interface ServerOptions {
  /** Environment variables beside the ports and the data directory. */
  readonly env?: Readonly<Record<string, string>>;
  /** A data directory that outlives the server; without it one is made and removed with the server. */
  readonly dataDir?: string;
}

export interface Ports {
  readonly main: number;
  readonly otlpHttp: number;
  readonly otlpGrpc: number;
  readonly clickhouse: number;
  /** Where tools look for a local server of the data platform. */
  readonly tinybird: number;
}

/** A row as `/v0/sql` answers it; integers that a number cannot hold are bigints. */
export type Row = Readonly<Record<string, unknown>>;

export interface Server {
  readonly pid: number;
  readonly ports: Ports;
  /** Of the main port. */
  readonly url: string;
  readonly dataDir: string;
  readonly adminToken: string;
  /** The rows of a query. Rejects with the server's message if it is refused. */
  sql(query: string, key?: string): Promise<readonly Row[]>;
  /** Asks until there are `count` rows or more, or far too much time has passed; answers what there is then. */
  rows(query: string, count: number, key?: string): Promise<readonly Row[]>;
  /** A number of /metrics, summed over its labels. */
  metric(name: string): Promise<number>;
  /** The last lines that the server wrote. */
  logs(): string;
  /** Ends the server in order. */
  stop(): Promise<void>;
  /** Ends the server without warning. */
  kill(): Promise<void>;
}

/** Starts the built server and resolves when it is ready. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  if (!existsSync(ENTRY)) throw new Error(`cannot start the server: ${ENTRY} is missing; run npm run build`);
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'glasshouse-e2e-')));
  const child = spawn(process.execPath, [ENTRY], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...cleanEnvironment(),
      GLASSHOUSE_DATA_DIR: dataDir,
      GLASSHOUSE_PORT: '0',
      GLASSHOUSE_OTLP_HTTP_PORT: '0',
      GLASSHOUSE_OTLP_GRPC_PORT: '0',
      GLASSHOUSE_CLICKHOUSE_PORT: '0',
      GLASSHOUSE_TINYBIRD_PORT: '0',
      ...options.env,
    },
  });
  const lines: string[] = [];
  const logs = (): string => lines.slice(-LOG_LINES).join('\n');
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    await endProcess(child, signal);
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  let ports: Ports;
  try {
    ports = await portsOf(child, lines);
  } catch (error) {
    await end('SIGKILL');
    throw new Error(`cannot start the server: ${String(error)}\n${logs()}`, { cause: error });
  }
  const url = `http://127.0.0.1:${ports.main}`;
  const adminToken = (await readFile(join(dataDir, 'admin-token'), 'utf8').catch(() => '')).trim();
  const sql = (query: string, key?: string): Promise<readonly Row[]> => ask(url, query, key);
  return {
    pid: child.pid ?? 0,
    ports,
    url,
    dataDir,
    adminToken: adminToken === '' ? (options.env?.['GLASSHOUSE_ADMIN_TOKEN'] ?? '') : adminToken,
    sql,
    rows: (query, count, key) => poll(() => sql(query, key), count),
    metric: (name) => readMetric(url, name),
    logs,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

/** After a test that failed, shows what the server wrote. */
export function showLogsOfFailures(server: () => Server | undefined): void {
  afterEach(({ task }) => {
    if (task.result?.state === 'fail')
      process.stderr.write(`server log before "${task.name}" failed:\n${server()?.logs()}\n`);
  });
}

/** Nothing of the developer's own settings may reach the server or the clients. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(GLASSHOUSE|OTEL|VITEST)_/.test(name)));
}

/** The ports, from the log line that says that all listeners are open. */
async function portsOf(child: ChildProcess, lines: string[]): Promise<Ports> {
  if (child.stdout === null || child.stderr === null) throw new Error('it has no output');
  child.stderr.setEncoding('utf8').on('data', (text: string) => lines.push(text.trimEnd()));
  const output = createInterface({ input: child.stdout });
  const ready = new Promise<Ports>((resolve) => {
    output.on('line', (line) => {
      lines.push(line);
      if (lines.length > LOG_LINES * 10) lines.splice(0, lines.length - LOG_LINES);
      if (!line.includes('"msg":"ready"')) return;
      const { listeners } = JSON.parse(line) as { listeners: readonly { name: string; port: number }[] };
      const port = (name: string): number => listeners.find((listener) => listener.name === name)?.port ?? 0;
      resolve({
        main: port('main'),
        otlpHttp: port('otlp-http'),
        otlpGrpc: port('otlp-grpc'),
        clickhouse: port('clickhouse'),
        tinybird: port('tinybird'),
      });
    });
  });
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`it ended with ${String(code)}`)));
  const late = pause(READY_MS, undefined, { ref: false }).then(() =>
    Promise.reject(new Error(`it was not ready within ${READY_MS} ms`)),
  );
  late.catch(() => undefined);
  ended.catch(() => undefined);
  return Promise.race([ready, ended, late]);
}

async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  const overdue = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(overdue);
}

async function ask(url: string, query: string, key?: string): Promise<readonly Row[]> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(`${url}/v0/sql`, { method: 'POST', body: query, headers });
  const text = await response.text();
  if (!response.ok) throw new Error(`cannot query ${query}: ${response.status} ${text.slice(0, 500)}`);
  return (parseExact(text) as { data: readonly Row[] }).data;
}

async function poll(read: () => Promise<readonly Row[]>, count: number): Promise<readonly Row[]> {
  const deadline = Date.now() + VISIBLE_MS;
  for (;;) {
    const rows = await read();
    if (rows.length >= count || Date.now() > deadline) return rows;
    await pause(POLL_MS);
  }
}

async function readMetric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
  return values.reduce((sum, match) => sum + Number(match[1]), 0);
}
