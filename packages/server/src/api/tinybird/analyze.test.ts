/** Schemas that are guessed for files, on the whole server: every format and way, and that the files fit what was guessed. */

import { readdirSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, CallOptions, Elsewhere, TestServer } from './testing/server.ts';
import { elsewhere, startTestServer } from './testing/server.ts';

let server: TestServer;
let other: Elsewhere;
let hidden: Elsewhere;
let answer: RequestListener;
let asked: string[];
let parquet: Uint8Array<ArrayBuffer>;

const SAMPLE = 1 << 20;

beforeAll(async () => {
  asked = [];
  other = await elsewhere((request, response) => answer(request, response));
  hidden = await elsewhere((request, response) => {
    asked.push(request.url ?? '');
    response.end('{"page":"secret"}');
  });
  server = await startTestServer({ GLASSHOUSE_IMPORT_ALLOW: other.host, GLASSHOUSE_IMPORT_MAX_SIZE: '6MiB' });
  const sql =
    "SELECT toString(number) AS name, toInt32(number) AS n, number / 2 AS half, ['a', 'b'] AS list, " +
    "if(number = 1, NULL, number) AS some, toDateTime64('2026-01-01 00:00:00', 3) AS at FROM numbers(5) FORMAT Parquet";
  const written = await fetch(`${server.base}/v0/sql?token=${server.admin}`, { method: 'POST', body: sql });
  parquet = new Uint8Array(await written.arrayBuffer());
});

afterAll(async () => {
  await server.close();
  await other.close();
  await hidden.close();
});

const leftovers = (): string[] => readdirSync(join(server.dataDir, 'imports'));

afterEach(() => expect(leftovers()).toEqual([]));

interface Analysis {
  readonly analysis: { readonly columns: readonly object[]; readonly schema: string };
  readonly preview: { readonly meta: readonly object[]; readonly data: readonly object[]; readonly rows: number };
}

const ask = (query: string, options: CallOptions): Promise<Answer> =>
  server.call(`POST /v0/analyze${query}`, { ...options });

async function analysed(query: string, options: CallOptions): Promise<Analysis> {
  const { status, text, json } = await ask(query, options);
  if (status !== 200) throw new Error(text);
  return json as unknown as Analysis;
}

const schemaOf = async (query: string, options: CallOptions): Promise<string> =>
  (await analysed(query, options)).analysis.schema;

function file(field: string, content: string | Uint8Array<ArrayBuffer>, filename: string): FormData {
  const form = new FormData();
  form.append(field, new Blob([content]), filename);
  return form;
}

const NDJSON = '{"name":"a","n":1,"in":{"x":[1]}}\n{"name":"b","n":2.5}\n';
const NDJSON_SCHEMA =
  '`name` String `json:$.name`, `n` Float64 `json:$.n`, `in_x` Array(Int64) `json:$.in.x[:]` DEFAULT []';
const CSV = 'name,n,Some text\na,1,x\n"b, c",2,\n';
const CSV_SCHEMA = "`name` String, `n` Int64, `Some_text` Nullable(String) `json:$['Some text']`";
const PARQUET_SCHEMA =
  '`name` String `json:$.name`, `n` Int64 `json:$.n`, `half` Float64 `json:$.half`, `list` Array(String) `json:$.list[:]`, ' +
  '`some` Nullable(Int64) `json:$.some`, `at` DateTime64(3) `json:$.at`';

describe('an analysis', () => {
  it('tells columns, a schema and the first rows', async () => {
    const { analysis, preview } = await analysed('', { body: NDJSON });
    expect(analysis).toEqual({
      columns: [
        { path: '$.name', recommended_type: 'String', present_pct: 1, name: 'name' },
        { path: '$.n', recommended_type: 'Float64', present_pct: 1, name: 'n' },
        { path: '$.in.x[:]', recommended_type: 'Array(Int64)', present_pct: 0.5, name: 'in_x' },
      ],
      schema: NDJSON_SCHEMA,
    });
    expect(preview).toMatchObject({
      meta: [
        { name: 'name', type: 'String' },
        { name: 'n', type: 'Float64' },
        { name: 'in_x', type: 'Array(Int64)' },
      ],
      data: [
        { name: 'a', n: 1, in_x: [1] },
        { name: 'b', n: 2.5, in_x: [] },
      ],
      rows: 2,
      statistics: { rows_read: 2, bytes_read: NDJSON.length },
    });
  });

  it.each<[string, string, () => CallOptions, () => string]>([
    ['of a body of NDJSON', '?format=ndjson', () => ({ body: NDJSON }), () => NDJSON_SCHEMA],
    ['of a body that nothing says the format of', '', () => ({ body: Buffer.from(NDJSON) }), () => NDJSON_SCHEMA],
    [
      'of a row of JSON that has parameters of its own',
      '',
      () => ({ body: '{"url":"http://x","n":1}', headers: { 'content-type': 'application/json' } }),
      () => '`url` String `json:$.url`, `n` Int64 `json:$.n`',
    ],
    ['of an array', '', () => ({ body: `[\n${NDJSON.trim().replace('\n', ',\n')}\n]` }), () => NDJSON_SCHEMA],
    ['of a body of CSV', '', () => ({ body: Buffer.from(CSV) }), () => CSV_SCHEMA],
    [
      'of CSV in a dialect',
      '?dialect_delimiter=%7C&dialect_quotechar=%27',
      () => ({ body: "a|b\n'x|y'|1\n" }),
      () => '`a` String, `b` Int64',
    ],
    ['of a body of Parquet', '', () => ({ body: parquet }), () => PARQUET_SCHEMA],
    [
      'of a packed body',
      '',
      () => ({ body: gzipSync(NDJSON), headers: { 'content-encoding': 'gzip' } }),
      () => NDJSON_SCHEMA,
    ],
    ['of a packed file', '', () => ({ body: zstdCompressSync(CSV) }), () => CSV_SCHEMA],
    ['of packed Parquet', '', () => ({ body: gzipSync(parquet) }), () => PARQUET_SCHEMA],
    ['of a file in a form', '', () => ({ body: file('file', NDJSON, 'rows') }), () => NDJSON_SCHEMA],
    ['of a file in a form by its field', '', () => ({ body: file('csv', CSV, 'csv') }), () => CSV_SCHEMA],
    ['of Parquet in a form', '', () => ({ body: file('parquet', parquet, 'rows.parquet') }), () => PARQUET_SCHEMA],
  ])('%s', async (_, query, options, schema) => {
    expect(await schemaOf(query, options())).toBe(schema());
  });

  it.each<[string, () => Promise<string>]>([
    ['in the query', () => schemaOf(`?url=${encodeURIComponent(`http://${other.host}/rows?sig=1`)}`, { body: '' })],
    ['in a form', () => schemaOf('', { body: new URLSearchParams({ url: `http://${other.host}/rows` }) })],
  ])('of what is at a URL %s', async (_, schema) => {
    const bodies: [string | Uint8Array, string][] = [
      [NDJSON, NDJSON_SCHEMA],
      [gzipSync(CSV), CSV_SCHEMA],
      [parquet, PARQUET_SCHEMA],
    ];
    for (const [body, expected] of bodies) {
      answer = (_request, response) => response.end(body);
      expect(await schema()).toBe(expected);
    }
  });

  it.each<[string, string, () => string | Uint8Array<ArrayBuffer>]>([
    ['ndjson', 'ndjson', () => NDJSON],
    ['csv', 'csv', () => CSV],
    ['parquet', 'parquet', () => parquet],
  ])('of %s makes a data source that takes all of the file', async (name, format, content) => {
    const schema = await schemaOf('', { body: content() });
    const form = new URLSearchParams({ name: `from_${name}`, schema, format });
    expect((await server.call('POST /v0/datasources', { body: form })).status).toBe(200);
    const path = `POST /v0/datasources?name=from_${name}&mode=append&format=${format}`;
    const { json } = await server.call(path, { body: content() });
    expect(json).toMatchObject({ quarantined_rows: 0, error: false });
    expect(json['successful_rows']).toBeGreaterThan(1);
  });

  it('is of the beginning of a large file, and no half row of it', async () => {
    const row = 'text that goes on\n"and on",1\n';
    const rows = `text,n\n${`"${row.replaceAll('"', '""')}",1\n`.repeat(1 + (4 << 20) / row.length)}not,a number\n`;
    expect(await schemaOf('', { body: rows })).toBe('`text` String, `n` Int64');
    // As a client that sends no more than a sample cuts it.
    expect(await schemaOf('', { body: rows.slice(0, SAMPLE) })).toBe('`text` String, `n` Int64');
    const wide = `text,n\n${`"${'a ""b""\n'.repeat(20_000)}",12\n`.repeat(8)}`;
    expect(await schemaOf('', { body: wide.slice(0, SAMPLE) })).toBe('`text` String, `n` Int64');
    const packed = gzipSync(Array.from({ length: 60_000 }, (_, n) => `{"n":${n},"r":"${Math.sin(n)}"}`).join('\n'));
    expect(await schemaOf('', { body: packed.subarray(0, packed.length >> 1) })).toBe(
      '`n` Int64 `json:$.n`, `r` String `json:$.r`',
    );
    const event = '{"n":1,"more":"and so on"}\n';
    const events = event.repeat((2 << 20) / event.length).slice(0, SAMPLE - 5);
    expect(await schemaOf('', { body: events })).toBe('`n` Int64 `json:$.n`, `more` String `json:$.more`');
  });

  it('does not wait for the end of what is at a URL', async () => {
    const closed = Promise.withResolvers<void>();
    answer = (_request, response) => {
      response.on('close', () => closed.resolve());
      response.write(NDJSON.repeat(1 + SAMPLE / NDJSON.length));
    };
    expect(await schemaOf(`?url=http://${other.host}/endless`, { body: '' })).toBe(NDJSON_SCHEMA);
    await closed.promise;
  });
});

describe('a request that is wrong', () => {
  it.each<[string, string, () => CallOptions, number, string]>([
    ['nothing', '', () => ({ body: '' }), 400, 'there is no data'],
    ['an unknown format', '?format=xml', () => ({ body: 'x' }), 400, 'format=xml'],
    ['no rows of JSON', '?format=ndjson', () => ({ body: 'a,b\n1,2\n' }), 400, 'no line is a JSON object'],
    ['CSV without names', '', () => ({ body: '1,2\n3,4\n' }), 400, 'its first line has no names'],
    ['CSV without rows', '', () => ({ body: 'a,b\n' }), 400, 'cannot guess a schema'],
    ['Parquet that is none', '', () => ({ body: 'PAR1xxxxPAR1' }), 400, 'Parquet'],
    ['half a Parquet file', '', () => ({ body: parquet.subarray(0, parquet.length >> 1) }), 400, 'Parquet'],
    ['a packed file that is none', '', () => ({ body: Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]) }), 400, ''],
    ['a body that is too large', '', () => ({ body: Buffer.alloc(7 << 20, 'x') }), 413, ''],
    ['a form that is too large', '', () => ({ body: file('csv', Buffer.alloc(7 << 20, 'x'), 'x') }), 413, ''],
    ['a URL that is none', '?url=file%3A%2F%2F%2Fetc%2Fpasswd', () => ({ body: '' }), 400, 'only http and https'],
    [
      'a URL that is not public',
      '',
      () => ({ body: new URLSearchParams({ url: `http://${hidden.host}/` }) }),
      400,
      'not public',
    ],
  ])('with %s is refused', async (_, query, options, status, why) => {
    const refused = await ask(query, options());
    expect([refused.status, refused.json['error']]).toEqual([status, expect.stringContaining(why)]);
    expect(asked).toEqual([]);
  });

  it('with keys that no statement should hold is answered', async () => {
    const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect((await ask('', { body: `${deep}\n{"b":1}` })).status).toBe(200);
    const row = JSON.stringify({ '`': 1, '\'"': 2, '\\': 3, '\n': 4, 'x, y': 5, ' (alias z)': 6, '-- c': 7, n: 8 });
    const schema = await schemaOf('', { body: row });
    const body = new URLSearchParams({ name: 'odd_keys', schema });
    expect((await server.call('POST /v0/datasources', { body })).status).toBe(200);
  });

  it('of nobody who may is refused before its body is read, and fetches nothing', async () => {
    answer = (_request, response) => {
      asked.push('a URL');
      response.end(NDJSON);
    };
    const token = await server.token('a sender', 'DATASOURCES:APPEND:from_ndjson', 'DATASOURCES:READ:from_ndjson');
    expect((await ask(`?url=http://${other.host}/`, { body: '', token })).status).toBe(403);
    expect((await ask('', { body: NDJSON, token: 'p.nobody' })).status).toBe(403);
    expect(asked).toEqual([]);
    const status = await new Promise((resolve, reject) => {
      const options = { method: 'POST', headers: { 'content-length': '5000000' } };
      const upload = httpRequest(`${server.base}/v0/analyze?token=${token}`, options);
      upload.on('response', (response) => {
        resolve(response.statusCode);
        upload.destroy();
      });
      upload.on('error', reject);
      upload.flushHeaders();
    });
    expect(status).toBe(403);
  });

  it('needs no more than to make data sources', async () => {
    const token = await server.token('a maker', 'DATASOURCES:CREATE');
    expect((await ask('', { body: NDJSON, token })).status).toBe(200);
  });

  it('with anything else is answered or refused', async () => {
    const whole = [
      Buffer.from(NDJSON),
      Buffer.from(CSV),
      Buffer.from(parquet),
      gzipSync(NDJSON),
      zstdCompressSync(CSV),
    ];
    const damaged = fc
      .tuple(fc.constantFrom(...whole), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat(1_000))
      .map(([bytes, changes, cut]) => {
        const copy = Buffer.from(bytes);
        for (const [at, byte] of changes) copy[at % copy.length] = byte;
        return copy.subarray(0, Math.max(1, copy.length - (cut > 500 ? cut % copy.length : 0)));
      });
    const any = fc.oneof(damaged, fc.uint8Array({ minLength: 1, maxLength: 200 }));
    await fc.assert(
      fc.asyncProperty(any, async (bytes) => {
        const { status } = await ask('', { body: new Uint8Array(bytes) });
        expect([200, 400, 413]).toContain(status);
      }),
      { seed: 20_261_122, numRuns: 60 },
    );
  });
});

it('has not logged an error of its own', () => {
  expect(server.faults).toEqual([]);
});
