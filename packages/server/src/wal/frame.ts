/**
 * The frame of the write-ahead log: one Native block wrapped in one gzip member whose deflate blocks are stored, not
 * compressed. A segment, a run of such members, is therefore itself a valid gzip file: the engine reads it as it is, any
 * ClickHouse takes it over HTTP with `Content-Encoding: gzip`, and `gzip -t` checks it.
 *
 * The member's CRC-32 covers the block. Its FEXTRA field carries what recovery needs without reading the block: the length
 * of the frame, the number of rows, and how many of them fall on each day. (Formats: RFC 1952, RFC 1951 section 3.2.4.)
 */

import { crc32 } from 'node:zlib';
import { invariant } from '@glasshouse/model';

/** What a frame says about its block. */
export interface FrameInfo {
  /** Offset of the frame in its segment, in bytes. */
  readonly offset: number;
  /** Length of the whole frame in bytes. */
  readonly length: number;
  readonly rows: number;
  /** Rows by UTC day, days counted from 1970-01-01. */
  readonly days: ReadonlyMap<number, number>;
}

const STORED_BLOCK_BYTES = 0xffff;
const STORED_HEADER_BYTES = 5;
const GZIP_HEADER_BYTES = 12;
const TRAILER_BYTES = 8;
/** Subfield id ("GH"), subfield length, format version, frame length, block length, rows, number of days. */
const EXTRA_BYTES = 2 + 2 + 2 + 4 + 4 + 4 + 2;
const DAY_BYTES = 8;
const VERSION = 1;
const SUBFIELD_ID = 0x4847;

/** Days that fit in a frame's header; the receivers' time window keeps a block far below it. */
export const MAX_DAYS = 8000;

/** The parts of a frame, to be written in order. Nothing of `block` is copied. */
export function encodeFrame(
  block: readonly Uint8Array[],
  rows: number,
  days: ReadonlyMap<number, number>,
): { parts: Uint8Array[]; length: number } {
  invariant(days.size <= MAX_DAYS, `a block spans ${days.size} days`);
  let blockBytes = 0;
  for (const piece of block) blockBytes += piece.length;
  const storedBlocks = Math.max(1, Math.ceil(blockBytes / STORED_BLOCK_BYTES));
  const extraBytes = EXTRA_BYTES + days.size * DAY_BYTES;
  const length = GZIP_HEADER_BYTES + extraBytes + storedBlocks * STORED_HEADER_BYTES + blockBytes + TRAILER_BYTES;

  const head = gzipHeader(extraBytes, length, blockBytes, rows, days);
  const parts: Uint8Array[] = [head];
  const crc = appendStored(parts, block, blockBytes);
  const trailer = new DataView(new ArrayBuffer(TRAILER_BYTES));
  trailer.setUint32(0, crc, true);
  trailer.setUint32(4, blockBytes >>> 0, true);
  parts.push(new Uint8Array(trailer.buffer));
  return { parts, length };
}

function gzipHeader(
  extraBytes: number,
  length: number,
  blockBytes: number,
  rows: number,
  days: ReadonlyMap<number, number>,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(GZIP_HEADER_BYTES + extraBytes));
  view.setUint32(0, 0x0408_8b1f, true); // magic, deflate, FEXTRA
  view.setUint8(9, 0xff); // unknown operating system
  view.setUint16(10, extraBytes, true);
  view.setUint16(12, SUBFIELD_ID, true);
  view.setUint16(14, extraBytes - 4, true);
  view.setUint16(16, VERSION, true);
  view.setUint32(18, length, true);
  view.setUint32(22, blockBytes, true);
  view.setUint32(26, rows, true);
  view.setUint16(30, days.size, true);
  let at = GZIP_HEADER_BYTES + EXTRA_BYTES;
  for (const [day, count] of days) {
    view.setUint32(at, day, true);
    view.setUint32(at + 4, count, true);
    at += DAY_BYTES;
  }
  return new Uint8Array(view.buffer);
}

/** Cuts the block into stored deflate blocks and returns its CRC-32. */
function appendStored(parts: Uint8Array[], block: readonly Uint8Array[], blockBytes: number): number {
  let crc = 0;
  let remaining = blockBytes;
  let room = 0;
  const open = (): void => {
    room = Math.min(remaining, STORED_BLOCK_BYTES);
    const header = new Uint8Array(STORED_HEADER_BYTES);
    header[0] = room === remaining ? 1 : 0;
    new DataView(header.buffer).setUint16(1, room, true);
    new DataView(header.buffer).setUint16(3, ~room, true);
    parts.push(header);
  };
  open();
  for (const piece of block) {
    crc = crc32(piece, crc);
    for (let start = 0; start < piece.length; ) {
      if (room === 0) open();
      const end = Math.min(piece.length, start + room);
      parts.push(piece.subarray(start, end));
      room -= end - start;
      remaining -= end - start;
      start = end;
    }
  }
  return crc;
}

/** Reads a segment: `read(position, length)` returns fewer bytes at the end of the file. */
export type ReadAt = (position: number, length: number) => Uint8Array;

/**
 * The frames of a segment from its start, up to the first one that is torn or damaged; `validBytes` is where that one
 * begins. Every byte before it was checked against its CRC-32.
 */
export function scanFrames(read: ReadAt, size: number): { frames: FrameInfo[]; validBytes: number } {
  const frames: FrameInfo[] = [];
  let offset = 0;
  while (offset < size) {
    const frame = readFrame(read, offset, size);
    if (frame === undefined) break;
    frames.push(frame);
    offset += frame.length;
  }
  return { frames, validBytes: offset };
}

function readFrame(read: ReadAt, offset: number, size: number): FrameInfo | undefined {
  const fixed = GZIP_HEADER_BYTES + EXTRA_BYTES;
  const head = read(offset, fixed);
  if (head.length < fixed) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const isFrame = view.getUint32(0, true) === 0x0408_8b1f && view.getUint16(12, true) === SUBFIELD_ID;
  if (!isFrame || view.getUint16(16, true) !== VERSION) return undefined;
  const [length, blockBytes, rows] = [view.getUint32(18, true), view.getUint32(22, true), view.getUint32(26, true)];
  const dayCount = view.getUint16(30, true);
  const dataStart = fixed + dayCount * DAY_BYTES;
  const storedBlocks = Math.max(1, Math.ceil(blockBytes / STORED_BLOCK_BYTES));
  const expected = dataStart + storedBlocks * STORED_HEADER_BYTES + blockBytes + TRAILER_BYTES;
  if (length !== expected || offset + length > size) return undefined;

  const body = read(offset, length);
  if (body.length < length) return undefined;
  const whole = new DataView(body.buffer, body.byteOffset, body.length);
  let crc = 0;
  let at = dataStart;
  for (let left = blockBytes; ; ) {
    const stored = whole.getUint16(at + 1, true);
    const isLast = whole.getUint8(at) === 1;
    if (stored !== Math.min(left, STORED_BLOCK_BYTES) || whole.getUint16(at + 3, true) !== (~stored & 0xffff)) return undefined;
    at += STORED_HEADER_BYTES;
    crc = crc32(body.subarray(at, at + stored), crc);
    at += stored;
    left -= stored;
    if (isLast !== (left === 0)) return undefined;
    if (isLast) break;
  }
  if (whole.getUint32(at, true) !== crc || whole.getUint32(at + 4, true) !== blockBytes) return undefined;

  const days = new Map<number, number>();
  for (let day = 0; day < dayCount; day++) {
    days.set(whole.getUint32(fixed + day * DAY_BYTES, true), whole.getUint32(fixed + day * DAY_BYTES + 4, true));
  }
  return { offset, length, rows, days };
}
