/**
 * The straightforward way from a decoded request to rows: one object per span, a key per column. This is what most people
 * would write first, and what the write path of the product is compared with.
 */

import type { AnyValue, KeyValue, Long, Span, TracesRequest } from './otlp.ts';

/** Typed attributes of one span, resource or event. */
interface Typed {
  readonly strings: Record<string, string>;
  readonly ints: Record<string, number>;
  readonly doubles: Record<string, number>;
  readonly bools: Record<string, boolean>;
}

/** Columns that the rows bring; ids come in hex, in columns that are not stored. */
export const ROW_COLUMNS = [
  'tenant_id',
  'project_id',
  'environment',
  'timestamp',
  'duration_ns',
  'trace_hex',
  'span_hex',
  'parent_hex',
  'trace_state',
  'flags',
  'name',
  'kind',
  'status_code',
  'status_message',
  'service_name',
  'project_name',
  'resource_attributes',
  'scope_name',
  'scope_version',
  'attributes_string',
  'attributes_int',
  'attributes_double',
  'attributes_bool',
  'events.timestamp',
  'events.name',
  'events.attributes',
  'events.dropped_attributes_count',
] as const;

export type Row = Readonly<Record<(typeof ROW_COLUMNS)[number], unknown>>;

export function toRows(request: TracesRequest): Row[] {
  const rows: Row[] = [];
  for (const { resource, scopeSpans } of request.resourceSpans) {
    const attributes = split(resource.attributes).strings;
    for (const { scope, spans } of scopeSpans) {
      for (const span of spans) rows.push(toRow(span, attributes, scope));
    }
  }
  return rows;
}

function toRow(span: Span, resource: Record<string, string>, scope: { name: string; version: string }): Row {
  const { strings, ints, doubles, bools } = split(span.attributes);
  const start = nanoseconds(span.startTimeUnixNano);
  const service = resource['service.name'] ?? '';
  const events = span.events.map((event) => ({ ...event, typed: split(event.attributes) }));
  return {
    tenant_id: 'default',
    project_id: 'default',
    environment: 'dev',
    timestamp: decimal(start),
    duration_ns: Number(nanoseconds(span.endTimeUnixNano) - start),
    trace_hex: hex(span.traceId),
    span_hex: hex(span.spanId),
    parent_hex: hex(span.parentSpanId),
    trace_state: span.traceState,
    flags: span.flags,
    name: span.name,
    kind: span.kind,
    status_code: span.status?.code ?? 0,
    status_message: span.status?.message ?? '',
    service_name: service,
    project_name: resource['project.name'] ?? resource['service.namespace'] ?? service,
    resource_attributes: JSON.stringify(resource),
    scope_name: scope.name,
    scope_version: scope.version,
    attributes_string: strings,
    attributes_int: ints,
    attributes_double: doubles,
    attributes_bool: bools,
    'events.timestamp': events.map((event) => decimal(nanoseconds(event.timeUnixNano))),
    'events.name': events.map((event) => event.name),
    'events.attributes': events.map(({ typed }) =>
      JSON.stringify({ ...typed.strings, ...typed.ints, ...typed.doubles, ...typed.bools }),
    ),
    'events.dropped_attributes_count': events.map(() => 0),
  };
}

function split(attributes: readonly KeyValue[]): Typed {
  const typed: Typed = { strings: {}, ints: {}, doubles: {}, bools: {} };
  for (const { key, value } of attributes) put(typed, key, value);
  return typed;
}

function put(typed: Typed, key: string, value: AnyValue): void {
  switch (value.value) {
    case 'stringValue':
      typed.strings[key] = value.stringValue ?? '';
      return;
    case 'boolValue':
      typed.bools[key] = value.boolValue ?? false;
      return;
    case 'intValue':
      typed.ints[key] = value.intValue?.toNumber() ?? 0;
      return;
    case 'doubleValue':
      typed.doubles[key] = value.doubleValue ?? 0;
      return;
    case undefined:
      return;
  }
}

function nanoseconds(long: Long): bigint {
  return (BigInt(long.high >>> 0) << 32n) | BigInt(long.low >>> 0);
}

/** Seconds with nine decimals, as DateTime64 reads them from text. */
function decimal(time: bigint): string {
  return `${time / 1_000_000_000n}.${String(time % 1_000_000_000n).padStart(9, '0')}`;
}

function hex(bytes: Uint8Array): string {
  // An absent field is an empty array without a buffer.
  return bytes.length === 0 ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
