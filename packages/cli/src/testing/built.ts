/**
 * The built command line against a built server, as a user runs them: in processes of their own, on free ports, in a data
 * directory that goes with them. Separate because several suites need one.
 *
 * Must stay true: whoever opens one closes it, and nothing of it is left behind.
 */

import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { main } from '../main.ts';
import type { TextSink } from '../output.ts';
import { Output } from '../output.ts';
import { readPidFile } from '../process.ts';

const PACKAGE = dirname(dirname(import.meta.dirname));
const ROOT = dirname(dirname(PACKAGE));
const BIN = join(PACKAGE, 'bin', 'glasshouse.js');

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export class BuiltCli {
  readonly dataDir: string;
  /** Of the main port. */
  readonly url: string;
  /** Of everything that is started. */
  readonly environment: NodeJS.ProcessEnv;
  private readonly children: ChildProcess[] = [];

  private constructor(dataDir: string, ports: readonly number[]) {
    const [port = 0, http = 0, grpc = 0, clickhouse = 0, tinybird = 0] = ports;
    this.dataDir = dataDir;
    this.url = `http://127.0.0.1:${port}`;
    this.environment = {
      PATH: process.env['PATH'],
      HOME: dirname(dataDir),
      GLASSHOUSE_DATA_DIR: dataDir,
      GLASSHOUSE_PORT: String(port),
      GLASSHOUSE_OTLP_HTTP_PORT: String(http),
      GLASSHOUSE_OTLP_GRPC_PORT: String(grpc),
      GLASSHOUSE_CLICKHOUSE_PORT: String(clickhouse),
      GLASSHOUSE_TINYBIRD_PORT: String(tinybird),
    };
  }

  /** Builds what is to be run. No server is started yet. Rejects with the compiler's complaints. */
  static async open(): Promise<BuiltCli> {
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const built = spawnSync(process.execPath, [tsc, '-b', 'packages/cli'], { cwd: ROOT, encoding: 'utf8' });
    if (built.status !== 0) throw new Error(`cannot build the command line:\n${built.stdout}${built.stderr}`);
    const folder = mkdtempSync(join(tmpdir(), 'glasshouse-cli-'));
    return new BuiltCli(join(folder, 'data'), await freePorts(5));
  }

  /** Ends what still runs and removes the data. */
  async close(): Promise<void> {
    for (const child of this.children) if (child.exitCode === null) child.kill('SIGKILL');
    if (readPidFile(this.dataDir)?.pid !== undefined) await this.run('stop');
    rmSync(dirname(this.dataDir), { recursive: true, force: true });
  }

  launch(argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn(process.execPath, [BIN, ...argv], {
      env: { ...this.environment, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.children.push(child);
    return child;
  }

  /** Runs a command line to its end. */
  run(...argv: string[]): Promise<Outcome> {
    return collect(this.launch(argv));
  }

  /** What a command says with --json. Rejects unless it succeeds. */
  async json<T>(...argv: string[]): Promise<T> {
    const { code, out, err } = await this.run(...argv, '--json');
    if (code !== 0) throw new Error(`glasshouse ${argv.join(' ')} ended with ${code}: ${err}${out}`);
    return JSON.parse(out) as T;
  }

  /**
   * Runs a command line in this process, on a terminal that isn't one; `typed` is what a person types, and `signal` that of
   * Ctrl-C.
   */
  async onTerminal(
    argv: readonly string[],
    typed = '',
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Outcome> {
    let [out, err] = ['', ''];
    const sink = (write: (text: string) => void): TextSink => ({
      isTTY: true,
      columns: 100,
      write: (data) => write(Buffer.from(data).toString()),
    });
    const input = Object.assign(new PassThrough(), { isTTY: true });
    input.end(typed);
    const env = { ...this.environment, NO_COLOR: '1' };
    const output = new Output(
      sink((text) => (out += text)),
      sink((text) => (err += text)),
      env,
    );
    const screen = new PassThrough();
    const code = await main(argv, { output, env, input, screen, now: Date.now, interruption: () => signal });
    return { code, out, err };
  }
}

/** What a process writes until it ends; it is given `input` to read. */
export function collect(child: ChildProcess, input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    let [out, err] = ['', ''];
    child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.stdin?.end(input);
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

/** Takes a port that nobody has. */
export async function listenSomewhere(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

async function freePorts(count: number): Promise<number[]> {
  const all = await Promise.all(Array.from({ length: count }, listenSomewhere));
  await Promise.all(all.map(({ server }) => new Promise((resolve) => server.close(resolve))));
  return all.map(({ port }) => port);
}
