/**
 * What the decoder refuses: single items, with the reason for the sender, while the rest is stored; and whole requests, which
 * must leave the blocks exactly as they were.
 */
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import type { BodyFormat, ContentCoding, Signal } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import { describe, expect, it } from 'vitest';
import type { Plain } from '../otlp/message-reference.ts';
import { BAD_TEXT, protobufEncoder } from '../otlp/message-reference.ts';
import { joinFields, varint } from '../otlp/wire-reference.ts';
import type { WireField } from '../otlp/wire-reference.ts';
import { BODY_SLACK } from '../otlp/wire.ts';
import type { Decoded } from './decode.ts';
import { Decoder } from './decode.ts';

const NOW_MS = Date.UTC(2026, 0, 15, 12);
const NOW_NS = BigInt(NOW_MS) * 1_000_000n;
const HOUR_NS = 3_600_000_000_000n;
const DAY_NS = 24n * HOUR_NS;
const NOTHING = { accepted: 0, rejected: 0, reasons: [], message: '' };
const TRACE_ID = Buffer.alloc(16, 7);
const SPAN_ID = Buffer.alloc(8, 9);
const GOOD_SPAN: Plain = { traceId: TRACE_ID, spanId: SPAN_ID, startTimeUnixNano: String(NOW_NS), name: 'good' };

const encode = protobufEncoder();

function newDecoder(maxBodyBytes = 1 << 20, maxJsonBytes = maxBodyBytes): Decoder {
  return new Decoder({
    maxBodyBytes,
    maxJsonBytes,
    retentionMs: 30 * 86_400_000,
    maxAheadMs: 3_600_000,
    now: () => NOW_MS,
  });
}

function decodeBytes(
  decoder: Decoder,
  signal: Signal,
  bytes: Uint8Array,
  format: BodyFormat = 'protobuf',
  coding: ContentCoding = 'identity',
): Decoded {
  const buffer = new ArrayBuffer(bytes.length + BODY_SLACK);
  new Uint8Array(buffer).set(bytes);
  const placement = { tenant: 'default', project: 'default', environment: 'dev' };
  return decoder.decode({ signal, format, coding, placement, buffer, length: bytes.length });
}

const spans = (...items: Plain[]): Plain => ({ resourceSpans: [{ scopeSpans: [{ spans: items }] }] });
const logs = (...items: Plain[]): Plain => ({ resourceLogs: [{ scopeLogs: [{ logRecords: items }] }] });
const gauge = (...items: Plain[]): Plain => ({
  resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', gauge: { dataPoints: items } }] }] }],
});

function piecesOf(decoder: Decoder): Buffer {
  return Buffer.concat(decoder.blocks.flatMap((block) => block.pieces()));
}

function failureOf(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const field = (number: number, value: Buffer, wireType = 2): WireField => ({ number, wireType, value });

const TRACE_TEXT = 'with a trace_id that is not 16 bytes or is all zeros';
const SPAN_TEXT = 'with a span_id that is not 8 bytes or is all zeros';
const OLD_TEXT = 'older than the retention, which would be deleted at once';
const FUTURE_TEXT = "too far in the future (check the sender's clock)";

describe('a refused item', () => {
  it.each<[string, Plain, string, string]>([
    ['no trace id', { traceId: undefined }, 'trace_id', TRACE_TEXT],
    ['a short trace id', { traceId: Buffer.alloc(15, 1) }, 'trace_id', TRACE_TEXT],
    ['a long trace id', { traceId: Buffer.alloc(32, 1) }, 'trace_id', TRACE_TEXT],
    ['a trace id of zeros', { traceId: Buffer.alloc(16) }, 'trace_id', TRACE_TEXT],
    ['no span id', { spanId: undefined }, 'span_id', SPAN_TEXT],
    ['a short span id', { spanId: Buffer.alloc(7, 1) }, 'span_id', SPAN_TEXT],
    ['a span id of zeros', { spanId: Buffer.alloc(8) }, 'span_id', SPAN_TEXT],
    ['no time', { startTimeUnixNano: undefined }, 'time_missing', 'without a time'],
    ['a time of zero', { startTimeUnixNano: '0' }, 'time_missing', 'without a time'],
    ['a time of 1970', { startTimeUnixNano: '1' }, 'time_old', OLD_TEXT],
    ['a time before the retention', { startTimeUnixNano: String(NOW_NS - 31n * DAY_NS) }, 'time_old', OLD_TEXT],
    ['a time in the future', { startTimeUnixNano: String(NOW_NS + 2n * HOUR_NS) }, 'time_future', FUTURE_TEXT],
    ['the last time of all', { startTimeUnixNano: String(2n ** 64n - 1n) }, 'time_future', FUTURE_TEXT],
  ])('is a span with %s; the others are stored', (_, wrong, reason, text) => {
    for (const attributes of [undefined, [{ key: 'k', value: { stringValue: 'v' } }]]) {
      const bad = JSON.parse('{}') as Record<string, unknown>;
      Object.assign(bad, GOOD_SPAN, { attributes }, wrong);
      for (const key of Object.keys(bad)) if (bad[key] === undefined) delete bad[key];
      const decoder = newDecoder();
      const decoded = decodeBytes(decoder, 'traces', encode('traces', spans(GOOD_SPAN, bad, GOOD_SPAN, bad)));
      expect(decoded).toEqual({
        accepted: 2,
        rejected: 2,
        reasons: [[reason, 2]],
        message: `refused: 2 spans ${text}`,
      });
      expect(decoder.blocks[0]?.rows).toBe(2);
      expect(() => piecesOf(decoder)).not.toThrow();
    }
  });

  it('is counted by reason, in the order in which the reasons came', () => {
    const request = spans(
      { ...GOOD_SPAN, spanId: Buffer.alloc(8) },
      GOOD_SPAN,
      { ...GOOD_SPAN, traceId: Buffer.alloc(3) },
      { ...GOOD_SPAN, spanId: Buffer.alloc(0) },
    );
    expect(decodeBytes(newDecoder(), 'traces', encode('traces', request)).message).toBe(
      `refused: 2 spans ${SPAN_TEXT}; 1 spans ${TRACE_TEXT}`,
    );
  });

  it('is a log record only for its time, which may be the observed one', () => {
    const time = String(NOW_NS);
    const request = logs(
      { timeUnixNano: time, traceId: Buffer.alloc(3), spanId: Buffer.alloc(9) },
      { observedTimeUnixNano: time },
      { timeUnixNano: '0', observedTimeUnixNano: time },
      { timeUnixNano: String(NOW_NS - 90n * DAY_NS), observedTimeUnixNano: time },
      {},
    );
    expect(decodeBytes(newDecoder(), 'logs', encode('logs', request))).toEqual({
      accepted: 3,
      rejected: 2,
      reasons: [
        ['time_old', 1],
        ['time_missing', 1],
      ],
      message: `refused: 1 log records ${OLD_TEXT}; 1 log records without a time`,
    });
  });

  it('is a data point only for its time', () => {
    const request = gauge(
      { timeUnixNano: String(NOW_NS), asInt: '1' },
      { asInt: '2' },
      { timeUnixNano: String(NOW_NS + DAY_NS) },
    );
    expect(decodeBytes(newDecoder(), 'metrics', encode('metrics', request))).toEqual({
      accepted: 1,
      rejected: 2,
      reasons: [
        ['time_missing', 1],
        ['time_future', 1],
      ],
      message: `refused: 1 data points without a time; 1 data points ${FUTURE_TEXT}`,
    });
  });

  it.each([0, 2, 5])(
    'is a data point whose time has the foreign wire type %i, which makes it an unknown field',
    (wireType) => {
      // The time ends the body: read as eight bytes it would be made of what lies behind.
      const value = wireType === 0 ? Buffer.from([1]) : Buffer.alloc(wireType === 2 ? 0 : 4, 1);
      const point = joinFields([field(3, value, wireType)]);
      const bytes = [5, 2, 2, 1].reduce(
        (inner, number) => joinFields([field(number, inner)]),
        joinFields([field(1, point)]),
      );
      expect(decodeBytes(newDecoder(), 'metrics', bytes).reasons).toEqual([['time_missing', 1]]);
    },
  );

  it('is not one whose time is just within the window', () => {
    const edges = [NOW_NS - 30n * DAY_NS + 10_000_000_000n, NOW_NS + HOUR_NS - 10_000_000_000n];
    const request = spans(...edges.map((edge) => ({ ...GOOD_SPAN, startTimeUnixNano: String(edge) })));
    expect(decodeBytes(newDecoder(), 'traces', encode('traces', request))).toEqual({ ...NOTHING, accepted: 2 });
  });

  it('is never counted for the next request', () => {
    const decoder = newDecoder();
    decodeBytes(decoder, 'traces', encode('traces', spans({})));
    expect(decodeBytes(decoder, 'traces', encode('traces', spans(GOOD_SPAN)))).toEqual({ ...NOTHING, accepted: 1 });
  });
});

describe('a repaired string', () => {
  it('is told to the sender', () => {
    const request = spans({
      ...GOOD_SPAN,
      name: `x${BAD_TEXT}`,
      attributes: [{ key: BAD_TEXT, value: { stringValue: BAD_TEXT } }],
    });
    expect(decodeBytes(newDecoder(), 'traces', encode('traces', request))).toEqual({
      ...NOTHING,
      accepted: 1,
      message: 'replaced invalid UTF-8 in 3 strings',
    });
  });
});

const attribute = joinFields([field(1, Buffer.from('k')), field(2, joinFields([field(1, Buffer.from('v'))]))]);
const time = (at: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(at);
  return bytes;
};

/** The request with one item more, whose bytes are given. */
function withItem(request: Buffer, item: Buffer): Buffer {
  return Buffer.concat([request, joinFields([field(1, joinFields([field(2, joinFields([field(2, item)]))]))])]);
}

describe('a malformed request', () => {
  const thousands: Readonly<Record<Signal, Plain>> = {
    traces: spans(
      ...Array.from({ length: 4000 }, (_, nth) => ({
        ...GOOD_SPAN,
        name: `name ${nth}`,
        attributes: [{ key: `key ${nth}`, value: { intValue: String(nth) } }],
        events: [{ name: `event ${nth}` }],
      })),
    ),
    logs: logs(
      ...Array.from({ length: 4000 }, (_, nth) => ({
        timeUnixNano: String(NOW_NS),
        severityText: `text ${nth}`,
        body: { stringValue: `body ${nth}` },
      })),
    ),
    metrics: gauge(
      ...Array.from({ length: 4000 }, (_, nth) => ({
        timeUnixNano: String(NOW_NS - DAY_NS),
        asDouble: nth,
        attributes: [{ key: `key ${nth}`, value: {} }],
      })),
    ),
  };
  const identity = [field(1, TRACE_ID), field(2, SPAN_ID), field(7, time(NOW_NS), 1)];
  const deep = Array.from({ length: 70 }).reduce<Buffer>(
    (inner) => joinFields([field(5, joinFields([field(1, inner)]))]),
    Buffer.alloc(0),
  );

  it.each<[string, Signal, Buffer]>([
    ['a span that is cut off', 'traces', joinFields([...identity, field(9, attribute)]).subarray(0, -1)],
    ['an event that is cut off', 'traces', joinFields([...identity, field(11, Buffer.from([0x09, 1, 2]))])],
    ['a link that is cut off', 'traces', joinFields([...identity, field(13, Buffer.from([0x35, 1, 2]))])],
    ['a status that is cut off', 'traces', joinFields([...identity, field(15, Buffer.from([0x12, 9]))])],
    ['a field number 0', 'traces', joinFields([...identity, field(0, Buffer.alloc(0))])],
    [
      'a field number above 2^29',
      'traces',
      Buffer.concat([joinFields(identity), varint(2n ** 32n + 8n), Buffer.from([0])]),
    ],
    ['an endless varint', 'traces', Buffer.concat([joinFields(identity), Buffer.from([0x30]), Buffer.alloc(11, 0xff)])],
    ['a group', 'traces', joinFields([...identity, field(20, Buffer.alloc(0), 3)])],
    [
      'a value nested too deeply',
      'traces',
      joinFields([...identity, field(9, joinFields([field(1, Buffer.from('k')), field(2, deep)]))]),
    ],
    [
      'an identity that is taken back after the attributes',
      'traces',
      joinFields([...identity, field(9, attribute), field(1, Buffer.alloc(3))]),
    ],
    [
      'a time that is taken back after the attributes',
      'traces',
      joinFields([...identity, field(9, attribute), field(7, time(0n), 1)]),
    ],
    ['a body that is cut off', 'logs', joinFields([field(1, time(NOW_NS), 1), field(5, Buffer.from([0x0a, 5]))])],
    [
      'a time that is taken back after the attributes',
      'logs',
      joinFields([field(1, time(NOW_NS), 1), field(6, attribute), field(1, time(0n), 1)]),
    ],
    ['a point that is cut off', 'metrics', joinFields([field(5, joinFields([field(1, Buffer.from([0x19, 0]))]))])],
    [
      'an exemplar that is cut off',
      'metrics',
      joinFields([
        field(5, joinFields([field(1, joinFields([field(3, time(NOW_NS), 1), field(5, Buffer.from([0x11]))]))])),
      ]),
    ],
    [
      'a packed array that is cut off',
      'metrics',
      joinFields([
        field(9, joinFields([field(1, joinFields([field(3, time(NOW_NS), 1), field(6, Buffer.alloc(12))]))])),
      ]),
    ],
    [
      'a packed varint that is cut off',
      'metrics',
      joinFields([
        field(
          10,
          joinFields([
            field(1, joinFields([field(3, time(NOW_NS), 1), field(8, joinFields([field(2, Buffer.from([0x80]))]))])),
          ]),
        ),
      ]),
    ],
  ])('leaves the blocks exactly as they were, with %s at the end of thousands of %s', (_, signal, item) => {
    const decoder = newDecoder(1 << 24);
    const good = encode(signal, thousands[signal]);
    const start = encode(
      signal,
      signal === 'traces'
        ? spans(GOOD_SPAN)
        : signal === 'logs'
          ? logs({ timeUnixNano: String(NOW_NS) })
          : gauge({ timeUnixNano: String(NOW_NS) }),
    );
    expect(decodeBytes(decoder, signal, start).accepted).toBe(1);
    const before = piecesOf(decoder);
    const days = decoder.blocks.map((block) => [...block.days.byDay()]);
    expect(failureOf(() => decodeBytes(decoder, signal, withItem(good, item))).code).toBe('bad_request');
    expect(piecesOf(decoder).equals(before)).toBe(true);
    expect(decoder.blocks.map((block) => [...block.days.byDay()])).toEqual(days);
    expect(decodeBytes(decoder, signal, good).accepted).toBe(4000);
    const clean = newDecoder();
    decodeBytes(clean, signal, start);
    decodeBytes(clean, signal, good);
    expect(piecesOf(decoder).equals(piecesOf(clean))).toBe(true);
  });

  it('is answered with bad_request and the reason', () => {
    expect(failureOf(() => decodeBytes(newDecoder(), 'traces', Buffer.from([0x0a, 0x05]))).message).toBe(
      'cannot decode the request: not a valid OTLP protobuf message: a field is longer than its message',
    );
  });
});

describe('a compressed body', () => {
  const body = encode('traces', spans(GOOD_SPAN));

  it.each<[ContentCoding, (bytes: Buffer) => Buffer]>([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['zstd', zstdCompressSync],
  ])('is refused if it is not %s, is cut off, or is too large when decompressed', (coding, compress) => {
    const decoder = newDecoder(200_000);
    const take = (bytes: Buffer): Decoded => decodeBytes(decoder, 'traces', bytes, 'protobuf', coding);
    expect(take(compress(body)).accepted).toBe(1);
    const before = piecesOf(decoder);
    for (const bytes of [Buffer.from('nonsense, not compressed'), compress(body).subarray(0, -3), Buffer.alloc(0)]) {
      const error = failureOf(() => take(bytes));
      expect(error.code).toBe('bad_request');
      expect(error.message).toMatch(new RegExp(`^cannot decompress the body as ${coding}: `));
    }
    const bomb = failureOf(() => take(compress(Buffer.alloc(200_001))));
    expect([bomb.code, bomb.message]).toEqual([
      'too_large',
      'cannot take the request: its body is larger than 200000 bytes decompressed',
    ]);
    expect(piecesOf(decoder).equals(before)).toBe(true);
  });

  it('of JSON has the limit of JSON when decompressed', () => {
    const bomb = gzipSync(`{"resourceSpans":[${'{},'.repeat(40_000)}{}]}`);
    const error = failureOf(() => decodeBytes(newDecoder(1 << 20, 100_000), 'traces', bomb, 'json', 'gzip'));
    expect([error.code, error.message]).toEqual([
      'too_large',
      'cannot take the request: its body is larger than 100000 bytes decompressed',
    ]);
  });
});
