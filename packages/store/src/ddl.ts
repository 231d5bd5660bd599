/**
 * From a table's description to its DDL. One description gives both forms: a MergeTree for the embedded engine or a single
 * server; a replicated local table under a distributed one for a cluster.
 */

import type { Column, DerivedColumn, FactTable, Index, Projection } from '@glasshouse/schema';

/** What the DDL of all tables depends on. */
export interface DdlOptions {
  readonly database: string;
  readonly cluster: string | undefined;
  /** Rows are deleted after this many days; undefined keeps them. */
  readonly retentionDays: number | undefined;
  /** Days that rows of the audit log are kept; undefined for the default. */
  readonly auditDays?: number | undefined;
  /** General compression of every column: `Default` is what the engine's configuration says for a part of its size. */
  readonly compression: string;
  /** See `Target`. */
  readonly isCurrent: boolean;
}

/** Settings of every table that the drain fills, with the reason for each. */
export const DURABLE_SETTINGS = {
  // An insert returns only when its part is on disk: the drain removes the segment after that.
  fsync_after_insert: 1,
  fsync_part_directory: 1,
  // The sources of a merge are removed after it, so its result must be on disk as well.
  min_rows_to_fsync_after_merge: 1,
} as const;

/** Settings of every fact table, with the reason for each. */
const TABLE_SETTINGS: Readonly<Record<string, string | number>> = {
  ...DURABLE_SETTINGS,
  // A part that was just inserted is merged soon: one file for all its columns costs a third less to write than two for each.
  min_level_for_wide_part: 1,
  merge_selector_base: 12,
  // Retention drops whole days and rewrites nothing.
  ttl_only_drop_parts: 1,
};

/** Settings of a statement that makes a fact table: the segment's id is a dictionary of one value in each part. */
export const TABLE_MAKING = { allow_suspicious_low_cardinality_types: 1 } as const;

/** Quotes an identifier. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

/** Quotes a string literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** The statements that create the table, in order. */
export function createTable(table: FactTable, options: DdlOptions): string[] {
  const { database, cluster } = options;
  if (cluster === undefined)
    return [storageTable(table, `${quoteName(database)}.${quoteName(table.name)}`, 'MergeTree', options)];
  const local = `${table.name}_local`;
  const engine = `ReplicatedMergeTree('/clickhouse/tables/{shard}/${database}/${table.name}', '{replica}')`;
  return [
    storageTable(table, `${quoteName(database)}.${quoteName(local)}${onCluster(cluster)}`, engine, options),
    `CREATE TABLE IF NOT EXISTS ${quoteName(database)}.${quoteName(table.name)}${onCluster(cluster)} AS ` +
      `${quoteName(database)}.${quoteName(local)} ENGINE = Distributed(${quoteText(cluster)}, ${quoteText(database)}, ` +
      `${quoteText(local)}, ${shardingKey(table)})`,
  ];
}

/** ` ON CLUSTER 'name'`, or nothing. */
export function onCluster(cluster: string | undefined): string {
  return cluster === undefined ? '' : ` ON CLUSTER ${quoteText(cluster)}`;
}

/** Spans of one trace go to one shard; everything else spreads by chance. */
function shardingKey(table: FactTable): string {
  return table.columns.some((column) => column.name === 'trace_id') && table.name === 'spans'
    ? 'cityHash64(trace_id)'
    : 'rand()';
}

function storageTable(table: FactTable, name: string, engine: string, options: DdlOptions): string {
  const parts = [
    ...table.columns.map((column) => columnDdl(column, options)),
    ...table.derived.map(derivedDdl),
    ...table.indexes.map((index) => indexDdl(index)),
    ...table.projections.map((projection) => projectionDdl(projection, options)),
  ];
  const settings = Object.entries({
    ...TABLE_SETTINGS,
    ...table.settings,
    ...projectionSettings(table, options),
  }).map(([key, value]) => `${key} = ${value}`);
  return [
    `CREATE TABLE IF NOT EXISTS ${name}`,
    `(\n  ${parts.join(',\n  ')}\n)`,
    `ENGINE = ${engine}`,
    `PARTITION BY ${table.partitionBy}`,
    `ORDER BY (${table.orderBy.join(', ')})`,
    ...(options.retentionDays === undefined ? [] : [`TTL ${ttl(table, options.retentionDays)}`]),
    `SETTINGS ${settings.join(', ')}`,
    `COMMENT ${quoteText(table.comment)}`,
  ].join('\n');
}

/** Settings by which merges make the projections of the table, where that is wanted and possible. */
export function projectionSettings(
  { projectedByMerges }: FactTable,
  { isCurrent }: Pick<DdlOptions, 'isCurrent'>,
): Readonly<Record<string, number>> {
  return projectedByMerges === true && isCurrent
    ? { materialize_projections_on_insert: 0, materialize_projections_on_merge: 1 }
    : {};
}

/** The projection as it stands in a table, or behind ADD of a statement that changes one, where `unless` may say `IF NOT EXISTS `. */
export function projectionDdl(
  { name, query }: Projection,
  { isCurrent }: Pick<DdlOptions, 'isCurrent'>,
  unless = '',
): string {
  // The engine reads a key of a map as a subcolumn, and takes a projection only if that does so too.
  const spelled = isCurrent ? query.replaceAll(/(\w+)\['(\w+)'\]/gu, "getSubcolumn($1, 'key_$2')") : query;
  return `PROJECTION ${unless}${quoteName(name)} (${spelled})`;
}

/** The TTL expression of a table. */
export function ttl(table: FactTable, days: number): string {
  return `${table.ttlFrom} + toIntervalDay(${days})`;
}

export function columnDdl({ name, type, codec, blockBytes, comment }: Column, { compression }: DdlOptions): string {
  const codecs = codec === undefined ? compression : `${codec}, ${compression}`;
  const settings =
    blockBytes === undefined
      ? ''
      : ` SETTINGS (min_compress_block_size = ${blockBytes.min}, max_compress_block_size = ${blockBytes.max})`;
  return `${quoteName(name)} ${type} COMMENT ${quoteText(comment)} CODEC(${codecs})${settings}`;
}

/** The index as it stands in a table, or behind ADD of a statement that changes one, where `unless` may say `IF NOT EXISTS `. */
export function indexDdl({ name, expression, type, granularity }: Index, unless = ''): string {
  return `INDEX ${unless}${quoteName(name)} ${expression} TYPE ${type} GRANULARITY ${granularity}`;
}

function derivedDdl(column: DerivedColumn): string {
  return `${quoteName(column.name)} ${column.type} ${column.kind} ${column.expression} COMMENT ${quoteText(column.comment)}`;
}
