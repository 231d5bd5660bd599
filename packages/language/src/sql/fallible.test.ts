/** What can fail on a row, against the real engine: nothing that is called total does, whatever the rows hold. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '@glasshouse/model';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fallibility } from './fallible.ts';
import { EXPLAIN_SETTINGS, EXPLAIN_TREE, parseResolved } from './resolved.ts';
import { totalFunctions, type Totality } from './total.ts';

interface Engine {
  query(sql: string, format: string): string;
  cleanup(): void;
}

const chdb: unknown = createRequire(import.meta.url)('chdb');

/** Twice of it overflows, and so does a thousandth of its unit. */
const HUGE_DECIMAL = "toDecimal128('99999999999999999999999999.999999999999', 12)";

/** Types with what is ordinary of them, and what is not. */
const VALUES: readonly (readonly [type: string, tame: string, nasty: readonly string[]])[] = [
  ['String', "'1'", ["''", "'\\0\\xff\\xfe'", '\'{"a":[\'', "'99999999999999999999999'", "'%('", "repeat('x', 3000)"]],
  ['LowCardinality(String)', "'a'", ["''", "'\\xff'", "'SECRET'"]],
  ['Nullable(String)', "'1'", ['NULL', "'x'"]],
  ['FixedString(4)', "'1234'", ["'\\0\\0\\0\\0'", "'\\xff\\xff\\xff\\xff'"]],
  ['Int64', '1', ['-9223372036854775808', '9223372036854775807', '0']],
  ['UInt64', '1', ['18446744073709551615', '0']],
  ['Int256', '1', ["toInt256('-57896044618658097711785492504343953926634992332820282019728792003956564819968')", '0']],
  ['Nullable(Int32)', '1', ['NULL', '-2147483648']],
  ['Float64', '1', ['nan', 'inf', '-inf', '1e308', '-0.0']],
  ['Bool', 'true', ['false']],
  ['Date', "'2024-02-29'", ["'1970-01-01'", "'2149-06-06'"]],
  ['DateTime', "'2024-02-29 12:00:00'", ["'1970-01-01 00:00:00'", "'2106-02-07 06:28:15'"]],
  ['DateTime64(3)', "'2024-02-29 12:00:00'", ["'1900-01-01 00:00:00'", "'2299-12-31 23:59:59.999'"]],
  ['DateTime64(9)', "'2024-02-29 12:00:00'", ["'1900-01-01 00:00:00'", "'2262-04-11 23:47:16'"]],
  ["Enum8('a' = 1, 'b' = -128)", "'a'", ["'b'"]],
  ['UUID', "'00000000-0000-0000-0000-000000000001'", ["'ffffffff-ffff-ffff-ffff-ffffffffffff'"]],
  ['IPv4', "'1.2.3.4'", ["'255.255.255.255'"]],
  ['IPv6', "'::1'", ["'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'"]],
  ['Array(String)', "['a']", ['[]', "['\\xff', '']"]],
  ['Array(Int64)', '[1, 2]', ['[]', '[-9223372036854775808]']],
  ['Map(String, String)', "map('a', '1')", ['map()', "map('\\xff', '')"]],
  ['Map(LowCardinality(String), String)', "map('a', '1')", ['map()', "map('SECRET', 'SECRET')"]],
  ['Decimal(38, 12)', '1', [HUGE_DECIMAL, `-${HUGE_DECIMAL}`, '0']],
  ['Nullable(Decimal(18, 4))', '1', ['NULL', "toDecimal64('99999999999999.9999', 4)", '0']],
  ['Decimal(76, 70)', '1', ["toDecimal256('999999', 70)", "toDecimal256('-999999', 70)", '0']],
  ['Map(LowCardinality(String), Decimal(38, 12))', "map('a', 1)", ['map()', `map('a', ${HUGE_DECIMAL}, '', 0)`]],
  ['Tuple(Int64, String)', "(1, 'a')", ["(-9223372036854775808, '')"]],
];

const TABLES = VALUES.map(([type, tame, nasty], index) => ({ type, name: `t${index}`, tame, nasty }));

let directory: string;
let engine: Engine;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'fallible-'));
  engine = openEngine(directory);
  const settings = Object.entries({ ...EXPLAIN_SETTINGS, allow_suspicious_low_cardinality_types: '1' });
  engine.query(`SET ${settings.map(([name, value]) => `${name} = ${value}`).join(', ')}`, 'TSVRaw');
  engine.query('CREATE DATABASE acme', 'TSVRaw');
  engine.query('USE acme', 'TSVRaw');
  for (const { type, name, tame, nasty } of TABLES) {
    engine.query(`CREATE TABLE ${name} (c ${type}, d ${type}) ENGINE = Memory`, 'TSVRaw');
    const values = nasty.flatMap((one) => [tame, ...nasty].map((other) => `(${one}, ${other})`));
    engine.query(`INSERT INTO ${name} VALUES ${values.join(', ')}`, 'TSVRaw');
    engine.query(`CREATE TABLE ${name}_empty AS ${name}`, 'TSVRaw');
  }
  engine.query(
    `CREATE TABLE f (name LowCardinality(String), s String, k UInt64, i Int32, x Float64, dec Decimal(18, 4), costs Map(LowCardinality(String), Decimal(38, 12)), ts DateTime64(9),
     ts3 DateTime64(3), dt DateTime, d Date, m Map(LowCardinality(String), String), a Array(Int64), j JSON,
     al String ALIAS toUInt8(s), u AggregateFunction(sum, UInt64)) ENGINE = MergeTree ORDER BY k`,
    'TSVRaw',
  );
});

afterAll(() => {
  engine.cleanup();
  rmSync(directory, { recursive: true, force: true });
});

describe('a function that is called total', () => {
  it.each(totalFunctions())('%s (%s) fails on no row', (name, totality) => {
    let called = 0;
    for (const { name: table } of TABLES) {
      for (const call of callsOf(name, totality)) {
        const query = `SELECT ${call} AS q FROM ${table}`;
        if (findingOf(`SELECT q FROM (${query})`)?.fails !== 'never') continue;
        // What fails without a row does not depend on any.
        if (errorOf(() => engine.query(`${query}_empty FORMAT Null`, 'TSVRaw')) !== undefined) continue;
        called += 1;
        expect([query, errorOf(() => engine.query(`${query} FORMAT Null`, 'TSVRaw'))]).toEqual([query, undefined]);
      }
    }
    expect(called).toBeGreaterThan(0);
  });
});

describe('never fails', () => {
  it.each([
    'SELECT k FROM f WHERE isNotNull(dec) AND toFloat64(dec) > 1',
    "SELECT k FROM f WHERE dec > 0 AND 0 <= dec AND costs['a'] != 0 AND dec BETWEEN 0 AND 0",
    "SELECT sumArray([costs['a'], costs['b']]) AS s, sumIf(dec, dec > 0) FROM f WHERE isNull(costs['c']) GROUP BY k HAVING s > 0",
    'SELECT toUInt8(s), toDate(s) AS day, count() FROM f WHERE k > 1 GROUP BY day, s ORDER BY toUInt8(s) LIMIT 1 BY toUInt8(s)',
    "SELECT k FROM f WHERE name = 'x' AND ts >= now() - INTERVAL 7 DAY AND ts < now64(3) + 1",
    "SELECT k FROM f WHERE name LIKE '%x%' OR m['a'] IN ('b', 'c') AND NOT k BETWEEN 1 AND 2",
    'SELECT k FROM f WHERE toDate(ts) = today() AND toStartOfInterval(ts, INTERVAL 5 MINUTE) > now() AND dt > toDateTime(0)',
    'SELECT t, avg(v) FROM (SELECT toStartOfHour(ts) AS t, max(k) AS v FROM f WHERE lower(name) = s GROUP BY t) GROUP BY t',
    'WITH c AS (SELECT k, i + k * 2 AS n FROM f) SELECT * FROM c AS a JOIN c AS b ON a.k = b.k WHERE a.n > 3',
    "SELECT count() FROM f WHERE JSONExtractString(s, 'a', 'b') = 'x' AND toInt64OrZero(s) > 500",
    'SELECT arrayFilter(y -> y > 1, a) AS q FROM f WHERE arrayExists(y -> y % 5 = 0, a) AND has(a, k)',
    'SELECT k FROM f ORDER BY k LIMIT 5',
    "SELECT k FROM f WHERE if(k > 1, 'a', s) = 'a' AND CAST(k AS String) != '' AND i::Float64 > 1",
    'SELECT k, row_number() OVER (PARTITION BY name ORDER BY k) AS r FROM f QUALIFY r = 1',
    'SELECT k AS ` leading`, 1 AS `PROJECTION`, 2 AS `CONSTANT id: 5`, 3 AS `FUNCTION id: 7, function_name: file` FROM f',
  ])('%s', (sql) => {
    expect(findingOf(sql)).toMatchObject({ fails: 'never', because: undefined });
  });
});

it('tells of what the result is made of', () => {
  expect(findingOf('SELECT DISTINCT toUInt8(s) FROM f')).toMatchObject({ fails: 'never', resultFails: true });
  expect(findingOf('SELECT k FROM f ORDER BY intDiv(1, k)')).toMatchObject({ fails: 'never', resultFails: true });
  expect(findingOf('SELECT DISTINCT lower(s), max(k) FROM f GROUP BY s')).toMatchObject({ resultFails: false });
});

it.each([
  ['SELECT k FROM f WHERE intDiv(k, 5) > 1 AND round(x, 2) > 1', false],
  ['SELECT k FROM f WHERE intDiv(k, toUInt8(5)) > 1', true],
  ['SELECT intDiv(k, 4 + 1) FROM f', true],
  ['SELECT k FROM f WHERE round(x, 1 + 1) > 1', true],
  ["SELECT k FROM f WHERE s LIKE concat('a', 'b')", true],
  ['SELECT k FROM f WHERE k > 4 + 1', false],
])('of %s a finding hangs on values: %s', (sql, hangs) => {
  expect(findingOf(sql)).toMatchObject({ fails: 'never', hangsOnValues: hangs });
});

describe('fails on texts only', () => {
  it.each([
    ['SELECT k FROM f WHERE toInt64(s) > 500', 'toInt64'],
    ["SELECT k FROM f WHERE toFloat64(m['a']) > 1 AND k = 1", 'toFloat64'],
    ['SELECT k FROM f WHERE parseDateTimeBestEffort(name) > now() AND toUInt8(s) = 1', 'parseDateTimeBestEffort'],
    ['SELECT max(v) FROM (SELECT toFloat64(s) AS v FROM f)', 'toFloat64'],
    ["SELECT k FROM f WHERE s LIKE '%x%' AND match(name, '^x|y$')", 'match'],
  ])('%s', (sql, because) => {
    expect(findingOf(sql)).toMatchObject({ fails: 'on_text', because });
  });
});

describe('can fail', () => {
  it.each([
    ['SELECT k FROM f WHERE throwIf(k = 1) = 0', 'throwIf'],
    ['SELECT k FROM f WHERE intDiv(1, k) = 0', 'intDiv'],
    ['SELECT k FROM f WHERE toInt64(concat(s, s)) = 0', 'toInt64'],
    ['SELECT k FROM (SELECT toString(ts) AS t, k FROM f) WHERE toInt64(t) = 0', 'toInt64'],
    [
      'SELECT k FROM (SELECT name AS `x, result_type: UInt8, source_id: 3`, k FROM f) WHERE toUInt8(`x, result_type: UInt8, source_id: 3`) = 1',
      'toUInt8',
    ],
    ['SELECT k FROM f WHERE ts + 1 > now()', 'plus'],
    ['SELECT k FROM f WHERE ts + INTERVAL 1 YEAR > now()', 'plus'],
    ['SELECT q FROM (SELECT dec * 2 AS q FROM f)', 'multiply'],
    ['SELECT k FROM f WHERE dec > 1', 'greater'],
    ['SELECT k FROM f WHERE dec BETWEEN 0 AND 1', 'lessOrEquals'],
    ['SELECT k FROM f WHERE dec > 0.0', 'greater'],
    ["SELECT k FROM f WHERE dec > '0'", 'greater'],
    ['SELECT k FROM f WHERE dec > 0 + 0', 'greater'],
    ['SELECT k FROM f WHERE dec > toUInt8(0)', 'greater'],
    ['SELECT k FROM f WHERE dec > toDecimal32(0, 9)', 'greater'],
    ['SELECT k FROM f WHERE dec = dec', 'equals'],
    ["SELECT k FROM f WHERE dec = costs['a']", 'equals'],
    ["SELECT q FROM (SELECT max([dec, costs['a']]) AS q FROM f)", 'array'],
    ['SELECT q FROM (SELECT max([dec, 0]) AS q FROM f)', 'array'],
    ['SELECT k FROM f WHERE [dec] = []', 'equals'],
    ["SELECT q FROM (SELECT max(costs['a'] + costs['b']) AS q FROM f)", 'plus'],
    ['SELECT q FROM (SELECT max(-dec) AS q FROM f)', 'negate'],
    ['SELECT q FROM (SELECT max(round(dec, 1)) AS q FROM f)', 'round'],
    ['SELECT q FROM (SELECT max(costs[s]) AS q FROM f)', 'arrayElement'],
    ["SELECT k FROM f WHERE j.a = 'x'", 'equals'],
    ['SELECT k FROM f WHERE throwIf(toUInt8(al)) = 1', 'throwIf'],
    ['SELECT k FROM f WHERE s LIKE name', 'like'],
    ['SELECT k FROM f WHERE a[k] = 1', 'arrayElement'],
    ['SELECT k FROM f WHERE toStartOfInterval(ts, INTERVAL 5 NANOSECOND) > now()', 'toStartOfInterval'],
    ['SELECT k FROM f WHERE ts3 > ts', 'comparison of times'],
    ['SELECT k FROM f WHERE ts3 > now64(9)', 'comparison of times'],
    ['SELECT k FROM f WHERE arrayMap((p, q) -> p, a, a) = a', 'arrayMap'],
    ['SELECT k FROM f WHERE arrayExists(y -> intDiv(1, y) = 1, a)', 'intDiv'],
    ["SELECT CAST(k, 'String') FROM f WHERE CAST(nullIf(k, 1), 'UInt64') = 1", 'CAST'],
    ['SELECT k FROM f WHERE toInt64(x) = 1', 'toInt64'],
    ['SELECT toUInt8(s) AS q FROM f GROUP BY q HAVING q > 1 AND intDiv(1, q) = 1', 'intDiv'],
    ['SELECT k FROM f AS p JOIN f AS q ON p.k = intDiv(1, q.k)', 'intDiv'],
    ['SELECT k IN (SELECT intDiv(1, k) FROM f) FROM f', 'intDiv'],
    ['SELECT (SELECT max(intDiv(1, k)) FROM f)', 'intDiv'],
    ['SELECT 1 UNION ALL SELECT intDiv(1, k) FROM f', 'intDiv'],
    ['SELECT * FROM view(SELECT k + 1 FROM f)', 'of a table function'],
    ['SELECT sum(intDiv(1, k)) AS n FROM f HAVING n > 1', 'intDiv'],
    ['SELECT k FROM f QUALIFY max(intDiv(1, k)) OVER () > 1', 'intDiv'],
    ['SELECT k FROM f ARRAY JOIN arrayMap(y -> intDiv(1, y), a) AS e', 'intDiv'],
  ])('%s', (sql, because) => {
    expect(findingOf(sql)).toMatchObject({ fails: 'anywhere', because });
  });

  it.each([
    'if(1 = 2, throwIf(k = 1), 0) = 0',
    "if(now() > toDateTime('2100-01-01 00:00:00'), throwIf(k = 1), 0) = 0",
    'CASE WHEN 1 = 2 THEN throwIf(k = 1) ELSE 0 END = 0',
    'multiIf(0, throwIf(k = 1), 1, 2, 3) = 2',
    'randConstant() = 5 AND throwIf(k = 1)',
    '(SELECT 0) AND throwIf(k = 1)',
    'coalesce(1, throwIf(k = 1)) = 1',
    'NULL = throwIf(k = 1)',
    'throwIf(k = 1) IN ()',
    'isNull(throwIf(k = 1))',
    "toTypeName(throwIf(k = 1)) = ''",
  ])('although a constant hides it now: %s', (condition) => {
    expect(findingOf(`SELECT k FROM f WHERE ${condition}`)).toMatchObject({ fails: 'anywhere' });
  });

  it('although a text pretends to be a constant', () => {
    const key = 'a\\n  WHERE\\n    CONSTANT id: 1, constant_value: UInt64_1, constant_value_type: UInt8';
    expect(findingOf(`SELECT k FROM f WHERE m['${key}'] = 'x' AND throwIf(k = 1) = 0`)?.because).toBe('throwIf');
    expect(
      findingOf(
        `SELECT k FROM (SELECT '${key}' AS c, s, k FROM f) WHERE concat(c, s, '${key}') = s AND throwIf(k = 1) = 0`,
      )?.because,
    ).toBe('throwIf');
  });
});

describe('parseResolved', () => {
  it('takes no text that is not a tree', () => {
    for (const text of [
      '',
      'x',
      ' QUERY id: 0',
      'QUERY id: 0\n    WHERE',
      'QUERY id: 0\n WHERE',
      'TABLE id: 0',
      'QUERY id: 0\nQUERY id: 1',
    ])
      expect(() => parseResolved(text)).toThrow(AppError);
  });

  it('ends in a tree or a refusal for any text', () => {
    const line = fc.tuple(
      fc.integer({ min: 0, max: 8 }),
      fc.constantFrom(
        'QUERY id: 0',
        'PROJECTION COLUMNS',
        'PROJECTION',
        'CONSTANT id: 3',
        'FUNCTION id: 2, function_name: f',
        'x',
        '',
      ),
    );
    fc.assert(
      fc.property(fc.array(line), fc.string(), (lines, tail) => {
        const text = `QUERY id: 0\n${lines.map(([indent, rest]) => ' '.repeat(indent) + rest).join('\n')}${tail}`;
        try {
          fallibility(parseResolved(text));
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
        }
      }),
      { seed: 42, numRuns: 500 },
    );
  });
});

/** A function's calls that may suit it: those that do not are not resolved. */
function callsOf(name: string, totality: Totality): string[] {
  const call = (...parameters: readonly string[]): string[] => parameters.map((list) => `${name}(${list})`);
  switch (totality) {
    case 'always':
    case 'comparison':
      return call('', 'c', 'c, d', 'c = d, c, d', "c, 'a'", 'c, 1', 'c, 0', '0, c', 'c, (c, d)');
    case 'pattern':
      return call('c', "c, 'a'", "c, '%a_[('", "c, 'a\\\\\\\\'", "c, 'a', 'b'", 'c, d', "'a', c");
    case 'rounding':
      return call('c', 'c, 2', 'c, -9', 'c, 12', 'c, 18', 'c, d', 'c, 70000');
    case 'first':
    case 'one':
      return [
        ...call('c', "c, 'a'", "'a', c", 'c, 1', 'c, -3, 2', "c, 'Int64'", "c, 'a', 'b'"),
        ...call("c, ['a', 'b'], ['c', 'd'], ''", 'c, [1, 2], [3, 4], 0'),
      ];
    case 'numbers':
    case 'divisor':
      return call('c', 'c, d', 'c, 3', '3, c', 'c, 9223372036854775807', 'c, -1');
    case 'from numbers':
      return call('c', "c, 'UTC'");
    case 'clock':
    case 'times':
      return call(
        'c',
        "c, 'UTC'",
        'c, toIntervalMinute(5)',
        'c, toIntervalMonth(1)',
        "'hour', c",
        "'month', c",
        "c, '%Y-%m-%d %T'",
        "c, '%j', 'UTC'",
      );
    case 'higher order':
      return call('y -> y != y, c', 'y -> toString(y), c', '(k, v) -> (k, v), c', '(k, v) -> k = v, c', 'c');
    case 'element':
      return call('c, 1', 'c, -5', "c, 'a'", 'c, d');
    case 'cast':
      return call(
        "c, 'String'",
        "c, 'Float64'",
        "c, 'Int64'",
        "c, 'Int8'",
        "c, 'Nullable(String)'",
        "c, 'LowCardinality(String)'",
        "c, 'Map(String, String)'",
      );
  }
}

function findingOf(sql: string): ReturnType<typeof fallibility> | undefined {
  let text: string;
  try {
    text = engine.query(EXPLAIN_TREE + sql, 'TSVRaw');
  } catch {
    return undefined;
  }
  return fallibility(parseResolved(text));
}

function errorOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return String(error);
  }
  return undefined;
}

function openEngine(at: string): Engine {
  if (typeof chdb !== 'object' || chdb === null || !('Session' in chdb) || typeof chdb.Session !== 'function')
    throw new Error('no engine');
  return Reflect.construct(chdb.Session, [at]) as Engine;
}
