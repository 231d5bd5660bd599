/**
 * A span of a request as the slots that dialects read. It is read a second time, and only if it may be a generation: the hot path makes
 * no objects.
 *
 * Must stay true: the slots say what the columns of the span's row say, of the attributes that are asked for.
 */

import type { AttributeSlots, EventSlots, PackedValues, SpanSlots } from '@glasshouse/generations';
import { anyValueJson, BOOL_VALUE, DOUBLE_VALUE, INT_VALUE, textAt, valueField } from '../otlp/any-value.ts';
import { AttributesJson } from '../otlp/attributes-json.ts';
import { KeyValue } from '../otlp/attributes.ts';
import type { Envelope } from '../otlp/envelope.ts';
import { ResourceMemory, ScopeMemory } from '../otlp/shared.ts';
import type { Text } from '../otlp/attributes-json.ts';
import type { Wire } from '../otlp/wire.ts';
import { ByteNames, BytePrefixes } from './key-names.ts';
import { TextMemo } from './text-memo.ts';

/** What the spans of a scope have in common. */
export interface Common {
  /** Attributes of the resource as JSON. */
  readonly resource: string;
  readonly scope: string;
}

type Prefix = SpanSlots['prefixes'][number];

/** An attribute that is asked for, by its name or by how it begins. */
interface Asked {
  readonly slots: AttributeSlots;
  readonly prefixes: readonly Prefix[];
}

interface AskedEvent {
  readonly name: string;
  readonly slots: EventSlots;
}

/** The field of attributes: most of a span is in them. */
const ATTRIBUTE = 0x4a;
const NO_PARENT = '0'.repeat(16);

export class CallSpans {
  private readonly resources = new ResourceMemory({ count: 0 });
  private readonly scopes = new ScopeMemory({ count: 0 });
  private readonly json = new AttributesJson({ count: 0 });
  /** Strings of what the memories keep. */
  private readonly strings = new WeakMap<Text, string>();
  private readonly keyValue = new KeyValue();
  private readonly words = new Words();
  private readonly slots: SpanSlots;
  private readonly names: ByteNames<Asked>;
  private readonly prefixes: BytePrefixes<Asked>;
  private readonly events: ByteNames<AskedEvent>;
  private readonly fields: Readonly<Record<(typeof FIELDS)[number], number>>;

  constructor(slots: SpanSlots) {
    const { attributes, events, prefixes } = slots;
    const beginning = (name: string): readonly Prefix[] => prefixes.filter(({ start }) => name.startsWith(start));
    this.slots = slots;
    this.names = new ByteNames([...attributes].map(([name, of]) => [name, { slots: of, prefixes: beginning(name) }]));
    this.prefixes = new BytePrefixes(prefixes.map(({ start }) => [start, { slots: {}, prefixes: beginning(start) }]));
    this.events = new ByteNames([...events].map(([name, of]) => [name, { name, slots: of }]));
    this.fields = Object.fromEntries(FIELDS.map((name) => [name, slots.fieldSlot(name)])) as typeof this.fields;
  }

  common(wire: Wire, { resource, scope }: Envelope): Common {
    return {
      resource: this.stringOf(this.resources.read(wire, resource.start, resource.end).attributes),
      scope: this.stringOf(this.scopes.read(wire, scope.start, scope.end).name),
    };
  }

  private stringOf(text: Text): string {
    let string = this.strings.get(text);
    if (string === undefined) {
      string = stringOf(text);
      this.strings.set(text, string);
    }
    return string;
  }

  /** The row of the span in `[pos, end)`, which was taken, until the next is read; undefined if it is no generation. */
  read(wire: Wire, pos: number, end: number, common: Common): PackedValues | undefined {
    this.fill(wire, pos, end, common);
    return this.slots.readPacked();
  }

  /** Fills the slots with the span in `[pos, end)`. */
  private fill(wire: Wire, pos: number, end: number, { resource, scope }: Common): void {
    const { slots, fields } = this;
    let [startAt, endAt] = [-1, -1];
    slots.begin(this.words.of(wire), wire);
    slots.field(fields.resource_attributes, resource);
    slots.field(fields.scope_name, scope);
    slots.field(fields.status_code, '0');
    while (pos < end) {
      if (wire.bytes[pos] === ATTRIBUTE) {
        pos = wire.enter(pos + 1, end);
        this.attribute(wire, wire.pos, pos);
        continue;
      }
      const tag = wire.varint(pos);
      const at = wire.pos;
      pos = wire.skip(tag, at, end);
      // Behind the length, where there is one.
      const from = (tag & 7) === 2 ? wire.pos : at;
      switch (tag) {
        case 0x0a:
          slots.field(fields.trace_id, hex(wire, from, pos));
          break;
        case 0x12:
          // It was taken: an id that counts has eight bytes.
          slots.field(fields.span_id, pos - from === 8 ? hexOfEight(wire.bytes, from) : hex(wire, from, pos));
          break;
        case 0x22:
          slots.field(fields.parent_span_id, pos - from === 8 ? parentOf(wire, from) : '');
          break;
        case 0x2a:
          slots.fieldRange(fields.name, from, pos);
          break;
        case 0x39:
          startAt = from;
          break;
        case 0x41:
          endAt = from;
          break;
        case ATTRIBUTE:
          this.attribute(wire, from, pos);
          break;
        case 0x5a:
          this.event(wire, from, pos);
          break;
        case 0x7a:
          this.status(wire, from, pos);
          break;
      }
    }
    slots.field(fields.timestamp, startAt < 0 ? 0n : wire.view.getBigUint64(startAt, true));
    slots.field(fields.duration_ns, endAt < 0 ? 0 : durationNs(wire.view, startAt, endAt));
  }

  private attribute(wire: Wire, pos: number, end: number): void {
    const { slots, keyValue: pair } = this;
    pair.read(wire, pos, end);
    const { keyStart, keyEnd, valueStart, valueEnd } = pair;
    const asked = this.names.find(wire, keyStart, keyEnd) ?? this.prefixes.find(wire, keyStart, keyEnd);
    if (asked === undefined) return;
    if (pair.findText(wire)) {
      const { string } = asked.slots;
      if (slots.isOpen(string)) slots.range(string, pair.textStart, pair.textEnd);
      if (asked.prefixes.length > 0) this.prefixed(wire, asked.prefixes);
      return;
    }
    const { int, double, bool, json } = asked.slots;
    if (int !== undefined && wire.bytes[valueStart] === INT_VALUE) {
      // Nearly always the only field.
      const value = integerAt(wire, valueStart + 1);
      if (wire.pos === valueEnd) {
        if (slots.isOpen(int)) slots.set(int, value);
        return;
      }
    }
    const field = valueField(wire, valueStart, valueEnd);
    switch (field.tag) {
      case INT_VALUE:
        if (slots.isOpen(int)) slots.set(int, integerAt(wire, field.start));
        return;
      case DOUBLE_VALUE:
        if (slots.isOpen(double)) slots.set(double, wire.view.getFloat64(field.start, true));
        return;
      case BOOL_VALUE:
        if (!slots.isOpen(bool)) return;
        wire.varint64(field.start);
        slots.set(bool, (wire.low | wire.high) !== 0);
        return;
      default:
        if (slots.isOpen(json)) slots.set(json, anyValueJson(wire, valueStart, valueEnd));
    }
  }

  /** The text that was found last, under a name that begins as is asked for. */
  private prefixed(wire: Wire, prefixes: readonly Prefix[]): void {
    const { keyStart, keyEnd, textStart, textEnd } = this.keyValue;
    const [name, value] = [textAt(wire, keyStart, keyEnd), textAt(wire, textStart, textEnd)];
    for (const prefix of prefixes) this.slots.prefixed(prefix, name, value);
  }

  /** Span.Event { time_unix_nano = 1, name = 2, attributes = 3 }. */
  private event(wire: Wire, start: number, end: number): void {
    let [time, nameStart, nameEnd] = [0n, 0, 0];
    for (let pos = start; pos < end;) {
      const tag = wire.varint(pos);
      const at = wire.pos;
      pos = wire.skip(tag, at, end);
      if (tag === 0x09) time = wire.view.getBigInt64(at, true);
      else if (tag === 0x12) [nameStart, nameEnd] = [wire.pos, pos];
    }
    const asked = this.events.find(wire, nameStart, nameEnd);
    if (asked !== undefined) this.slots.event(asked.slots, asked.name, time, () => this.eventJson(wire, start, end));
  }

  private eventJson(wire: Wire, pos: number, end: number): string {
    this.json.begin();
    while (pos < end) {
      const tag = wire.varint(pos);
      pos = wire.skip(tag, wire.pos, end);
      if (tag === 0x1a) this.json.append(wire, wire.pos, pos);
    }
    this.json.finish();
    return stringOf({ source: this.json, length: this.json.length });
  }

  /** Status { message = 2, code = 3 }. */
  private status(wire: Wire, pos: number, end: number): void {
    const { slots, fields } = this;
    while (pos < end) {
      const tag = wire.varint(pos);
      const at = wire.pos;
      pos = wire.skip(tag, at, end);
      if (tag === 0x12) slots.fieldRange(fields.status_message, wire.pos, pos);
      else if (tag === 0x18) {
        const code = wire.varint(at);
        slots.field(fields.status_code, code === 1 ? '1' : code === 2 ? '2' : '0');
      }
    }
  }
}

/** Texts of a request that are wanted as strings: names of models and the like, which come again and again. */
class Words {
  private readonly memo = new TextMemo();
  private wire: Wire | undefined;

  of(wire: Wire): this {
    this.wire = wire;
    return this;
  }

  toString(_: 'utf8', start: number, end: number): string {
    const { bytes, text } = this.wire as Wire;
    return this.memo.find(bytes, start, end, text) ?? text.toString('utf8', start, end);
  }
}

/** The columns of spans that are on the wire. */
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
] as const;

/** From the time at one place to that at another; from 1970 if the first place is -1. */
function durationNs(view: DataView, startAt: number, endAt: number): number | bigint {
  if (startAt >= 0) {
    const high = view.getUint32(endAt + 4, true) - view.getUint32(startAt + 4, true);
    const ns = high * 0x1_0000_0000 + view.getUint32(endAt, true) - view.getUint32(startAt, true);
    // Without big integers, but for durations of months.
    if (Number.isSafeInteger(ns)) return ns <= 0 ? 0 : ns;
  }
  const start = startAt < 0 ? 0n : view.getBigUint64(startAt, true);
  const finish = view.getBigUint64(endAt, true);
  return finish <= start ? 0 : finish - start;
}

function integerAt(wire: Wire, at: number): number | bigint {
  wire.varint64(at);
  const { low, high } = wire;
  return high === 0 ? low : BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}

function parentOf(wire: Wire, start: number): string {
  const id = hexOfEight(wire.bytes, start);
  return id === NO_PARENT ? '' : id;
}

/** The letter of the upper and of the lower half of a byte, by its value. */
const UPPER = Uint8Array.from({ length: 256 }, (_, byte) => (byte >> 4).toString(16).charCodeAt(0));
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => (byte & 15).toString(16).charCodeAt(0));

/** Eight bytes as hexadecimal digits. One call with all letters takes a third of what a buffer takes. */
function hexOfEight(bytes: Uint8Array, at: number): string {
  const upper = (offset: number): number => UPPER[bytes[at + offset] as number] as number;
  const lower = (offset: number): number => LOWER[bytes[at + offset] as number] as number;
  // prettier-ignore
  return String.fromCharCode(
    upper(0), lower(0), upper(1), lower(1), upper(2), lower(2), upper(3), lower(3),
    upper(4), lower(4), upper(5), lower(5), upper(6), lower(6), upper(7), lower(7),
  );
}

function hex(wire: Wire, start: number, end: number): string {
  return wire.text.toString('hex', start, end);
}

function stringOf({ source, length }: Text): string {
  return Buffer.from(source.bytes.buffer, source.bytes.byteOffset, length).toString('utf8');
}
