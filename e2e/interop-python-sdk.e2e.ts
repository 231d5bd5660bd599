/**
 * The Tinybird SDK for Python, unmodified, against the built server: rows through its buffer, its bare API and its
 * asynchronous twins, and its logging handlers. What arrived is read back value by value.
 */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pythonEnvironment } from './support/python-environment.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import type { Storage } from './support/storage.ts';
import { startStorage } from './support/storage.ts';
import { INSTALL_MS, runProgram } from './support/toolbox.ts';
import type { Workspace } from './support/workspace.ts';
import { call, deployFolder, expectRows, localWorkspace, rowsOf, tokenNamed } from './support/workspace.ts';

const PROGRAMS = join(import.meta.dirname, 'interop/python');
const JOB_MS = 30_000;
const EVENTS = 'SELECT kind, n, text, ratio FROM events';

let server: Server;
let storage: Storage;
let workspace: Workspace;
let python: string;

beforeAll(async () => {
  storage = await startStorage();
  [server, python] = await Promise.all([
    startServer({ env: { GLASSHOUSE_IMPORT_ALLOW: storage.place } }),
    pythonEnvironment('python-sdk').then((programs) => join(programs, 'python')),
  ]);
  workspace = await localWorkspace(server);
  await deployFolder(workspace, 'python-sdk');
}, INSTALL_MS);

afterAll(async () => {
  await server?.stop();
  await storage?.close();
});
showLogsOfFailures(() => server);

/** Runs a program with the server and a token, and reads the last line that it printed. */
async function run(program: string, command: string, ...more: readonly string[]): Promise<string> {
  return runProgram(python, [join(PROGRAMS, program), command, server.url, workspace.token, ...more], {
    // The logging handlers write local time without a zone.
    env: { TZ: 'UTC' },
  });
}

async function send<T>(command: string, ...more: readonly string[]): Promise<T> {
  return JSON.parse(await run('datasource.py', command, ...more)) as T;
}

describe('a Datasource', () => {
  it('brings dictionaries, text and bytes, with every digit', async () => {
    await send('append');
    const one = (kind: string, n: bigint | number, text = '', ratio: number | null = null): Row => ({
      kind,
      n,
      text,
      ratio,
    });
    await expectRows(workspace, `${EVENTS} WHERE kind IN ('dict', 'iadd', 'str', 'bytes') ORDER BY kind`, [
      one('bytes', 2n ** 63n - 1n),
      one('dict', 1, 'wörld 🌍 "quoted"\nand more', 0.5),
      one('iadd', 2n ** 53n + 1n),
      one('str', -(2n ** 63n), 'given as text'),
    ]);
  });

  it('flushes by itself after a second', async () => {
    await send('timer');
    await expectRows(workspace, `${EVENTS} WHERE kind = 'timer'`, [{ kind: 'timer', n: 1, text: '', ratio: null }]);
  });

  it('flushes whenever it is full, and loses nothing', async () => {
    await send('full-buffer');
    const totals = "SELECT count() AS rows, uniqExact(n) AS different, sum(n) AS sum FROM events WHERE kind = 'full'";
    await expectRows(workspace, totals, [{ rows: 95, different: 95, sum: (94 * 95) / 2 }]);
  });

  it('gets every row of many small requests through, once each', async () => {
    await send('burst');
    const totals = "SELECT count() AS rows, uniqExact(n) AS different, sum(n) AS sum FROM events WHERE kind = 'burst'";
    await expectRows(workspace, totals, [{ rows: 200, different: 200, sum: (199 * 200) / 2 }]);
  });

  it('is told 403 and why, with a token that does not exist', async () => {
    const answer = await send<{ status: number; body: { error: string } }>('refused');
    expect(answer).toMatchObject({ status: 403, body: { error: expect.any(String) as unknown } });
  });

  it('arrives asynchronously', async () => {
    await send('append-async');
    await expectRows(workspace, `${EVENTS} WHERE kind = 'async' ORDER BY n`, [
      { kind: 'async', n: 1, text: 'ünder', ratio: null },
      { kind: 'async', n: 2, text: '', ratio: null },
      { kind: 'async', n: 3, text: '', ratio: -1e-300 },
    ]);
  });

  it('may append with a token that may do nothing else, and see that it is valid', async () => {
    const body = 'name=only%20append&scope=DATASOURCES:APPEND:events';
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    await call(workspace, 'POST /v0/tokens', { body, headers });
    const { token } = await tokenNamed(workspace, 'only append');
    // What AsyncAPI.initialize asks; a refusal would end the program.
    const listed = await call({ ...workspace, token }, 'GET /v0/datasources');
    expect(listed.status).toBe(200);
    const refused = await call({ ...workspace, token }, 'POST /v0/sql', { body: 'SELECT 1 FROM events' });
    expect(refused.status).toBe(403);
    const sent = await call({ ...workspace, token }, 'POST /v0/events?name=events', { body: '{"kind":"only"}' });
    expect(sent.status).toBe(202);
    await expectRows(workspace, `${EVENTS} WHERE kind = 'only'`, [{ kind: 'only', n: -1, text: '', ratio: null }]);
  });
});

describe('the limit of the rate', () => {
  it('is told in whole numbers, and leaves something on success, or the SDK would wait', async () => {
    const { headers, status } = await call(workspace, 'POST /v0/events?name=events', { body: '{"kind":"limit"}' });
    expect(status).toBe(202);
    const limits = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'].map((name) => headers.get(name));
    expect(limits).toEqual(limits.map(() => expect.stringMatching(/^\d+$/) as unknown));
    expect(Number(limits[1])).toBeGreaterThanOrEqual(1);
  });
});

describe('the API', () => {
  interface Import {
    readonly names: readonly string[];
    readonly sql?: readonly Row[];
    readonly import: { readonly id: string; readonly job_url: string; readonly status: string };
  }

  it.each(['api', 'api-async'])('lists, queries, and appends from a URL (%s)', async (command) => {
    const lines = `{"kind":"${command}","n":1}\n{"kind":"${command}","n":2,"text":"two"}`;
    const answer = await send<Import>(command, storage.put(`${command}.ndjson`, lines));
    await expectRows(workspace, `${EVENTS} WHERE kind = '${command}' ORDER BY n`, [
      { kind: command, n: 1, text: '', ratio: null },
      { kind: command, n: 2, text: 'two', ratio: null },
    ]);
    expect(answer.names).toEqual(['events', 'tb_logs']);
    if (command === 'api') expect(answer.sql).toEqual([{ one: 1 }]);
    const status = async (): Promise<unknown> =>
      (JSON.parse((await call(workspace, `GET /v0/jobs/${answer.import.id}`)).text) as { status: string }).status;
    // The rows are there a moment before the job says so.
    await expect.poll(status, { timeout: JOB_MS }).toBe('done');
  });

  it('empties a data source', async () => {
    const { status } = await send<{ status: number }>('truncate');
    expect(status).toBeLessThan(300);
    await expectRows(workspace, 'SELECT count() AS rows FROM events', [{ rows: 0 }]);
  });
});

describe.each(['direct', 'queue'])('a logger (%s)', (kind) => {
  const app = kind === 'direct' ? 'shop' : 'shop-queue';

  interface Record {
    readonly name: string;
    readonly level: number;
    readonly levelname: string;
    readonly pathname: string;
    readonly filename: string;
    readonly module: string;
    readonly funcName: string;
    readonly lineno: number;
    readonly created: number;
    readonly asctime: string;
    readonly msecs: number;
    readonly relativeCreated: number;
    readonly thread: number;
    readonly threadName: string;
    readonly process: number;
    readonly processName: string;
    readonly message: string;
    readonly args?: unknown;
    readonly stack_info?: string;
    readonly exc_info?: { readonly type: string; readonly value: string };
    readonly extra: { readonly user_id?: number };
  }

  it('brings records with arguments, mappings, exceptions, stacks and extras', async () => {
    const records = (await run('logger.py', kind))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record);
    expect(records.map(({ levelname }) => levelname)).toEqual(['INFO', 'WARNING', 'ERROR', 'CRITICAL']);
    await expectRows(workspace, `SELECT count() AS rows FROM tb_logs WHERE app_name = '${app}'`, [{ rows: 4 }]);
    const columns =
      'name, level, levelname, pathname, filename, module, func_name, lineno, created, msecs, relative_created, ' +
      'thread, thread_name, process, process_name, user_id, toString(asctime) AS at';
    const rows = await rowsOf(workspace, `SELECT ${columns} FROM tb_logs WHERE app_name = '${app}' ORDER BY created`);
    expect(rows).toEqual(
      records.map((record) => ({
        name: 'e2e.interop',
        level: record.level,
        levelname: record.levelname,
        pathname: join(PROGRAMS, 'logger.py'),
        filename: 'logger.py',
        module: 'logger',
        func_name: 'talk',
        lineno: record.lineno,
        created: record.created,
        msecs: record.msecs,
        relative_created: record.relativeCreated,
        thread: record.thread,
        thread_name: 'MainThread',
        process: record.process,
        process_name: 'MainProcess',
        user_id: record.extra.user_id ?? null,
        // Python leaves out a fraction of nothing.
        at: record.asctime.replace('T', ' ').replace(/:\d\d$/, '$&.000000'),
      })),
    );
  });

  it('brings what was said', async () => {
    const columns = 'message, args, exception_type, exception_value, stack_info, extra, formatted_message';
    const rows = await rowsOf(workspace, `SELECT ${columns} FROM tb_logs WHERE app_name = '${app}' ORDER BY created`);
    const [hello, mapping, failed, where] = rows as readonly globalThis.Record<string, string | null>[];
    const format = (level: string, text: string): string => (kind === 'direct' ? `${level}: ${text}` : text);
    expect(hello).toMatchObject({ message: 'hello wörld, 3', formatted_message: format('INFO', 'hello wörld, 3') });
    expect(mapping).toMatchObject({ message: 'by name: a mapping', exception_type: '' });
    expect(failed?.['formatted_message']).toMatch(/it failed\nTraceback[^]*ValueError: on purpose$/);
    expect(where?.['formatted_message']).toMatch(/where\nStack \(most recent call last\):\n/);
    if (kind === 'queue') {
      // Its records are formatted before they are queued, and have lost the rest.
      expect(rows.map((row) => row['args'])).toEqual(['', '', '', '']);
      expect(failed?.['message']).toMatch(/^it failed\nTraceback/);
      return;
    }
    expect(JSON.parse(hello?.['args'] ?? '')).toEqual(['wörld', 3]);
    expect(JSON.parse(hello?.['extra'] ?? '')).toMatchObject({ msg: 'hello %s, %d', user_id: 7, exc_info: null });
    expect(JSON.parse(mapping?.['args'] ?? '')).toEqual({ what: 'a mapping' });
    expect(failed).toMatchObject({ exception_type: "<class 'ValueError'>", exception_value: 'on purpose' });
    expect(hello?.['stack_info']).toBeNull();
    expect(where?.['stack_info']).toMatch(/^Stack \(most recent call last\):\n/);
  });
});
