/** Types of definitions: what is let through is a type to the real engine, and what is not a type never is let through. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '@glasshouse/model';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeCodec, judgeEngineSettings, judgeIndexType } from './table-parts.ts';
import { judgeType } from './types.ts';

interface Engine {
  query(sql: string, format: string): string;
  cleanup(): void;
}

const chdb: unknown = createRequire(import.meta.url)('chdb');

let directory: string;
let engine: Engine;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'types-'));
  if (typeof chdb !== 'object' || chdb === null || !('Session' in chdb) || typeof chdb.Session !== 'function')
    throw new Error('no engine');
  engine = Reflect.construct(chdb.Session, [directory]) as Engine;
  engine.query('CREATE DATABASE acme', 'TSV');
  engine.query(
    'SET allow_suspicious_low_cardinality_types = 1, allow_suspicious_variant_types = 1, enable_time_time64_type = 1',
    'TSV',
  );
});

afterAll(() => {
  engine.cleanup();
  rmSync(directory, { recursive: true, force: true });
});

const TYPES: readonly (readonly [given: string, judged: string])[] = [
  ['String', 'String'],
  [' UInt8 ', 'UInt8'],
  ['Int256', 'Int256'],
  ['Float64', 'Float64'],
  ['Bool', 'Bool'],
  ['UUID', 'UUID'],
  ['IPv6', 'IPv6'],
  ['Date32', 'Date32'],
  ['DateTime', 'DateTime'],
  ["DateTime('Europe/Madrid')", "DateTime('Europe/Madrid')"],
  ['DateTime64(3)', 'DateTime64(3)'],
  ["DateTime64( 9 ,'UTC')", "DateTime64(9, 'UTC')"],
  ['FixedString(16)', 'FixedString(16)'],
  ['Decimal(38,10)', 'Decimal(38, 10)'],
  ['Decimal64(4)', 'Decimal64(4)'],
  ['Nullable(String)', 'Nullable(String)'],
  ['LowCardinality(Nullable(String))', 'LowCardinality(Nullable(String))'],
  ['Array( Map(String,String) )', 'Array(Map(String, String))'],
  ['Map(LowCardinality(String), Array(UInt64))', 'Map(LowCardinality(String), Array(UInt64))'],
  ["Enum8('a'=1,'b' = -2)", "Enum8('a' = 1, 'b' = -2)"],
  ["Enum('x', 'it''s; fine)')", "Enum('x', 'it''s; fine)')"],
  ['Tuple(UInt8, String)', 'Tuple(UInt8, String)'],
  ['Tuple(a UInt8, `b c` Array(String))', 'Tuple(a UInt8, `b c` Array(String))'],
  ['Nested(id UInt8, name String)', 'Nested(id UInt8, name String)'],
  ['JSON', 'JSON'],
  [
    "JSON(max_dynamic_paths=8, a.b UInt32, SKIP c, SKIP REGEXP '^x')",
    "JSON(max_dynamic_paths = 8, a.b UInt32, SKIP c, SKIP REGEXP '^x')",
  ],
  ['Dynamic(max_types=8)', 'Dynamic(max_types = 8)'],
  ['Variant(UInt8, String)', 'Variant(UInt8, String)'],
  ['AggregateFunction(count)', 'AggregateFunction(count)'],
  ['AggregateFunction(sum, UInt64)', 'AggregateFunction(sum, UInt64)'],
  ['AggregateFunction(quantiles(0.5, 0.9), Float64)', 'AggregateFunction(quantiles(0.5, 0.9), Float64)'],
  ['AggregateFunction(uniqIf, String, UInt8)', 'AggregateFunction(uniqIf, String, UInt8)'],
  ['SimpleAggregateFunction(max, DateTime64(3))', 'SimpleAggregateFunction(max, DateTime64(3))'],
  ['Point', 'Point'],
  ['BIGINT', 'BIGINT'],
  ['varchar(255)', 'varchar(255)'],
];

describe('judgeType', () => {
  it.each(TYPES)('%s is %s, to the engine too', (given, judged) => {
    expect(judgeType(given)).toBe(judged);
    expect(judgeType(judged)).toBe(judged);
    engine.query(`CREATE TABLE acme.t (k UInt8, c ${judged}) ENGINE = MergeTree ORDER BY k`, 'TSV');
    engine.query('DROP TABLE acme.t SYNC', 'TSV');
  });

  it.each([
    '',
    'Nothing',
    'Set',
    'IntervalDay',
    "Object('json')",
    'QBit(Float32, 8)',
    "String DEFAULT file('/etc/passwd')",
    'String) ENGINE = File(CSV',
    'String, b String',
    'String CODEC(NONE)',
    'String MATERIALIZED 1',
    'String -- ',
    'String;',
    'Array',
    'Array()',
    'Array(String, String)',
    'Map(String)',
    'Nullable(String',
    'Nullable(String))',
    'Array(1)',
    'Decimal(1, 2, 3)',
    'Decimal(sleep(3))',
    'FixedString(1 + 1)',
    'FixedString(-1)',
    'FixedString({n:UInt8})',
    "DateTime(file('/etc/passwd'))",
    'DateTime(timezone())',
    'DateTime64(3, timezone())',
    'DateTime64',
    "Enum8('a' = 1 + 1)",
    "Enum8('a' = (SELECT 1))",
    'Enum8(a = 1)',
    "Enum8(x'41' = 1)",
    'Nested(String)',
    'Nested(a)',
    'Tuple(a b c)',
    'Tuple(`a` b` String)',
    'AggregateFunction(file, String)',
    'AggregateFunction(aggThrow(0.5), UInt8)',
    'AggregateFunction(lower, String)',
    'AggregateFunction(sum(SELECT 1), UInt8)',
    'AggregateFunction(quantile(x), UInt8)',
    'AggregateFunction()',
    'JSON(SKIP REGEXP file(1))',
    'JSON(max_dynamic_paths = x)',
    'JSON(max_other = 1)',
    'Dynamic(8)',
    '`String`',
    "'String'",
    'String.x',
    '(String)',
    `${'Array('.repeat(40)}String${')'.repeat(40)}`,
    'x'.repeat(30_000),
  ])('refuses %j', (given) => {
    expect(() => judgeType(given, 'the type of column=a')).toThrow(
      /^cannot (?:use the type of column=a|read the query)/u,
    );
  });

  it('says where', () => {
    expect(() => judgeType('Map(String, Strin)', 'the type of column=a')).toThrow(
      'cannot use the type of column=a at position 13: there is no type Strin',
    );
  });

  it('makes of any text a type that stays the same, or a refusal', () => {
    const part = fc.constantFrom(
      ..."Array ( ) , String Map Nullable Enum8 'a' = 1 - Tuple a `b` Nested JSON SKIP . AggregateFunction sum ; DateTime64 3 /* */ -- \n".split(
        ' ',
      ),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), fc.constantFrom('', ' '), (parts, space) => {
        let judged: string;
        try {
          judged = judgeType(parts.join(space));
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          return;
        }
        expect(judgeType(judged)).toBe(judged);
      }),
      { seed: 7, numRuns: 2_000 },
    );
  });
});

describe('codecs, indexes and settings', () => {
  it.each([
    ['ZSTD(1)', 'ZSTD(1)'],
    ['CODEC(Delta(8), LZ4)', 'Delta(8), LZ4'],
    ["codec( T64('bit'),ZSTD )", "T64('bit'), ZSTD"],
    ['DoubleDelta', 'DoubleDelta'],
  ])('takes codec %s', (given, judged) => {
    expect(judgeCodec(given)).toBe(judged);
    engine.query(`CREATE TABLE acme.c (k UInt64 CODEC(${judged})) ENGINE = MergeTree ORDER BY tuple()`, 'TSV');
    engine.query('DROP TABLE acme.c SYNC', 'TSV');
  });

  it.each([
    '',
    'AES_128_GCM_SIV',
    'ZSTD(sleep(1))',
    'ZSTD(1',
    'ZSTD(1)) DEFAULT 1',
    'ZSTD; DROP',
    'ZSTD(1),',
    'ZSTD(a)',
    'CODEC(ZSTD) x',
    'LZ4 -- x) y',
  ])('refuses codec %j', (given) => {
    expect(() => judgeCodec(given)).toThrow(AppError);
  });

  it.each([
    ['minmax', 'minmax'],
    ['bloom_filter(0.01)', 'bloom_filter(0.01)'],
    ['ngrambf_v1(3, 256, 2, 0)', 'ngrambf_v1(3, 256, 2, 0)'],
    ["text(tokenizer = 'splitByNonAlpha')", "text(tokenizer = 'splitByNonAlpha')"],
    ['text(tokenizer = sparseGrams)', 'text(tokenizer = sparseGrams)'],
    ['set(100)', 'set(100)'],
  ])('takes index %s', (given, judged) => {
    expect(judgeIndexType(given)).toBe(judged);
    engine.query(`CREATE TABLE acme.i (k String, INDEX x k TYPE ${judged}) ENGINE = MergeTree ORDER BY tuple()`, 'TSV');
    engine.query('DROP TABLE acme.i SYNC', 'TSV');
  });

  it.each(['', 'hypothesis', 'minmax, set(1)', 'set(100) GRANULARITY 1', 'bloom_filter(file(1))', 'set(SELECT 1)'])(
    'refuses index %j',
    (given) => {
      expect(() => judgeIndexType(given)).toThrow(AppError);
    },
  );

  it('takes settings that change how a table is stored, and no others', () => {
    expect(judgeEngineSettings({ index_granularity: '8192', ttl_only_drop_parts: "'1'" })).toEqual({
      index_granularity: '8192',
      ttl_only_drop_parts: '1',
    });
    for (const [name, value] of [
      ['storage_policy', "'x'"],
      ['disk', "'x'"],
      ['index_granularity', '1, disk = 2'],
      ['index_granularity', "disk('x')"],
      ['replicated_deduplication_window', '0'],
      ['__proto__', '1'],
    ] as const)
      expect(() => judgeEngineSettings({ [name]: value })).toThrow(AppError);
  });
});
