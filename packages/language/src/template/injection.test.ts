/**
 * Values that try to become SQL, against the real engine: every literal that is rendered from one must be read back as exactly that value,
 * and must not change what else the statement says.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenize } from '../lexer.ts';
import { splitStatement } from '../sql/statement.ts';
import { askEngine, openEngine, type Engine } from './engine.suite.ts';
import { TemplateError } from './error.ts';
import { parseTemplate } from './parse.ts';
import { renderTemplate } from './render.ts';

/** What breaks out of quotes, comments, templates, parameters and lines somewhere. */
const ATOMS: readonly string[] = [
  "'",
  "''",
  '"',
  '`',
  '\\',
  '\\\\',
  "\\'",
  "'; DROP TABLE t; --",
  "' OR '1'='1",
  "') UNION ALL SELECT 1 --",
  '*/ 1 /*',
  '/*',
  '--',
  '-- \n',
  '# ',
  '//',
  ';',
  '\n',
  '\r\n',
  '\t',
  '\b\f\v\u0007',
  '\0',
  '\u0001\u001a\u001b\u007f',
  '\u0085\u00a0\u2028\u2029\ufeff\u200b\u202e',
  '‘’“”«»＇＂',
  'é ß 漢字 😀 e\u0301',
  '%_\\%\\_',
  "{{ error('x') }}",
  '{% if True %}x{% end %}',
  '}} {{ x }} %} {# #}',
  '{x:String}',
  '$$ $a$ $1 ${x}',
  'NULL',
  '\\x41\\u0041\\101\\N\\0',
  "x'41'",
  ',',
  '[1,2]',
  '["a"]',
  '(SELECT 1)',
  '%',
  ' ',
  '',
];

/** A seeded generator (mulberry32), so that every run asks the same. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = Math.trunc(state + 0x6d2b79f5);
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Atoms by themselves, in twos and in longer rows. */
function nastyTexts(count: number): readonly string[] {
  const random = generator(7);
  const pick = (): string => ATOMS[Math.floor(random() * ATOMS.length)] ?? '';
  const mixed = Array.from({ length: count - ATOMS.length }, (_, index) => {
    return Array.from({ length: 2 + (index % 5) }, pick).join(index % 3 === 0 ? 'a' : '');
  });
  return [...ATOMS, ...mixed];
}

const TEXTS = nastyTexts(240);

let engine: Engine;

beforeAll(() => {
  engine = openEngine();
});

afterAll(() => {
  engine.close();
});

function render(body: string, values: Readonly<Record<string, unknown>>): string {
  return renderTemplate(parseTemplate(`%${body}`, { node: 'attack' }), new Map(Object.entries(values))).sql;
}

/** The literal alone, and the statement as the door would send it. */
function valueOf(expression: string, value: unknown): unknown {
  const sql = render(`SELECT {{ ${expression} }} AS v`, { x: value });
  expect(askEngine(engine, splitStatement(sql).sql)).toEqual(askEngine(engine, sql));
  return askEngine(engine, sql);
}

describe('text', () => {
  it('comes in at least 120 cases', () => {
    expect(new Set(TEXTS).size).toBeGreaterThanOrEqual(120);
  });

  it.each(['String(x)', 'x', 'sql_unescape(String(x), "%")', "'' + x", 'str(x)'])(
    'is read back exactly from %s',
    (expression) => {
      for (const text of TEXTS) expect(valueOf(expression, text)).toBe(text);
    },
  );

  it('is read back exactly from a condition of sql_and', () => {
    for (const text of TEXTS) {
      const sql = render(
        'SELECT count() AS v FROM (SELECT {{ x }} AS a) WHERE {{ sql_and(a=String(x), a__in=Array(y)) }}',
        {
          x: text,
          y: [text, 'other'],
        },
      );
      expect(Number(askEngine(engine, sql))).toBe(1);
    }
  });

  it('is read back exactly from arrays however it was sent', () => {
    for (const [index, text] of TEXTS.entries()) {
      const items = [text, TEXTS[(index + 7) % TEXTS.length] ?? '', "it's"];
      expect(valueOf("Array(x, 'String')", items)).toEqual(items);
      expect(valueOf('Array(x)', JSON.stringify(items))).toEqual(items);
      expect(valueOf('x', items)).toEqual(items);
      expect(valueOf("JSON(x)['k']", JSON.stringify({ k: text }))).toBe(text);
      if (!/^\s*\[/u.test(text)) expect(valueOf('Array(x)', text)).toEqual(text.split(','));
    }
  });

  it('stays one token of the statement', () => {
    for (const text of TEXTS) {
      const tokens = tokenize(render('SELECT {{ String(x) }} AS v, [{{ x }}]', { x: text }));
      expect(tokens.map((token) => token.kind)).toEqual([
        'word',
        'string',
        'word',
        'word',
        'operator',
        'operator',
        'string',
        'operator',
      ]);
    }
  });

  it('leaves the syntax tree as it is', () => {
    const explained = (text: string): string => {
      const sql = render('SELECT a FROM t WHERE b = {{ String(x) }} AND c IN {{ Array(y) }} -- {{ x }}\nLIMIT 5', {
        x: text,
        y: [text],
      });
      return engine.query(`EXPLAIN AST ${sql}`, 'TSVRaw').replaceAll(/Literal [^\n]*/gu, 'Literal');
    };
    const harmless = explained('harmless');
    for (const text of TEXTS) expect(explained(text)).toBe(harmless);
  });

  it('of 200000 characters is read back exactly', () => {
    const text = TEXTS.join('').repeat(40).slice(0, 100_000);
    expect(valueOf('String(x)', text)).toBe(text);
  });
});

describe('a place that would let a value out', () => {
  const places = [
    "SELECT '{{ String(x) }}'",
    "SELECT 'a{{ x }}b'",
    'SELECT "{{ String(x) }}"',
    'SELECT `{{ String(x) }}`',
    'SELECT $t${{ String(x) }}$t$',
    "SELECT '\\'{{ String(x) }}'",
    "SELECT ''''{% if True %} + '{% end %}{{ x }}'",
  ];

  it.each(places)('is refused: %s', (body) => {
    for (const text of TEXTS) expect(() => render(body, { x: text })).toThrow(TemplateError);
  });

  it('in a comment gets nothing of it', () => {
    for (const text of TEXTS) {
      expect(askEngine(engine, render('SELECT 1 /* {{ x }} */ + 1 -- {{ x }}\n+ 1 AS v', { x: text }))).toBe(3);
    }
  });

  it('next to a sign gets no comment', () => {
    expect(askEngine(engine, render('SELECT 5 -{{ Int(x) }}\n+ 1', { x: '-1' }))).toBe(7);
  });
});

describe('a name', () => {
  it.each(['column(x)', "column(x, 'a')", 'columns(x)', 'symbol(x)', 'table(x)', 'TABLE(x)'])(
    'from %s is refused or one quoted name',
    (expression) => {
      for (const text of [...TEXTS, 'a; drop', 'a) FROM t --', 'a AS b', '*', '1', 'a b', 'a.b']) {
        let sql: string;
        try {
          sql = render(`SELECT {{ ${expression} }}`, { x: text });
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError);
          continue;
        }
        const parts = tokenize(sql).slice(1);
        expect(parts.every((token) => token.kind === 'quoted' || token.text === '.' || token.text === ',')).toBe(true);
        expect(
          parts
            .map((token) => token.value)
            .join('')
            .replaceAll(/[ ,]/gu, ''),
        ).toBe(text.replaceAll(/[ ,]/gu, ''));
      }
    },
  );

  it('with marks in it is read as the column of that name', () => {
    for (const name of ['a', 'a b', 'x:y', 'a-b', 'a/b', 'a@b', 'a#b', 'a+b', 'é', '漢', '1a']) {
      const sql = `SELECT ${render('{{ symbol(x) }}', { x: name })} AS v FROM (SELECT 7 AS \`${name}\`)`;
      expect(askEngine(engine, sql)).toBe(7);
    }
  });
});

describe('numbers', () => {
  const widths = [8, 16, 32, 64, 128, 256];

  it.each(widths)('of %d bits are read back exactly at their ends', (bits) => {
    const signed = [-(2n ** BigInt(bits - 1)), -1n, 0n, 2n ** BigInt(bits - 1) - 1n];
    const unsigned = [0n, 1n, 2n ** BigInt(bits) - 1n];
    for (const [type, values] of [
      [`Int${bits}`, signed],
      [`UInt${bits}`, unsigned],
    ] as const) {
      for (const value of values) {
        const literal = render(`{{ ${type}(x) }}`, { x: String(value) });
        expect(askEngine(engine, `SELECT toString(${literal})`)).toBe(String(value));
        expect(askEngine(engine, `SELECT toTypeName(${literal})`)).toBe(type);
      }
      const array = render(`{{ Array(x, '${type}') }}`, { x: values.map(String) });
      expect(askEngine(engine, `SELECT arrayMap(n -> toString(n), ${array})`)).toEqual(values.map(String));
    }
  });

  it('with a fraction are read back exactly', () => {
    const random = generator(11);
    const values = [0, -0, 1, 0.1, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 123_456_789.125, 2 ** 53 + 2];
    for (let index = 0; index < 200; index += 1) values.push((random() - 0.5) * 10 ** Math.floor(random() * 40 - 20));
    for (const value of values) {
      const text = Object.is(value, -0) ? '-0' : String(value);
      const double = render('{{ Float64(x) }}', { x: text });
      expect(askEngine(engine, `SELECT toString(reinterpretAsUInt64(${double}))`)).toBe(String(bitsOf(value)));
      expect(askEngine(engine, `SELECT toTypeName(${double})`)).toBe('Float64');
      const array = render("{{ Array(x, 'Float64') }}", { x: text });
      expect(askEngine(engine, `SELECT toString(reinterpretAsUInt64(${array}[1]))`)).toBe(String(bitsOf(value)));
      if (!Number.isFinite(Math.fround(value))) continue;
      const single = render('{{ Float32(x) }}', { x: text });
      expect(askEngine(engine, `SELECT toString(reinterpretAsUInt64(toFloat64(${single})))`)).toBe(
        String(bitsOf(Math.fround(value))),
      );
    }
  });

  it('that come as text of anything else are refused', () => {
    for (const text of TEXTS) {
      for (const type of [
        'Int32',
        'UInt8',
        'Int256',
        'Float32',
        'Float64',
        'Date',
        'DateTime',
        'DateTime64',
        'UUID',
        'Int',
      ]) {
        expect(() => render(`{{ ${type}(x) }}`, { x: text })).toThrow(TemplateError);
      }
    }
  });
});

describe('dates', () => {
  it('that are taken are dates to the engine', () => {
    for (const [type, convert, texts] of [
      ['Date', 'toDate', ['2024-02-29', '20240229', '1999-12-31']],
      [
        'DateTime',
        'toDateTime',
        ['2024-02-29 23:59:59', '2024-02-29T23:59:59', '2024-02-29T23:59:59Z', '2024-02-29 23:59:59.123'],
      ],
      ['DateTime64', 'toDateTime64', ['2024-02-29 23:59:59.123', '2024-02-29T23:59:59.123Z', '2024-02-29 23:59:59']],
    ] as const) {
      for (const text of texts) {
        const literal = render(`{{ ${type}(x) }}`, { x: text });
        const more = type === 'DateTime64' ? ', 3' : '';
        expect(Number(askEngine(engine, `SELECT toYear(${convert}(${literal}${more}))`))).toBe(
          Number(text.slice(0, 4)),
        );
        const column = type === 'DateTime64' ? 'DateTime64(3)' : type;
        expect(
          Number(
            askEngine(
              engine,
              `SELECT count() FROM (SELECT CAST('2000-01-01' AS ${column}) AS c) WHERE c <= ${literal} OR c > ${literal}`,
            ),
          ),
        ).toBe(1);
      }
    }
  });
});

/** The 64 bits of a double. */
function bitsOf(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}
