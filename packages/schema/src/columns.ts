/** Column groups that several fact tables share, so that the same thing has the same name and type in each of them. */

import type { Column, Index } from './table.ts';
import { SEGMENT_COLUMN } from './table.ts';

const LC = 'LowCardinality(String)';

/** Who the row belongs to; leads every sorting key. */
export const PLACEMENT_COLUMNS: readonly Column[] = [
  { name: SEGMENT_COLUMN, type: 'LowCardinality(UInt64)', comment: 'Id of the WAL segment that brought the row' },
  { name: 'tenant_id', type: LC, comment: 'Tenant' },
  { name: 'project_id', type: LC, comment: 'Project of the API key' },
  { name: 'environment', type: LC, comment: 'Environment of the API key' },
];

/**
 * What `opentelemetry.proto.resource.v1.Resource` and `InstrumentationScope` carry. Their attributes are JSON text in a
 * dictionary: thousands of rows share one, so it takes a byte a row, and a function of it runs once per dictionary entry.
 */
export const RESOURCE_COLUMNS: readonly Column[] = [
  { name: 'service_name', type: LC, comment: 'Resource attribute service.name' },
  {
    name: 'project_name',
    type: LC,
    comment: 'Resource attribute project.name, else service.namespace, else service.name',
  },
  { name: 'resource_attributes', type: LC, comment: 'Resource attributes, a JSON object' },
  { name: 'resource_dropped_attributes_count', type: 'UInt32', comment: 'Attributes dropped by the sender' },
  { name: 'resource_schema_url', type: LC, comment: 'Schema URL of the resource' },
  { name: 'scope_name', type: LC, comment: 'Instrumentation scope' },
  { name: 'scope_version', type: LC, comment: 'Version of the instrumentation scope' },
  { name: 'scope_attributes', type: LC, comment: 'Scope attributes, a JSON object' },
  { name: 'scope_dropped_attributes_count', type: 'UInt32', comment: 'Attributes dropped by the sender' },
  { name: 'scope_schema_url', type: LC, comment: 'Schema URL of the scope' },
];

/**
 * Attributes by type, so that a number stays a number. The maps keep the order in which the sender wrote the attributes of
 * each type. Arrays, key-value lists, bytes and empty values are JSON text, which keeps types as well: bytes are
 * `{"bytes":"base64"}`, doubles always have a point or an exponent, non-finite doubles are strings.
 */
export const ATTRIBUTE_COLUMNS: readonly Column[] = [
  {
    name: 'attributes_string',
    type: `Map(${LC}, String)`,
    // Half of a span's bytes. A block is the text of a granule, of 0.5 to 2 MiB: so the least is well below that, or a row costs two
    // granules of text, and many of keys and lengths, which are blocks of their own; the most is well above.
    blockBytes: { min: 128 << 10, max: 4 << 20 },
    comment: 'String attributes',
  },
  { name: 'attributes_int', type: `Map(${LC}, Int64)`, comment: 'Integer attributes' },
  { name: 'attributes_double', type: `Map(${LC}, Float64)`, comment: 'Floating-point attributes' },
  { name: 'attributes_bool', type: `Map(${LC}, Bool)`, comment: 'Boolean attributes' },
  { name: 'attributes_json', type: `Map(${LC}, String)`, comment: 'Structured attributes, as JSON text' },
  { name: 'dropped_attributes_count', type: 'UInt32', comment: 'Attributes dropped by the sender' },
];

/**
 * The text of a trace id as the views show it. People ask by that text, so the index is over the same expression: of spans,
 * which have one, and of log records, where an id of zeros is none.
 */
export const TRACE_ID_HEX = 'lower(hex(trace_id))';
export const OPTIONAL_TRACE_ID_HEX = "if(trace_id = toFixedString('', 16), '', lower(hex(trace_id)))";

/** An index by which a filter on the text of a trace id finds its granules. */
export function traceIdIndex(expression: string): Index {
  return { name: 'trace_id_hex', expression, type: 'bloom_filter(0.005)', granularity: 1 };
}

/**
 * First and last time of each granule: who asks for the newest rows of a kind reads no granule that is older than what was found
 * already. Costs nothing to speak of: two numbers for thousands of rows.
 */
export const TIME_RANGE: Index = {
  name: 'timestamp_range',
  expression: 'timestamp',
  type: 'minmax',
  granularity: 1,
};

export const TIME = "DateTime64(9, 'UTC')";
export const TIME_CODEC = 'Delta(8)';
export { LC };
