/**
 * Bad input to the data platform, on the whole server: rows that are malformed, too large for their types, nested without end or in
 * other encodings, and the same in the parameters of its interface. What is a row is stored or quarantined, what is none is refused,
 * and nothing is a fault of the server.
 */

import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
  const schema = "`n` Int64 `json:$.n` DEFAULT 0, `u` UInt64 `json:$.u` DEFAULT 0, `s` String `json:$.s` DEFAULT ''";
  for (const name of ['numbers', 'lines', 'texts']) {
    const { status, text } = await server.call('POST /v0/datasources', { body: new URLSearchParams({ name, schema }) });
    if (status !== 200) throw new Error(text);
  }
  const node = { name: 'n', sql: "% SELECT {{ String(v, '') }} AS got", type: 'endpoint' };
  await server.call('POST /v0/pipes', { body: JSON.stringify({ name: 'shown', nodes: [node] }) });
});

afterAll(() => server.close());

const DEPTH = 100_000;
const deepList = '['.repeat(DEPTH) + ']'.repeat(DEPTH);
const deepObject = `${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}`;

/** Sends each line in a request of its own; answers with those that were taken as rows, and those that were not. */
async function sorted(
  name: string,
  lines: readonly (Buffer | string)[],
): Promise<readonly (readonly [number, number])[]> {
  const answers = lines.map(async (line) => {
    const body = typeof line === 'string' ? line : new Uint8Array(line);
    const { status, json } = await server.call(`POST /v0/events?name=${name}&wait=true`, { body });
    return status === 200
      ? ([Number(json['successful_rows']), Number(json['quarantined_rows'])] as const)
      : ([-status, 0] as const);
  });
  return Promise.all(answers);
}

describe('an event', () => {
  it('with a number at the edge of 64 bits is stored as it is, and past it is quarantined', async () => {
    const fits = ['{"n":9223372036854775807,"u":18446744073709551615}', '{"n":-9223372036854775808,"u":0}'];
    const not = [
      '{"n":9223372036854775808}',
      '{"n":-9223372036854775809}',
      '{"u":18446744073709551616}',
      '{"u":-1}',
      `{"n":${'9'.repeat(400)}}`,
      '{"n":1e400}',
      '{"n":1.5}',
      '{"n":0x10}',
      '{"n":NaN}',
    ];
    expect(await sorted('numbers', fits)).toEqual(fits.map(() => [1, 0]));
    expect(await sorted('numbers', not)).toEqual(not.map(() => [0, 1]));
    expect(await server.rows('SELECT toString(n) AS n, toString(u) AS u FROM numbers ORDER BY u')).toEqual([
      { n: '-9223372036854775808', u: '0' },
      { n: '9223372036854775807', u: '18446744073709551615' },
    ]);
  });

  it('that is no row, or nested without end, is quarantined, and harms no other', async () => {
    const lines = [
      '{',
      '}',
      '{"n":1',
      '{"n":1}}',
      'null',
      '"x"',
      '[1,2',
      '{"n"}',
      "{'n':1}",
      '{"n":1,}',
      'NaN',
      deepList,
      deepObject,
      `{"s":${deepList}}`,
      `{"n":${deepObject}}`,
    ];
    const outcomes = await sorted('lines', [lines.join('\n'), `${lines.join('\n')}\n{"n":7,"s":"good"}\n`]);
    for (const [taken, quarantined] of outcomes) expect(taken + quarantined).toBeGreaterThanOrEqual(lines.length - 1);
    expect(await server.rows("SELECT n FROM lines WHERE s = 'good'")).toEqual([{ n: 7 }]);
  });

  it('in another encoding than UTF-8 is kept, as a row or in the quarantine', async () => {
    const utf16 = Buffer.from('{"s":"wide"}', 'utf16le');
    const lines = [
      Buffer.from('{"s":"caf\xe9"}', 'latin1'),
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from('{"s":"mark"}')]),
      Buffer.from([0x7b, 0x22, 0x73, 0x22, 0x3a, 0x22, 0xc0, 0xaf, 0x22, 0x7d]),
      Buffer.from([0x7b, 0x22, 0x73, 0x22, 0x3a, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x7d]),
      Buffer.from([0x7b, 0x22, 0x73, 0x22, 0x3a, 0x22, 0xf5, 0xff, 0xfe, 0x22, 0x7d]),
      '{"s":"\\ud800"}',
      '{"s":"a\\u0000b"}',
      '{"s":"\0"}',
      Buffer.from([0xff, 0xfe]),
    ];
    const outcomes = await sorted('texts', lines);
    expect(outcomes.map(([taken, quarantined]) => taken + quarantined)).toEqual(lines.map(() => 1));
    for (const [taken, quarantined] of await sorted('texts', [
      utf16,
      Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]),
    ]))
      expect([taken, quarantined > 0]).toEqual([0, true]);
    // Whatever became of them, every answer is JSON.
    expect((await server.rows('SELECT s FROM texts')).length).toBe(outcomes.reduce((sum, [taken]) => sum + taken, 0));
    await server.rows('SELECT * FROM texts_quarantine');
  });

  it('packed in another way than it says is refused', async () => {
    for (const [coding, body] of [
      ['gzip', '{"n":1}'],
      ['gzip', new Uint8Array(gzipSync('{"n":1}').subarray(0, 12))],
      ['zstd', '{"n":1}'],
      ['br', '{"n":1}'],
      ['x', '{"n":1}'],
    ] as const) {
      const { status } = await server.call('POST /v0/events?name=numbers&wait=true', {
        body,
        headers: { 'content-encoding': coding },
      });
      expect([coding, status >= 400 && status < 500]).toEqual([coding, true]);
    }
  });
});

describe('a request', () => {
  const bodies: readonly (Buffer | string)[] = [
    deepList,
    deepObject,
    `{"v":${deepList}}`,
    `{"v":${deepObject},"q":"SELECT 1","name":"x"}`,
    `{"name":${deepObject}}`,
    `{"nodes":[${deepList}],"name":"x"}`,
    `{"scopes":[${deepObject}],"name":"x","expiration_time":1}`,
    '{"name":"x"',
    '{"v":1e400,"n":-1e400}',
    `{"v":${'9'.repeat(10_000)}}`,
    '{"v":"\\ud800"}',
    'null',
    '[]',
    '"x"',
    '\0',
    `{"q":"SELECT ${'('.repeat(DEPTH)}"}`,
    `{"q":"SELECT ${'-'.repeat(DEPTH)}1"}`,
    `{"q":"SELECT ${'[1,'.repeat(20_000)}"}`,
    `{"q":"% {{ ${'('.repeat(20_000)} }}"}`,
    `{"q":"${'{% if 1 %}'.repeat(5_000)}"}`,
    Buffer.from('{"q":"caf\xe9"}', 'latin1'),
    Buffer.from('{"q":"SELECT 1"}', 'utf16le'),
    Buffer.from([0xff, 0xfe, 0x00]),
  ];
  const paths = [
    '/v0/sql',
    '/v0/sql_tables',
    '/v0/sql_format?with_clickhouse_format=true',
    '/v0/sql_replace',
    '/v0/pipes',
    '/v0/pipes/shown.json',
    '/v0/pipes/shown/nodes',
    '/v0/tokens',
    '/v0/datasources',
    '/v0/datasources/numbers/alter',
    '/v0/datasources/numbers/delete',
    '/v1/workspaces',
    '/v1/deploy',
    '/v1/build',
  ];

  it.each(paths)('to %s is refused or answered, whatever its body is', async (path) => {
    const answers = bodies.flatMap((given) => {
      const body = typeof given === 'string' ? given : new Uint8Array(given);
      return [{ 'content-type': 'application/json' }, { 'content-type': 'text/plain' }].map(async (headers) => {
        const { status, text } = await server.call(`POST ${path}`, { body, headers });
        return status < 500
          ? []
          : [`${String(given).slice(0, 60)} ${headers['content-type']}: ${status} ${text.slice(0, 300)}`];
      });
    });
    expect((await Promise.all(answers)).flat()).toEqual([]);
  });

  it('is answered as before after all of this', async () => {
    expect(await server.rows('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect((await server.call('/v0/pipes/shown.json?v=x')).text).toContain('"got": "x"');
  });
});

it('has not logged an error of its own', () => {
  expect(server.faults).toEqual([]);
});
