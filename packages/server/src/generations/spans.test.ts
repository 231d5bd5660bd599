/**
 * A span as a record, and the same span as a row of the table: what a dialect reads of either must be the same. Random requests,
 * as usual encoders write them and as nobody writes them.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SpanRecord } from '@glasshouse/generations';
import { EnvelopeWalker } from '../otlp/envelope.ts';
import type { Envelope } from '../otlp/envelope.ts';
import { ROOT_MESSAGES } from '../otlp/fields.ts';
import type { Plain } from '../otlp/message-reference.ts';
import { protobufEncoder, requests, settle } from '../otlp/message-reference.ts';
import { Rejections, timeWindow } from '../otlp/reject.ts';
import { SpanReader } from '../otlp/spans.ts';
import { Random, rewrite } from '../otlp/wire-reference.ts';
import { BODY_SLACK, Wire } from '../otlp/wire.ts';
import type { Row, Value } from '../pipeline/rows-reference.ts';
import { expectedRows } from '../pipeline/rows-reference.ts';
import { KeyNames } from './key-names.ts';
import { SpanRecords } from './spans.ts';

const MARK = 'gen_ai.request.model';
const PLACEMENT = { tenant: 'acme', project: 'shop', environment: 'prod' };
const NOW_MS = Date.UTC(2026, 10, 22);
const NOW_NS = BigInt(NOW_MS) * 1_000_000n;
const DAY_NS = 86_400_000_000_000n;
const LIMITS = { oldestNs: NOW_NS - 30n * DAY_NS, newestNs: NOW_NS + 3_600_000_000_000n };
const REQUESTS = 150;

const encode = protobufEncoder();

/** The records of all spans of a request that are taken and have the mark. */
function recordsOf(bytes: Buffer): SpanRecord[] {
  // Every name begins with nothing.
  const records = new SpanRecords(new KeyNames({ names: [], prefixes: [''] }));
  const found: SpanRecord[] = [];
  const reader = new SpanReader(new Rejections(), {
    keys: [MARK],
    spans(wire: Wire, ranges: readonly number[], envelope: Envelope) {
      const common = records.common(wire, envelope);
      for (let at = 0; at < ranges.length; at += 2) {
        found.push(records.read(wire, ranges[at] as number, ranges[at + 1] as number, common));
      }
    },
  });
  reader.within(timeWindow(NOW_MS, 30 * 86_400_000, 3_600_000));
  const wire = new Wire();
  const padded = Buffer.concat([bytes, Buffer.alloc(BODY_SLACK, 0xff)]);
  wire.open(padded.buffer.slice(padded.byteOffset, padded.byteOffset + padded.length));
  new EnvelopeWalker().walk(wire, bytes.length, PLACEMENT, reader);
  return found;
}

/** The request with the mark on every span, behind its other attributes or before them. */
function marked(request: Plain, isFirst: boolean): Plain {
  const each = (plain: Plain, name: string, change: (item: Plain) => Plain): Plain => ({
    ...plain,
    [name]: ((plain[name] as Plain[] | undefined) ?? []).map(change),
  });
  const mark = { key: MARK, value: { stringValue: 'm' } };
  return each(request, 'resourceSpans', (resource) =>
    each(resource, 'scopeSpans', (scope) =>
      each(scope, 'spans', (span) => {
        const others = (span['attributes'] as Plain[] | undefined) ?? [];
        return { ...span, attributes: isFirst ? [mark, ...others] : [...others, mark] };
      }),
    ),
  );
}

/** A map of the row as an object: the first of a name counts, as in the engine. */
function firsts(pairs: Value | undefined, convert: (value: Value) => unknown): Record<string, unknown> {
  const out = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of pairs as readonly (readonly [string, Value])[]) out[key] ??= convert(value);
  return out;
}

/** The record that the columns of a row are. */
function recordOfRow(row: Row): unknown {
  const parent = row['parent_span_id'];
  const names = row['events.name'] as readonly string[];
  const attributes = row['events.attributes'] as readonly string[];
  const times = row['events.timestamp'] as readonly bigint[];
  return {
    fields: {
      timestamp: String(row['timestamp']),
      duration_ns: String(row['duration_ns']),
      trace_id: row['trace_id'],
      span_id: row['span_id'],
      ...(parent === '00'.repeat(8) ? {} : { parent_span_id: parent }),
      name: row['name'],
      status_code: String(row['status_code']),
      status_message: row['status_message'],
      scope_name: row['scope_name'],
      resource_attributes: row['resource_attributes'],
    },
    string: firsts(row['attributes_string'], String),
    int: firsts(row['attributes_int'], String),
    double: firsts(row['attributes_double'], Number),
    bool: firsts(row['attributes_bool'], (value) => value === 1),
    json: firsts(row['attributes_json'], String),
    events: names.map((name, at) => ({ name, time: times[at], attributes: attributes[at] })),
  };
}

/** A record in the same words: texts that are not there are empty, integers are their digits. */
function comparable({ fields, int, ...record }: SpanRecord): unknown {
  return {
    ...record,
    fields: { name: '', status_message: '', ...fields },
    int: Object.assign(
      Object.create(null),
      Object.fromEntries(Object.entries(int ?? {}).map(([key, value]) => [key, String(value)])),
    ) as unknown,
  };
}

describe('a record', () => {
  it.each(['as protobufjs writes it', 'as nobody writes it'] as const)(
    'says what the row says, from a request %s',
    (way) => {
      const seed = Number(process.env['GLASSHOUSE_FUZZ_SEED'] ?? 20_262);
      const random = new Random(seed);
      const clock = { nowNs: NOW_NS, spanNs: 29n * DAY_NS, random, taken: new Set<bigint>() };
      let spans = 0;
      for (const [index, raw] of fc.sample(requests('traces'), { numRuns: REQUESTS, seed }).entries()) {
        const request = marked(settle('traces', raw, clock), index % 2 === 0);
        const plain = encode('traces', request);
        const bytes = way === 'as nobody writes it' ? rewrite(ROOT_MESSAGES.traces, plain, random) : plain;
        const rows = expectedRows('traces', request, PLACEMENT, 1n, LIMITS).rows.get('spans') ?? [];
        const records = recordsOf(bytes);
        expect(records.map(comparable)).toEqual(rows.map(recordOfRow));
        spans += rows.length;
      }
      expect(spans).toBeGreaterThan(REQUESTS / 2);
    },
  );

  it('takes keys only as names', () => {
    const attribute = (key: string, value: Plain): Plain => ({ key, value });
    const span = {
      traceId: Buffer.alloc(16, 1),
      spanId: Buffer.alloc(8, 1),
      startTimeUnixNano: String(NOW_NS),
      attributes: [
        attribute('__proto__', { stringValue: 'x' }),
        attribute('constructor', { intValue: '1' }),
        attribute('toString', { boolValue: true }),
        attribute(MARK, { stringValue: 'm' }),
      ],
    };
    const [record] = recordsOf(encode('traces', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
    expect(Object.entries(record?.string ?? {})).toEqual([
      ['__proto__', 'x'],
      [MARK, 'm'],
    ]);
    expect(Object.entries(record?.int ?? {})).toEqual([['constructor', 1]]);
    expect(Object.entries(record?.bool ?? {})).toEqual([['toString', true]]);
    expect(Object.prototype).not.toHaveProperty('x');
  });

  it('is made only of spans that were taken', () => {
    const span = (time: bigint): Plain => ({
      traceId: Buffer.alloc(16, 1),
      spanId: Buffer.alloc(8, 1),
      startTimeUnixNano: String(time),
      attributes: [{ key: MARK, value: { stringValue: 'm' } }],
    });
    const spans = [span(NOW_NS - 40n * DAY_NS), span(NOW_NS), span(NOW_NS + DAY_NS)];
    expect(recordsOf(encode('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }))).toHaveLength(1);
  });
});
