import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { column, dataSource } from '../../platform/testing/stand.ts';
import { pipeRoutes } from './pipe-routes.ts';
import type { CallInit, PipeStand } from './testing/pipes.ts';
import { openPipes, TENANT } from './testing/pipes.ts';

type Json = Record<string, unknown>;

let stand: PipeStand;

beforeAll(async () => {
  stand = await openPipes(pipeRoutes);
  const { registry } = stand.platform;
  const columns = [column('page', 'String'), column('n', 'UInt64')];
  await registry.createDataSource(
    TENANT,
    dataSource('visits', { columns, engine: { name: 'MergeTree', sortingKey: 'page' } }),
  );
  await registry.createDataSource(
    TENANT,
    dataSource('totals', { columns, engine: { name: 'SummingMergeTree', sortingKey: 'page' } }),
  );
  await registry.createDataSource(
    TENANT,
    dataSource('snapshot', { columns, engine: { name: 'MergeTree', sortingKey: 'page' } }),
  );
  await stand.rows('visits', "(page, n) VALUES ('a', 1), ('b', 2), ('a', 4)");
});

afterAll(() => stand.close());

beforeEach(async () => {
  const { catalog, registry } = stand.platform;
  for (const pipe of catalog.pipes(TENANT)) if (!pipe.builtIn) await registry.dropPipe(TENANT, pipe.name, true);
});

const ask = async (request: string, init: CallInit = {}): Promise<{ status: number; json: Json }> => {
  const [method = 'GET', path = ''] = request.split(' ');
  const { status, text } = await stand.call(path, { ...init, method });
  return { status, json: text === '' ? {} : (JSON.parse(text) as Json) };
};
const json = (body: unknown): CallInit => ({
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});
const ended = async (answer: { json: Json }): Promise<Json> => {
  const { job_id: id } = answer.json['job'] as Json;
  const job = await stand.platform.jobs.ended(TENANT, id as string);
  return { status: job.status, error: job.error, ...job.result };
};
const nodesOf = (pipe: Json): Json[] => pipe['nodes'] as Json[];
const PUSH = '?cli_version=6.5.5&description=&ignore_sql_errors=false&unlink_on_populate_error=false&branch_mode=None';

describe('a pipe that is pushed', () => {
  const body = {
    name: 'top',
    description: 'Pages by visits',
    nodes: [
      { name: 'all_of', sql: 'SELECT * FROM visits', type: 'standard', description: null, target_datasource: null },
      {
        name: 'summed',
        sql: '%\nSELECT page, sum(n) AS total FROM all_of GROUP BY page ORDER BY page LIMIT {{ Int32(limit, 10, description="Most rows") }}',
        type: 'standard',
      },
    ],
  };

  it('is made, published, and answers', async () => {
    const made = await ask(`POST /v0/pipes${PUSH}`, json(body));
    expect(made.status).toBe(200);
    expect(made.json).toMatchObject({ name: 'top', type: 'default', endpoint: null, description: 'Pages by visits' });
    const id = nodesOf(made.json)[1]?.['id'] as string;
    const published = await ask(`POST /v0/pipes/top/nodes/${id}/endpoint`);
    expect(published.json).toMatchObject({ type: 'endpoint', endpoint: id });
    expect((await stand.call('/v0/pipes/top.ndjson?limit=1')).text).toBe('{"page":"a","total":5}\n');
  });

  it('is there once, unless it is forced, and stays published then', async () => {
    await ask(`POST /v0/pipes${PUSH}`, json(body));
    expect(await ask(`POST /v0/pipes${PUSH}`, json(body))).toMatchObject({ status: 409 });
    await ask('POST /v0/pipes/top/nodes/summed/endpoint');
    const changed = { ...body, nodes: [{ name: 'only', sql: 'SELECT 7 AS seven', type: 'standard' }] };
    const forced = await ask(`POST /v0/pipes${PUSH}&force=true`, json(changed));
    expect(forced.json).toMatchObject({ type: 'endpoint' });
    expect((await stand.call('/v0/pipes/top.ndjson')).text).toBe('{"seven":7}\n');
  });

  it('is shown with what clients read of it', async () => {
    await ask(`POST /v0/pipes${PUSH}`, json(body));
    const { json: pipe } = await ask('GET /v0/pipes/top');
    expect(pipe['created_at']).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/u);
    expect(nodesOf(pipe)[1]).toMatchObject({
      name: 'summed',
      node_type: 'standard',
      dependencies: ['all_of'],
      columns: [
        { name: 'page', type: 'String' },
        { name: 'total', type: 'UInt64' },
      ],
      params: [{ name: 'limit', type: 'Int32', required: false, default: 10, description: 'Most rows' }],
    });
    expect(nodesOf(pipe)[0]).toMatchObject({ dependencies: ['visits'] });
    const { json: list } = await ask('GET /v0/pipes?dependencies=false&attrs=name,updated_at,type&node_attrs=name');
    const [listed] = list['pipes'] as Json[];
    expect(Object.keys(listed ?? {}).toSorted()).toEqual(['id', 'name', 'nodes', 'type', 'updated_at']);
    expect(Object.keys(nodesOf(listed ?? {})[0] ?? {}).toSorted()).toEqual(['id', 'name']);
  });

  it('is downloaded as a data file, and the data file makes the same', async () => {
    await ask(`POST /v0/pipes${PUSH}`, json(body));
    await ask('POST /v0/pipes/top/nodes/summed/endpoint');
    const texts = await Promise.all(
      ['/v0/pipes/top.pipe', '/v1/pipes/top.pipe', '/v0/pipes/top?format=pipe'].map((path) => stand.call(path)),
    );
    expect(new Set(texts.map(({ text }) => text)).size).toBe(1);
    expect(texts[0]?.headers.get('content-type')).toBe('text/plain');
    const definition = stand.platform.catalog.pipe(TENANT, 'top')?.definition;
    expect(await ask('POST /v0/pipes?name=top&force=true', { body: texts[0]?.text ?? '' })).toMatchObject({
      status: 200,
    });
    expect(stand.platform.catalog.pipe(TENANT, 'top')?.definition).toEqual(definition);
  });

  it('loses its endpoint and itself', async () => {
    await ask(`POST /v0/pipes${PUSH}`, json(body));
    await ask('POST /v0/pipes/top/nodes/summed/endpoint');
    expect((await ask('DELETE /v0/pipes/top/nodes/summed/endpoint')).json).toMatchObject({ type: 'default' });
    expect((await ask('GET /v0/pipes/top.json')).status).toBe(404);
    expect((await ask('DELETE /v0/pipes/top')).status).toBe(204);
    expect((await ask('GET /v0/pipes/top')).status).toBe(404);
  });

  it('has one node made of a name and a statement, wherever these stand', async () => {
    expect((await ask('POST /v0/pipes?name=one&sql=SELECT%201%20AS%20one')).json).toMatchObject({ name: 'one' });
    expect((await ask('POST /v0/pipes?name=two', { body: 'SELECT 2 AS two' })).json).toMatchObject({ name: 'two' });
    const added = await ask('POST /v0/pipes/two/nodes?name=more', { body: 'SELECT two + 1 AS three FROM two_0' });
    expect(added.json).toMatchObject({ name: 'more', dependencies: ['two_0'] });
    await ask('PUT /v0/pipes/two/nodes/more', { body: 'SELECT two + 2 AS four FROM two_0' });
    await ask('POST /v0/pipes/two/nodes/more/endpoint');
    expect((await stand.call('/v0/pipes/two.ndjson')).text).toBe('{"four":4}\n');
    expect((await ask('DELETE /v0/pipes/two/nodes/more')).status).toBe(204);
  });
});

describe('who may not', () => {
  it('changes no pipe, and sees no statement of those that may be called', async () => {
    await stand.put('top', 'SELECT page FROM visits');
    const token = await stand.token('caller', 'PIPES:READ:top');
    const { json: pipe } = await ask('GET /v0/pipes/top', { token });
    expect(JSON.stringify(pipe)).not.toContain('SELECT');
    await stand.put('other', 'SELECT 1');
    expect(((await ask('GET /v0/pipes', { token })).json['pipes'] as Json[]).map(({ name }) => name)).toEqual(['top']);
    for (const request of [
      'POST /v0/pipes?name=x&sql=SELECT%201',
      'DELETE /v0/pipes/top',
      'POST /v0/pipes/top/nodes?sql=SELECT%201',
      'DELETE /v0/pipes/top/nodes/endpoint/endpoint',
      'POST /v0/pipes/top/copy',
      'POST /v0/pipes/top/sink',
      'GET /v0/pipes/top.pipe',
    ])
      expect([request, (await ask(request, { token })).status]).toEqual([request, 403]);
    expect((await ask('GET /v0/pipes/other', { token })).status).toBe(404);
  });
});

describe('the OpenAPI document', () => {
  it('has the endpoints that the token may call, with their parameters', async () => {
    await stand.put(
      'search',
      `%
      SELECT {{ String(word, description='What to look for', required=True) }} AS word, {{ Array(ids, 'Int64', '1,2') }} AS ids,
        {{ Float32(least, 0.5) }} AS least, {{ String(order, 'up', enum=['up', 'down']) }} AS o, {{ Date(day, '2026-01-01') }} AS day`,
      { description: 'Finds words' },
    );
    await stand.put('other', 'SELECT 1');
    const token = await stand.token('finder', 'PIPES:READ:search');
    const { json: document } = await ask('GET /v0/pipes/openapi.json', { token });
    expect(document['openapi']).toMatch(/^3\./u);
    const paths = document['paths'] as Record<string, Record<string, Json>>;
    expect(Object.keys(paths)).toEqual(
      ['json', 'csv', 'csvwithnames', 'tsv', 'ndjson', 'parquet', 'prometheus'].map(
        (ending) => `/v0/pipes/search.${ending}`,
      ),
    );
    const { get, post } = paths['/v0/pipes/search.json'] ?? {};
    expect(get).toMatchObject({ description: 'Finds words' });
    expect(get?.['parameters']).toMatchObject([
      { name: 'word', in: 'query', required: true, description: 'What to look for', schema: { type: 'string' } },
      { name: 'ids', schema: { type: 'array', items: { type: 'integer', format: 'int64' }, default: ['1', '2'] } },
      { name: 'least', required: false, schema: { type: 'number', format: 'float', default: 0.5 } },
      { name: 'order', schema: { type: 'string', enum: ['up', 'down'], default: 'up' } },
      { name: 'day', schema: { type: 'string', format: 'date' } },
      { name: 'q' },
    ]);
    expect(post?.['requestBody']).toMatchObject({
      content: { 'application/json': { schema: { required: ['word'] } } },
    });
    expect(JSON.stringify(document)).not.toContain('SELECT');
  });
});

describe('a copy', () => {
  const totals = 'SELECT page, toUInt64(sum(n)) AS n FROM visits GROUP BY page ORDER BY page';
  const push = (mode: string, sql = totals): Promise<{ status: number; json: Json }> =>
    ask(
      `POST /v0/pipes${PUSH}&force=true`,
      json({
        name: 'copied',
        nodes: [{ name: 'made', sql, type: 'copy', target_datasource: 'snapshot', copy_schedule: '@on-demand', mode }],
      }),
    );
  const rows = (): Promise<Json[]> => stand.ask('SELECT page, n FROM snapshot ORDER BY page, n');

  beforeEach(() => stand.platform.registry.truncate(TENANT, 'snapshot'));

  it('appends, again and again', async () => {
    const made = await push('append');
    const target = stand.platform.catalog.dataSource(TENANT, 'snapshot');
    expect(made.json).toMatchObject({
      type: 'copy',
      copy_target_datasource: target?.id,
      copy_mode: 'append',
      schedule: {},
    });
    expect(nodesOf(made.json)[0]).toMatchObject({ node_type: 'copy' });
    const answer = await ask('POST /v0/pipes/copied/copy?cli_version=5');
    expect(answer.json).toMatchObject({ tags: { copy_target_datasource: target?.id }, job: { kind: 'copy' } });
    expect(await ended(answer)).toMatchObject({ status: 'done', rows: 2 });
    await ended(await ask('POST /v0/pipes/copied/copy'));
    expect(await rows()).toEqual([
      { page: 'a', n: 5 },
      { page: 'a', n: 5 },
      { page: 'b', n: 2 },
      { page: 'b', n: 2 },
    ]);
  });

  it('replaces, and by parameter does the other', async () => {
    await push(
      'replace',
      `%
      SELECT page, n FROM visits WHERE n >= {{ UInt64(least, 0) }}`,
    );
    await ended(await ask('POST /v0/pipes/copied/copy'));
    await ended(await ask('POST /v0/pipes/copied/copy?least=2'));
    expect(await rows()).toEqual([
      { page: 'a', n: 4 },
      { page: 'b', n: 2 },
    ]);
    await ended(await ask('POST /v0/pipes/copied/copy?_mode=append&least=4'));
    expect(await rows()).toHaveLength(3);
    expect((await ask('POST /v0/pipes/copied/copy?least=many')).status).toBe(400);
    expect((await ask('POST /v0/pipes/copied/copy?_mode=both')).status).toBe(400);
  });

  it('that fails leaves the rows as they are', async () => {
    await push('replace');
    await ended(await ask('POST /v0/pipes/copied/copy'));
    await push('replace', 'SELECT page, toUInt64(throwIf(n = 4)) AS n FROM visits');
    expect(await ended(await ask('POST /v0/pipes/copied/copy'))).toMatchObject({ status: 'error' });
    await push('replace', "SELECT 'x' AS other FROM visits");
    expect(await ended(await ask('POST /v0/pipes/copied/copy'))).toMatchObject({ status: 'error' });
    expect(await rows()).toHaveLength(2);
    const left = await stand.ask<Json>("SELECT name FROM system.tables WHERE database = 'glasshouse_building'");
    expect(left).toEqual([]);
  });

  it('is seen whole by those who read meanwhile', async () => {
    await push('replace', 'SELECT toString(number % 10) AS page, toUInt64(1) AS n FROM numbers(200000)');
    await ended(await ask('POST /v0/pipes/copied/copy'));
    const reading = { on: true };
    const seen = new Set<number>();
    const reader = async (): Promise<void> => {
      while (reading.on) {
        const [row] = await stand.ask<{ c: number }>('SELECT count() AS c FROM snapshot');
        seen.add(row?.c ?? 0);
      }
    };
    const readers = [reader(), reader()];
    for (let round = 0; round < 5; round++) await ended(await ask('POST /v0/pipes/copied/copy'));
    reading.on = false;
    await Promise.all(readers);
    expect([...seen]).toEqual([200_000]);
  });

  it('fills what is made of its target', async () => {
    await stand.put('totals_mv', 'SELECT page, n FROM snapshot', {
      nodes: [
        { name: 'm', sql: 'SELECT page, n FROM snapshot', type: 'materialized', settings: { DATASOURCE: 'totals' } },
      ],
    });
    await push('append');
    await ended(await ask('POST /v0/pipes/copied/copy'));
    expect(await stand.ask('SELECT page, sum(n) AS n FROM totals GROUP BY page ORDER BY page')).toEqual([
      { page: 'a', n: 5 },
      { page: 'b', n: 2 },
    ]);
    await stand.platform.registry.truncate(TENANT, 'totals');
  });

  it('reads nothing that a pipe may not', async () => {
    for (const sql of [
      "SELECT * FROM file('/etc/passwd')",
      'SELECT name AS page, 1 AS n FROM system.users',
      "SELECT 1 INTO OUTFILE 'x'",
    ]) {
      await push('append', sql);
      expect((await ask('POST /v0/pipes/copied/copy')).status).toBeGreaterThanOrEqual(400);
    }
  });

  it('is set on a node and taken off it, and its schedule is paused', async () => {
    await ask(`POST /v0/pipes?name=later`, { body: totals });
    const put = await ask('PUT /v0/pipes/later/nodes/later_0/copy', {
      body: new URLSearchParams({ target_datasource: 'snapshot', mode: 'replace', schedule_cron: '0 4 * * *' }),
    });
    expect(put.json).toMatchObject({
      type: 'copy',
      copy_mode: 'replace',
      schedule: { cron: '0 4 * * *', status: 'running' },
    });
    expect((await ask('POST /v0/pipes/later/copy/pause')).json).toMatchObject({ schedule: { status: 'paused' } });
    expect((await ask('POST /v0/pipes/later/copy/resume')).json).toMatchObject({ schedule: { status: 'running' } });
    const changed = await ask('PUT /v0/pipes/later/nodes/later_0/copy', {
      body: new URLSearchParams({ schedule_cron: 'None' }),
    });
    expect(changed.json).toMatchObject({ schedule: {}, copy_mode: 'replace' });
    expect((await ask('DELETE /v0/pipes/later/nodes/later_0/copy')).status).toBe(204);
    expect((await ask('GET /v0/pipes/later')).json).toMatchObject({ type: 'default' });
  });
});

describe('a materialization', () => {
  const push = (query = ''): Promise<{ status: number; json: Json }> =>
    ask(
      `POST /v0/pipes${PUSH}&force=true${query}`,
      json({
        name: 'totals_mv',
        nodes: [
          { name: 'seen', sql: 'SELECT page, n FROM visits', type: 'standard' },
          {
            name: 'made',
            sql: 'SELECT page, sum(n) AS n FROM seen GROUP BY page',
            type: 'materialized',
            datasource: 'totals',
          },
        ],
      }),
    );
  const totals = (): Promise<Json[]> => stand.ask('SELECT page, sum(n) AS n FROM totals GROUP BY page ORDER BY page');
  const all = [
    { page: 'a', n: 5 },
    { page: 'b', n: 2 },
  ];

  beforeEach(() => stand.platform.registry.truncate(TENANT, 'totals'));

  it('is populated when it is made, and not again without being told to begin anew', async () => {
    const made = await push('&populate=true');
    expect(made.json).toMatchObject({ type: 'materialized', job: { kind: 'populateview' } });
    expect(await ended(made)).toMatchObject({ status: 'done', rows_read: 3 });
    expect(await totals()).toEqual(all);
    const again = await ask('POST /v0/pipes/totals_mv/nodes/made/population');
    expect(again.status).toBe(409);
    expect(again.json['error']).toContain('truncate=true');
    expect(await ended(await ask('POST /v0/pipes/totals_mv/nodes/made/population?truncate=true'))).toMatchObject({
      status: 'done',
    });
    expect(await totals()).toEqual(all);
    expect(await ended(await push('&populate=true'))).toMatchObject({ status: 'done' });
    expect(await totals()).toEqual(all);
  });

  it('is populated later, if its target is empty', async () => {
    expect((await push()).json).toMatchObject({ type: 'materialized' });
    expect(await totals()).toEqual([]);
    expect(await ended(await ask('POST /v0/pipes/totals_mv/nodes/made/population'))).toMatchObject({ status: 'done' });
    expect(await totals()).toEqual(all);
  });

  it('is populated with the rows that meet a condition', async () => {
    const made = await push(`&populate=true&populate_condition=${encodeURIComponent('n > 1')}`);
    expect(await ended(made)).toMatchObject({ status: 'done' });
    expect(await totals()).toEqual([
      { page: 'a', n: 4 },
      { page: 'b', n: 2 },
    ]);
    expect((await push(`&populate=true&populate_condition=${encodeURIComponent('n) OR (1')}`)).status).toBe(400);
  });

  it('is analysed before it is made', async () => {
    await ask(
      `POST /v0/pipes${PUSH}`,
      json({ name: 'x__checker', nodes: [{ name: 'n', sql: 'SELECT page FROM visits', type: 'standard' }] }),
    );
    const { status, json: answer } = await ask(
      'GET /v0/pipes/x__checker/nodes/n/analysis?datasource=totals&dry_run=true',
    );
    expect(status).toBe(200);
    expect(answer['warnings']).toHaveLength(1);
    expect((await ask('DELETE /v0/pipes/x__checker')).status).toBe(204);
  });

  it('is set on a node and taken off it', async () => {
    await ask('POST /v0/pipes?name=later', { body: 'SELECT page, n FROM visits' });
    const made = await ask('POST /v0/pipes/later/nodes/later_0/materialization?datasource=totals&populate=true');
    expect(await ended(made)).toMatchObject({ status: 'done' });
    expect(await totals()).toEqual(all);
    expect((await ask('DELETE /v0/pipes/later/nodes/later_0/materialization')).status).toBe(204);
    expect((await ask('GET /v0/pipes/later')).json).toMatchObject({ type: 'default' });
  });
});

it('was told of no fault of our own', () => {
  expect(stand.faults).toEqual([]);
  expect(stand.failed).toEqual([]);
});
