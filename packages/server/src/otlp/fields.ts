/**
 * The messages of the OTLP export requests as data: field numbers, JSON names and kinds of opentelemetry-proto v1
 * (common, resource, trace, logs, metrics and the three collector services, release 1.9 and the head after it).
 *
 * Separate from the JSON reader, which only interprets it, so that a new field of the protocol is one new line here.
 * Must stay true: numbers and kinds equal the published .proto files. Not listed, hence ignored like any unknown key:
 * `entityRefs` and the `…Strindex` fields, which only profiles use.
 */
import type { Signal } from '@glasshouse/model';

/** How a value is written in JSON and on the wire. `traceId` and `spanId` are bytes that JSON spells in hex. */
export type FieldKind =
  | 'string'
  | 'bytes'
  | 'traceId'
  | 'spanId'
  | 'bool'
  | 'uint32'
  | 'sint32'
  | 'fixed32'
  | 'int64'
  | 'uint64'
  | 'fixed64'
  | 'sfixed64'
  | 'double'
  | 'enum'
  | 'message';

/** An enum whose values are 0, 1, 2, … in the order of `names`; the full name of a value is `prefix` + name. */
export interface EnumSpec {
  readonly prefix: string;
  readonly names: readonly string[];
}

export interface FieldSpec {
  readonly number: number;
  /** The lowerCamelCase JSON name; the snake_case one follows from it. */
  readonly name: string;
  readonly kind: FieldKind;
  /** Repeated numbers are packed. */
  readonly repeated?: true;
  /** The oneof that the field belongs to; a proto3 `optional` is a oneof of its own. Such a field is sent even if zero. */
  readonly oneof?: string;
  /** With kind `message`: which one. */
  readonly message?: MessageName;
  /** With kind `enum`: which one. */
  readonly values?: EnumSpec;
  /** With kind `traceId`: the number of the sibling attribute list that takes the original of a cut trace id. */
  readonly originalInto?: number;
  /** With kind `int64`: the number of the sibling double that takes a bare number which is no 64-bit integer. */
  readonly elseDouble?: number;
}

export type MessageName =
  | 'ExportTraceServiceRequest'
  | 'ExportLogsServiceRequest'
  | 'ExportMetricsServiceRequest'
  | 'Resource'
  | 'InstrumentationScope'
  | 'KeyValue'
  | 'AnyValue'
  | 'ArrayValue'
  | 'KeyValueList'
  | 'ResourceSpans'
  | 'ScopeSpans'
  | 'Span'
  | 'Event'
  | 'Link'
  | 'Status'
  | 'ResourceLogs'
  | 'ScopeLogs'
  | 'LogRecord'
  | 'ResourceMetrics'
  | 'ScopeMetrics'
  | 'Metric'
  | 'Gauge'
  | 'Sum'
  | 'Histogram'
  | 'ExponentialHistogram'
  | 'Summary'
  | 'NumberDataPoint'
  | 'HistogramDataPoint'
  | 'ExponentialHistogramDataPoint'
  | 'Buckets'
  | 'SummaryDataPoint'
  | 'ValueAtQuantile'
  | 'Exemplar';

/** The request message of each signal. */
export const ROOT_MESSAGES = {
  traces: 'ExportTraceServiceRequest',
  logs: 'ExportLogsServiceRequest',
  metrics: 'ExportMetricsServiceRequest',
} as const satisfies Record<Signal, MessageName>;

const SPAN_KIND: EnumSpec = {
  prefix: 'SPAN_KIND_',
  names: ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'],
};

const STATUS_CODE: EnumSpec = { prefix: 'STATUS_CODE_', names: ['UNSET', 'OK', 'ERROR'] };

const SEVERITY_NUMBER: EnumSpec = {
  prefix: 'SEVERITY_NUMBER_',
  names: [
    'UNSPECIFIED',
    ...['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'].flatMap((level) =>
      ['', '2', '3', '4'].map((step) => level + step),
    ),
  ],
};

const AGGREGATION_TEMPORALITY: EnumSpec = {
  prefix: 'AGGREGATION_TEMPORALITY_',
  names: ['UNSPECIFIED', 'DELTA', 'CUMULATIVE'],
};

function scalar(number: number, name: string, kind: Exclude<FieldKind, 'enum' | 'message'>): FieldSpec {
  return { number, name, kind };
}

function packed(number: number, name: string, kind: 'fixed64' | 'uint64' | 'double'): FieldSpec {
  return { number, name, kind, repeated: true };
}

function one(number: number, name: string, message: MessageName): FieldSpec {
  return { number, name, kind: 'message', message };
}

function many(number: number, name: string, message: MessageName): FieldSpec {
  return { number, name, kind: 'message', message, repeated: true };
}

function member(oneof: string, field: FieldSpec): FieldSpec {
  return { ...field, oneof };
}

function enumeration(number: number, name: string, values: EnumSpec): FieldSpec {
  return { number, name, kind: 'enum', values };
}

/** Fields of every message that an export request can contain. */
export const MESSAGES: Readonly<Record<MessageName, readonly FieldSpec[]>> = {
  ExportTraceServiceRequest: [many(1, 'resourceSpans', 'ResourceSpans')],
  ExportLogsServiceRequest: [many(1, 'resourceLogs', 'ResourceLogs')],
  ExportMetricsServiceRequest: [many(1, 'resourceMetrics', 'ResourceMetrics')],

  Resource: [many(1, 'attributes', 'KeyValue'), scalar(2, 'droppedAttributesCount', 'uint32')],
  InstrumentationScope: [
    scalar(1, 'name', 'string'),
    scalar(2, 'version', 'string'),
    many(3, 'attributes', 'KeyValue'),
    scalar(4, 'droppedAttributesCount', 'uint32'),
  ],
  KeyValue: [scalar(1, 'key', 'string'), one(2, 'value', 'AnyValue')],
  AnyValue: [
    member('value', scalar(1, 'stringValue', 'string')),
    member('value', scalar(2, 'boolValue', 'bool')),
    { number: 3, name: 'intValue', kind: 'int64', oneof: 'value', elseDouble: 4 },
    member('value', scalar(4, 'doubleValue', 'double')),
    member('value', one(5, 'arrayValue', 'ArrayValue')),
    member('value', one(6, 'kvlistValue', 'KeyValueList')),
    member('value', scalar(7, 'bytesValue', 'bytes')),
  ],
  ArrayValue: [many(1, 'values', 'AnyValue')],
  KeyValueList: [many(1, 'values', 'KeyValue')],

  ResourceSpans: [
    one(1, 'resource', 'Resource'),
    many(2, 'scopeSpans', 'ScopeSpans'),
    scalar(3, 'schemaUrl', 'string'),
  ],
  ScopeSpans: [one(1, 'scope', 'InstrumentationScope'), many(2, 'spans', 'Span'), scalar(3, 'schemaUrl', 'string')],
  Span: [
    { number: 1, name: 'traceId', kind: 'traceId', originalInto: 9 },
    scalar(2, 'spanId', 'spanId'),
    scalar(3, 'traceState', 'string'),
    scalar(4, 'parentSpanId', 'spanId'),
    scalar(5, 'name', 'string'),
    enumeration(6, 'kind', SPAN_KIND),
    scalar(7, 'startTimeUnixNano', 'fixed64'),
    scalar(8, 'endTimeUnixNano', 'fixed64'),
    many(9, 'attributes', 'KeyValue'),
    scalar(10, 'droppedAttributesCount', 'uint32'),
    many(11, 'events', 'Event'),
    scalar(12, 'droppedEventsCount', 'uint32'),
    many(13, 'links', 'Link'),
    scalar(14, 'droppedLinksCount', 'uint32'),
    one(15, 'status', 'Status'),
    scalar(16, 'flags', 'fixed32'),
  ],
  Event: [
    scalar(1, 'timeUnixNano', 'fixed64'),
    scalar(2, 'name', 'string'),
    many(3, 'attributes', 'KeyValue'),
    scalar(4, 'droppedAttributesCount', 'uint32'),
  ],
  Link: [
    scalar(1, 'traceId', 'traceId'),
    scalar(2, 'spanId', 'spanId'),
    scalar(3, 'traceState', 'string'),
    many(4, 'attributes', 'KeyValue'),
    scalar(5, 'droppedAttributesCount', 'uint32'),
    scalar(6, 'flags', 'fixed32'),
  ],
  Status: [scalar(2, 'message', 'string'), enumeration(3, 'code', STATUS_CODE)],

  ResourceLogs: [one(1, 'resource', 'Resource'), many(2, 'scopeLogs', 'ScopeLogs'), scalar(3, 'schemaUrl', 'string')],
  ScopeLogs: [
    one(1, 'scope', 'InstrumentationScope'),
    many(2, 'logRecords', 'LogRecord'),
    scalar(3, 'schemaUrl', 'string'),
  ],
  LogRecord: [
    scalar(1, 'timeUnixNano', 'fixed64'),
    enumeration(2, 'severityNumber', SEVERITY_NUMBER),
    scalar(3, 'severityText', 'string'),
    one(5, 'body', 'AnyValue'),
    many(6, 'attributes', 'KeyValue'),
    scalar(7, 'droppedAttributesCount', 'uint32'),
    scalar(8, 'flags', 'fixed32'),
    { number: 9, name: 'traceId', kind: 'traceId', originalInto: 6 },
    scalar(10, 'spanId', 'spanId'),
    scalar(11, 'observedTimeUnixNano', 'fixed64'),
    scalar(12, 'eventName', 'string'),
  ],

  ResourceMetrics: [
    one(1, 'resource', 'Resource'),
    many(2, 'scopeMetrics', 'ScopeMetrics'),
    scalar(3, 'schemaUrl', 'string'),
  ],
  ScopeMetrics: [
    one(1, 'scope', 'InstrumentationScope'),
    many(2, 'metrics', 'Metric'),
    scalar(3, 'schemaUrl', 'string'),
  ],
  Metric: [
    scalar(1, 'name', 'string'),
    scalar(2, 'description', 'string'),
    scalar(3, 'unit', 'string'),
    member('data', one(5, 'gauge', 'Gauge')),
    member('data', one(7, 'sum', 'Sum')),
    member('data', one(9, 'histogram', 'Histogram')),
    member('data', one(10, 'exponentialHistogram', 'ExponentialHistogram')),
    member('data', one(11, 'summary', 'Summary')),
    many(12, 'metadata', 'KeyValue'),
  ],
  Gauge: [many(1, 'dataPoints', 'NumberDataPoint')],
  Sum: [
    many(1, 'dataPoints', 'NumberDataPoint'),
    enumeration(2, 'aggregationTemporality', AGGREGATION_TEMPORALITY),
    scalar(3, 'isMonotonic', 'bool'),
  ],
  Histogram: [
    many(1, 'dataPoints', 'HistogramDataPoint'),
    enumeration(2, 'aggregationTemporality', AGGREGATION_TEMPORALITY),
  ],
  ExponentialHistogram: [
    many(1, 'dataPoints', 'ExponentialHistogramDataPoint'),
    enumeration(2, 'aggregationTemporality', AGGREGATION_TEMPORALITY),
  ],
  Summary: [many(1, 'dataPoints', 'SummaryDataPoint')],
  NumberDataPoint: [
    scalar(2, 'startTimeUnixNano', 'fixed64'),
    scalar(3, 'timeUnixNano', 'fixed64'),
    member('value', scalar(4, 'asDouble', 'double')),
    many(5, 'exemplars', 'Exemplar'),
    member('value', scalar(6, 'asInt', 'sfixed64')),
    many(7, 'attributes', 'KeyValue'),
    scalar(8, 'flags', 'uint32'),
  ],
  HistogramDataPoint: [
    scalar(2, 'startTimeUnixNano', 'fixed64'),
    scalar(3, 'timeUnixNano', 'fixed64'),
    scalar(4, 'count', 'fixed64'),
    member('_sum', scalar(5, 'sum', 'double')),
    packed(6, 'bucketCounts', 'fixed64'),
    packed(7, 'explicitBounds', 'double'),
    many(8, 'exemplars', 'Exemplar'),
    many(9, 'attributes', 'KeyValue'),
    scalar(10, 'flags', 'uint32'),
    member('_min', scalar(11, 'min', 'double')),
    member('_max', scalar(12, 'max', 'double')),
  ],
  ExponentialHistogramDataPoint: [
    many(1, 'attributes', 'KeyValue'),
    scalar(2, 'startTimeUnixNano', 'fixed64'),
    scalar(3, 'timeUnixNano', 'fixed64'),
    scalar(4, 'count', 'fixed64'),
    member('_sum', scalar(5, 'sum', 'double')),
    scalar(6, 'scale', 'sint32'),
    scalar(7, 'zeroCount', 'fixed64'),
    one(8, 'positive', 'Buckets'),
    one(9, 'negative', 'Buckets'),
    scalar(10, 'flags', 'uint32'),
    many(11, 'exemplars', 'Exemplar'),
    member('_min', scalar(12, 'min', 'double')),
    member('_max', scalar(13, 'max', 'double')),
    scalar(14, 'zeroThreshold', 'double'),
  ],
  Buckets: [scalar(1, 'offset', 'sint32'), packed(2, 'bucketCounts', 'uint64')],
  SummaryDataPoint: [
    scalar(2, 'startTimeUnixNano', 'fixed64'),
    scalar(3, 'timeUnixNano', 'fixed64'),
    scalar(4, 'count', 'fixed64'),
    scalar(5, 'sum', 'double'),
    many(6, 'quantileValues', 'ValueAtQuantile'),
    many(7, 'attributes', 'KeyValue'),
    scalar(8, 'flags', 'uint32'),
  ],
  ValueAtQuantile: [scalar(1, 'quantile', 'double'), scalar(2, 'value', 'double')],
  Exemplar: [
    scalar(2, 'timeUnixNano', 'fixed64'),
    member('value', scalar(3, 'asDouble', 'double')),
    scalar(4, 'spanId', 'spanId'),
    scalar(5, 'traceId', 'traceId'),
    member('value', scalar(6, 'asInt', 'sfixed64')),
    many(7, 'filteredAttributes', 'KeyValue'),
  ],
};
