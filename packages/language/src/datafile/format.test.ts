/** Writing data files: whatever a data file can say comes back from what is written, and it is written in one way. */

import type {
  DataSource,
  DataSourceColumn,
  DataSourceEngine,
  DataSourceIndex,
  Pipe,
  PipeNode,
} from '@glasshouse/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDataFile } from './format.ts';
import { parseDataFile } from './parse.ts';
import { proseOf, proseOfString, quoteProse, sqlOf } from './text.ts';

const NAME = fc.stringMatching(/^[a-z][a-z0-9_]{0,12}$/u).filter((name) => !name.endsWith('_quarantine'));
const COLUMN_NAME = fc.oneof(
  NAME,
  fc.constantFrom(
    'user-id',
    'a.b',
    '2nd',
    'select',
    'a`b',
    'say "hi"',
    "it's",
    'größe',
    'x y',
    'TYPE',
    '日本',
    '# no',
    '-- no',
    '>',
  ),
);
const TYPE = fc.constantFrom(
  'String',
  'Nullable(UInt8)',
  'Array(Map(String, String))',
  "Enum8('a' = 1, 'it''s, (' = -2)",
  "DateTime64(3, 'UTC')",
  'AggregateFunction(quantiles(0.5, 0.9), Float64)',
  'Tuple(a String, `b c` UInt8)',
  'double precision',
);
const EXPRESSION = fc.constantFrom(
  '0',
  "''",
  "'a, b -- c'",
  "'# no comment'",
  `'say "hi"'`,
  '[]',
  'now()',
  "map('a', 1)",
  'arrayMap(x -> x + 1, [1, 2])',
  'CASE WHEN 1 THEN 2 ELSE 3 END',
  "toDate('2024-01-01') + INTERVAL 1 DAY",
  '`select` IS NOT NULL',
);
const PATH = fc
  .array(fc.constantFrom('.a', '.user-agent', '.@at', '.list[:]', '.$x', '."a.b `c"', `['d e']`), { maxLength: 4 })
  .map((keys) => `$${keys.join('')}`);
/** Lines that a block may be made of, some of which look like something else. */
const LINE = fc.oneof(
  fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/gu, ' ')),
  fc.constantFrom(
    '',
    '  ',
    '# heading',
    '-- comment',
    'TYPE endpoint',
    'SCHEMA >',
    '\tNODE n',
    '%',
    '>',
    '  SELECT 1',
    'ENGINE "x"',
    'a String,',
  ),
);
const linesOf = (texts: readonly string[]): { text: string; file: string; line: number }[] =>
  texts.map((text, index) => ({ text, file: 'f', line: index + 1 }));
const PROSE = fc.array(LINE, { maxLength: 6 }).map((lines) => proseOf(linesOf(lines)));
const SQL = fc
  .array(LINE, { minLength: 1, maxLength: 8 })
  .map((lines) => sqlOf(linesOf(lines)))
  .filter((sql) => sql !== '' && sql !== '%');

/** Leaves keys out whose value is undefined, as resources do. */
function compact<T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as T;
}

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const text = (arbitrary: fc.Arbitrary<string>): fc.Arbitrary<string | undefined> =>
  maybe(arbitrary).map((value) => (value === '' ? undefined : value));

/** As it comes out of a literal that says it. */
const COMMENT = PROSE.map((prose) => proseOfString({ value: quoteProse(prose).slice(1, -1) }));

const COLUMN: fc.Arbitrary<DataSourceColumn> = fc
  .record({
    name: COLUMN_NAME,
    type: TYPE,
    jsonPath: maybe(PATH),
    default: maybe(
      fc.record({ kind: fc.constantFrom('DEFAULT', 'MATERIALIZED', 'ALIAS', 'EPHEMERAL'), expression: EXPRESSION }),
    ),
    codec: maybe(fc.constantFrom('ZSTD(3)', 'Delta(4), LZ4', 'NONE')),
    comment: text(COMMENT),
  })
  .map(({ name, type, jsonPath, default: value, codec, comment }) =>
    compact<DataSourceColumn>({
      name,
      type,
      jsonPath: value?.kind === 'MATERIALIZED' || value?.kind === 'ALIAS' ? undefined : jsonPath,
      kind: value?.kind,
      expression: value?.kind === 'EPHEMERAL' && value.expression === '0' ? undefined : value?.expression,
      codec,
      comment,
    }),
  );

/** Two columns that every source has, for engines that need them. */
const FIXED: readonly DataSourceColumn[] = [
  { name: 'fixed_sign', type: 'Int8' },
  { name: 'fixed version', type: 'UInt64' },
];

const KEY = fc.constantFrom(
  'fixed_sign',
  '`fixed version`, fixed_sign',
  'tuple()',
  "concat(toString(fixed_sign), ' # ')",
  `concat('"', 'x')`,
);
const SETTINGS = fc.dictionary(
  fc.constantFrom('index_granularity', 'a', 'b'),
  fc.constantFrom('1', '-2', 'true', "'x, y # z'", `'"'`),
  {
    minKeys: 1,
  },
);

const ENGINE: fc.Arbitrary<DataSourceEngine> = fc
  .record({
    name: fc.constantFrom(
      'MergeTree',
      'ReplacingMergeTree',
      'SummingMergeTree',
      'AggregatingMergeTree',
      'CollapsingMergeTree',
      'VersionedCollapsingMergeTree',
      'Null',
    ),
    sortingKey: maybe(KEY),
    partitionKey: maybe(KEY),
    primaryKey: maybe(KEY),
    ttl: maybe(
      fc.constantFrom('now() + INTERVAL 1 DAY', `now() + toIntervalDay(length('"#'))`, 'a + 1, b + 2 DELETE WHERE c'),
    ),
    isDeleted: maybe(fc.constant('fixed_sign')),
    summingColumns: maybe(fc.constant('fixed_sign, `fixed version`')),
    settings: maybe(
      SETTINGS.map((settings) => Object.fromEntries(Object.entries(settings).toSorted(([a], [b]) => (a < b ? -1 : 1)))),
    ),
  })
  .map(({ name, isDeleted, summingColumns, ...keys }) => {
    if (name === 'Null') return { name };
    const versioned = name === 'ReplacingMergeTree' || name === 'VersionedCollapsingMergeTree';
    return compact<DataSourceEngine>({
      name,
      ...keys,
      version: versioned ? '`fixed version`' : undefined,
      sign: name.endsWith('CollapsingMergeTree') ? 'fixed_sign' : undefined,
      isDeleted: name === 'ReplacingMergeTree' ? isDeleted : undefined,
      summingColumns: name === 'SummingMergeTree' ? summingColumns : undefined,
    });
  });

const INDEX: fc.Arbitrary<DataSourceIndex> = fc.record({
  name: COLUMN_NAME,
  expression: EXPRESSION,
  type: fc.constantFrom('minmax', 'set(100)', 'tokenbf_v1(32768, 3, 0)'),
  granularity: fc.integer({ min: 1, max: 1000 }),
});

const unique = <T extends { readonly name: string }>(arbitrary: fc.Arbitrary<T>, minLength = 0): fc.Arbitrary<T[]> =>
  fc.uniqueArray(arbitrary, { minLength, maxLength: 6, selector: ({ name }) => name });
const TAGS = fc.uniqueArray(fc.constantFrom('a', 'b c', 'k=v', 'x#y', 'ü'), { maxLength: 4 });
const tokens = (...scopes: ('READ' | 'APPEND')[]): fc.Arbitrary<{ name: string; scope: 'READ' | 'APPEND' }[]> =>
  fc.uniqueArray(
    fc.record({ name: fc.constantFrom('t', 'two words', '# x', 'ü'), scope: fc.constantFrom(...scopes) }),
    {
      maxLength: 4,
      selector: ({ name, scope }) => `${scope} ${name}`,
    },
  );

const DATA_SOURCE: fc.Arbitrary<DataSource> = fc
  .record({
    name: NAME,
    description: text(PROSE),
    columns: unique(COLUMN).map((columns) => [...columns, ...FIXED]),
    engine: ENGINE,
    indexes: unique(INDEX),
    tokens: tokens('READ', 'APPEND'),
    tags: TAGS,
    sharedWith: TAGS,
    forwardQuery: maybe(SQL.map((sql) => `SELECT\n${sql}`.trimEnd())),
    backfill: maybe(fc.constant('skip' as const)),
  })
  .map((source) => compact<DataSource>({ kind: 'datasource', ...source }));

const NODE: fc.Arbitrary<PipeNode> = fc
  .record({
    name: NAME,
    description: text(PROSE),
    sql: SQL,
    type: fc.constantFrom('default', 'materialized', 'copy', 'sink'),
    value: fc.constantFrom('a b', 's3://x/y#z', '# x', '"quoted"', "it's", '@on-demand', '> x', '--', '{date}_x'),
    target: NAME,
    schedule: fc.constantFrom('@on-demand', '0 * * * *', '*/5 1-3 1,15 * MON-FRI'),
  })
  .map(({ value, target, schedule, ...node }) => ({
    ...compact<PipeNode>({ ...node, settings: {} }),
    settings: {
      default: {},
      endpoint: {},
      materialized: { DATASOURCE: target, DEPLOYMENT_METHOD: 'alter' },
      copy: { TARGET_DATASOURCE: target, COPY_SCHEDULE: schedule, COPY_MODE: 'replace' },
      sink: { EXPORT_SERVICE: value, EXPORT_SCHEDULE: schedule },
    }[node.type],
  }));

const PIPE: fc.Arbitrary<Pipe> = fc
  .record({
    name: NAME,
    description: text(PROSE),
    nodes: unique(NODE, 1),
    endpoint: fc.boolean(),
    tokens: tokens('READ'),
    tags: TAGS,
    cacheSeconds: maybe(fc.nat({ max: 100_000 })),
  })
  .map(({ endpoint, nodes, ...pipe }) => {
    const last = nodes.at(-1);
    const answering =
      endpoint && last !== undefined
        ? [...nodes.slice(0, -1), { ...last, type: 'endpoint' as const, settings: {} }]
        : nodes;
    return compact<Pipe>({ kind: 'pipe', ...pipe, nodes: answering });
  });

describe('formatDataFile', () => {
  it.each([
    ['data sources', DATA_SOURCE, 1],
    ['pipes', PIPE, 2],
  ])('writes %s so that reading gives the same', (_name, arbitrary: fc.Arbitrary<DataSource | Pipe>, seed) => {
    fc.assert(
      fc.property(arbitrary, (resource) => {
        const written = formatDataFile(resource);
        const { resource: read } = parseDataFile(written, { file: `${resource.name}.${resource.kind}` });
        expect(read).toEqual(resource);
        expect(formatDataFile(read)).toBe(written);
      }),
      { numRuns: 3000, seed },
    );
  });

  it('writes a data source in one way', () => {
    const text =
      'ENGINE_SORTING_KEY (b)\nSCHEMA >\n  a   String   DEFAULT  1 ,"b" Array( UInt8 )\nTOKEN t read\nDESCRIPTION  x';
    expect(formatDataFile(parseDataFile(text, { file: 'x.datasource' }).resource)).toBe(
      [
        'DESCRIPTION >',
        '    x',
        '',
        'TOKEN "t" READ',
        '',
        'SCHEMA >',
        '    `a` String DEFAULT 1,',
        '    `b` Array(UInt8)',
        '',
        'ENGINE "MergeTree"',
        'ENGINE_SORTING_KEY "b"',
        '',
      ].join('\n'),
    );
  });

  it('writes a pipe in one way', () => {
    const text =
      'NODE n\nSQL >\n%\n  SELECT {{Int8(x)}}\nTYPE COPY\nCOPY_SCHEDULE  "0 * * * *"\nTARGET_DATASOURCE "t"\nCACHE 5';
    expect(formatDataFile(parseDataFile(text, { file: 'x.pipe' }).resource)).toBe(
      'NODE n\nSQL >\n    %\n    SELECT {{Int8(x)}}\n\nTYPE copy\nCOPY_SCHEDULE 0 * * * *\nTARGET_DATASOURCE t\n\nCACHE 5\n',
    );
  });
});
