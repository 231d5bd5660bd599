/** The fact table of log records: `opentelemetry.proto.logs.v1.LogRecord`, every field of it. */

import {
  ATTRIBUTE_COLUMNS,
  LC,
  PLACEMENT_COLUMNS,
  RESOURCE_COLUMNS,
  TIME,
  TIME_CODEC,
  traceIdIndex,
  OPTIONAL_TRACE_ID_HEX,
} from './columns.ts';
import type { FactTable } from './table.ts';

export const LOGS: FactTable = {
  name: 'logs',
  comment: 'One row per log record',
  columns: [
    ...PLACEMENT_COLUMNS,
    { name: 'timestamp', type: TIME, codec: TIME_CODEC, comment: 'Time of the event, else the time it was observed' },
    {
      name: 'observed_timestamp',
      type: TIME,
      codec: TIME_CODEC,
      comment: 'When the collector saw it, 1970 if unknown',
    },
    { name: 'trace_id', type: 'FixedString(16)', comment: 'Trace id, zeros if there is none' },
    { name: 'span_id', type: 'FixedString(8)', comment: 'Span id, zeros if there is none' },
    { name: 'flags', type: 'UInt32', comment: 'W3C trace flags' },
    {
      name: 'severity_number',
      type: 'UInt8',
      comment: '1 to 24 as OTLP has it (9 info, 13 warn, 17 error), 0 unknown',
    },
    { name: 'severity_text', type: LC, comment: 'Severity in the words of the source' },
    { name: 'event_name', type: LC, comment: 'Name of the event, if the record is one' },
    { name: 'body', type: 'String', comment: 'The text, or JSON text where the body is structured' },
    {
      name: 'body_type',
      type: "Enum8('empty' = 0, 'string' = 1, 'json' = 2)",
      comment: 'What the body is: absent, text, or anything else as JSON',
    },
    ...RESOURCE_COLUMNS,
    ...ATTRIBUTE_COLUMNS,
  ],
  derived: [],
  indexes: [
    traceIdIndex(OPTIONAL_TRACE_ID_HEX),
    { name: 'body_text', expression: 'body', type: "text(tokenizer = 'splitByNonAlpha')", granularity: 100_000_000 },
  ],
  projections: [],
  partitionBy: 'toDate(timestamp)',
  orderBy: ['tenant_id', 'project_id', 'environment', 'service_name', 'toStartOfFiveMinutes(timestamp)', 'timestamp'],
  ttlFrom: 'toDateTime(timestamp)',
  settings: {},
};
