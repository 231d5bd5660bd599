/** Rows as the block holds them: every kind of value, what is not there, and ids. */

import { GENERATION_COLUMNS, Instant, MAPPED_COLUMNS, TextRange } from '@glasshouse/generations';
import type { GenerationRow, PackedValue, RowValue } from '@glasshouse/generations';
import { ConstantColumn } from '@glasshouse/native';
import { GENERATIONS } from '@glasshouse/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
// oxlint-disable-next-line no-restricted-imports -- test support, which that package doesn't export
import { readFilled, readNative, type NativeBlock, type NativeValue } from '../../../native/src/native-reference.ts';
import { GenerationBlock, type Placed } from './columns.ts';
import { momentOf, type Moment } from './moment.ts';

const PLACEMENT = { tenant: 'acme', project: 'shop', environment: 'prod' };
const NS = 1_900_000_000_123_456_789n;
const SEGMENT = 77n;

type Total = Placed['total'];
const UNKNOWN: Total = { money: undefined, row: undefined, reason: 'no row' };

function at(ns: bigint): Moment {
  const [seconds, nanoseconds] = [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
  return momentOf(Object.assign(new Instant(), { seconds, nanoseconds }));
}

function placed(row: GenerationRow, more: Partial<Placed> = {}): Placed {
  const values = MAPPED_COLUMNS.map(({ name }) => row[name] ?? null);
  return {
    placement: PLACEMENT,
    row: values,
    time: at(NS),
    duplicate: false,
    total: UNKNOWN,
    version: 'v1',
    ...more,
  };
}

/** The block as the engine reads it: a column that no row has is not in it, and gets the type's default. */
function readBack(columns: GenerationBlock): NativeBlock {
  columns.block.column('_segment', ConstantColumn).set(SEGMENT);
  return readFilled(Buffer.concat(columns.block.pieces()), GENERATIONS);
}

/** Values of a column's kind, with what is stored of each. */
function values(kind: string): fc.Arbitrary<readonly [RowValue | undefined, NativeValue]> {
  const missing = (stored: NativeValue) =>
    fc.constantFrom<(RowValue | undefined)[]>(null, undefined).map((value) => [value, stored] as const);
  const nullable = <T extends RowValue>(some: fc.Arbitrary<T>, stored: (value: T) => NativeValue) =>
    fc.oneof(
      missing(null),
      some.map((value) => [value, stored(value)] as const),
    );
  switch (kind) {
    case 'count':
      return nullable(fc.oneof(fc.nat(), fc.integer({ min: 0, max: 99_999_999_999_999 })), BigInt);
    case 'number':
      return nullable(fc.double({ min: 0, noNaN: true }), Number);
    case 'flag':
      return nullable(fc.boolean(), Number);
    case 'money':
      return nullable(fc.bigInt({ min: 0n, max: 10n ** 27n - 1n }).map(String), BigInt);
    default:
      return fc.oneof(
        missing(''),
        fc.constantFrom('', 'gpt-5', 'é', '\u{1f600}').map((text) => [text, text] as const),
        fc.string({ unit: 'grapheme', maxLength: 300 }).map((text) => [text, text] as const),
      );
  }
}

const REPORTED = GENERATION_COLUMNS.filter(({ kind }) => !['placed', 'priced', 'time'].includes(kind));
const rows = fc.tuple(...REPORTED.map(({ kind }) => values(kind)));

describe('GenerationBlock', () => {
  it('has a column for each of the table, and nothing else', () => {
    const names = new GenerationBlock().block.table.columns.map(({ name }) => name);
    expect(names).toEqual(GENERATIONS.columns.map(({ name }) => name));
    for (const { name } of GENERATION_COLUMNS) expect(names).toContain(name);
  });

  it('holds what a row says, in every kind of column', () => {
    fc.assert(
      fc.property(fc.array(rows, { minLength: 1, maxLength: 5 }), (list) => {
        const columns = new GenerationBlock();
        for (const cells of list) {
          columns.append(placed(Object.fromEntries(REPORTED.map(({ name }, at) => [name, cells[at]?.[0] ?? null]))));
        }
        const read = readBack(columns);
        expect(read.rows).toBe(list.length);
        for (const [at, { name }] of REPORTED.entries()) {
          expect([name, read.columns.get(name)]).toEqual([name, list.map((cells) => cells[at]?.[1])]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('takes back what a request added, in columns that lag behind as well', () => {
    fc.assert(
      fc.property(fc.array(rows, { maxLength: 3 }), fc.array(rows, { maxLength: 3 }), rows, (kept, undone, last) => {
        const columns = new GenerationBlock();
        const append = (cells: (typeof kept)[number]): void =>
          columns.append(placed(Object.fromEntries(REPORTED.map(({ name }, at) => [name, cells[at]?.[0] ?? null]))));
        kept.forEach(append);
        columns.block.mark();
        undone.forEach(append);
        columns.block.rollback();
        append(last);
        const read = readBack(columns);
        for (const [at, { name }] of REPORTED.entries()) {
          expect([name, read.columns.get(name)]).toEqual([name, [...kept, last].map((cells) => cells[at]?.[1])]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('holds texts that are bytes of a request, with what is no UTF-8 replaced, and amounts that are numbers', () => {
    const bytes = Buffer.from('an answer \u00e9 "?"');
    bytes[bytes.length - 2] = 0xff;
    const source = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
    const text = Object.assign(new TextRange(), { source, start: 3, end: bytes.length });
    const columns = new GenerationBlock();
    const { row, ...others } = placed({});
    const values: Readonly<Record<string, PackedValue>> = { prompt: text, client_cost: 12_300_000 };
    columns.append({ ...others, row: row.map((value, place) => values[MAPPED_COLUMNS[place]?.name ?? ''] ?? value) });
    const { columns: read } = readBack(columns);
    expect(read.get('prompt')).toEqual(['answer \u00e9 "\ufffd"']);
    expect(read.get('client_cost')).toEqual([12_300_000n]);
  });

  it('leaves the columns out that no row has', () => {
    const columns = new GenerationBlock();
    columns.append(placed({}));
    const written = readNative(Buffer.concat(columns.block.pieces())).columns;
    for (const { name } of REPORTED) expect([name, written.has(name)]).toEqual([name, false]);
    const { columns: read } = readBack(columns);
    for (const { name } of GENERATIONS.columns) expect([name, read.get(name)?.length]).toEqual([name, 1]);
    expect(read.get('cost')).toEqual([null]);
    expect(read.get('cost_parts')).toEqual([[]]);
    expect(read.get('price_row')).toEqual(['']);
  });

  it('says where a row is, when it was, and whether it is the second report', () => {
    const columns = new GenerationBlock();
    columns.append(placed({}));
    columns.append(
      placed({}, { duplicate: true, time: at(1n), placement: { tenant: 't', project: 'p', environment: 'e' } }),
    );
    const { columns: read } = readBack(columns);
    expect(
      Object.fromEntries(
        ['_segment', 'tenant_id', 'project_id', 'environment', 'time', 'duplicate'].map((name) => [
          name,
          read.get(name),
        ]),
      ),
    ).toEqual({
      _segment: [SEGMENT, SEGMENT],
      tenant_id: ['acme', 't'],
      project_id: ['shop', 'p'],
      environment: ['prod', 'e'],
      time: [NS, 1n],
      duplicate: [0, 1],
    });
    expect([...columns.block.days.byDay()].length).toBe(2);
  });

  it('says what a row costs, with its parts', () => {
    const columns = new GenerationBlock();
    const exact = undefined;
    const money = 2n ** 70n;
    columns.append(
      placed(
        {},
        {
          total: {
            money: 15n,
            row: 'openai/gpt-5',
            exact,
            parts: [
              ['input', 5],
              ['output', 10n],
            ],
          },
        },
      ),
    );
    columns.append(placed({}, { total: { money: 0n, row: 'free', exact, parts: [] } }));
    columns.append(placed({}, { total: { money: undefined, row: 'openai/x', reason: 'no price' }, version: 'v2' }));
    columns.append(placed({}, { total: { money, row: 'big', exact, parts: [['input', money]] } }));
    const { columns: read } = readBack(columns);
    expect(read.get('cost')).toEqual([15n, 0n, null, money]);
    expect(read.get('cost_parts')).toEqual([
      [
        ['input', 5n],
        ['output', 10n],
      ],
      [],
      [],
      [['input', money]],
    ]);
    expect(read.get('price_row')).toEqual(['openai/gpt-5', 'free', 'openai/x', 'big']);
    expect(read.get('price_version')).toEqual(['v1', 'v1', 'v2', 'v1']);
  });
});

describe('ids', () => {
  it('are UUIDv7 of the time of the row, each its own', () => {
    const columns = new GenerationBlock();
    const times = Array.from({ length: 3_000 }, (_, index) => NS + BigInt(index % 3) * 1_000_000n);
    for (const time of times) columns.append(placed({}, { time: at(time) }));
    const ids = readBack(columns).columns.get('generation_id') as string[];
    expect(new Set(ids).size).toBe(times.length);
    for (const [index, id] of ids.entries()) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      const ms = Number.parseInt(id.replace('-', '').slice(0, 12), 16);
      expect(BigInt(ms)).toBe((times[index] ?? 0n) / 1_000_000n);
    }
  });

  it('grow with the time, also where its lower bits begin anew', () => {
    const columns = new GenerationBlock();
    const times = [1n, 0xffffn, 0x1_0000n, 0xffff_ffffn, 0x1_0000_0000n, 0x1ff_ffff_ffffn].map((ms) => ms * 1_000_000n);
    for (const time of times) columns.append(placed({}, { time: at(time) }));
    const ids = readBack(columns).columns.get('generation_id') as string[];
    expect(ids.toSorted()).toEqual(ids);
  });

  it('differ from those of another process in the same millisecond', () => {
    const ids = Array.from({ length: 50 }, () => {
      const columns = new GenerationBlock();
      columns.append(placed({}));
      return readBack(columns).columns.get('generation_id')?.[0];
    });
    expect(new Set(ids).size).toBe(ids.length);
  });
});
