/**
 * The built command line against a built server, as a user runs them: one server's life from start to stop. The tests follow
 * one another and share that server.
 */

import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TextSink } from './output.ts';
import { main } from './main.ts';
import { Output } from './output.ts';
import { readPidFile, runningServer } from './process.ts';

const PACKAGE = dirname(import.meta.dirname);
const ROOT = dirname(dirname(PACKAGE));
const BIN = join(PACKAGE, 'bin', 'glasshouse.js');

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let dataDir: string;
let environment: NodeJS.ProcessEnv;
let url: string;
const children: ChildProcess[] = [];

function launch(argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(process.execPath, [BIN, ...argv], {
    env: { ...environment, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  children.push(child);
  return child;
}

function collect(child: ChildProcess, input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    let [out, err] = ['', ''];
    child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.stdin?.end(input);
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

function glasshouse(...argv: string[]): Promise<Outcome> {
  return collect(launch(argv));
}

async function json<T>(...argv: string[]): Promise<T> {
  const { code, out, err } = await glasshouse(...argv, '--json');
  expect({ code, err, out: code === 0 ? '' : out }).toEqual({ code: 0, err: '', out: '' });
  return JSON.parse(out) as T;
}

async function listenSomewhere(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

async function freePorts(count: number): Promise<number[]> {
  const all = await Promise.all(Array.from({ length: count }, listenSomewhere));
  await Promise.all(all.map(({ server }) => new Promise((resolve) => server.close(resolve))));
  return all.map(({ port }) => port);
}

/** Runs a command line in this process, on a terminal that isn't one; `typed` is what a person types. */
async function onTerminal(argv: readonly string[], typed = ''): Promise<Outcome> {
  let [out, err] = ['', ''];
  const sink = (write: (text: string) => void): TextSink => ({
    isTTY: true,
    columns: 100,
    write: (data) => write(Buffer.from(data).toString()),
  });
  const input = Object.assign(new PassThrough(), { isTTY: true });
  input.end(typed);
  const env = { ...environment, NO_COLOR: '1' };
  const output = new Output(
    sink((text) => (out += text)),
    sink((text) => (err += text)),
    env,
  );
  const screen = new PassThrough();
  const code = await main(argv, {
    output,
    env,
    input,
    screen,
    now: Date.now,
    interruption: () => new AbortController().signal,
  });
  return { code, out, err };
}

beforeAll(async () => {
  const built = spawnSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', 'packages/cli'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect(built.stdout + built.stderr).toBe('');
  dataDir = join(mkdtempSync(join(tmpdir(), 'glasshouse-cli-')), 'data');
  const [port = 0, http = 0, grpc = 0, clickhouse = 0] = await freePorts(4);
  environment = {
    PATH: process.env['PATH'],
    HOME: dirname(dataDir),
    GLASSHOUSE_DATA_DIR: dataDir,
    GLASSHOUSE_PORT: String(port),
    GLASSHOUSE_OTLP_HTTP_PORT: String(http),
    GLASSHOUSE_OTLP_GRPC_PORT: String(grpc),
    GLASSHOUSE_CLICKHOUSE_PORT: String(clickhouse),
  };
  url = `http://127.0.0.1:${port}`;
}, 60_000);

afterAll(async () => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  const pid = readPidFile(dataDir)?.pid;
  if (pid !== undefined) await glasshouse('stop');
  rmSync(dirname(dataDir), { recursive: true, force: true });
}, 60_000);

describe('without a server', () => {
  test('--version prints the version alone', async () => {
    expect((await glasshouse('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('what needs a server says that there is none, with exit code 3', async () => {
    const outcomes = await Promise.all(
      ['status', 'sql', 'tail', 'send-test'].map((name) =>
        collect(launch(name === 'sql' ? [name, 'SELECT 1'] : [name])),
      ),
    );
    expect(outcomes.map(({ code }) => code)).toEqual([3, 3, 3, 3]);
  });

  test('stop has nothing to do', async () => {
    expect(await glasshouse('stop')).toMatchObject({ code: 0, out: `No server runs on ${dataDir}.\n` });
  });

  test('a taken main port ends the start with the reason', async () => {
    const { server, port } = await listenSomewhere();
    const { code, err } = await collect(launch(['start'], { GLASSHOUSE_PORT: String(port) }));
    server.close();
    expect(code).toBe(1);
    expect(err).toContain(`cannot listen on 127.0.0.1:${port} (main): another process has this port`);
    expect(existsSync(join(dataDir, 'glasshouse.pid'))).toBe(false);
  });

  test('start --foreground serves until SIGTERM and ends in order', async () => {
    const child = launch(['start', '--foreground']);
    const outcome = collect(child);
    await expect.poll(() => readPidFile(dataDir)?.listeners.length ?? 0, { timeout: 30_000 }).toBeGreaterThan(0);
    child.kill('SIGTERM');
    expect((await outcome).code).toBe(0);
    expect(existsSync(join(dataDir, 'glasshouse.pid'))).toBe(false);
  });
});

describe('with a server in the background', () => {
  test('start says where everything is, and warns of a convenience port that is taken', async () => {
    const { server, port } = await listenSomewhere();
    environment = { ...environment, GLASSHOUSE_OTLP_GRPC_PORT: String(port) };
    const started = await json<Record<string, unknown>>('start');
    server.close();
    expect(started).toMatchObject({
      dataDir,
      endpoints: { main: url, otlpGrpc: url, otlpHttp: `http://127.0.0.1:${environment['GLASSHOUSE_OTLP_HTTP_PORT']}` },
      skipped: [`cannot listen on 127.0.0.1:${port} (otlp-grpc): another process has this port`],
      adminTokenFile: join(dataDir, 'admin-token'),
    });
    for (const name of ['admin-token', 'glasshouse.log', 'glasshouse.pid'])
      expect(statSync(join(dataDir, name)).mode & 0o777).toBe(0o600);
  }, 60_000);

  test('a second start is refused', async () => {
    const { code, err } = await glasshouse('start');
    expect(code).toBe(1);
    expect(err).toMatch(
      /cannot start on GLASSHOUSE_DATA_DIR=.*: a server is running there already \(process \d+, http/,
    );
  });

  test('status tries every listener', async () => {
    const status = await json<{ running: boolean; storeHealthy: boolean; listeners: { name: string; ok: boolean }[] }>(
      'status',
    );
    expect(status).toMatchObject({ running: true, storeHealthy: true });
    expect(status.listeners.map(({ name, ok }) => [name, ok])).toEqual([
      ['main', true],
      ['otlp-http', true],
      ['clickhouse', true],
    ]);
  });

  test('send-test succeeds when all of it can be queried', async () => {
    expect(await json('send-test')).toMatchObject({ spans: 5, logs: 3, points: 3 });
  });

  test('sql writes tab-separated lines to a pipe', async () => {
    expect(await glasshouse('sql', 'SELECT service_name, count() AS spans FROM spans GROUP BY 1 ORDER BY 1')).toEqual({
      code: 0,
      out: 'service_name\tspans\ntest-payment\t1\ntest-shop\t4\n',
      err: '',
    });
  });

  test('sql writes a table to a terminal', async () => {
    const { out, err } = await onTerminal([
      'sql',
      "SELECT 18446744073709551615 AS big, NULL AS nothing, '漢字' AS wide, [1, 2] AS list",
    ]);
    expect(out).toBe(
      [
        '                 big  nothing  wide  list',
        '────────────────────  ───────  ────  ─────',
        '18446744073709551615  NULL     漢字  [1,2]',
        '',
      ].join('\n'),
    );
    expect(err).toMatch(/^1 row in /);
  });

  test('sql takes parameters, formats and JSON', async () => {
    const statement = 'SELECT {name:String} AS name, {n:UInt8} + 1 AS n';
    const given = ['--param', "name=it's\ta=b", '--param', 'n=1'];
    expect((await glasshouse('sql', statement, ...given, '--format', 'CSV')).out).toBe('"it\'s\ta=b",2\n');
    expect((await json<{ data: unknown[] }>('sql', statement, ...given)).data).toEqual([{ name: "it's\ta=b", n: 2 }]);
    expect((await glasshouse('sql', `${statement} FORMAT JSONEachRow`, ...given)).out).toBe(
      '{"name":"it\'s\\ta=b","n":2}\n',
    );
  });

  test('sql runs the statements of a pipe one after another', async () => {
    const child = launch(['sql', '--format', 'TSV']);
    expect((await collect(child, "SELECT ';'; -- two\nSELECT 2")).out).toBe(';\n2\n');
  });

  test('sql shows where in the statement the engine stopped', async () => {
    const { code, err } = await glasshouse('sql', 'SELECT 1 FROM FROM x');
    expect(code).toBe(1);
    expect(err).toContain(`  SELECT 1 FROM FROM x\n  ${' '.repeat(19)}^\n`);
  });

  test('sql refuses what changes anything', async () => {
    expect(await glasshouse('sql', 'DROP TABLE spans')).toMatchObject({ code: 1, out: '' });
  });

  test('the views show the latest traces and what is stored', async () => {
    const { traces } = await json<{ traces: unknown[] }>('sql', '--view', 'traces');
    expect(traces).toMatchObject([
      { service: 'test-shop', span: 'POST /checkout', status: 'ERROR', duration_ms: 200, spans: 2 },
      { service: 'test-shop', span: 'POST /checkout', status: 'OK', duration_ms: 440, spans: 3 },
    ]);
    expect(await json('sql', '--view', 'stats')).toMatchObject({
      services: [
        { service: 'test-shop', spans: 4, errors: 2 },
        { service: 'test-payment', spans: 1, errors: 0 },
      ],
      logs: [{ severity: 'ERROR' }, { severity: 'WARN' }, { severity: 'INFO' }],
      metrics: [{ points: 1 }, { points: 1 }, { points: 1 }],
    });
    expect((await glasshouse('sql', '--view', 'stats')).out).toMatch(
      /Spans by service\nservice +spans +errors +p50_ms +p95_ms/,
    );
  });

  test('the prompt collects lines to a semicolon, lists tables, survives errors and keeps a private history', async () => {
    const typed = 'SELECT 1 AS one,\n  2 AS two;\n\\d\n\\d logs\nSELEC;\nSELECT 3 AS three FORMAT TSVWithNames;\n\\q\n';
    const { code, out, err } = await onTerminal(['sql'], typed);
    expect(code).toBe(0);
    expect(out).toMatch(/one {2}two\n─── {2}───\n {2}1 {4}2\n[^]*metrics_histogram[^]*severity_number[^]*three\n3\n/);
    expect(err).toContain('SELEC');
    expect(statSync(join(dirname(dataDir), '.glasshouse_history')).mode & 0o777).toBe(0o600);
  });

  test('tail shows what is there and what comes, once, until it is interrupted', async () => {
    const child = launch(['tail', '--json', '--errors', '--interval', '100', '-n', '1']);
    let seen = '';
    child.stdout?.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    const outcome = collect(child);
    await expect.poll(() => seen, { timeout: 10_000 }).not.toBe('');
    await json('send-test');
    await expect.poll(() => seen.split('\n').length, { timeout: 10_000 }).toBeGreaterThan(4);
    child.kill('SIGINT');
    const { code, out } = await outcome;
    const rows = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { signal: string; name?: string; body?: string });
    expect(code).toBe(0);
    // One from before; then two failed spans and one record of severity error.
    expect(rows.slice(1).map(({ signal, name, body }) => [signal, name ?? body])).toEqual([
      ['spans', 'POST /checkout'],
      ['spans', 'charge card'],
      ['logs', 'the payment was declined: insufficient funds'],
    ]);
  });

  test('a key is shown once, works, and no longer after it was revoked', async () => {
    const made = await json<{ id: string; key: string }>(
      'keys',
      'create',
      '--name',
      'reader',
      '--tenant',
      'acme',
      '--scope',
      'query',
      '--expires',
      '7',
    );
    const asKey = ['sql', 'SELECT count() AS n FROM spans', '--token', made.key];
    expect(await json<{ data: unknown[] }>(...asKey)).toMatchObject({ data: [{ n: 0 }] });
    const listed = await glasshouse('keys', 'list');
    expect(listed.out).toMatch(new RegExp(`${made.id} +reader +acme +default +dev +query .* valid until`));
    expect(listed.out).not.toContain(made.key);
    expect((await json<{ tenants: { name: string }[] }>('tenants', 'list')).tenants.map(({ name }) => name)).toContain(
      'acme',
    );
    expect((await glasshouse('keys', 'revoke', made.id)).out).toContain('Revoked');
    expect(await glasshouse(...asKey)).toMatchObject({ code: 1, err: expect.stringContaining('revoked') as string });
  });

  test('an administrator asks for a tenant', async () => {
    await glasshouse('tenants', 'create', 'other');
    expect((await glasshouse('sql', '--tenant', 'other', '--format', 'TSV', 'SELECT count() FROM spans')).out).toBe(
      '0\n',
    );
  });

  test('the token of the data directory is not sent to another address', async () => {
    const { code, err } = await glasshouse('keys', 'list', '--url', url);
    expect(code).toBe(1);
    expect(err).toContain('scope admin');
  });

  test('doctor finds a healthy server, and the port that it did not get', async () => {
    const { checks } = await json<{ checks: { name: string; state: string }[] }>('doctor');
    expect(checks.filter(({ state }) => state !== 'ok').map(({ name }) => name)).toEqual(['Listener otlp-grpc']);
    expect((await json<{ checks: unknown[] }>('doctor', '--listeners')).checks).toHaveLength(4);
  });

  test('dashboard prints the address', async () => {
    expect((await glasshouse('dashboard')).out).toBe(`${url}\n`);
  });

  test('logs shows lines for a person, or as they are', async () => {
    expect((await glasshouse('logs', '-n', '5')).out).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (?:INFO|WARN) /);
    expect((await glasshouse('logs', '-n', '1', '--json')).out).toMatch(/^\{"level":/);
  });

  test('reset and restore ask, and cannot without a terminal', async () => {
    const outcomes = await Promise.all([glasshouse('reset'), glasshouse('restore', '/nowhere')]);
    expect(outcomes.map(({ code }) => code)).toEqual([2, 2]);
    expect(await onTerminal(['reset'], 'no\n')).toMatchObject({ code: 1, err: 'Nothing was changed.\n' });
  });

  test('what was backed up comes back after a reset', async () => {
    const path = join(dirname(dataDir), 'copy');
    const spans = async (): Promise<string> =>
      (await glasshouse('sql', '--format', 'TSV', 'SELECT count() FROM spans')).out;
    expect(await json('backup', path)).toMatchObject({ path });
    expect(await json('reset', '--yes')).toEqual({ reset: true });
    expect(await spans()).toBe('0\n');
    expect((await glasshouse('restore', '--yes', path)).out).toContain('Restored');
    expect(await spans()).toBe('10\n');
    expect(await glasshouse('backup', path)).toMatchObject({
      code: 1,
      err: expect.stringContaining('exists') as string,
    });
  });

  test('status tells a crash from a stop, and a start after it goes on', async () => {
    process.kill(readPidFile(dataDir)?.pid ?? 0, 'SIGKILL');
    await expect.poll(() => runningServer(dataDir)).toBeUndefined();
    expect(await glasshouse('status')).toMatchObject({
      code: 3,
      out: expect.stringContaining('ended without being stopped') as string,
    });
    expect((await glasshouse('start')).code).toBe(0);
  }, 60_000);

  test('stop ends it, and what it had is there after the next start', async () => {
    const { code, out } = await glasshouse('stop');
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringMatching(/^Stopped process \d+ /) as string });
    expect((await glasshouse('status')).code).toBe(3);
    await glasshouse('start');
    expect((await glasshouse('sql', '--format', 'TSV', 'SELECT count() FROM spans')).out).toBe('10\n');
    expect((await glasshouse('stop')).code).toBe(0);
  }, 60_000);
});
