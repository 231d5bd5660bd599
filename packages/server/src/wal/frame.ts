/**
 * The frame of the write-ahead log: one Native block wrapped in one gzip member whose deflate blocks are stored, not
 * compressed. A segment, a run of such members, is therefore itself a valid gzip file: the engine reads it as it is, any
 * ClickHouse takes it over HTTP with `Content-Encoding: gzip`, and `gzip -t` checks it.
 *
 * Must stay true: every bit of a frame is covered: the block by the member's CRC-32, the header by a CRC-32 of its own in
 * the FEXTRA field, which also carries what recovery needs without reading the block: lengths, rows, rows by day, the
 * segment that the frame belongs to and its place in it. (Formats: RFC 1952, RFC 1951 section 3.2.4.)
 */

import { crc32 } from 'node:zlib';
import { invariant } from '@glasshouse/model';

/** What a frame's header says about its block. */
export interface FrameInfo {
  /** Offset of the frame in its segment file, in bytes. */
  readonly offset: number;
  /** Length of the whole frame in bytes. */
  readonly length: number;
  /** Number of the frame in its segment, from 0. */
  readonly sequence: number;
  readonly rows: number;
  /** Rows by UTC day, days counted from 1970-01-01. */
  readonly days: ReadonlyMap<number, number>;
}

/** Where a frame stands: repeated in its header, so that a stray frame is never taken for one of the segment. */
export interface FramePlace {
  readonly segment: bigint;
  readonly sequence: number;
}

const STORED_BLOCK_BYTES = 0xffff;
const STORED_HEADER_BYTES = 5;
const TRAILER_BYTES = 8;
const DAY_BYTES = 8;
const VERSION = 1;
const MAGIC = 0x0408_8b1f; // gzip, deflate, FEXTRA
const SUBFIELD_ID = 0x4847; // "GH"

/** Offsets in the header; the first six are gzip's. The days follow at the end, each as day and number of rows. */
const AT = {
  magic: 0,
  os: 9,
  extraLength: 10,
  subfieldId: 12,
  subfieldLength: 14,
  version: 16,
  length: 18,
  blockBytes: 22,
  rows: 26,
  dayCount: 30,
  segment: 32,
  sequence: 40,
  headerCrc: 44,
  days: 48,
} as const;

/** Shortest header, in bytes. */
const HEADER_BYTES = AT.days;

/** The first bytes of every frame. */
export const FRAME_MAGIC = new Uint8Array([0x1f, 0x8b, 0x08, 0x04]);

/** Days that fit in a frame's header; the receivers' time window keeps a block far below it. */
export const MAX_DAYS = 8000;

/** Pieces below this are copied together: most columns are a few bytes, and each piece costs a checksum, a view and a write. */
const SMALL_BYTES = 4096;

/** The parts of a frame, to be written in order. Of `block`, only what is small is copied. */
export function encodeFrame(
  block: readonly Uint8Array[],
  rows: number,
  days: ReadonlyMap<number, number>,
  place: FramePlace,
): { parts: Uint8Array[]; length: number } {
  invariant(days.size <= MAX_DAYS, `a block spans ${days.size} days`);
  let blockBytes = 0;
  for (const piece of block) blockBytes += piece.length;
  const length = frameLength(blockBytes, days.size);
  const parts: Uint8Array[] = [encodeHeader(length, blockBytes, rows, days, place)];
  const crc = appendStored(parts, gathered(block), blockBytes);
  const trailer = new DataView(new ArrayBuffer(TRAILER_BYTES));
  trailer.setUint32(0, crc, true);
  trailer.setUint32(4, blockBytes >>> 0, true);
  parts.push(new Uint8Array(trailer.buffer));
  return { parts, length };
}

function frameLength(blockBytes: number, dayCount: number): number {
  const storedBlocks = Math.max(1, Math.ceil(blockBytes / STORED_BLOCK_BYTES));
  return HEADER_BYTES + dayCount * DAY_BYTES + storedBlocks * STORED_HEADER_BYTES + blockBytes + TRAILER_BYTES;
}

function encodeHeader(
  length: number,
  blockBytes: number,
  rows: number,
  days: ReadonlyMap<number, number>,
  { segment, sequence }: FramePlace,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + days.size * DAY_BYTES));
  view.setUint32(AT.magic, MAGIC, true);
  view.setUint8(AT.os, 0xff);
  view.setUint16(AT.extraLength, view.byteLength - AT.subfieldId, true);
  view.setUint16(AT.subfieldId, SUBFIELD_ID, true);
  view.setUint16(AT.subfieldLength, view.byteLength - AT.version, true);
  view.setUint16(AT.version, VERSION, true);
  view.setUint32(AT.length, length, true);
  view.setUint32(AT.blockBytes, blockBytes, true);
  view.setUint32(AT.rows, rows, true);
  view.setUint16(AT.dayCount, days.size, true);
  view.setBigUint64(AT.segment, segment, true);
  view.setUint32(AT.sequence, sequence, true);
  let at: number = AT.days;
  for (const [day, count] of days) {
    view.setUint32(at, day, true);
    view.setUint32(at + 4, count, true);
    at += DAY_BYTES;
  }
  const bytes = new Uint8Array(view.buffer);
  view.setUint32(AT.headerCrc, headerCrc(bytes), true);
  return bytes;
}

/** CRC-32 of a header without the field that holds it. */
function headerCrc(header: Uint8Array): number {
  return crc32(header.subarray(AT.days), crc32(header.subarray(0, AT.headerCrc)));
}

/** The same bytes in fewer pieces: small ones that follow each other are one. */
function gathered(block: readonly Uint8Array[]): readonly Uint8Array[] {
  let bytes = 0;
  for (const piece of block) if (piece.length < SMALL_BYTES) bytes += piece.length;
  const copy = new Uint8Array(bytes);
  const pieces: Uint8Array[] = [];
  let [start, end] = [0, 0];
  const close = (): void => {
    if (end > start) pieces.push(copy.subarray(start, end));
    start = end;
  };
  for (const piece of block) {
    if (piece.length < SMALL_BYTES) {
      copy.set(piece, end);
      end += piece.length;
    } else {
      close();
      pieces.push(piece);
    }
  }
  close();
  return pieces;
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
    for (let start = 0; start < piece.length;) {
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

/** A header whose own CRC-32 is right; its block is not looked at yet. */
interface Header extends FrameInfo {
  readonly blockBytes: number;
}

/** Reads a segment: `read(position, length)` returns fewer bytes at the end of the file; valid until the next call. */
export type ReadAt = (position: number, length: number) => Uint8Array;

/** The header of a frame of `segment` at `offset`, or undefined if there is none or it is damaged. */
export function readHeader(read: ReadAt, offset: number, segment: bigint): Header | undefined {
  const fixed = viewOf(read(offset, HEADER_BYTES));
  if (fixed.byteLength < HEADER_BYTES || fixed.getUint32(AT.magic, true) !== MAGIC) return undefined;
  if (fixed.getUint16(AT.version, true) !== VERSION || fixed.getBigUint64(AT.segment, true) !== segment)
    return undefined;
  const dayCount = fixed.getUint16(AT.dayCount, true);
  const bytes = read(offset, HEADER_BYTES + dayCount * DAY_BYTES);
  if (bytes.length < HEADER_BYTES + dayCount * DAY_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(AT.headerCrc, true) !== headerCrc(bytes)) return undefined;
  const [length, blockBytes] = [view.getUint32(AT.length, true), view.getUint32(AT.blockBytes, true)];
  const days = new Map<number, number>();
  for (let at: number = AT.days; at < bytes.length; at += DAY_BYTES) {
    days.set(view.getUint32(at, true), view.getUint32(at + 4, true));
  }
  const [rows, sequence] = [view.getUint32(AT.rows, true), view.getUint32(AT.sequence, true)];
  return length === frameLength(blockBytes, dayCount)
    ? { offset, length, sequence, rows, days, blockBytes }
    : undefined;
}

/** True if the `rest` bytes at `offset`, the last of a file, are the beginning of a header that was cut short. */
export function isCutHeader(read: ReadAt, offset: number, rest: number): boolean {
  const head = read(offset, Math.min(rest, HEADER_BYTES));
  if (!head.subarray(0, FRAME_MAGIC.length).every((byte, index) => byte === FRAME_MAGIC[index])) return false;
  return head.length < HEADER_BYTES || rest < HEADER_BYTES + viewOf(head).getUint16(AT.dayCount, true) * DAY_BYTES;
}

/** True if all of the frame's bytes are there and as they were written. */
export function isIntact(read: ReadAt, { offset, length, days, blockBytes }: Header): boolean {
  const body = read(offset, length);
  if (body.length < length) return false;
  const view = viewOf(body);
  let crc = 0;
  let at = HEADER_BYTES + days.size * DAY_BYTES;
  for (let left = blockBytes; ;) {
    const stored = Math.min(left, STORED_BLOCK_BYTES);
    const isLast = stored === left;
    const isAsWritten =
      view.getUint8(at) === (isLast ? 1 : 0) &&
      view.getUint16(at + 1, true) === stored &&
      view.getUint16(at + 3, true) === (~stored & 0xffff);
    if (!isAsWritten) return false;
    at += STORED_HEADER_BYTES;
    crc = crc32(body.subarray(at, at + stored), crc);
    at += stored;
    left -= stored;
    if (isLast) break;
  }
  return view.getUint32(at, true) === crc && view.getUint32(at + 4, true) === blockBytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
