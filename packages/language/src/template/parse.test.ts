/** The grammar: what is a template, what is refused and where, and which parameters its text shows. */

import { describe, expect, it } from 'vitest';
import { TemplateError } from './error.ts';
import { parseTemplate, pipeParameters, type Template } from './parse.ts';
import type { TemplateParameter } from './parameters.ts';
import { renderTemplate } from './render.ts';

const parse = (body: string): Template => parseTemplate(`%\n${body}`, { node: 'top' });
const parametersOf = (body: string): readonly TemplateParameter[] => parse(body).parameters;

function errorOf(body: string): TemplateError {
  try {
    parse(body);
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error(`${body} was not refused`);
}

describe('a node', () => {
  it.each(['SELECT 1', 'SELECT {{ x }}', '', '  \n', "SELECT '%'", 'SELECT 1 % 2', "{% if x %}'"])(
    'without a leading %% is taken as it is: %j',
    (sql) => {
      const template = parseTemplate(sql, { node: 'plain' });
      expect(template.usesTemplate).toBe(false);
      expect(renderTemplate(template, new Map()).sql).toBe(sql);
    },
  );

  it.each([
    '%\nSELECT {{Int(x)}}',
    '  \n  %\n SELECT {{Int(x)}}',
    '% SELECT {{Int(x)}}',
    '%SELECT {{Int(x)}}',
    '%\r\nSELECT {{Int(x)}}',
  ])('is a template when %% is its first character: %j', (sql) => {
    const template = parseTemplate(sql, { node: 'top' });
    expect(template.usesTemplate).toBe(true);
    expect(renderTemplate(template, new Map([['x', '7']])).sql.trim()).toBe('SELECT 7');
  });

  it('leaves the text between the marks alone, single braces included', () => {
    const sql = "SELECT {p:String}, '{', map('a', {}) -- }} %} #}\n";
    expect(renderTemplate(parse(sql), new Map()).sql).toBe(`\n${sql}`);
  });

  it('has comments and marks that stand for themselves', () => {
    expect(
      renderTemplate(parse('a{# {{ no #}b{% comment it is {{ no %}c{{! x }}{%! if %}{#! y #}'), new Map()).sql,
    ).toBe('\nabc{{ x }}{% if %}{# y #}');
  });

  it('takes the last two of several braces', () => {
    expect(renderTemplate(parse('{{{Int(x)}}}'), new Map([['x', '1']])).sql).toBe('\n{1}');
  });

  it('reads an expression up to its real end', () => {
    expect(renderTemplate(parse("{{ '}}' }} {{ {'a': {'b': '%}'}}['a']['b'] }}"), new Map()).sql).toBe("\n'}}' '%}'");
  });
});

describe('a refusal', () => {
  it('names the file, the node and the line', () => {
    const source = { node: 'endpoint', file: 'pipes/top.pipe', firstLine: 12 };
    expect(() => parseTemplate('%\nSELECT 1\nFROM t {% iff x %}', source)).toThrow(
      'cannot read the template in node endpoint of pipes/top.pipe, line 14: {% iff %} is not known',
    );
  });

  it('carries the position and the status', () => {
    const error = errorOf('SELECT\n  {{ nope(x) }}');
    expect(error).toMatchObject({ status: 400, code: 'bad_request', position: { line: 3, column: 6 } });
    expect(error.parameter).toBeUndefined();
  });

  it.each([
    ['{{ }}', '{{ }} is empty'],
    ['{{ x', 'this is not closed with }}'],
    ['{% if x', 'this is not closed with %}'],
    ['{# x', 'this is not closed with #}'],
    ['{% comment x', 'this is not closed with %}'],
    ['{% if x %}', '{% if %} has no {% end %}'],
    ['{% for x in y %}', '{% for %} has no {% end %}'],
    ['{% if %}{% end %}', 'the expression ends here'],
    ['{% end %}', '{% end %} has no {% if %} or {% for %} before it'],
    ['{% else %}', '{% else %} has no'],
    ['{% if x %}{% else %}{% else %}{% end %}', '{% else %} comes after {% else %}'],
    ['{% if x %}{% else %}{% elif y %}{% end %}', '{% elif %} comes after {% else %}'],
    ['{% for x in y %}{% else %}{% end %}', '{% else %} does not belong to a {% for %}'],
    ['{% if x %}{% endif %}', '{% endif %} is written {% end %} here'],
    ['{% end if %}', 'has no {% if %}'],
    ['{% if x %}{% end x %}', 'x is not expected here'],
    ['{% %}', 'needs a directive'],
    ['{% while x %}{% end %}', '{% while %} is not supported'],
    ['{% import os %}', '{% import %} is not supported'],
    ['{% include x %}', '{% include %} is not supported'],
    ['{% raw x %}', '{% raw %} is not supported'],
    ['{% try %}', '{% try %} is not supported'],
    ['{% frob x %}', '{% frob %} is not known'],
    ['{% break %}', '{% break %} stands outside of a {% for %}'],
    ['{% for x of y %}{% end %}', 'a loop is written'],
    ['{% for 1 in y %}{% end %}', 'a name is needed'],
    ['{% set x %}', 'an assignment is written'],
    ['{% set x += 1 %}', 'an assignment is written'],
    ['{% set True = 1 %}', 'True cannot be set'],
    ['{% set x = {{ y }} %}', 'leave out the inner {{ and }}'],
    ['{{ a b }}', 'b is not expected here'],
    ['{{ a. }}', 'a name is needed'],
    ['{{ a.b }}', '.b is no method call; attributes cannot be read'],
    ['{{ a.__class__() }}', 'there is no method __class__'],
    ['{{ a.constructor("x") }}', 'there is no method constructor'],
    ['{{ constructor("x") }}', 'there is no function constructor'],
    ['{{ __proto__() }}', 'there is no function __proto__'],
    ['{{ toString() }}', 'there is no function toString'],
    ['{{ eval("1") }}', 'there is no function eval'],
    ['{{ (a)(b) }}', 'only functions with a plain name can be called'],
    ['{{ a.split(",")(0) }}', 'only functions with a plain name can be called'],
    ['{{ a[1:2] }}', 'slices are not supported'],
    ['{{ a[:2] }}', 'slices are not supported'],
    ['{{ [x for x in y] }}', 'comprehensions are not supported'],
    ['{{ lambda: 1 }}', 'lambda is not supported'],
    ['{{ f"x" }}', 'strings have no prefix f here'],
    ['{{ """x""" }}', 'strings with three quotes'],
    ['{{ "x }}', 'the quote " is not closed on its line'],
    ["{{ 'a' 'b' }}", 'strings are joined with +'],
    ['{{ 1x }}', 'this is not a number'],
    ['{{ 1e999 }}', 'the number is too large'],
    [`{{ ${'9'.repeat(200)} }}`, 'the number is too large'],
    ['{{ 2 ** 8 }}', '** is not expected here'],
    ['{{ a ? b }}', 'U+003F is not expected'],
    ['{{ String(*x) }}', 'arguments cannot be unpacked'],
    ['{{ String(default=1, x) }}', 'arguments without a name come first'],
    ['{{ String(x, default=1, default=2) }}', 'argument default is given twice'],
    ['{{ String(x, 1, default=2) }}', 'argument default of String() is given twice'],
    ['{{ String() }}', 'String() needs its argument value'],
    ['{{ String(x, 1, 2, 3) }}', 'takes at most 3 arguments without a name, not 4'],
    ['{{ String(x, frob=1) }}', 'String() has no argument frob'],
    ['{{ day_diff(a) }}', 'day_diff() needs its argument date_2'],
    ['{{ sql_and(a) }}', 'sql_and() takes at most 0 arguments'],
    ['{{ tb_secret(x) }}', 'tb_secret() takes a name in quotes'],
    ['{{ a if b }}', 'a conditional is written'],
    ['{{ {1} }}', 'an entry is written KEY: VALUE'],
    ['{{ not }}', 'the expression ends here'],
    ['{{ a == }}', 'the expression ends here'],
    ['{{ (a }}', ') is missing'],
    [`{{ ${'('.repeat(300)}a${')'.repeat(300)} }}`, 'nested too deeply'],
    [`{{ ${'not '.repeat(300)}a }}`, 'nested too deeply'],
    [`{{ ${'-'.repeat(300)}1 }}`, 'nested too deeply'],
    [`{{ ${'1+'.repeat(300)}1 }}`, 'nested too deeply'],
    [`{{ x${'[0]'.repeat(300)} }}`, 'nested too deeply'],
    [`{{ ${'1 if 1 else '.repeat(300)}1 }}`, 'nested too deeply'],
    ['{% if x %}'.repeat(40) + '{% end %}'.repeat(40), 'more than 32 blocks'],
  ])('of %j', (body, why) => {
    const error = errorOf(body);
    expect(error.message).toContain('cannot read the template in node top, line 2: ');
    expect(error.message).toContain(why);
  });

  it('of a text that is too long comes before it is read', () => {
    expect(() => parseTemplate(`%${' '.repeat(262_144)}`, { node: 'top' })).toThrow('262144 are allowed');
  });
});

describe('the parameters', () => {
  it('have a type, a default and a description', () => {
    const body =
      "LIMIT {{ Int32(limit, 10, description='how many', example='5', format='number', enum=[5, 10], required=False) }}";
    expect(parametersOf(body)).toEqual([
      {
        name: 'limit',
        type: 'Int32',
        required: false,
        default: 10,
        description: 'how many',
        example: '5',
        format: 'number',
        enum: [5, 10],
      },
    ]);
  });

  it.each([
    ['{{ String(a) }}', 'String', true, undefined],
    ['{{ string(a) }}', 'String', true, undefined],
    ["{{ String(a, 'x') }}", 'String', false, 'x'],
    ["{{ String(a, default='x') }}", 'String', false, 'x'],
    ["{{ String(a, '') }}", 'String', false, ''],
    ["{{ String(a, 'x', required=True) }}", 'String', true, 'x'],
    ['{{ String(a, required=true) }}', 'String', true, undefined],
    ['{{ String(a, required=False) }}', 'String', false, undefined],
    ['{{ Int64(a, -5) }}', 'Int64', false, -5],
    ['{{ Float64(a, 0.5) }}', 'Float64', false, 0.5],
    ['{{ Boolean(a) }}', 'Boolean', false, undefined],
    ['{{ Boolean(a, True) }}', 'Boolean', false, true],
    ['{{ JSON(a) }}', 'JSON', false, undefined],
    ['{{ UUID(a) }}', 'UUID', true, undefined],
    ['{{ Array(a) }}', 'Array(String)', true, undefined],
    ["{{ Array(a, 'Int32') }}", 'Array(Int32)', true, undefined],
    ['{{ Array(a, Int32) }}', 'Array(Int32)', true, undefined],
    ["{{ Array(a, 'Int32', '1,2') }}", 'Array(Int32)', false, '1,2'],
    ["{{ Array(a, 'Int32', default=[1, 2]) }}", 'Array(Int32)', false, [1, 2]],
    ["{{ Array(a, 'black') }}", 'Array(String)', false, 'black'],
    ["{{ column(a, 'x') }}", 'String', false, 'x'],
    ['{{ column(a) }}', 'String', true, undefined],
    ["{{ columns(a, 'x,y') }}", 'String', false, 'x,y'],
    ["{% for x in split_to_array(a, 'x') %}{{ x }}{% end %}", 'String', false, 'x'],
    ['{{ a }}', 'String', true, undefined],
    ['{% if a %}1{% end %}', 'String', false, undefined],
    ['{% if defined(a) %}{{ Int8(a) }}{% end %}', 'Int8', false, undefined],
    ["{% if a != '' %}{{ Int8(a) }}{% else %}{{ String(a) }}{% end %}", 'Int8', false, undefined],
    ['{% if defined(a) and Int8(a) > 1 %}1{% end %}', 'Int8', false, undefined],
    ['{% if Int8(a) > 1 %}1{% end %}', 'Int8', true, undefined],
    ['{{ Int8(a) if defined(a) else 0 }}', 'Int8', false, undefined],
    ["{% if not defined(a) %}{{ error('a is needed') }}{% end %}{{ String(a, 'x') }}", 'String', true, 'x'],
    ['{{ sql_and(b__in=Array(a, "Int8", defined=False)) }}', 'Array(Int8)', false, undefined],
    ["{{ String(a, x + 'y') }}", 'String', false, undefined],
  ])('of %j', (body, type, required, fallback) => {
    const [first] = parametersOf(body);
    expect(first).toMatchObject({ name: 'a', type, required });
    expect(first?.default).toEqual(fallback);
  });

  it('are no variables, types or functions', () => {
    const body =
      "{% set cols = 'a,b' %}{% for last, c in enumerate_with_last(split_to_array(cols)) %}{{ symbol(c) }}{% if last %}{{ Int8(x) }}{% end %}{% end %}{{ Array(y, Int32) }}";
    expect(parametersOf(body).map(({ name }) => name)).toEqual(['x', 'y']);
  });

  it('that stand in a comment of the SQL are left out', () => {
    expect(parametersOf('SELECT 1 -- {{ String(a) }}\n/* {{ b }} */ + {{ Int8(c) }}').map(({ name }) => name)).toEqual([
      'c',
    ]);
  });

  it('of a pipe are those of its templates together', () => {
    const templates = ['{% if defined(a) %}1{% end %}{{ Int8(b, 1) }}', "{{ Array(a, 'Int8') }}{{ Int8(b) }}"].map(
      parse,
    );
    expect(pipeParameters([...templates, parseTemplate('SELECT 1', { node: 'plain' })])).toEqual([
      { name: 'a', type: 'Array(Int8)', required: true },
      { name: 'b', type: 'Int8', required: false, default: 1 },
    ]);
  });
});
