/**
 * The keys by which a call is known again, as hashes of 64 bits. Separate because a line's ids are hashed from the bytes in which they
 * came, with no text made of them, and a span's from texts; both have to come to the same.
 *
 * Must stay true: a part is hashed by its UTF-8, and its length ends it, so that two parts are never another's one.
 */

import { randomBytes } from 'node:crypto';
import type { PackedValue } from '@glasshouse/generations';
import { TextRange } from '@glasshouse/generations';
import { encodeText } from '@glasshouse/native';

/** Keys that a call has at most. */
const MAX_KEYS = 3;
// Unlike each other, so that what collides in one half does not in the other.
const LOW_FACTOR = 0x85eb_ca6b;
const HIGH_FACTOR = 0xc2b2_ae35;
const NON_ASCII = 0x8080_8080 | 0;
/** Seeds of the two halves of a hash, new for each process so that nobody can make ids that collide. */
const SEEDS = [randomBytes(4).readInt32LE(), randomBytes(4).readInt32LE()] as const;

export class CallKeys {
  /** The lower and the upper half of each key; the lower is not 0. */
  readonly halves = new Int32Array(2 * MAX_KEYS);
  count = 0;
  private low = 0;
  private high = 0;
  /** Of the last bytes. */
  private isAscii = true;
  private letters = new Uint8Array(256);
  private view = new DataView(this.letters.buffer);

  /** Forgets all keys. */
  clear(): this {
    this.count = 0;
    return this;
  }

  /** Begins a key, of which the parts come next. */
  begin(): this {
    [this.low, this.high] = SEEDS;
    return this;
  }

  /** A part. Lone surrogates are U+FFFD, as they are stored. */
  text(part: string): this {
    const { length } = part;
    if (length > this.letters.length) this.makeRoom(length);
    const { letters } = this;
    let seen = 0;
    for (let at = 0; at < length; at++) {
      const code = part.charCodeAt(at);
      seen |= code;
      letters[at] = code;
    }
    if (seen < 0x80) return this.bytes(this.view, 0, length);
    const { buffer, byteOffset, byteLength } = encodeText(part);
    return this.bytes(new DataView(buffer, byteOffset, byteLength), 0, byteLength);
  }

  /** A part that is a value of a row: its text, with what is no UTF-8 replaced. */
  value(part: PackedValue | undefined): this {
    if (!(part instanceof TextRange)) return this.text(String(part));
    const { source, start, end } = part;
    const { low, high } = this;
    this.bytes(source.view, start, end);
    if (this.isAscii) return this;
    [this.low, this.high] = [low, high];
    return this.text(part.toString());
  }

  /** A part that is valid UTF-8. */
  bytes(view: DataView, start: number, end: number): this {
    let { low, high } = this;
    let at = start;
    let seen = 0;
    for (; at + 4 <= end; at += 4) {
      const word = view.getInt32(at, true);
      seen |= word;
      low = Math.imul(low ^ word, LOW_FACTOR);
      low ^= low >>> 13;
      high = Math.imul(high ^ word, HIGH_FACTOR);
      high ^= high >>> 16;
    }
    let rest = 0;
    for (let shift = 0; at < end; at++, shift += 8) rest |= view.getUint8(at) << shift;
    this.isAscii = ((seen | rest) & NON_ASCII) === 0;
    low = Math.imul(low ^ rest, LOW_FACTOR);
    high = Math.imul(high ^ rest, HIGH_FACTOR);
    this.low = Math.imul((low ^ (low >>> 13)) + end - start, HIGH_FACTOR);
    this.high = Math.imul((high ^ (high >>> 16)) + end - start, LOW_FACTOR);
    return this;
  }

  /** Ends the key. */
  end(): this {
    const { halves } = this;
    const at = 2 * this.count++;
    // Zeros stand for a free slot.
    halves[at] = ended(this.low) || 1;
    halves[at + 1] = ended(this.high);
    return this;
  }

  private makeRoom(length: number): void {
    this.letters = new Uint8Array(2 * length);
    this.view = new DataView(this.letters.buffer);
  }
}

function ended(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), HIGH_FACTOR);
  return mixed ^ (mixed >>> 15);
}
