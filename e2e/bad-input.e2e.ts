/**
 * Bodies that are not what they should be, sent to the built server over OTLP/HTTP: each has its status and a message that
 * says what is wrong, what is good in a request is stored, and nothing else is harmed.
 */

import { randomBytes } from 'node:crypto';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { timeText } from './support/expected.ts';
import { harmless } from './support/harm.ts';
import type { Answer } from './support/http.ts';
import { partialOf, post, postJson, statusOf } from './support/http.ts';
import { attribute, gauge, jsonSpan, jsonTraces, logRecord, recentNanos, request, span } from './support/payloads.ts';
import { double, nested } from './support/protobuf.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';

const MIB = 2 ** 20;

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

const url = (signal = 'traces'): string => `${server.url}/v1/${signal}`;

const ask = (service: string, columns: string, table = 'spans', count = 1): Promise<readonly Row[]> =>
  server.rows(`SELECT ${columns} FROM ${table} WHERE service_name = '${service}' ORDER BY timestamp`, count);

/** Asserts a refusal: its HTTP status, the code of `google.rpc.Status`, and a part of the message. */
function expectRefusal(answer: Answer, status: number, code: number, message: RegExp | string): void {
  const { code: given, message: text } = statusOf(answer);
  expect([answer.status, given]).toEqual([status, code]);
  expect(text).toMatch(message);
}

describe('protobuf that is cut or random', () => {
  it('is refused with 400, wherever it is cut', async () => {
    const whole = request('cut', [span({ attributes: [attribute('key', 'value')] })]);
    await harmless(server, async () => {
      for (let length = 1; length < whole.length; length++) {
        expectRefusal(await post(url(), whole.subarray(0, length)), 400, 3, /not a valid OTLP protobuf message/);
      }
    });
  });

  it.each(['traces', 'logs', 'metrics'])(
    'of random bytes is refused on /v1/%s, or found to hold nothing',
    async (signal) => {
      await harmless(server, async () => {
        const statuses = new Set<number>();
        for (let round = 0; round < 150; round++) {
          const answer = await post(url(signal), randomBytes(1 + round * 3));
          statuses.add(answer.status);
          if (answer.status === 400) expect(statusOf(answer).message).toMatch(/not a valid OTLP protobuf message/);
        }
        expect(statuses.has(400)).toBe(true);
        expect([...statuses].filter((status) => status !== 200 && status !== 400)).toEqual([]);
      });
    },
  );

  it('is refused when values are nested too deeply', async () => {
    let value = nested(1, 'deep');
    for (let level = 0; level < 2_000; level++) value = nested(5, nested(1, value));
    const answer = await harmless(server, () =>
      post(url(), request('deep', [span({ attributes: [attribute('k', value)] })])),
    );
    expectRefusal(answer, 400, 3, /nested deeper than 64/);
  });
});

describe('JSON', () => {
  const inSpan = 'resourceSpans[0].scopeSpans[0].spans[0]';

  it.each([
    ['{', 'JSON'],
    ['not json', 'JSON'],
    ['[]', 'resourceSpans'],
    ['"text"', 'request'],
    ['{"resourceSpans": {}}', 'resourceSpans'],
    ['{"resourceLogs": []}', '/v1/logs'],
    [jsonTraces('x', [jsonSpan({ kind: 'SPAN_KIND_BEST' })]), `${inSpan}.kind`],
    [jsonTraces('x', [jsonSpan({ startTimeUnixNano: 'yesterday' })]), `${inSpan}.startTimeUnixNano`],
    [jsonTraces('x', [jsonSpan({ startTimeUnixNano: '18446744073709551616' })]), `${inSpan}.startTimeUnixNano`],
    [jsonTraces('x', [jsonSpan({ traceId: 'not an id!' })]), `${inSpan}.traceId`],
    [
      jsonTraces('x', [jsonSpan({ attributes: [{ key: 'k', value: { intValue: 'many' } }] })]),
      `${inSpan}.attributes[0].value`,
    ],
    [jsonTraces('x', [jsonSpan({ name: 7 })]), `${inSpan}.name`],
    [jsonTraces('x', ['span']), inSpan],
  ])('%s is refused with 400, and the message says where the fault is', async (body, part) => {
    const answer = await harmless(server, () => postJson(url(), body));
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toEqual({ code: 3, message: expect.stringContaining(part) as unknown });
  });

  it('of text that is not UTF-8 is refused with 400', async () => {
    const body = Buffer.from(jsonTraces('x', [jsonSpan({ name: '~' })]));
    body[body.indexOf('~')] = 0xff;
    const answer = await harmless(server, () => post(url(), body, { 'content-type': 'application/json' }));
    expectRefusal(answer, 400, 3, /UTF-8/);
  });

  it('of arrays in arrays is refused with 400', async () => {
    const answer = await harmless(server, () => postJson(url(), '['.repeat(100_000)));
    expectRefusal(answer, 400, 3, /JSON/);
  });
});

describe('types and codings', () => {
  it.each(['text/plain', 'application/xml', 'application/x-protobuf-delimited', 'multipart/form-data; boundary=x'])(
    'Content-Type %s is refused with 415',
    async (type) => {
      const answer = await harmless(server, () => post(url(), request('x', [span()]), { 'content-type': type }));
      expectRefusal(answer, 415, 12, /Content-Type=.*send application\/x-protobuf or application\/json/);
    },
  );

  it.each(['br', 'snappy', 'lz4', 'gzip, gzip', 'nonsense'])(
    'Content-Encoding %s is refused with 415',
    async (coding) => {
      const answer = await harmless(server, () => post(url(), request('x', [span()]), { 'content-encoding': coding }));
      expectRefusal(answer, 415, 12, /Content-Encoding=.*gzip/);
    },
  );

  it.each(['gzip', 'deflate', 'zstd'])('a body that is no %s is refused with 400', async (coding) => {
    const answer = await harmless(server, () =>
      post(url(), Buffer.from('\x08garbage'), { 'content-encoding': coding }),
    );
    expectRefusal(answer, 400, 3, new RegExp(`cannot decompress the body as ${coding}`));
  });

  it('gzip that is cut is refused with 400', async () => {
    const packed = gzipSync(request('cut-gzip', [span()]));
    const answer = await harmless(server, () => post(url(), packed.subarray(0, -9), { 'content-encoding': 'gzip' }));
    expectRefusal(answer, 400, 3, /decompress/);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['zstd', zstdCompressSync],
  ] as const)('a bomb in %s is refused with 413', async (coding, pack) => {
    const bomb = pack(Buffer.alloc(200 * MIB));
    const answer = await harmless(server, () => post(url(), bomb, { 'content-encoding': coding }));
    expectRefusal(answer, 413, 8, /larger than 67108864 bytes decompressed/);
  });

  it('a bomb of JSON is refused with 413 at the smaller limit that JSON has', async () => {
    const bomb = gzipSync(`{"resourceSpans":[${'{},'.repeat(10 * MIB)}{}]}`);
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const answer = await harmless(server, () => post(url(), bomb, headers));
    expectRefusal(answer, 413, 8, /larger than 20971520 bytes decompressed/);
  });
});

describe('values', () => {
  it('of text that is not UTF-8 are repaired, with a warning', async () => {
    const bad = Buffer.from([0x61, 0xff, 0x62]);
    const body = request('utf8', [span({ name: bad, attributes: [attribute('key', nested(1, bad))] })]);
    const answer = await harmless(server, () => post(url(), body), { stored: 1 });
    expect(answer.status).toBe(200);
    expect(partialOf(answer)).toEqual({
      rejected: 0,
      message: expect.stringMatching(/invalid UTF-8 in 2 strings/) as unknown,
    });
    expect(await ask('utf8', "name, attributes_string['key'] AS value")).toEqual([
      { name: 'a\ufffdb', value: 'a\ufffdb' },
    ]);
    const logs = await harmless(server, () => post(url('logs'), request('utf8', [logRecord(bad)])), { stored: 1 });
    expect(partialOf(logs)?.message).toMatch(/invalid UTF-8 in 1 string/);
    expect(await ask('utf8', 'body', 'logs')).toEqual([{ body: 'a\ufffdb' }]);
  });

  it('that are not finite are stored as they are', async () => {
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0];
    const metrics = values.map((value, index) => gauge(`m${index}`, value));
    const answer = await harmless(server, () => post(url('metrics'), request('nan', metrics)), { stored: 4 });
    expect([answer.status, partialOf(answer)]).toEqual([200, undefined]);
    expect(await ask('nan', 'toString(value) AS v', 'metrics_gauge', 4)).toEqual(
      ['nan', 'inf', '-inf', '-0'].map((v) => ({ v })),
    );
    const attributes = values.map((value, index) => attribute(`a${index}`, double(4, value)));
    await harmless(server, () => post(url(), request('nan', [span({ attributes })])), { stored: 1 });
    const texts = 'arrayMap(v -> toString(v), mapValues(attributes_double)) AS v';
    expect(await ask('nan', texts)).toEqual([{ v: ['nan', 'inf', '-inf', '-0'] }]);
    const json = jsonSpan({
      attributes: ['NaN', '-Infinity'].map((text, i) => ({ key: `j${i}`, value: { doubleValue: text } })),
    });
    await harmless(server, () => postJson(url(), jsonTraces('nan-json', [json])), { stored: 1 });
    expect(await ask('nan-json', texts)).toEqual([{ v: ['nan', '-inf'] }]);
  });

  it('10,000 attributes of one span are all stored', async () => {
    const attributes = Array.from({ length: 10_000 }, (_, index) => attribute(`key.${index}`, `value ${index}`));
    const answer = await harmless(server, () => post(url(), request('wide', [span({ attributes })])), { stored: 1 });
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
    const columns = "length(attributes_string) AS n, attributes_string['key.9999'] AS last";
    expect(await ask('wide', columns)).toEqual([{ n: 10_000, last: 'value 9999' }]);
  });

  it('of a megabyte are stored whole', async () => {
    const value = randomBytes(MIB / 2).toString('hex');
    const body = request('long', [span({ attributes: [attribute('long', value)] })]);
    await harmless(server, () => post(url(), body), { stored: 1 });
    expect((await ask('long', "attributes_string['long'] AS v"))[0]?.['v'] === value).toBe(true);
    await harmless(server, () => postJson(url(), jsonTraces('long-json', [jsonSpan({ name: value })])), { stored: 1 });
    expect((await ask('long-json', 'name'))[0]?.['name'] === value).toBe(true);
  });
});

describe('times', () => {
  const now = recentNanos();
  const year = 365n * 86_400_000_000_000n;

  it.each([
    ['missing', 0n, /1 spans without a time/],
    ['one nanosecond after 1970', 1n, /1 spans older than the retention/],
    ['a year ago', now - year, /1 spans older than the retention/],
    ['in a year', now + year, /1 spans too far in the future/],
    ['in the year 2554, the last that the field holds', 2n ** 64n - 1n, /1 spans too far in the future/],
  ])('of a span that are %s cost this span only', async (_, start, message) => {
    const service = `time-${start}`;
    const body = request(service, [span({ name: 'before' }), span({ start }), span({ name: 'after' })]);
    const answer = await harmless(server, () => post(url(), body), { stored: 2 });
    expect(answer.status).toBe(200);
    expect(partialOf(answer)).toEqual({ rejected: 1, message: expect.stringMatching(message) as unknown });
    expect((await ask(service, 'name', 'spans', 2)).map(({ name }) => String(name)).toSorted()).toEqual([
      'after',
      'before',
    ]);
  });

  it('of log records and data points cost these items only', async () => {
    const logs = await harmless(
      server,
      () =>
        post(
          url('logs'),
          request('time-logs', [logRecord('old', 1n), logRecord('good', now), logRecord('late', now + year)]),
        ),
      { stored: 1 },
    );
    expect(partialOf(logs)).toEqual({
      rejected: 2,
      message: expect.stringMatching(/log records older.*log records too far/) as unknown,
    });
    expect(await ask('time-logs', 'body', 'logs')).toEqual([{ body: 'good' }]);
    const points = await harmless(
      server,
      () => post(url('metrics'), request('time-points', [gauge('old', 1, 1n), gauge('good', 2, now)])),
      { stored: 1 },
    );
    expect(partialOf(points)).toEqual({ rejected: 1, message: expect.stringMatching(/data points older/) as unknown });
    expect(await ask('time-points', 'name', 'metrics_gauge')).toEqual([{ name: 'good' }]);
  });

  it('of a span that ends before it starts make a duration of 0', async () => {
    const body = request('backwards', [span({ start: now, end: now - 5n }), span({ start: now, end: 0n })]);
    await harmless(server, () => post(url(), body), { stored: 2 });
    const row = { timestamp: timeText(now), duration_ns: 0 };
    expect(await ask('backwards', 'timestamp, duration_ns', 'spans', 2)).toEqual([row, row]);
  });
});

describe('ids', () => {
  it.each([
    ['a trace id of 15 bytes', { traceId: randomBytes(15) }, /trace_id that is not 16 bytes/],
    ['a trace id of 17 bytes', { traceId: randomBytes(17) }, /trace_id that is not 16 bytes/],
    ['no trace id', { traceId: new Uint8Array(0) }, /trace_id/],
    ['a trace id of zeros', { traceId: new Uint8Array(16) }, /all zeros/],
    ['a span id of 7 bytes', { spanId: randomBytes(7) }, /span_id that is not 8 bytes/],
    ['a span id of zeros', { spanId: new Uint8Array(8) }, /all zeros/],
  ])('%s costs this span only', async (what, ids, message) => {
    const answer = await harmless(server, () => post(url(), request(what, [span(), span(ids), span()])), { stored: 2 });
    expect(answer.status).toBe(200);
    expect(partialOf(answer)).toEqual({ rejected: 1, message: expect.stringMatching(message) as unknown });
  });

  it('of a wrong length in JSON cost this span only, and the count is a text', async () => {
    const spans = [jsonSpan(), jsonSpan({ traceId: 'abc' }), jsonSpan({ spanId: '00' })];
    const answer = await harmless(server, () => postJson(url(), jsonTraces('json-ids', spans)), { stored: 1 });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual({
      partialSuccess: { rejectedSpans: '2', errorMessage: expect.stringContaining('trace_id') as unknown },
    });
  });

  it('of a wrong length in a log record are left out, and the record is stored', async () => {
    const record = logRecord('no trace', recentNanos(), nested(9, randomBytes(5)), nested(10, randomBytes(9)));
    const answer = await harmless(server, () => post(url('logs'), request('log-ids', [record])), { stored: 1 });
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
    expect(await ask('log-ids', 'body, trace_id, span_id', 'logs')).toEqual([
      { body: 'no trace', trace_id: '', span_id: '' },
    ]);
  });
});

describe('batches', () => {
  it.each(['traces', 'logs', 'metrics'])('without anything in them are a success on /v1/%s', async (signal) => {
    await harmless(server, async () => {
      for (const body of [Buffer.alloc(0), request('empty', []), nested(1)]) {
        const answer = await post(url(signal), body);
        expect([answer.status, answer.headers.get('content-type'), answer.body.length]).toEqual([
          200,
          'application/x-protobuf',
          0,
        ]);
      }
      for (const body of [
        '',
        '{}',
        `{"resource${signal === 'traces' ? 'Spans' : signal === 'logs' ? 'Logs' : 'Metrics'}":[]}`,
      ]) {
        const answer = await postJson(url(signal), body);
        expect([answer.status, answer.text]).toEqual([200, '{}']);
      }
    });
  });

  it('that are sent twice are stored twice: a resent batch is not told from a second one', async () => {
    const body = request('twice', [span(), span()]);
    await harmless(server, () => post(url(), body), { stored: 2 });
    await harmless(server, () => post(url(), body), { stored: 2 });
    await ask('twice', '*', 'spans', 4);
    const counts = "SELECT count() AS n, uniqExact(span_id) AS spans FROM spans WHERE service_name = 'twice'";
    expect(await server.sql(counts)).toEqual([{ n: 4, spans: 2 }]);
  });
});

it('all that was taken can be read', async () => {
  const accepted = await server.metric('glasshouse_ingest_accepted_total');
  const total = `SELECT (SELECT count() FROM spans) + (SELECT count() FROM logs) + (SELECT count() FROM metrics_gauge) AS n`;
  await server.rows(`SELECT n FROM (${total}) WHERE n >= ${accepted}`, 1);
  expect(await server.sql(total)).toEqual([{ n: accepted }]);
});
