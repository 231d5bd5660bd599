/** DDL of guides and migration scripts, and the `schema` parameter, read into the things that data files are read into. */

import { describe, expect, it } from 'vitest';
import { parseSchema } from './columns.ts';
import { formatColumn } from './format.ts';
import { DataFileError } from './notice.ts';
import { parseAlter, parseCreateTable, type AlterStep } from './table.ts';

/** `line:column message` of each problem. */
function said(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(DataFileError);
    return (error as DataFileError).problems.map(({ line, column, message }) => `${line}:${column ?? ''} ${message}`);
  }
  return [];
}

describe('parseCreateTable', () => {
  it('reads what an administrator of ClickHouse would write', () => {
    const { resource, warnings } = parseCreateTable(`
      -- metrics
      CREATE TABLE IF NOT EXISTS telemetry.metrics ON CLUSTER main
      (
          metric_id UUID DEFAULT generateUUIDv4(),
          metric_type Enum8('GAUGE' = 1, 'SUM' = 2) COMMENT 'which kind',
          timestamp DateTime DEFAULT now(),
          attributes Map(String, String) CODEC(ZSTD(1)),
          count UInt64 NOT NULL,
          index UInt8,
          INDEX by_type metric_type TYPE minmax GRANULARITY 4,
          INDEX by_key (mapKeys(attributes)) TYPE bloom_filter(0.01),
          PRIMARY KEY (metric_type)
      )
      ENGINE = ReplacingMergeTree(timestamp)
      PARTITION BY toYYYYMM(timestamp)
      ORDER BY (metric_type, timestamp)
      TTL timestamp + toIntervalDay(180), timestamp + toIntervalDay(30) DELETE WHERE count = 0
      SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1
      COMMENT 'Points'
    `);
    expect(resource).toEqual({
      kind: 'datasource',
      name: 'metrics',
      description: 'Points',
      columns: [
        { name: 'metric_id', type: 'UUID', kind: 'DEFAULT', expression: 'generateUUIDv4()' },
        { name: 'metric_type', type: "Enum8('GAUGE' = 1, 'SUM' = 2)", comment: 'which kind' },
        { name: 'timestamp', type: 'DateTime', kind: 'DEFAULT', expression: 'now()' },
        { name: 'attributes', type: 'Map(String, String)', codec: 'ZSTD(1)' },
        { name: 'count', type: 'UInt64' },
        { name: 'index', type: 'UInt8' },
      ],
      engine: {
        name: 'ReplacingMergeTree',
        partitionKey: 'toYYYYMM(timestamp)',
        sortingKey: 'metric_type, timestamp',
        primaryKey: 'metric_type',
        version: 'timestamp',
        ttl: 'timestamp + toIntervalDay(180), timestamp + toIntervalDay(30) DELETE WHERE count = 0',
        settings: { index_granularity: '8192', ttl_only_drop_parts: '1' },
      },
      indexes: [
        { name: 'by_type', expression: 'metric_type', type: 'minmax', granularity: 4 },
        { name: 'by_key', expression: '(mapKeys(attributes))', type: 'bloom_filter(0.01)', granularity: 1 },
      ],
      tokens: [],
      tags: [],
      sharedWith: [],
    });
    expect(warnings.map(({ line, message }) => `${line} ${message}`)).toEqual([
      '3 The database telemetry is not looked at.',
      '3 ON CLUSTER is not looked at.',
    ]);
  });

  it('reads what is all there needs to be', () => {
    expect(parseCreateTable('create table t (a String)').resource.engine).toEqual({ name: 'MergeTree' });
    expect(parseCreateTable('CREATE OR REPLACE TABLE `t` (a String,) ENGINE = Null;;').resource).toMatchObject({
      name: 't',
    });
    expect(parseCreateTable('CREATE TABLE t (a String) ORDER BY tuple()').resource.engine.sortingKey).toBe('tuple()');
    expect(parseCreateTable('CREATE TABLE t (a String) ORDER BY ()').resource.engine.sortingKey).toBe('tuple()');
  });

  it.each([
    ['SELECT 1', '1:1 cannot read the statement: it is no CREATE TABLE'],
    ['CREATE TABLE t', '1:15 cannot read table=t: the end stands where its columns should'],
    ['CREATE TABLE t (a Strng)', '1:19 cannot read column=a: there is no type Strng'],
    ['CREATE TABLE t (a String', '1:25 cannot read table=t: its columns have no end'],
    ['CREATE TABLE t () ENGINE = MergeTree', '1:14 cannot read table=t: it has no columns'],
    [
      'CREATE TABLE t (a String) ENGINE = Log',
      '1:36 cannot use engine=Log: a data source is stored by MergeTree or one of its family, or by Null',
    ],
    ['CREATE TABLE t (a String) AS SELECT 1', '1:27 cannot read the statement: AS is not expected here'],
    ['CREATE TABLE t (a String) ORDER BY a; DROP TABLE b', '1:39 cannot read the statement: DROP is not expected here'],
    [
      'CREATE TABLE t (a String, CONSTRAINT c CHECK a > 1)',
      '1:27 cannot keep CONSTRAINT: a data source has columns and indexes',
    ],
    [
      'CREATE TABLE t (a String, PROJECTION p (SELECT a))',
      '1:27 cannot keep PROJECTION: a data source has columns and indexes',
    ],
    ['CREATE TABLE t (a String) ORDER BY', '1:35 cannot read ENGINE_SORTING_KEY: it is missing'],
    ['CREATE TABLE t (a String) ORDER BY b', '1:36 cannot use ENGINE_SORTING_KEY: there is no column b'],
    [
      'CREATE TABLE t_quarantine (a String)',
      '1:14 cannot use table=t_quarantine: the suffix _quarantine is reserved for rows that do not fit',
    ],
    ["CREATE TABLE t (a String DEFAULT 'x) ORDER BY a", "1:34 cannot read the text: the quote ' is not closed"],
  ])('refuses %j', (sql, problem) => {
    expect(said(() => parseCreateTable(sql))).toEqual([problem]);
  });

  it('says all that is wrong', () => {
    expect(
      said(() => parseCreateTable('CREATE TABLE t (\n  a Strng,\n  b,\n  c String\n)\nENGINE = Log')),
    ).toHaveLength(3);
  });
});

describe('parseAlter', () => {
  const steps = (sql: string): readonly AlterStep[] => parseAlter(sql).steps;

  it('reads a list of columns to add', () => {
    const sql = `
      ALTER TABLE llm_events
        ADD COLUMN IF NOT EXISTS event_type String DEFAULT 'text_generation',
        ADD COLUMN IF NOT EXISTS image_width UInt16,
        ADD COLUMN num_images UInt8 AFTER image_width;
    `;
    expect(parseAlter(sql)).toEqual({
      table: 'llm_events',
      ifExists: false,
      steps: [
        {
          action: 'add',
          ifNotExists: true,
          column: { name: 'event_type', type: 'String', kind: 'DEFAULT', expression: "'text_generation'" },
        },
        { action: 'add', ifNotExists: true, column: { name: 'image_width', type: 'UInt16' } },
        {
          action: 'add',
          ifNotExists: false,
          column: { name: 'num_images', type: 'UInt8' },
          position: { after: 'image_width' },
        },
      ],
      warnings: [],
    });
  });

  it.each<[string, AlterStep]>([
    ['DROP COLUMN a', { action: 'drop', name: 'a', ifExists: false }],
    ['DROP COLUMN IF EXISTS `a b`', { action: 'drop', name: 'a b', ifExists: true }],
    ['RENAME COLUMN a TO b', { action: 'rename', name: 'a', to: 'b', ifExists: false }],
    ['rename column if exists a to b', { action: 'rename', name: 'a', to: 'b', ifExists: true }],
    ['MODIFY COLUMN a Nullable(UInt8)', { action: 'modify', name: 'a', ifExists: false, type: 'Nullable(UInt8)' }],
    ['MODIFY COLUMN a DEFAULT 1', { action: 'modify', name: 'a', ifExists: false, kind: 'DEFAULT', expression: '1' }],
    [
      'MODIFY COLUMN IF EXISTS a UInt64 DEFAULT b + 1 CODEC(ZSTD) FIRST',
      {
        action: 'modify',
        name: 'a',
        ifExists: true,
        type: 'UInt64',
        kind: 'DEFAULT',
        expression: 'b + 1',
        codec: 'ZSTD',
        position: 'first',
      },
    ],
    ['ALTER COLUMN a TYPE String', { action: 'modify', name: 'a', ifExists: false, type: 'String' }],
    ['MODIFY COLUMN a REMOVE DEFAULT', { action: 'modify', name: 'a', ifExists: false, remove: 'DEFAULT' }],
    ['MODIFY COLUMN a CODEC(LZ4)', { action: 'modify', name: 'a', ifExists: false, codec: 'LZ4' }],
    ["MODIFY COLUMN a COMMENT 'x'", { action: 'modify', name: 'a', ifExists: false, comment: 'x' }],
    ["COMMENT COLUMN IF EXISTS a 'it\\'s'", { action: 'modify', name: 'a', ifExists: true, comment: "it's" }],
    ["COMMENT COLUMN a ''", { action: 'modify', name: 'a', ifExists: false, comment: '' }],
    ['MODIFY COLUMN a REMOVE COMMENT', { action: 'modify', name: 'a', ifExists: false, remove: 'COMMENT' }],
    ['ADD COLUMN first String', { action: 'add', ifNotExists: false, column: { name: 'first', type: 'String' } }],
    [
      'ADD COLUMN a String `json:$.a` DEFAULT b FIRST',
      {
        action: 'add',
        ifNotExists: false,
        column: { name: 'a', type: 'String', jsonPath: '$.a', kind: 'DEFAULT', expression: 'b' },
        position: 'first',
      },
    ],
  ])('reads %s', (sql, step) => {
    expect(steps(`ALTER TABLE t ${sql}`)).toEqual([step]);
    expect(steps(`ALTER TABLE IF EXISTS db.t ${sql}, ${sql};`)).toEqual([step, step]);
  });

  it.each([
    ['', '1:1 cannot read the statement: it is no ALTER TABLE'],
    ['ALTER TABLE t', '1:14 cannot read the step: the end starts none that is known'],
    ['ALTER TABLE t ADD COLUMN a', '1:26 cannot read column=a: its type is missing'],
    ['ALTER TABLE t ADD COLUMN a Strng', '1:28 cannot read column=a: there is no type Strng'],
    ['ALTER TABLE t ADD COLUMN a String,', '1:35 cannot read the step: the end starts none that is known'],
    ['ALTER TABLE t ADD COLUMN a String b', '1:35 cannot read the statement: b is not expected here'],
    ['ALTER TABLE t DROP COLUMN', '1:26 cannot read a column: the end is no name'],
    ['ALTER TABLE t RENAME COLUMN a', '1:30 cannot rename column=a: the new name is missing'],
    ['ALTER TABLE t MODIFY COLUMN a', '1:30 cannot modify column=a: nothing is changed'],
    ['ALTER TABLE t MODIFY COLUMN a NULL', '1:31 cannot modify column=a: NULL changes its type'],
    ['ALTER TABLE t MODIFY COLUMN a REMOVE TTL', '1:38 cannot modify column=a: TTL cannot be removed'],
    ['ALTER TABLE t COMMENT COLUMN a', '1:31 cannot comment column=a: the end is no string'],
    ['ALTER TABLE t DELETE WHERE 1', '1:15 cannot read the step: DELETE starts none that is known'],
    ['ALTER TABLE t DROP COLUMN a; DROP TABLE t', '1:30 cannot read the statement: DROP is not expected here'],
  ])('refuses %j', (sql, problem) => {
    expect(said(() => parseAlter(sql))).toEqual([problem]);
  });

  it('names the line', () => {
    expect(said(() => parseAlter('ALTER TABLE t\n  ADD COLUMN a String,\n  ADD COLUMN b Sting'))).toEqual([
      '3:16 cannot read column=b: there is no type Sting',
    ]);
  });
});

describe('parseSchema', () => {
  it('reads one line or many', () => {
    const columns = ["`a` String `json:$.a` DEFAULT ''", '`b` Array(UInt8) `json:$.b[:]`'];
    expect(parseSchema(columns.join(', ')).map(formatColumn)).toEqual(columns);
    expect(parseSchema(`\n    ${columns.join(',\n    ')},\n`).map(formatColumn)).toEqual(columns);
  });

  it.each<[string, string | undefined]>([
    ["'what it is'", 'what it is'],
    ["'it''s \\'it\\', \"so\" `far` \\\\'", `it's 'it', "so" \`far\` \\`],
    ["' two\\n   lines\\tand a tab '", 'two\n  lines\tand a tab'],
    ["'none \\q of ours, \\0 and \\r\\n'", 'none \\q of ours, \\0 and'],
    ["$x$a '# b$x$", "a '# b"],
    ["''", undefined],
  ])('keeps the comment %s of a column', (literal, comment) => {
    const [column] = parseSchema(`a String DEFAULT 'x' COMMENT ${literal} CODEC(ZSTD(1)), b UInt8`);
    expect(column?.comment).toBe(comment);
    expect(column === undefined ? [] : parseSchema(formatColumn(column))).toEqual([column]);
  });

  it.each([
    ['{}', 'map()'],
    ["{'a': 1, 'b':-2}", "map('a', 1, 'b', -2)"],
    ["{ 1 : {'x': [1, 2]} , -2: {} }", "map(1, map('x', [1, 2]), -2, map())"],
    ["mapConcat({'a': (1 + 2)}, m)", "mapConcat(map('a', (1 + 2)), m)"],
  ])('reads the map %s as a call', (literal, call) => {
    const [column, next] = parseSchema(`a Map(String, UInt8) \`json:$.a\` DEFAULT ${literal}, b UInt8`);
    expect([column?.kind, column?.expression, next?.name]).toEqual(['DEFAULT', call, 'b']);
  });

  it('names the file that it was given', () => {
    expect(() => parseSchema('a', { file: 'form' })).toThrow(
      'cannot read file=form: line 1: cannot read column=a: its type is missing',
    );
  });

  it('refuses a schema without columns', () => {
    expect(said(() => parseSchema(' -- nothing\n'))).toEqual(['1: cannot read the schema: it is empty']);
  });
});
