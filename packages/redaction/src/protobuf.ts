/**
 * The messages of OTLP export requests (opentelemetry-proto v1) as far as they hold text, and reading their wire format.
 *
 * Must stay true: every field of the protocol that is a string, bytes of text or a message with such fields is listed. Fields that
 * are not listed hold numbers and ids, or are unknown to the decoder too, which then does not store them.
 */

import type { Signal } from '@glasshouse/model';
import type { Bytes } from './bytes.ts';

/** What is in a length-delimited field. `keyValue` and `anyValue` are walked by what their key says. */
export type FieldKind = Message | 'anyValue' | 'keyValue' | 'text';

/** Field numbers to what is in them. */
export interface Message {
  readonly [field: number]: FieldKind;
}

const RESOURCE: Message = { 1: 'keyValue' };
const SCOPE: Message = { 1: 'text', 2: 'text', 3: 'keyValue' };
const EVENT: Message = { 2: 'text', 3: 'keyValue' };
const LINK: Message = { 3: 'text', 4: 'keyValue' };
const SPAN: Message = { 3: 'text', 5: 'text', 9: 'keyValue', 11: EVENT, 13: LINK, 15: { 2: 'text' } };
const LOG_RECORD: Message = { 3: 'text', 5: 'anyValue', 6: 'keyValue', 12: 'text' };
const EXEMPLAR: Message = { 7: 'keyValue' };
const METRIC: Message = {
  1: 'text',
  2: 'text',
  3: 'text',
  5: { 1: { 5: EXEMPLAR, 7: 'keyValue' } },
  7: { 1: { 5: EXEMPLAR, 7: 'keyValue' } },
  9: { 1: { 8: EXEMPLAR, 9: 'keyValue' } },
  10: { 1: { 1: 'keyValue', 11: EXEMPLAR } },
  11: { 1: { 7: 'keyValue' } },
  12: 'keyValue',
};

function request(item: Message): Message {
  return { 1: { 1: RESOURCE, 2: { 1: SCOPE, 2: item, 3: 'text' }, 3: 'text' } };
}

export const REQUESTS: Readonly<Record<Signal, Message>> = {
  traces: request(SPAN),
  logs: request(LOG_RECORD),
  metrics: request(METRIC),
};

const MAX_VARINT_BYTES = 10;
const MAX_TAG = 0xffff_ffff;

/** Thrown for bytes that are not the message that they should be; never leaves this package. */
export class Malformed extends Error {}

/** One field after the other. */
export class FieldReader {
  /** Field number and wire type. */
  field = 0;
  wireType = 0;
  /** Where the tag begins, the value begins (behind its length), and the field ends. */
  from = 0;
  start = 0;
  end = 0;
  private at: number;
  private readonly bytes: Bytes;
  private readonly limit: number;

  constructor(bytes: Bytes, start: number, limit: number) {
    this.bytes = bytes;
    this.at = start;
    this.limit = limit;
  }

  /** Reads the next field; false at the end. Throws `Malformed`. */
  next(): boolean {
    if (this.at >= this.limit) return false;
    this.from = this.at;
    const tag = this.varint();
    if (tag < 8 || tag > MAX_TAG) throw new Malformed();
    this.field = Math.floor(tag / 8);
    this.wireType = tag & 7;
    this.start = this.at;
    switch (this.wireType) {
      case 0:
        this.varint();
        break;
      case 1:
        this.at += 8;
        break;
      case 2: {
        const length = this.varint();
        this.start = this.at;
        this.at += length;
        break;
      }
      case 5:
        this.at += 4;
        break;
      default:
        throw new Malformed();
    }
    if (this.at > this.limit) throw new Malformed();
    this.end = this.at;
    return true;
  }

  private varint(): number {
    let value = 0;
    let scale = 1;
    for (let index = 0; index < MAX_VARINT_BYTES; index++) {
      if (this.at >= this.limit) throw new Malformed();
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new Malformed();
  }
}

/** The value of a varint as a signed 64-bit integer. */
export function int64(bytes: Bytes, start: number, end: number): bigint {
  let value = 0n;
  for (let at = end - 1; at >= start; at--) value = (value << 7n) | BigInt((bytes[at] as number) & 0x7f);
  return BigInt.asIntN(64, value);
}

/** A tag and length in front of `body`. */
export function delimited(field: number, body: Uint8Array): Uint8Array {
  const head: number[] = [];
  for (const value of [field * 8 + 2, body.length]) {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) head.push((rest % 128) | 0x80);
    head.push(rest);
  }
  return Buffer.concat([Uint8Array.from(head), body]);
}
