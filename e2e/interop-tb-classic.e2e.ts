/**
 * Tinybird's classic command line, unmodified, against the built server: from `tb auth` to removing everything again. It
 * pushes resources one by one, over routes of their own, and its files include others.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import type { TinybirdCli } from './support/tinybird-cli.ts';
import { tinybirdCli } from './support/tinybird-cli.ts';
import { INSTALL_MS } from './support/toolbox.ts';
import type { ListedToken, Workspace } from './support/workspace.ts';
import { call, endpointRows, expectRows, localWorkspace, postEvents, tokenNamed } from './support/workspace.ts';

let server: Server;
let workspace: Workspace;
let tb: TinybirdCli;

beforeAll(async () => {
  [server, tb] = await Promise.all([startServer(), tinybirdCli({ client: 'tb-classic', project: 'classic' })]);
  workspace = await localWorkspace(server);
}, INSTALL_MS);

afterAll(async () => {
  await tb?.close();
  await server?.stop();
});
showLogsOfFailures(() => server);

const lines = (rows: readonly object[]): string => rows.map((row) => JSON.stringify(row)).join('\n');
const VISITS = 'SELECT ts, page, n FROM visits';

/** A file in the folder of the project. */
async function file(name: string, text: string): Promise<string> {
  await writeFile(join(tb.folder, name), text);
  return name;
}

describe('authentication', () => {
  it('is refused with a token that does not exist', async () => {
    const { code, output } = await tb.outcome('--host', server.url, 'auth', '--token', 'p.nobody');
    expect(code).not.toBe(0);
    expect(output).toMatch(/invalid|forbidden|not valid/i);
  });

  it('is kept in a file', async () => {
    const output = await tb.run('--host', server.url, 'auth', '--token', workspace.token);
    expect(output).toContain('Auth successful');
    const kept = JSON.parse(await readFile(join(tb.folder, '.tinyb'), 'utf8')) as Record<string, unknown>;
    const info = JSON.parse((await call(workspace, 'GET /v0/workspace')).text) as Record<string, unknown>;
    expect(kept).toMatchObject({ host: server.url, token: workspace.token, id: info['id'], name: info['name'] });
    expect(await tb.run('auth', 'info')).toContain(String(info['name']));
  });

  it('shows the workspace', async () => {
    const info = JSON.parse((await call(workspace, 'GET /v0/workspace')).text) as Record<string, unknown>;
    expect(await tb.run('workspace', 'current')).toContain(String(info['id']));
  });
});

describe('push', () => {
  it('makes data sources, materializations and endpoints in the order that they need', async () => {
    const output = await tb.run('push');
    for (const name of ['visits', 'visits_daily', 'page_totals', 'visits_mv', 'top_pages', 'page_totals_copy']) {
      expect(output).toContain(`'${name}' created`);
    }
    expect(output).not.toMatch(/error|issue/iu);
  });

  it('took what the files include', async () => {
    const { text } = await call(workspace, 'GET /v0/datasources/visits');
    expect(JSON.parse(text)).toMatchObject({ engine: { sorting_key: 'page, ts', partition_key: 'toYYYYMM(ts)' } });
  });

  it('set the tags of the files', async () => {
    const { text } = await call(workspace, 'GET /v0/tags');
    expect(JSON.parse(text)).toMatchObject({ tags: [{ name: 'web', resources: [{ name: 'visits' }] }] });
  });

  it('made the tokens of the files, which may do that and no more', async () => {
    const scopes = ({ scopes: list }: ListedToken): string[] => list.map((s) => `${s.type}:${s.resource}`);
    const append = await tokenNamed(workspace, 'visits_append');
    expect(scopes(append)).toEqual(['DATASOURCES:APPEND:visits']);
    const read = await tokenNamed(workspace, 'visits_read');
    expect(scopes(read)).toEqual(['PIPES:READ:top_pages']);
    const sender = { ...workspace, token: append.token };
    expect((await call(sender, 'GET /v0/pipes/top_pages.json')).status).toBe(403);
    expect(await endpointRows({ ...workspace, token: read.token }, 'top_pages')).toEqual([]);
  });

  it('skips what is there already', async () => {
    const output = await tb.run('push');
    expect(output).toContain('visits already exists, skipping');
    expect(output).toContain('top_pages already exists, skipping');
  });

  it('replaces pipes when told to', async () => {
    const path = join(tb.folder, 'pipes/top_pages.pipe');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('sum(n) AS total', 'sum(n) AS total, count() AS rows'));
    const output = await tb.run('push', 'pipes/top_pages.pipe', '--force', '--yes', '--no-check');
    expect(output).toContain("'top_pages' created");
    const { text: answer } = await call(workspace, 'GET /v0/pipes/top_pages.json');
    expect((JSON.parse(answer) as { meta: readonly { name: string }[] }).meta.map(({ name }) => name)).toEqual([
      'page',
      'total',
      'rows',
    ]);
  });

  it('of a pipe that selects from nowhere fails, and leaves nothing', async () => {
    await file('pipes/lost.pipe', 'NODE lost_node\nSQL >\n    SELECT nothing FROM nowhere\n');
    const { code, output } = await tb.outcome('push', 'pipes/lost.pipe');
    expect(code).not.toBe(0);
    expect(output).toContain('nowhere');
    expect((await call(workspace, 'GET /v0/pipes/lost')).status).toBe(404);
  });
});

describe('data', () => {
  it('is appended from files of NDJSON and CSV', async () => {
    const ndjson = lines([
      { ts: '2026-01-01 10:00:00.123', page: 'a', n: 2 },
      { ts: '2026-01-01T11:00:00Z', page: 'b' },
    ]);
    const output = await tb.run('datasource', 'append', 'visits', await file('visits.ndjson', ndjson));
    expect(output).toContain('Total rows in visits: 2');
    await tb.run(
      'datasource',
      'append',
      'visits',
      await file('visits.csv', 'ts,page,n\n2026-01-02 00:00:00,"c, d",5\n'),
    );
    await expectRows(workspace, `${VISITS} ORDER BY ts`, [
      { ts: '2026-01-01 10:00:00.123', page: 'a', n: 2 },
      { ts: '2026-01-01 11:00:00.000', page: 'b', n: 1 },
      { ts: '2026-01-02 00:00:00.000', page: 'c, d', n: 5 },
    ]);
  });

  it('reaches the materialization', async () => {
    const query = 'SELECT day, page, sumMerge(total) AS total FROM visits_daily GROUP BY day, page ORDER BY day, page';
    await expectRows(workspace, query, [
      { day: '2026-01-01', page: 'a', total: 2 },
      { day: '2026-01-01', page: 'b', total: 1 },
      { day: '2026-01-02', page: 'c, d', total: 5 },
    ]);
  });

  it('that does not fit is in the quarantine, and the command says so', async () => {
    const ndjson = lines([
      { ts: 'some day', page: 'q' },
      { ts: '2026-01-03 00:00:00', page: 'e', n: 7 },
    ]);
    const { output } = await tb.outcome('datasource', 'append', 'visits', await file('bad.ndjson', ndjson));
    expect(output).toContain('quarantine');
    await expectRows(workspace, 'SELECT ts, page FROM visits_quarantine', [{ ts: 'some day', page: 'q' }]);
    await expectRows(workspace, `SELECT n FROM visits WHERE page = 'e'`, [{ n: 7 }]);
  });

  it('is queried', async () => {
    const query = 'SELECT page, sum(n) AS total FROM visits GROUP BY page ORDER BY page';
    const json = JSON.parse(await tb.run('sql', '--format', 'json', query)) as { data: unknown };
    expect(json.data).toEqual([
      { page: 'a', total: 2 },
      { page: 'b', total: 1 },
      { page: 'c, d', total: 5 },
      { page: 'e', total: 7 },
    ]);
    expect(await tb.run('sql', '--format', 'csv', `${query} LIMIT 3`)).toContain(
      '"page","total"\n"a",2\n"b",1\n"c, d",5',
    );
    expect(await tb.run('sql', query)).toMatch(/\| c, d\s*\|\s*5 \|/);
  });

  it('is read from an endpoint, with parameters', async () => {
    expect(await tb.run('pipe', 'data', 'top_pages', '--format', 'csv', '--limit', '2')).toContain(
      '"page","total","rows"\n"a",2,1\n"b",1,1\n',
    );
    const json = JSON.parse(await tb.run('pipe', 'data', 'top_pages', '--format', 'json', '--page', 'e')) as object;
    expect(json).toMatchObject({ data: [{ page: 'e', total: 7, rows: 1 }], rows: 1 });
  });

  it('is compared with what a changed pipe answers to the requests of late, before that takes its place', async () => {
    const asked = "SELECT count() > 0 AS any FROM tinybird.pipe_stats_rt WHERE pipe_name = 'top_pages' AND error = 0";
    await expectRows(workspace, asked, [{ any: 1 }]);
    const path = join(tb.folder, 'pipes/top_pages.pipe');
    const text = await readFile(path, 'utf8');
    const push = ['push', 'pipes/top_pages.pipe', '--force', '--yes'];
    await writeFile(path, text.replace('sum(n) AS total', 'sum(n) + 1 AS total'));
    const refused = await tb.outcome(...push);
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(/FAIL/u);
    expect(await endpointRows(workspace, 'top_pages', { page: 'e' })).toEqual([{ page: 'e', total: 7, rows: 1 }]);
    await writeFile(path, text.replace('sum(n) AS total', 'toUInt64(sum(n)) AS total'));
    const output = await tb.run(...push);
    expect(output).toMatch(/new .*top_pages__checker.* ok/u);
    expect(output).toContain("'top_pages' created");
    expect((await call(workspace, 'GET /v0/pipes/top_pages__checker')).status).toBe(404);
  });

  it('is copied on demand', async () => {
    await tb.run('pipe', 'copy', 'run', 'page_totals_copy', '--yes', '--wait');
    await expectRows(workspace, "SELECT page, total FROM page_totals WHERE page != 'e' ORDER BY page", [
      { page: 'a', total: 2 },
      { page: 'b', total: 1 },
      { page: 'c, d', total: 5 },
    ]);
  });

  it('is replaced', async () => {
    const ndjson = lines([{ ts: '2026-02-01 00:00:00', page: 'new', n: 1 }]);
    await tb.run('datasource', 'replace', 'visits', await file('new.ndjson', ndjson));
    await expectRows(workspace, VISITS, [{ ts: '2026-02-01 00:00:00.000', page: 'new', n: 1 }]);
  });

  it('is deleted by a condition, when its job ends', async () => {
    await postEvents(workspace, 'visits', [{ ts: '2026-02-02 00:00:00', page: 'other' }]);
    await tb.run('datasource', 'delete', 'visits', '--sql-condition', "page = 'new'", '--yes', '--wait');
    await expectRows(workspace, VISITS, [{ ts: '2026-02-02 00:00:00.000', page: 'other', n: 1 }]);
  });

  it('is deleted whole', async () => {
    await tb.run('datasource', 'truncate', 'visits', '--yes');
    await expectRows(workspace, VISITS, []);
  });
});

describe('files', () => {
  const csv = 'city,when,visits\nOslo,2026-01-01 00:00:00,3\n"Bergen, again",2026-01-02 00:00:00,\n';

  it('are analyzed', async () => {
    const output = await tb.run('datasource', 'analyze', await file('cities.csv', csv));
    expect(output).toMatch(/city\s+String\s+false/u);
    expect(output).toMatch(/visits\s+Nullable\(Int64\)\s+true/u);
    expect(output).toContain('`city` String, `when` DateTime64(3), `visits` Nullable(Int64)');
    const nothing = await tb.outcome('datasource', 'analyze', await file('nothing.ndjson', '{}\n'));
    expect(nothing.code).not.toBe(0);
    expect(nothing.output).toContain('cannot guess a schema');
  });

  it.each<[string, string]>([
    ['cities.csv', csv],
    [
      'trips.ndjson',
      lines([
        { id: 'a', at: '2026-01-01T00:00:00Z', stops: ['x, y'], fare: { amount: 1.5 } },
        { id: 'b', at: '2026-01-02T00:00:00Z', stops: [], fare: { amount: 2 } },
      ]),
    ],
  ])('such as %s become data files, whose data sources take them', async (name, content) => {
    const source = name.replace(/\..*/u, '');
    await tb.run('datasource', 'generate', await file(name, content), '--force');
    const output = await tb.run('push', `datasources/${source}.datasource`);
    expect(output).toContain(`'${source}' created`);
    expect(await tb.run('datasource', 'append', source, name)).toContain(`Total rows in ${source}: 2`);
    await expectRows(workspace, `SELECT count() AS rows FROM ${source}_quarantine`, [{ rows: 0 }]);
    await tb.run('datasource', 'rm', source, '--yes');
  });
});

describe('lists', () => {
  it.each([
    [
      ['datasource', 'ls'],
      ['visits', 'visits_daily'],
    ],
    [
      ['pipe', 'ls'],
      ['visits_mv', 'top_pages'],
    ],
    [
      ['token', 'ls'],
      ['visits_append', 'visits_read'],
    ],
    [
      ['job', 'ls'],
      ['delete', 'done'],
    ],
  ])('of %s', async (command, names) => {
    const output = await tb.run(...command);
    for (const name of names) expect(output).toContain(name);
  });
});

describe('pull', () => {
  it('gives back files that can be pushed', async () => {
    await mkdir(join(tb.folder, 'pulled'));
    await tb.run('pull', '--folder', 'pulled', '--force');
    const visits = await readFile(join(tb.folder, 'pulled/datasources/visits.datasource'), 'utf8');
    expect(visits).toContain('`page` String `json:$.page`');
    const top = await readFile(join(tb.folder, 'pulled/pipes/top_pages.pipe'), 'utf8');
    expect(top).toContain('LIMIT {{ Int32(limit, 10) }}');
    const files = ['pulled/datasources/visits.datasource', 'pulled/pipes/top_pages.pipe'];
    const checked = await tb.run('check', ...files);
    for (const name of files) expect(checked).toContain(`${name} processed correctly`);
  });
});

describe('removal', () => {
  it('of pipes, then of data sources', async () => {
    await tb.run('pipe', 'rm', 'top_pages', '--yes');
    await tb.run('pipe', 'rm', 'visits_mv', '--yes');
    await tb.run('pipe', 'rm', 'page_totals_copy', '--yes');
    expect((await call(workspace, 'GET /v0/pipes/top_pages.json')).status).toBe(404);
    await tb.run('datasource', 'rm', 'visits', '--yes');
    await tb.run('datasource', 'rm', 'visits_daily', '--yes');
    await tb.run('datasource', 'rm', 'page_totals', '--yes');
    expect(JSON.parse((await call(workspace, 'GET /v0/datasources')).text)).toMatchObject({ datasources: [] });
    // Not the administrator's: who may make data sources, makes one by sending to it. A scope goes with what it was for.
    const sender = { ...workspace, token: (await tokenNamed(workspace, 'visits_append')).token };
    const event = { body: '{"ts":"2026-01-01 00:00:00","page":"a"}' };
    expect((await call(sender, 'POST /v0/events?name=visits', event)).status).toBe(403);
  });
});
