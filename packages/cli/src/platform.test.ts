/**
 * The commands of the data platform against a built server: a project's life from the first deployment to the way back, and
 * everything that is done by hand. The tests follow one another and share that server.
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from './testing/built.ts';
import { BuiltCli, collect } from './testing/built.ts';

const VISITS = `# what people look at
TOKEN "visits_append" APPEND

SCHEMA >
    \`timestamp\` DateTime64(3) \`json:$.timestamp\`,
    \`page\` String \`json:$.page\`,
    \`ms\` UInt16 \`json:$.ms\` DEFAULT 0

INCLUDE "../includes/keys.incl" "first=page"
`;

const TOP_PAGES = `TOKEN "dashboard" READ

NODE top
SQL >
    %
    SELECT page, count() AS visits FROM visits
    {% if defined(page) %} WHERE page IN {{ Array(page) }} {% end %}
    GROUP BY page ORDER BY visits DESC, page LIMIT {{ Int32(limit, 10, description='How many') }}

TYPE endpoint
`;

const PROJECT: Readonly<Record<string, string>> = {
  'includes/keys.incl': 'ENGINE "MergeTree"\nENGINE_SORTING_KEY "$first, timestamp"\n',
  'datasources/visits.datasource': VISITS,
  'datasources/visits_by_page.datasource':
    'SCHEMA >\n    `page` String,\n    `visits` UInt64\n\nENGINE "MergeTree"\nENGINE_SORTING_KEY "page"\n',
  'endpoints/top_pages.pipe': TOP_PAGES,
  'copies/visits_copy.pipe':
    'NODE counted\nSQL >\n    SELECT page, count() AS visits FROM visits GROUP BY page\n\nTYPE copy\nTARGET_DATASOURCE visits_by_page\nCOPY_MODE replace\nCOPY_SCHEDULE @on-demand\n',
};

let cli: BuiltCli;
let folder: string;

const glasshouse = (...argv: string[]): Promise<Outcome> => cli.run(...argv);
const onTerminal = (argv: readonly string[], typed?: string): Promise<Outcome> => cli.onTerminal(argv, typed);

function put(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

async function rows(sql: string): Promise<unknown[]> {
  return (await cli.json<{ data: unknown[] }>('sql', sql)).data;
}

/** A minute ago, so that no clock is ahead of it. */
function lately(): string {
  return new Date(Date.now() - 60_000).toISOString();
}

beforeAll(async () => {
  cli = await BuiltCli.open();
  folder = join(dirname(cli.dataDir), 'project');
  for (const [name, text] of Object.entries(PROJECT)) put(name, text);
  await cli.json('start');
}, 120_000);

afterAll(() => cli?.close(), 60_000);

describe('deploy', () => {
  test('shows mistakes with their places and sends nothing', async () => {
    const path = put('endpoints/wrong.pipe', 'NODE n\nSQL >\n    %\n    SELECT {{ Strng(a) }}\n\nTYPE endpont\n');
    const { code, out, err } = await glasshouse('deploy', folder);
    rmSync(path);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(`${path}:6:1: cannot read TYPE=endpont`);
    expect(err).toContain('did you mean endpoint?');
    expect(err).toContain('Nothing was changed.');
  });

  test('shows what only the server can know with the file', async () => {
    const path = put(
      'endpoints/wrong.pipe',
      'NODE n\nSQL >\n    SELECT x FROM nowhere\n\nTYPE materialized\nDATASOURCE nowhere\n',
    );
    const { code, err } = await glasshouse('deploy', folder);
    rmSync(path);
    expect(code).toBe(1);
    expect(err).toContain(`${path}: `);
    expect(err).toContain('nowhere');
  });

  test('--check shows the plan and changes nothing', async () => {
    const { code, out } = await glasshouse('deploy', folder, '--check');
    expect(code).toBe(0);
    expect(out).toMatch(
      /Plan\n {2}\+ datasource {2}visits +new\n[^]*\+ pipe +top_pages +new\n[^]*Valid\. Nothing was changed\.\n$/,
    );
    expect((await cli.json<{ datasources: unknown[] }>('datasource', 'ls')).datasources).toEqual([]);
  });

  test('makes the project live, fragments and all', async () => {
    const live = await cli.json<{ result: string; plan: object[] }>('deploy', folder);
    expect(live).toMatchObject({ result: 'live', deployment: expect.any(String) as string, warnings: [] });
    expect(live.plan.map((item) => ({ ...item, file: undefined }))).toContainEqual({
      action: 'create',
      kind: 'datasource',
      name: 'visits',
      impact: 'new',
      messages: expect.any(Array) as unknown[],
    });
    expect((await glasshouse('datasource', 'show', 'visits', '--file')).out).toContain(
      'ENGINE_SORTING_KEY "page, timestamp"',
    );
  });

  test('without changes is none', async () => {
    expect(await glasshouse('deploy', folder)).toEqual({
      code: 0,
      out: 'No changes: the server has all of it.\n',
      err: '',
    });
    expect(await glasshouse('diff', folder)).toEqual({ code: 0, out: 'Nothing differs.\n', err: '' });
  });
});

describe('rows', () => {
  test('are appended from a file, and those that do not fit are told', async () => {
    const path = put(
      'rows.ndjson',
      `{"timestamp":"${lately()}","page":"/","ms":5}\n{"timestamp":"never","page":"/docs","ms":70000}\n`,
    );
    const { code, out } = await glasshouse('datasource', 'append', 'visits', path);
    expect(code).toBe(1);
    expect(out).toBe(
      '! 1 row appended to visits.\n  1 row did not fit; `glasshouse datasource quarantine visits` shows why.\n',
    );
    expect(await cli.json('datasource', 'append', 'visits', path, '--allow-quarantine')).toEqual({
      datasource: 'visits',
      successful_rows: 1,
      quarantined_rows: 1,
    });
  });

  test('are appended from packed files and from a pipe', async () => {
    const packed = join(folder, 'rows.csv.gz');
    writeFileSync(packed, gzipSync(`timestamp,page,ms\n${lately()},/docs,7\n`));
    expect(await cli.json('datasource', 'append', 'visits', packed)).toMatchObject({
      successful_rows: 1,
      quarantined_rows: 0,
    });
    const piped = cli.launch(['datasource', 'append', 'visits', '-', '--format', 'ndjson']);
    const { out } = await collect(piped, `{"timestamp":"${lately()}","page":"/docs"}\n`);
    expect(out).toBe('✓ 1 row appended to visits.\n');
    expect(await rows('SELECT page, count() AS n FROM visits GROUP BY page ORDER BY page')).toEqual([
      { page: '/', n: 2 },
      { page: '/docs', n: 2 },
    ]);
  });

  test('in the quarantine are shown with their reasons', async () => {
    expect(await cli.json('datasource', 'quarantine', 'visits')).toMatchObject({
      reasons: [
        { column: 'ms', example: expect.stringContaining("value '70000'") as string, rows: 2 },
        { column: 'timestamp', example: expect.stringContaining("value 'never'") as string, rows: 2 },
      ],
    });
    expect((await glasshouse('datasource', 'quarantine', 'visits', '--rows', '-n', '1')).out).toContain('/docs');
    expect((await glasshouse('datasource', 'truncate', 'visits_quarantine', '--yes')).code).toBe(0);
    expect((await glasshouse('datasource', 'quarantine', 'visits')).out).toBe(
      'Nothing is in the quarantine of visits.\n',
    );
  });

  test('are deleted by a condition, after asking', async () => {
    const where = ['datasource', 'delete', 'visits', '--where', "page = '/'"];
    expect((await glasshouse(...where, '--dry-run')).out).toBe(
      '2 rows of visits meet the condition. Nothing was deleted.\n',
    );
    expect(await onTerminal(where, 'no\n')).toMatchObject({ code: 3, out: '' });
    expect((await onTerminal(where, 'yes\n')).out).toBe('Deleted 2 rows of visits.\n');
    expect(await rows('SELECT DISTINCT page FROM visits')).toEqual([{ page: '/docs' }]);
    const { code, err } = await glasshouse('datasource', 'delete', 'visits', '--where', 'nothing = 1', '--yes');
    expect(code).toBe(1);
    expect(err).toContain('nothing');
  });

  test('are guessed at', async () => {
    const path = put(
      'guess.ndjson',
      '{"name":"a","n":1,"at":"2026-01-01 00:00:00"}\n{"name":"b","n":2,"at":"2026-01-02 00:00:00"}\n',
    );
    const { out } = await glasshouse('datasource', 'schema', path);
    expect(out).toMatch(/^SCHEMA >\n {4}`name` String `json:\$\.name`,\n/);
    put('guessed/guessed.datasource', out);
    expect(await glasshouse('push', join(folder, 'guessed/guessed.datasource'), '--check')).toMatchObject({ code: 0 });
    rmSync(join(folder, 'guessed'), { recursive: true });
  });
});

describe('pipes', () => {
  test('run as endpoints, with parameters', async () => {
    expect((await glasshouse('pipe', 'run', 'top_pages', '--format', 'csv')).out).toBe('"page","visits"\n"/docs",2\n');
    expect(JSON.parse((await glasshouse('pipe', 'run', 'top_pages', 'page=/', 'page=/docs')).out)).toMatchObject({
      data: [{ page: '/docs', visits: 2 }],
    });
    expect((await onTerminal(['pipe', 'run', 'top_pages', 'limit=1'])).out).toMatch(/page +visits\n─.*\n\/docs +2\n/);
    const { code, err } = await glasshouse('pipe', 'run', 'top_pages', 'limit=many');
    expect(code).toBe(1);
    expect(err).toContain('limit');
  });

  test('take many parameters', async () => {
    const pages = Array.from({ length: 400 }, (_, at) => `page=/a-page-of-some-length/${at}`);
    expect(JSON.parse((await glasshouse('pipe', 'run', 'top_pages', ...pages)).out)).toMatchObject({ data: [] });
  });

  test('are listed and shown', async () => {
    expect((await glasshouse('pipe', 'ls', '--type', 'endpoint')).out).toMatch(/top_pages +endpoint +top/);
    const { out } = await glasshouse('pipe', 'show', 'top_pages');
    expect(out).toMatch(/Address +http[^]*limit +Int32 +10 +How many[^]*SELECT page, count\(\) AS visits/);
    expect((await glasshouse('pipe', 'show', 'top_pages', '--file')).out).toContain('TYPE endpoint');
  });

  test('copy, and wait for it', async () => {
    expect((await glasshouse('pipe', 'copy', 'run', 'visits_copy')).out).toMatch(/^✓ Copied by visits_copy \(/);
    expect(await rows('SELECT page, visits FROM visits_by_page')).toEqual([{ page: '/docs', visits: 2 }]);
  });

  test('say who called them', async () => {
    await expect
      .poll(async () => (await cli.json<{ pipes: object[] }>('pipe', 'stats')).pipes, { timeout: 20_000 })
      .toMatchObject([{ pipe: 'top_pages' }]);
    // Calls are recorded in batches: the total may be there before the last of them.
    await expect
      .poll(async () => (await glasshouse('pipe', 'stats', 'top_pages')).out, { timeout: 20_000 })
      .toContain('/docs');
  });
});

describe('tokens', () => {
  test('of data files are shown on request only, and do what the files say', async () => {
    const listed = await glasshouse('token', 'ls');
    expect(listed.out).toMatch(/visits_append +DATASOURCES:APPEND:visits/);
    expect(listed.out).not.toContain('p.ey');
    expect((await glasshouse('token', 'ls', '--json')).out).not.toContain('p.ey');
    expect((await glasshouse('token', 'show', 'dashboard')).out).not.toContain('p.ey');
    const secret = (await glasshouse('token', 'show', 'dashboard', '--secret')).out.trim();
    const asReader = ['--url', cli.url, '--token', secret];
    expect((await glasshouse('pipe', 'run', 'top_pages', ...asReader)).code).toBe(0);
    expect((await glasshouse('datasource', 'truncate', 'visits', '--yes', ...asReader)).code).toBe(1);
  });

  test('are made, refreshed and ended', async () => {
    const made = await cli.json<{ token: string }>('token', 'create', 'reports', '--scope', 'DATASOURCES:READ:visits');
    const ask = (token: string): Promise<Outcome> =>
      glasshouse('sql', 'SELECT count() FROM visits', '--url', cli.url, '--token', token, '--format', 'TSV');
    expect((await ask(made.token)).out).toBe('2\n');
    const fresh = await cli.json<{ token: string }>('token', 'refresh', 'reports', '--yes');
    expect([(await ask(made.token)).code, (await ask(fresh.token)).out]).toEqual([1, '2\n']);
    expect((await glasshouse('token', 'rm', 'reports', '--yes')).out).toBe('Deleted token reports.\n');
    expect((await ask(fresh.token)).code).toBe(1);
  });

  test('that end by themselves fix parameters', async () => {
    const jwt = [
      'token',
      'jwt',
      'widget',
      '--scope',
      'PIPES:READ:top_pages',
      '--param',
      'page=/nowhere',
      '--expires',
      '5m',
    ];
    const { token } = await cli.json<{ token: string }>(...jwt);
    const { out } = await glasshouse('pipe', 'run', 'top_pages', 'page=/docs', '--url', cli.url, '--token', token);
    expect(JSON.parse(out)).toMatchObject({ data: [] });
  });
});

describe('changes', () => {
  const WIDER = VISITS.replace('`ms` UInt16', '`ms` UInt32');

  test('are shown line by line, and in sentences', async () => {
    put('datasources/visits.datasource', WIDER);
    const { code, out } = await glasshouse('diff', folder);
    expect(code).toBe(1);
    expect(out).toMatch(
      /^--- server\/visits\.datasource\n\+\+\+ .*visits\.datasource\n@@ .*\n[^]*^-.*UInt16.*\n^\+.*UInt32/m,
    );
    expect((await glasshouse('diff', folder, '--summary')).out).toContain(
      'The type of ms changes from UInt16 to UInt32.',
    );
  });

  test('take effect, and rows stay', async () => {
    const { code, out } = await glasshouse('deploy', folder);
    expect(code).toBe(0);
    expect(out).toMatch(/~ datasource {2}visits {2}changed in place\n {6}.*\bms\b[^]*is live[^]*--rollback/);
    expect(await rows('SELECT toTypeName(ms) AS type, count() AS n FROM visits GROUP BY type')).toEqual([
      { type: 'UInt32', n: 2 },
    ]);
  });

  test('that lose rows are agreed to, or do not happen', async () => {
    const removed = ['datasources/visits_by_page.datasource', 'copies/visits_copy.pipe'];
    for (const name of removed) rmSync(join(folder, name));
    const checked = await glasshouse('deploy', folder, '--check');
    expect(checked.code).toBe(1);
    expect(checked.out).toMatch(/- datasource {2}visits_by_page {2}deleted, with 1 row\n[^]*data would be lost/);
    for (const argv of [
      ['deploy', folder],
      ['deploy', folder, '--yes'],
    ]) {
      const { code, err } = await glasshouse(...argv);
      expect(code).toBe(2);
      expect(err).toContain('give --allow-destructive');
    }
    expect(await onTerminal(['deploy', folder], 'n\n')).toMatchObject({ code: 3, err: 'Nothing was changed.\n' });
    expect(await rows('SELECT page FROM visits_by_page')).toEqual([{ page: '/docs' }]);
    expect((await onTerminal(['deploy', folder], 'y\n')).code).toBe(0);
    expect((await glasshouse('datasource', 'show', 'visits_by_page')).code).toBe(1);
  });

  test('are taken back, with the rows that were deleted and those that came since', async () => {
    const path = put('more.ndjson', `{"timestamp":"${lately()}","page":"/since"}\n`);
    await cli.json('datasource', 'append', 'visits', path);
    const { deployments } = await cli.json<{ deployments: { id: string; live: boolean }[] }>('deploy', '--list');
    expect(deployments.map(({ live }) => live)).toEqual([true, false, false]);
    expect(await onTerminal(['deploy', '--rollback'], 'n\n')).toMatchObject({ code: 3 });
    const { code, out } = await glasshouse('deploy', '--rollback', '--yes');
    expect(code).toBe(0);
    expect(out).toMatch(/datasource visits_by_page: brought back[^]*is live again/);
    expect(await rows('SELECT page, visits FROM visits_by_page')).toEqual([{ page: '/docs', visits: 2 }]);
    expect(await rows("SELECT count() AS n FROM visits WHERE page = '/since'")).toEqual([{ n: 1 }]);
    expect(
      (await cli.json<{ deployments: { id: string; live: boolean }[] }>('deploy', '--list')).deployments[0]?.id,
    ).toBe(deployments[1]?.id);
  });

  test('go on after that', async () => {
    for (const name of ['datasources/visits_by_page.datasource', 'copies/visits_copy.pipe'])
      put(name, PROJECT[name] ?? '');
    put('endpoints/top_pages.pipe', TOP_PAGES.replace('How many', 'How many pages'));
    const { code, out } = await glasshouse('deploy', folder);
    expect(code).toBe(0);
    expect(out).toMatch(/~ pipe +top_pages[^]*is newer than the live one and not live, is removed[^]*is live/);
  });

  test('of single files leave the others alone', async () => {
    const path = put('extra/extra.pipe', 'NODE n\nSQL >\n    SELECT page FROM visits\n\nTYPE endpoint\n');
    const pushed = await cli.json<{ plan: { name: string; action: string }[] }>('push', path);
    expect(pushed.plan.map(({ name, action }) => [name, action])).toEqual([['extra', 'create']]);
    expect((await glasshouse('pipe', 'rm', 'extra', '--yes')).out).toBe('Deleted pipe extra.\n');
    rmSync(join(folder, 'extra'), { recursive: true });
  });

  test('are pulled into files, and none that differs is overwritten', async () => {
    const empty = join(dirname(folder), 'pulled');
    expect((await glasshouse('pull', empty)).code).toBe(0);
    expect(readFileSync(join(empty, 'datasources/visits.datasource'), 'utf8')).toContain('`ms` UInt32');
    expect(readFileSync(join(empty, 'endpoints/top_pages.pipe'), 'utf8')).toContain('TYPE endpoint');
    expect(await glasshouse('deploy', empty, '--check')).toMatchObject({
      code: 0,
      out: expect.stringContaining('No changes') as string,
    });
    expect(
      (await cli.json<{ files: { state: string }[] }>('pull', folder)).files.every(({ state }) => state === 'same'),
    ).toBe(true);
    put('datasources/visits.datasource', WIDER.replace('UInt32', 'UInt64'));
    const { code, out } = await glasshouse('pull', folder);
    expect(code).toBe(1);
    expect(out).toContain('visits.datasource: says something else, left as it is');
    expect(readFileSync(join(folder, 'datasources/visits.datasource'), 'utf8')).toContain('UInt64');
    expect((await glasshouse('pull', folder, '--force')).code).toBe(0);
    expect(readFileSync(join(folder, 'datasources/visits.datasource'), 'utf8')).toContain('UInt32');
  });

  test('that fail leave everything as it was', async () => {
    const fails = 'FORWARD_QUERY >\n    SELECT timestamp, page, toUInt32(throwIf(1)) AS ms\n';
    put(
      'datasources/visits.datasource',
      `${WIDER.replace('`ms` UInt32', '`ms` UInt32 CODEC(T64)').replace('first=page', 'first=ms')}\n${fails}`,
    );
    const before = await rows('SELECT * FROM visits ORDER BY ALL');
    const { code, err } = await glasshouse('deploy', folder, '--allow-destructive');
    expect(code).toBe(1);
    expect(err).toContain('Nothing was changed.');
    expect(await rows('SELECT * FROM visits ORDER BY ALL')).toEqual(before);
    put('datasources/visits.datasource', WIDER);
    expect(await glasshouse('deploy', folder)).toMatchObject({ code: 0 });
  });

  test('that are interrupted leave everything as it was, and nothing in the way of the next', async () => {
    const before = await glasshouse('deploy', '--list', '--json');
    put('endpoints/top_pages.pipe', TOP_PAGES.replace('How many', 'So many'));
    const { code, err } = await cli.onTerminal(['deploy', folder], '', AbortSignal.abort());
    expect(code).toBe(1);
    expect(err).toContain('it was interrupted; the workspace is as it was');
    expect(await glasshouse('deploy', '--list', '--json')).toEqual(before);
    expect(await glasshouse('deploy', folder)).toMatchObject({ code: 0 });
  });

  test('of long ago are forgotten, the last five are not', async () => {
    for (const word of ['one', 'two', 'three', 'four', 'five', 'six']) {
      put('endpoints/top_pages.pipe', TOP_PAGES.replace('How many', word));
      await cli.json('deploy', folder);
    }
    const { deployments } = await cli.json<{ deployments: { id: string }[] }>('deploy', '--list');
    expect(deployments).toHaveLength(6);
    const oldest = deployments.at(-1)?.id ?? '';
    expect(await cli.json('deploy', '--rollback', oldest, '--yes')).toMatchObject({
      result: 'live',
      deployment: oldest,
    });
    expect((await glasshouse('pipe', 'show', 'top_pages', '--file')).out).toContain("description='one'");
    expect(await glasshouse('deploy', '--rollback', '1', '--yes')).toMatchObject({ code: 2 });
    expect((await glasshouse('deploy', folder)).code).toBe(0);
  });
});

describe('data sources by hand', () => {
  test('are made, shown, emptied and deleted', async () => {
    const schema = "timestamp DateTime, page String DEFAULT '/' COMMENT 'What was read'";
    expect(
      (await glasshouse('datasource', 'create', 'by_hand', '--schema', schema, '--sorting-key', 'timestamp')).code,
    ).toBe(0);
    const shown = (await glasshouse('datasource', 'show', 'by_hand')).out;
    expect(shown).toMatch(/Sorting key +timestamp[^]*page +String +DEFAULT '\/' +What was read/);
    expect(await glasshouse('datasource', 'create', 'by_hand', '--schema', schema)).toMatchObject({ code: 1 });
    expect(await glasshouse('datasource', 'create', 'worse', '--schema', 'a Strong')).toMatchObject({
      code: 1,
      err: expect.stringContaining('did you mean String?') as string,
    });
    expect((await onTerminal(['datasource', 'truncate', 'by_hand'], 'y\n')).out).toBe('Deleted all rows of by_hand.\n');
    expect((await onTerminal(['datasource', 'rm', 'by_hand'], 'y\n')).out).toBe('Deleted data source by_hand.\n');
  });

  test('are made like a file, which they take then', async () => {
    const path = put(
      'like.csv',
      'city,when,visits\nOslo,2026-01-01 00:00:00,3\n"Bergen, again",2026-01-02 00:00:00,\n',
    );
    expect((await glasshouse('datasource', 'create', 'like_csv', '--like', path)).code).toBe(0);
    expect((await glasshouse('datasource', 'show', 'like_csv')).out).toMatch(
      /city +String[^]*when +DateTime64\(3\)[^]*visits +Nullable\(Int64\)/,
    );
    expect(await cli.json('datasource', 'append', 'like_csv', path)).toMatchObject({
      successful_rows: 2,
      quarantined_rows: 0,
    });
    expect((await glasshouse('datasource', 'rm', 'like_csv', '--yes')).code).toBe(0);
    const { code, err } = await glasshouse('datasource', 'schema', put('none.csv', '1,2\n3,4\n'));
    expect([code, err]).toEqual([1, expect.stringContaining('its first line has no names')]);
  });

  test('that pipes use are not deleted by chance', async () => {
    const { code, err } = await glasshouse('datasource', 'rm', 'visits', '--yes');
    expect(code).toBe(1);
    expect(err).toContain('top_pages');
  });

  test('belong to a tenant', async () => {
    expect((await cli.json<{ datasources: unknown[] }>('datasource', 'ls', '--tenant', 'acme')).datasources).toEqual(
      [],
    );
  });
});

describe('directives that Tinybird Forward does not take', () => {
  const SUMMED =
    'SCHEMA >\n    `day` Date `json:$.day`,\n    `hits` UInt64 `json:$.hits`,\n    `ms` UInt64 `json:$.ms`\n\n' +
    'ENGINE "SummingMergeTree"\nENGINE_SORTING_KEY "day"\nENGINE_SUMMING_COLUMNS "hits"\n';
  const HITS = 'NODE all\nSQL >\n    SELECT sum(hits) AS hits FROM summed\n\nTYPE endpoint\nCACHE 60\n';
  const append = (hits: number): Promise<Outcome> =>
    glasshouse('datasource', 'append', 'summed', put('summed.ndjson', `{"day":"2026-01-01","hits":${hits},"ms":10}\n`));

  test('add up the columns that they name', async () => {
    expect(await glasshouse('push', put('summed/summed.datasource', SUMMED))).toMatchObject({ code: 0 });
    await append(1);
    await append(2);
    expect(await rows('SELECT hits, ms FROM summed FINAL')).toEqual([{ hits: 3, ms: 10 }]);
    expect((await glasshouse('datasource', 'show', 'summed', '--file')).out).toContain('ENGINE_COLUMNS "hits"');
  });

  test('keep answers for as long as they say', async () => {
    expect(await glasshouse('push', put('summed/hits.pipe', HITS))).toMatchObject({ code: 0 });
    const answer = async (): Promise<unknown> => JSON.parse((await glasshouse('pipe', 'run', 'hits')).out);
    expect(await answer()).toMatchObject({ data: [{ hits: 3 }] });
    await append(4);
    expect(await rows('SELECT sum(hits) AS hits FROM summed')).toEqual([{ hits: 7 }]);
    expect(await answer()).toMatchObject({ data: [{ hits: 3 }] });
    expect((await glasshouse('pipe', 'show', 'hits', '--file')).out).toContain('CACHE 60');
  });
});
