/**
 * Whole rows as SQL answers them, for comparisons that leave no column out: what a test does not name has its default.
 *
 * Must stay true: a column that is added to a view makes these tests fail until somebody says what is expected in it.
 */

import type { Row } from './server.ts';

const PLACEMENT = { project_id: 'default', environment: 'dev' };

const SCOPE = {
  resource_attributes: '{}',
  resource: {},
  resource_dropped_attributes_count: 0,
  resource_schema_url: '',
  scope_name: '',
  scope_version: '',
  scope_attributes: '{}',
  scope_dropped_attributes_count: 0,
  scope_schema_url: '',
};

const ATTRIBUTES = {
  attributes_string: {},
  attributes_int: {},
  attributes_double: {},
  attributes_bool: {},
  attributes_json: {},
};

const SPAN = {
  ...PLACEMENT,
  parent_span_id: '',
  trace_state: '',
  flags: 0,
  kind: 1,
  status_code: 0,
  status_message: '',
  ...SCOPE,
  ...ATTRIBUTES,
  dropped_attributes_count: 0,
  'events.timestamp': [],
  'events.name': [],
  'events.attributes': [],
  'events.dropped_attributes_count': [],
  dropped_events_count: 0,
  'links.trace_id': [],
  'links.span_id': [],
  'links.trace_state': [],
  'links.flags': [],
  'links.attributes': [],
  'links.dropped_attributes_count': [],
  dropped_links_count: 0,
  http_status_code: 0,
  http_route: '',
  user_id: '',
  session_id: '',
  gen_ai_model: '',
};

const LOG = {
  ...PLACEMENT,
  observed_timestamp: '1970-01-01 00:00:00.000000000',
  trace_id: '',
  span_id: '',
  flags: 0,
  severity_number: 0,
  severity_text: '',
  event_name: '',
  body: '',
  body_type: 'empty',
  ...SCOPE,
  ...ATTRIBUTES,
  dropped_attributes_count: 0,
};

const EXEMPLARS = {
  'exemplars.timestamp': [],
  'exemplars.value_type': [],
  'exemplars.value': [],
  'exemplars.value_int': [],
  'exemplars.trace_id': [],
  'exemplars.span_id': [],
  'exemplars.attributes': [],
};

const POINT = {
  ...PLACEMENT,
  start_timestamp: '1970-01-01 00:00:00.000000000',
  description: '',
  unit: '',
  metadata: '{}',
  flags: 0,
  ...SCOPE,
  ...ATTRIBUTES,
};

/**
 * The columns that a resource fills, from the JSON text of each attribute's value: `{ 'service.name': '"shop"', cpus: '8' }`.
 * The text of the object keeps types and order; the map beside it has every value as plain text.
 */
export function resourceColumns(values: Readonly<Record<string, string>>): Row {
  const plain = (json: string | undefined): string =>
    json?.startsWith('"') === true ? (JSON.parse(json) as string) : (json ?? '');
  return {
    service_name: plain(values['service.name']),
    project_name: plain(values['project.name'] ?? values['service.namespace'] ?? values['service.name']),
    resource_attributes: `{${Object.entries(values)
      .map(([key, json]) => `${JSON.stringify(key)}:${json}`)
      .join(',')}}`,
    resource: Object.fromEntries(Object.entries(values).map(([key, json]) => [key, plain(json)])),
  };
}

/** A row of `spans`. */
export const spanRow = (columns: Row): Row => ({ ...SPAN, ...columns });

/** A row of `logs`. */
export const logRow = (columns: Row): Row => ({ ...LOG, ...columns });

/** A row of `metrics_sum` or `metrics_gauge`; the value is a number sent as an integer, or a double. */
export function numberRow(value: number, type: 'double' | 'int', columns: Row): Row {
  return { ...POINT, value_type: type, value, value_int: type === 'int' ? value : 0, ...EXEMPLARS, ...columns };
}

/** A row of `metrics_histogram` or `metrics_exponential_histogram`. */
export const histogramRow = (columns: Row): Row => ({ ...POINT, ...EXEMPLARS, ...columns });

/** A row of `metrics_summary`. */
export const summaryRow = (columns: Row): Row => ({ ...POINT, ...columns });

/** Unix nanoseconds as SQL shows them: `2026-01-31 12:00:00.123456789`, in UTC. */
export function timeText(nanos: bigint): string {
  const seconds = new Date(Number(nanos / 1_000_000_000n) * 1000).toISOString().slice(0, 19).replace('T', ' ');
  return `${seconds}.${String(nanos % 1_000_000_000n).padStart(9, '0')}`;
}
