/** Columns that rows are told to need: as a data file writes them, and that the real engine takes the rows with them. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSchema } from '../datafile/columns.ts';
import { formatColumn } from '../datafile/format.ts';
import { describeRows } from './describe.ts';
import { dataSource, Stage } from './stage.suite.ts';

const OPTIONS = { named: false, previewRows: 10 };

const brief = (lines: readonly string[], named = false): string[] =>
  describeRows(lines, { ...OPTIONS, named }).columns.map((column) => `${formatColumn(column)} ${column.present}`);

const preview = (...values: readonly string[]): unknown[] =>
  describeRows(
    values.map((value) => `{"v":${value}}`),
    OPTIONS,
  ).preview.map((row) => JSON.parse(JSON.stringify(row)) as unknown);

describe('described rows', () => {
  it('have columns without defaults, and the share of rows with a value', () => {
    expect(
      brief(['{"a":"x","b":{"c":1.5},"t":"2026-01-01T00:00:00Z"}', '{"a":"y","b":null,"t":"2026-01-01 00:00:00"}']),
    ).toEqual([
      '`a` String `json:$.a` 1',
      '`b_c` Nullable(Float64) `json:$.b.c` 0.5',
      '`t` DateTime64(3) `json:$.t` 1',
    ]);
  });

  it('have a default for lists that some rows lack', () => {
    expect(brief(['{"a":[1],"b":["x"]}', '{"b":[]}'])).toEqual([
      '`a` Array(Int64) `json:$.a[:]` DEFAULT [] 0.5',
      '`b` Array(String) `json:$.b[:]` 1',
    ]);
  });

  it('have no paths where names of columns say the same', () => {
    expect(brief(['{"a":1,"First name":"x"}'], true)).toEqual([
      '`a` Int64 1',
      "`First_name` String `json:$['First name']` 1",
    ]);
  });

  it('have no column for a key that no path can name', () => {
    expect(brief(['{"a":1,"new\\nline":2,"back\\\\slash":3,"it\'s \\"it\\"":4,"it\'s":5}'])).toEqual([
      '`a` Int64 `json:$.a` 1',
      '`it_s` Int64 `json:$["it\'s"]` 1',
    ]);
  });

  it('are refused without a row', () => {
    expect(() => describeRows(['x'], OPTIONS)).toThrow(/^cannot guess a schema: /);
  });
});

describe('a preview', () => {
  it.each<[string, readonly string[], readonly unknown[]]>([
    ['texts and what became text', ['"x"', '1.50', '{"a":[1.10]}', 'true'], ['x', '1.50', '{"a":[1.10]}', 'true']],
    ['numbers', ['1', '2.5'], [1, 2.5]],
    ['missing values', ['1', 'null'], [1, null]],
    ['lists', ['[1,null]', '[]'], [[1, null], []]],
    [
      'times',
      ['"2026-01-01T01:00:00.5+02:00"', '"2026-01-01 00:00:00"', '"2026-01-01T00:00:00.123Z"'],
      ['2025-12-31 23:00:00.500', '2026-01-01 00:00:00.000', '2026-01-01 00:00:00.123'],
    ],
  ])('has %s as the columns would', (_what, values, expected) => {
    expect(preview(...values)).toEqual(expected.map((v) => ({ v })));
  });

  it('has all digits of numbers', () => {
    const { preview: rows } = describeRows(['{"v":9223372036854775807}'], OPTIONS);
    expect(JSON.stringify(rows)).toBe('[{"v":9223372036854775807}]');
  });

  it('is of the first rows', () => {
    const lines = Array.from({ length: 20 }, (_, n) => `{"n":${n}}`);
    expect(describeRows(['no row', ...lines], OPTIONS).preview).toHaveLength(10);
  });
});

describe('rows that are described', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open();
  });

  afterAll(async () => stage.close());

  it('fit the columns as a data file has them, with the values of the preview', async () => {
    const lines = [
      '{"s":"x","i":1,"f":1.5,"b":true,"t":"2026-01-01T01:00:00.123456+02:00","a":[1,2],"n":null,"o":{"k":{"v":1.10}},"m":1,"x":[]}',
      '{"s":"","i":-9223372036854775808,"f":5,"b":false,"t":"2298-01-01T00:00:00Z","o":{"k":null},"m":"text","x":[[1.5],{"a":null}]}',
      '{"s":"ключ","i":0,"f":-1e300,"b":true,"t":"1970-01-01T00:00:00Z","a":[],"n":"late","m":{"q":1}}',
    ];
    const { columns, preview: rows } = describeRows(lines, OPTIONS);
    const read = parseSchema(columns.map(formatColumn).join(', '));
    expect(read).toEqual(columns.map((column) => ({ ...column, present: undefined })));
    const { good, bad } = await stage.run(dataSource(read, { sortingKey: 't' }), lines);
    expect(bad).toEqual([]);
    const plain = (all: unknown): unknown[] =>
      (JSON.parse(JSON.stringify(all)) as Record<string, unknown>[])
        .map((row) => ({ ...row, i: Number(row['i']), a: (row['a'] as unknown[]).map(Number) }))
        .toSorted((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1));
    expect(plain(good)).toEqual(plain(rows));
  });
});
