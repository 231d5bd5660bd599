/**
 * `opentelemetry.proto.common.v1.AnyValue` as JSON text, for the values that have no column type of their own: arrays,
 * key-value lists, bytes and the empty value, and for every non-string value of resources, scopes, events and links.
 *
 * The text keeps the type: doubles carry a point or an exponent, integers don't; bytes are `{"bytes":"base64"}`;
 * non-finite doubles, which JSON lacks, are strings.
 */

import type { Wire } from './wire.ts';
import { malformed } from './wire.ts';

/** Deeper values are refused: no instrumentation makes them, and a hostile one would exhaust the stack. */
const MAX_DEPTH = 64;

/** Field tags of AnyValue. */
export const STRING_VALUE = 0x0a;
export const BOOL_VALUE = 0x10;
export const INT_VALUE = 0x18;
export const DOUBLE_VALUE = 0x21;
const ARRAY_VALUE = 0x2a;
const KVLIST_VALUE = 0x32;
const BYTES_VALUE = 0x3a;

/** A field of a message: its tag, and where its value is (behind the length, where there is one). */
export interface ValueField {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** The field of the AnyValue in `[pos, end)` that counts: the last one that is known, as in any oneof. Tag 0 if there is none. */
export function valueField(wire: Wire, pos: number, end: number): ValueField {
  const found = { tag: 0, start: end, end };
  while (pos < end) {
    const tag = wire.varint(pos);
    const start = wire.pos;
    pos = wire.skip(tag, start, end);
    switch (tag) {
      case STRING_VALUE:
      case BOOL_VALUE:
      case INT_VALUE:
      case DOUBLE_VALUE:
      case ARRAY_VALUE:
      case KVLIST_VALUE:
      case BYTES_VALUE:
        found.tag = tag;
        // For length-delimited fields `skip` leaves the position behind the length.
        found.start = (tag & 7) === 2 ? wire.pos : start;
        found.end = pos;
    }
  }
  return found;
}

/** The JSON text of the AnyValue message in `[pos, end)`. */
export function anyValueJson(wire: Wire, pos: number, end: number, depth = 0): string {
  if (depth > MAX_DEPTH) throw malformed(`a value is nested deeper than ${MAX_DEPTH} levels`);
  const field = valueField(wire, pos, end);
  switch (field.tag) {
    case STRING_VALUE:
      return JSON.stringify(textAt(wire, field.start, field.end));
    case BOOL_VALUE:
      wire.varint64(field.start);
      return (wire.low | wire.high) === 0 ? 'false' : 'true';
    case INT_VALUE:
      wire.varint64(field.start);
      return intText(wire.low, wire.high);
    case DOUBLE_VALUE:
      return doubleText(wire.view.getFloat64(field.start, true));
    case ARRAY_VALUE:
      return `[${listJson(wire, field.start, field.end, depth)}]`;
    case KVLIST_VALUE:
      return `{${mapJson(wire, field.start, field.end, depth)}}`;
    case BYTES_VALUE:
      return `{"bytes":"${base64At(wire, field.start, field.end)}"}`;
    default:
      return 'null';
  }
}

/** Elements of an ArrayValue (field 1 repeated), comma-separated. */
function listJson(wire: Wire, pos: number, end: number, depth: number): string {
  const items: string[] = [];
  while (pos < end) {
    const tag = wire.varint(pos);
    pos = wire.pos;
    if (tag === 0x0a) {
      const itemEnd = wire.enter(pos, end);
      items.push(anyValueJson(wire, wire.pos, itemEnd, depth + 1));
      pos = itemEnd;
    } else pos = wire.skip(tag, pos, end);
  }
  if (pos !== end) throw malformed('an array is cut off');
  return items.join(',');
}

/** Members of a KeyValueList (field 1 repeated KeyValue), comma-separated. */
function mapJson(wire: Wire, pos: number, end: number, depth: number): string {
  const members: string[] = [];
  while (pos < end) {
    const tag = wire.varint(pos);
    pos = wire.pos;
    if (tag !== 0x0a) {
      pos = wire.skip(tag, pos, end);
      continue;
    }
    const memberEnd = wire.enter(pos, end);
    let key = '';
    let value = 'null';
    pos = wire.pos;
    while (pos < memberEnd) {
      const memberTag = wire.varint(pos);
      pos = wire.pos;
      if (memberTag === 0x0a || memberTag === 0x12) {
        const fieldEnd = wire.enter(pos, memberEnd);
        if (memberTag === 0x0a) key = textAt(wire, wire.pos, fieldEnd);
        else value = anyValueJson(wire, wire.pos, fieldEnd, depth + 1);
        pos = fieldEnd;
      } else pos = wire.skip(memberTag, pos, memberEnd);
    }
    if (pos !== memberEnd) throw malformed('a key-value pair is cut off');
    members.push(`${JSON.stringify(key)}:${value}`);
  }
  if (pos !== end) throw malformed('a key-value list is cut off');
  return members.join(',');
}

/** The text in `[start, end)`, invalid sequences replaced by U+FFFD. */
export function textAt(wire: Wire, start: number, end: number): string {
  return wire.text.toString('utf8', start, end);
}

function base64At(wire: Wire, start: number, end: number): string {
  return Buffer.from(wire.bytes.buffer as ArrayBuffer, wire.bytes.byteOffset + start, end - start).toString('base64');
}

/** A 64-bit two's complement integer given as unsigned halves. */
function intText(low: number, high: number): string {
  if (high === 0) return String(low);
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)).toString();
}

function doubleText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
