/** The fact table of spans: `opentelemetry.proto.trace.v1.Span`, every field of it. */

import {
  ATTRIBUTE_COLUMNS,
  LC,
  PLACEMENT_COLUMNS,
  RESOURCE_COLUMNS,
  TIME,
  TIME_CODEC,
  TIME_RANGE,
  TRACE_ID_HEX,
  traceIdIndex,
} from './columns.ts';
import type { FactTable } from './table.ts';

export const SPANS: FactTable = {
  name: 'spans',
  comment: 'One row per span',
  columns: [
    ...PLACEMENT_COLUMNS,
    { name: 'timestamp', type: TIME, codec: TIME_CODEC, comment: 'Start of the span' },
    { name: 'duration_ns', type: 'UInt64', codec: 'T64', comment: 'End minus start, 0 where the end is before it' },
    { name: 'trace_id', type: 'FixedString(16)', comment: 'Trace id, 16 bytes' },
    { name: 'span_id', type: 'FixedString(8)', comment: 'Span id, 8 bytes' },
    { name: 'parent_span_id', type: 'FixedString(8)', comment: 'Parent span id, zeros for a root span' },
    { name: 'trace_state', type: LC, comment: 'W3C tracestate' },
    { name: 'flags', type: 'UInt32', comment: 'W3C trace flags and the is-remote bits' },
    { name: 'name', type: LC, comment: 'Span name' },
    { name: 'kind', type: 'UInt8', comment: '0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer' },
    { name: 'status_code', type: 'UInt8', comment: '0 unset, 1 ok, 2 error' },
    { name: 'status_message', type: LC, comment: 'Status message' },
    ...RESOURCE_COLUMNS,
    ...ATTRIBUTE_COLUMNS,
    {
      name: 'http_status_code',
      type: 'UInt16',
      comment: 'Promoted attribute http.response.status_code (or its old name http.status_code), 0 if there is none',
    },
    { name: 'http_route', type: LC, comment: 'Promoted attribute http.route' },
    { name: 'gen_ai_model', type: LC, comment: 'Promoted attribute gen_ai.request.model' },
    { name: 'events.timestamp', type: `Array(${TIME})`, codec: TIME_CODEC, comment: 'Time of each event' },
    { name: 'events.name', type: `Array(${LC})`, comment: 'Name of each event' },
    {
      name: 'events.attributes',
      type: 'Array(String)',
      comment: 'Attributes of each event, a JSON object',
    },
    { name: 'events.dropped_attributes_count', type: 'Array(UInt32)', comment: 'Dropped by the sender' },
    { name: 'dropped_events_count', type: 'UInt32', comment: 'Events dropped by the sender' },
    { name: 'links.trace_id', type: 'Array(FixedString(16))', comment: 'Trace id of each link' },
    { name: 'links.span_id', type: 'Array(FixedString(8))', comment: 'Span id of each link' },
    { name: 'links.trace_state', type: 'Array(String)', comment: 'W3C tracestate of each link' },
    { name: 'links.flags', type: 'Array(UInt32)', comment: 'Flags of each link' },
    { name: 'links.attributes', type: 'Array(String)', comment: 'Attributes of each link, a JSON object' },
    { name: 'links.dropped_attributes_count', type: 'Array(UInt32)', comment: 'Dropped by the sender' },
    { name: 'dropped_links_count', type: 'UInt32', comment: 'Links dropped by the sender' },
  ],
  derived: [
    {
      name: 'user_id',
      type: 'String',
      kind: 'ALIAS',
      expression: "attributes_string['user.id']",
      comment: 'Attribute user.id',
    },
    {
      name: 'session_id',
      type: 'String',
      kind: 'ALIAS',
      expression: "attributes_string['session.id']",
      comment: 'Attribute session.id',
    },
  ],
  indexes: [traceIdIndex(TRACE_ID_HEX), TIME_RANGE],
  projections: [
    {
      name: 'red_hourly',
      query: `SELECT tenant_id, project_id, environment, project_name, service_name, toStartOfHour(timestamp),
        count(), countIf(status_code = 2), sum(duration_ns), max(duration_ns),
        quantilesTDigest(0.5, 0.95, 0.99)(duration_ns)
        GROUP BY tenant_id, project_id, environment, project_name, service_name, toStartOfHour(timestamp)`,
    },
  ],
  partitionBy: 'toDate(timestamp)',
  orderBy: ['tenant_id', 'project_id', 'environment', 'service_name', 'name', 'toStartOfHour(timestamp)', 'timestamp'],
  ttlFrom: 'toDateTime(timestamp)',
  // Who asks for a trace reads a granule for each of its spans.
  settings: { index_granularity: 4096 },
};
