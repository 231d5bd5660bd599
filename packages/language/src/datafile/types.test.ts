/** Types by themselves: one way of writing each, and the same list of names that the engine has. */

import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cursor, Source, splitLines } from './source.ts';
import { knownTypes, takeType } from './types.ts';

const chdb = createRequire(import.meta.url)('chdb') as { query(sql: string, format: string): string };

function typeOf(text: string): string {
  const cursor = new Cursor(new Source(splitLines(text, 'f')));
  const type = takeType(cursor, 'x');
  expect(cursor.done, text).toBe(true);
  return type;
}

/** Types as they are written down, of a few levels. */
const { type: TYPE } = fc.letrec<{ type: string; key: string }>((tie) => ({
  key: fc.constantFrom('String', 'UInt64', 'Date', 'LowCardinality(String)', 'UUID'),
  type: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(
      'String',
      'Int8',
      'Bool',
      'Boolean',
      'DateTime',
      "DateTime64(3, 'UTC')",
      'Decimal(18, 4)',
      'FixedString(16)',
      "Enum8('a' = 1, 'b, (c' = -2)",
      'AggregateFunction(quantiles(0.5, 0.9), Float64)',
      'JSON(max_dynamic_paths = 8)',
      'double precision',
      'INT UNSIGNED',
    ),
    tie('type').map((inner) => `Array(${inner})`),
    tie('type').map((inner) => `SimpleAggregateFunction(any, ${inner})`),
    fc.tuple(tie('key'), tie('type')).map(([key, value]) => `Map(${key}, ${value})`),
    fc
      .array(fc.tuple(fc.constantFrom('', 'a ', '`b c` '), tie('type')), { minLength: 1, maxLength: 3 })
      .map((elements) => `Tuple(${elements.map(([name, type]) => name + type).join(', ')})`),
  ),
}));

describe('takeType', () => {
  it('keeps what is written in the one way', () => {
    fc.assert(
      fc.property(TYPE, (type) => {
        expect(typeOf(type)).toBe(type);
      }),
      { numRuns: 1000, seed: 1 },
    );
  });

  it('writes what differs in blanks in the one way', () => {
    const blanks = fc.array(fc.constantFrom('', ' ', '  ', '\t', '\n', ' /* x */ '), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(TYPE, blanks, (type, spaces) => {
        let at = 0;
        const next = (): string => spaces[(at += 1) % spaces.length] ?? '';
        const loose = type
          .split(/('(?:[^'])*'|`[^`]*`)/u)
          .map((part, index) =>
            index % 2 === 1 ? part : part.replaceAll(/\s*([(),=])\s*/gu, (_, sign: string) => next() + sign + next()),
          )
          .join('');
        expect(typeOf(loose)).toBe(type);
      }),
      { numRuns: 1000, seed: 2 },
    );
  });

  it('knows the names that the engine knows', () => {
    const names = chdb.query('SELECT name FROM system.data_type_families', 'TSVRaw').trim().split('\n');
    const words = new Set(names.flatMap((name) => name.split(' ').slice(0, 1)));
    expect(knownTypes().toSorted()).toEqual([...words].toSorted());
  });

  it.each([
    'Array(Array(Nullable(Float64)))',
    'Map(String, Array(Tuple(key String, value Nullable(UInt8))))',
    "Enum8('a' = 1, 'b, c' = -2, 'it''s (' = 3)",
    'Tuple(a String, `x y` Map(String, String), n UInt8)',
    'AggregateFunction(quantilesTiming(0.5, 0.9), Float64)',
    "SimpleAggregateFunction(max, DateTime64(3, 'UTC'))",
    'AggregateFunction(1, sumMap, Array(UInt32), Array(UInt64))',
    'JSON(max_dynamic_paths = 8, a.b UInt32, SKIP c)',
    'Variant(String, Array(UInt8))',
    'double precision',
    'INT UNSIGNED',
    'Dynamic(max_types = 4)',
    'AggregateFunction(count)',
    'Boolean',
  ])('writes %s so that the engine takes it', (type) => {
    const made = (text: string): string =>
      chdb.query(
        `DESCRIBE (SELECT * FROM null('x ${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'))`,
        'TSVRaw',
      );
    expect(made(typeOf(type))).toMatch(/^x\t/u);
  });

  it('lets a name through that is like none, for engines to come', () => {
    expect(typeOf('Quantum(3)')).toBe('Quantum(3)');
  });
});
