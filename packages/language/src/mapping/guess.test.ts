/** The schema that is guessed from lines, and that the real engine takes these lines with it. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guessSchema } from './guess.ts';
import { dataSource, Stage } from './stage.suite.ts';

/** Columns as `name type path default`. */
const brief = (lines: readonly string[]): string[] =>
  guessSchema(lines).columns.map(({ name, type, jsonPath, expression }) =>
    [name, type, jsonPath, ...(expression === undefined ? [] : [expression])].join(' '),
  );

describe('a guessed schema', () => {
  it.each<[string, readonly string[], string]>([
    ['text', ['"x"'], `String $.v ''`],
    ['whole numbers', ['1', '-5', '9223372036854775807'], 'Int64 $.v 0'],
    ['whole numbers beyond 64 bits', ['1', '18446744073709551616'], `String $.v ''`],
    ['whole numbers beyond those with a sign', ['1', '18446744073709551615'], `String $.v ''`],
    ['fractions', ['1', '2.5', '1e-7'], 'Float64 $.v 0'],
    ['a number that no float has', ['1e400'], `String $.v ''`],
    ['booleans', ['true', 'false'], 'Bool $.v false'],
    ['booleans and numbers', ['true', '1'], `String $.v ''`],
    ['numbers and text', ['1', '"x"'], `String $.v ''`],
    ['times', ['"2025-01-01T10:00:00.123Z"', '"2025-01-01 10:00:00"'], 'DateTime64(3) $.v now64()'],
    [
      'times in microseconds',
      ['"2025-01-01T10:00:00.123456"', '"2025-01-01T10:00:00+02:00"'],
      'DateTime64(6) $.v now64()',
    ],
    ['times in nanoseconds', ['"2025-01-01T10:00:00.123456789Z"'], 'DateTime64(9) $.v now64()'],
    ['a day that is none', ['"2025-02-30T10:00:00Z"'], `String $.v ''`],
    ['a time before the first', ['"1800-01-01T10:00:00Z"'], `String $.v ''`],
    ['times and an empty text', ['"2025-01-01T10:00:00Z"', '""'], `String $.v ''`],
    ['days', ['"2025-01-01"'], `String $.v ''`],
    ['some nulls', ['1', 'null'], 'Nullable(Int64) $.v'],
    ['only nulls', ['null'], 'Nullable(String) $.v'],
    ['arrays of text', ['["a"]', '[]'], 'Array(String) $.v[:] []'],
    ['arrays of numbers', ['[1,2]', '[2.5]'], 'Array(Float64) $.v[:] []'],
    ['arrays with null', ['[1,null]'], 'Array(Nullable(Int64)) $.v[:] []'],
    ['arrays of objects', ['[{"a":1}]'], 'Array(String) $.v[:] []'],
    ['empty arrays', ['[]'], 'Array(String) $.v[:] []'],
    ['arrays and text', ['[1]', '"x"'], `String $.v ''`],
    ['objects and text', ['{"a":1}', '"x"'], `String $.v ''`],
    ['empty objects', ['{}'], `String $.v ''`],
  ])('has a type for %s', (_what, values, expected) => {
    expect(brief(values.map((value) => `{"v":${value}}`))).toEqual([`v ${expected}`]);
  });

  it('takes objects apart, and names what some lines lack', () => {
    const lines = ['{"a":{"b":{"c":1},"d":"x"},"e":2}', '{"a":{"b":{"c":2},"d":"y"}}', 'no row', '[1]'];
    expect(brief(lines)).toEqual(['a_b_c Int64 $.a.b.c 0', `a_d String $.a.d ''`, 'e Nullable(Int64) $.e']);
  });

  it('gives every key a name of its own', () => {
    const line = `{"a.b":1,"a":{"b":2},"A_B":3,"ключ":4,"1st":5,"m__json":6,"c__line":7,"_segment":8,"it's":9,"":10}`;
    expect(brief([line])).toEqual([
      `a_b Int64 $['a.b'] 0`,
      'a_b_2 Int64 $.a.b 0',
      'A_B_3 Int64 $.A_B 0',
      '____ Int64 $.ключ 0',
      'x_1st Int64 $.1st 0',
      'x_m__json Int64 $.m__json 0',
      'x_c__line Int64 $.c__line 0',
      'x__segment Int64 $._segment 0',
      `it_s Int64 $['it\\'s'] 0`,
    ]);
  });

  it('keeps as text what has too many keys', () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, n]));
    expect(brief([JSON.stringify({ headers: many, n: 1 })])).toEqual([`headers String $.headers ''`, 'n Int64 $.n 0']);
  });

  it('is sorted by the best of its times', () => {
    const time = '"2025-01-01T10:00:00Z"';
    const { engine } = guessSchema([`{"id":"x","end_time":${time},"timestamp":${time},"seen":${time}}`]);
    expect(engine).toEqual({ name: 'MergeTree', partitionKey: 'toYYYYMM(timestamp)', sortingKey: 'timestamp' });
  });

  it('is sorted by the first text or number without one', () => {
    expect(guessSchema(['{"f":1.5,"id":"x"}']).engine).toEqual({ name: 'MergeTree', sortingKey: 'id' });
    expect(guessSchema(['{"f":1.5}']).engine).toEqual({ name: 'MergeTree', sortingKey: 'tuple()' });
  });

  it.each([
    ['nothing', []],
    ['no objects', ['[]', 'x', '5']],
    ['empty objects', ['{}', '{"":1}']],
  ])('is refused for %s', (_what, lines) => {
    expect(() => guessSchema(lines)).toThrow(/^cannot guess a schema: /);
  });

  it('is refused for too many keys', () => {
    const line = JSON.stringify(Object.fromEntries(Array.from({ length: 201 }, (_, n) => [`k${n}`, n])));
    expect(() => guessSchema([line])).toThrow(/more than 200 keys/);
  });
});

describe('the lines that a schema was guessed from', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open();
  });

  afterAll(async () => stage.close());

  it.each<[string, readonly string[]]>([
    [
      'of a language model',
      [
        '{"start_time":"2025-06-01T10:00:00.123Z","model":"openai","stream":false,"cost":0.0012,"response":{"id":"c1","usage":{"total_tokens":5}},"messages":[{"role":"user","content":null}],"user":null}',
        '{"start_time":"2025-06-01T10:00:01Z","model":"openai","stream":true,"cost":0,"exception":"timeout","messages":[],"user":"u"}',
        '{"start_time":"2025-06-01T10:00:01+02:00","model":"x","stream":true,"cost":1e-9,"response":null,"messages":["a",1.50]}',
      ],
    ],
    [
      'with every kind of value',
      [
        '{"i":1,"u":18446744073709551615,"f":1.10,"b":true,"t":"2025-01-01 00:00:00.123456","a":[1,2],"n":null,"o":{"k":"v"},"m":1,"x":[]}',
        '{"i":-9223372036854775808,"u":1,"f":5,"b":false,"t":"2299-01-01T00:00:00Z","a":[],"o":{},"m":"text","x":[[1],{"a":null}]}',
        '{"i":0,"u":123456789012345678901234567890,"f":-1e300,"b":null,"t":"1970-01-01T00:00:00Z","a":[3],"n":"late","o":null,"m":{"q":1}}',
      ],
    ],
    ['with odd keys', ['{"a.b":1,"a":{"b":2},"it\'s":3,"\\"q\\"":4,"back\\\\slash":5,"m__json":"x","new\\nline":6}']],
  ])('%s fit it', async (_what, lines) => {
    const { columns, engine } = guessSchema(lines);
    const { good, bad } = await stage.run(dataSource(columns, engine), lines);
    expect({ good: good.length, errors: bad.map((row) => row['c__error']) }).toEqual({
      good: lines.length,
      errors: [],
    });
  });
});
