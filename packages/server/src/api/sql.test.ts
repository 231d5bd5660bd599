/** `/v0/sql` against a real engine, over a real socket. */

import { gunzipSync } from 'node:zlib';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stand } from './testing/stand.ts';
import { openStand, span } from './testing/stand.ts';

let stand: Stand;

beforeAll(async () => {
  stand = await openStand('open');
  await stand.store.insertRows('spans', [span('default', { attributes_int: { tokens: '9007199254740993' } })]);
});

afterAll(() => stand.close());

describe('the result', () => {
  it('is JSON in the shape of Tinybird, 64-bit integers as numbers', async () => {
    const { status, text, headers } = await stand.sql('SELECT toUInt64(7) AS n, service_name FROM spans LIMIT 5');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json');
    const body = JSON.parse(text) as Record<string, unknown>;
    expect(body).toMatchObject({
      meta: [
        { name: 'n', type: 'UInt64' },
        { name: 'service_name', type: 'LowCardinality(String)' },
      ],
      data: [{ n: 7, service_name: 'service-of-default' }],
      rows: 1,
      statistics: {
        elapsed: expect.any(Number) as unknown,
        rows_read: expect.any(Number) as unknown,
        bytes_read: expect.any(Number) as unknown,
      },
    });
    expect(body['rows_before_limit_at_least']).toBe(1);
  });

  it.each([
    ['SELECT 1 AS a FORMAT CSV', {}, 'text/csv', '1\n'],
    ['SELECT 1 AS a', { format: 'csv' }, 'text/csv', '"a"\n1\n'],
    ['SELECT 1 AS a FORMAT JSONEachRow', {}, 'application/x-ndjson; charset=UTF-8', '{"a":1}\n'],
    ['SELECT 1 AS a FORMAT TSV', {}, 'text/tab-separated-values; charset=UTF-8', '1\n'],
    [
      'SELECT 1 AS a',
      { format: 'json', tenant_id: 'x', from: 'ui' },
      'application/json',
      expect.stringContaining('"a": 1'),
    ],
  ])('%j %j has the format that was asked for', async (q, extra, type, text) => {
    const answer = await stand.sql(q, undefined, extra);
    expect([answer.status, answer.headers.get('content-type'), answer.text]).toEqual([200, type, text]);
  });

  it('takes values of parameters from the query string, whatever is in them', async () => {
    const value = "x'\\\t\n{}é";
    const { text } = await stand.sql('SELECT {a:String} AS a, {n:UInt8} AS n, {l:Array(String)} AS l', undefined, {
      a: value,
      n: '7',
      l: "['p','q']",
    });
    expect((JSON.parse(text) as { data: unknown }).data).toEqual([{ a: value, n: 7, l: ['p', 'q'] }]);
  });

  it('is packed with gzip only for who accepts it', async () => {
    const path = '/v0/sql?q=SELECT+number+FROM+numbers(1000)+FORMAT+TSV';
    const packed = await rawGet(path, { 'accept-encoding': 'gzip' });
    const plain = await rawGet(path, {});
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.body.toString()).toMatch(/^0\n1\n.*999\n$/su);
    expect(gunzipSync(packed.body)).toEqual(plain.body);
  });

  it('streams what is larger than any buffer', async () => {
    const { status, text } = await stand.sql('SELECT number FROM numbers(500000) FORMAT TSV');
    expect([status, text.length]).toEqual([200, 3_388_890]);
  });

  it('looks around: tables, columns, and only the own databases', async () => {
    expect((await stand.sql('SHOW DATABASES FORMAT TSV')).text).toBe('telemetry\ntenant_default\n');
    expect((await stand.sql("SHOW TABLES FROM telemetry LIKE 'otel_l%' FORMAT TSV")).text).toBe('otel_logs\n');
    expect((await stand.sql('SHOW TABLES FORMAT TSV')).text).toContain('metrics_hourly\n');
    expect((await stand.sql('DESCRIBE TABLE telemetry.traces FORMAT TSV')).text).toMatch(/^trace_id\tString/u);
    expect((await stand.sql('EXISTS TABLE spans FORMAT TSV')).text).toBe('1\n');
    const columns = 'SELECT DISTINCT database FROM system.columns ORDER BY 1 FORMAT TSV';
    expect((await stand.sql(columns)).text).toBe('telemetry\ntenant_default\n');
  });
});

describe('queries of existing dashboards', () => {
  const time = 'timestamp >= toDateTime(1767225600) AND timestamp <= toDateTime(1767398400)';
  it.each([
    `-- Events over time
SELECT
  toStartOfInterval(timestamp, INTERVAL 1 minute) as time,
  count() as events
FROM telemetry.traces
WHERE ${time}
GROUP BY time
ORDER BY time`,
    `-- Top events
SELECT
  span_name,
  count() as count
FROM telemetry.traces
WHERE ${time}
GROUP BY span_name
ORDER BY count DESC
LIMIT 10`,
    `-- Error rate
SELECT
  toStartOfHour(timestamp) as time,
  countIf(status_code = 'OK') / count() * 100 as success_rate
FROM telemetry.traces
WHERE ${time}
GROUP BY time
ORDER BY time`,
  ])('%s', async (sql) => {
    const { status, text } = await stand.sql(sql);
    expect([status, JSON.parse(text)]).toMatchObject([200, { rows: 1 }]);
  });
});

describe('the statement', () => {
  it.each([
    ['as a form', 'application/x-www-form-urlencoded', 'q=SELECT+1+AS+a&format=csv'],
    ['as JSON', 'application/json', '{"q": "SELECT 1 AS a", "format": "csv"}'],
    ['as the plain body', 'text/plain', 'SELECT 1 AS a FORMAT CSVWithNames'],
  ])('comes %s', async (_, type, body) => {
    const response = await fetch(`${stand.base}/v0/sql`, { method: 'POST', headers: { 'content-type': type }, body });
    expect([response.status, await response.text()]).toEqual([200, '"a"\n1\n']);
  });

  it('comes as a body without a type', async () => {
    const response = await fetch(`${stand.base}/v0/sql`, { method: 'POST', body: Buffer.from('SELECT 1 FORMAT TSV') });
    expect(await response.text()).toBe('1\n');
  });
});

describe('an error', () => {
  it.each([
    ['', 400, 'there is none'],
    ['SELEC 1', 400, 'SELEC begins no statement'],
    ['SELECT 1 +', 400, 'Syntax error'],
    ['SELECT nope FROM spans', 400, 'nope'],
    ['SELECT * FROM nowhere', 404, 'nowhere'],
    ['SELECT {x:String}', 400, 'parameter x has no value'],
    ['SELECT 1 FORMAT Template', 400, 'no such format'],
    ['SELECT 1; SELECT 2', 400, 'one statement'],
    ['SELECT * FROM tenant_other.spans', 403, 'tenant_other.spans'],
    ["SELECT file('/etc/passwd')", 403, 'function file'],
    ['INSERT INTO spans VALUES (1)', 403, 'changes nothing'],
    ['SELECT 1 SETTINGS max_threads = 1', 403, 'setting'],
    ['SELECT sleep(3)', 403, 'function sleep'],
  ])('of %j has status %i and says %j', async (q, status, part) => {
    const answer = await stand.sql(q);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(JSON.parse(answer.text)).toEqual({
      error: expect.stringContaining(part) as unknown,
      code: expect.any(String) as unknown,
    });
  });

  it('of a query that runs for ever is 408', async () => {
    const answer = await stand.sql('SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1');
    expect([answer.status, answer.text]).toEqual([408, expect.stringContaining('TIMEOUT_EXCEEDED')]);
  });

  it('of a query that needs too much memory is 413', async () => {
    const answer = await stand.sql('SELECT length(groupArray(range(1000))) FROM numbers(1000000000)');
    expect([answer.status, answer.text]).toEqual([413, expect.stringContaining('MEMORY_LIMIT_EXCEEDED')]);
  });

  it('of a body that is too large is 413', async () => {
    const response = await fetch(`${stand.base}/v0/sql`, { method: 'POST', body: 'x'.repeat(2 << 20) });
    expect(response.status).toBe(413);
  });

  it('after output has begun breaks the answer instead of ending it', async () => {
    await expect(
      stand.sql('SELECT throwIf(number = 20000000), toString(number) FROM numbers(30000000) FORMAT TSV'),
    ).rejects.toThrow('terminated');
  });

  it('of a result over the limit never looks like a whole result', async () => {
    await expect(stand.sql('SELECT number, toString(number) FROM numbers(100000000) FORMAT TSV')).rejects.toThrow(
      'terminated',
    );
  });
});

describe('many queries at once', () => {
  it('wait for room, and are refused with 429 when too many wait', async () => {
    const controller = new AbortController();
    const slow = 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1';
    const url = `${stand.base}/v0/sql?${new URLSearchParams({ q: slow }).toString()}`;
    const going = Array.from({ length: 12 }, () => fetch(url, { signal: controller.signal }).catch(() => undefined));
    let refused: Response | undefined;
    while (refused === undefined) {
      const answer = await fetch(url, { signal: AbortSignal.timeout(100) }).catch(() => undefined);
      if (answer?.status === 429) refused = answer;
    }
    expect(refused.headers.get('retry-after')).toBe('2');
    expect(await refused.text()).toContain('4 queries of tenant default are running');
    controller.abort();
    await Promise.all(going);
    // The server hears of it a moment later; then every place is free again.
    let next = await stand.sql('SELECT 1 FORMAT TSV');
    while (next.status === 429) next = await stand.sql('SELECT 1 FORMAT TSV');
    expect(next.text).toBe('1\n');
  });
});

describe('the record', () => {
  it('has one line for each query, with who, what and how it ended', async () => {
    stand.audit.length = 0;
    await stand.sql('SELECT 1');
    await stand.sql("SELECT file('/etc/passwd')");
    expect(stand.audit).toEqual([
      expect.objectContaining({ keyId: 'open', tenant: 'default', sql: 'SELECT 1', status: 'ok', rows: 1 }),
      expect.objectContaining({ status: 'refused', error: expect.stringContaining('function file') as unknown }),
    ]);
    expect(stand.faults).toEqual([]);
  });
});

function rawGet(
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ headers: Readonly<Record<string, unknown>>; body: Buffer }> {
  return new Promise((resolve, reject) => {
    request(`${stand.base}${path}`, { headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
    })
      .on('error', reject)
      .end();
  });
}
