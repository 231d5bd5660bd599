/**
 * A growable byte buffer: the storage under every column builder. It doubles when it is full and is kept from block to block,
 * so that a steady load allocates nothing; only what one huge request made it grow to is given back.
 *
 * Must stay true: `bytes` and `view` look at the same memory, with at least SLACK bytes after `length`, so that copies
 * may write whole words past their end.
 */

/** Bytes that a word-wise copy may write after its end. */
export const SLACK = 8;

/** A buffer larger than this is not kept for the next block. */
const KEPT_BYTES = 16 << 20;

export class ByteBuffer {
  bytes: Uint8Array;
  view: DataView;
  length = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity + SLACK);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `count` more bytes (and the slack). */
  reserve(count: number): void {
    const needed = this.length + count + SLACK;
    if (needed > this.bytes.length) this.grow(needed);
  }

  private grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }

  /** Forgets the contents, and the memory if it is more than a steady load needs. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length <= KEPT_BYTES) return;
    this.bytes = new Uint8Array(256 + SLACK);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Appends an unsigned LEB128 integer below 2^53. */
  varint(value: number): void {
    this.reserve(10);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest = rest < 0x8000_0000 ? rest >>> 7 : Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  /** Appends a 64-bit little-endian integer given as a number below 2^53. */
  uint64(value: number): void {
    this.reserve(8);
    this.view.setUint32(this.length, value >>> 0, true);
    this.view.setUint32(this.length + 4, Math.floor(value / 0x1_0000_0000), true);
    this.length += 8;
  }

  /** Appends the bytes of another. */
  append(other: ByteBuffer): void {
    this.reserve(other.length);
    this.bytes.set(other.written(), this.length);
    this.length += other.length;
  }

  /** The bytes so far, without copying: valid until the next append. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}
