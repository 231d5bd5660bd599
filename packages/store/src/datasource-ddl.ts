/**
 * From a data source's definition to the DDL of its two tables: the one that its rows go into, and the quarantine of those
 * that do not fit. Pure text, so that what is made can be read in a test.
 *
 * Must stay true: names, identifiers and literals are quoted or checked here. Types and expressions are the user's text and
 * stand in the statement as written: whoever calls has had them judged.
 */

import type { DataSource, DataSourceColumn, DataSourceEngine } from '@glasshouse/model';
import { AppError, SEGMENT } from '@glasshouse/model';
import { DURABLE_SETTINGS, quoteName, quoteText } from './ddl.ts';

/** Engines that a data source may have. */
export const ENGINES = [
  'MergeTree',
  'ReplacingMergeTree',
  'AggregatingMergeTree',
  'SummingMergeTree',
  'CollapsingMergeTree',
  'VersionedCollapsingMergeTree',
  'Null',
] as const;
type EngineName = (typeof ENGINES)[number];

/** Rows of these engines add up: a row that was copied must not be copied again after it was merged with a later one. */
const ADDITIVE: ReadonlySet<string> = new Set([
  'AggregatingMergeTree',
  'SummingMergeTree',
  'CollapsingMergeTree',
  'VersionedCollapsingMergeTree',
]);

/** Days that rejected rows are kept. */
const QUARANTINE_DAYS = 30;

/** Table settings that a data file may give. Anything that names a disk or a path is not among them. */
export const ENGINE_SETTINGS: ReadonlySet<string> = new Set([
  'allow_dimensions_outside_sorting_key',
  'allow_nullable_key',
  'enable_mixed_granularity_parts',
  'index_granularity',
  'index_granularity_bytes',
  'max_bytes_to_merge_at_max_space_in_pool',
  'merge_max_block_size',
  'merge_with_ttl_timeout',
  'min_age_to_force_merge_on_partition_only',
  'min_age_to_force_merge_seconds',
  'min_bytes_for_wide_part',
  'min_rows_for_wide_part',
  'parts_to_delay_insert',
  'parts_to_throw_insert',
  'ttl_only_drop_parts',
]);

/** What a quarantine has beside the columns of its data source. */
const QUARANTINE_COLUMNS = {
  c__error_column: 'Array(String)',
  c__error: 'Array(String)',
  c__import_id: 'Nullable(String)',
  insertion_date: 'DateTime',
  c__line: 'Nullable(String)',
} as const;

/** True if the rows of the engine add up when they are merged. */
export function isAdditive(engine: DataSourceEngine): boolean {
  return ADDITIVE.has(engine.name);
}

/** True if the engine keeps rows at all. */
export function keepsRows(engine: DataSourceEngine): boolean {
  return engine.name !== 'Null';
}

/**
 * The hidden column that names the log segment of a row. Where rows are added up, the sum of two segments is none, so the
 * greatest is kept.
 */
function segmentColumn(engine: DataSourceEngine): string {
  const merges = engine.name === 'AggregatingMergeTree' || engine.name === 'SummingMergeTree';
  const type = merges ? 'SimpleAggregateFunction(max, UInt64)' : 'LowCardinality(UInt64)';
  return `${quoteName(SEGMENT)} ${type} MATERIALIZED 0`;
}

/** Columns that a row can bring a value for. */
function writableColumns(dataSource: DataSource): readonly DataSourceColumn[] {
  return dataSource.columns.filter(({ kind }) => kind !== 'MATERIALIZED' && kind !== 'ALIAS');
}

/** A column of a quarantine that takes what a row brought for a column of the data source. */
export interface QuarantineColumn {
  readonly column: string;
  /** Name in the quarantine: that of the column, or with `_` behind it where the quarantine has a column of that name itself. */
  readonly name: string;
}

/** The columns of the quarantine that hold the row's values, in the order of the data source. */
export function quarantineColumns(dataSource: DataSource): readonly QuarantineColumn[] {
  const taken = new Set<string>([...Object.keys(QUARANTINE_COLUMNS), ...dataSource.columns.map(({ name }) => name)]);
  return writableColumns(dataSource).map(({ name: column }) => {
    if (!Object.hasOwn(QUARANTINE_COLUMNS, column)) return { column, name: column };
    let name = `${column}_`;
    while (taken.has(name)) name += '_';
    return { column, name };
  });
}

/** CREATE TABLE of the data source under `name`, which is quoted already; `comment` says which version it is. */
export function createDataSourceTable(dataSource: DataSource, name: string, comment: string): string {
  const { columns, engine, indexes } = dataSource;
  const parts = [
    ...columns.map(columnDdl),
    segmentColumn(engine),
    ...indexes.map(
      (index) =>
        `INDEX ${quoteName(index.name)} ${index.expression} TYPE ${index.type} GRANULARITY ${index.granularity}`,
    ),
  ];
  return [
    `CREATE TABLE ${name}`,
    `(\n  ${parts.join(',\n  ')}\n)`,
    `ENGINE = ${engineDdl(engine)}`,
    ...(keepsRows(engine) ? storageDdl(engine) : []),
    `COMMENT ${quoteText(comment)}`,
  ].join('\n');
}

/** CREATE TABLE of one that has the columns of the data source and keeps every row, for a moment: in memory, or on disk. */
export function createLandingTable(dataSource: DataSource, name: string, isOnDisk: boolean): string {
  const columns = dataSource.columns.map((column) => {
    const { codec: _, ...plain } = column;
    return columnDdl(plain);
  });
  const parts = [...columns, `${quoteName(SEGMENT)} UInt64 MATERIALIZED 0`];
  return `CREATE TABLE ${name}\n(\n  ${parts.join(',\n  ')}\n)\nENGINE = ${isOnDisk ? 'MergeTree ORDER BY tuple()' : 'Memory'}`;
}

/** CREATE TABLE of the quarantine. Its columns are texts, because what they hold did not fit. */
export function createQuarantineTable(dataSource: DataSource, name: string, comment: string): string {
  const settings = settingsDdl({ ...DURABLE_SETTINGS, ttl_only_drop_parts: 1 });
  const parts = [
    ...quarantineColumns(dataSource).map((column) => `${quoteName(column.name)} Nullable(String)`),
    ...Object.entries(QUARANTINE_COLUMNS).map(([column, type]) => `${quoteName(column)} ${type}`),
    `${quoteName(SEGMENT)} LowCardinality(UInt64) MATERIALIZED 0`,
  ];
  return [
    `CREATE TABLE ${name}`,
    `(\n  ${parts.join(',\n  ')}\n)`,
    'ENGINE = MergeTree',
    'PARTITION BY toDate(insertion_date)',
    'ORDER BY insertion_date',
    `TTL insertion_date + toIntervalDay(${QUARANTINE_DAYS})`,
    `SETTINGS ${settings}`,
    `COMMENT ${quoteText(comment)}`,
  ].join('\n');
}

/** A column as CREATE and ALTER write it. */
export function columnDdl(column: DataSourceColumn): string {
  const { name, type, kind, expression, codec, comment } = column;
  const value =
    expression === undefined ? (kind === 'EPHEMERAL' ? ' EPHEMERAL' : '') : ` ${kind ?? 'DEFAULT'} ${expression}`;
  const about = comment === undefined ? '' : ` COMMENT ${quoteText(comment)}`;
  return `${quoteName(name)} ${type}${value}${about}${codec === undefined ? '' : ` CODEC(${codecText(codec)})`}`;
}

/** The codecs between the parentheses: `ZSTD(1)`, also of `CODEC(ZSTD(1))`. Throws `bad_request` for anything else. */
export function codecText(codec: string): string {
  const text = /^CODEC\s*\((.*)\)$/isu.exec(codec.trim())?.[1] ?? codec.trim();
  if (!/^[A-Za-z]\w*(?:\([\w\s,']*\))?(?:\s*,\s*[A-Za-z]\w*(?:\([\w\s,']*\))?)*$/u.test(text)) {
    throw new AppError('bad_request', `cannot use CODEC=${shorten(codec)}: write codecs such as ZSTD(1) or Delta, LZ4`);
  }
  return text;
}

/** The engine with its parameters. Throws `bad_request` for an engine that is not one of `ENGINES`. */
function engineDdl(engine: DataSourceEngine): string {
  const { name } = engine;
  switch (name as EngineName) {
    case 'MergeTree':
    case 'AggregatingMergeTree':
    case 'Null':
      return name;
    case 'ReplacingMergeTree': {
      const deleted = optionalName('ENGINE_IS_DELETED', engine.isDeleted);
      const parameters = [...optionalName('ENGINE_VER', engine.version), ...deleted];
      if (deleted.length > 0 && parameters.length === 1) throw missing(name, 'ENGINE_VER');
      return `${name}(${parameters.join(', ')})`;
    }
    case 'SummingMergeTree': {
      const columns = namesOf(engine.summingColumns ?? '');
      // With a list, what is not on it keeps any of its values: the segment has to be on it.
      return columns.length === 0 ? name : `${name}((${[...columns, quoteName(SEGMENT)].join(', ')}))`;
    }
    case 'CollapsingMergeTree':
      return `${name}(${requiredName(name, 'ENGINE_SIGN', engine.sign)})`;
    case 'VersionedCollapsingMergeTree':
      return `${name}(${requiredName(name, 'ENGINE_SIGN', engine.sign)}, ${requiredName(name, 'ENGINE_VER', engine.version)})`;
    default:
      throw new AppError('bad_request', `cannot use ENGINE=${shorten(name)}: it must be one of ${ENGINES.join(', ')}`);
  }
}

/** Endpoints read the same rows again and again: what is fast to read is better than what is small. */
const SCANNED_SETTINGS = { default_compression_codec: "'LZ4'" } as const;

function storageDdl(engine: DataSourceEngine): string[] {
  const { partitionKey, sortingKey, primaryKey, ttl, settings } = engine;
  return [
    ...(isGiven(partitionKey) ? [`PARTITION BY (${partitionKey})`] : []),
    ...(isGiven(primaryKey) ? [`PRIMARY KEY (${primaryKey})`] : []),
    `ORDER BY ${isGiven(sortingKey) ? `(${sortingKey})` : 'tuple()'}`,
    ...(isGiven(ttl) ? [`TTL ${ttl}`] : []),
    `SETTINGS ${settingsDdl({ ...checkedSettings(settings ?? {}), ...DURABLE_SETTINGS, ...SCANNED_SETTINGS })}`,
  ];
}

/** Settings as the statement takes them. Throws `bad_request` for one that a data file may not give. */
export function checkedSettings(settings: Readonly<Record<string, string>>): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [key, value] of Object.entries(settings)) {
    if (!ENGINE_SETTINGS.has(key)) {
      const known = [...ENGINE_SETTINGS].join(', ');
      throw new AppError('bad_request', `cannot use ENGINE_SETTINGS ${shorten(key)}: it must be one of ${known}`);
    }
    if (!/^'?\d{1,20}(?:\.\d{1,10})?'?$/u.test(value)) {
      throw new AppError('bad_request', `cannot use ENGINE_SETTINGS ${key}=${shorten(value)}: give a number`);
    }
    checked[key] = value;
  }
  return checked;
}

function settingsDdl(settings: Readonly<Record<string, string | number>>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key} = ${value}`)
    .join(', ');
}

/** Column names of a list such as `a, b` or `(a, b)`, quoted. */
function namesOf(list: string): string[] {
  const text = /^\((.*)\)$/su.exec(list.trim())?.[1] ?? list;
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .map((name) => plainName('ENGINE_SUMMING_COLUMNS', name));
}

function requiredName(engine: string, directive: string, name: string | undefined): string {
  if (!isGiven(name)) throw missing(engine, directive);
  return plainName(directive, name);
}

function optionalName(directive: string, name: string | undefined): string[] {
  return isGiven(name) ? [plainName(directive, name)] : [];
}

function plainName(directive: string, name: string): string {
  const plain = /^[`"]?([A-Za-z_]\w*)[`"]?$/u.exec(name.trim())?.[1];
  if (plain === undefined)
    throw new AppError('bad_request', `cannot use ${directive}=${shorten(name)}: it must be the name of a column`);
  return quoteName(plain);
}

function missing(engine: string, directive: string): AppError {
  return new AppError('bad_request', `cannot make a ${engine}: it needs ${directive}`);
}

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== '';
}

function shorten(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
