/**
 * Test support: writes a protobuf message anew in another of the many encodings that mean the same, so that the decoders meet
 * what protobuf allows and no common encoder does. Separate because several tests use it; never imported by the server.
 */

import type { FieldSpec, MessageName } from './fields.ts';
import { MESSAGES } from './fields.ts';

/** A small generator with a fixed seed: a run of a million cases needs one that costs nothing. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 1;
  }

  below(limit: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % limit;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

/** A field: the value without the length where there is one. Fields of the same group keep their order. */
export interface WireField {
  readonly number: number;
  readonly wireType: number;
  readonly value: Buffer;
  readonly group?: string;
}

/** Splits a message into its fields. Throws RangeError if it isn't one. */
export function splitFields(message: Buffer): WireField[] {
  const fields: WireField[] = [];
  for (let pos = 0; pos < message.length;) {
    const tag = readVarint(message, pos);
    pos = tag.next;
    const [number, wireType] = [Number(tag.value >> 3n), Number(tag.value & 7n)];
    let next = pos + (wireType === 1 ? 8 : 4);
    if (wireType === 0) next = readVarint(message, pos).next;
    if (wireType === 2) {
      const length = readVarint(message, pos);
      pos = length.next;
      next = pos + Number(length.value);
    }
    if (next > message.length) throw new RangeError('a field is cut off');
    fields.push({ number, wireType, value: message.subarray(pos, next) });
    pos = next;
  }
  return fields;
}

function readVarint(bytes: Buffer, pos: number): { value: bigint; next: number } {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes.readUInt8(pos++);
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return { value, next: pos };
  }
}

/** The varint in `length` bytes, or in as many as it needs if they are more. */
export function varint(value: bigint, length = 1): Buffer {
  const bytes: number[] = [];
  for (let rest = value; bytes.length === 0 || rest > 0n || bytes.length < length; rest >>= 7n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
  bytes.push((bytes.pop() ?? 0) & 0x7f);
  return Buffer.from(bytes);
}

/** Joins fields to a message, without any change. */
export function joinFields(fields: readonly WireField[]): Buffer {
  return Buffer.concat(fields.flatMap((field) => encodeField(field, () => 1)));
}

function encodeField({ number, wireType, value }: WireField, pad: (most: number) => number): Buffer[] {
  const tag = varint(BigInt(number * 8 + wireType), pad(5));
  if (wireType === 2) return [tag, varint(BigInt(value.length), pad(10)), value];
  const length = wireType === 0 ? pad(10) : 1;
  return [tag, length === 1 ? value : varint(readVarint(value, 0).value, length)];
}

/**
 * The message in another encoding of the same meaning: fields in any order, unknown fields, single fields twice (the last
 * counts), varints longer than they need be, arrays packed, unpacked or in pieces, known numbers with a foreign wire type.
 */
export function rewrite(name: MessageName, message: Buffer, random: Random): Buffer {
  const specs = new Map(MESSAGES[name].map((spec) => [spec.number, spec]));
  const fields: WireField[] = [];
  for (const field of splitFields(message)) {
    const spec = specs.get(field.number);
    if (spec === undefined) continue;
    const group = spec.oneof ?? spec.name;
    if (!spec.repeated && spec.message === undefined && random.chance(15))
      fields.push(decoy(spec, group, specs, random));
    else if (spec.oneof !== undefined && random.chance(10)) fields.push(decoy(spec, group, specs, random));
    const value = spec.message === undefined ? field.value : rewrite(spec.message, field.value, random);
    if (spec.repeated && spec.message === undefined) fields.push(...repacked(spec, value, group, random));
    else fields.push({ ...field, value, group });
  }
  while (random.chance(20)) fields.push(unknownField(random));
  if (random.chance(10)) fields.push(...foreign(random.pick(MESSAGES[name]), random));
  const pad = (most: number): number => (random.chance(8) ? 1 + random.below(most) : 1);
  return Buffer.concat(shuffled(fields, random).flatMap((field) => encodeField(field, pad)));
}

/** A field that a later one of the same group replaces: the same, or another of its oneof. */
function decoy(spec: FieldSpec, group: string, specs: ReadonlyMap<number, FieldSpec>, random: Random): WireField {
  const others = [...specs.values()].filter((other) => other.oneof !== undefined && other.oneof === spec.oneof);
  const chosen = spec.message !== undefined || random.chance(50) ? random.pick([spec, ...others]) : spec;
  // The same message twice would be merged, not replaced.
  if (chosen.message !== undefined)
    return chosen === spec
      ? unknownField(random)
      : { number: chosen.number, wireType: 2, value: Buffer.alloc(0), group };
  return { number: chosen.number, ...scalar(chosen, random), group };
}

function scalar(spec: FieldSpec, random: Random): { wireType: number; value: Buffer } {
  const wireType = wireTypeOf(spec);
  const zero = random.chance(50);
  if (wireType === 0) return { wireType, value: varint(zero ? 0n : BigInt(random.below(1000))) };
  if (wireType === 2) return { wireType, value: Buffer.alloc(random.pick([0, 3, 8, 16]), zero ? 0 : 0x41) };
  return { wireType, value: zero ? Buffer.alloc(wireType === 1 ? 8 : 4) : random.bytes(wireType === 1 ? 8 : 4) };
}

/** The wire type of a single value of the field. */
function wireTypeOf(spec: FieldSpec): number {
  switch (spec.kind) {
    case 'fixed64':
    case 'sfixed64':
    case 'double':
      return 1;
    case 'fixed32':
      return 5;
    case 'bool':
    case 'uint32':
    case 'sint32':
    case 'int64':
    case 'uint64':
    case 'enum':
      return 0;
    default:
      return 2;
  }
}

/** A packed array as it is, as single values, or as several packed arrays. */
function repacked(spec: FieldSpec, value: Buffer, group: string, random: Random): WireField[] {
  const wireType = wireTypeOf(spec);
  const values: Buffer[] = [];
  for (let pos = 0; pos < value.length;) {
    const next = wireType === 0 ? readVarint(value, pos).next : pos + 8;
    values.push(value.subarray(pos, next));
    pos = next;
  }
  const out: WireField[] = [];
  while (values.length > 0) {
    const chunk = values.splice(0, 1 + random.below(values.length));
    if (random.chance(50)) out.push({ number: spec.number, wireType: 2, value: Buffer.concat(chunk), group });
    else for (const one of chunk) out.push({ number: spec.number, wireType, value: one, group });
  }
  return out;
}

function unknownField(random: Random): WireField {
  const number = random.pick([20, 31, 32, 63, 200, 2047, 19_000, 536_870_911]);
  const wireType = random.pick([0, 1, 2, 5]);
  const value =
    wireType === 0
      ? varint(BigInt(random.below(2 ** 31)))
      : random.bytes({ 1: 8, 2: random.below(20), 5: 4 }[wireType] ?? 0);
  return { number, wireType, value };
}

/** A known field number with a wire type that it never has, which makes it an unknown field. */
function foreign(spec: FieldSpec, random: Random): WireField[] {
  const usual = wireTypeOf(spec);
  const wireType = random.pick([0, 1, 5].filter((type) => type !== usual));
  return [
    {
      number: spec.number,
      wireType,
      value: wireType === 0 ? varint(BigInt(random.below(300))) : random.bytes(wireType === 1 ? 8 : 4),
    },
  ];
}

/** Any order that keeps the order within each group. */
function shuffled(fields: readonly WireField[], random: Random): WireField[] {
  const order = [...fields];
  for (let at = order.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [order[at], order[other]] = [order[other] as WireField, order[at] as WireField];
  }
  const queues = new Map<string, WireField[]>();
  for (const field of fields) {
    if (field.group !== undefined) queues.set(field.group, [...(queues.get(field.group) ?? []), field]);
  }
  return order.map((field) => (field.group === undefined ? field : (queues.get(field.group)?.shift() as WireField)));
}
