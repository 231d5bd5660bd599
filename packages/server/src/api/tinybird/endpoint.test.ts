import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { column, dataSource } from '../../platform/testing/stand.ts';
import { endpointRoutes } from './endpoint.ts';
import type { CallInit, PipeStand } from './testing/pipes.ts';
import { openPipes, TENANT } from './testing/pipes.ts';

let stand: PipeStand;

beforeAll(async () => {
  stand = await openPipes(endpointRoutes);
  const { registry } = stand.platform;
  await registry.createDataSource(
    TENANT,
    dataSource('visits', {
      columns: [column('page', 'String'), column('n', 'UInt64'), column('at', 'DateTime')],
      engine: { name: 'MergeTree', sortingKey: 'page' },
    }),
  );
  await registry.createDataSource(TENANT, dataSource('secrets'));
  await stand.rows(
    'visits',
    `(page, n, at) VALUES ('a', 1, '2026-01-01 00:00:00'), ('b', 18446744073709551615, '2026-01-02 00:00:00'), ('a', 4, '2026-01-03 00:00:00')`,
  );
  await stand.rows('secrets', `(k, n) VALUES ('password', 7)`);
  await stand.put('top', {
    filtered: `%
      SELECT page, n FROM visits
      WHERE 1 {% if defined(page) %} AND page IN {{ Array(page) }} {% end %}
        {% if defined(since) %} AND at >= {{ DateTime(since) }} {% end %}`,
    endpoint: `%
      SELECT page, max(n) AS n FROM filtered GROUP BY page ORDER BY page LIMIT {{ Int32(limit, 10) }}`,
  });
  await stand.put(
    'numbers_of',
    `%
    SELECT arraySum({{ Array(values, 'Float64', '0') }}) AS total`,
  );
  await stand.put(
    'echo',
    `%
    SELECT {{ String(text) }} AS text`,
  );
  await stand.put(
    'picky',
    `%
    {% if defined(plain) %}{{ error('not that') }}{% end %}
    {% if defined(own) %}{{ custom_error({'error': 'own', 'code': 7}, 422) }}{% end %}
    SELECT 1 AS one`,
  );
  await stand.put(
    'plain',
    { only: 'SELECT 1' },
    { nodes: [{ name: 'n', sql: 'SELECT 1', type: 'default', settings: {} }] },
  );
  await stand.put('slow', 'SELECT sum(cityHash64(number)) FROM numbers(100000000000)');
  await stand.put(
    'metrics',
    `SELECT 'visits_total' AS name, toFloat64(count()) AS value, 'All visits' AS help, 'counter' AS type,
    map('page', page) AS labels FROM visits GROUP BY page ORDER BY page`,
  );
  await stand.put(
    'with_secret',
    `%
    SELECT {{ tb_secret('KEY') }} AS secret`,
  );
  await stand.put(
    'of_pipe',
    `%
    SELECT sum(n) AS n FROM top WHERE page != {{ String(but, '') }}`,
  );
  await stand.put('large', 'SELECT number, toString(number) AS text FROM numbers(300000)');
  await stand.put('clocked', 'SELECT rand64() AS n', { cacheSeconds: 10 });
});

afterAll(() => stand.close());

const get = async (path: string, token?: string | null): Promise<{ status: number; json: Record<string, unknown> }> => {
  const { status, text } = await stand.call(path, token === undefined ? {} : { token });
  return { status, json: JSON.parse(text) as Record<string, unknown> };
};

describe('an endpoint', () => {
  it('answers in the shape of the query API, with 64-bit numbers as numbers', async () => {
    const { status, text, headers } = await stand.call('/v0/pipes/top.json');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json');
    expect(text).toContain('"n": 18446744073709551615');
    const { statistics, ...rest } = JSON.parse(text) as Record<string, unknown>;
    expect(rest).toMatchObject({
      meta: [
        { name: 'page', type: 'String' },
        { name: 'n', type: 'UInt64' },
      ],
      rows: 2,
    });
    expect(statistics).toMatchObject({ rows_read: 3 });
    for (const name of ['limit', 'remaining', 'reset']) expect(headers.get(`x-ratelimit-${name}`)).toMatch(/^\d+$/u);
  });

  it.each([
    ['csv', 'text/csv', '"page","n"\n"a",4\n"b",18446744073709551615\n'],
    ['csvwithnames', 'text/csv', '"page","n"\n"a",4\n"b",18446744073709551615\n'],
    ['tsv', 'text/tab-separated-values', 'page\tn\na\t4\nb\t18446744073709551615\n'],
    ['ndjson', 'application/x-ndjson', '{"page":"a","n":4}\n{"page":"b","n":18446744073709551615}\n'],
  ])('answers as %s to the byte', async (format, type, expected) => {
    const { text, headers } = await stand.call(`/v0/pipes/top.${format}`);
    expect(text).toBe(expected);
    expect(headers.get('content-type')).toBe(type);
  });

  it('answers as Parquet', async () => {
    const response = await fetch(`${stand.base}/v0/pipes/top.parquet?token=${stand.admin}`);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.subarray(0, 4).toString()).toBe('PAR1');
    expect(bytes.subarray(-4).toString()).toBe('PAR1');
    expect(response.headers.get('content-type')).toBe('application/vnd.apache.parquet');
  });

  it('answers as Prometheus metrics', async () => {
    const { text, headers } = await stand.call('/v0/pipes/metrics.prometheus');
    expect(headers.get('content-type')).toMatch(/^text\/plain/u);
    expect(text).toBe(
      '# HELP visits_total All visits\n# TYPE visits_total counter\nvisits_total{page="a"} 2\nvisits_total{page="b"} 1\n\n',
    );
  });

  it('refuses rows that are no metrics', async () => {
    expect((await get('/v0/pipes/top.prometheus')).status).toBe(400);
  });

  it.each<[string, string, CallInit]>([
    ['commas', '/v0/pipes/top.json?page=a,b', {}],
    ['repeated values', '/v0/pipes/top.json?page=a&page=b', {}],
    ['JSON text', `/v0/pipes/top.json?page=${encodeURIComponent('["a","b"]')}`, {}],
    ['a JSON body', '/v0/pipes/top.json', jsonBody({ page: ['a', 'b'] })],
    [
      'a form',
      '/v0/pipes/top.json',
      {
        method: 'POST',
        body: new URLSearchParams([
          ['page', 'a'],
          ['page', 'b'],
        ]),
      },
    ],
    ['JSON that is not declared', '/v0/pipes/top.json', { method: 'POST', body: Buffer.from('{"page":"a,b"}') }],
  ])('takes arrays as %s', async (_, path, init) => {
    const { status, text } = await stand.call(path, init);
    expect(text).toContain('"rows": 2');
    expect(status).toBe(200);
  });

  it('takes an array of numbers in each encoding', async () => {
    const totals = await Promise.all([
      stand.call('/v0/pipes/numbers_of.ndjson?values=0.25,0.5'),
      stand.call('/v0/pipes/numbers_of.ndjson?values=0.25&values=0.5'),
      stand.call(`/v0/pipes/numbers_of.ndjson?values=${encodeURIComponent('[0.25, 0.5]')}`),
      stand.call('/v0/pipes/numbers_of.ndjson', jsonBody({ values: [0.25, 0.5] })),
    ]);
    expect(totals.map(({ text }) => text)).toEqual(Array(4).fill('{"total":0.75}\n'));
  });

  it('takes a value that came twice as text with a comma where no array is meant', async () => {
    expect((await stand.call('/v0/pipes/echo.ndjson?text=a&text=b')).text).toBe('{"text":"a,b"}\n');
  });

  it('keeps the digits of large numbers in a JSON body', async () => {
    const init = {
      method: 'POST',
      body: '{"text": 12345678901234567890}',
      headers: { 'content-type': 'application/json' },
    };
    expect((await stand.call('/v0/pipes/echo.ndjson', init)).text).toBe('{"text":"12345678901234567890"}\n');
  });

  it('renders every value as a literal', async () => {
    for (const text of [
      'it\'s \\ "so"\n--',
      "') UNION ALL SELECT k FROM secrets --",
      '{{ 1 }}',
      '{x:String}',
      '/*',
      "\0'",
    ]) {
      const { text: answer } = await stand.call('/v0/pipes/echo.ndjson', jsonBody({ text }));
      expect(JSON.parse(answer)).toEqual({ text });
    }
  });

  it('takes SQL over its result', async () => {
    const q = (sql: string): string => `/v0/pipes/top.ndjson?page=a&q=${encodeURIComponent(sql)}`;
    expect((await stand.call(q('SELECT sum(n) AS n FROM _'))).text).toBe('{"n":4}\n');
    expect((await stand.call(q('SELECT count() AS c FROM top AS t WHERE t.n > 1'))).text).toBe('{"c":1}\n');
    expect((await stand.call(q('SELECT count() AS c FROM _ FORMAT CSV'))).text).toBe('1\n');
  });

  it('selects from other pipes, which see the same parameters', async () => {
    expect((await stand.call('/v0/pipes/of_pipe.ndjson?page=a')).text).toBe('{"n":4}\n');
    expect((await stand.call('/v0/pipes/of_pipe.ndjson?but=b')).text).toBe('{"n":4}\n');
  });

  it('binds secrets without writing them into the statement', async () => {
    expect((await stand.call('/v0/pipes/with_secret.ndjson')).text).toBe('{"secret":"hidden"}\n');
    expect(stand.audit.at(-1)?.sql).not.toContain('hidden');
  });

  it('streams a large result, packed', async () => {
    const { text } = await stand.call('/v0/pipes/large.ndjson');
    expect(text.length).toBeGreaterThan(10_000_000 / 2);
    expect(text.endsWith('{"number":299999,"text":"299999"}\n')).toBe(true);
  });

  it('keeps an answer for the seconds of CACHE, by its parameters and format', async () => {
    const first = (await stand.call('/v0/pipes/clocked.ndjson')).text;
    expect((await stand.call('/v0/pipes/clocked.ndjson')).text).toBe(first);
    expect((await stand.call('/v0/pipes/clocked.csv')).text).not.toContain(first.slice(5, -2));
    stand.stand.clock.offsetMs += 11_000;
    expect((await stand.call('/v0/pipes/clocked.ndjson')).text).not.toBe(first);
  });
});

describe('a request that cannot be answered', () => {
  it.each<[string, number, RegExp]>([
    ['/v0/pipes/nowhere.json', 404, /nowhere/u],
    ['/v0/pipes/plain.json', 404, /endpoint/u],
    ['/v0/pipes/echo.json', 400, /text/u],
    ['/v0/pipes/top.json?limit=many', 400, /many/u],
    ['/v0/pipes/top.json?q=SELECT%20nothing%20FROM%20_', 400, /nothing/u],
    ['/v0/pipes/top.json?q=DROP%20TABLE%20visits', 403, /DROP/u],
    ['/v0/pipes/slow.json', 408, /./u],
  ])('%s is answered with %d', async (path, status, message) => {
    const answer = await get(path);
    expect(answer.status).toBe(status);
    expect(answer.json['error']).toMatch(message);
  });

  it('has the error of the pipe, with its status', async () => {
    expect(await get('/v0/pipes/picky.json?plain=1')).toEqual({ status: 400, json: { error: 'not that' } });
    expect(await get('/v0/pipes/picky.json?own=1')).toEqual({ status: 422, json: { error: 'own', code: 7 } });
  });

  it('is 403 without a scope for the pipe, and without or with a bad token', async () => {
    const other = await stand.token('other', 'PIPES:READ:echo');
    const sender = await stand.token('sender', 'DATASOURCES:APPEND:visits');
    for (const token of [other, sender, null, 'p.nonsense.x']) {
      expect((await get('/v0/pipes/top.json', token)).status).toBe(403);
    }
    expect((await get('/v0/pipes/nowhere.json', other)).status).toBe(403);
  });

  it('says what is wrong with a body', async () => {
    const { status, text } = await stand.call('/v0/pipes/echo.json', { ...jsonBody([1]) });
    expect(status).toBe(400);
    expect(text).toContain('JSON object');
  });
});

describe('a token', () => {
  it('reads an endpoint whose tables it may not read', async () => {
    const token = await stand.token('reader', 'PIPES:READ:top');
    expect((await stand.call('/v0/pipes/top.ndjson', { token })).text).toContain('"page":"b"');
  });

  it('with a filter sees the rows of the result that meet it, also in SQL over it', async () => {
    const token = await stand.token('filtered', "PIPES:READ:top:page = 'a'");
    expect((await stand.call('/v0/pipes/top.ndjson', { token })).text).toBe('{"page":"a","n":4}\n');
    const q = encodeURIComponent('SELECT groupArray(page) AS pages FROM _');
    expect((await stand.call(`/v0/pipes/top.ndjson?q=${q}`, { token })).text).toBe('{"pages":["a"]}\n');
  });

  it.each([
    'SELECT * FROM secrets',
    'SELECT * FROM _, secrets',
    'SELECT k FROM _ JOIN secrets ON 1',
    'SELECT 1 FROM _ WHERE 7 IN (SELECT n FROM secrets)',
    'SELECT 1 FROM _ WHERE n IN secrets',
    `SELECT * FROM tenant_${TENANT}.secrets`,
    'WITH _ AS (SELECT * FROM secrets) SELECT * FROM _',
    'SELECT * FROM filtered',
    'SELECT * FROM visits',
    'SELECT * FROM echo',
    "SELECT * FROM merge('', 'secrets')",
    'SELECT * FROM (SELECT * FROM secrets)',
    'SELECT (SELECT max(n) FROM secrets)',
    'SELECT 1 UNION ALL SELECT n FROM secrets',
    'SELECT * FROM view(SELECT * FROM secrets)',
    'SELECT * FROM spans',
    'SELECT * FROM telemetry.spans',
  ])('cannot reach further with SQL over a result: %s', async (sql) => {
    const token = await stand.token(`reader of ${sql}`, 'PIPES:READ:top');
    const { status, text } = await stand.call(`/v0/pipes/top.json?q=${encodeURIComponent(sql)}`, { token });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(text).not.toContain('password');
  });

  it('of a JWT has its parameters fixed, its rate, and an end', async () => {
    const { credentials, rates } = stand.platform;
    const by = await credentials.resolve(stand.admin);
    const seconds = Math.floor(stand.now() / 1000);
    const token = await credentials.createJwt(by, {
      name: 'visitor',
      expiresAt: seconds + 60,
      scopes: [{ type: 'PIPES:READ', resource: 'top', fixedParams: { page: 'a', limit: 1 } }],
      rps: 2,
    });
    expect((await stand.call('/v0/pipes/top.ndjson?page=b&page=c&limit=5', { token })).text).toBe(
      '{"page":"a","n":4}\n',
    );
    const body = jsonBody({ page: ['b'] });
    expect((await stand.call('/v0/pipes/top.ndjson', { ...body, token })).text).toBe('{"page":"a","n":4}\n');
    const refused = await stand.call('/v0/pipes/top.ndjson', { token });
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-ratelimit-limit')).toBe('2');
    expect(refused.headers.get('x-ratelimit-remaining')).toBe('0');
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/u);
    expect(rates.size).toBeGreaterThan(0);
    stand.stand.clock.offsetMs += 70_000;
    expect((await stand.call('/v0/pipes/top.ndjson', { token })).status).toBe(403);
  });

  it('in the address lets pages of other origins read, and browsers ask first', async () => {
    const { headers } = await stand.call(`/v0/pipes/top.json?token=${stand.admin}`, { token: null });
    expect(headers.get('access-control-allow-origin')).toBe('*');
    const asked = await stand.call('/v0/pipes/top.json', { method: 'OPTIONS', token: null });
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-methods')).toBe('GET, POST, OPTIONS');
  });
});

describe('the record', () => {
  it('has one entry for each request to a pipe, without secrets', async () => {
    stand.uses.length = 0;
    await stand.call(`/v0/pipes/top.json?page=a&token=${stand.admin}`, { token: null });
    await stand.call('/v0/pipes/top.json?limit=many');
    await stand.call('/v0/pipes/picky.json?own=1');
    await stand.call('/v0/pipes/nowhere.json');
    expect(stand.uses).toHaveLength(3);
    const [good, bad, own] = stand.uses;
    expect(good).toMatchObject({ tenant: TENANT, status: 200, error: undefined, rows: 1, readRows: 3, method: 'GET' });
    expect(good?.pipe.name).toBe('top');
    expect(good?.bytes).toBeGreaterThan(100);
    expect(bad).toMatchObject({ status: 400, error: expect.stringContaining('many') as unknown });
    expect(own).toMatchObject({ status: 422 });
    expect([...(good?.parameters ?? [])]).toEqual([['page', 'a']]);
  });

  it('was told of no fault of our own', () => {
    expect(stand.faults).toEqual([]);
  });
});

function jsonBody(body: unknown): { method: string; body: string; headers: Record<string, string> } {
  return { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
}
