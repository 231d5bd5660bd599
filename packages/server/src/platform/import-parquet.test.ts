/** Parquet files as the engine writes them, whole and broken. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { AppError } from '@glasshouse/model';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { targetsOf } from './import-targets.ts';
import { jsonText } from './import-columns.ts';
import { parquetRows } from './import-parquet.ts';
import { piecesOf } from './import-pieces.ts';
import { Spool } from './import-spool.ts';
import type { Stand } from './testing/stand.ts';
import { column, dataSource, openStand } from './testing/stand.ts';

let stand: Stand;
let directory: string;
let spool: Spool;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'glasshouse-parquet-'));
  spool = new Spool({ directory, maxBytes: 1 << 30, reserveBytes: 0 });
  stand = await openStand();
  await stand.store.prepareTenant('acme');
});

afterAll(async () => {
  await stand.close();
  rmSync(directory, { recursive: true, force: true });
});

async function parquet(sql: string, settings: Readonly<Record<string, number | string>> = {}): Promise<Buffer> {
  const { stream } = await stand.store.read('acme', sql, { settings: { ...settings, default_format: 'Parquet' } });
  return buffer(stream);
}

async function rowsOf(bytes: Uint8Array, mostRows?: number): Promise<unknown[]> {
  const file = await spool.take(Readable.from([Buffer.from(bytes)]));
  const source = dataSource('x', {
    columns: [{ ...column('id', 'UInt64'), jsonPath: '$.a.id' }, column('other', 'String')],
  });
  const rows: unknown[] = [];
  for await (const row of parquetRows(file, targetsOf(source), mostRows)) rows.push(JSON.parse(jsonText(row)));
  return rows;
}

/** By way of the thread that imports have. */
async function converted(bytes: Uint8Array): Promise<void> {
  const { path, key } = await spool.take(Readable.from([Buffer.from(bytes)]));
  const limits = { pieceBytes: 1 << 20, rowBytes: 1 << 20, maxBytes: 1 << 30 };
  for await (const piece of piecesOf({ file: { path, key }, format: 'parquet', dialect: {}, targets: [], ...limits })) {
    for (const line of Buffer.from(piece).toString().trim().split('\n')) JSON.parse(line);
  }
}

describe('a Parquet file', () => {
  it.each(['none', 'snappy', 'gzip', 'zstd', 'lz4', 'brotli'])('packed with %s is read', async (codec) => {
    const bytes = await parquet('SELECT number AS id, toString(number) AS other FROM numbers(1000)', {
      output_format_parquet_compression_method: codec,
    });
    const rows = await rowsOf(bytes);
    expect(rows).toEqual(Array.from({ length: 1_000 }, (_, n) => ({ a: { id: n }, other: String(n) })));
  });

  it('of many row groups is read one by one', async () => {
    const bytes = await parquet('SELECT number AS id FROM numbers(5000)', {
      output_format_parquet_row_group_size: 500,
      max_block_size: 500,
    });
    expect(await rowsOf(bytes)).toEqual(Array.from({ length: 5_000 }, (_, n) => ({ a: { id: n } })));
  });

  it.each([0, 1, 999, 1_000, 1_001, 2_500, 9_999])(
    'is read up to row %i, in the order of its columns',
    async (most) => {
      const list = 'arrayMap(x -> x + number, range(number % 3)) AS list';
      const bytes = await parquet(`SELECT number AS id, ${list}, toString(number) AS other FROM numbers(3000)`, {
        output_format_parquet_row_group_size: 1_000,
        output_format_parquet_data_page_size: 512,
      });
      const whole = await rowsOf(bytes);
      expect(whole[1]).toEqual({ a: { id: 1 }, list: [1], other: '1' });
      expect(Object.keys(whole[1] as object)).toEqual(['a', 'list', 'other']);
      expect(await rowsOf(bytes, most)).toEqual(whole.slice(0, most));
    },
  );

  it('keeps all digits of numbers and times, and what is nested', async () => {
    const sql =
      "SELECT toUInt64(18446744073709551615) AS id, toInt64(-9007199254740993) AS i, toDateTime64('2026-01-02 03:04:05.123456789', 9, 'UTC') AS ns, " +
      "toDateTime64('1969-12-31 23:59:59.5', 3, 'UTC') AS before, toDate('2026-01-02') AS day, [1, 2] AS list, map('k', [toUInt8(3)]) AS m, " +
      "CAST((1, 'x') AS Tuple(a UInt8, b String)) AS t, NULL::Nullable(String) AS nothing, 1.5::Float64 AS f, true AS b, 'ü\\n' AS s";
    expect(await rowsOf(await parquet(sql))).toEqual([
      {
        a: { id: '18446744073709551615' },
        i: '-9007199254740993',
        ns: '2026-01-02 03:04:05.123456789',
        before: '1969-12-31 23:59:59.500',
        day: '2026-01-02',
        list: [1, 2],
        m: { k: [3] },
        t: { a: 1, b: 'x' },
        f: 1.5,
        b: true,
        s: 'ü\n',
      },
    ]);
  });

  it('without rows has none', async () => {
    expect(await rowsOf(await parquet('SELECT number AS id FROM numbers(0)'))).toEqual([]);
  });

  it.each<[string, () => Buffer]>([
    ['nothing', () => Buffer.alloc(0)],
    ['a few bytes', () => Buffer.from('PAR1')],
    ['something else', () => Buffer.from('{"a":1}\n'.repeat(100))],
    ['only its marks', () => Buffer.from('PAR1PAR1PAR1')],
    [
      'a footer of a length that cannot be',
      () => Buffer.concat([Buffer.from('PAR1'), Buffer.from([0xff, 0xff, 0xff, 0x7f]), Buffer.from('PAR1')]),
    ],
  ])('that is %s is refused', async (_, bytes) => {
    await expect(rowsOf(bytes())).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('that is damaged ends in rows or in a refusal', async () => {
    const whole = await parquet(
      "SELECT number AS id, [toString(number)] AS list, map('a', number) AS m FROM numbers(50)",
      { output_format_parquet_compression_method: 'snappy' },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.option(fc.nat(whole.length)),
        async (changes, cut) => {
          const bytes = Buffer.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          try {
            await converted(cut === null ? bytes : Buffer.concat([bytes.subarray(0, cut), bytes.subarray(-8)]));
          } catch (error) {
            expect(error).toBeInstanceOf(AppError);
            expect((error as AppError).code).toBe('bad_request');
          }
        },
      ),
      { numRuns: 60, seed: 5 },
    );
  }, 120_000);
});
