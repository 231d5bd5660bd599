/**
 * The built command line against a built server, as a user runs them: one server's life from start to stop. The tests follow
 * one another and share that server.
 */

import type { ChildProcess } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPidFile, runningServer } from './process.ts';
import type { Outcome } from './testing/built.ts';
import { BuiltCli, collect, listenSomewhere } from './testing/built.ts';

let cli: BuiltCli;
let dataDir: string;
let url: string;

const launch = (argv: readonly string[], env?: NodeJS.ProcessEnv): ChildProcess => cli.launch(argv, env);
const glasshouse = (...argv: string[]): Promise<Outcome> => cli.run(...argv);
const json = <T>(...argv: string[]): Promise<T> => cli.json<T>(...argv);
const onTerminal = (argv: readonly string[], typed?: string): Promise<Outcome> => cli.onTerminal(argv, typed);

beforeAll(async () => {
  cli = await BuiltCli.open();
  ({ dataDir, url } = cli);
}, 60_000);

afterAll(() => cli?.close(), 60_000);

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
    cli.environment['GLASSHOUSE_OTLP_GRPC_PORT'] = String(port);
    const started = await json<Record<string, unknown>>('start');
    server.close();
    expect(started).toMatchObject({
      dataDir,
      endpoints: {
        main: url,
        otlpGrpc: url,
        otlpHttp: `http://127.0.0.1:${cli.environment['GLASSHOUSE_OTLP_HTTP_PORT']}`,
      },
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
      ['tinybird', true],
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
    const next = JSON.parse(
      (await glasshouse('keys', 'rotate', made.id, '--overlap', '1', '--json')).out,
    ) as typeof made;
    expect(next.id).not.toBe(made.id);
    const sdk = JSON.parse(
      (await glasshouse('keys', 'create', '--sdk', '--tenant', 'acme', '--json')).out,
    ) as typeof made;
    expect(sdk).toMatchObject({ key: expect.stringMatching(/^eyJ/u) as unknown });
    const turned = await glasshouse('keys', 'rotate', sdk.id, '--overlap', '0');
    expect([turned.code, turned.out]).toEqual([0, expect.stringMatching(/eyJ.*Key \w+ has ended/su)]);
    expect((await glasshouse('keys', 'rotate', sdk.id)).err).toContain('it has ended; make a new one');
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
    expect((await json<{ checks: unknown[] }>('doctor', '--listeners')).checks).toHaveLength(5);
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
    expect(await onTerminal(['reset'], 'no\n')).toMatchObject({ code: 3, err: 'Nothing was changed.\n' });
  });

  test('what was backed up comes back after a reset', async () => {
    const path = join(dirname(dataDir), 'copy');
    const spans = async (): Promise<string> =>
      (await glasshouse('sql', '--format', 'TSV', 'SELECT count() FROM spans')).out;
    expect(await json('backup', path)).toMatchObject({ path });
    expect(await json('reset', '--yes')).toEqual({ reset: true, dataSources: false });
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
