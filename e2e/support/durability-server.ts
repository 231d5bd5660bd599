/**
 * A server for tests that kill it: the built product on a data directory that outlives it, with the process ids of both
 * processes, and everything that is needed to hit them at a chosen moment. Separate from the other suites' harness because
 * here nothing may be stopped in order, and nothing about a killed process may be waited for.
 *
 * Must stay true: no process of a world survives `end`, whatever the test did to it.
 */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const ENTRY = join(import.meta.dirname, '../../packages/server/dist/main.js');
const START_MS = 60_000;
const LOG_LINES = 60;

type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string };

/** A running server with its engine. */
export class KillableServer {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #exited: Promise<unknown>;
  #enginePid = 0;
  #port = 0;

  private constructor(dataDir: string, env: Readonly<Record<string, string>>) {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(GLASSHOUSE|VITEST|OTEL)_/.test(name));
    this.#child = spawn(process.execPath, [ENTRY], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...Object.fromEntries(inherited),
        GLASSHOUSE_DATA_DIR: dataDir,
        GLASSHOUSE_PORT: '0',
        GLASSHOUSE_OTLP_HTTP_PORT: '0',
        GLASSHOUSE_OTLP_GRPC_PORT: '0',
        GLASSHOUSE_CLICKHOUSE_PORT: '0',
        GLASSHOUSE_TINYBIRD_PORT: '0',
        ...env,
      },
    });
    this.#exited = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface(stream).on('line', (line) => this.#read(line));
    }
  }

  /** Starts a server and resolves when it serves. */
  static async start(dataDir: string, env: Readonly<Record<string, string>>): Promise<KillableServer> {
    const server = new KillableServer(dataDir, env);
    const deadline = Date.now() + START_MS;
    while (server.#port === 0) {
      if (!server.isRunning || Date.now() > deadline) {
        await server.end();
        throw new Error(`cannot start the server: it did not become ready\n${server.logs()}`);
      }
      await pause(10);
    }
    return server;
  }

  #read(text: string): void {
    this.#lines.push(text);
    if (this.#lines.length > 2 * LOG_LINES) this.#lines.splice(0, LOG_LINES);
    if (!text.startsWith('{')) return;
    const line = JSON.parse(text) as LogLine;
    if (line.msg === 'the engine is ready') this.#enginePid = line['pid'] as number;
    if (line.msg === 'ready') {
      const listeners = line['listeners'] as { name: string; port: number }[];
      this.#port = listeners.find(({ name }) => name === 'main')?.port ?? 0;
    }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The engine's process at present; it has another id after each restart. */
  get enginePid(): number {
    return this.#enginePid;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  logs(): string {
    return this.#lines.slice(-LOG_LINES).join('\n');
  }

  /** Sends a signal to a process, which may be gone already. */
  signal(target: 'server' | 'engine', signal: NodeJS.Signals): void {
    const pid = target === 'server' ? this.pid : this.#enginePid;
    try {
      if (pid > 0) process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Resolves with exit code and signal when the server's process has ended. */
  async exited(): Promise<{ code: number | null; signal: string | null }> {
    await this.#exited;
    return { code: this.#child.exitCode, signal: this.#child.signalCode };
  }

  /** Ends both processes without warning. */
  async end(): Promise<void> {
    if (!this.isRunning) return;
    // A stopped process takes no notice of anything but this.
    this.signal('engine', 'SIGKILL');
    this.signal('server', 'SIGKILL');
    await this.#exited;
  }

  /** A number of /metrics. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const value = new RegExp(`^glasshouse_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`cannot read METRIC=${name}: there is none of this name`);
    return Number(value);
  }

  /** The rows of a query. */
  async sql<Row>(query: string): Promise<Row[]> {
    const url = `${this.url}/v0/sql?format=jsonl&q=${encodeURIComponent(query)}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`cannot query: ${response.status} ${text}`);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Row);
  }

  /** Resolves when the store takes what comes, and little waits for it; also under load. */
  async caughtUp(withinMs = 60_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const isHealthy = (await this.metric('drain_healthy')) === 1;
      if (isHealthy && (await this.metric('wal_backlog_segments')) <= 1) return;
      if (Date.now() > deadline) throw new Error(`cannot see the store catch up after ${withinMs} ms\n${this.logs()}`);
      await pause(25);
    }
  }

  /** Resolves when everything acknowledged is handed over. */
  async drained(withinMs = 60_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const left = (await this.metric('wal_open_rows')) + (await this.metric('wal_backlog_segments'));
      if (left === 0) return;
      if (Date.now() > deadline) throw new Error(`cannot see the log empty after ${withinMs} ms\n${this.logs()}`);
      await pause(25);
    }
  }
}
