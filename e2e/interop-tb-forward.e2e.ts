/**
 * Tinybird's command line for Forward, unmodified, against the built server as if it were the cloud: deployments in all
 * their ways, data in and out, tokens, jobs. `interop-tb-local.e2e.ts` has what it does with a local server.
 */

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import type { TinybirdCli } from './support/tinybird-cli.ts';
import { tinybirdCli } from './support/tinybird-cli.ts';
import { INSTALL_MS } from './support/toolbox.ts';
import type { Workspace } from './support/workspace.ts';
import { call, endpointRows, expectRows, localWorkspace, postEvents, tokenNamed } from './support/workspace.ts';

let server: Server;
let workspace: Workspace;
let tb: TinybirdCli;

beforeAll(async () => {
  server = await startServer();
  workspace = await localWorkspace(server);
  // As arguments it would write them into a file of the folder, which commands at the same time may find half written.
  const env = { TB_HOST: workspace.url, TB_TOKEN: workspace.token };
  tb = await tinybirdCli({ client: 'tb-forward', project: 'forward', before: ['--cloud'], env });
}, INSTALL_MS);

afterAll(async () => {
  await tb?.close();
  await server?.stop();
});
showLogsOfFailures(() => server);

const HITS = 'SELECT ts, page, n FROM hits';

/** Changes a file of the project. */
async function edit(name: string, change: (text: string) => string): Promise<void> {
  const path = join(tb.folder, name);
  await writeFile(path, change(await readFile(path, 'utf8')));
}

interface Deployment {
  readonly id: string;
  readonly live: boolean;
  readonly status: string;
}

async function deployments(): Promise<readonly Deployment[]> {
  const { text } = await call(workspace, 'GET /v1/deployments');
  return (JSON.parse(text) as { deployments: readonly Deployment[] }).deployments;
}

describe('a deployment', () => {
  it('is checked and makes nothing', async () => {
    const output = await tb.run('deploy', '--check');
    expect(output).toContain('Deployment is valid');
    expect(output).toMatch(/new[^]*hits_daily[^]*datasource[^]*top_hits[^]*endpoint/);
    expect((await call(workspace, 'GET /v0/datasources/hits')).status).toBe(404);
  });

  it('becomes live', async () => {
    const output = await tb.run('deploy', '--wait', '--auto');
    expect(output).toMatch(/Deployment #\d+ is live!/);
    expect(await deployments()).toEqual([expect.objectContaining({ live: true, status: 'data_ready' })]);
    expect(await endpointRows(workspace, 'top_hits')).toEqual([]);
  });

  it('without changes is none', async () => {
    const before = await deployments();
    expect(await tb.run('deploy', '--wait', '--auto')).toContain('Not deploying. No changes.');
    expect(await tb.run('deploy', '--check')).not.toContain('not valid');
    expect(await deployments()).toEqual(before);
  });

  it('that changes an endpoint keeps the rows', async () => {
    await postEvents(workspace, 'hits', [
      { ts: '2025-12-31 23:59:59', page: 'kept', n: 4 },
      { ts: '2025-12-31 23:59:59', page: 'also' },
    ]);
    await edit('endpoints/top_hits.pipe', (text) => text.replace('ORDER BY page', 'ORDER BY total DESC, page'));
    const output = await tb.run('deploy', '--wait', '--auto');
    expect(output).toMatch(/modified[^]*top_hits[^]*endpoint/);
    expect(await endpointRows(workspace, 'top_hits')).toEqual([
      { page: 'kept', total: 4 },
      { page: 'also', total: 1 },
    ]);
    expect(await deployments()).toHaveLength(1);
  });

  it('with a mistake says where, and nothing changes', async () => {
    await writeFile(join(tb.folder, 'datasources/broken.datasource'), 'SCHEMA >\n    `a` Strong `json:$.a`\n');
    for (const command of [
      ['deploy', '--check'],
      ['deploy', '--wait', '--auto'],
    ]) {
      const { code, output } = await tb.outcome(...command);
      expect(code).not.toBe(0);
      expect(output).toContain('broken.datasource');
      expect(output).toContain('Strong');
    }
    await rm(join(tb.folder, 'datasources/broken.datasource'));
    expect((await call(workspace, 'GET /v0/datasources/broken')).status).toBe(404);
    expect(await deployments()).toHaveLength(1);
  });

  it('destroys only what it is told to', async () => {
    await writeFile(join(tb.folder, 'datasources/brief.datasource'), 'SCHEMA >\n    `a` String `json:$.a`\n');
    await tb.run('deploy', '--wait', '--auto');
    await postEvents(workspace, 'brief', [{ a: 'x' }]);
    await rm(join(tb.folder, 'datasources/brief.datasource'));
    const { code, output } = await tb.outcome('deploy', '--wait', '--auto');
    expect(code).not.toBe(0);
    expect(output).toContain('brief');
    await expectRows(workspace, 'SELECT a FROM brief', [{ a: 'x' }]);
    await tb.run('deploy', '--wait', '--auto', '--allow-destructive-operations');
    expect((await call(workspace, 'GET /v0/datasources/brief')).status).toBe(404);
  });

  it('waits to be promoted, beside the live one', async () => {
    await edit('endpoints/top_hits.pipe', (text) => text.replace('AS total', 'AS total, count() AS rows'));
    await tb.run('deployment', 'create', '--wait');
    expect(await endpointRows(workspace, 'top_hits', { limit: '1' })).toEqual([{ page: 'kept', total: 4 }]);
    const listed = await tb.run('deployment', 'ls');
    expect(listed).toMatch(/Staging/);
    expect(listed).toMatch(/Live/);
    expect(await tb.run('deployment', 'promote', '--wait')).toMatch(/Deployment #\d+ is live!/);
    expect(await endpointRows(workspace, 'top_hits', { limit: '1' })).toEqual([{ page: 'kept', total: 4, rows: 1 }]);
    expect(await deployments()).toHaveLength(1);
  });

  it('is discarded', async () => {
    await edit('endpoints/top_hits.pipe', (text) => text.replace(', count() AS rows', ', max(n) AS most'));
    await tb.run('deployment', 'create', '--wait');
    expect(await tb.run('deployment', 'discard', '--wait')).toContain('Discard process successfully completed');
    expect(await deployments()).toHaveLength(1);
    expect(await endpointRows(workspace, 'top_hits', { limit: '1' })).toEqual([{ page: 'kept', total: 4, rows: 1 }]);
    await edit('endpoints/top_hits.pipe', (text) => text.replace(', max(n) AS most', ''));
    await tb.run('deploy', '--wait', '--auto');
  });
});

describe('data', () => {
  const append = (...args: readonly string[]): Promise<string> => tb.run('datasource', 'append', 'hits', ...args);

  it('is appended from files, packed ones too', async () => {
    const files: readonly [string, Buffer | string][] = [
      ['a.ndjson', '{"ts":"2026-01-01 10:00:00.123","page":"a","n":2}\n{"ts":"2026-01-01T11:00:00Z","page":"b"}'],
      ['c.csv', 'ts,page,n\n2026-01-02 00:00:00,c,5\n'],
      ['d.ndjson.gz', gzipSync('{"ts":"2026-01-03 00:00:00","page":"d","n":7}\n')],
    ];
    const outputs = await Promise.all(
      files.map(async ([name, content]) => {
        await writeFile(join(tb.folder, name), content);
        return append('--file', join(tb.folder, name));
      }),
    );
    for (const output of outputs) expect(output).toContain('Rows appended');
    await expectRows(workspace, `${HITS} WHERE ts >= '2026-01-01' ORDER BY ts`, [
      { ts: '2026-01-01 10:00:00.123', page: 'a', n: 2 },
      { ts: '2026-01-01 11:00:00.000', page: 'b', n: 1 },
      { ts: '2026-01-02 00:00:00.000', page: 'c', n: 5 },
      { ts: '2026-01-03 00:00:00.000', page: 'd', n: 7 },
    ]);
  });

  it('is analyzed', async () => {
    const path = join(tb.folder, 'unknown.ndjson');
    await writeFile(path, '{"city":"Oslo","n":1}\n{"city":"Bergen","n":null}\n');
    const output = await tb.run('datasource', 'analyze', path);
    expect(output).toMatch(/city\s+String\s+false/u);
    expect(output).toContain('`city` String `json:$.city`, `n` Nullable(Int64) `json:$.n`');
  });

  it('is appended as events, and counted', async () => {
    const events = '{"ts":"2026-01-04 00:00:00","page":"e"}\n{"ts":"2026-01-04 00:00:01","page":"e","n":2}';
    expect(await append('--events', events)).toContain('2 rows appended');
    await expectRows(workspace, "SELECT sum(n) AS total FROM hits WHERE page = 'e'", [{ total: 3 }]);
  });

  it('that does not fit is counted and shown', async () => {
    const output = await append('--events', '{"ts":"2026-01-05 00:00:00","page":"f"}\n{"ts":"never","page":"g"}');
    expect(output).toContain('1 row appended');
    expect(output).toContain('1 row went to quarantine');
    await expectRows(workspace, 'SELECT ts, page FROM hits_quarantine', [{ ts: 'never', page: 'g' }]);
  });

  it('reaches the materialization', async () => {
    const query =
      "SELECT page, sumMerge(total) AS total FROM hits_daily WHERE day >= '2026-01-01' GROUP BY page ORDER BY page";
    await expectRows(workspace, query, [
      { page: 'a', total: 2 },
      { page: 'b', total: 1 },
      { page: 'c', total: 5 },
      { page: 'd', total: 7 },
      { page: 'e', total: 3 },
      { page: 'f', total: 1 },
    ]);
  });

  it('is queried as a table, as JSON and as CSV', async () => {
    const query = "SELECT page, sum(n) AS total FROM hits WHERE page IN ('c', 'd') GROUP BY page ORDER BY page";
    const [text, json, csv, stats] = await Promise.all([
      tb.run('sql', query),
      tb.run('--output', 'json', 'sql', query),
      tb.run('--output', 'csv', 'sql', query),
      tb.run('sql', '--stats', query),
    ]);
    expect(text).toMatch(/d\s+7/);
    expect(JSON.parse(json)).toMatchObject({
      data: [
        { page: 'c', total: 5 },
        { page: 'd', total: 7 },
      ],
      rows: 2,
    });
    expect(csv).toContain('"page","total"\n"c",5\n"d",7');
    expect(stats).toContain('Rows read');
  });

  it('is not found by a query that is wrong', async () => {
    const { code, output } = await tb.outcome('sql', 'SELECT nothing FROM hits');
    expect(code).not.toBe(0);
    expect(output).toContain('nothing');
  });

  it('is read from an endpoint', async () => {
    const [csv, text, address, shown, hidden] = await Promise.all([
      tb.run('endpoint', 'data', 'top_hits', '--page', 'd', '--format', 'csv'),
      tb.run('endpoint', 'data', 'top_hits', '--limit', '1'),
      tb.run('--show-tokens', 'endpoint', 'url', 'top_hits'),
      tb.run('--show-tokens', 'endpoint', 'token', 'top_hits'),
      // Unless told so, it shows the ends of tokens only.
      tb.run('endpoint', 'token', 'top_hits'),
    ]);
    expect(csv).toContain('"page","total"\n"d",7');
    expect(text).toMatch(/d\W+7/);
    const url = address.trim().split('\n').at(-1) ?? '';
    const { data } = (await (await fetch(`${url}&page=c`)).json()) as { data: unknown };
    expect(data).toEqual([{ page: 'c', total: 5 }]);
    const { token } = await tokenNamed(workspace, 'hits_read');
    expect(shown).toContain(token);
    expect(hidden).not.toContain(token);
  });

  it('is copied on demand', async () => {
    expect(await tb.run('copy', 'run', 'hit_totals_copy', '--wait')).toContain("Data copied to 'hit_totals'");
    await expectRows(workspace, "SELECT page, total FROM hit_totals WHERE page IN ('c', 'e') ORDER BY page", [
      { page: 'c', total: 5 },
      { page: 'e', total: 3 },
    ]);
  });

  it('is exported', async () => {
    const target = join(tb.folder, 'exported.ndjson');
    await tb.run('datasource', 'export', 'hits', '--where', "page = 'c'", '--target', target);
    const lines = (await readFile(target, 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { ts: '2026-01-02 00:00:00.000', page: 'c', n: 5 },
    ]);
  });

  it('is deleted by a condition, at once and in a job', async () => {
    const remove = (...args: readonly string[]): Promise<string> =>
      tb.run('datasource', 'delete', 'hits', '--yes', ...args);
    expect(await remove('--sql-condition', "page = 'a'", '--dry-run')).toContain("rows '1'");
    await expectRows(workspace, "SELECT n FROM hits WHERE page = 'a'", [{ n: 2 }]);
    await remove('--sql-condition', "page = 'a'", '--wait');
    await expectRows(workspace, "SELECT n FROM hits WHERE page = 'a'", []);
    expect(await remove('--sql-condition', "page = 'b'", '--lightweight-delete')).toContain('Rows affected: 1');
    await expectRows(workspace, "SELECT n FROM hits WHERE page = 'b'", []);
  });

  it('is replaced, and removed', async () => {
    const path = join(tb.folder, 'new.ndjson');
    await writeFile(path, '{"ts":"2026-02-01 00:00:00","page":"new"}');
    await tb.run('datasource', 'replace', 'hits', path);
    await expectRows(workspace, HITS, [{ ts: '2026-02-01 00:00:00.000', page: 'new', n: 1 }]);
    await tb.run('datasource', 'truncate', 'hits', '--yes');
    await expectRows(workspace, HITS, []);
  });
});

describe('tokens', () => {
  const scope = ['--scope', 'PIPES:READ', '--resource', 'top_hits'];

  it('are made, changed, shown and removed', async () => {
    await tb.run('token', 'create', 'static', 'reader', ...scope);
    const made = await tokenNamed(workspace, 'reader');
    expect(made.scopes).toEqual([{ type: 'PIPES:READ', resource: 'top_hits' }]);
    expect(await endpointRows({ ...workspace, token: made.token }, 'top_hits')).toEqual([]);
    expect(await tb.run('token', 'ls')).toContain('reader');
    expect(await tb.run('token', 'scopes', 'reader')).toMatch(/PIPES:READ[^]*top_hits/);
    await tb.run('token', 'refresh', 'reader', '--yes');
    expect((await tokenNamed(workspace, 'reader')).token).not.toBe(made.token);
    expect((await call({ ...workspace, token: made.token }, 'GET /v0/pipes/top_hits.json')).status).toBe(403);
    await tb.run('token', 'rm', 'reader', '--yes');
    expect((await call(workspace, 'GET /v0/tokens/reader')).status).toBe(404);
  });

  it('that expire may read what they name', async () => {
    const output = await tb.run('--show-tokens', 'token', 'create', 'jwt', 'guest', '--ttl', '1h', ...scope);
    const token = /eyJ[\w-]+\.[\w-]+\.[\w-]+/.exec(output)?.[0] ?? '';
    expect(await endpointRows({ ...workspace, token }, 'top_hits')).toEqual([]);
    expect((await call({ ...workspace, token }, 'POST /v0/sql', { body: 'SELECT 1 FROM hits' })).status).toBe(403);
  });

  it('that do not exist are refused', async () => {
    const { code, output } = await tb.outcome('--token', 'p.nobody', 'sql', 'SELECT 1');
    expect(code).not.toBe(0);
    expect(output).toContain('Forbidden');
  });
});

describe('secrets', () => {
  it('are set, used by endpoints, changed and removed, and never shown', async () => {
    const answer = { salt: 'none' };
    const used = async (): Promise<unknown> => (await endpointRows(workspace, 'salted'))[0];
    const sql = "%\n    SELECT {{ tb_secret('salt', 'none') }} AS salt";
    await writeFile(join(tb.folder, 'endpoints/salted.pipe'), `NODE salted_node\nSQL >\n    ${sql}\nTYPE endpoint\n`);
    await tb.run('deploy', '--wait', '--auto');
    expect(await used()).toEqual(answer);
    expect(await tb.run('secret', 'set', 'salt', 'hush-hush')).toContain("Secret 'salt' set");
    expect(await used()).toEqual({ salt: 'hush-hush' });
    await tb.run('secret', 'set', 'salt', 'second');
    expect(await used()).toEqual({ salt: 'second' });
    const listed = await tb.run('secret', 'ls');
    expect(listed).toContain('salt');
    expect(listed).not.toMatch(/hush|second/u);
    expect(await tb.run('secret', 'rm', 'salt')).toContain("Secret 'salt' deleted");
    expect(await used()).toEqual(answer);
  });
});

// Several at a time: most of what a command takes is its own start.
describe('lists', () => {
  it.concurrent.each([
    [
      ['datasource', 'ls'],
      ['hits', 'hits_daily'],
    ],
    [
      ['pipe', 'ls'],
      ['hits_mv', 'top_hits', 'materialized', 'endpoint'],
    ],
    [['endpoint', 'ls'], ['top_hits']],
    [['materialization', 'ls'], ['hits_mv']],
    [['copy', 'ls'], ['hit_totals_copy']],
    [
      ['job', 'ls'],
      ['copy', 'done'],
    ],
  ])('of %s', async (command, names) => {
    const output = await tb.run(...command);
    for (const name of names) expect(output).toContain(name);
  });
});

it('knows its workspace, by an address and a token that it is given as arguments', async () => {
  const { name } = JSON.parse((await call(workspace, 'GET /v1/workspace')).text) as { name: string };
  const output = await tb.run('--host', workspace.url, '--token', workspace.token, 'workspace', 'ls');
  expect(output).toMatch(new RegExp(`${name}[^]*True`, 'u'));
});

it('pulls files that deploy to no change', async () => {
  const folder = join(tb.folder, 'datasources');
  await rm(folder, { recursive: true });
  await mkdir(folder);
  await tb.run('pull', '--force');
  expect(await readFile(join(folder, 'hits.datasource'), 'utf8')).toContain('`page` String `json:$.page`');
  expect(await tb.run('deploy', '--check')).toContain('No changes to be deployed');
});
