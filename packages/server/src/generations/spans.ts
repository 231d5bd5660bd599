/**
 * A span of a request as the record that dialects read. It is read a second time, and only if it may be a generation: the hot path
 * makes no objects.
 *
 * Must stay true: a record says what the columns of the span's row say, of the attributes that are asked for.
 */

import type { SpanField, SpanRecord } from '@glasshouse/generations';
import {
  anyValueJson,
  BOOL_VALUE,
  DOUBLE_VALUE,
  INT_VALUE,
  STRING_VALUE,
  textAt,
  valueField,
} from '../otlp/any-value.ts';
import { AttributesJson } from '../otlp/attributes-json.ts';
import { KeyValue } from '../otlp/attributes.ts';
import type { Envelope } from '../otlp/envelope.ts';
import { ResourceMemory, ScopeMemory } from '../otlp/shared.ts';
import type { Text } from '../otlp/attributes-json.ts';
import type { KeyNames } from './key-names.ts';
import type { Wire } from '../otlp/wire.ts';

/** Attributes by type, as they are collected. */
interface Attributes {
  readonly string: Record<string, string>;
  readonly int: Record<string, number | bigint>;
  readonly double: Record<string, number>;
  readonly bool: Record<string, boolean>;
  readonly json: Record<string, string>;
}

type SpanEvent = NonNullable<SpanRecord['events']>[number];

/** What the spans of a scope have in common. */
export type Common = Readonly<Partial<Record<SpanField, string>>>;

export class SpanRecords {
  private readonly resources = new ResourceMemory({ count: 0 });
  private readonly scopes = new ScopeMemory({ count: 0 });
  private readonly json = new AttributesJson({ count: 0 });
  private readonly keyValue = new KeyValue();
  private readonly keys: KeyNames;

  constructor(keys: KeyNames) {
    this.keys = keys;
  }

  common(wire: Wire, { resource, scope }: Envelope): Common {
    return {
      resource_attributes: stringOf(this.resources.read(wire, resource.start, resource.end).attributes),
      scope_name: stringOf(this.scopes.read(wire, scope.start, scope.end).name),
    };
  }

  /** The record of the span in `[pos, end)`, which was taken. */
  read(wire: Wire, pos: number, end: number, common: Common): SpanRecord {
    const fields: Partial<Record<SpanField, string>> = { ...common, status_code: '0' };
    const attributes: Attributes = { string: bare(), int: bare(), double: bare(), bool: bare(), json: bare() };
    const events: SpanEvent[] = [];
    let [start, finish] = [0n, 0n];
    while (pos < end) {
      const tag = wire.varint(pos);
      const at = wire.pos;
      pos = wire.skip(tag, at, end);
      // Behind the length, where there is one.
      const from = (tag & 7) === 2 ? wire.pos : at;
      switch (tag) {
        case 0x0a:
          fields.trace_id = hex(wire, from, pos);
          break;
        case 0x12:
          fields.span_id = hex(wire, from, pos);
          break;
        case 0x22:
          if (pos - from === 8) fields.parent_span_id = hex(wire, from, pos);
          else delete fields.parent_span_id;
          break;
        case 0x2a:
          fields.name = textAt(wire, from, pos);
          break;
        case 0x39:
          start = wire.view.getBigUint64(from, true);
          break;
        case 0x41:
          finish = wire.view.getBigUint64(from, true);
          break;
        case 0x4a:
          this.attribute(wire, from, pos, attributes);
          break;
        case 0x5a:
          events.push(this.event(wire, from, pos));
          break;
        case 0x7a:
          readStatus(wire, from, pos, fields);
          break;
      }
    }
    fields.timestamp = start.toString();
    fields.duration_ns = (finish > start ? finish - start : 0n).toString();
    if (fields.parent_span_id === '0000000000000000') delete fields.parent_span_id;
    return { fields, ...attributes, events };
  }

  private attribute(wire: Wire, pos: number, end: number, into: Attributes): void {
    const pair = this.keyValue;
    pair.read(wire, pos, end);
    const { keyStart, keyEnd, valueStart, valueEnd } = pair;
    const key = this.keys.find(wire, keyStart, keyEnd);
    if (key === undefined) return;
    const field = valueField(wire, valueStart, valueEnd);
    switch (field.tag) {
      case STRING_VALUE:
        into.string[key] ??= textAt(wire, field.start, field.end);
        return;
      case INT_VALUE:
        wire.varint64(field.start);
        into.int[key] ??= wire.high === 0 ? wire.low : BigInt.asIntN(64, (BigInt(wire.high) << 32n) | BigInt(wire.low));
        return;
      case DOUBLE_VALUE:
        into.double[key] ??= wire.view.getFloat64(field.start, true);
        return;
      case BOOL_VALUE:
        wire.varint64(field.start);
        into.bool[key] ??= (wire.low | wire.high) !== 0;
        return;
      default:
        into.json[key] ??= anyValueJson(wire, valueStart, valueEnd);
    }
  }

  /** Span.Event { time_unix_nano = 1, name = 2, attributes = 3 }. */
  private event(wire: Wire, pos: number, end: number): SpanEvent {
    let [name, time] = ['', 0n];
    this.json.begin();
    while (pos < end) {
      const tag = wire.varint(pos);
      const at = wire.pos;
      pos = wire.skip(tag, at, end);
      if (tag === 0x09) time = wire.view.getBigInt64(at, true);
      else if (tag === 0x12) name = textAt(wire, wire.pos, pos);
      else if (tag === 0x1a) this.json.append(wire, wire.pos, pos);
    }
    this.json.finish();
    return { name, time, attributes: stringOf({ source: this.json, length: this.json.length }) };
  }
}

/** Status { message = 2, code = 3 }. */
function readStatus(wire: Wire, pos: number, end: number, fields: Partial<Record<SpanField, string>>): void {
  while (pos < end) {
    const tag = wire.varint(pos);
    const at = wire.pos;
    pos = wire.skip(tag, at, end);
    if (tag === 0x12) fields.status_message = textAt(wire, wire.pos, pos);
    else if (tag === 0x18) {
      const code = wire.varint(at);
      fields.status_code = String(code <= 2 ? code : 0);
    }
  }
}

/** An object in which every name is only a name. */
function bare<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

function hex(wire: Wire, start: number, end: number): string {
  return Buffer.from(wire.bytes.buffer, wire.bytes.byteOffset + start, end - start).toString('hex');
}

function stringOf({ source, length }: Text): string {
  return Buffer.from(source.bytes.buffer, source.bytes.byteOffset, length).toString('utf8');
}
