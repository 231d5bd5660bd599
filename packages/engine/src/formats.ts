/**
 * The media type of each output format. Separate because it is a table.
 *
 * Must stay true: a format that is not listed is either text whose name begins like a listed family, or binary.
 */

const JSON_TYPE = 'application/json; charset=UTF-8';
const NDJSON_TYPE = 'application/x-ndjson; charset=UTF-8';
const BINARY_TYPE = 'application/octet-stream';
const TEXT_TYPE = 'text/plain; charset=UTF-8';

const EXACT: Readonly<Record<string, string>> = {
  JSONEachRow: NDJSON_TYPE,
  JSONLines: NDJSON_TYPE,
  NDJSON: NDJSON_TYPE,
  JSONStringsEachRow: NDJSON_TYPE,
  JSONCompactEachRow: NDJSON_TYPE,
  Arrow: BINARY_TYPE,
  ArrowStream: BINARY_TYPE,
  Parquet: BINARY_TYPE,
  ORC: BINARY_TYPE,
  Avro: BINARY_TYPE,
  Native: BINARY_TYPE,
  MsgPack: BINARY_TYPE,
  BSONEachRow: BINARY_TYPE,
  Npy: BINARY_TYPE,
  XML: 'application/xml; charset=UTF-8',
  Prometheus: 'text/plain; version=0.0.4; charset=UTF-8',
};

const FAMILIES: readonly (readonly [prefix: string, type: string])[] = [
  ['JSON', JSON_TYPE],
  ['CSV', 'text/csv; charset=UTF-8; header=absent'],
  ['TSV', 'text/tab-separated-values; charset=UTF-8'],
  ['TabSeparated', 'text/tab-separated-values; charset=UTF-8'],
  ['RowBinary', BINARY_TYPE],
  ['Protobuf', BINARY_TYPE],
];

/** The `Content-Type` of a result in `format`. */
export function contentType(format: string): string {
  const exact = EXACT[format];
  if (exact !== undefined) return exact;
  if (format.startsWith('CSVWithNames')) return 'text/csv; charset=UTF-8; header=present';
  return FAMILIES.find(([prefix]) => format.startsWith(prefix))?.[1] ?? TEXT_TYPE;
}
