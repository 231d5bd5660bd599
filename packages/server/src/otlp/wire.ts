/**
 * Reading Protocol Buffers wire format in place (protobuf.dev/programming-guides/encoding). Nothing is copied or allocated:
 * a field is a range of the body, and 64-bit integers are two halves.
 *
 * Must stay true: the body is followed by at least BODY_SLACK readable bytes, so a reader may run a few bytes past the end
 * of a truncated message before it notices. Whoever loops over fields checks that it ends exactly at the end.
 */

import { AppError } from '@glasshouse/model';
import type { Source } from '@glasshouse/native';

/** Readable bytes after the body: a tag that begins in the last byte may have ten, and a value of eight may follow it. */
export const BODY_SLACK = 24;

const MAX_VARINT_BYTES = 10;
/** Tags are 32 bits: field numbers end at 2^29 - 1. */
const MAX_TAG = 0xffff_ffff;

/** The wire type is the low three bits of a tag. */
const enough = (pos: number, limit: number): void => {
  if (pos > limit) throw malformed('a field ends after its message');
};

/** The error for bytes that aren't the message they should be. */
export function malformed(why: string): AppError {
  return new AppError('bad_request', `cannot decode the request: not a valid OTLP protobuf message: ${why}`);
}

export class Wire implements Source {
  bytes: Uint8Array = new Uint8Array(BODY_SLACK);
  view: DataView = new DataView(this.bytes.buffer);
  /** The same bytes, to make strings of. */
  text: Buffer = Buffer.from(this.bytes.buffer);
  /** Where the next byte is read, after a call that consumed something. */
  pos = 0;
  /** Halves of the last 64-bit value, unsigned. */
  low = 0;
  high = 0;

  /** Reads from `buffer`, whose body is followed by the slack. */
  open(buffer: ArrayBufferLike): void {
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.text = Buffer.from(buffer);
    this.pos = 0;
  }

  /** Reads a length at `pos`; leaves `this.pos` at the first byte of the field and returns its end, at most `limit`. */
  enter(pos: number, limit: number): number {
    let length = this.bytes[pos] as number;
    this.pos = pos + 1;
    if (length >= 0x80) length = this.varint(pos);
    const end = this.pos + length;
    if (end > limit) throw malformed('a field is longer than its message');
    return end;
  }

  /** Reads a varint at `pos` as a number (exact below 2^53); leaves `this.pos` after it. */
  varint(pos: number): number {
    const first = this.bytes[pos] as number;
    if (first < 0x80) {
      this.pos = pos + 1;
      return first;
    }
    this.varint64(pos);
    return this.high * 0x1_0000_0000 + this.low;
  }

  /** Reads a varint at `pos` into `low` and `high`; leaves `this.pos` after it. */
  varint64(pos: number): void {
    const bytes = this.bytes;
    let low = 0;
    let high = 0;
    for (let index = 0; index < MAX_VARINT_BYTES; index++) {
      const byte = bytes[pos + index] as number;
      const bits = byte & 0x7f;
      if (index < 4) low |= bits << (index * 7);
      else if (index === 4) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (index * 7 - 32);
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        this.pos = pos + index + 1;
        return;
      }
    }
    throw malformed('a varint is longer than 10 bytes');
  }

  /** Reads a fixed64 at `pos` into `low` and `high`. */
  fixed64(pos: number): void {
    this.low = this.view.getUint32(pos, true);
    this.high = this.view.getUint32(pos + 4, true);
    this.pos = pos + 8;
  }

  /** Skips a field whose tag was just read and whose value starts at `pos`; returns the position after it. */
  skip(tag: number, pos: number, limit: number): number {
    if (tag < 8 || tag > MAX_TAG) throw malformed('a field has the number 0 or one above 2^29 - 1');
    let next: number;
    switch (tag & 7) {
      case 0:
        this.varint64(pos);
        next = this.pos;
        break;
      case 1:
        next = pos + 8;
        break;
      case 2:
        next = this.enter(pos, limit);
        break;
      case 5:
        next = pos + 4;
        break;
      default:
        throw malformed(`a field has the unknown wire type ${tag & 7}`);
    }
    enough(next, limit);
    return next;
  }
}
