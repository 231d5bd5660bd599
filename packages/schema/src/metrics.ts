/**
 * The fact tables of metrics, one per kind of data point (`opentelemetry/proto/metrics/v1/metrics.proto`). They share what
 * every data point has; each adds its values.
 */

import { ATTRIBUTE_COLUMNS, LC, PLACEMENT_COLUMNS, RESOURCE_COLUMNS, TIME, TIME_CODEC } from './columns.ts';
import type { Column, FactTable } from './table.ts';

const POINT_COLUMNS: readonly Column[] = [
  ...PLACEMENT_COLUMNS,
  { name: 'timestamp', type: TIME, codec: TIME_CODEC, comment: 'Time of the data point' },
  { name: 'start_timestamp', type: TIME, codec: TIME_CODEC, comment: 'Start of its interval, 1970 if unknown' },
  { name: 'name', type: LC, comment: 'Metric name' },
  { name: 'description', type: LC, comment: 'Metric description' },
  { name: 'unit', type: LC, comment: 'Metric unit (UCUM)' },
  { name: 'metadata', type: LC, comment: 'Metric metadata, a JSON object' },
  { name: 'flags', type: 'UInt32', comment: 'Bit 0: no recorded value' },
  ...RESOURCE_COLUMNS,
  ...ATTRIBUTE_COLUMNS.filter((column) => column.name !== 'dropped_attributes_count'),
];

const VALUE_TYPE = "Enum8('none' = 0, 'double' = 1, 'int' = 2)";

const NUMBER_COLUMNS: readonly Column[] = [
  { name: 'value_type', type: VALUE_TYPE, comment: 'How the value was sent' },
  { name: 'value', type: 'Float64', comment: 'The value as a floating-point number' },
  { name: 'value_int', type: 'Int64', comment: 'The exact value where it was sent as an integer' },
];

const EXEMPLAR_COLUMNS: readonly Column[] = [
  { name: 'exemplars.timestamp', type: `Array(${TIME})`, comment: 'Time of each exemplar' },
  { name: 'exemplars.value_type', type: `Array(${VALUE_TYPE})`, comment: 'How each value was sent' },
  { name: 'exemplars.value', type: 'Array(Float64)', comment: 'Value of each exemplar' },
  { name: 'exemplars.value_int', type: 'Array(Int64)', comment: 'Exact value where sent as an integer' },
  { name: 'exemplars.trace_id', type: 'Array(FixedString(16))', comment: 'Trace id of each exemplar' },
  { name: 'exemplars.span_id', type: 'Array(FixedString(8))', comment: 'Span id of each exemplar' },
  {
    name: 'exemplars.attributes',
    type: 'Array(String)',
    comment: 'Attributes that the aggregation left out, a JSON object',
  },
];

const TEMPORALITY: Column = {
  name: 'temporality',
  type: "Enum8('unspecified' = 0, 'delta' = 1, 'cumulative' = 2)",
  comment: 'Aggregation temporality',
};

const SUMMARY_OF_POINTS: readonly Column[] = [
  { name: 'count', type: 'UInt64', comment: 'Number of values' },
  { name: 'sum', type: 'Nullable(Float64)', comment: 'Sum of the values, if it was recorded' },
];

const EXTREMES: readonly Column[] = [
  { name: 'min', type: 'Nullable(Float64)', comment: 'Smallest value, if it was recorded' },
  { name: 'max', type: 'Nullable(Float64)', comment: 'Largest value, if it was recorded' },
];

function pointTable(name: string, comment: string, values: readonly Column[]): FactTable {
  return {
    name,
    comment,
    columns: [...POINT_COLUMNS, ...values],
    derived: [],
    indexes: [],
    projections: [],
    partitionBy: 'toDate(timestamp)',
    orderBy: [
      'tenant_id',
      'project_id',
      'environment',
      'name',
      'service_name',
      'toStartOfHour(timestamp)',
      'timestamp',
    ],
    ttlFrom: 'toDateTime(timestamp)',
    settings: {},
  };
}

export const METRICS_GAUGE = pointTable('metrics_gauge', 'One row per data point of a gauge', [
  ...NUMBER_COLUMNS,
  ...EXEMPLAR_COLUMNS,
]);

export const METRICS_SUM = pointTable('metrics_sum', 'One row per data point of a sum (counter or up-down counter)', [
  TEMPORALITY,
  { name: 'is_monotonic', type: 'Bool', comment: 'True for a counter' },
  ...NUMBER_COLUMNS,
  ...EXEMPLAR_COLUMNS,
]);

export const METRICS_HISTOGRAM = pointTable('metrics_histogram', 'One row per data point of a histogram', [
  TEMPORALITY,
  ...SUMMARY_OF_POINTS,
  ...EXTREMES,
  { name: 'bucket_counts', type: 'Array(UInt64)', comment: 'Values in each bucket' },
  { name: 'explicit_bounds', type: 'Array(Float64)', comment: 'Upper bounds of all buckets but the last' },
  ...EXEMPLAR_COLUMNS,
]);

export const METRICS_EXPONENTIAL_HISTOGRAM = pointTable(
  'metrics_exponential_histogram',
  'One row per data point of an exponential histogram',
  [
    TEMPORALITY,
    ...SUMMARY_OF_POINTS,
    ...EXTREMES,
    { name: 'scale', type: 'Int32', comment: 'Bucket bounds are powers of 2^(2^-scale)' },
    { name: 'zero_count', type: 'UInt64', comment: 'Values within the zero threshold' },
    { name: 'zero_threshold', type: 'Float64', comment: 'Values up to this count as zero' },
    { name: 'positive_offset', type: 'Int32', comment: 'Index of the first positive bucket' },
    { name: 'positive_bucket_counts', type: 'Array(UInt64)', comment: 'Values in each positive bucket' },
    { name: 'negative_offset', type: 'Int32', comment: 'Index of the first negative bucket' },
    { name: 'negative_bucket_counts', type: 'Array(UInt64)', comment: 'Values in each negative bucket' },
    ...EXEMPLAR_COLUMNS,
  ],
);

export const METRICS_SUMMARY = pointTable('metrics_summary', 'One row per data point of a summary', [
  ...SUMMARY_OF_POINTS,
  { name: 'quantiles', type: 'Array(Float64)', comment: 'Quantiles from 0 to 1' },
  { name: 'quantile_values', type: 'Array(Float64)', comment: 'Value at each quantile' },
]);

export const METRIC_TABLES = [
  METRICS_GAUGE,
  METRICS_SUM,
  METRICS_HISTOGRAM,
  METRICS_EXPONENTIAL_HISTOGRAM,
  METRICS_SUMMARY,
] as const;
