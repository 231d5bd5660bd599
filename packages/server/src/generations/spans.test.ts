/**
 * A span as slots, and the same span as a row of the table: what a dialect reads of either must be the same. Random requests,
 * as usual encoders write them and as nobody writes them.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpanSlots } from '@glasshouse/generations';
import type { Condition, Dialect, Origin, SpanField } from '@glasshouse/generations';
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
import { CallSpans } from './spans.ts';

const MARK = 'gen_ai.request.model';
const PLACEMENT = { tenant: 'acme', project: 'shop', environment: 'prod' };
const NOW_MS = Date.UTC(2026, 10, 22);
const NOW_NS = BigInt(NOW_MS) * 1_000_000n;
const DAY_NS = 86_400_000_000_000n;
const LIMITS = { oldestNs: NOW_NS - 30n * DAY_NS, newestNs: NOW_NS + 3_600_000_000_000n };
const REQUESTS = 150;

const encode = protobufEncoder();

const TYPES = ['string', 'int', 'double', 'bool', 'json'] as const;
const FIELDS = [
  'timestamp',
  'duration_ns',
  'trace_id',
  'span_id',
  'parent_span_id',
  'name',
  'status_code',
  'status_message',
  'scope_name',
  'resource_attributes',
] as const satisfies readonly SpanField[];

type Values = Readonly<Record<string, unknown>>;

/** A span as a dialect could see it; what is nothing is left out. */
interface Seen {
  readonly fields: Values;
  /** By type, and by name. */
  readonly attributes: readonly (readonly [string, Values])[];
  /** All texts in their order, as names that begin with nothing. */
  readonly texts: readonly (readonly [string, string])[];
  /** By name, when the first event of it was. */
  readonly moments: Values;
  readonly events: readonly Values[];
}

/** A dialect that asks for all of these. */
function asking(keys: readonly string[], events: readonly string[]): Dialect {
  const ask = (origin: Origin): Condition => ({ source: { origin } });
  const messages = Object.fromEntries(events.map((name) => [name, { role: '', content: [] }]));
  const conditions = [
    ...FIELDS.map((field) => ask({ field })),
    ...keys.map((attribute) => ask({ attribute, types: TYPES })),
    ...events.flatMap((event) => [ask({ event }), ask({ momentOf: [event] })]),
    ask({ prefix: '' }),
    ask({ messages }),
  ];
  const counting = { dialect: 'otel', cacheRead: true, cacheWrite: true, reasoning: true, media: true };
  return { name: 'all', over: 'span', when: [conditions], counting, columns: {} };
}

/** All spans of a request that are taken and have the mark. */
function spansOf(bytes: Buffer, keys: readonly string[], events: readonly string[]): Seen[] {
  const slots = new SpanSlots([asking(keys, events)]);
  const spans = new CallSpans(slots);
  const found: Seen[] = [];
  const reader = new SpanReader(new Rejections(), {
    keys: [MARK],
    spans(wire: Wire, ranges: readonly number[], envelope: Envelope) {
      const common = spans.common(wire, envelope);
      for (let at = 0; at < ranges.length; at += 2) {
        spans.read(wire, ranges[at] as number, ranges[at + 1] as number, common);
        found.push(seenIn(slots));
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

function seenIn(slots: SpanSlots): Seen {
  const [prefix] = slots.prefixes;
  const [messages] = [...slots.events.values()].flatMap((of) => of.messages);
  const events = (messages === undefined ? undefined : slots.get(messages)) as Values[] | undefined;
  return {
    fields: something(FIELDS.map((name) => [name, textOf(slots.get(slots.fieldSlot(name)))])),
    attributes: TYPES.map((type) => [
      type,
      something(
        [...slots.attributes].map(([name, of]) => {
          const value = slots.get(of[type] ?? -1);
          return [name, type === 'int' ? textOf(value) : value];
        }),
      ),
    ]),
    texts: Object.entries(
      (prefix === undefined ? undefined : (slots.get(prefix.slot) as Record<string, string>)) ?? {},
    ),
    moments: something([...slots.events].map(([name, of]) => [name, slots.get(of.moments[0] ?? -1)])),
    events: events ?? [],
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'bigint' || typeof value === 'number' ? String(value) : (value as string | undefined);
}

/** By name, in their order, without what is nothing. */
function something(entries: readonly (readonly [string, unknown])[]): Values {
  const there = entries.filter(([, value]) => value !== undefined && value !== '');
  return Object.assign(
    Object.create(null),
    Object.fromEntries([...there].sort(([a], [b]) => (a < b ? -1 : 1))),
  ) as Values;
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

/** No dialect asks for a name that holds what is no letter: of the bytes that it stands for there are many. */
function isAsked([name]: readonly [string, unknown]): boolean {
  return !name.includes('\ufffd');
}

type Pairs = readonly (readonly [string, Value])[];

/** A map of the row: the first of a name counts, as in the engine. */
function firsts(pairs: Value | undefined): (readonly [string, Value])[] {
  return [...new Map([...(pairs as Pairs)].reverse())].reverse();
}

/** The same of the columns of a row. */
function seenOfRow(row: Row): Seen {
  const convert: Readonly<Record<(typeof TYPES)[number], (value: Value) => unknown>> = {
    string: String,
    int: String,
    double: Number,
    bool: (value) => value === 1,
    json: String,
  };
  const names = row['events.name'] as readonly string[];
  const attributes = row['events.attributes'] as readonly string[];
  const times = row['events.timestamp'] as readonly bigint[];
  const events = [...names.entries()].map(
    ([at, name]) => [name, { time: times[at], attributes: attributes[at] }] as const,
  );
  const asked = events.filter(isAsked);
  const parent = row['parent_span_id'];
  return {
    fields: something(
      FIELDS.map((name) => [name, name === 'parent_span_id' && parent === '00'.repeat(8) ? '' : String(row[name])]),
    ),
    attributes: TYPES.map((type) => [
      type,
      something(
        firsts(row[`attributes_${type}`])
          .filter(isAsked)
          .map(([name, value]) => [name, convert[type](value)]),
      ),
    ]),
    texts: firstsInOrder(row['attributes_string']),
    moments: something([...asked].reverse().map(([name, { time }]) => [name, time])),
    events: asked.map(([name, event]) => ({ name, attributes: event.attributes })),
  };
}

/** As an object has them: numbers first. */
function firstsInOrder(pairs: Value | undefined): [string, string][] {
  const texts = Object.create(null) as Record<string, string>;
  for (const [name, value] of pairs as Pairs) texts[name] ??= String(value);
  return Object.entries(texts);
}

describe('a span', () => {
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
        const attributes = rows.flatMap((row) => TYPES.flatMap((type) => firsts(row[`attributes_${type}`])));
        const keys = attributes.filter(isAsked).map(([name]) => name);
        const events = rows
          .flatMap((row) => row['events.name'] as readonly string[])
          .filter((name) => isAsked([name, name]));
        expect(spansOf(bytes, keys, events)).toEqual(rows.map(seenOfRow));
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
    const names = ['__proto__', 'constructor', 'toString', MARK];
    const [seen] = spansOf(encode('traces', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }), names, []);
    expect(seen?.texts).toEqual([
      ['__proto__', 'x'],
      [MARK, 'm'],
    ]);
    expect(seen?.attributes.map(([type, values]) => [type, Object.entries(values)])).toEqual([
      [
        'string',
        [
          ['__proto__', 'x'],
          [MARK, 'm'],
        ],
      ],
      ['int', [['constructor', '1']]],
      ['double', []],
      ['bool', [['toString', true]]],
      ['json', []],
    ]);
    expect(Object.prototype).not.toHaveProperty('x');
  });

  it('is read only if it was taken', () => {
    const span = (time: bigint): Plain => ({
      traceId: Buffer.alloc(16, 1),
      spanId: Buffer.alloc(8, 1),
      startTimeUnixNano: String(time),
      attributes: [{ key: MARK, value: { stringValue: 'm' } }],
    });
    const spans = [span(NOW_NS - 40n * DAY_NS), span(NOW_NS), span(NOW_NS + DAY_NS)];
    expect(spansOf(encode('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }), [], [])).toHaveLength(1);
  });
});
