/**
 * Templates and values that nobody would write: whatever they are, parsing and rendering end, and throw nothing but a TemplateError. The
 * same seeds every time, so that a failure can be found again.
 */

import { AppError, type Pipe } from '@glasshouse/model';
import { describe, expect, it } from 'vitest';
import { tokenize } from '../lexer.ts';
import { composePipe, namedTables } from './compose.ts';
import { TemplateError } from './error.ts';
import { MAX_TEXT } from './limits.ts';
import { parseTemplate } from './parse.ts';
import { renderTemplate, type Rendered } from './render.ts';
import { SqlWriter } from './writer.ts';

/** Random choices from a seed (mulberry32). */
class Choices {
  private state: number;

  constructor(seed: number) {
    this.state = seed;
  }

  below(limit: number): number {
    this.state = Math.trunc(this.state + 0x6d2b79f5);
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * limit);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  row<T>(most: number, make: () => T): readonly T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }
}

const NAMES = ['a', 'b', 'limit', 'x', 'constructor', '__proto__', 'None', 'true', 'defined', 'Int32', 'if', 'in'];
const TYPES = [
  'String',
  'Int8',
  'UInt64',
  'Int256',
  'Float32',
  'Date',
  'DateTime',
  'DateTime64',
  'Boolean',
  'UUID',
  'JSON',
  'Int',
];
const CALLS = [
  'defined',
  'error',
  'custom_error',
  'column',
  'columns',
  'symbol',
  'table',
  'sql_and',
  'sql_unescape',
  'split_to_array',
  'enumerate_with_last',
  'day_diff',
  'date_diff_in_hours',
  'max_threads',
  'cache_ttl',
  'activate',
  'backend_hint',
  'tb_secret',
  'min',
  'max',
  'len',
  'str',
  'int',
  'float',
  'list',
  'range',
  'Array',
  'nope',
];
const METHODS = ['split', 'join', 'replace', 'get', 'keys', 'items', 'strip', 'startswith', 'upper', 'nope'];
const OPERATORS = [
  '+',
  '-',
  '*',
  '/',
  '//',
  '%',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  'in',
  'not in',
  'is',
  'is not',
  'and',
  'or',
  '**',
  '=',
];
const TEXTS = [
  '',
  'a',
  "it's",
  '1',
  '-5',
  '1,2',
  '[1,2]',
  '["a"]',
  '{"a":1}',
  '2024-01-01',
  '2024-01-01 00:00:00',
  '%Y-%m-%d',
  '\\',
  '{{ x }}',
  '`',
  '\0',
  '😀',
  '\ud800',
  'a.b',
  '; --',
  '5m',
];
const SQL = [
  'SELECT ',
  'a',
  ', ',
  ' FROM t ',
  "'",
  '"',
  '`',
  '--',
  '\n',
  '/*',
  '*/',
  '\\',
  '$a$',
  '$',
  '{',
  '}',
  '#',
  ' ',
  '(',
  ')',
  '5',
  'x',
  'WITH n AS (',
  ' JOIN n ',
  ' IN n ',
  '//',
  ';',
];
const NOISE = [
  ...SQL,
  '{{',
  '}}',
  '{%',
  '%}',
  '{#',
  '#}',
  '{{!',
  'if',
  'for',
  'set',
  'end',
  'else',
  'elif',
  '=',
  '[',
  ']',
  ':',
  '.',
  ',',
  '"""',
  '1e9',
  '0x',
  ...TEXTS,
  ...NAMES,
];

class Writer {
  private readonly pick: Choices;

  constructor(pick: Choices) {
    this.pick = pick;
  }

  expression(depth: number): string {
    const { pick } = this;
    const inner = (): string => this.expression(depth - 1);
    if (depth <= 0)
      return pick.of([
        () => pick.of(NAMES),
        () => JSON.stringify(pick.of(TEXTS)),
        () => `${pick.below(300)}`,
        () => '1.5',
        () => 'None',
      ])();
    return pick.of([
      () => pick.of(NAMES),
      () => JSON.stringify(pick.of(TEXTS)),
      () => `${inner()} ${pick.of(OPERATORS)} ${inner()}`,
      () => `(${inner()})`,
      () => `[${pick.row(3, inner).join(', ')}]`,
      () => `(${pick.row(3, inner).join(', ')},)`,
      () => `{${pick.row(2, () => `${inner()}: ${inner()}`).join(', ')}}`,
      () => `not ${inner()}`,
      () => `-${inner()}`,
      () => `${inner()} if ${inner()} else ${inner()}`,
      () => `${inner()}[${inner()}]`,
      () => `${inner()}.${pick.of(METHODS)}(${pick.row(2, inner).join(', ')})`,
      () => `${pick.of(TYPES)}(${pick.of(NAMES)}${pick.below(2) === 0 ? '' : `, ${inner()}`})`,
      () =>
        `${pick.of(TYPES)}(${inner()}, default=${inner()}, description='d', required=${pick.of(['True', 'False'])})`,
      () => `Array(${pick.of(NAMES)}, '${pick.of(TYPES)}')`,
      () => `${pick.of(CALLS)}(${pick.row(3, inner).join(', ')})`,
      () => `sql_and(a=${inner()}, b__in=${inner()}, c__gt=${inner()})`,
      () => `${pick.of(['min', 'max', 'len', 'range', 'list'])}(${inner()})`,
    ])();
  }

  block(depth: number): string {
    const { pick } = this;
    const body = (): string => this.block(depth - 1);
    const piece = pick.of([
      () => pick.of(SQL),
      () => `{{ ${this.expression(2)} }}`,
      () => `{{${this.expression(3)}}}`,
      () => `{% set ${pick.of(['a', 'b', 'x', 'a, b'])} = ${this.expression(2)} %}`,
      () =>
        depth <= 0
          ? ' '
          : `{% if ${this.expression(2)} %}${body()}{% elif ${this.expression(1)} %}${body()}{% else %}${body()}{% end %}`,
      () =>
        depth <= 0
          ? ' '
          : `{% for ${pick.of(['x', 'a, b'])} in ${this.expression(2)} %}${body()}${pick.of(['', '{% break %}', '{% continue %}'])}{% end %}`,
      () => `{# ${pick.of(TEXTS)} #}`,
    ]);
    return pick.row(4, () => piece()).join('');
  }

  /** A template with a few letters taken out, doubled or put in. */
  damaged(text: string): string {
    let damaged = text;
    for (let count = this.pick.below(4); count > 0; count -= 1) {
      const at = this.pick.below(damaged.length + 1);
      const length = this.pick.below(4);
      damaged =
        damaged.slice(0, at) +
        this.pick.of(['', this.pick.of(NOISE), damaged.slice(at, at + length * 2)]) +
        damaged.slice(at + length);
    }
    return damaged;
  }

  json(depth: number): unknown {
    const { pick } = this;
    if (depth <= 0) return pick.of([...TEXTS, 0, -0, 1.5, 2 ** 60, Number.NaN, true, null, undefined]);
    return pick.of([
      () => pick.of(TEXTS),
      () => pick.row(3, () => this.json(depth - 1)),
      () => Object.fromEntries(pick.row(3, () => [pick.of([...NAMES, ...TEXTS]), this.json(depth - 1)] as const)),
      () => this.json(0),
    ])();
  }

  values(): ReadonlyMap<string, unknown> {
    return new Map(this.pick.row(5, () => [this.pick.of(NAMES), this.json(2)] as const));
  }
}

/** Undefined for what was refused in the way it should be. */
function rendering(template: string, values: ReadonlyMap<string, unknown>, sample: boolean): Rendered | undefined {
  try {
    const parsed = parseTemplate(template, { node: 'fuzz' });
    expect(parsed.parameters.every(({ name, type }) => name !== '' && type !== '')).toBe(true);
    return renderTemplate(parsed, values, { missing: sample ? 'sample' : 'refuse', secrets: new Map([['a', 'hush']]) });
  } catch (error) {
    if (!(error instanceof TemplateError))
      throw new Error(`${JSON.stringify(template)}: ${String(error)}`, { cause: error });
    return undefined;
  }
}

describe('templates', () => {
  it.each([
    ['of the grammar', 1, 30_000, (writer: Writer) => `%${writer.block(2)}`],
    ['with damage', 2, 20_000, (writer: Writer) => writer.damaged(`%${writer.block(2)}`)],
    ['of one expression', 3, 20_000, (writer: Writer) => `%{{ ${writer.expression(4)} }}`],
  ] as const)('%s are rendered or refused', (_what, seed, count, make) => {
    const pick = new Choices(seed);
    const writer = new Writer(pick);
    let accepted = 0;
    for (let index = 0; index < count; index += 1) {
      const result = rendering(make(writer), writer.values(), index % 5 === 0);
      if (result === undefined) continue;
      accepted += 1;
      expect(result.sql.length).toBeLessThanOrEqual(MAX_TEXT);
      expect(result.sql).not.toContain('hush');
    }
    // Else the test looks at refusals only.
    expect(accepted).toBeGreaterThan(count / 50);
  });

  it('of noise are rendered or refused', () => {
    const pick = new Choices(4);
    const writer = new Writer(pick);
    let accepted = 0;
    for (let index = 0; index < 20_000; index += 1) {
      const noise = `${pick.of(['%', '%\n', ''])}${pick.row(25, () => pick.of(NOISE)).join('')}`;
      if (rendering(noise, writer.values(), false) !== undefined) accepted += 1;
    }
    expect(accepted).toBeGreaterThan(1000);
  });
});

describe('the place of a value', () => {
  it('is code only where the lexer sees a string begin', () => {
    const pick = new Choices(5);
    const seen = { code: 0, quoted: 0, comment: 0 };
    for (let index = 0; index < 30_000; index += 1) {
      const writer = new SqlWriter();
      for (const piece of pick.row(10, () => pick.of(SQL))) writer.text(piece);
      const { context, sql: text } = writer;
      seen[context] += 1;
      writer.literal("'value'");
      const open = /is not closed/u.test(lexed(text).error);
      const { last } = lexed(context === 'code' ? writer.sql : `${text}'value'`);
      // The lexer also refuses what is open in no way, such as a single $; then nothing is known.
      if (open) expect([context, text]).not.toEqual(['code', text]);
      else if (last !== undefined)
        expect([context, last === "'value'", text]).toEqual([context, context === 'code', text]);
    }
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(1000);
  });
});

/** The last token of the text, or why it is no SQL. */
function lexed(sql: string): { readonly last: string | undefined; readonly error: string } {
  try {
    return { last: tokenize(sql).at(-1)?.text ?? '', error: '' };
  } catch (error) {
    if (error instanceof AppError) return { last: undefined, error: error.message };
    throw error;
  }
}

describe('statements', () => {
  it('are composed or refused', () => {
    const pick = new Choices(6);
    const words = [
      ...SQL,
      'WITH ',
      'a AS (',
      ') ',
      ' UNION ALL ',
      'SELECT * FROM ',
      ' a ',
      ' b ',
      'c',
      ' IN (',
      ' AS ',
      ' RECURSIVE ',
      ' EXCEPT ',
      ' USING ',
      ' ARRAY JOIN ',
      '.',
      ' FILL FROM ',
    ];
    let composed = 0;
    for (let index = 0; index < 20_000; index += 1) {
      const nodes = ['a', 'b', 'c'].map(
        (name) =>
          ({
            name,
            sql: `SELECT ${pick.row(12, () => pick.of(words)).join('')}`,
            type: 'default',
            settings: {},
          }) as const,
      );
      const pipe: Pipe = { kind: 'pipe', name: 'p', nodes, tokens: [], tags: [] };
      try {
        const sql = composePipe(pipe, 'c', (node) => node.sql);
        composed += 1;
        // Nodes are no tables of the statement any more, unless one of them stands for what is around it.
        expect(() => namedTables(sql)).not.toThrow();
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
      }
    }
    expect(composed).toBeGreaterThan(1000);
  });
});
