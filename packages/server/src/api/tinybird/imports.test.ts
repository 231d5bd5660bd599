/** Files into data sources, on the whole server: every format and way, replacing, from elsewhere, and what goes wrong. */

import { readdirSync, readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, CallOptions, Elsewhere, TestServer } from './testing/server.ts';
import { elsewhere, startTestServer } from './testing/server.ts';

let server: TestServer;
let other: Elsewhere;
let hidden: Elsewhere;
let answer: RequestListener;
let asked: string[];

beforeAll(async () => {
  asked = [];
  other = await elsewhere((request, response) => answer(request, response));
  hidden = await elsewhere((request, response) => {
    asked.push(request.url ?? '');
    response.end('{"page":"secret"}');
  });
  server = await startTestServer({ GLASSHOUSE_IMPORT_ALLOW: other.host, GLASSHOUSE_IMPORT_MAX_SIZE: '6MiB' });
  empty = await source();
});

afterAll(async () => {
  await server.close();
  await other.close();
  await hidden.close();
});

let made = 0;

/** An empty data source. */
async function source(engine = 'engine=MergeTree&engine_sorting_key=page'): Promise<string> {
  const name = `hits_${++made}`;
  const schema = '`at` DateTime `json:$.time.at`,`page` String `json:$.page`,`n` UInt32 `json:$.n` DEFAULT 1';
  const body = new URLSearchParams([['name', name], ['schema', schema], ...new URLSearchParams(engine)]);
  const { status, text } = await server.call('POST /v0/datasources', { body });
  if (status !== 200) throw new Error(text);
  return name;
}

/** One that nothing is to get into, for all that is refused: making one takes longer than the rest of such a test. */
let empty: string;

const ROWS = 'SELECT at, page, n FROM';
const line = (page: string, more = {}): object => ({ time: { at: '2026-01-01 00:00:00' }, page, ...more });
const row = (page: string, n = 1): object => ({ at: '2026-01-01 00:00:00', page, n });
const ndjson = (...rows: readonly object[]): string => rows.map((one) => JSON.stringify(one)).join('\n');

function file(field: string, content: string | Uint8Array<ArrayBuffer>, filename = field): FormData {
  const form = new FormData();
  form.append(field, new Blob([content]), filename);
  return form;
}

function send(name: string, query: string, options: CallOptions): Promise<Answer> {
  return server.call(`POST /v0/datasources?name=${name}&mode=append&${query}`, options);
}

const stored = (name: string): Promise<readonly object[]> => server.rows(`${ROWS} ${name} ORDER BY page`);

/** Files that were not removed. */
const leftovers = (): string[] => readdirSync(join(server.dataDir, 'imports'));

it('what is uploaded cannot be read where it waits', async () => {
  const name = await source();
  const path = `/v0/datasources?name=${name}&mode=append&format=ndjson`;
  const headers = { authorization: `Bearer ${server.admin}`, 'content-type': 'application/x-ndjson' };
  const request = httpRequest(server.base + path, { method: 'POST', headers });
  const answered = new Promise<string>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      response.setEncoding('utf8');
      let text = '';
      response.on('data', (chunk: string) => (text += chunk));
      response.once('end', () => resolve(text));
    });
  });
  request.write(`${ndjson(line('jane.doe@example.com'))}\n`.repeat(20_000));
  const folder = join(server.dataDir, 'imports');
  const waiting = (): string =>
    leftovers()
      .map((left) => readFileSync(join(folder, left), 'latin1'))
      .join('');
  await expect.poll(() => waiting().length, { timeout: 10_000 }).toBeGreaterThan(1 << 20);
  const seen = waiting();
  request.end(ndjson(line('last')));
  expect(JSON.parse(await answered)).toMatchObject({ successful_rows: 20_001 });
  expect(seen.includes('jane') || seen.includes('2026-01-01')).toBe(false);
});

describe('a file', () => {
  const csv = 'at,page,n\n2026-01-01 00:00:00,"a, b",5\n2026-01-01 00:00:00,c,\n';
  const bytes = ndjson(line('a, b', { n: 5 }), line('c'));

  it.concurrent.each<[string, string, () => CallOptions]>([
    ['of NDJSON in a form', 'format=ndjson&debug=blocks_block_log', () => ({ body: file('ndjson', bytes) })],
    ['of NDJSON under the name csv', 'format=ndjson&from=ts-sdk', () => ({ body: file('csv', bytes, 'rows.ndjson') })],
    ['of NDJSON that its name says', '', () => ({ body: file('csv', bytes, 'rows.ndjson') })],
    ['of NDJSON as the body', 'format=ndjson', () => ({ body: bytes })],
    [
      'of NDJSON as curl sends it',
      'format=ndjson',
      () => ({ body: bytes, headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
    ],
    [
      'of JSON as an array',
      'format=json',
      () => ({ body: `[${bytes.replace('\n', ',\n')}]`, headers: { 'content-type': 'application/json' } }),
    ],
    ['of CSV in a form', 'format=csv', () => ({ body: file('csv', csv) })],
    ['of CSV as the body', '', () => ({ body: csv, headers: { 'content-type': 'text/csv' } })],
    [
      'of CSV by position with a dialect',
      'dialect_delimiter=%3B&dialect_new_line=%5Cr%5Cn',
      () => ({ body: file('csv', '2026-01-01 00:00:00;a, b;5\r\n2026-01-01 00:00:00;c;\r\n') }),
    ],
    ['with a packed body', 'format=ndjson', () => ({ body: gzipSync(bytes), headers: { 'content-encoding': 'gzip' } })],
    [
      'with a body packed otherwise',
      'format=ndjson',
      () => ({ body: brotliCompressSync(bytes), headers: { 'content-encoding': 'br' } }),
    ],
    [
      'that is packed itself',
      'format=ndjson',
      () => ({ body: file('ndjson', zstdCompressSync(bytes), 'rows.ndjson.zst') }),
    ],
    ['of CSV that is packed itself', 'format=csv', () => ({ body: gzipSync(csv) })],
    ['as a field of a form', 'format=ndjson', () => ({ body: new URLSearchParams({ mode: 'append' }), headers: {} })],
  ])('%s is appended', async (title, query, options) => {
    const name = await source();
    if (title.startsWith('as a field')) {
      const form = new FormData();
      form.append('ndjson', bytes);
      form.append('mode', 'append');
      expect((await server.call(`POST /v0/datasources?name=${name}&${query}`, { body: form })).status).toBe(200);
      expect(await stored(name)).toEqual([row('a, b', 5), row('c')]);
      return;
    }
    const { status, json } = await send(name, query, options());
    expect([status, json]).toMatchObject([
      200,
      {
        successful_rows: 2,
        quarantined_rows: 0,
        error: false,
        import_id: expect.any(String) as unknown,
        datasource: { name, statistics: { row_count: 2 } },
        blocks: [{ process_return: [{ lines: 2, quarantine: 0 }] }],
      },
    ]);
    expect(await stored(name)).toEqual([row('a, b', 5), row('c')]);
  });

  it.concurrent('of Parquet is appended, with nested values', async () => {
    const name = `parquet_${++made}`;
    const schema =
      '`id` UInt64, `name` Nullable(String), `at` DateTime64(6), `day` Date, `tags` Array(String), `m` Map(String, Int64), `f` Float64, `ok` Bool, `d` Decimal(10, 2)';
    await server.call('POST /v0/datasources', { body: new URLSearchParams({ name, schema }) });
    const query =
      "SELECT number + 9007199254740993 AS id, if(number = 1, NULL, concat('n', toString(number))) AS name, toDateTime64('2026-01-01 00:00:00.123456', 6) + number AS at, " +
      "toDate('2026-01-01') + number AS day, [toString(number), 'x'] AS tags, map('k', toInt64(number)) AS m, number / 2 AS f, toBool(number = 0) AS ok, toDecimal64(1.25, 2) AS d FROM numbers(3)";
    const expected = await server.rows(`${query} ORDER BY id`);
    const written = await fetch(`${server.base}/v0/sql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.admin}` },
      body: `${query} FORMAT Parquet`,
    });
    const { json } = await send(name, 'format=parquet', { body: new Uint8Array(await written.arrayBuffer()) });
    expect([json['successful_rows'], json['quarantined_rows']]).toEqual([3, 0]);
    expect(await server.rows(`SELECT * FROM ${name} ORDER BY id`)).toEqual(expected);
  });

  it.concurrent('has its rows that do not fit in the quarantine, under the id of the import', async () => {
    const name = await source();
    const { json } = await send(name, 'format=ndjson', { body: `${ndjson(line('a'), { page: 'b' })}\nno json\n` });
    expect(json).toMatchObject({
      successful_rows: 1,
      quarantined_rows: 2,
      error: 'There was an error with file contents: 2 rows in quarantine.',
    });
    const rows = await server.rows(
      `SELECT count() AS n FROM ${name}_quarantine WHERE c__import_id = '${String(json['import_id'])}'`,
    );
    expect(rows).toEqual([{ n: 2 }]);
  });

  it.concurrent('of many rows comes whole, in many pieces', async () => {
    const name = await source();
    const rows = Array.from({ length: 30_000 }, (_, n) => line(`p${n % 7}`, { n, pad: 'x'.repeat(50) }));
    const { json } = await send(name, 'format=ndjson', {
      body: gzipSync(ndjson(...rows)),
      headers: { 'content-encoding': 'gzip' },
    });
    expect([json['successful_rows'], json['quarantined_rows']]).toEqual([30_000, 0]);
    expect(await server.rows(`SELECT count() AS rows, sum(n) AS sum FROM ${name}`)).toEqual([
      { rows: 30_000, sum: (29_999 * 30_000) / 2 },
    ]);
  });

  it.concurrent('with a token that may write some rows only writes these', async () => {
    const name = await source();
    const token = await server.token(`writer of ${name}`, `DATASOURCES:APPEND:${name}:page = 'mine'`);
    const { json } = await send(name, 'format=ndjson', { body: ndjson(line('mine'), line('yours')), token });
    expect([json['successful_rows'], json['quarantined_rows']]).toEqual([1, 1]);
    expect(await stored(name)).toEqual([row('mine')]);
  });

  it('leaves nothing behind', () => {
    expect(leftovers()).toEqual([]);
  });
});

describe('the newer routes', () => {
  it.concurrent('answer with a job, whose id is that of the import', async () => {
    const name = await source();
    for (const [query, body] of [
      ['append?format=csv&from=cli', 'at,page\n2026-01-01 00:00:00,a\n'],
      ['append?format=ndjson', ndjson(line('b'))],
      ['replace?format=ndjson', ndjson(line('c'), { page: 'unfit' })],
    ] as const) {
      const { status, json } = await server.call(`POST /v1/datasources/${name}/${query}`, { body });
      expect([status, json['error']]).toEqual([200, undefined]);
      const job = await server.ended(String(json['id']));
      expect(job).toMatchObject({ status: 'done', kind: 'import', datasource: { name }, block_log: [] });
    }
    expect(await stored(name)).toEqual([row('c')]);
    const jobs = (await server.call('/v0/jobs?kind=import')).json['jobs'] as {
      datasource: { name: string };
      blocks: { process_return: object[] }[];
    }[];
    const last = jobs.find(({ datasource }) => datasource.name === name);
    expect(last?.blocks[0]?.process_return[0]).toMatchObject({ lines: 1, quarantine: 1 });
  });

  it.concurrent('say it in the job when the file is wrong', async () => {
    const name = await source();
    const { json } = await server.call(`POST /v1/datasources/${name}/append?format=parquet`, {
      body: 'PAR1 not really PAR1',
    });
    expect(await server.ended(String(json['id']))).toMatchObject({
      status: 'error',
      error: expect.stringContaining('Parquet') as unknown,
    });
    expect((await server.call('POST /v1/datasources/nowhere/append?format=csv', { body: 'a' })).status).toBe(404);
    expect((await server.call(`POST /v1/datasources/${name}/append?format=csv`)).status).toBe(400);
  });
});

describe('a replacement', () => {
  it('is whole: rows of before are gone, those that come meanwhile stay', async () => {
    const name = await source();
    await server.events(name, line('old'));
    const replacing = server.call(`POST /v0/datasources?name=${name}&mode=replace&format=ndjson`, {
      body: ndjson(line('new'), line('newer')),
    });
    await pause(1);
    const { json } = await replacing;
    await server.events(name, line('later'));
    expect(json).toMatchObject({ successful_rows: 2, datasource: { name, statistics: { row_count: 2 } } });
    expect(await stored(name)).toEqual([row('later'), row('new'), row('newer')]);
  });

  it('keeps what is acknowledged while it goes on', async () => {
    const name = await source();
    await server.events(name, line('old'));
    let sent = 0;
    const stop = new AbortController();
    const sending = (async () => {
      while (!stop.signal.aborted) {
        await server.call(`POST /v0/events?name=${name}`, { body: JSON.stringify(line('meanwhile', { n: sent++ })) });
        await pause(5);
      }
    })();
    const rows = Array.from({ length: 20_000 }, (_, n) => line('new', { n }));
    // What was sent before the request is replaced, what was sent after its answer is there.
    const before = sent;
    const { json } = await server.call(`POST /v0/datasources?name=${name}&mode=replace&format=ndjson`, {
      body: ndjson(...rows),
    });
    expect(json['successful_rows']).toBe(20_000);
    const first = sent + 1;
    await pause(100);
    stop.abort();
    await sending;
    await server.events(name, line('last'));
    expect(
      await server.rows(`SELECT count() AS n FROM ${name} WHERE page IN ('old', 'new') GROUP BY page ORDER BY page`),
    ).toEqual([{ n: 20_000 }]);
    const kept = (await server.rows(`SELECT n FROM ${name} WHERE page = 'meanwhile' ORDER BY n`)).map(({ n }) =>
      Number(n),
    );
    expect(new Set(kept).size).toBe(kept.length);
    expect(kept.filter((n) => n >= first)).toEqual(Array.from({ length: sent - first }, (_, n) => first + n));
    expect(kept.every((n) => n >= before)).toBe(true);
  });

  it.each([
    ['MergeTree', 'engine=MergeTree&engine_sorting_key=page&engine_partition_key=page'],
    ['SummingMergeTree', 'engine=SummingMergeTree&engine_sorting_key=at,page&engine_summing_columns=n'],
    ['ReplacingMergeTree', 'engine=ReplacingMergeTree&engine_sorting_key=page'],
  ])('of some rows of a %s leaves the others', async (_, engine) => {
    const name = await source(engine);
    await server.events(name, line('a'), line('b', { n: 5 }), line('c'));
    const query = new URLSearchParams({
      name,
      mode: 'replace',
      format: 'ndjson',
      replace_condition: "page = 'a' OR page = 'd'",
    });
    const body = ndjson(line('a', { n: 9 }), line('d', { n: 8 }), line('beside'));
    const { json } = await server.call(`POST /v0/datasources?${query.toString()}`, { body });
    // A row that the condition does not cover would add to those that are kept.
    expect([json['successful_rows'], json['quarantined_rows']]).toEqual([2, 1]);
    await server.events(name, line('e'));
    expect(await server.rows(`SELECT page, sum(n) AS n FROM ${name} GROUP BY page ORDER BY page`)).toEqual([
      { page: 'a', n: 9 },
      { page: 'b', n: 5 },
      { page: 'c', n: 1 },
      { page: 'd', n: 8 },
      { page: 'e', n: 1 },
    ]);
  });

  it('that fails leaves everything as it was, and the next one works', async () => {
    const name = await source();
    await server.events(name, line('kept'));
    const path = `POST /v0/datasources?name=${name}&mode=replace`;
    expect((await server.call(`${path}&format=parquet`, { body: 'nothing' })).status).toBe(400);
    expect(
      (await server.call(`${path}&format=ndjson&replace_condition=nothing%3D1`, { body: ndjson(line('x')) })).status,
    ).toBe(400);
    expect(
      (await server.call(`${path}&format=ndjson&replace_condition=file('x')=''`, { body: ndjson(line('x')) })).status,
    ).toBe(403);
    const cut = gzipSync(ndjson(...Array.from({ length: 1_000 }, (_, n) => line(`x${n}`))));
    expect((await server.call(`${path}&format=ndjson`, { body: file('csv', cut.subarray(0, -20)) })).status).toBe(400);
    expect(await stored(name)).toEqual([row('kept')]);
    expect((await server.call(`${path}&format=ndjson`, { body: ndjson(line('new')) })).status).toBe(200);
    expect(await stored(name)).toEqual([row('new')]);
    expect(leftovers()).toEqual([]);
  });

  it('needs more than a scope to append', async () => {
    const name = await source();
    const token = await server.token(`appender of ${name}`, `DATASOURCES:APPEND:${name}`);
    expect(
      (
        await server.call(`POST /v0/datasources?name=${name}&mode=replace&format=ndjson`, {
          body: ndjson(line('x')),
          token,
        })
      ).status,
    ).toBe(403);
  });
});

describe('a URL', () => {
  it.each([
    [
      'in the query',
      (name: string) =>
        server.call(
          `POST /v0/datasources?name=${name}&mode=append&format=&url=http://${other.host}/rows.ndjson%3Fsig=secret`,
        ),
    ],
    [
      'in a form',
      (name: string) =>
        server.call(`POST /v0/datasources?name=${name}&mode=append&format=ndjson`, {
          body: new URLSearchParams({ url: `http://${other.host}/x` }),
        }),
    ],
    [
      'for the newer route',
      (name: string) =>
        server.call(`POST /v1/datasources/${name}/append?format=ndjson&url=http://${other.host}/x`, { body: '' }),
    ],
  ])('%s is fetched by a job', async (_, start) => {
    const name = await source();
    answer = (_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(ndjson(line('far'))));
    const { status, json } = await start(name);
    expect([status, json['status'], json['error']]).toEqual([200, 'waiting', undefined]);
    const job = await server.ended(String(json['id']));
    expect(job).toMatchObject({
      status: 'done',
      successful_rows: 1,
      datasource: { name },
      import_id: json['import_id'],
    });
    expect(JSON.stringify(job)).not.toContain('secret');
    expect(await stored(name)).toEqual([row('far')]);
  });

  it.each<[string, () => string]>([
    ['loopback', () => `http://${hidden.host}/`],
    ['loopback by name', () => `http://localhost:${hidden.host.split(':')[1]}/`],
    ['loopback in another notation', () => `http://2130706433:${hidden.host.split(':')[1]}/`],
    ['loopback as IPv6', () => `http://[::ffff:127.0.0.1]:${hidden.host.split(':')[1]}/`],
    ['this server', () => `${server.base}/tokens`],
    ['metadata', () => 'http://169.254.169.254/latest/meta-data/'],
    ['a neighbour', () => 'http://10.255.255.1/'],
    ['a redirect to loopback', () => `http://${other.host}/redirect`],
  ])('to %s is refused, and not asked', async (_, url) => {
    const name = empty;
    answer = (_request, response) => response.writeHead(302, { location: `http://${hidden.host}/` }).end();
    const { json } = await server.call('POST /v0/datasources', {
      body: new URLSearchParams({ name, mode: 'append', format: 'ndjson', url: url() }),
    });
    expect(await server.ended(String(json['id']))).toMatchObject({
      status: 'error',
      error: expect.stringContaining('not public') as unknown,
    });
    expect([asked, await stored(name)]).toEqual([[], []]);
  });

  it.each(['file:///etc/passwd', 'ftp://example.test/x', 'http://user:word@example.test/', 'nonsense'])(
    '%s is refused at once',
    async (url) => {
      const name = empty;
      const { status, json } = await server.call('POST /v0/datasources', {
        body: new URLSearchParams({ name, mode: 'append', url }),
      });
      expect([status, json['error']]).toEqual([400, expect.stringMatching(/^cannot fetch url=/u)]);
      expect(json['error']).not.toContain('user:');
    },
  );

  it('that answers more than is allowed is not imported', async () => {
    const name = await source();
    const bomb = gzipSync(Buffer.alloc(20 << 20, 'x'));
    for (const packed of [true, false]) {
      answer = (_request, response) =>
        packed
          ? response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
          : response.end(Buffer.alloc(7 << 20, 'x'));
      const { json } = await server.call(
        `POST /v1/datasources/${name}/append?format=ndjson&url=http://${other.host}/x`,
      );
      expect(await server.ended(String(json['id']))).toMatchObject({
        status: 'error',
        error: expect.stringContaining('larger than') as unknown,
      });
    }
    expect(leftovers()).toEqual([]);
  });

  it('can be given up', async () => {
    const name = await source();
    answer = () => undefined;
    const { json } = await server.call(`POST /v1/datasources/${name}/append?format=ndjson&url=http://${other.host}/x`);
    const cancelled = await server.call(`POST /v0/jobs/${String(json['id'])}/cancel`);
    expect(cancelled.json).toMatchObject({ status: 'cancelled' });
    expect((await server.call(`POST /v0/jobs/${String(json['id'])}/cancel`)).status).toBe(409);
  });
});

describe('a request that is wrong', () => {
  it.each<[string, string, () => CallOptions, number]>([
    [
      'a form without a boundary',
      'format=csv',
      () => ({ body: 'x', headers: { 'content-type': 'multipart/form-data' } }),
      400,
    ],
    [
      'a form that is none',
      'format=csv',
      () => ({ body: 'x', headers: { 'content-type': 'multipart/form-data; boundary=y' } }),
      400,
    ],
    [
      'a form that breaks off',
      'format=csv',
      () => ({
        body: '--y\r\nContent-Disposition: form-data; name="csv"; filename="a"\r\n\r\nat,page\n1',
        headers: { 'content-type': 'multipart/form-data; boundary=y' },
      }),
      400,
    ],
    [
      'a form of two files',
      'format=csv',
      () => {
        const form = file('csv', 'a');
        form.append('csv', new Blob(['b']), 'b');
        return { body: form };
      },
      413,
    ],
    ['a form that is too large', 'format=csv', () => ({ body: file('csv', Buffer.alloc(7 << 20, 'x')) }), 413],
    ['a body that is too large', 'format=csv', () => ({ body: Buffer.alloc(7 << 20, 'x') }), 413],
    [
      'a body that is too large unpacked',
      'format=csv',
      () => ({ body: gzipSync(Buffer.alloc(40 << 20, 'x')), headers: { 'content-encoding': 'gzip' } }),
      413,
    ],
    [
      'a file that is too large unpacked',
      'format=csv',
      () => ({ body: file('csv', gzipSync(Buffer.alloc(40 << 20, 'x'))) }),
      413,
    ],
    [
      'a body that is not packed as it says',
      'format=csv',
      () => ({ body: 'plain', headers: { 'content-encoding': 'gzip' } }),
      400,
    ],
    [
      'an encoding that is not known',
      'format=csv',
      () => ({ body: 'plain', headers: { 'content-encoding': 'compress' } }),
      415,
    ],
    ['a format that is not known', 'format=xml', () => ({ body: 'x' }), 400],
    ['a delimiter that is none', 'dialect_delimiter=abc', () => ({ body: 'x' }), 400],
    ['no data', 'format=csv', () => ({ body: '' }), 400],
    ['a Parquet file that is none', 'format=parquet', () => ({ body: 'PAR1xxxxPAR1' }), 400],
  ])('%s is refused', async (_, query, options, status) => {
    const name = empty;
    const refused = await send(name, query, options());
    expect([refused.status, typeof refused.json['error']]).toEqual([status, 'string']);
    expect(await stored(name)).toEqual([]);
    expect(leftovers()).toEqual([]);
  });

  it('with a name like a path writes nowhere', async () => {
    const name = await source();
    const body = file('csv', 'at,page\n2026-01-01 00:00:00,a', '../../../../tmp/glasshouse-traversal.csv');
    expect((await send(name, '', { body })).status).toBe(200);
    expect(leftovers()).toEqual([]);
    expect(
      (await server.call('POST /v0/datasources?name=..%2F..%2Fx&mode=append&format=ndjson', { body: '{}' })).status,
    ).toBeGreaterThanOrEqual(400);
    expect((await server.call('POST /v1/datasources/..%2F..%2Fetc/append', { body: '{}' })).status).toBe(404);
  });

  it('of nobody who may is refused before its body is read', async () => {
    const name = empty;
    const token = await server.token(`reader of ${name}`, `DATASOURCES:READ:${name}`);
    for (const path of [
      `/v0/datasources?name=${name}&mode=append&token=${token}`,
      `/v1/datasources/${name}/append?token=${token}`,
    ]) {
      const status = await new Promise((resolve, reject) => {
        const upload = httpRequest(server.base + path, { method: 'POST', headers: { 'content-length': '5000000' } });
        upload.on('response', (response) => {
          resolve(response.statusCode);
          upload.destroy();
        });
        upload.on('error', reject);
        upload.flushHeaders();
      });
      expect(status).toBe(403);
    }
  });

  it('of a client that goes away leaves nothing, and nobody notices', async () => {
    const name = empty;
    const socket = connect(Number(new URL(server.base).port), '127.0.0.1');
    const head = `POST /v0/datasources?name=${name}&mode=append&format=ndjson HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${server.admin}\r\nContent-Length: 1000\r\n\r\n`;
    socket.write(`${head}{"page":"x"}\n`);
    await pause(100);
    socket.resetAndDestroy();
    await pause(100);
    expect([leftovers(), await stored(name)]).toEqual([[], []]);
  });
});

it('has not logged an error of its own', () => {
  expect(server.faults).toEqual([]);
});
