/** OTLP requests of the tests' own, in protobuf and in JSON: one good item of each signal, and variations of it. */

import { randomBytes } from 'node:crypto';
import { double, fixed64, nested, varint } from './protobuf.ts';

/** Unix nanoseconds a minute ago. */
export const recentNanos = (): bigint => BigInt(Date.now() - 60_000) * 1_000_000n;

/** A KeyValue with a string, or with the bytes of any AnyValue. */
export function attribute(key: string, value: Uint8Array | string): Buffer {
  return Buffer.concat([nested(1, key), nested(2, typeof value === 'string' ? nested(1, value) : value)]);
}

export interface SpanWish {
  readonly traceId?: Uint8Array;
  readonly spanId?: Uint8Array;
  readonly name?: Uint8Array | string;
  readonly start?: bigint;
  readonly end?: bigint;
  readonly attributes?: readonly Buffer[];
}

/** A Span message; what is not asked for is good. */
export function span(wish: SpanWish = {}): Buffer {
  const start = wish.start ?? recentNanos();
  return Buffer.concat([
    nested(1, wish.traceId ?? randomBytes(16)),
    nested(2, wish.spanId ?? randomBytes(8)),
    nested(5, wish.name ?? 'work'),
    varint(6, 2),
    fixed64(7, start),
    fixed64(8, wish.end ?? start + 1_000_000n),
    ...(wish.attributes ?? []).map((pair) => nested(9, pair)),
  ]);
}

/** ExportTraceServiceRequest, ExportLogsServiceRequest or ExportMetricsServiceRequest: all three nest in the same way. */
export function request(service: string, items: readonly Uint8Array[]): Buffer {
  const resource = nested(1, nested(1, attribute('service.name', service)));
  return nested(1, resource, nested(2, nested(1, nested(1, 'e2e')), ...items.map((item) => nested(2, item))));
}

/** A LogRecord message with a text. */
export function logRecord(text: Uint8Array | string, time = recentNanos(), ...fields: readonly Buffer[]): Buffer {
  return Buffer.concat([fixed64(1, time), varint(2, 9), nested(5, nested(1, text)), ...fields]);
}

/** A Metric message: a gauge with one double. */
export function gauge(name: string, value: number, time = recentNanos()): Buffer {
  const point = Buffer.concat([fixed64(3, time), double(4, value)]);
  return Buffer.concat([nested(1, name), nested(5, nested(1, point))]);
}

/** A span as OTLP/JSON, with the given fields over the good ones. */
export function jsonSpan(fields: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  const start = recentNanos();
  return {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name: 'work',
    kind: 2,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + 1_000_000n),
    ...fields,
  };
}

/** A trace request as OTLP/JSON. */
export function jsonTraces(service: string, spans: readonly unknown[]): string {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: service } }] };
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'e2e' }, spans }] }] });
}
