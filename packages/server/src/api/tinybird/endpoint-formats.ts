/** The formats of endpoints: by which ending they are asked for, what the engine calls them, and how their answers are labelled. */

export interface EndpointFormat {
  /** The engine's name of it. */
  readonly name: string;
  readonly contentType: string;
}

/** By the ending of the path. Clients of `.csv` expect the names of the columns in the first line. */
export const ENDPOINT_FORMATS: Readonly<Record<string, EndpointFormat>> = {
  json: { name: 'JSON', contentType: 'application/json' },
  csv: { name: 'CSVWithNames', contentType: 'text/csv' },
  csvwithnames: { name: 'CSVWithNames', contentType: 'text/csv' },
  tsv: { name: 'TSVWithNames', contentType: 'text/tab-separated-values' },
  ndjson: { name: 'JSONEachRow', contentType: 'application/x-ndjson' },
  parquet: { name: 'Parquet', contentType: 'application/vnd.apache.parquet' },
  prometheus: { name: 'Prometheus', contentType: 'text/plain; version=0.0.4' },
};

/** With what endpoints are asked. */
export const ENDPOINT_SETTINGS: Readonly<Record<string, string>> = {
  // 64-bit integers are JSON numbers, as clients of this interface expect them.
  output_format_json_quote_64bit_integers: '0',
  output_format_json_quote_64bit_floats: '0',
  // They read the same rows with other parameters again and again. It keeps blocks of parts, which never change, and no answers.
  use_uncompressed_cache: '1',
};

/** How an answer is labelled; SQL over a result may have named another format. */
export function contentTypeOf(asked: EndpointFormat, format: string, given: string | undefined): string {
  if (format === asked.name) return asked.contentType;
  const known = Object.values(ENDPOINT_FORMATS).find(({ name }) => name === format);
  return known?.contentType ?? given ?? 'text/plain';
}
