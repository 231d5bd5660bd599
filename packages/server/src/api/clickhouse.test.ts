/** The ClickHouse interface, asked by its official client. */

import { ClickHouseError, createClient } from '@clickhouse/client';
import type { ClickHouseClient } from '@clickhouse/client';
import { randomUUID } from 'node:crypto';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stand } from './testing/stand.ts';
import { openStand, span } from './testing/stand.ts';

let stand: Stand;
let client: ClickHouseClient;
let key: string;

beforeAll(async () => {
  stand = await openStand('keys');
  key = await stand.key('acme');
  await stand.store.insertRows('spans', [span('acme', { attributes_string: { 'a.b': 'c' } }), span('other')]);
  client = connect(key);
});

afterAll(async () => {
  await client.close();
  await stand.close();
});

describe('the official client', () => {
  it('pings, with and without a query', async () => {
    expect(await client.ping()).toMatchObject({ success: true });
    expect(await client.ping({ select: true })).toMatchObject({ success: true });
  });

  it.each(['JSON', 'JSONEachRow', 'JSONCompact', 'JSONCompactEachRow'] as const)('reads %s', async (format) => {
    const result = await client.query({ query: 'SELECT name, trace_id FROM telemetry.spans', format });
    const rows: unknown = await result.json();
    expect(JSON.stringify(rows)).toContain('30313233343536373839616263646566');
  });

  it.each([
    ['CSV', '1,"x"\n'],
    ['CSVWithNames', '"a","b"\n1,"x"\n'],
    ['TabSeparated', '1\tx\n'],
    ['TabSeparatedWithNamesAndTypes', 'a\tb\nUInt8\tString\n1\tx\n'],
  ] as const)('reads %s', async (format, text) => {
    const result = await client.query({ query: "SELECT 1 AS a, 'x' AS b", format });
    expect(await result.text()).toBe(text);
  });

  it('reads Parquet', async () => {
    const { stream } = await client.exec({ query: 'SELECT 1 AS a FORMAT Parquet' });
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    expect(Buffer.concat(chunks).subarray(0, 4).toString()).toBe('PAR1');
  });

  it('binds parameters of every kind', async () => {
    const result = await client.query({
      query:
        'SELECT {s:String} AS s, {n:Nullable(UInt8)} AS n, {l:Array(String)} AS l, {d:DateTime} AS d, {b:Bool} AS b',
      query_params: { s: "a'b\\c\td\ne", n: null, l: ["p'", 'q,\\'], d: new Date(0), b: true },
      format: 'JSONEachRow',
    });
    expect(await result.json()).toEqual([
      { s: "a'b\\c\td\ne", n: null, l: ["p'", 'q,\\'], d: '1970-01-01 00:00:00', b: true },
    ]);
  });

  it('uses settings that are harmless and goes on without the others', async () => {
    const result = await client.query({
      query: 'SELECT toUInt64(1) AS n, now64() AS t',
      format: 'JSONEachRow',
      clickhouse_settings: {
        output_format_json_quote_64bit_integers: 0,
        date_time_output_format: 'iso',
        async_insert: 1,
        max_execution_time: 1,
      },
    });
    expect(await result.json()).toEqual([{ n: 1, t: expect.stringMatching(/T.*Z$/u) as unknown }]);
  });

  it('takes a result packed with gzip', async () => {
    const packed = connect(key, { compression: { response: true, request: true } });
    const result = await packed.query({ query: 'SELECT number FROM numbers(100000)', format: 'JSONEachRow' });
    expect(await result.json()).toHaveLength(100_000);
    await packed.close();
  });

  it('streams a large result', async () => {
    const result = await client.query({ query: 'SELECT number FROM numbers(400000)', format: 'JSONEachRow' });
    let count = 0;
    for await (const rows of result.stream()) count += rows.length;
    expect(count).toBe(400_000);
  });

  it('names its database, the shared one or none', async () => {
    for (const database of ['default', 'telemetry', 'tenant_acme']) {
      const other = connect(key, { database });
      const result = await other.query({ query: 'SELECT count() AS n FROM spans', format: 'JSONEachRow' });
      expect(await result.json()).toEqual([{ n: 1 }]);
      await other.close();
    }
  });

  it('gets its query id back', async () => {
    const queryId = randomUUID();
    const result = await client.query({ query: 'SELECT 1', query_id: queryId });
    expect(result.query_id).toBe(queryId);
    expect(result.response_headers['x-clickhouse-query-id']).toBe(queryId);
    expect(result.response_headers['x-clickhouse-exception-code']).toBeUndefined();
    expect(stand.audit.at(-1)?.queryId).toBe(queryId);
  });
});

describe('an error of the official client', () => {
  it.each([
    ['SELECT * FROM nowhere', '60', 'UNKNOWN_TABLE'],
    ['SELECT nope FROM spans', '47', 'UNKNOWN_IDENTIFIER'],
    ['SELECT 1 2', '62', 'SYNTAX_ERROR'],
    ["SELECT file('/etc/passwd')", '497', 'ACCESS_DENIED'],
    ['SELECT * FROM tenant_other.spans', '497', 'ACCESS_DENIED'],
    ['SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1', '159', 'TIMEOUT_EXCEEDED'],
    ['SELECT length(groupArray(range(100000))) FROM numbers(1000000000)', '241', 'MEMORY_LIMIT_EXCEEDED'],
  ])('%s has number %s', async (query, code, type) => {
    expect(await failure(client.query({ query, format: 'JSON' }))).toMatchObject({ code, type });
  });

  it('that comes after the first rows is said at the end of them', async () => {
    const result = await client.query({ query: 'SELECT number FROM numbers(100000000000)', format: 'JSONEachRow' });
    let count = 0;
    const read = async (): Promise<void> => {
      for await (const rows of result.stream()) count += rows.length;
    };
    await expect(read()).rejects.toThrow(/Timeout exceeded|Limit for result exceeded/u);
    expect(count).toBeGreaterThan(0);
  });

  it('of a write says that this is read-only and where data goes', async () => {
    const inserted = await failure(client.insert({ table: 'spans', values: [{ a: 1 }], format: 'JSONEachRow' }));
    expect(inserted).toMatchObject({
      code: '164',
      type: 'READONLY',
      message: expect.stringContaining('/v1/traces') as unknown,
    });
    expect(await failure(client.command({ query: 'DROP TABLE spans' }))).toMatchObject({ code: '164' });
  });

  it.each([
    ['none', ''],
    ['unknown', `gh_aaaaaaaaaaaa_${'x'.repeat(43)}`],
    ['malformed', 'secret'],
  ])('with a credential that is %s is about authentication', async (_, password) => {
    const stranger = connect(password);
    expect(await failure(stranger.query({ query: 'SELECT 1' }))).toMatchObject({
      code: '516',
      type: 'AUTHENTICATION_FAILED',
    });
    await stranger.close();
  });

  it('with a key that may not query is about access', async () => {
    const sender = connect(await stand.key('acme', ['ingest']));
    expect(await failure(sender.query({ query: 'SELECT 1' }))).toMatchObject({ code: '497' });
    await sender.close();
  });

  it('with a key that was revoked or has expired is about authentication', async () => {
    const created = await stand.access.keys.create({
      name: 'short',
      placement: { tenant: 'acme', project: 'p', environment: 'e' },
      scopes: ['query'],
      expiresAt: new Date(Date.now() + 60_000),
    });
    const short = connect(created.key);
    expect(await (await short.query({ query: 'SELECT 1', format: 'TabSeparated' })).text()).toBe('1\n');
    stand.clock.offsetMs = 61_000;
    expect(await failure(short.query({ query: 'SELECT 1' }))).toMatchObject({
      code: '516',
      message: expect.stringContaining('expired') as unknown,
    });
    stand.clock.offsetMs = 0;
    await stand.access.keys.revoke(created.apiKey.id);
    expect(await failure(short.query({ query: 'SELECT 1' }))).toMatchObject({
      code: '516',
      message: expect.stringContaining('revoked') as unknown,
    });
    await short.close();
  });
});

describe('cancelling', () => {
  it('ends the query in the engine when the client goes away', async () => {
    const controller = new AbortController();
    const queryId = randomUUID();
    const condition = `toString(sipHash64(number)) = '${queryId}'`;
    const query = client.query({
      query: `SELECT count() FROM numbers(1000000000000) WHERE ${condition}`,
      query_id: queryId,
      abort_signal: controller.signal,
    });
    await until(async () => (await running(condition)) === 1);
    controller.abort();
    await expect(query).rejects.toThrow('aborted');
    await until(async () => (await running(condition)) === 0);
    await until(() =>
      Promise.resolve(stand.audit.some((line) => line.queryId === queryId && line.status === 'cancelled')),
    );
  });
});

describe('over plain HTTP', () => {
  it.each(['/ping', '/replicas_status', '/'])('GET %s says Ok', async (path) => {
    const response = await fetch(stand.base + path);
    expect([response.status, await response.text()]).toEqual([200, 'Ok.\n']);
  });

  it.each([
    ['Basic', { authorization: `Basic ${Buffer.from('default:KEY').toString('base64')}` }, ''],
    ['Bearer', { authorization: 'Bearer KEY' }, ''],
    ['the two headers', { 'x-clickhouse-user': 'u', 'x-clickhouse-key': 'KEY' }, ''],
    ['URL parameters', {}, '&user=u&password=KEY'],
  ])('takes the credential as %s', async (_, headers, search) => {
    const basic = `Basic ${Buffer.from(`default:${key}`).toString('base64')}`;
    const filled = Object.entries(headers).map(([name, value]) => [
      name,
      value.startsWith('Basic') ? basic : value.replace('KEY', key),
    ]);
    const response = await fetch(`${stand.base}/?query=SELECT+1${search.replace('KEY', key)}`, {
      headers: Object.fromEntries(filled) as Record<string, string>,
    });
    expect([response.status, await response.text()]).toEqual([200, '1\n']);
  });

  it('joins the parameter and the body', async () => {
    expect((await ask('?query=SELECT', '1 AS a FORMAT JSONEachRow')).text).toBe('{"a":1}\n');
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const)('unpacks a body in %s', async (coding, pack) => {
    expect((await ask('', pack(Buffer.from('SELECT 2')), { 'content-encoding': coding })).text).toBe('2\n');
  });

  it('refuses a body that unpacks to more than a statement can be', async () => {
    const bomb = gzipSync(Buffer.alloc(50 << 20, 0x20));
    expect((await ask('', bomb, { 'content-encoding': 'gzip' })).status).toBe(413);
  });

  it.each(['gzip', 'br', 'deflate', 'zstd'])('packs the answer in %s', async (coding) => {
    const response = await fetch(`${stand.base}/?enable_http_compression=1&query=SELECT+3`, {
      headers: { 'x-clickhouse-key': key, 'accept-encoding': coding },
    });
    expect([response.headers.get('content-encoding'), await response.text()]).toEqual([coding, '3\n']);
  });

  it('answers the first question of clickhouse-go in the framing that it expects', async () => {
    const hello = 'SELECT displayName(), version(), revision(), timezone()';
    const response = await fetch(`${stand.base}/?default_format=Native&client_protocol_version=54460`, {
      method: 'POST',
      headers: { 'x-clickhouse-key': key },
      body: hello,
    });
    const body = Buffer.from(await response.arrayBuffer());
    expect(body.subarray(0, 10).toString('hex')).toBe('010002ffffffff000401');
    expect(body.toString('latin1')).toMatch(/displayName\(\).String.{2}glasshouse.*revision\(\).UInt32\0{5}/su);
    expect((await ask('?default_format=TSV', hello)).text).toMatch(/^glasshouse\t\d+\.\d+\.\d+[.\d]*\t0\tUTC\n$/u);
  });

  it('sends an error with its number in the header', async () => {
    const response = await fetch(`${stand.base}/?query=SELECT+nope&query_id=q1`, {
      headers: { 'x-clickhouse-key': key },
    });
    expect(response.status).toBe(400);
    expect(response.headers.get('x-clickhouse-exception-code')).toBe('47');
    expect(response.headers.get('x-clickhouse-query-id')).toBe('q1');
    expect(await response.text()).toMatch(/^Code: 47\. DB::Exception: .*\(UNKNOWN_IDENTIFIER\)\n$/su);
  });
});

it('nothing of this was a fault of the server', () => {
  expect(stand.faults).toEqual([]);
});

function connect(password: string, options: Readonly<Record<string, unknown>> = {}): ClickHouseClient {
  return createClient({ url: stand.base, username: 'default', password, log: { level: 127 }, ...options });
}

async function failure(promise: Promise<unknown>): Promise<ClickHouseError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ClickHouseError);
  return error as ClickHouseError;
}

async function ask(
  search: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${stand.base}/${search}`, {
    method: 'POST',
    headers: { 'x-clickhouse-key': key, ...headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  return { status: response.status, text: await response.text() };
}

/** How many queries run that have this in their text. */
async function running(part: string): Promise<number> {
  const rows = await stand.store.rows<{ n: string }>(
    'SELECT count() AS n FROM system.processes WHERE position(query, {part:String}) > 0',
    { params: { part } },
  );
  return Number(rows[0]?.n);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) {
    if (await condition()) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
  throw new Error('it did not happen');
}
