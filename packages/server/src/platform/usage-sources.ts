/**
 * The data sources about the use of a workspace, which every workspace has: requests to endpoints, the same added up by minute, and
 * what was done to data sources. Their columns are those of Tinybird's service data sources
 * (https://www.tinybird.co/docs/forward/monitoring/service-datasources) and some more.
 *
 * Must stay true: queries written for those run here. The sums are made of the rows by a pipe like any other, segment by segment.
 */

import type { DataSource, DataSourceColumn, Pipe } from '@glasshouse/model';
import { column, dataSource } from './built-in-columns.ts';
import { OPERATIONS, PIPE_STATS, PIPE_STATS_RT } from './usage-names.ts';

const RT_DAYS = 7;
const STATS_DAYS = 90;

/** A column that is made, and not sent. */
function made(name: string, type: string): DataSourceColumn {
  return { name, type };
}

function alias(name: string, type: string, expression: string): DataSourceColumn {
  return { name, type, kind: 'ALIAS', expression };
}

const REQUESTS = dataSource({
  name: PIPE_STATS_RT,
  description: `Requests to endpoints, one row each, for ${RT_DAYS} days`,
  columns: [
    column('start_datetime', 'DateTime64(3)'),
    column('pipe_id', 'LowCardinality(String)'),
    column('pipe_name', 'LowCardinality(String)'),
    column('duration', 'Float32'),
    column('duration_ms', 'Float32', '0'),
    column('read_bytes', 'UInt64', '0'),
    column('read_rows', 'UInt64', '0'),
    column('result_rows', 'UInt64', '0'),
    column('result_bytes', 'UInt64', '0'),
    column('url', 'Nullable(String)'),
    column('error', 'UInt8', '0'),
    column('error_message', 'Nullable(String)'),
    column('request_id', 'String', "''"),
    column('token', 'LowCardinality(String)', "''"),
    column('token_name', 'LowCardinality(String)', "''"),
    column('status_code', 'Int32', '200'),
    column('method', 'LowCardinality(String)', "'GET'"),
    column('parameters', 'Map(String, String)', 'map()'),
    column('release', 'LowCardinality(String)', "''"),
    column('user_agent', 'Nullable(String)'),
  ],
  engine: {
    name: 'MergeTree',
    partitionKey: 'toDate(start_datetime)',
    sortingKey: 'pipe_name, start_datetime',
    ttl: `toDateTime(start_datetime) + INTERVAL ${RT_DAYS} DAY`,
  },
});

/** One list for the sums and their alias columns. */
const LEVELS = [0.5, 0.75, 0.9, 0.95, 0.99] as const;
const QUANTILES = `quantilesTiming(${LEVELS.join(', ')})`;

const SUMS = dataSource({
  name: PIPE_STATS,
  description: `Requests to endpoints by minute, for ${STATS_DAYS} days; group by pipe_name and minute, or a longer time`,
  columns: [
    made('date', 'Date'),
    made('minute', 'DateTime'),
    made('pipe_id', 'LowCardinality(String)'),
    made('pipe_name', 'LowCardinality(String)'),
    made('view_count', 'SimpleAggregateFunction(sum, UInt64)'),
    made('error_count', 'SimpleAggregateFunction(sum, UInt64)'),
    made('result_rows_sum', 'SimpleAggregateFunction(sum, UInt64)'),
    made('read_rows_sum', 'SimpleAggregateFunction(sum, UInt64)'),
    made('read_bytes_sum', 'SimpleAggregateFunction(sum, UInt64)'),
    made('avg_duration_state', 'AggregateFunction(avg, Float32)'),
    made('quantile_timing_state', `AggregateFunction(${QUANTILES}, Float32)`),
    alias('requests', 'UInt64', 'view_count'),
    alias('errors', 'UInt64', 'error_count'),
    ...LEVELS.map((level, index) =>
      alias(`p${level * 100}_ms`, 'Float32', `finalizeAggregation(quantile_timing_state)[${index + 1}]`),
    ),
  ],
  engine: {
    name: 'AggregatingMergeTree',
    partitionKey: 'toYYYYMM(date)',
    sortingKey: 'pipe_name, date, minute, pipe_id',
    ttl: `date + INTERVAL ${STATS_DAYS} DAY`,
  },
});

const LOG = dataSource({
  name: OPERATIONS,
  description: 'What was done to data sources: copies, populations, exports',
  columns: [
    column('timestamp', 'DateTime64(3)'),
    column('event_type', 'LowCardinality(String)'),
    column('datasource_id', 'LowCardinality(String)', "''"),
    column('datasource_name', 'LowCardinality(String)', "''"),
    column('pipe_id', 'LowCardinality(String)', "''"),
    column('pipe_name', 'LowCardinality(String)', "''"),
    column('job_id', 'String', "''"),
    column('elapsed_time', 'Float32', '0'),
    column('rows', 'UInt64', '0'),
    column('result', 'LowCardinality(String)', "'ok'"),
    column('error', 'Nullable(String)'),
  ],
  engine: {
    name: 'MergeTree',
    partitionKey: 'toYYYYMM(timestamp)',
    sortingKey: 'datasource_name, timestamp',
    ttl: `toDateTime(timestamp) + INTERVAL ${STATS_DAYS} DAY`,
  },
});

/** In the order in which they are made. */
export const USAGE_SOURCES: readonly DataSource[] = [REQUESTS, SUMS, LOG];

/** Adds requests up by minute. */
export const USAGE_PIPE: Pipe = {
  kind: 'pipe',
  name: `${PIPE_STATS}_by_minute`,
  description: `Fills ${PIPE_STATS}`,
  nodes: [
    {
      name: 'by_minute',
      type: 'materialized',
      settings: { DATASOURCE: PIPE_STATS },
      sql: `SELECT
  toDate(start_datetime) AS date,
  toStartOfMinute(toDateTime(start_datetime)) AS minute,
  pipe_id,
  pipe_name,
  count() AS view_count,
  countIf(error != 0) AS error_count,
  sum(result_rows) AS result_rows_sum,
  sum(read_rows) AS read_rows_sum,
  sum(read_bytes) AS read_bytes_sum,
  avgState(duration) AS avg_duration_state,
  ${QUANTILES.replace('(', 'State(')}(duration_ms) AS quantile_timing_state
FROM ${PIPE_STATS_RT}
GROUP BY date, minute, pipe_id, pipe_name`,
    },
  ],
  tokens: [],
  tags: [],
};
