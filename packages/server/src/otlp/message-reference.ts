/**
 * Test support: random export requests as plain objects, made from the field table, and their encodings by protobufjs and as
 * OTLP/JSON. Separate because several tests use it; never imported by the server.
 *
 * 64-bit integers are decimal strings, bytes are Buffers; `BAD_TEXT` in a string becomes four bytes that are not UTF-8.
 */

import type { Signal } from '@glasshouse/model';
import fc from 'fast-check';
import type { FieldSpec, MessageName } from './fields.ts';
import { MESSAGES, ROOT_MESSAGES } from './fields.ts';
import { protobufTypes } from './json-reference.ts';
import type { Random } from './wire-reference.ts';

export type Plain = Readonly<Record<string, unknown>>;

/** A noncharacter of four bytes that stands for four invalid bytes. */
export const BAD_TEXT = '\u{1fffe}';
const BAD_BYTES = Buffer.from([0xff, 0xfe, 0x80, 0xc0]);

const WORDS = [
  '',
  'service.name',
  'service.namespace',
  'project.name',
  'http.route',
  'http.response.status_code',
  'http.status_code',
  'gen_ai.request.model',
  'a',
  'GET /x',
  'é',
  '\ufeffmark',
  BAD_TEXT,
];
const EDGES = {
  int64: [0n, 1n, 404n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 31n],
  uint64: [0n, 1n, 404n, 2n ** 32n, 2n ** 64n - 1n],
};
/** How often an AnyValue may still contain another. */
const ANY_DEPTH = 4;

const known = new Map<string, fc.Arbitrary<Plain>>();

/** Random requests, whose ids and times are random too: see `settle`. */
export function requests(signal: Signal): fc.Arbitrary<Plain> {
  return messages(ROOT_MESSAGES[signal], ANY_DEPTH);
}

function messages(name: MessageName, depth: number): fc.Arbitrary<Plain> {
  const id = `${name} ${depth}`;
  const made = known.get(id) ?? makeMessages(name, depth);
  known.set(id, made);
  return made;
}

function makeMessages(name: MessageName, depth: number): fc.Arbitrary<Plain> {
  const inner = name === 'AnyValue' ? depth - 1 : depth;
  const usable = MESSAGES[name].filter(
    (field) => inner > 0 || (field.message !== 'ArrayValue' && field.message !== 'KeyValueList'),
  );
  const groups = Map.groupBy(usable, (field) => field.oneof ?? field.name);
  const entries = [...groups.values()].map((group) =>
    fc.oneof(
      { weight: 1, arbitrary: fc.constant(undefined) },
      ...group.map((field) => ({
        weight: 4,
        arbitrary: values(field, inner).map((value) => [field.name, value] as const),
      })),
    ),
  );
  return fc.tuple(...entries).map((chosen) => Object.fromEntries(chosen.filter((entry) => entry !== undefined)));
}

function values(field: FieldSpec, depth: number): fc.Arbitrary<unknown> {
  const single = field.message === undefined ? scalars(field) : messages(field.message, depth);
  return field.repeated ? fc.array(single, { maxLength: 3 }) : single;
}

const wide = (edges: readonly bigint[], min: bigint, max: bigint): fc.Arbitrary<string> =>
  fc.oneof(fc.constantFrom(...edges), fc.bigInt({ min, max })).map(String);

function scalars(field: FieldSpec): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'string':
      return fc.oneof(
        fc.constantFrom(...WORDS),
        fc.string({ unit: 'binary', maxLength: 30 }),
        fc.string({ maxLength: 300 }),
      );
    case 'bytes':
      return fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value));
    case 'traceId':
    case 'spanId':
      return fc
        .constantFrom(16, 8, 0, 3)
        .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }))
        .map((value) => Buffer.from(value));
    case 'bool':
      return fc.boolean();
    case 'uint32':
    case 'fixed32':
      return fc.oneof(fc.nat({ max: 0xffff_ffff }), fc.constantFrom(0, 1, 0xffff_ffff));
    case 'sint32':
      return fc.integer();
    case 'int64':
    case 'sfixed64':
      return wide(EDGES.int64, -(2n ** 63n), 2n ** 63n - 1n);
    case 'uint64':
    case 'fixed64':
      return wide(EDGES.uint64, 0n, 2n ** 64n - 1n);
    case 'double':
      return fc.oneof(fc.double(), fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 1, -3, 2 ** 53, 1e21, 5e-324));
    default:
      return fc.nat({ max: (field.values?.names.length ?? 0) + 1 });
  }
}

/** Makes the messages that a test looks up by their time: most are right, some are wrong in one thing. */
export interface Clock {
  readonly nowNs: bigint;
  /** Times that are taken: `nowNs` minus up to this. */
  readonly spanNs: bigint;
  readonly random: Random;
  taken: Set<bigint>;
}

const LISTS: Readonly<Record<Signal, readonly [string, string, string]>> = {
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
};
export const METRIC_KINDS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const;

/** The request with times that are unique among all requests of the clock, and with ids that are mostly right. */
export function settle(signal: Signal, request: Plain, clock: Clock): Plain {
  const [outer, middle, inner] = LISTS[signal];
  const item = (plain: Plain): Plain => {
    if (signal === 'traces') return settleSpan(plain, clock);
    if (signal === 'logs') return { ...plain, ...times(clock, 'timeUnixNano', 'observedTimeUnixNano') };
    return mapKinds(plain, (point) => ({ ...point, ...times(clock, 'timeUnixNano') }));
  };
  return mapList(request, outer, (resource) => mapList(resource, middle, (scope) => mapList(scope, inner, item)));
}

function mapList(plain: Plain, name: string, change: (item: Plain) => Plain): Plain {
  const list = plain[name] as Plain[] | undefined;
  return list === undefined ? plain : { ...plain, [name]: list.map(change) };
}

function mapKinds(metric: Plain, change: (point: Plain) => Plain): Plain {
  const kind = METRIC_KINDS.find((name) => metric[name] !== undefined);
  return kind === undefined ? metric : { ...metric, [kind]: mapList(metric[kind] as Plain, 'dataPoints', change) };
}

function settleSpan(span: Plain, clock: Clock): Plain {
  const { random } = clock;
  const id = (length: number): Buffer =>
    random.chance(5)
      ? random.pick([Buffer.alloc(length), Buffer.alloc(0), Buffer.alloc(length + 1, 1)])
      : random.bytes(length);
  const start = times(clock, 'startTimeUnixNano');
  const end =
    BigInt(start['startTimeUnixNano'] ?? 0) +
    BigInt(random.pick([0, 1, 4_294_967_295, 4_294_967_296, 7_000_000_000, -1, -5_000_000_000]));
  const valid = end > 0n && end < 2n ** 64n;
  return {
    ...span,
    traceId: id(16),
    spanId: id(8),
    ...start,
    ...(random.chance(80) && valid ? { endTimeUnixNano: String(end) } : {}),
  };
}

/** A time for the first name and now and then one for the second, or only for the second. */
function times(clock: Clock, name: string, second?: string): Record<string, string> {
  const { random, nowNs, spanNs, taken } = clock;
  if (random.chance(8)) {
    const wrong = random.pick([
      0n,
      1n,
      nowNs - 400n * 86_400_000_000_000n,
      nowNs + 86_400_000_000_000n,
      2n ** 64n - 1n,
    ]);
    return random.chance(30) ? {} : { [name]: String(wrong) };
  }
  let time: bigint;
  do time = nowNs - (((BigInt(random.below(2 ** 31)) << 31n) + BigInt(random.below(2 ** 31))) % spanNs);
  while (taken.has(time));
  taken.add(time);
  if (second === undefined || random.chance(60)) return { [name]: String(time) };
  return random.chance(50)
    ? { [second]: String(time) }
    : { [name]: random.pick(['0', String(time)]), [second]: String(time) };
}

/** Encodes with protobufjs. */
export function protobufEncoder(): (signal: Signal, request: Plain) => Buffer {
  const types = protobufTypes();
  return (signal, request) => {
    const type = types.get(ROOT_MESSAGES[signal]);
    const bytes = Buffer.from(type?.encode(type.fromObject(request)).finish() ?? []);
    const mark = Buffer.from(BAD_TEXT);
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at)) BAD_BYTES.copy(bytes, at);
    return bytes;
  };
}

/** Encodes as OTLP/JSON, as the specification has it: ids in hex, other bytes in base64, 64-bit integers as strings. */
export function jsonText(signal: Signal, request: Plain): string {
  return JSON.stringify(jsonOf(ROOT_MESSAGES[signal], request));
}

function jsonOf(name: MessageName, plain: Plain): Plain {
  const out: Record<string, unknown> = {};
  for (const field of MESSAGES[name]) {
    const value = plain[field.name];
    if (value === undefined) continue;
    const one = (item: unknown): unknown => {
      if (field.message !== undefined) return jsonOf(field.message, item as Plain);
      if (field.kind === 'traceId' || field.kind === 'spanId') return (item as Buffer).toString('hex');
      if (field.kind === 'bytes') return (item as Buffer).toString('base64');
      return typeof item === 'number' && !Number.isFinite(item) ? String(item) : Object.is(item, -0) ? '-0' : item;
    };
    out[field.name] = field.repeated ? (value as unknown[]).map(one) : one(value);
  }
  return out;
}
