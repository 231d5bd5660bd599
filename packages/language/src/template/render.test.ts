/** Rendering: statements, expressions, every function, every type with what it takes and refuses, and the limits. */

import { describe, expect, it } from 'vitest';
import { TemplateError } from './error.ts';
import { parseTemplate } from './parse.ts';
import { renderTemplate, type Rendered, type RenderOptions } from './render.ts';

type Given = Readonly<Record<string, unknown>>;

function renderAll(body: string, given: Given = {}, options: RenderOptions = {}): Rendered {
  return renderTemplate(parseTemplate(`%${body}`, { node: 'top' }), new Map(Object.entries(given)), options);
}

const render = (body: string, given: Given = {}, options: RenderOptions = {}): string =>
  renderAll(body, given, options).sql;

function errorOf(body: string, given: Given = {}, options: RenderOptions = {}): TemplateError {
  try {
    render(body, given, options);
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error(`${body} was not refused`);
}

describe('statements', () => {
  it.each([
    ['{% if a %}1{% elif b %}2{% elif c %}3{% else %}4{% end %}', { c: 'x' }, '3'],
    ['{% if a %}1{% elif b %}2{% else %}4{% end %}', {}, '4'],
    ['{% if a %}1{% end %}', {}, ''],
    ['{% if a %}{% if b %}1{% else %}2{% end %}{% end %}', { a: '1' }, '2'],
    ["{% for x in ['a', 'b'] %}{{ x }},{% end %}", {}, "'a','b',"],
    ['{% for x in 1, 2 %}{{ x }}{% end %}', {}, '12'],
    ["{% for k, v in {'a': 1}.items() %}{{ k }}={{ v }}{% end %}", {}, "'a'=1"],
    ["{% for k in {'a': 1, 'b': 2} %}{{ k }}{% end %}", {}, "'a' 'b'"],
    [
      '{% for x in [1, 2, 3, 4] %}{% if x == 2 %}{% continue %}{% end %}{% if x == 4 %}{% break %}{% end %}{{ x }}{% end %}',
      {},
      '13',
    ],
    ['{% for x in [] %}1{% end %}2', {}, '2'],
    ["{% set a = 'x' %}{{ a }}", { a: 'given' }, "'x'"],
    ["{% set a = String(a, 'd') %}{{ a }}", {}, "'d'"],
    ['{% set a, b = 1, 2 %}{{ b }}{{ a }}', {}, '21'],
    ['{% set a = [] %}{% for x in [1, 2] %}{% set a = a + [x * 2] %}{% end %}{{ a }}', {}, '[2,4]'],
    ['{% if True %}{% set a = 1 %}{% end %}{{ a }}', {}, '1'],
    ['{% for x in [1] %}{% end %}{{ x }}', {}, '1'],
  ])('%j with %j', (body, given, sql) => {
    expect(render(body, given)).toBe(sql);
  });
});

describe('expressions', () => {
  it.each([
    ['1 + 2 * 3 - 4', '3'],
    ['(1 + 2) * 3', '9'],
    ['7 / 2', '3.5'],
    ['7 // 2', '3'],
    ['-7 // 2', '-4'],
    ['-7 % 3', '2'],
    ['7 % -3', '-2'],
    ['7.5 % 2', '1.5'],
    ['- - 1', '1'],
    ['1.0', '1.0'],
    ['1e30', '1e+30'],
    ['True + 1', '2'],
    ["'a' + 'b'", "'ab'"],
    ['[1] + [2]', '[1,2]'],
    ['1 < 2 < 3', 'true'],
    ['1 < 3 < 2', 'false'],
    ["'a' < 'b'", 'true'],
    ['1 == 1.0', 'true'],
    ["1 == '1'", 'false'],
    ['[1, 2] == [1, 2.0]', 'true'],
    ['(1, 2) == [1, 2]', 'false'],
    ["{'a': 1} == {'a': 1}", 'true'],
    ["{'a': 1} != {'b': 1}", 'true'],
    ["'a' in ['a', 'b']", 'true'],
    ["'a' not in ['a', 'b']", 'false'],
    ["not 'a' in ['b']", 'true'],
    ["'b' in 'abc'", 'true'],
    ["'a' in {'a': 1}", 'true'],
    ['x is None', 'true'],
    ['x is not None', 'false'],
    ['True is True', 'true'],
    ['None == x', 'true'],
    ["'' or 'b'", "'b'"],
    ["'a' and 'b'", "'b'"],
    ["'a' or nothing > 1", "'a'"],
    ['1 if x else 2', '2'],
    ['1 if not x else 2 if y else 3', '1'],
    ['[1, 2][0] + [1, 2][-1]', '3'],
    ["'abc'[1]", "'b'"],
    ["{'a': (1, 2)}['a']", '(1,2)'],
    ['(1,)', '(1,)'],
    ['()', '()'],
    ["[1, 'a', 2.5, True]", "[1,'a',2.5,true]"],
    ['[[1], [2]]', '[[1],[2]]'],
    ["'\\n\\t\\x41\\u00e9\\'\\q'", "'\\n\\tAé\\'\\\\q'"],
    ['"it\'s"', "'it\\'s'"],
    ["'a,b'.split(',')", "['a','b']"],
    ["'a,b,c'.split(',', 1)", "['a','b,c']"],
    ["' a  b '.split()", "['a','b']"],
    ["','.join(['a', 'b'])", "'a,b'"],
    ["'aXbX'.replace('X', '$&')", "'a$&b$&'"],
    ["' Ab '.strip().lower() + 'c'.upper()", "'abC'"],
    ["'abc'.startswith('ab') and 'abc'.endswith('bc')", 'true'],
    ["{'a': 1}.get('a') + {'a': 1}.get('b', 5)", '6'],
    ["{'a': 1}.keys() + {'a': 2}.values()", "['a',2]"],
  ])('%j is %j', (expression, sql) => {
    expect(render(`{{ ${expression} }}`)).toBe(sql);
  });

  it.each([
    ["'a' * 3", 'text * a number cannot be calculated; a parameter needs its type there'],
    ["'%s' % 'a'", 'cannot be calculated'],
    ["'a' + 1", 'cannot be calculated'],
    ['1 / 0', 'division by zero'],
    ['1 % 0', 'division by zero'],
    ['1.5 // 0', 'division by zero'],
    ["-'a'", '- cannot stand before text'],
    ["'a' < 1", 'text < a number cannot be compared'],
    ['None < 1', 'None < a number cannot be compared'],
    ['[1] < [2]', 'a list < a list cannot be compared'],
    ['1 in 5', 'a number cannot be looked for in a number'],
    ["1 is 'a'", 'is is followed by None, True or False; use =='],
    ['[1][5]', 'there is no item 5: the list has 1'],
    ["{'a': 1}['b']", "there is no key 'b'"],
    ["{'a': 1}['__proto__']", "there is no key '__proto__'"],
    ["{'a': 1}[1]", 'the key of a dict must be text'],
    ["'a'['b']", 'the number of an item must be a whole number'],
    ["'a'[4]", 'there is no character 4'],
    ['1[0]', 'a number has no items'],
    ['{1: 2}', 'the keys of a dict must be text'],
    ["{'a': 1}", 'a dict has no SQL; take a value out of it'],
    ["[{'a': 1}]", 'a dict has no SQL'],
    ['None', 'None has no SQL'],
    ['column("a") + 1', 'a piece of SQL + a number cannot be calculated'],
    ['9'.repeat(30), 'the number has more than 64 bits; wrap it in Int128() or Int256()'],
    ["'a'.split('')", 'the separator must not be empty'],
    ["'a'.split(1)", 'the argument must be text'],
    ["'a'.get('b')", '.get() is not a method of text'],
    ["[1].split(',')", '.split() is not a method of a list'],
    ["','.join('a')", 'the argument must be a list'],
    ["','.join([1])", 'the items of the list must be text'],
    ["'a'.replace('a')", '.replace() takes 2 arguments, not 1'],
    ["'a'.replace('', 'b')", 'must not be empty'],
    ['x.split(",")', '.split() is not a method of parameter x, which is not given'],
    ['"\\ud800"', 'the text is not valid Unicode'],
  ])('%j is refused', (expression, why) => {
    const { message } = errorOf(`{{ ${expression} }}`);
    expect(message).toContain('in node top, line 1: ');
    expect(message).toContain(why);
  });

  it('takes apart only what has as many parts', () => {
    expect(errorOf('{% set a, b = [1] %}').message).toContain('a list of 1 cannot be taken apart into 2 names');
    expect(errorOf('{% for a, b in [1] %}{% end %}').message).toContain('a number cannot be taken apart into 2 names');
    expect(errorOf("{% for a in 'abc' %}{% end %}").message).toContain('{% for %} takes a list, not text');
  });
});

describe('types take and render', () => {
  it.each([
    ['Int8', '-128', 'toInt8(-128)'],
    ['Int8', 127, 'toInt8(127)'],
    ['UInt8', '255', 'toUInt8(255)'],
    ['Int16', '+5', 'toInt16(5)'],
    ['Int32', '-2147483648', 'toInt32(-2147483648)'],
    ['UInt32', '4294967295', 'toUInt32(4294967295)'],
    ['Int64', '-9223372036854775808', 'toInt64(-9223372036854775808)'],
    ['UInt64', '18446744073709551615', 'toUInt64(18446744073709551615)'],
    ['Int128', '-5', "toInt128('-5')"],
    ['Int256', '5', "toInt256('5')"],
    ['UInt128', '5', "toUInt128('5')"],
    ['UInt256', '5', "toUInt256('5')"],
    ['Int', '5', '5'],
    ['Integer', '-5', '-5'],
    ['int64', '5', 'toInt64(5)'],
    ['Float32', '0.1', 'toFloat32(0.1)'],
    ['Float64', '.5', 'toFloat64(0.5)'],
    ['Float64', '1e5', 'toFloat64(100000.0)'],
    ['Float64', '-0', 'toFloat64(-0.0)'],
    ['Float64', 3, 'toFloat64(3.0)'],
    ['Float64', -0, 'toFloat64(-0.0)'],
    ['Int32', -0, 'toInt32(0)'],
    ['String', '', "''"],
    ['String', 5, "'5'"],
    ['String', true, "'true'"],
    ['String', "it's", "'it\\'s'"],
    ['UUID', '61f0c404-5cb3-11e7-907b-a6006ad3dba0', "'61f0c404-5cb3-11e7-907b-a6006ad3dba0'"],
    ['Date', '2024-02-29', "'2024-02-29'"],
    ['Date', '20240229', "'20240229'"],
    ['DateTime', '2024-02-29 23:59:59', "'2024-02-29 23:59:59'"],
    ['DateTime', '2024-02-29T23:59:59', "'2024-02-29T23:59:59'"],
    ['DateTime', '2024-02-29T23:59:59.123Z', "'2024-02-29T23:59:59.123Z'"],
    ['DateTime64', '2024-02-29 23:59:59.123456789', "'2024-02-29 23:59:59.123456789'"],
    ['DateTime64', '2024-02-29 23:59:59', "'2024-02-29 23:59:59'"],
    ['Boolean', 'TRUE', '1'],
    ['Boolean', 'false', '0'],
    ['Boolean', '1', '1'],
    ['Boolean', true, '1'],
    ['Boolean', 0, '0'],
    ['Boolean', '', '0'],
    ['Bool', 'true', '1'],
  ])('%s(%j) as %s', (type, value, sql) => {
    expect(render(`{{ ${type}(x) }}`, { x: value })).toBe(sql);
  });

  it.each([
    ['Int8', '128'],
    ['Int8', '-129'],
    ['UInt8', '-1'],
    ['UInt8', '256'],
    ['Int32', '2147483648'],
    ['Int', '2147483648'],
    ['UInt64', '18446744073709551616'],
    ['Int64', '9223372036854775808'],
    ['UInt256', '-1'],
    ['Int256', String(2n ** 255n)],
    ['Int64', 2 ** 60],
    ['Int32', 1.5],
    ['Int32', true],
    ['Int32', ''],
    ['Int32', ' 5'],
    ['Int32', '5.0'],
    ['Int32', '1e3'],
    ['Int32', '0x10'],
    ['Int32', '1_000'],
    ['Int32', '٥'],
    ['Int32', '5; DROP TABLE t'],
    ['Int32', '9'.repeat(500)],
    ['Int32', ['1']],
    ['Int32', { a: 1 }],
    ['Float32', '1e39'],
    ['Float64', '1e400'],
    ['Float64', 'nan'],
    ['Float64', 'NaN'],
    ['Float64', 'inf'],
    ['Float64', '-Infinity'],
    ['Float64', ''],
    ['Float64', '1,5'],
    ['Float64', true],
    ['String', ['a']],
    ['String', { a: 1 }],
    ['UUID', '61f0c404-5cb3-11e7-907b-a6006ad3dba'],
    ['UUID', "'; DROP TABLE t; --"],
    ['Date', '2023-02-29'],
    ['Date', '2024-13-01'],
    ['Date', '2024-00-10'],
    ['Date', '2024-1-1'],
    ['Date', '01/02/2024'],
    ['Date', '2024-01-01 00:00:00'],
    ['Date', '2024-01-01\n'],
    ['DateTime', '2024-01-01'],
    ['DateTime', '2024-01-01 24:00:00'],
    ['DateTime', '2024-01-01 23:60:00'],
    ['DateTime', '2024-02-30 00:00:00'],
    ['DateTime', '1704067200'],
    ['DateTime', "2024-01-01 00:00:00' OR 1"],
    ['DateTime64', '2024-01-01 00:00:00.1234567890'],
    ['DateTime64', '2024-01-01 00:00:00+01:00'],
    ['Boolean', 'yes'],
    ['Boolean', "' OR 1"],
    ['Boolean', 2],
    ['JSON', '{'],
    ['JSON', 'nope'],
  ])('not %s(%j)', (type, value) => {
    const error = errorOf(`{{ ${type}(x) }}`, { x: value });
    expect(error).toMatchObject({ status: 400, parameter: 'x' });
    expect(error.message).toMatch(/^cannot run node top, line 1: parameter x=.{0,44} does not fit: \w+ takes /u);
  });

  it('shortens the value and cleans it in the message', () => {
    const { message } = errorOf('{{ Int32(x) }}', { x: `\u0000\n\u2028${'y'.repeat(5000)}` });
    expect(message).toContain(`x='???${'y'.repeat(37)}…' does not fit`);
  });
});

describe('a parameter that is missing', () => {
  it.each([
    '{{ Int32(x) }}',
    '{{ String(x) }}',
    '{{ DateTime(x) }}',
    '{{ Array(x) }}',
    "{{ Array(x, 'Int8') }}",
    '{{ column(x) }}',
    '{{ x }}',
    '{{ symbol(x) }}',
    '{{ Boolean(x, required=True) }}',
  ])('is an error in %s', (body) => {
    for (const given of [{}, { x: null }, { x: undefined }]) {
      const error = errorOf(`SELECT\n ${body}`, given);
      expect(error).toMatchObject({ status: 400, parameter: 'x', position: { line: 2 } });
      expect(error.message).toContain('cannot run node top, line 2: parameter x is required and not given');
    }
  });

  it.each([
    ['{{ Int32(x, 10) }}', 'toInt32(10)'],
    ["{{ Int32(x, '10') }}", 'toInt32(10)'],
    ['{{ Int32(x, default=10, required=True) }}', 'toInt32(10)'],
    ["{{ String(x, '') }}", "''"],
    ['{{ Boolean(x) }}', '0'],
    ['{{ Boolean(x, True) }}', '1'],
    ["{{ Boolean(x, 'true') }}", '1'],
    ["{{ Array(x, 'Int32', '1,2') }}", '[1,2]'],
    ["{{ Array(x, 'Int32', default=[1, 2]) }}", '[1,2]'],
    ["{{ Array(x, 'String', default=['a,b', 'c']) }}", "['a,b','c']"],
    ["{{ Array(x, 'black') }}", "['black']"],
    ["{{ column(x, 'a.b') }}", '`a`.`b`'],
    ["{{ columns(x, 'a, b') }}", '`a`, `b`'],
    ["{{ split_to_array(x, 'a, b') }}", "['a','b']"],
    ['{{ split_to_array(x) }}', "['']"],
    ["{{ JSON(x, '[1]') }}", '[1]'],
    ["{{ JSON(x).get('a', 5) }}", '5'],
    ['{{ defined(x) }}', 'false'],
    ['{% if x %}1{% else %}2{% end %}', '2'],
    ["{% if x == 'a' %}1{% else %}2{% end %}", '2'],
    ["{% if x in ['a'] %}1{% else %}2{% end %}", '2'],
    ["{% if defined(x) and x != [''] %}{{ Array(x) }}{% end %}", ''],
  ])('%s renders %j', (body, sql) => {
    expect(render(body)).toBe(sql);
  });

  it('does not excuse a default that does not fit', () => {
    const error = errorOf("{{ Int32(x, 'ten') }}");
    expect(error.message).toContain("Int32('ten') does not fit");
    expect(error.parameter).toBeUndefined();
  });

  it('never takes the place of a value that does not fit', () => {
    expect(errorOf('{{ Int32(x, 10) }}', { x: '' }).parameter).toBe('x');
  });
});

describe('a plain reference', () => {
  it('sees the value as it was given', () => {
    expect(render('{{ x }} {{ y }} {{ z }}', { x: "a'b", y: 5, z: [1, 'b'] })).toBe("'a\\'b' 5 [1,'b']");
  });

  it.each([
    ["{% if defined(x) and x != [''] %}{{ Array(x) }}{% else %}all{% end %}", '', 'all'],
    ["{% if defined(x) and x != '' %}{{ Array(x) }}{% else %}all{% end %}", '', 'all'],
    ["{% if defined(x) and x != [''] %}{{ Array(x) }}{% else %}all{% end %}", 'a', "['a']"],
    ["{% if x != [''] %}{{ String(x) }}{% else %}all{% end %}", '', 'all'],
    ["{% if x == ['a', 'b'] %}same{% end %}{{ Array(x) }}", 'a,b', "same['a','b']"],
    ["{% if x == 'a,b' %}same{% end %}{{ Array(x) }}", 'a,b', "same['a','b']"],
    ["{% if x in ['a', 'b'] %}one{% end %}{{ Array(x) }}", 'a', "one['a']"],
    ["{% if 'b' in x %}has{% end %}{{ Array(x) }}", 'a,b', "has['a','b']"],
    ['{% if len(x) > 1 %}many{% end %}{{ Array(x) }}', 'a,b', "many['a','b']"],
    ['{% for i in x %}{{ i }};{% end %}{{ Array(x) }}', 'a,b', "'a';'b';['a','b']"],
    ['{{ String(x) }}{{ Array(x) }}', 'a,b', "'a,b'['a','b']"],
    ["{% if x > 'a' %}later{% end %}{{ Array(x) }}", 'b', "later['b']"],
    ['{% if defined(x) %}given{% end %}', '', 'given'],
  ])('in %j given %j', (body, value, sql) => {
    expect(render(body, { x: value })).toBe(sql);
  });
});

describe('arrays', () => {
  it.each([
    ['text between commas', 'a,b', "['a','b']"],
    ['a repeated parameter', ['a', 'b'], "['a','b']"],
    ['a repeated parameter with commas', ['a,b', 'c'], "['a,b','c']"],
    ['JSON text', '["a","b,c"]', "['a','b,c']"],
    ['text that only looks like JSON', '[a,b]', "['[a','b]']"],
    ['one text', 'a', "['a']"],
    ['empty text', '', "['']"],
    ['an empty list', [], '[]'],
    ['JSON text of an empty list', '[]', '[]'],
    ['numbers of a JSON body', [1, 2.5], "['1','2.5']"],
  ])('of String come as %s', (_how, value, sql) => {
    expect(render("{{ Array(x, 'String') }}", { x: value })).toBe(sql);
  });

  it.each([
    ['0.1,0.2', '[0.1,0.2]'],
    ['[0.1,0.2]', '[0.1,0.2]'],
    [' [0.1, 0.2] ', '[0.1,0.2]'],
    [['0.1', '0.2'], '[0.1,0.2]'],
    [[0.1, 0.2], '[0.1,0.2]'],
    [[1, -2], '[1.0,-2.0]'],
    ['1e-3, -5', '[0.001,-5.0]'],
    [0.5, '[0.5]'],
  ])('of Float32 from %j', (value, sql) => {
    expect(render("{{ Array(x, 'Float32') }}", { x: value })).toBe(sql);
  });

  it.each([
    ['Int32', '1, 2', '[1,2]'],
    ['Int', '1,2', '[1,2]'],
    ['Int128', '1,-2', "[toInt128('1'),toInt128('-2')]"],
    ['Boolean', 'true,false', '[1,0]'],
    ['Date', '2024-01-01,20240102', "['2024-01-01','20240102']"],
    ['UUID', '61f0c404-5cb3-11e7-907b-a6006ad3dba0', "['61f0c404-5cb3-11e7-907b-a6006ad3dba0']"],
    ['string', ' a', "[' a']"],
  ])('of %s', (type, value, sql) => {
    expect(render(`{{ Array(x, '${type}') }}`, { x: value })).toBe(sql);
    expect(render(`{{ Array(x, ${type}) }}`, { x: value })).toBe(sql);
  });

  it('without a type keep what a JSON body holds', () => {
    expect(render('{{ Array(x) }}', { x: ['a', 1, 2.5, true] })).toBe("['a',1,2.5,true]");
  });

  it.each([
    [
      "{{ Array(x, 'Int32') }}",
      '1,b',
      "parameter x='b' does not fit: each item of Array('Int32') must be a whole number",
    ],
    ["{{ Array(x, 'Int32') }}", '', "parameter x='' does not fit"],
    ["{{ Array(x, 'Float32') }}", [0.1, null], "each item of Array('Float32') must be a finite number"],
    ["{{ Array(x, 'Float32') }}", [[0.1]], "each item of Array('Float32')"],
    ['{{ Array(x) }}', [['a']], 'an item of an array must be text or a number'],
    ['{{ Array(x) }}', { a: 1 }, 'Array takes a list of values'],
    ["{{ Array(x, 'JSON') }}", '1', 'an array of JSON is not supported'],
    ["{{ Array(x, 'Array(String)') }}", '1', 'an array of Array(String) is not supported'],
    ["{{ Array(x, 'Strin', 'a') }}", '1', 'there is no type Strin'],
    ['{{ Array(x) }}', ','.repeat(70_000), 'parameter x has too many items'],
    ['{{ Array(x) }}', Array.from({ length: 70_000 }, () => 1), 'parameter x is too large'],
  ])('%s given %j are refused', (body, value, why) => {
    expect(errorOf(body, { x: value }).message).toContain(why);
  });

  it('of 3072 numbers stay short', () => {
    const vector = Array.from({ length: 3072 }, (_, index) => Math.fround(Math.sin(index)));
    expect(JSON.parse(render("{{ Array(x, 'Float32') }}", { x: JSON.stringify(vector) }))).toEqual(vector);
  });
});

describe('functions', () => {
  it.each([
    ["{{ columns('a,b.c', fn='sum') }}", {}, 'sum(`a`) AS `a`, sum(`b`.`c`) AS `b.c`'],
    ['{{ column(x) }}', { x: 'http.status code' }, '`http`.`status code`'],
    ['{{ columns(x) }}', { x: ['a', 'b'] }, '`a`, `b`'],
    ['{{ symbol(x) }}', { x: 'a.b' }, '`a.b`'],
    ['{{ table(x) }}', { x: 'db.t' }, '`db`.`t`'],
    ['{{ TABLE(x) }}', { x: 't' }, '`t`'],
    ["{{ split_to_array(x, separator='|') }}", { x: 'a | b' }, "['a','b']"],
    ["{{ split_to_array(x, '', '|') }}", { x: 'a|b' }, "['a','b']"],
    ['{{ split_to_array(x) }}', { x: ['a,b', 'c'] }, "['a,b','c']"],
    ["{{ split_to_array(String(x, ''), separator='|') }}", { x: 'a' }, "['a']"],
    [
      '{% for last, c in enumerate_with_last(split_to_array(x)) %}{{ symbol(c) }}{% if not last %}, {% end %}{% end %}',
      { x: 'a,b,c' },
      '`a`, `b`, `c`',
    ],
    ['{{ enumerate_with_last([]) }}', {}, '[]'],
    [
      '{{ sql_and(a=String(x), b__in=Array(y, "Int8"), c__gte=Int8(z)) }}',
      { x: "q'", y: '1,2', z: '3' },
      "`a` = 'q\\'' AND `b` IN [1,2] AND `c` >= toInt8(3)",
    ],
    [
      '{{ sql_and(a__not_in=Array(x), b__gt=1, c__lt=2.5, d__lte=3, e__f__in=[1]) }}',
      { x: 'q' },
      "`a` NOT IN ['q'] AND `b` > 1 AND `c` < 2.5 AND `d` <= 3 AND `e__f` IN [1]",
    ],
    [
      '{{ sql_and(a=String(x, defined=False), b=Array(y, defined=False), c=Int8(z, defined=False)) }}',
      { z: '1' },
      '`c` = toInt8(1)',
    ],
    ['{{ sql_and(a=String(x, defined=False)) }}', {}, ''],
    ["{{ sql_unescape(String(x), '%') }}", { x: '%a_' }, "'%a_'"],
    ["{{ JSON(x)['a'][0]['b'] }}", { x: '{"a":[{"b":"q\'"}]}' }, "'q\\''"],
    [
      "{% for f in JSON(x, '[]') %}{{ column(f['c']) }} = {{ f['v'] }};{% end %}",
      { x: '[{"c":"a","v":1},{"c":"b","v":"2"}]' },
      "`a` = 1;`b` = '2';",
    ],
    ["{{ JSON(x)['a'] }}", { x: { a: 'real' } }, "'real'"],
    ['{{ min(3, 1, 2) }}{{ max([1, 3, 2]) }}', {}, '13'],
    ["{{ min('b', 'a') }}", {}, "'a'"],
    ['{{ len("a😀") }}{{ len([1]) }}{{ len({"a": 1}) }}', {}, '211'],
    ['{{ str(5) + str(True) + str(0.5) }}', {}, "'5True0.5'"],
    ['{{ int("5") + int(2.9) + int(True) }}{{ float("1.5") + float(1) }}', {}, '82.5'],
    ['{{ list((1, 2)) + list({"a": 1}) }}', {}, "[1,2,'a']"],
    ['{{ range(3) }}{{ range(1, 3) }}{{ range(5, 0, -2) }}{{ range(0) }}', {}, '[0,1,2][1,2][5,3,1][]'],
    ["{{ day_diff('2024-01-01', '2024-03-01') }}", {}, '60'],
    ['{{ day_diff(a, b) }}', { a: '2019-02-01', b: '2019-01-02' }, '30'],
    ["{{ date_diff_in_seconds('2022-12-19 18:42:22', '2022-12-19 18:43:22') }}", {}, '60'],
    [
      "{{ date_diff_in_seconds('2022-12-19T18:42:23.521Z', '2022-12-19T18:42:24.531Z', date_format='%Y-%m-%dT%H:%M:%S.%fz') }}",
      {},
      '1',
    ],
    ["{{ date_diff_in_minutes('2022-12-19', '2022-12-19 00:01:59', backup_date_format='%Y-%m-%d') }}", {}, '1'],
    ["{{ date_diff_in_hours('2022-12-14 18:42:22', '2022-12-19 18:42:22') }}", {}, '120'],
    ["{{ date_diff_in_days('2019/01/04', '2019-01-01', backup_date_format='%Y/%m/%d') }}", {}, '3'],
    [
      "{{ date_diff_in_days('2019-02-01T20:00:00z', '2019-02-15', '%Y-%m-%dT%H:%M:%Sz', backup_date_format='%Y-%m-%d') }}",
      {},
      '13',
    ],
    ["{% if date_diff_in_days('x', 'y', none_if_error=True) is None %}none{% end %}", {}, 'none'],
    [
      "{{ date_diff_in_hours('24-1-2 3:04:05 +0200', '24-1-2 3:04:05 -0100', date_format='%y-%m-%d %H:%M:%S %z') }}",
      {},
      '3',
    ],
    ["{{ date_diff_in_days('100%', '100%', date_format='%y0%%') }}", {}, '0'],
  ])('%j with %j', (body, given, sql) => {
    expect(render(body, given)).toBe(sql);
  });

  it.each([
    ["{{ column('a; drop') }}", "'a; drop' is not a name: column() takes letters"],
    ["{{ column('a`') }}", 'is not a name'],
    ["{{ column('') }}", 'is not a name'],
    ["{{ column('a..b') }}", 'is not a name'],
    ["{{ column('*') }}", 'is not a name'],
    ['{{ column(5) }}', 'column() takes a name'],
    ["{{ columns('a,,b') }}", 'is not a name'],
    ['{{ columns(5) }}', 'columns() takes names with commas'],
    ["{{ columns('a', fn='sum(x) + ') }}", 'fn must be the name of a function'],
    ["{{ table('a b; --') }}", 'is not a name'],
    ['{{ sql_and(a__like="x") }}', 'sql_and() has no operator __like; there are in, not_in'],
    ["{{ sql_and(a=JSON('{}')) }}", 'a dict has no SQL'],
    ['{{ sql_unescape(5) }}', 'takes text'],
    ['{{ split_to_array({}) }}', 'split_to_array() takes text, not a dict'],
    ["{{ split_to_array('a', separator='') }}", 'the separator of split_to_array() must be text'],
    ['{{ enumerate_with_last("a") }}', 'takes a list, not text'],
    ['{{ min() }}', 'min() needs at least one value'],
    ["{{ max(1, 'a') }}", 'have no order'],
    ['{{ len(5) }}', 'len() takes text, a list or a dict, not a number'],
    ['{{ int("5.5") }}', 'int() takes a whole number'],
    ['{{ float("nan") }}', 'float() takes a number'],
    ['{{ range(1, 5, 0) }}', 'the step of range() must not be 0'],
    ['{{ range(100000) }}', 'range() makes at most 65536'],
    ['{{ range("5") }}', 'range() takes whole numbers'],
    ["{{ day_diff('2024-01-01', 'x') }}", "day_diff() takes dates of the format %Y-%m-%d, not 'x'"],
    ["{{ day_diff('2024-01-01', x) }}", 'not parameter x, which is not given'],
    ["{{ date_diff_in_days('2024-02-30', '2024-01-01') }}", 'takes dates of the format'],
    ["{{ date_diff_in_days('a', 'b', date_format='%Q') }}", "the date format '%Q' is not supported"],
    ["{{ date_diff_in_days('a', 'b', date_format='%d%d') }}", 'is not supported'],
    ['{{ max_threads(0) }}', 'max_threads() takes a whole number from 1 to 1024'],
    ["{{ max_threads('x') }}", 'max_threads() takes'],
    ["{{ cache_ttl('2h') }}", 'cache_ttl() takes one of 5s, 1m, 5m, 30m, 1h'],
    ["{{ activate('x') }}", 'activate() takes one of analyzer'],
    ['{{ backend_hint([]) }}', 'backend_hint() takes text'],
    ["{{ tb_secret('k') }}", 'there is no secret k'],
    ["{{ tb_secret('k k') }}", 'is no name of a secret'],
    ["{{ error('x', 200) }}", 'the code of error() must be a status from 400 to 599'],
  ])('%j is refused', (body, why) => {
    expect(errorOf(body).message).toContain(why);
  });
});

describe('settings', () => {
  it('are collected and leave no text', () => {
    const body =
      "{{ max_threads(4) }}{{ cache_ttl('5m') }}{{ backend_hint('a') }}{{ backend_hint(False) }}{{ activate('analyzer') }}SELECT 1";
    expect(renderAll(body)).toMatchObject({
      sql: 'SELECT 1',
      settings: { max_threads: 4, cacheSeconds: 300, backendHint: 'a', activate: ['analyzer'] },
    });
  });

  it('that no branch asks for are absent', () => {
    expect(renderAll('{% if x %}{{ max_threads(4) }}{% end %}SELECT 1').settings).toEqual({});
  });
});

describe('secrets', () => {
  it('are bound and in no text', () => {
    const rendered = renderAll(
      "SELECT {{ tb_secret('key') }}, {{ tb_secret('other', 'd') }}",
      {},
      { secrets: new Map([['key', 'hush']]) },
    );
    expect(rendered).toMatchObject({
      sql: "SELECT {tb_secret_key:String}, 'd'",
      parameters: { tb_secret_key: 'hush' },
    });
  });
});

describe('what the template raises', () => {
  it('by error() is its text', () => {
    const error = errorOf("{% if not defined(x) %}{{ error('x is ' + 'needed') }}{% end %}");
    expect(error).toMatchObject({ message: 'x is needed', status: 400, body: undefined });
  });

  it('by custom_error() is its body', () => {
    const error = errorOf("{{ custom_error({'error_id': 10, 'error': 'no', 'more': [1, None, True, x]}, 404) }}", {
      x: "a'",
    });
    expect(error.status).toBe(404);
    expect(error.body).toEqual({ error_id: 10, error: 'no', more: [1, null, true, "a'"] });
    expect(error.message).toBe('{"error_id":10,"error":"no","more":[1,null,true,"a\'"]}');
  });

  it('keeps a key such as __proto__ a key', () => {
    const { body } = errorOf('{{ custom_error(JSON(x)) }}', { x: '{"__proto__":{"a":1}}' });
    expect(Object.keys(body as object)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(body)).toBe(Object.prototype);
  });
});

describe('names', () => {
  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'prototype'])(
    'such as %s are parameters like any other',
    (name) => {
      expect(render(`{% if defined(${name}) %}1{% else %}2{% end %}`)).toBe('2');
      expect(renderTemplate(parseTemplate(`%{{ ${name} }}`, { node: 'top' }), new Map([[name, 'v']])).sql).toBe("'v'");
    },
  );

  it('of parameters that were looked at are listed', () => {
    expect(renderAll('{% if a %}{{ b }}{% end %}{{ Int8(c, 1) }}{% set d = 1 %}{{ d }}').used).toEqual(['a', 'c']);
  });
});

describe('the place of a value in the SQL', () => {
  it.each([
    ["SELECT '{{ String(x) }}'"],
    ["SELECT 'a\\' {{ String(x) }}'"],
    ["SELECT '''{{ String(x) }}'"],
    ['SELECT `{{ column(x) }}`'],
    ['SELECT "{{ String(x) }}"'],
    ['SELECT $a${{ String(x) }}$a$'],
    [`SELECT $${'t'.repeat(100)}$ {{ String(x) }}`],
    ["SELECT '{{ Int32(x) }}'"],
    ["{% if True %}SELECT '{% end %}{{ x }}'"],
    ["SELECT 1 /* it's */ + '{{ x }}'"],
    ["SELECT 1 -- it's\n + '{{ x }}'"],
  ])('is not between quotes: %j', (body) => {
    expect(errorOf(body, { x: '5' }).message).toContain(
      'stands between quotes there; leave them out, values bring their own',
    );
  });

  it.each([
    ["INTERVAL '{{ Int(x) }} day'", { x: '7' }, "INTERVAL '7 day'"],
    ["'{{ Int(x) }}'", { x: '-7' }, "'-7'"],
    ["'it''s' = {{ x }}", { x: 'a' }, "'it''s' = 'a'"],
    ["1 /* ' */ = {{ x }}", { x: 'a' }, "1 /* ' */ = 'a'"],
    ["1 -- '\n = {{ x }}", { x: 'a' }, "1 -- '\n = 'a'"],
    ["1 # '\n = {{ x }}", { x: 'a' }, "1 # '\n = 'a'"],
    ["1 // '\n = {{ x }}", { x: 'a' }, "1 // '\n = 'a'"],
    ["/* /* ' */ ' */ {{ x }}", { x: 'a' }, "/* /* ' */ ' */ 'a'"],
    ["$a$ ' $a$ = {{ x }}", { x: 'a' }, "$a$ ' $a$ = 'a'"],
    ['x{{ x }}', { x: '41' }, "x '41'"],
    ["'a'{{ x }}'b'", { x: '41' }, "'a' '41' 'b'"],
    ['{{ x }}{{ x }}', { x: 'a' }, "'a' 'a'"],
    ['5 -{{ Int(x) }}', { x: '-1' }, '5 - -1'],
    ['5 - {{ Int(x) }}', { x: '-1' }, '5 - -1'],
    ['a.{{ column(x) }}.c', { x: 'b' }, 'a.`b`.c'],
    ['n{{ Int(x) }}', { x: '1' }, 'n1'],
  ])('is apart from its neighbours: %j', (body, given, sql) => {
    expect(render(body, given)).toBe(sql);
  });

  it('in a comment is left out, and nothing there is evaluated', () => {
    expect(render('SELECT 1 -- AND a = {{ String(x) }}\n/* {{ x }} */ + {{ Int8(y) }}', { y: '2', x: '*/\n' })).toBe(
      'SELECT 1 -- AND a = \n/*  */ + toInt8(2)',
    );
  });
});

describe('checking a template without values', () => {
  it('makes up what is missing and raises nothing', () => {
    const body =
      "{% if not defined(x) %}{{ error('x!') }}{{ custom_error({}) }}{% end %}SELECT {{ Int8(a) }}, {{ String(b) }}, {{ Array(c, 'Float32') }}, {{ Array(d) }}, {{ column(e) }}, {{ columns(f) }}, {{ g }}, {{ DateTime(h) }}, {{ Boolean(i) }}, {{ UUID(j) }}, {{ Int8(k, 7) }}, {{ day_diff(l, m) }}, {{ tb_secret('s') }}{{ max_threads(n) }} FROM {{ table(o) }}{% for p in q %}{% end %}";
    expect(render(body, {}, { missing: 'sample' })).toBe(
      "SELECT toInt8(0), '', [0.0], [''], 1, 1, '', '2019-01-01 00:00:00', 0, '00000000-0000-0000-0000-000000000000', toInt8(7), 0, '' FROM `placeholder`",
    );
  });

  it.each([
    "{{ x.split(',')[0] }}",
    "{{ String(x.split(',')[0], 'd') }}",
    '{% if x > 5 %}{% end %}',
    '{{ len(x) }}',
    "{{ JSON(x)['a'] }}",
    '{{ x[0] }}',
    "{{ x + 'a' }}",
    '{% for i in range(n) %}{% end %}',
    "{% for i in x.split(',') %}{% end %}",
  ])('goes on where a value is missing: %s', (body) => {
    expect(() => render(body, {}, { missing: 'sample' })).not.toThrow();
  });

  it('still refuses what does not fit', () => {
    expect(errorOf("{{ Int8(a, 'x') }}", {}, { missing: 'sample' }).message).toContain('does not fit');
  });
});

describe('limits', () => {
  const big = 'x'.repeat(200_000);

  it.each([
    ['{% for a in range(60000) %}{% for b in range(60000) %}{% end %}{% end %}', {}, 'steps'],
    [
      '{% for a in range(60000) %}{% if a == 1 or a == 2 or a == 3 or a == 4 or a == 5 %}{% end %}{% end %}',
      {},
      'steps',
    ],
    ["{% set a = 'x' %}{% for i in range(100) %}{% set a = a + a %}{% end %}", {}, 'the text is longer than'],
    ['{% set a = [1] %}{% for i in range(100) %}{% set a = a + a %}{% end %}', {}, 'the list is too long'],
    ['{% set a = [1] %}{% for i in range(100) %}{% set a = [a, a] %}{% end %}', {}, 'nested too deeply'],
    ['{% set a = [1] %}{% for i in range(28) %}{% set a = [a, a] %}{% end %}{{ a }}', {}, 'steps'],
    ['{% set a = [1] %}{% for i in range(28) %}{% set a = [a, a] %}{% end %}{{ a == a + [] }}', {}, 'steps'],
    ["{% set a = {'k': 1} %}{% for i in range(100) %}{% set a = {'k': a} %}{% end %}", {}, 'nested too deeply'],
    ['{% set a = 3 %}{% for i in range(100) %}{% set a = a * a %}{% end %}', {}, 'the number is too large'],
    ['{% set a = 3.0 %}{% for i in range(100) %}{% set a = a * a %}{% end %}', {}, 'the number is too large'],
    ['{% for i in range(1000) %}{{ x }}{% end %}', { x: big }, 'the SQL is longer than'],
    ["{% for i in range(1000) %}{{ 'abcdefghijklmnopqrstuvwxyz' }}{% end %}".repeat(30), {}, 'the SQL is longer than'],
    ["{{ x.replace('x', x) }}", { x: big }, 'the text is longer than'],
    ['{{ x.join([x, x]) }}', { x: big }, 'the text is longer than'],
    ["{% for i in range(60000) %}{% set a = x.replace('y', 'z') %}{% end %}", { x: big }, 'steps'],
    ["{% for i in range(60000) %}{% if x == x + '' %}{% end %}{% end %}", { x: big }, 'steps'],
    ["{% for i in range(60000) %}{% set a = split_to_array(x, separator='y') %}{% end %}", { x: big }, 'steps'],
    ['{% for i in range(60000) %}{% set a = JSON(x) %}{% end %}', { x: `"${big}"` }, 'steps'],
    ['{% for i in range(60000) %}{% set a = columns(x) %}{% end %}', { x: 'ab,'.repeat(60_000) + 'a' }, 'steps'],
    [
      '{% for i in range(60000) %}{% set a = x.strip().split() %}{% end %}',
      { x: `${' '.repeat(200_000)}x${' '.repeat(50_000)}y` },
      'steps',
    ],
    ['{{ Float64(x) }}', { x: `${'9'.repeat(200_000)}x` }, 'does not fit'],
    ['{{ Int64(x) }}', { x: `${'9'.repeat(200_000)}x` }, 'does not fit'],
    ['{{ Array(x, "Int8") }}', { x: `[${' '.repeat(200_000)}] x ]` }, 'does not fit'],
    ['{{ day_diff(x, x) }}', { x: ' '.repeat(200_000) }, 'takes dates of the format'],
    [
      "{{ date_diff_in_days(x, x, date_format='%Y                                        %m') }}",
      { x: `2024${' '.repeat(40)}x` },
      'takes dates of the format',
    ],
    ['{{ String(x) }}', { x: 'x'.repeat(300_000) }, 'parameter x is too large'],
    [
      '{{ x }}',
      { x: JSON.parse('['.repeat(40) + ']'.repeat(40)) as unknown },
      'parameter x is too large, nested too deeply',
    ],
    ["{{ JSON(x)['a'] }}", { x: '{"a":'.repeat(40) + '1' + '}'.repeat(40) }, 'does not fit'],
    ['{{ x }}', { x: '\ud800' }, 'no valid Unicode'],
    ['{{ x }}', { x: Symbol('x') }, 'parameter x is too large'],
    ['{{ x }}', { x: Number.NaN }, 'parameter x is too large'],
  ])('end %j', (body, given, why) => {
    expect(errorOf(body, given).message).toContain(why);
  });
});
