/** Data files as they are found in use, each with what has to come out of it. The files are in `examples`. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSource, Pipe } from '@glasshouse/model';
import { describe, expect, it } from 'vitest';
import { formatColumn, formatDataFile } from './format.ts';
import { parseDataFile, type DataFile } from './parse.ts';

const folder = join(import.meta.dirname, 'examples');
const textOf = (name: string): string => readFileSync(join(folder, name.split('/').at(-1) ?? name), 'utf8');
const read = (file: string, text = textOf(file)): DataFile => parseDataFile(text, { file, include: textOf });

interface DataSourceExample {
  readonly file: string;
  /** Columns as `formatColumn` writes them, or some of them by position. */
  readonly columns: readonly string[] | Readonly<Record<number, string>>;
  readonly engine: DataSource['engine'];
  readonly rest?: Partial<DataSource>;
  /** `line: beginning of the message`. */
  readonly warnings?: readonly string[];
}

const DATA_SOURCES: readonly DataSourceExample[] = [
  {
    file: 'llm_events.datasource',
    columns: {
      0: '`timestamp` DateTime `json:$.start_time`',
      1: "`organization` String `json:$.proxy_metadata.organization` DEFAULT ''",
      6: '`messages` Array(Map(String, String)) `json:$.messages[:]` DEFAULT []',
      10: '`response_id` String `json:$.response.id`',
    },
    engine: {
      name: 'MergeTree',
      partitionKey: 'toYYYYMM(timestamp)',
      sortingKey: 'timestamp, organization, user',
      primaryKey: 'timestamp, organization',
    },
    rest: {
      description: 'One row for each answer of a model, with what it cost',
      tokens: [
        { name: 'append_events', scope: 'APPEND' },
        { name: 'dashboard', scope: 'READ' },
      ],
      forwardQuery: "SELECT\n    *,\n    defaultValueOfTypeName('Array(Float32)') AS embedding",
    },
  },
  {
    file: 'litellm.datasource',
    columns: {
      2: '`start_time` DateTime `json:$.start_time` DEFAULT now()',
      3: '`stream` Boolean `json:$.stream` DEFAULT false',
    },
    engine: { name: 'MergeTree', sortingKey: 'start_time, model', partitionKey: 'toYYYYMM(start_time)' },
  },
  {
    file: 'traces.datasource',
    columns: { 2: "`environment` Enum8('dev' = 1, 'prod' = 2)", 4: '`date` Date MATERIALIZED toDate(timestamp)' },
    engine: {
      name: 'MergeTree',
      partitionKey: 'tenant_id, toYYYYMM(date)',
      sortingKey: 'tenant_id, project_id, timestamp, trace_id',
      ttl: 'date + INTERVAL 90 DAY',
    },
    warnings: ['13: PARTITION BY is a clause', '13: The partition key has tenant_id', '14: ORDER BY', '15: TTL'],
  },
  {
    file: 'traces_ddl.datasource',
    columns: {
      3: '`date` Date MATERIALIZED toDate(timestamp)',
      4: '`metadata_json` String',
      5: '`status` Nullable(UInt16)',
    },
    engine: {
      name: 'MergeTree',
      partitionKey: 'tenant_id, toYYYYMM(date)',
      sortingKey: 'tenant_id, timestamp',
      ttl: 'date + INTERVAL 90 DAY',
      settings: { index_granularity: '8192' },
    },
    rest: { name: 'traces_ddl' },
    warnings: ['15: The partition key has tenant_id'],
  },
  {
    file: 'canonical_events.datasource',
    columns: { 2: "`environment` Enum8('dev' = 1, 'prod' = 2)" },
    engine: {
      name: 'MergeTree',
      partitionKey: 'toYYYYMM(timestamp)',
      sortingKey: 'tenant_id, project_id, timestamp, trace_id',
    },
  },
  {
    file: 'trailing_spaces.datasource',
    columns: ['`a` String', '`b` UInt8', '`c` DateTime'],
    engine: { name: 'MergeTree', sortingKey: 'a, b' },
  },
  {
    file: 'unindented.datasource',
    columns: [
      "`event_id` String `json:$.id` DEFAULT ''",
      '`start_time` DateTime `json:$.startTime`',
      "`user_id` String `json:$.userId` DEFAULT 'undefined'",
      '`balances` Map(String, Float64) `json:$.balances` DEFAULT map()',
    ],
    engine: { name: 'MergeTree', sortingKey: 'start_time, user_id' },
    rest: {
      description: 'Events with usage and prices,\none for each request',
      forwardQuery: 'SELECT\n  event_id,\n  start_time,\n  user_id,\n  balances',
    },
  },
  {
    file: 'indented_file.datasource',
    columns: ['`a` String', '`b` DateTime'],
    engine: { name: 'MergeTree', sortingKey: 'a' },
    rest: { tokens: [{ name: 't', scope: 'READ' }] },
  },
  {
    file: 'sloppy_directives.datasource',
    columns: ['`a` String', '`engine` String', '`TTL` UInt32'],
    engine: { name: 'MergeTree', sortingKey: 'a' },
  },
  {
    file: 'names.datasource',
    columns: [
      '`bare` String',
      '`in backticks` String',
      '`in quotes` String',
      '`a``b` String',
      '`nested.key` Array(String)',
      '`user-id` String',
      '`2nd` UInt8',
      '`select` String',
      '`index` UInt32',
    ],
    engine: { name: 'MergeTree', sortingKey: '`in backticks`, nested.key' },
  },
  {
    file: 'types.datasource',
    columns: [
      '`a` Array(Array(Nullable(Float64)))',
      '`b` Map(String, Array(Tuple(key String, value Nullable(UInt8))))',
      "`c` Enum8('a' = 1, 'b, c' = -2, 'it''s (' = 3)",
      '`d` Decimal(18, 4)',
      '`e` Tuple(a String, `x y` Map(String, String), n UInt8)',
      '`f` AggregateFunction(quantilesTiming(0.5, 0.9), Float64)',
      "`g` SimpleAggregateFunction(max, DateTime64(3, 'UTC'))",
      '`h` AggregateFunction(1, sumMap, Array(UInt32), Array(UInt64))',
      '`i` JSON(max_dynamic_paths = 8, a.b UInt32, SKIP c)',
      '`j` Variant(String, Array(UInt8))',
      "`k` DateTime('Europe/Madrid')",
      '`l` FixedString(16)',
      '`m` Nested(name String, n UInt8)',
      '`n` double precision',
      '`o` INT UNSIGNED',
      '`p` LowCardinality(Nullable(String))',
      '`q` Dynamic(max_types = 4)',
      '`r` AggregateFunction(count)',
    ],
    engine: { name: 'MergeTree', sortingKey: 'tuple()' },
  },
  {
    file: 'defaults.datasource',
    columns: [
      "`a` String DEFAULT 'a, b -- c'",
      '`b` Array(UInt8) DEFAULT [1, 2]',
      "`c` Map(String, UInt8) DEFAULT map('x', 1, 'y', 2)",
      "`d` UInt8 DEFAULT if(a = '', 0, 1) + CASE WHEN length(a) > 2 THEN 1 ELSE 0 END",
      "`e` Bool DEFAULT a IS NOT NULL AND a != 'it''s'",
      '`f` DateTime64(3) DEFAULT now64(3)',
      '`g` Date MATERIALIZED toDate(f)',
      "`h` String ALIAS concat(a, 'x', toString(d))",
      '`i` String EPHEMERAL',
      '`j` UInt32 EPHEMERAL 7',
      '`k` Nullable(String) DEFAULT NULL',
      '`l` String',
      '`m` Nullable(UInt8)',
      '`n` Float64 DEFAULT -1.5e-3',
      '`o` Array(Float32) DEFAULT arrayMap(x -> x * 2, [1., 2.])',
    ],
    engine: { name: 'MergeTree', sortingKey: 'f' },
  },
  {
    file: 'codecs.datasource',
    columns: [
      '`ts` DateTime `json:$.ts` CODEC(DoubleDelta, LZ4)',
      '`v` Float64 `json:$.v` DEFAULT 0 CODEC(Gorilla, ZSTD(3))',
      '`s` String `json:$.s` DEFAULT now() CODEC(ZSTD)',
    ],
    engine: { name: 'MergeTree', sortingKey: 'ts' },
  },
  {
    file: 'json_paths.datasource',
    columns: [
      '`row` String `json:$`',
      '`deep` String `json:$.a.b.c`',
      '`list` Array(String) `json:$.list[:]`',
      '`inner` Array(String) `json:$.list[:].name`',
      '`dashed` String `json:$.user-agent`',
      '`at` DateTime `json:$.@timestamp` DEFAULT now()',
      '`cased` String `json:$.userId`',
      '`dotted` String `json:$."a.b"[\'c d\']`',
    ],
    engine: { name: 'MergeTree', sortingKey: 'deep' },
  },
  {
    file: 'replacing.datasource',
    columns: ['`id` String', '`updated_at` DateTime64(3)', '`deleted` UInt8'],
    engine: {
      name: 'ReplacingMergeTree',
      sortingKey: 'id',
      version: 'updated_at',
      isDeleted: 'deleted',
      ttl: 'toDateTime(updated_at) + toIntervalDay(60)',
      settings: { allow_nullable_key: 'true', index_granularity: '2048', storage_policy: "'hot, cold'" },
    },
  },
  {
    file: 'summing.datasource',
    columns: ['`day` Date', '`country` String', '`visits` UInt64', '`sales` Float64'],
    engine: {
      name: 'SummingMergeTree',
      partitionKey: 'toYear(day)',
      sortingKey: 'day, country',
      summingColumns: 'visits, sales',
    },
  },
  {
    file: 'summing_columns.datasource',
    columns: ['`day` Date', '`visits` UInt64'],
    engine: { name: 'SummingMergeTree', sortingKey: 'day', summingColumns: 'visits' },
  },
  {
    file: 'collapsing.datasource',
    columns: ['`user_id` UInt64', '`views` UInt32', '`sign` Int8'],
    engine: { name: 'CollapsingMergeTree', sortingKey: 'user_id', sign: 'sign' },
  },
  {
    file: 'versioned.datasource',
    columns: ['`user_id` UInt64', '`sign` Int8', '`v` UInt16'],
    engine: { name: 'VersionedCollapsingMergeTree', sortingKey: 'user_id', sign: 'sign', version: 'v' },
  },
  {
    file: 'rollup.datasource',
    columns: { 2: '`cost` AggregateFunction(sum, Float64)', 4: '`last` SimpleAggregateFunction(max, DateTime)' },
    engine: { name: 'AggregatingMergeTree', partitionKey: 'toYYYYMM(day)', sortingKey: 'day, model' },
    rest: { description: 'Cost by day and model, filled by a materialized node', backfill: 'skip' },
  },
  { file: 'landing.datasource', columns: ['`payload` String `json:$`'], engine: { name: 'Null' } },
  {
    file: 'indexes.datasource',
    columns: { 4: '`type` LowCardinality(String)' },
    engine: { name: 'MergeTree', sortingKey: 'ts' },
    rest: {
      indexes: [
        { name: 'by_user', expression: 'user', type: 'bloom_filter(0.01)', granularity: 4 },
        { name: 'words', expression: 'lower(body)', type: 'tokenbf_v1(32768, 3, 0)', granularity: 1 },
        { name: 'by_key', expression: 'mapKeys(attributes)', type: 'bloom_filter', granularity: 1 },
        { name: 'by_type', expression: 'type', type: 'set(100)', granularity: 2 },
        { name: 'pair', expression: '(user, type)', type: 'minmax', granularity: 1 },
        {
          name: 'lambda',
          expression: "arrayMap(x -> tupleElement(x, 2), [(user, 'm')])",
          type: 'ngrambf_v1(4, 1024, 1, 42)',
          granularity: 1,
        },
      ],
    },
  },
  {
    file: 'tokens.datasource',
    columns: ['`a` String'],
    engine: { name: 'MergeTree', sortingKey: 'a' },
    rest: {
      tokens: [
        { name: 'a name', scope: 'READ' },
        { name: 'plain', scope: 'APPEND' },
        { name: 'single quotes', scope: 'READ' },
      ],
      tags: ['billing', 'stats', 'with_last_date=true'],
      sharedWith: ['other_workspace', 'third_workspace', 'fourth'],
    },
  },
  {
    file: 'old.datasource',
    columns: ['`a` String', '`ts` DateTime'],
    engine: { name: 'MergeTree', partitionKey: 'toYYYYMM(ts)', sortingKey: 'a' },
    warnings: ['1: VERSION', '2: MAINTAINER', '9: A sampling key'],
  },
  {
    file: 'tenant_partition.datasource',
    columns: { 0: '`organization_id` String' },
    engine: { name: 'MergeTree', partitionKey: 'organization_id, toYYYYMM(ts)', sortingKey: 'organization_id, ts' },
    warnings: ['6: The partition key has organization_id in it: every insert makes a part for each value'],
  },
  {
    file: 'tenant_hash.datasource',
    columns: { 0: '`organization_id` String' },
    engine: { name: 'MergeTree', partitionKey: 'cityHash64(organization_id) % 16', sortingKey: 'organization_id, ts' },
  },
  {
    file: 'engine_arguments.datasource',
    columns: ['`id` String', '`v` UInt64'],
    engine: { name: 'ReplacingMergeTree', sortingKey: 'id', version: 'v' },
    warnings: ['5: The engine ReplicatedReplacingMergeTree', '7: ENGINE_SIGN means nothing'],
  },
  {
    file: 'comments.datasource',
    columns: ['`a` String', '`b` UInt32', '`c` UInt32'],
    engine: { name: 'MergeTree', sortingKey: 'a, b' },
    rest: { description: '# a heading stays, because it is indented\ntext' },
  },
  {
    file: 'one_line.datasource',
    columns: ['`a` String', '`b` Array(UInt8) `json:$.b[:]`'],
    engine: { name: 'MergeTree', sortingKey: 'a' },
    rest: { description: 'Sends "quotes" and a # too', forwardQuery: 'SELECT a, [] AS b' },
  },
  {
    file: 'no_arrow.datasource',
    columns: ['`a` String', '`b` UInt8'],
    engine: { name: 'MergeTree', sortingKey: 'a' },
    warnings: ['1: SCHEMA has a block, but no >'],
  },
  {
    file: 'multiline_keys.datasource',
    columns: { 2: '`id` UUID' },
    engine: {
      name: 'ReplacingMergeTree',
      sortingKey: 'tenant, toDate(ts), toString(id)',
      partitionKey: 'toYYYYMM(ts)',
      settings: { index_granularity: '1024' },
    },
    warnings: ['7: ORDER BY', '13: PARTITION BY', '14: SETTINGS'],
  },
  { file: 'empty_values.datasource', columns: ['`a` String'], engine: { name: 'MergeTree', sortingKey: 'a' } },
];

interface PipeExample {
  readonly file: string;
  readonly nodes: readonly Partial<Pipe['nodes'][number]>[];
  readonly rest?: Partial<Pipe>;
  readonly warnings?: readonly string[];
}

const PIPES: readonly PipeExample[] = [
  {
    file: 'llm_usage.pipe',
    nodes: [
      {
        name: 'endpoint',
        type: 'endpoint',
        sql: expect.stringMatching(/^%\n\{% if [\s\S]*\nLIMIT \{\{ Int32\(limit, 200\) \}\}$/u) as string,
      },
    ],
    rest: { tokens: [{ name: 'read_pipes', scope: 'READ' }] },
  },
  {
    file: 'copy.pipe',
    nodes: [
      {
        type: 'copy',
        settings: { TARGET_DATASOURCE: 'sales_hour_copy', COPY_SCHEDULE: '0 * * * *', COPY_MODE: 'append' },
      },
    ],
    rest: { description: 'A snapshot every hour' },
  },
  {
    file: 'copy_on_demand.pipe',
    nodes: [
      {
        sql: 'SELECT * FROM events',
        type: 'copy',
        settings: { TARGET_DATASOURCE: 'events_copy', COPY_SCHEDULE: '@on-demand', COPY_MODE: 'replace' },
      },
    ],
  },
  {
    file: 'cost_daily_by_model.pipe',
    nodes: [
      {
        sql: expect.stringMatching(/^SELECT\n {2}toDate[\s\S]*ORDER BY day$/u) as string,
        type: 'materialized',
        settings: { DATASOURCE: 'cost_daily' },
      },
    ],
  },
  {
    file: 'materialized_with_engine.pipe',
    nodes: [{ type: 'materialized', settings: { DATASOURCE: 'orders_per_day' } }],
    warnings: ['12: ENGINE is not looked at in a pipe'],
  },
  {
    file: 'materialized_alter.pipe',
    nodes: [{ type: 'materialized', settings: { DATASOURCE: 'maxima', DEPLOYMENT_METHOD: 'alter' } }],
  },
  {
    file: 'sink_bucket.pipe',
    nodes: [
      {
        type: 'sink',
        settings: {
          EXPORT_SERVICE: 's3_iamrole',
          EXPORT_CONNECTION_NAME: 's3sink',
          EXPORT_SCHEDULE: '0 15 * * *',
          EXPORT_BUCKET_URI: 's3://bucket/bot_hits',
          EXPORT_FILE_TEMPLATE: 'hits_{date}',
          EXPORT_FORMAT: 'ndjson',
          EXPORT_COMPRESSION: 'None',
          EXPORT_STRATEGY: '@new',
          EXPORT_WRITE_STRATEGY: 'new',
        },
      },
    ],
  },
  {
    file: 'sink_kafka.pipe',
    nodes: [
      {
        type: 'sink',
        settings: { EXPORT_CONNECTION_NAME: 'my_kafka', EXPORT_KAFKA_TOPIC: 'events', EXPORT_SCHEDULE: '@on-demand' },
      },
    ],
  },
  {
    file: 'classic.pipe',
    nodes: [
      { name: 'first', type: 'default', description: 'Clean rows', sql: "SELECT * FROM events WHERE id != ''" },
      { name: 'second', type: 'default', sql: 'SELECT count() AS n FROM first', settings: {} },
    ],
    warnings: ['1: VERSION'],
  },
  {
    file: 'blank_between.pipe',
    nodes: [
      {
        name: 'one',
        description: 'Two lines\n  of text',
        sql: "%\nSELECT *\nFROM events\nWHERE a = {{ String(a, 'x') }}",
        type: 'default',
      },
      { name: 'two', sql: '%\nSELECT {{ Int32(n) }} AS n\nFROM one', type: 'endpoint' },
    ],
  },
  {
    file: 'unindented.pipe',
    nodes: [{ sql: '%\nSELECT\na,\ntype,\ndescription\nFROM t\nORDER BY a', type: 'endpoint' }],
  },
  { file: 'upper_case.pipe', nodes: [{ sql: 'SELECT 1', type: 'endpoint' }] },
  {
    file: 'two_endpoints.pipe',
    nodes: [
      { name: 'a', type: 'default' },
      { name: 'b', type: 'endpoint' },
    ],
    warnings: ['4: The node a is not the last endpoint'],
  },
  {
    file: 'with_fragment.pipe',
    nodes: [
      { name: 'filtered', type: 'default', sql: "SELECT * FROM events WHERE price > $1 AND note != '$$'" },
      { name: 'endpoint', type: 'endpoint' },
    ],
  },
  {
    file: 'node_descriptions.pipe',
    nodes: [{ description: 'Of the first node' }, { description: 'Of the second, behind its SQL' }],
    rest: { description: 'Of the pipe', tags: ['a', 'b'] },
  },
  {
    file: 'cached.pipe',
    nodes: [{ type: 'endpoint' }],
    rest: {
      description: 'First line\nsecond line, not indented',
      cacheSeconds: 60,
      tokens: [
        { name: 'dashboard', scope: 'READ' },
        { name: 'other', scope: 'READ' },
      ],
    },
  },
  {
    file: 'type_above.pipe',
    nodes: [
      { name: 'a', type: 'default', settings: {} },
      { name: 'b', type: 'materialized', settings: { DATASOURCE: 'target' } },
    ],
  },
  {
    file: 'sql_words.pipe',
    nodes: [
      {
        sql: "SELECT\n    TYPE,\n    NODE AS x,\n    'SQL >' AS y,\nDESCRIPTION,\n    token\nFROM t\nWHERE note LIKE '%#%'",
        type: 'endpoint',
      },
    ],
  },
  {
    file: 'tabs.pipe',
    nodes: [{ sql: '%\nSELECT a,\n\tb\nFROM t\nWHERE a = {{String(a)}}', type: 'endpoint' }],
    rest: { tokens: [{ name: 't', scope: 'READ' }] },
  },
  {
    file: 'comments.pipe',
    nodes: [
      { name: 'a', sql: 'SELECT 1 AS x' },
      { name: 'b', sql: '-- in the SQL\nSELECT x FROM a', type: 'endpoint' },
    ],
  },
  { file: 'one_line.pipe', nodes: [{ sql: 'SELECT 1 AS x', type: 'endpoint' }] },
  { file: 'plain_braces.pipe', nodes: [{ type: 'endpoint' }], warnings: ['2: The node n has {{…}}'] },
  {
    file: 'same_name.pipe',
    nodes: [{ name: 'same_name', type: 'materialized' }],
    warnings: ['1: The node same_name has the name of its pipe'],
  },
  { file: 'many_nodes.pipe', nodes: [{ type: 'default' }, { type: 'default' }, { name: 'top', type: 'endpoint' }] },
];

describe.each(DATA_SOURCES)('$file', ({ file, columns, engine, rest = {}, warnings = [] }) => {
  it('is read as the data source it describes', () => {
    const { resource, warnings: said } = read(file);
    expect(resource).toMatchObject({ kind: 'datasource', name: file.replace('.datasource', ''), ...rest });
    const source = resource as DataSource;
    const lines = source.columns.map(formatColumn);
    if (Array.isArray(columns)) expect(lines).toEqual(columns);
    else expect(lines).toMatchObject(columns);
    expect(source.engine).toEqual(engine);
    expectWarnings(said, file, warnings);
  });
});

describe.each(PIPES)('$file', ({ file, nodes, rest = {}, warnings = [] }) => {
  it('is read as the pipe it describes', () => {
    const { resource, warnings: said } = read(file);
    expect(resource).toMatchObject({ kind: 'pipe', name: file.replace('.pipe', ''), nodes, ...rest });
    expect((resource as Pipe).nodes).toHaveLength(nodes.length);
    expectWarnings(said, file, warnings);
  });
});

describe('every example', () => {
  const files = readdirSync(folder).filter((name) => !name.endsWith('.incl'));

  it('is in one of the lists', () => {
    expect(files.toSorted()).toEqual([...DATA_SOURCES, ...PIPES].map(({ file }) => file).toSorted());
  });

  it.each(files)(
    '%s reads the same with line breaks of Windows, a byte order mark and blank lines at its ends',
    (file) => {
      const plain = read(file).resource;
      const text = textOf(file);
      expect(read(file, text.replaceAll('\n', '\r\n')).resource).toEqual(plain);
      expect(read(file, `\uFEFF\n\n${text}\n\n`).resource).toEqual(plain);
      expect(read(file, text.trimEnd()).resource).toEqual(plain);
    },
  );

  it.each(files)('%s reads the same after it was written down again', (file) => {
    const { resource } = read(file);
    const written = formatDataFile(resource);
    expect(parseDataFile(written, { file })).toEqual({ resource, warnings: expect.any(Array) as unknown });
    expect(formatDataFile(parseDataFile(written, { file }).resource)).toBe(written);
  });
});

function expectWarnings(said: DataFile['warnings'], file: string, expected: readonly string[]): void {
  expect(said.map(({ line, message }) => `${line}: ${message}`)).toEqual(
    expected.map((warning) => expect.stringContaining(warning) as unknown),
  );
  expect(said.every((warning) => warning.file === file && warning.hint !== '')).toBe(true);
}
