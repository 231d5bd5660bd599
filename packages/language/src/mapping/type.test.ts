/** Type names taken apart, and that no text of any kind does more than be refused. */

import { AppError } from '@glasshouse/model';
import { describe, expect, it } from 'vitest';
import { isLiteral, keyParts, userExpression } from './expression.ts';
import { parsePath } from './path.ts';
import { parseType, unwrap } from './type.ts';

describe('a type', () => {
  it.each([
    ['UInt16', 'UInt16', false],
    ['Nullable(String)', 'String', true],
    ['LowCardinality(Nullable(String))', 'String', true],
    ['LowCardinality(FixedString(2))', 'FixedString', false],
    ['SimpleAggregateFunction(sum, UInt64)', 'UInt64', false],
    ['SimpleAggregateFunction(groupArrayArray(10), Array(UInt8))', 'Array', false],
    ['boolean', 'Bool', false],
    ['VARCHAR(255)', 'String', false],
    ['bigint', 'Int64', false],
    ['Decimal ( 10 , 2 )', 'Decimal', false],
    ["DateTime64(3, 'Europe/Berlin')", 'DateTime64', false],
    ['Polygon', 'Array', false],
  ])('%s is %s inside', (text, name, nullable) => {
    const found = unwrap(parseType(text));
    expect({ name: found.type.name, nullable: found.nullable }).toEqual({ name, nullable });
  });

  it('has arguments, labels and literals', () => {
    const tuple = parseType('Tuple(a UInt8, `b c` Array(String))');
    expect(tuple.labels).toEqual(['a', 'b c']);
    expect(tuple.args.map(({ text }) => text)).toEqual(['UInt8', 'Array(String)']);
    expect(parseType(String.raw`Enum8('it\'s' = -1, 'b')`).literals).toEqual([
      { string: `it's` },
      { number: '-1' },
      { string: 'b' },
    ]);
  });

  it.each([
    '',
    '5',
    'Array(',
    'Array(String))',
    'Array(String',
    'UInt8 UInt8',
    "'String'",
    'Tuple(a)b',
    `${'Array('.repeat(60)}String${')'.repeat(60)}`,
  ])('is not %s', (text) => {
    expect(() => parseType(text)).toThrow(AppError);
  });
});

describe('a path', () => {
  it.each([
    ['$', [], undefined],
    ['$.a.b', ['a', 'b'], undefined],
    ['$.a[:]', ['a'], []],
    ['$.a[*].b[:]', ['a'], ['b', undefined]],
    [`$['a.b']."c d".\`e\``, ['a.b', 'c d', 'e'], undefined],
    [String.raw`$['it\'s']`, [`it's`], undefined],
    ['$.ключ', ['ключ'], undefined],
  ])('%s has its steps', (text, keys, each) => {
    expect(parsePath(text)).toEqual({ keys, each });
  });

  it.each([
    '',
    'a',
    '.a',
    '$a',
    '$.',
    '$..a',
    '$.a[',
    '$.a[0]',
    '$.a[:',
    `$['a'`,
    `$['']`,
    '$[:]',
    '$.a]',
    `$${'.a'.repeat(65)}`,
  ])('is not %s', (text) => {
    expect(() => parsePath(text)).toThrow(/^cannot read JSON path=/);
  });
});

describe('an expression', () => {
  it.each([
    ['1', '(1)'],
    ['now()', '(toDateTime(at))'],
    [`NOW('UTC') - 1`, `(toDateTime(at, 'UTC') - 1)`],
    ['now64(6)', '(toDateTime64(at, 6))'],
    ['now64()', '(toDateTime64(at, 3))'],
    ['today() = yesterday()', '(toDate(at) = (toDate(at) - 1))'],
    ['now', '(now)'],
    [`'now()' -- now()`, `('now()')`],
    ['if(a, [now()], [])', '(if(a, [toDateTime(at)], []))'],
  ])('%s is written anew', (text, expected) => {
    expect(userExpression(text, 'default', 'at')).toBe(expected);
  });

  it.each([
    '',
    '-- nothing',
    '1; DROP TABLE x',
    '(SELECT 1)',
    'a)',
    '(a',
    '[a)',
    '{p:String}',
    `'open`,
    '1)) FROM system.one --',
  ])('is not %s', (text) => {
    expect(() => userExpression(text, 'default', 'at')).toThrow(AppError);
  });

  it.each([
    ['', []],
    ['tuple()', []],
    ['()', []],
    ['a', ['a']],
    ['(a)', ['a']],
    ['(a, f(b, c), [1, 2], (d, e))', ['a', 'f(b, c)', '[1, 2]', '(d, e)']],
    ['tuple(a, b)', ['a', 'b']],
    ['(a) + (b)', ['(a) + (b)']],
    ['f(a, b)', ['f(a, b)']],
  ])('%s as a key has parts', (key, expected) => {
    expect(keyParts(key)).toEqual(expected);
  });

  it.each([
    [`'x'`, true],
    ['-1', true],
    ['[]', true],
    ['now()', false],
    ['a', false],
    ['true', true],
  ])('%s is a literal: %s', (text, expected) => {
    expect(isLiteral(text)).toBe(expected);
  });
});

/** A generator of numbers below 1 (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('any text', () => {
  const pieces = [
    '$',
    '.',
    '[',
    ']',
    '[:]',
    "'",
    '"',
    '`',
    '\\',
    '(',
    ')',
    ',',
    'a',
    'Array',
    'Tuple',
    'Nullable',
    'Enum8',
    'now',
    'SELECT',
    '-',
    '1',
    ' ',
    '=',
    '\n',
    '\0',
    'é',
    '😀',
    '/*',
    '--',
    ';',
    '{',
    '}',
    '$$',
  ];
  const texts = ((random) =>
    Array.from({ length: 20_000 }, () =>
      Array.from({ length: Math.floor(random() * 12) }, () => pieces[Math.floor(random() * pieces.length)]).join(''),
    ))(seeded(11));

  it.each<[string, (text: string) => unknown]>([
    ['type', parseType],
    ['path', parsePath],
    ['expression', (text) => userExpression(text, 'default', 'at')],
  ])('is a %s, or is refused', (_what, read) => {
    const surprises = texts.filter((text) => {
      try {
        read(text);
        return false;
      } catch (error) {
        return !(error instanceof AppError && error.code === 'bad_request');
      }
    });
    expect(surprises).toEqual([]);
  });

  it('that is an expression stays inside its parentheses', () => {
    const open = texts.flatMap((text) => {
      try {
        return [userExpression(text, 'default', 'at')];
      } catch {
        return [];
      }
    });
    expect(open.length).toBeGreaterThan(100);
    expect(open.filter((sql) => depthsOf(sql).slice(0, -1).includes(0))).toEqual([]);
  });
});

/** How many parentheses are open after each character outside of quotes. */
function depthsOf(sql: string): number[] {
  const plain = sql.replaceAll(/'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"/gsu, (quoted) =>
    '_'.repeat(quoted.length),
  );
  let depth = 0;
  return Array.from(plain, (char) => {
    if (char === '(') depth += 1;
    if (char === ')') depth -= 1;
    return depth;
  });
}
