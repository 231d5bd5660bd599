/** The plan of a deployment: what changes and what it costs. What is called in place is done in place by the real engine. */

import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSource, Pipe } from '@glasshouse/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change } from './change.ts';
import { diffResource } from './diff.ts';
import { parseDataFile } from './parse.ts';
import { isWidening } from './widening.ts';

interface Engine {
  query(sql: string, format: string): string;
  cleanup(): void;
}

const chdb = createRequire(import.meta.url)('chdb') as { readonly Session: new (path: string) => Engine };

const source = (text: string): DataSource => parseDataFile(text, { file: 'x.datasource' }).resource as DataSource;
const pipe = (text: string): Pipe => parseDataFile(text, { file: 'p.pipe' }).resource as Pipe;

const BASE = `SCHEMA >
    ts DateTime,
    id String,
    n UInt32,
    s Nullable(String) DEFAULT 'x',
    day Date MATERIALIZED toDate(ts),
    shown String ALIAS upper(id)

ENGINE "ReplacingMergeTree"
ENGINE_PARTITION_KEY "toYYYYMM(ts)"
ENGINE_SORTING_KEY "id, ts"
ENGINE_VER "n"
ENGINE_TTL "ts + toIntervalDay(30)"
ENGINE_SETTINGS "index_granularity=8192, merge_with_ttl_timeout=3600"
INDEXES >
    by_n n TYPE minmax GRANULARITY 1
`;

/** `type impact subject: before > after`. */
function short({ type, impact, subject, before, after }: Change): string {
  return `${type} ${impact}${subject === undefined ? '' : ` ${subject}`}: ${before ?? '-'} > ${after ?? '-'}`;
}

describe('a data source', () => {
  it.each([
    ['', '', []],
    ['    n UInt32,', '    n UInt32,\n    m Float64 DEFAULT 0,', ['column_added inPlace m: - > Float64']],
    ["    s Nullable(String) DEFAULT 'x',\n", '', ['column_removed destructive s: Nullable(String) > -']],
    [',\n    shown String ALIAS upper(id)', '', ['column_removed inPlace shown: String > -']],
    ['n UInt32', 'n UInt64', ['column_type_changed rebuild n: UInt32 > UInt64']],
    ['n UInt32', 'n UInt16', ['column_type_changed destructive n: UInt32 > UInt16']],
    [
      's Nullable(String)',
      's LowCardinality(Nullable(String))',
      ['column_type_changed inPlace s: Nullable(String) > LowCardinality(Nullable(String))'],
    ],
    ['s Nullable(String)', 's String', ['column_type_changed destructive s: Nullable(String) > String']],
    [
      'shown String',
      'shown LowCardinality(String)',
      ['column_type_changed inPlace shown: String > LowCardinality(String)'],
    ],
    ["DEFAULT 'x'", "DEFAULT 'y'", ["column_default_changed inPlace s: DEFAULT 'x' > DEFAULT 'y'"]],
    [" DEFAULT 'x'", '', ["column_default_changed inPlace s: DEFAULT 'x' > -"]],
    ["DEFAULT 'x'", "ALIAS 'x'", ["column_default_changed destructive s: DEFAULT 'x' > ALIAS 'x'"]],
    [
      'ALIAS upper(id)',
      'MATERIALIZED upper(id)',
      ['column_default_changed rebuild shown: ALIAS upper(id) > MATERIALIZED upper(id)'],
    ],
    ['id String,', 'id String `json:$.user.id`,', ['column_path_changed inPlace id: - > $.user.id']],
    ['id String,', 'id String CODEC(ZSTD(3)),', ['column_codec_changed inPlace id: - > ZSTD(3)']],
    ['id String,', "id String COMMENT 'who',", ['column_comment_changed inPlace id: - > who']],
    [
      '    ts DateTime,\n    id String,',
      '    id String,\n    ts DateTime,',
      ['columns_reordered inPlace: ts, id, n, s, day, shown > id, ts, n, s, day, shown'],
    ],
    [
      '"ReplacingMergeTree"',
      '"MergeTree"',
      ['engine_changed rebuild ENGINE: ReplacingMergeTree > MergeTree', 'engine_changed rebuild ENGINE_VER: n > -'],
    ],
    ['"toYYYYMM(ts)"', '"toYear(ts)"', ['engine_changed rebuild ENGINE_PARTITION_KEY: toYYYYMM(ts) > toYear(ts)']],
    ['"id, ts"', '"(ts, id)"', ['engine_changed rebuild ENGINE_SORTING_KEY: id, ts > ts, id']],
    ['"id, ts"', '"(id, ts)"', []],
    ['"id, ts"', '"id,ts"', []],
    [
      'toIntervalDay(30)',
      'toIntervalDay(60)',
      ['ttl_changed inPlace ENGINE_TTL: ts + toIntervalDay(30) > ts + toIntervalDay(60)'],
    ],
    [
      'merge_with_ttl_timeout=3600',
      'merge_with_ttl_timeout=60',
      ['setting_changed inPlace merge_with_ttl_timeout: 3600 > 60'],
    ],
    ['index_granularity=8192', 'index_granularity=1024', ['setting_changed rebuild index_granularity: 8192 > 1024']],
    [
      'minmax GRANULARITY 1',
      'set(10) GRANULARITY 1',
      ['index_changed inPlace by_n: n TYPE minmax GRANULARITY 1 > n TYPE set(10) GRANULARITY 1'],
    ],
    [
      'INDEXES >\n    by_n n TYPE minmax GRANULARITY 1\n',
      '',
      ['index_removed inPlace by_n: n TYPE minmax GRANULARITY 1 > -'],
    ],
    [
      'SCHEMA >',
      'DESCRIPTION d\nTOKEN t READ\nTAGS a\nSCHEMA >',
      [
        'description_changed inPlace DESCRIPTION: - > d',
        'tokens_changed inPlace TOKEN: - > t READ',
        'tags_changed inPlace TAGS: - > a',
      ],
    ],
    [
      'INDEXES >',
      'SHARED_WITH w\nBACKFILL skip\nINDEXES >',
      ['backfill_changed inPlace BACKFILL: - > skip', 'shared_with_changed inPlace SHARED_WITH: - > w'],
    ],
  ] as const)('that changes %j to %j has the changes %j', (old, now, changes) => {
    expect(BASE).toContain(old);
    expect(diffResource(source(BASE), source(BASE.replace(old, now))).map(short)).toEqual(changes);
  });

  it('with a FORWARD_QUERY has its values converted', () => {
    const after = `${BASE.replace('n UInt32', 'n UInt16')}FORWARD_QUERY >\n    SELECT * REPLACE(toUInt16(n) AS n)\n`;
    expect(diffResource(source(BASE), source(after)).map(short)).toEqual([
      'column_type_changed rebuild n: UInt32 > UInt16',
      'forward_query_changed inPlace FORWARD_QUERY: - > SELECT * REPLACE(toUInt16(n) AS n)',
    ]);
  });

  it('with a FORWARD_QUERY that names a column does not lose its values', () => {
    const without = BASE.replace("    s Nullable(String) DEFAULT 'x',\n", '');
    const forward = (query: string): string[] =>
      diffResource(source(BASE), source(`${without}FORWARD_QUERY >\n    ${query}\n`)).map(short);
    expect(forward('SELECT ts, concat(id, s) AS id, n')).toContain('column_removed rebuild s: Nullable(String) > -');
    expect(forward("SELECT ts, 's' AS id, n -- s")).toContain('column_removed destructive s: Nullable(String) > -');
  });

  it('that keeps no rows any more loses them', () => {
    const changes = diffResource(source(BASE), source('SCHEMA a String\nENGINE Null'));
    expect(changes).toContainEqual(
      expect.objectContaining({ type: 'engine_changed', subject: 'ENGINE', impact: 'destructive' }),
    );
  });

  it('that becomes a pipe loses its rows, and the other way round nothing is lost', () => {
    const other = { ...pipe('NODE n\nSQL SELECT 1'), name: 'x' };
    expect(diffResource(source(BASE), other).map(short)).toEqual(['kind_changed destructive: datasource > pipe']);
    expect(diffResource(other, source(BASE)).map(short)).toEqual(['kind_changed rebuild: pipe > datasource']);
  });

  it('is not compared with another one', () => {
    expect(() => diffResource(source(BASE), { ...source(BASE), name: 'y' })).toThrow('BUG');
  });
});

const FILLING = `NODE first
SQL >
    SELECT * FROM events

NODE last
SQL >
    SELECT id, count() AS n FROM first GROUP BY id
TYPE materialized
DATASOURCE totals
`;

describe('a pipe', () => {
  const ENDPOINT = FILLING.replace('TYPE materialized\nDATASOURCE totals', 'TYPE endpoint');
  const ALTERED = FILLING.replace('DATASOURCE totals', 'DATASOURCE totals\nDEPLOYMENT_METHOD alter');
  const BASES = { filling: FILLING, answering: ENDPOINT, altered: ALTERED };

  it.each([
    [
      'filling',
      '* FROM events',
      'id FROM events',
      ['node_sql_changed rebuild first: SELECT * FROM events > SELECT id FROM events'],
    ],
    [
      'altered',
      '* FROM events',
      'id FROM events',
      ['node_sql_changed inPlace first: SELECT * FROM events > SELECT id FROM events'],
    ],
    [
      'answering',
      '* FROM events',
      'id FROM events',
      ['node_sql_changed inPlace first: SELECT * FROM events > SELECT id FROM events'],
    ],
    ['filling', 'DATASOURCE totals', 'DATASOURCE sums', ['node_setting_changed rebuild last: totals > sums']],
    [
      'filling',
      'DATASOURCE totals',
      'DATASOURCE totals\nDEPLOYMENT_METHOD alter',
      ['node_setting_changed inPlace last: - > alter'],
    ],
    [
      'answering',
      'TYPE endpoint',
      'TYPE materialized\nDATASOURCE t',
      ['node_type_changed rebuild last: endpoint > materialized', 'node_setting_changed rebuild last: - > t'],
    ],
    [
      'filling',
      'TYPE materialized\nDATASOURCE totals',
      'TYPE endpoint',
      ['node_type_changed inPlace last: materialized > endpoint', 'node_setting_changed inPlace last: totals > -'],
    ],
    [
      'answering',
      'NODE last',
      'NODE other',
      [
        'node_removed inPlace last: SELECT id, count() AS n FROM first GROUP BY id > -',
        'node_added inPlace other: - > SELECT id, count() AS n FROM first GROUP BY id',
      ],
    ],
    [
      'filling',
      'NODE last',
      'NODE other',
      [
        'node_removed inPlace last: SELECT id, count() AS n FROM first GROUP BY id > -',
        'node_added rebuild other: - > SELECT id, count() AS n FROM first GROUP BY id',
      ],
    ],
    ['answering', 'NODE first\n', 'NODE first\nDESCRIPTION d\n', ['node_description_changed inPlace first: - > d']],
    [
      'answering',
      'TYPE endpoint',
      'TYPE endpoint\nCACHE 60\nTOKEN t READ',
      ['tokens_changed inPlace TOKEN: - > t READ', 'cache_changed inPlace CACHE: - > 60'],
    ],
    ['answering', '', '', []],
  ] as const)('%s that changes %j to %j has the changes %j', (name, old, now, changes) => {
    const base = BASES[name];
    expect(base).toContain(old);
    expect(diffResource(pipe(base), pipe(base.replace(old, now))).map(short)).toEqual(changes);
  });

  it('says when its nodes change places', () => {
    const [a, b] = ['NODE a\nSQL SELECT 1\n', 'NODE b\nSQL SELECT 2\n'];
    expect(diffResource(pipe(a + b), pipe(b + a)).map(short)).toEqual(['nodes_reordered inPlace: a, b > b, a']);
  });
});

/** A type, one that has a place for each of its values, and a value that would show if it had not. */
const WIDENINGS: readonly (readonly [string, string, string])[] = [
  ['UInt8', 'UInt16', '255'],
  ['UInt8', 'Int16', '255'],
  ['Int8', 'Int256', '-128'],
  ['UInt32', 'UInt64', '4294967295'],
  ['Int16', 'Float32', '-32768'],
  ['UInt32', 'Float64', '4294967295'],
  ['Float32', 'Float64', '1.5'],
  ['String', 'Nullable(String)', "''"],
  ['String', 'LowCardinality(String)', "'a'"],
  ['LowCardinality(String)', 'String', "'a'"],
  ['LowCardinality(String)', 'LowCardinality(Nullable(String))', "'a'"],
  ['UInt8', 'Nullable(UInt64)', '255'],
  ['Nullable(UInt8)', 'Nullable(Int32)', 'NULL'],
  ['Array(UInt8)', 'Array(Nullable(UInt16))', '[255]'],
  ['Map(String, UInt8)', 'Map(String, UInt64)', "map('a', 255)"],
  ['Tuple(a UInt8, b String)', 'Tuple(a UInt16, b String)', "(255, 'x')"],
  ["Enum8('a' = 1)", "Enum8('a' = 1, 'b' = 2)", "'a'"],
  ["Enum8('a' = 1)", "Enum16('a' = 1, 'b' = 2)", "'a'"],
  ["Enum8('a' = 1)", 'String', "'a'"],
  ['Decimal(9, 2)', 'Decimal(18, 4)', '1234567.89'],
  ['FixedString(2)', 'FixedString(4)', "'ab'"],
  ['Date', 'Date32', "'2149-06-06'"],
  ['Date', 'String', "'2024-02-29'"],
  ['DateTime', 'DateTime64(3)', "'2106-02-07 06:28:15'"],
  ["DateTime('UTC')", "DateTime64(6, 'UTC')", "'1970-01-01 00:00:01'"],
  ['DateTime64(3)', 'DateTime64(6)', "'2024-01-01 00:00:00.123'"],
  ['UUID', 'String', "'61f0c404-5cb3-11e7-907b-a6006ad3dba0'"],
  ['Int64', 'String', '-9223372036854775808'],
  ['Bool', 'String', 'true'],
  ['Bool', 'Boolean', 'true'],
  ['IPv4', 'String', "'1.2.3.4'"],
];

describe('isWidening', () => {
  it.each(WIDENINGS)('is true from %s to %s', (before, after) => {
    expect(isWidening(before, after)).toBe(true);
    expect(isWidening(before, before)).toBe(true);
  });

  it.each([
    ['DateTime', "DateTime('UTC')"],
    ["DateTime('UTC')", "DateTime64(3, 'Europe/Madrid')"],
    ["DateTime64(3, 'UTC')", 'DateTime64(3)'],
  ])('does not look at time zones, so it is true from %s to %s', (before, after) => {
    expect(isWidening(before, after)).toBe(true);
  });

  it.each([
    ['UInt16', 'UInt8'],
    ['Int8', 'UInt8'],
    ['UInt32', 'Int32'],
    ['Int64', 'Float64'],
    ['UInt32', 'Float32'],
    ['Float64', 'Float32'],
    ['Float64', 'String'],
    ['String', 'UInt8'],
    ['Nullable(String)', 'String'],
    ['LowCardinality(Nullable(String))', 'LowCardinality(String)'],
    ['Nullable(String)', 'LowCardinality(String)'],
    ['Array(UInt16)', 'Array(UInt8)'],
    ['Array(UInt8)', 'String'],
    ['Map(String, UInt8)', 'Map(String, String, String)'],
    ['Tuple(a UInt8)', 'Tuple(b UInt8)'],
    ['Tuple(a UInt8)', 'Tuple(a UInt8, b UInt8)'],
    ["Enum8('a' = 1)", "Enum8('a' = 2)"],
    ["Enum8('a' = 1, 'b' = 2)", "Enum8('a' = 1)"],
    ["Enum16('a' = 1)", "Enum8('a' = 1)"],
    ["Enum8('a')", "Enum8('a', 'b')"],
    ['Decimal(9, 4)', 'Decimal(9, 2)'],
    ['Decimal(9, 2)', 'Decimal(9, 4)'],
    ['FixedString(4)', 'FixedString(2)'],
    ['DateTime64(3)', 'DateTime'],
    ['Date', 'DateTime'],
    ['AggregateFunction(sum, UInt8)', 'AggregateFunction(sum, UInt16)'],
    ['Quantum(1)', 'Quantum(2)'],
  ])('is false from %s to %s', (before, after) => {
    expect(isWidening(before, after)).toBe(false);
  });
});

describe('the engine', () => {
  let directory: string;
  let engine: Engine;
  let made = 0;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'glasshouse-diff-'));
    engine = new chdb.Session(directory);
    engine.query('CREATE DATABASE t', 'TSVRaw');
  });

  afterAll(() => {
    engine.cleanup();
    rmSync(directory, { recursive: true, force: true });
  });

  const run = (sql: string): string => engine.query(sql, 'TSVRaw').trim();
  const table = (columns: string, rest: string): string => {
    const name = `t.t${(made += 1)}`;
    run(`CREATE TABLE ${name} (${columns}) ENGINE = MergeTree ${rest}`);
    return name;
  };

  it.each(WIDENINGS)('widens %s to %s in place and keeps %s', (before, after, value) => {
    const name = table(`id UInt8, x ${before}`, 'ORDER BY id');
    run(`INSERT INTO ${name} SELECT 1, ${value}`);
    const old = run(`SELECT toString(x) FROM ${name}`);
    run(`ALTER TABLE ${name} MODIFY COLUMN x ${after} SETTINGS mutations_sync = 2`);
    expect(
      run(`SELECT toTypeName(x) FROM ${name}`).replaceAll(/\(\s+|\n\s+/gu, (blank) =>
        blank.startsWith('(') ? '(' : ' ',
      ),
    ).toBe(after === 'Boolean' ? 'Bool' : after);
    const now = run(`SELECT toString(x) FROM ${name}`);
    // More digits of a fraction are the same number.
    expect(
      /^[\d: -]+(?:\.\d+)?$/u.test(now) && /^(?:Decimal|DateTime)/u.test(before) ? now.replace(/\.?0+$/u, '') : now,
    ).toBe(/^(?:Decimal|DateTime)/u.test(before) ? old.replace(/\.0+$/u, '') : old);
  });

  it.each([
    ['ADD COLUMN y UInt8 DEFAULT 1'],
    ['ADD COLUMN y UInt8 MATERIALIZED a + 1'],
    ['ADD COLUMN y UInt8 ALIAS a'],
    ['MODIFY COLUMN a UInt8 DEFAULT 5'],
    ['MODIFY COLUMN a UInt8 MATERIALIZED 5'],
    ['MODIFY COLUMN a CODEC(ZSTD(3))'],
    ["COMMENT COLUMN a 'what'"],
    ['MODIFY COLUMN a UInt8 FIRST'],
    ['MODIFY COLUMN a UInt16'],
    ['DROP COLUMN shown'],
    ['MODIFY COLUMN shown LowCardinality(String) ALIAS upper(s)'],
    ['MODIFY TTL ts + INTERVAL 300 YEAR'],
    ['REMOVE TTL'],
    ['MODIFY SETTING merge_with_ttl_timeout = 60'],
    ['ADD INDEX i s TYPE set(10) GRANULARITY 1'],
    ['DROP INDEX by_a'],
  ])('does %s in place', (step) => {
    const name = table(
      'id UInt8, ts DateTime, a UInt8, s String, shown String ALIAS upper(s), INDEX by_a a TYPE minmax GRANULARITY 1',
      'ORDER BY id TTL ts + INTERVAL 200 YEAR',
    );
    run(`INSERT INTO ${name} (id, ts, a, s) VALUES (1, '2024-01-01 00:00:00', 3, 'x')`);
    run(`ALTER TABLE ${name} ${step} SETTINGS mutations_sync = 2`);
    expect(run(`SELECT id, s FROM ${name}`)).toBe('1\tx');
  });

  it.each(['index_granularity', 'index_granularity_bytes', 'enable_mixed_granularity_parts'])(
    'takes %s only when it makes a table',
    (setting) => {
      const name = table('id UInt8', 'ORDER BY id');
      expect(() => run(`ALTER TABLE ${name} MODIFY SETTING ${setting} = 1`)).toThrow(/readonly/u);
    },
  );

  it('does not change the type of a key in place', () => {
    const name = table('id UInt32, x UInt8', 'ORDER BY id');
    expect(() => run(`ALTER TABLE ${name} MODIFY COLUMN id UInt64`)).toThrow(/key/u);
  });
});
