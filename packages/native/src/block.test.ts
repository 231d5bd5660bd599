import type { FactTable } from '@glasshouse/schema';
import { FACT_TABLES } from '@glasshouse/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Block, columnOf } from './block.ts';
import { FixedColumn, StringColumn } from './column.ts';
import type { Column } from './column.ts';
import { ConstantColumn } from './constant-column.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';
import type { NativeValue } from './native-reference.ts';
import { defaultOf, readNative } from './native-reference.ts';
import { ArrayColumn, MapColumn } from './nested.ts';
import { NullableColumn } from './nullable.ts';
import { encodeText, sourceOf } from './text.ts';

const LC = 'LowCardinality(String)';

/** A column of every kind that the fact tables use, by its type. */
const TYPES = [
  'String',
  LC,
  'LowCardinality(UInt64)',
  'UInt8',
  'Bool',
  "Enum8('none' = 0, 'some' = 1)",
  'Int32',
  'UInt32',
  'Int64',
  'UInt64',
  'Float64',
  "DateTime64(9, 'UTC')",
  'FixedString(8)',
  'FixedString(16)',
  'UUID',
  'Decimal(38, 12)',
  'Nullable(Float64)',
  'Nullable(UInt64)',
  'Nullable(Bool)',
  'Nullable(Decimal(38, 12))',
  'Array(UInt64)',
  `Array(${LC})`,
  'Array(String)',
  'Array(FixedString(16))',
  `Map(${LC}, String)`,
  `Map(${LC}, ${LC})`,
  `Map(${LC}, Float64)`,
  `Map(${LC}, Bool)`,
  `Map(${LC}, Decimal(38, 12))`,
  `Array(Map(${LC}, String))`,
] as const;

const TABLE: FactTable = {
  name: 'every_kind',
  comment: '',
  columns: TYPES.map((type, index) => ({ name: `c${index}`, type, comment: '' })),
  derived: [],
  indexes: [],
  projections: [],
  partitionBy: '',
  orderBy: [],
  ttlFrom: '',
  settings: {},
};

const SEGMENT = 2n ** 64n - 3n;

/** Text as it comes (any bytes) and as it must be stored. */
interface Text {
  readonly bytes: Uint8Array;
  readonly stored: string;
}

/** What to append to a column and what must be read back. */
interface Cell {
  readonly append: (column: unknown) => void;
  readonly stored: NativeValue;
}

const lossy = new TextDecoder('utf-8', { ignoreBOM: true });
const text = (bytes: Uint8Array): Text => ({ bytes, stored: lossy.decode(bytes) });

const texts: fc.Arbitrary<Text> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom('', 'a', 'http.method', 'http.route', 'é', '\ufeffwith a mark').map(encoded),
  },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }).map(encoded) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map(text) },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => text(Buffer.concat([encodeText('\ufeff'), bytes]))),
  },
);

function encoded(value: string): Text {
  return text(encodeText(value));
}

function cells(type: string): fc.Arbitrary<Cell> {
  if (type === 'String' || type === LC) {
    return texts.map(({ bytes, stored }) => ({
      stored,
      append: (column) => (column as StringColumn | LowCardinalityColumn).appendText(sourceOf(bytes), 0, bytes.length),
    }));
  }
  if (type === 'LowCardinality(UInt64)') {
    return fc.constant({ stored: SEGMENT, append: (column) => (column as ConstantColumn).repeat(1) });
  }
  if (type.startsWith('Nullable(')) {
    return fc.option(fixed(type.slice(9, -1), true)).map((cell) => ({
      stored: cell?.stored ?? null,
      append: (column) => (cell === null ? (column as NullableColumn).appendDefault() : cell.append(column)),
    }));
  }
  if (type.startsWith('Array(')) {
    return fc.array(cells(type.slice(6, -1)), { maxLength: 4 }).map((items) => ({
      stored: items.map((item) => item.stored),
      append: (column) => {
        const array = column as ArrayColumn;
        for (const item of items) item.append(array.items);
        array.close();
      },
    }));
  }
  if (type.startsWith('Map(')) {
    const pair = fc.tuple(cells(LC), cells(type.slice(LC.length + 6, -1)));
    return fc.array(pair, { maxLength: 4 }).map((pairs) => ({
      stored: pairs.map(([key, value]) => [key.stored, value.stored]),
      append: (column) => {
        const map = column as MapColumn;
        for (const [key, value] of pairs) {
          key.append(map.keys);
          value.append(map.values);
        }
        map.close();
      },
    }));
  }
  return fixed(type);
}

/** Whole numbers as a count or an amount is: small as numbers, or of any size below 2^127. */
const amounts = fc.oneof(
  fc.maxSafeNat(),
  fc.bigInt({ min: 0n, max: 2n ** 127n - 1n }),
  fc.constantFrom(2n ** 53n, 2n ** 64n),
);

/** Values of a fixed width; those of a nullable column are appended by the names that it has. */
function fixed(type: string, isNullable = false): fc.Arbitrary<Cell> {
  const one = <T extends NativeValue>(values: fc.Arbitrary<T>, append: (column: FixedColumn, value: T) => void) =>
    values.map((stored): Cell => ({ stored, append: (column) => append(column as FixedColumn, stored) }));
  if (type.startsWith('Decimal(')) {
    return amounts.map((value) => ({
      stored: BigInt(value),
      append: (column) => (column as FixedColumn).appendUint128(value),
    }));
  }
  if (isNullable && type === 'UInt64') {
    return fc.maxSafeNat().map((value) => ({
      stored: BigInt(value),
      append: (column) => (column as FixedColumn).appendUint64(value),
    }));
  }
  if (isNullable && type === 'Bool') return one(fc.nat({ max: 1 }), (column, value) => column.appendUint8(value));
  const halves = (column: FixedColumn, value: bigint): void => {
    const bits = BigInt.asUintN(64, value);
    column.appendHalves(Number(bits & 0xffff_ffffn), Number(bits >> 32n));
  };
  const size = /^FixedString\((\d+)\)$/.exec(type)?.[1];
  if (size !== undefined) {
    const bytes = fc.uint8Array({ minLength: Number(size), maxLength: Number(size) });
    return one(
      bytes.map((value) => Buffer.from(value).toString('hex')),
      (column, hex) => column.appendBytes(sourceOf(Buffer.concat([Buffer.alloc(3), Buffer.from(hex, 'hex')])), 3),
    );
  }
  switch (type) {
    case 'UInt8':
      return one(fc.nat({ max: 255 }), (column, value) => column.appendUint8(value));
    case 'Int32':
      return one(fc.integer(), (column, value) => column.appendUint32(value));
    case 'UInt32':
      return one(fc.nat({ max: 0xffff_ffff }), (column, value) => column.repeatUint32(value, 1));
    case 'UInt64':
      return one(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), halves);
    case 'UUID':
      return one(fc.uuid(), (column, value) => {
        const digits = value.replaceAll('-', '');
        for (const half of [digits.slice(0, 16), digits.slice(16)]) halves(column, BigInt(`0x${half}`));
      });
    case 'Float64':
      return one(fc.double(), (column, value) => column.appendFloat64(value));
    case 'Int64':
    case "DateTime64(9, 'UTC')":
      return one(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), halves);
    default:
      return one(fc.nat({ max: 1 }), (column, value) =>
        value === 0 ? column.appendDefault() : column.appendUint8(value),
      );
  }
}

type Step = readonly Cell[] | 'mark' | 'rollback' | 'reset' | 'write';

const rows = fc.tuple(...TYPES.map(cells));
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: rows },
    { weight: 4, arbitrary: fc.constantFrom<Step[]>('mark', 'rollback', 'reset', 'write') },
  ),
  { maxLength: 40 },
);

/** Reads the block back and compares it with the rows that it should hold. */
function expectRows(block: Block, model: readonly (readonly Cell[])[]): void {
  block.column('c2', ConstantColumn).set(SEGMENT);
  const read = readNative(Buffer.concat(block.pieces()));
  expect(read.rows).toBe(model.length);
  for (const [index, { name, type }] of TABLE.columns.entries()) {
    const values = model.map((row) => row[index]?.stored);
    const isLeftOut =
      model.length > 0 && type !== 'LowCardinality(UInt64)' && values.every((value) => isSame(value, defaultOf(type)));
    expect(read.types.get(name)).toBe(isLeftOut ? undefined : type);
    expect(read.columns.get(name)).toEqual(isLeftOut ? undefined : values);
  }
}

/** Arrays that are empty are the same; zero and minus zero are not. */
function isSame(value: NativeValue | undefined, other: NativeValue): boolean {
  return Array.isArray(value) && Array.isArray(other) ? value.length === other.length : Object.is(value, other);
}

describe('Block', () => {
  it('holds what was appended, after any mixture of mark, rollback, reset and write', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const block = new Block(TABLE);
        const columns = TABLE.columns.map(({ name }) => block.column(name, Object as never) as unknown);
        let model: (readonly Cell[])[] = [];
        let marked = 0;
        for (const step of sequence) {
          if (step === 'mark') {
            block.mark();
            marked = model.length;
          } else if (step === 'rollback') {
            block.rollback();
            model = model.slice(0, marked);
          } else if (step === 'reset') {
            block.reset();
            [model, marked] = [[], 0];
          } else if (step === 'write') expectRows(block, model);
          else {
            for (const [index, cell] of step.entries()) cell.append(columns[index]);
            block.rows++;
            model.push(step);
          }
        }
        expectRows(block, model);
      }),
      { numRuns: 300 },
    );
  });

  it('absorbs blocks that were written, and takes the last one back', () => {
    const lagging = new Set(TABLE.columns.map(({ name }) => name).filter((name) => name !== 'c2'));
    fc.assert(
      fc.property(
        fc.array(fc.array(rows, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 5 }),
        fc.boolean(),
        (blocks, isLagging) => {
          const one = new Block(TABLE, isLagging ? lagging : new Set());
          const all = one.another();
          for (const [index, block] of blocks.entries()) {
            one.reset();
            for (const row of block) {
              for (const [place, cell] of row.entries()) {
                const column = one.column<Column>(`c${place}`, Object as never);
                const isLeftOut = isLagging && isSame(cell.stored, defaultOf(TYPES[place] as string));
                if (isLeftOut) continue;
                if (isLagging && place !== 2) one.catchUp(column);
                cell.append(column);
              }
              one.days.add(0, index << 20);
              one.rows++;
            }
            one.column('c2', ConstantColumn).set(SEGMENT);
            one.pieces();
            all.mark();
            all.absorb(one);
          }
          expectRows(all, blocks.flat());
          expect([...all.days.byDay().values()].reduce((sum, count) => sum + count, 0)).toBe(blocks.flat().length);
          all.rollback();
          expectRows(all, blocks.slice(0, -1).flat());
        },
      ),
      { numRuns: 300 },
    );
  });

  it('takes back a row that was left half done', () => {
    fc.assert(
      fc.property(fc.array(rows, { maxLength: 5 }), rows, fc.nat({ max: TYPES.length }), (before, half, filled) => {
        const block = new Block(TABLE);
        const append = (row: readonly Cell[], count: number): void => {
          for (const [index, cell] of row.slice(0, count).entries()) {
            cell.append(block.column(`c${index}`, Object as never));
          }
        };
        for (const row of before) append(row, row.length);
        block.rows = before.length;
        block.mark();
        append(half, filled);
        block.rollback();
        expectRows(block, before);
      }),
      { numRuns: 200 },
    );
  });

  it('counts the strings that it repaired', () => {
    const block = new Block(TABLE);
    const bad = sourceOf(Uint8Array.of(0x61, 0xff, 0x62));
    block.column('c0', StringColumn).appendText(bad, 0, 3);
    for (let round = 0; round < 2; round++) block.column('c1', LowCardinalityColumn).appendText(bad, 0, 3);
    block.column('c0', StringColumn).appendText(bad, 0, 1);
    expect(block.repairs.count).toBe(3);
  });

  it('refuses to write columns of different lengths', () => {
    const block = new Block(TABLE);
    block.rows = 1;
    expect(() => block.pieces()).toThrow(/^BUG: every_kind\.c0 has 0 of 1 rows/);
  });

  it('gives a column only as the class that it is', () => {
    const block = new Block(TABLE);
    expect(block.column('c1', LowCardinalityColumn)).toBeInstanceOf(LowCardinalityColumn);
    expect(() => block.column('c1', StringColumn)).toThrow('column every_kind.c1 is not a StringColumn');
    expect(() => block.column('absent', StringColumn)).toThrow('table every_kind has no column absent');
  });

  it.each(FACT_TABLES.map((table) => [table.name, table] as const))(
    'makes and writes an empty block of %s',
    (_, table) => {
      const read = readNative(Buffer.concat(new Block(table).pieces()));
      expect(read.rows).toBe(0);
      expect([...read.types]).toEqual(table.columns.map(({ name, type }) => [name, type]));
    },
  );
});

describe('a block of a fact table', () => {
  it.each(FACT_TABLES.map((table) => [table.name, table] as const))('has no columns of defaults: %s', (_, table) => {
    const block = new Block(table);
    for (const { name } of table.columns) {
      for (let row = 0; row < 3; row++) block.column<Column>(name, Object as never).appendDefault();
    }
    block.rows = 3;
    const read = readNative(Buffer.concat(block.pieces()));
    expect([read.rows, [...read.types.keys()]]).toEqual([3, ['_segment']]);
  });
});

describe('columnOf', () => {
  it.each(['UInt128', 'Array(Decimal(9, 2))', 'Nullable(String)', 'Tuple(String)', ''])(
    'knows no builder for %j',
    (type) => {
      expect(() => columnOf(type, { count: 0 })).toThrow('no');
    },
  );
});
