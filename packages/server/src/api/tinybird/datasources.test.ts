/** Data sources over their routes, on the whole server: made in every way, shown, altered, emptied, removed. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

const SCHEMA = '`ts` DateTime64(3) `json:$.ts`,`page` String `json:$.page`,`n` UInt32 `json:$.n` DEFAULT 1';

/** A form, as `curl -d` and the command lines send it. */
function form(request: string, fields: Readonly<Record<string, string>>, token?: string | null): Promise<Answer> {
  return server.call(request, { body: new URLSearchParams(fields), ...(token === undefined ? {} : { token }) });
}

async function make(name: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const { status, text } = await form('POST /v0/datasources', { name, schema: SCHEMA, ...more });
  if (status !== 200) throw new Error(text);
}

async function names(token?: string): Promise<string[]> {
  const { json } = await server.call('/v0/datasources', token === undefined ? {} : { token });
  return (json['datasources'] as { name: string }[]).map(({ name }) => name);
}

describe('a new data source', () => {
  it('is made of the parameters that a command line takes from a data file', async () => {
    const answer = await form('POST /v0/datasources?cli_version=1&unknown=2', {
      name: 'visits',
      description: 'Visits of pages',
      schema: SCHEMA,
      format: 'ndjson',
      engine: 'ReplacingMergeTree',
      engine_sorting_key: 'page, ts',
      engine_partition_key: 'toYYYYMM(ts)',
      engine_ver: 'n',
      branch_mode: 'None',
    });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      datasource: {
        name: 'visits',
        type: 'ndjson',
        description: 'Visits of pages',
        engine: {
          engine: 'ReplacingMergeTree',
          sorting_key: 'page, ts',
          partition_key: 'toYYYYMM(ts)',
          engine_ver: 'n',
        },
        statistics: { row_count: 0, bytes: 0 },
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/u) as unknown,
      },
    });
    const { json } = await server.call('/v0/datasources/visits?attrs=');
    expect(json['schema']).toMatchObject({
      sql_schema: '`ts` DateTime64(3) `json:$.ts`, `page` String `json:$.page`, `n` UInt32 `json:$.n` DEFAULT 1',
      columns: [
        { name: 'ts', type: 'DateTime64(3)', jsonpath: '$.ts', default_value: null, nullable: false },
        { name: 'page' },
        { name: 'n', default_value: 'DEFAULT 1' },
      ],
    });
  });

  it('is made of the DDL of a guide, as the schema or as the body', async () => {
    const sql =
      'CREATE TABLE spans_of (\n  -- who\n  tenant String, at DateTime64(3), day Date MATERIALIZED toDate(at)\n) ENGINE = MergeTree() PARTITION BY toYYYYMM(day) ORDER BY (tenant, at) TTL day + INTERVAL 90 DAY SETTINGS index_granularity = 8192;';
    expect((await form('POST /v0/datasources', { name: 'by_schema', schema: sql })).status).toBe(200);
    expect((await server.call('POST /v0/datasources?name=by_body', { body: sql })).status).toBe(200);
    for (const name of ['by_schema', 'by_body']) {
      expect((await server.call(`/v0/datasources/${name}`)).json['engine']).toMatchObject({
        sorting_key: 'tenant, at',
        ttl: 'day + INTERVAL 90 DAY',
      });
    }
  });

  it('is made of a data file, and given back as one', async () => {
    const file =
      'TOKEN "file_append" APPEND\n\nSCHEMA >\n    `a` String `json:$.a`\n\nENGINE "MergeTree"\nENGINE_SORTING_KEY "a"\n';
    expect((await server.call('POST /v0/datasources?name=of_file', { body: file })).status).toBe(200);
    for (const path of [
      '/v0/datasources/of_file.datasource?include_all_shared_with=false',
      '/v0/datasources/of_file?format=datasource',
    ]) {
      const answer = await server.call(path);
      expect([answer.headers.get('content-type'), answer.text]).toEqual(['text/plain', file]);
    }
    const { json } = await server.call('/v0/tokens/file_append');
    expect(json['scopes']).toEqual([{ type: 'DATASOURCES:APPEND', resource: 'of_file' }]);
  });

  it('keeps the comments of columns', async () => {
    const file =
      "SCHEMA >\n    `a` String `json:$.a` DEFAULT 'x' COMMENT 'It\\'s --\\nthe \"first\" # one',\n    `b` UInt8 COMMENT 'second'\n\nENGINE \"MergeTree\"\n";
    expect((await server.call('POST /v0/datasources?name=told', { body: file })).status).toBe(200);
    const pulled = async (): Promise<string> => (await server.call('/v0/datasources/told.datasource')).text;
    const comments = async (): Promise<unknown[]> => {
      const { json } = await server.call('/v0/datasources/told');
      const shown = (json['columns'] as { description: unknown }[]).map(({ description }) => description);
      const table = (await server.rows('DESCRIBE TABLE told')).map((row) => row['comment']);
      expect(table).toEqual(shown.map((description) => description ?? ''));
      return shown;
    };
    const alter = (sql: string): Promise<Answer> => form('POST /v0/datasources/told/alter', { sql });
    expect(await pulled()).toBe(file);
    expect(await comments()).toEqual([`It's --\nthe "first" # one`, 'second']);
    const { json } = await alter("ALTER TABLE told COMMENT COLUMN a 'other', MODIFY COLUMN b REMOVE COMMENT");
    expect(json['operations']).toEqual(['changes the comment of column a', 'changes the comment of column b']);
    expect(await comments()).toEqual(['other', null]);
    await alter("ALTER TABLE told MODIFY COLUMN b UInt16 COMMENT 'wider', MODIFY COLUMN a DEFAULT 'y'");
    expect(await comments()).toEqual(['other', 'wider']);
    expect((await alter("ALTER TABLE told ADD COLUMN c String COMMENT 'new' FIRST")).status).toBe(200);
    await server.events('told', { a: 'v', b: 300, c: 'w' });
    expect(await server.rows('SELECT * FROM told')).toEqual([{ c: 'w', a: 'v', b: 300 }]);
    const again = await form('POST /v0/datasources/told/alter', { schema: "a String DEFAULT 'y', b UInt16, c String" });
    expect(again.status).toBe(200);
    expect(await comments()).toEqual([null, null, null]);
  });

  it('takes the maps of ClickHouse as defaults', async () => {
    const file =
      "SCHEMA >\n    `id` String,\n    `tags` Map(String, UInt64) `json:$.tags` DEFAULT {'a': 1, 'b': 2},\n" +
      "    `none` Map(String, String) DEFAULT {},\n    `deep` Map(String, Map(String, Int8)) DEFAULT {'x': {'y': -1}}\n";
    expect((await server.call('POST /v0/datasources?name=mapped', { body: file })).status).toBe(200);
    await server.events('mapped', { id: '1' }, { id: '2', tags: { c: 3 }, none: { d: 'e' }, deep: {} });
    expect(await server.rows('SELECT * FROM mapped ORDER BY id')).toEqual([
      { id: '1', tags: { a: 1, b: 2 }, none: {}, deep: { x: { y: -1 } } },
      { id: '2', tags: { c: 3 }, none: { d: 'e' }, deep: {} },
    ]);
    expect(await server.rows('SELECT count() AS n FROM mapped_quarantine')).toEqual([{ n: 0 }]);
    const { text } = await server.call('/v0/datasources/mapped.datasource');
    expect(text).toContain("`tags` Map(String, UInt64) `json:$.tags` DEFAULT map('a', 1, 'b', 2),");
    const schema =
      "id String, tags Map(String, UInt64) `json:$.tags` DEFAULT {'a':1,'b':2}, none Map(String, String) DEFAULT {}, deep Map(String, Map(String, Int8)) DEFAULT {'x': {'y': -1}}";
    const same = await form('POST /v0/datasources/mapped/alter', { dry: 'true', schema });
    expect([same.status, same.json['error']]).toEqual([400, expect.stringContaining('no operations')]);
  });

  it('has a name of its own, and a schema that can be', async () => {
    await make('once');
    const bad: [Record<string, string>, number, RegExp][] = [
      [{ name: 'once', schema: SCHEMA }, 409, /once/u],
      [{ schema: SCHEMA }, 400, /name is missing/u],
      [{ name: '../etc', schema: SCHEMA }, 400, /name/u],
      [{ name: 'a b', schema: SCHEMA }, 400, /name/u],
      [{ name: 'x_quarantine', schema: SCHEMA }, 400, /reserved/u],
      [{ name: 'bad1', schema: 'a Strong' }, 400, /Strong/u],
      [{ name: 'bad2', schema: 'a String,a String' }, 400, /already/u],
      [{ name: 'bad3', schema: 'a String', engine: 'Log' }, 400, /Log/u],
      [{ name: 'bad4', schema: 'a String', engine_sorting_key: 'b' }, 400, /b/u],
      [{ name: 'bad5', schema: "a String DEFAULT file('/etc/passwd')" }, 403, /file/u],
      [{ name: 'bad6', schema: 'a String MATERIALIZED (SELECT 1)' }, 400, /./u],
      [{ name: 'bad7', schema: 'a String', engine_settings: "disk='s3'" }, 400, /disk/u],
      [{ name: 'bad8' }, 400, /no data/u],
      [{ name: 'bad9', schema: 'a String', mode: 'destroy' }, 400, /mode/u],
    ];
    for (const [fields, status, message] of bad) {
      const answer = await form('POST /v0/datasources', fields);
      expect([fields, answer.status, answer.json['error']]).toEqual([fields, status, expect.stringMatching(message)]);
    }
    expect((await names()).filter((name) => name.startsWith('bad'))).toEqual([]);
  });
});

describe('the list', () => {
  it('has what the server brought only when somebody uses it', async () => {
    expect(await names()).not.toContain('litellm');
    expect((await server.call('/v0/datasources/litellm')).status).toBe(404);
    await server.events('litellm', { model: 'm', id: '1' });
    expect(await names()).toContain('litellm');
    expect((await server.call('/v0/datasources/litellm')).json['statistics']).toMatchObject({ row_count: 1 });
  });

  it('shows a token what it may know of, and no number of rows that it may not read', async () => {
    await make('mine');
    await server.events('mine', { ts: '2026-01-01', page: 'a' });
    const append = await server.token('append', 'DATASOURCES:APPEND:mine');
    const some = await server.token('some', "DATASOURCES:READ:mine:page = 'b'");
    const none = await server.token('none', 'PIPES:READ:nothing');
    expect([await names(append), await names(some), await names(none)]).toEqual([['mine'], ['mine'], []]);
    for (const token of [append, some]) {
      expect((await server.call('/v0/datasources/mine', { token })).json).toMatchObject({
        statistics: { row_count: 0 },
        quarantine_rows: 0,
      });
      expect((await server.call('/v0/datasources/visits', { token })).status).toBe(404);
    }
    expect((await server.call('/v0/datasources/mine')).json['statistics']).toMatchObject({ row_count: 1 });
  });

  it('may be asked for in parts', async () => {
    const { json } = await server.call('/v0/datasources?attrs=name,description');
    for (const one of json['datasources'] as object[])
      expect(Object.keys(one).toSorted()).toEqual(['description', 'id', 'name']);
  });

  it('carries the rate in whole numbers, as every answer does', async () => {
    for (const path of ['/v0/datasources', '/v0/datasources/nowhere', '/v0/tokens/none-such', '/v0/regions']) {
      const { headers } = await server.call(path);
      for (const name of ['limit', 'remaining', 'reset']) expect(headers.get(`x-ratelimit-${name}`)).toMatch(/^\d+$/u);
    }
    const refused = await server.call('/v0/datasources', { token: 'p.nobody' });
    expect([refused.status, refused.headers.get('x-ratelimit-limit')]).toEqual([403, expect.stringMatching(/^\d+$/u)]);
  });
});

describe('a page of another origin', () => {
  it('may read what it brought a token for, and nothing else', async () => {
    const headers = { origin: 'https://app.example' };
    expect((await server.call('/v0/datasources', { headers })).headers.get('access-control-allow-origin')).toBe('*');
    expect(
      (await server.call('/v0/datasources', { headers, token: null })).headers.get('access-control-allow-origin'),
    ).toBeNull();
    expect((await server.call('/tokens', { headers, token: null })).status).toBe(404);
    const asked = await server.call('OPTIONS /v0/datasources/mine/truncate', {
      token: null,
      headers: { ...headers, 'access-control-request-headers': 'authorization' },
    });
    expect([asked.status, asked.headers.get('access-control-allow-methods')]).toEqual([204, 'POST, OPTIONS']);
  });

  it('cannot lose anything of an open server by a form', async () => {
    await make('kept');
    for (const request of [
      'POST /v0/datasources/kept/truncate',
      'DELETE /v0/datasources/kept',
      'POST /v0/datasources/kept/alter',
    ]) {
      expect([request, (await form(request, { schema: 'a String' }, null)).status]).toEqual([request, 403]);
    }
    expect((await form('POST /v0/datasources/kept/delete', { delete_condition: '1' }, null)).status).toBe(403);
    expect(
      (await server.call('POST /v0/datasources?name=kept&mode=replace&format=ndjson', { token: null, body: '{}' }))
        .status,
    ).toBe(403);
  });
});

describe('an alteration', () => {
  it('adds columns, first dry', async () => {
    await make('wide');
    await server.events('wide', { ts: '2026-01-01', page: 'a' });
    const schema = `${SCHEMA},\`more\` Array(String) \`json:$.more[:]\` DEFAULT []`;
    const dry = await form('POST /v0/datasources/wide/alter', { dry: 'true', description: '', schema });
    expect(dry.json).toMatchObject({ dry: true, operations: ['adds column more'] });
    expect((await server.call('/v0/datasources/wide')).json['columns']).toHaveLength(3);
    await form('POST /v0/datasources/wide/alter', { dry: 'false', schema });
    expect(await server.rows('SELECT page, more FROM wide')).toEqual([{ page: 'a', more: [] }]);
    const nothing = await form('POST /v0/datasources/wide/alter', { dry: 'true', schema });
    expect([nothing.status, nothing.json['error']]).toEqual([
      400,
      expect.stringContaining('There were no operations to perform'),
    ]);
  });

  it('is a statement, also one that changes nothing the second time', async () => {
    await make('llm_events');
    await server.events('llm_events', { ts: '2026-01-01', page: 'a' });
    const sql =
      "ALTER TABLE llm_events\n  ADD COLUMN IF NOT EXISTS event_type String DEFAULT 'text_generation',\n  ADD COLUMN IF NOT EXISTS image_width UInt16;";
    const first = await form('POST /v0/datasources/llm_events/alter', { sql });
    expect([first.status, first.json['operations']]).toEqual([
      200,
      ['adds column event_type', 'adds column image_width'],
    ]);
    const again = await server.call('POST /v0/datasources/llm_events/alter', { body: sql });
    expect([again.status, again.json['operations']]).toEqual([200, []]);
    expect(await server.rows('SELECT event_type, image_width FROM llm_events')).toEqual([
      { event_type: 'text_generation', image_width: 0 },
    ]);
  });

  it('adds columns that rows may leave out', async () => {
    await make('widened');
    const NONE = '00000000-0000-0000-0000-000000000000';
    const types = ['UInt16', 'String', 'LowCardinality(String)', 'Array(UInt8)', 'Map(String, String)', 'Date', 'Bool'];
    const more = [
      ...types,
      'UUID',
      'Nullable(String)',
      "Enum8('it''s' = 1, 'b' = 2)",
      'Decimal(9, 2)',
      'DateTime64(3)',
    ];
    const sql = `ALTER TABLE widened ${more.map((type, index) => `ADD COLUMN c${index} ${type}`).join(', ')}`;
    expect((await form('POST /v0/datasources/widened/alter', { sql })).status).toBe(200);
    await server.events('widened', { ts: '2026-01-01', page: 'a' }, { ts: '2026-01-02', page: 'b', c0: 7 });
    expect(await server.rows('SELECT page, c0, c1, c3, toString(c7) AS c7, c8, c9 FROM widened ORDER BY ts')).toEqual([
      { page: 'a', c0: 0, c1: '', c3: [], c7: NONE, c8: null, c9: "it's" },
      { page: 'b', c0: 7, c1: '', c3: [], c7: NONE, c8: null, c9: "it's" },
    ]);
  });

  it('renames, drops and changes columns', async () => {
    await make('changing');
    await server.events('changing', { ts: '2026-01-01', page: 'a', n: 7 });
    const sql =
      'ALTER TABLE changing RENAME COLUMN page TO path, MODIFY COLUMN n UInt64 DEFAULT 2, ADD COLUMN first UInt8 FIRST';
    expect((await form('POST /v0/datasources/changing/alter', { sql })).status).toBe(200);
    expect(await server.rows('SELECT * FROM changing')).toEqual([
      { first: 0, ts: '2026-01-01 00:00:00.000', path: 'a', n: 7 },
    ]);
    await server.events('changing', { ts: '2026-01-02', page: 'b', first: 1 });
    expect(await server.rows('SELECT path, n FROM changing ORDER BY ts')).toEqual([
      { path: 'a', n: 7 },
      { path: 'b', n: 2 },
    ]);
    expect(
      (await form('POST /v0/datasources/changing/alter', { sql: 'ALTER TABLE changing DROP COLUMN n' })).json,
    ).toMatchObject({ losses: ['drops column n'] });
    expect(await server.rows('SELECT * FROM changing ORDER BY ts LIMIT 1')).toEqual([
      { first: 0, ts: '2026-01-01 00:00:00.000', path: 'a' },
    ]);
  });

  it.each([
    ['of another table', { sql: 'ALTER TABLE other ADD COLUMN x String' }, 400],
    ['of an unknown column', { sql: 'ALTER TABLE strictly DROP COLUMN nothing' }, 400],
    ['of a known one', { sql: 'ALTER TABLE strictly ADD COLUMN page String' }, 400],
    ['that is something else', { sql: 'DROP TABLE strictly' }, 400],
    ['that deletes', { sql: 'ALTER TABLE strictly DELETE WHERE 1' }, 400],
    ['to what cannot be', { schema: 'a Strong' }, 400],
    ['with what may not be', { schema: `${SCHEMA},x String DEFAULT file('/x')` }, 403],
  ])('%s is refused', async (_, fields, status) => {
    if (!(await names()).includes('strictly')) await make('strictly');
    expect((await form('POST /v0/datasources/strictly/alter', fields as Record<string, string>)).status).toBe(status);
  });

  it('gives another name and description', async () => {
    await make('before');
    const answer = await form('PUT /v0/datasources/before', { name: 'after', description: 'Renamed' });
    expect(answer.json).toMatchObject({ name: 'after', description: 'Renamed' });
    expect((await server.call('/v0/datasources/before')).status).toBe(404);
    expect((await form('PUT /v0/datasources/after', { name: 'visits' })).status).toBe(409);
  });
});

describe('rows', () => {
  it('are counted and then deleted by a job', async () => {
    await make('few');
    await server.events('few', { ts: '2026-01-01', page: 'a' }, { ts: '2026-01-01', page: 'b' });
    const dry = await form('POST /v0/datasources/few/delete', { delete_condition: "page = 'a'", dry_run: 'true' });
    expect(dry.json).toEqual({ rows_to_be_deleted: 1 });
    const { json } = await form('POST /v0/datasources/few/delete', { delete_condition: "page = 'a'" });
    expect(json).toMatchObject({
      job_id: json['id'],
      status: 'waiting',
      delete_id: json['id'],
      job_url: `${server.base}/v0/jobs/${String(json['id'])}`,
    });
    expect(await server.ended(String(json['id']))).toMatchObject({
      kind: 'delete_data',
      status: 'done',
      rows_affected: 1,
    });
    expect(await server.rows('SELECT page FROM few')).toEqual([{ page: 'b' }]);
    const now = await form('POST /v1/datasources/few/delete', { delete_condition: "page = 'b'", wait: 'true' });
    expect(now.json).toMatchObject({ rows_affected: 1, mutation: { partitions_done: 1 } });
  });

  it.each([
    ['nothing', '', 400],
    ['what is no condition', '1; DROP TABLE x', 400],
    ['a column that is not there', 'nothing = 1', 400],
    ['a query', 'page IN (SELECT page FROM visits)', 403],
    ['a function that reads', "file('/etc/passwd') = ''", 403],
  ])('are not deleted by %s', async (_, delete_condition, status) => {
    const answer = await form('POST /v0/datasources/visits/delete', { delete_condition });
    expect([answer.status, typeof answer.json['error']]).toEqual([status, 'string']);
  });

  it('are all removed, and those of the quarantine', async () => {
    await make('emptied');
    await server.events('emptied', { ts: '2026-01-01', page: 'a' }, { page: 'b' });
    expect(await server.rows('SELECT count() AS n FROM emptied_quarantine')).toEqual([{ n: 1 }]);
    for (const name of ['emptied', 'emptied_quarantine']) {
      const answer = await server.call(`POST /v0/datasources/${name}/truncate`);
      expect([answer.status, answer.text]).toEqual([205, '']);
      expect(await server.rows(`SELECT count() AS n FROM ${name}`)).toEqual([{ n: 0 }]);
    }
  });
});

describe('a data source that is removed', () => {
  it('is gone, unless pipes use it', async () => {
    await make('leaving');
    expect((await server.call('DELETE /v0/datasources/leaving?force=false&dry_run=true')).json).toMatchObject({
      dependent_pipes: [],
    });
    expect((await server.call('DELETE /v0/datasources/leaving?force=true&dry_run=false')).status).toBe(204);
    expect((await server.call('/v0/datasources/leaving')).status).toBe(404);
    expect((await server.call('DELETE /v0/datasources/leaving')).status).toBe(404);
  });

  it('needs a credential for that', async () => {
    await make('guarded');
    const append = await server.token('only append', 'DATASOURCES:APPEND:guarded');
    const drop = await server.token('may drop', 'DATASOURCES:DROP:guarded');
    for (const request of ['DELETE /v0/datasources/guarded', 'POST /v0/datasources/guarded/truncate']) {
      expect((await server.call(request, { token: append })).status).toBe(403);
    }
    expect((await server.call('DELETE /v0/datasources/guarded', { token: drop })).status).toBe(204);
  });
});

it('serves the same on its own port', async () => {
  const answer = await fetch(`http://127.0.0.1:${server.port}/v0/datasources?token=${server.admin}`);
  expect([
    answer.status,
    (await fetch(`http://127.0.0.1:${server.port}/v1/traces`, { method: 'POST' })).status,
  ]).toEqual([200, 404]);
});

it('has not logged an error of its own', () => {
  expect(server.faults).toEqual([]);
});
