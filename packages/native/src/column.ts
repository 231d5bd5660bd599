/**
 * Column builders for ClickHouse's Native format, the flat ones: fixed-width values and strings.
 *
 * A builder is filled row by row, written as part of a block, and reused for the next block. A request that turns out to be
 * malformed halfway is undone with `rollback`, so that half of it can never be stored.
 */

import { invariant } from '@glasshouse/model';
import { ByteBuffer } from './buffer.ts';
import type { Source } from './text.ts';
import { copyText, encodeTextInto, repairText } from './text.ts';

/** What a block needs from every column, however it is filled. */
export interface Column {
  /** Values appended since the last reset. Inside an array or a map this counts elements, not rows. */
  readonly count: number;
  /** Remembers the present end as the start of a request. */
  mark(): void;
  /** Takes back everything since `mark`. */
  rollback(): void;
  /** Forgets all values and keeps the memory. */
  reset(): void;
  /** Appends the state prefixes of the type to `out` (Native format: all prefixes of a column precede its data). */
  writePrefix(out: Pieces): void;
  /** Appends the data of all values to `out`. */
  writeData(out: Pieces): void;
  /** Appends a value that is the type's default. */
  appendDefault(): void;
  /** Appends so many of them. */
  appendDefaults(values: number): void;
  /** Whether every value is the type's default, so that a block may be without them. */
  isDefault(): boolean;
  /** Appends all values of another column of the same type. */
  absorb(other: Column): void;
}

/** The parts of a block in order. They are views on the builders' memory: write them before appending anything. */
export type Pieces = Uint8Array[];

/** Counts the strings in which invalid UTF-8 was replaced. One per block builder, shared by its columns. */
export interface TextRepairs {
  count: number;
}

/** Values of a fixed number of bytes: integers, floats, FixedString(N), DateTime64, Bool, Enum. */
export class FixedColumn implements Column {
  readonly buffer: ByteBuffer;
  readonly width: number;
  private marked = 0;

  constructor(width: number) {
    this.width = width;
    this.buffer = new ByteBuffer(width * 64);
  }

  get count(): number {
    return this.buffer.length / this.width;
  }

  mark(): void {
    this.marked = this.buffer.length;
  }

  rollback(): void {
    this.buffer.length = this.marked;
  }

  reset(): void {
    this.buffer.clear();
    this.marked = 0;
  }

  writePrefix(): void {}

  writeData(out: Pieces): void {
    if (this.buffer.length > 0) out.push(this.buffer.written());
  }

  appendDefault(): void {
    this.appendZeros(1);
  }

  appendDefaults(values: number): void {
    this.appendZeros(values);
  }

  appendZeros(values: number): void {
    this.fill(0, values);
  }

  isDefault(): boolean {
    return this.isFilledWith(0);
  }

  /** Whether all bytes of all values are the given one. */
  isFilledWith(byte: number): boolean {
    const { bytes, view, length } = this.buffer;
    const word = Math.imul(byte, 0x0101_0101);
    let at = 0;
    for (; at + 4 <= length; at += 4) if (view.getInt32(at, true) !== word) return false;
    for (; at < length; at++) if (bytes[at] !== byte) return false;
    return true;
  }

  /** Appends values of which every byte is the given one. */
  fill(byte: number, values: number): void {
    const bytes = values * this.width;
    const buffer = this.buffer;
    buffer.reserve(bytes);
    buffer.bytes.fill(byte, buffer.length, buffer.length + bytes);
    buffer.length += bytes;
  }

  absorb(other: Column): void {
    invariant(other instanceof FixedColumn && other.width === this.width, 'columns of two types');
    this.buffer.append(other.buffer);
  }

  /** Appends a byte. The column must be one byte wide. */
  appendUint8(value: number): void {
    const buffer = this.buffer;
    buffer.reserve(1);
    buffer.bytes[buffer.length++] = value;
  }

  /** Appends a 16-bit integer. The column must be two bytes wide. */
  appendUint16(value: number): void {
    const buffer = this.buffer;
    buffer.reserve(2);
    buffer.view.setUint16(buffer.length, value, true);
    buffer.length += 2;
  }

  /** Appends a 32-bit integer. The column must be four bytes wide. */
  appendUint32(value: number): void {
    const buffer = this.buffer;
    buffer.reserve(4);
    buffer.view.setUint32(buffer.length, value, true);
    buffer.length += 4;
  }

  /** Appends the same 32-bit integer `times` times. */
  repeatUint32(value: number, times: number): void {
    if (value === 0) this.appendZeros(times);
    else for (let row = 0; row < times; row++) this.appendUint32(value);
  }

  /** Appends a 64-bit value as its two halves. The column must be eight bytes wide. */
  appendHalves(low: number, high: number): void {
    const buffer = this.buffer;
    buffer.reserve(8);
    buffer.view.setUint32(buffer.length, low, true);
    buffer.view.setUint32(buffer.length + 4, high, true);
    buffer.length += 8;
  }

  appendFloat64(value: number): void {
    const buffer = this.buffer;
    buffer.reserve(8);
    buffer.view.setFloat64(buffer.length, value, true);
    buffer.length += 8;
  }

  /** Appends a whole number that is not negative as a little-endian integer of 128 bits. The column must be 16 bytes wide. */
  appendUint128(value: number | bigint): void {
    const buffer = this.buffer;
    buffer.reserve(16);
    const at = buffer.length;
    if (typeof value === 'number') {
      buffer.view.setUint32(at, value >>> 0, true);
      buffer.view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
      buffer.view.setBigUint64(at + 8, 0n, true);
    } else {
      buffer.view.setBigUint64(at, value & 0xffff_ffff_ffff_ffffn, true);
      buffer.view.setBigUint64(at + 8, value >> 64n, true);
    }
    buffer.length += 16;
  }

  /** Appends a whole number below 2^53 that is not negative. The column must be eight bytes wide. */
  appendUint64(value: number): void {
    this.appendHalves(value >>> 0, Math.floor(value / 0x1_0000_0000));
  }

  /** Copies one value of `width` bytes from the request. The width must be a multiple of four. */
  appendBytes(source: Source, start: number): void {
    const { buffer, width } = this;
    buffer.reserve(width);
    for (let offset = 0; offset < width; offset += 4) {
      buffer.view.setInt32(buffer.length + offset, source.view.getInt32(start + offset, true), true);
    }
    buffer.length += width;
  }
}

/** A text of one byte of length, short enough to be copied letter by letter. */
const SHORT_TEXT = 64;
/** Bytes of a length, at most. */
const MAX_VARINT = 10;

/** Values of type String: a length and the bytes. */
export class StringColumn implements Column {
  readonly buffer = new ByteBuffer(1024);
  count = 0;
  private readonly repairs: TextRepairs;
  private markedBytes = 0;
  private markedCount = 0;

  constructor(repairs: TextRepairs) {
    this.repairs = repairs;
  }

  mark(): void {
    this.markedBytes = this.buffer.length;
    this.markedCount = this.count;
  }

  rollback(): void {
    this.buffer.length = this.markedBytes;
    this.count = this.markedCount;
  }

  reset(): void {
    this.buffer.clear();
    this.count = 0;
    this.mark();
  }

  writePrefix(): void {}

  writeData(out: Pieces): void {
    if (this.buffer.length > 0) out.push(this.buffer.written());
  }

  appendDefault(): void {
    this.buffer.varint(0);
    this.count++;
  }

  appendDefaults(values: number): void {
    const { buffer } = this;
    // The length of an empty text is a zero byte.
    buffer.reserve(values);
    buffer.bytes.fill(0, buffer.length, buffer.length + values);
    buffer.length += values;
    this.count += values;
  }

  isDefault(): boolean {
    // Each value has a byte of length at least.
    return this.buffer.length === this.count;
  }

  absorb(other: Column): void {
    invariant(other instanceof StringColumn, 'columns of two types');
    this.buffer.append(other.buffer);
    this.count += other.count;
  }

  /** Appends `source[start, end)`, replacing what isn't UTF-8. */
  appendText(source: Source, start: number, end: number): void {
    const buffer = this.buffer;
    const before = buffer.length;
    const length = end - start;
    buffer.reserve(length + 10);
    if (length < 0x80) buffer.bytes[buffer.length++] = length;
    else buffer.varint(length);
    if (copyText(source, start, end, buffer.bytes, buffer.view, buffer.length)) {
      buffer.length += length;
      this.count++;
      return;
    }
    buffer.length = before;
    this.repairs.count++;
    this.appendRaw(repairText(source, start, end));
  }

  /** Appends a string; lone surrogates become U+FFFD. */
  appendString(text: string): void {
    if (text.length <= SHORT_TEXT && this.appendShort(text)) return;
    const { buffer } = this;
    const before = buffer.length;
    // Most are ASCII, of as many bytes as letters: the length is right then, and otherwise it is written again.
    buffer.reserve(text.length + 2 * MAX_VARINT);
    buffer.varint(text.length);
    const start = buffer.length;
    const encoded = encodeTextInto(text, buffer.bytes, start);
    let { written } = encoded;
    if (encoded.read < text.length) {
      buffer.reserve(text.length * 3 + MAX_VARINT);
      ({ written } = encodeTextInto(text, buffer.bytes, start));
    }
    if (written !== text.length) {
      buffer.length = start + written;
      buffer.reserve(MAX_VARINT);
      buffer.length = before;
      buffer.varint(written);
      if (buffer.length > start) encodeTextInto(text, buffer.bytes, buffer.length);
    }
    buffer.length += written;
    this.count++;
  }

  /** Appends a short text if it is ASCII, as most are, without an encoder. */
  private appendShort(text: string): boolean {
    const { buffer } = this;
    const before = buffer.length;
    buffer.reserve(text.length + 1);
    buffer.bytes[buffer.length++] = text.length;
    let seen = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      seen |= code;
      buffer.bytes[buffer.length++] = code;
    }
    if (seen < 0x80) this.count++;
    else buffer.length = before;
    return seen < 0x80;
  }

  /** Appends bytes that are known to be valid. */
  appendRaw(bytes: Uint8Array): void {
    this.buffer.varint(bytes.length);
    this.buffer.reserve(bytes.length);
    this.buffer.bytes.set(bytes, this.buffer.length);
    this.buffer.length += bytes.length;
    this.count++;
  }
}
