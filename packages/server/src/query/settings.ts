/**
 * Which of the settings that a client sends reach the engine. Clients send many that mean nothing here, so what isn't on
 * the list is left out without a word, as long as leaving it out changes no answer silently.
 *
 * Must stay true: nothing on the list changes who is asked for what: no files, no other analyzer, no looser limit.
 */

import { AppError } from '@glasshouse/model';

/** How long, how much, how wide a tenant's query may be. */
export interface QueryLimits {
  readonly maxExecutionSeconds: number;
  readonly maxMemoryBytes: number;
  readonly maxThreads: number;
  /** Bytes of a result, before its format. */
  readonly maxResultBytes: number;
}

const HARMLESS: ReadonlySet<string> = new Set([
  'aggregate_functions_null_for_empty',
  'any_join_distinct_right_table_keys',
  'bool_false_representation',
  'bool_true_representation',
  'buffer_size',
  'cast_keep_nullable',
  'count_distinct_implementation',
  'data_type_default_nullable',
  'date_time_input_format',
  'date_time_output_format',
  'extremes',
  'format_csv_delimiter',
  'format_csv_null_representation',
  'format_tsv_null_representation',
  'http_write_exception_in_output_format',
  'join_use_nulls',
  'limit',
  'max_block_size',
  'max_bytes_to_read',
  'max_columns_to_read',
  'max_result_rows',
  'max_rows_to_read',
  'offset',
  'optimize_read_in_order',
  'prefer_column_name_to_alias',
  'result_overflow_mode',
  'session_timezone',
  'totals_mode',
  'transform_null_in',
  'union_default_mode',
  'use_uncompressed_cache',
  'wait_end_of_query',
]);

/** They would change what a row filter means. */
const MEANING: readonly string[] = [
  'cast_keep_nullable',
  'data_type_default_nullable',
  'date_time_input_format',
  'session_timezone',
  'transform_null_in',
];

/** They change what a statement comes to: which names mean what, and which constants. */
const RESOLVING: readonly string[] = [
  ...MEANING,
  'aggregate_functions_null_for_empty',
  'any_join_distinct_right_table_keys',
  'count_distinct_implementation',
  'join_use_nulls',
  'limit',
  'offset',
  'prefer_column_name_to_alias',
  'totals_mode',
  'union_default_mode',
];

/** Of the settings that a client asks for, those with which a statement has to be judged, because it will run with them. */
export function resolvingSettings(asked: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(RESOLVING.flatMap((name) => (asked[name] === undefined ? [] : [[name, asked[name]]])));
}

/** By them a query fails or not depending on how much was read, also of rows that are hidden. */
const READING: readonly string[] = ['max_bytes_to_read', 'max_columns_to_read', 'max_memory_usage', 'max_rows_to_read'];

/**
 * The settings of a query: what the client asks for where it is harmless or stricter, and the limits. `hidesRows` says that a row
 * filter applies. Throws `forbidden` for a setting that would change the filter.
 */
export function querySettings(
  asked: Readonly<Record<string, string>>,
  limits: QueryLimits,
  hidesRows = false,
): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries(asked)) {
    if (hidesRows && READING.includes(name)) continue;
    if (hidesRows && MEANING.includes(name)) {
      throw new AppError('forbidden', `cannot use setting ${name}: the credential sees some rows only; leave it out`);
    }
    if (HARMLESS.has(name) || /^output_format_[a-z0-9_]+$/u.test(name)) settings[name] = value;
  }
  // A dictionary is sent as it is stored, with the values of other tenants' rows.
  settings['output_format_arrow_low_cardinality_as_dictionary'] = '0';
  // How much was read tells how many rows are hidden, and between which values of the sorting key.
  if (hidesRows) settings['output_format_write_statistics'] = '0';
  settings['max_execution_time'] = stricter(asked['max_execution_time'], limits.maxExecutionSeconds);
  settings['max_memory_usage'] = stricter(hidesRows ? undefined : asked['max_memory_usage'], limits.maxMemoryBytes);
  settings['max_threads'] = stricter(asked['max_threads'], limits.maxThreads);
  settings['max_result_bytes'] = stricter(asked['max_result_bytes'], limits.maxResultBytes);
  // A query that meets a limit fails and says so; what was found until then would pass for the whole answer.
  settings['timeout_overflow_mode'] = 'throw';
  settings['read_overflow_mode'] = 'throw';
  // Cutting off at a number of rows is only for who asks for that number.
  if (asked['max_result_rows'] === undefined) settings['result_overflow_mode'] = 'throw';
  return settings;
}

function stricter(asked: string | undefined, limit: number): string {
  const value = Number(asked);
  return String(asked !== undefined && Number.isFinite(value) && value > 0 && value < limit ? value : limit);
}

/** Formats of results that need no files and speak no other protocol, as the engine spells them. */
const FORMATS: ReadonlySet<string> = new Set(
  `Arrow ArrowStream Avro BSONEachRow CSV CSVWithNames CSVWithNamesAndTypes Hash JSON JSONColumns JSONColumnsWithMetadata
   JSONCompact JSONCompactColumns JSONCompactEachRow JSONCompactEachRowWithNames JSONCompactEachRowWithNamesAndTypes
   JSONCompactEachRowWithProgress JSONCompactStrings JSONCompactStringsEachRow JSONCompactStringsEachRowWithNames
   JSONCompactStringsEachRowWithNamesAndTypes JSONCompactStringsEachRowWithProgress JSONEachRow JSONEachRowWithProgress JSONLines
   JSONObjectEachRow JSONStrings JSONStringsEachRow JSONStringsEachRowWithProgress Markdown MsgPack NDJSON Native Null
   Npy ORC Parquet Pretty PrettyCompact PrettyCompactMonoBlock PrettyCompactNoEscapes PrettyCompactNoEscapesMonoBlock
   PrettyJSONEachRow PrettyJSONLines PrettyMonoBlock PrettyNDJSON PrettyNoEscapes PrettyNoEscapesMonoBlock PrettySpace
   PrettySpaceMonoBlock PrettySpaceNoEscapes PrettySpaceNoEscapesMonoBlock Prometheus Raw RawBLOB RowBinary
   RowBinaryWithNames RowBinaryWithNamesAndTypes SQLInsert TabSeparated TabSeparatedRaw TabSeparatedRawWithNames
   TabSeparatedRawWithNamesAndTypes TabSeparatedWithNames TabSeparatedWithNamesAndTypes TSKV TSV TSVRaw TSVRawWithNames
   TSVRawWithNamesAndTypes TSVWithNames TSVWithNamesAndTypes Values Vertical XML`
    .trim()
    .split(/\s+/u),
);

/** True for formats that send how much was read so far along with the rows. */
export function tellsProgress(format: string): boolean {
  return format.endsWith('WithProgress');
}

const BY_LOWER_CASE = (name: string): string | undefined =>
  FORMATS.has(name) ? name : [...FORMATS].find((format) => format.toLowerCase() === name.toLowerCase());

/** The engine's spelling of a format, or undefined if it isn't offered. */
export function findFormat(name: string): string | undefined {
  return BY_LOWER_CASE(name);
}
