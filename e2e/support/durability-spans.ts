/** Batches of spans: the trace ids begin with the batch's number, and the spans of a batch fall on two days. */

import type { Kind } from './durability-load.ts';

const DAY_MS = 86_400_000;

export const SPANS: Kind = {
  path: '/v1/traces',
  contentType: 'application/x-protobuf',
  encode: encodeBatch,
  sql: `SELECT substring(trace_id, 1, 16) AS batch, toUInt32(count()) AS count, toUInt32(uniqExact(span_id)) AS items
       FROM spans WHERE service_name = 'durability' GROUP BY batch`,
};

/** An ExportTraceServiceRequest (opentelemetry/proto/collector/trace/v1) with the spans of one batch. */
function encodeBatch(number: number, spans: number): Buffer {
  const nowMs = Date.now();
  const all = Array.from({ length: spans }, (_, index) => {
    const traceId = Buffer.alloc(16, 0x11);
    traceId.writeBigUInt64BE(BigInt(number));
    const spanId = Buffer.alloc(8);
    spanId.writeUInt32BE(index + 1, 4);
    const startMs = nowMs - (Math.random() < 0.5 ? DAY_MS : 0);
    const attribute = field(9, Buffer.concat([field(1, 'http.route'), field(2, field(1, `/route/${index % 17}`))]));
    const name = field(5, `operation ${index % 29}`);
    return field(
      2,
      Buffer.concat([field(1, traceId), field(2, spanId), name, time(7, startMs), time(8, startMs + 5), attribute]),
    );
  });
  const service = field(1, Buffer.concat([field(1, 'service.name'), field(2, field(1, 'durability'))]));
  return field(1, Buffer.concat([field(1, service), field(2, Buffer.concat(all))]));
}

function field(number: number, value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function time(number: number, ms: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = number * 8 + 1;
  bytes.writeBigUInt64LE(BigInt(ms) * 1_000_000n, 1);
  return bytes;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}
