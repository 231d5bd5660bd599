/**
 * Copying text from a request into a column: one pass that copies four bytes at a time and learns on the way whether there
 * was anything but ASCII. Only then is UTF-8 checked, because most telemetry is ASCII and a check per string is not free.
 *
 * Must stay true: what lies in a column is valid UTF-8. Invalid sequences become U+FFFD and are counted, since one bad byte
 * would otherwise break the JSON of every reader.
 */

import { isUtf8 } from 'node:buffer';

/** A request body as the decoders read it: bytes and a view on the same memory, readable a few bytes past its end. */
export interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Above this length the engine's own copy and its vectorised UTF-8 check are faster than the word loop. */
const BULK_BYTES = 160;
const NON_ASCII = 0x8080_8080 | 0;

const encoder = new TextEncoder();
// A leading U+FEFF is part of the text, not a mark to take off.
const lossyDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Bytes after the text in a Source made by `sourceOf`. */
export const SOURCE_SLACK = 16;

/** A Source over bytes that are not one yet. Copies, to have the slack that word-wise reads need. */
export function sourceOf(bytes: Uint8Array): Source {
  const copy = new Uint8Array(bytes.length + SOURCE_SLACK);
  copy.set(bytes);
  return { bytes: copy, view: new DataView(copy.buffer) };
}

/** Encodes a string; lone surrogates become U+FFFD. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Encodes a string to `target` at `at`, as much of it as there is room for; lone surrogates become U+FFFD. */
export function encodeTextInto(text: string, target: Uint8Array, at: number): { read: number; written: number } {
  return encoder.encodeInto(text, target.subarray(at));
}

/**
 * Copies `source[start, end)` to `target` at `at` (which must have room and slack) and returns whether it is valid UTF-8.
 */
export function copyText(
  source: Source,
  start: number,
  end: number,
  target: Uint8Array,
  targetView: DataView,
  at: number,
): boolean {
  const length = end - start;
  if (length > BULK_BYTES) {
    const slice = source.bytes.subarray(start, end);
    target.set(slice, at);
    return isUtf8(slice);
  }
  const from = source.view;
  let seen = 0;
  let offset = 0;
  for (; offset + 4 <= length; offset += 4) {
    const word = from.getInt32(start + offset, true);
    seen |= word;
    targetView.setInt32(at + offset, word, true);
  }
  const bytes = source.bytes;
  for (; offset < length; offset++) {
    const byte = bytes[start + offset] as number;
    seen |= byte;
    target[at + offset] = byte;
  }
  return (seen & NON_ASCII) === 0 || isUtf8(bytes.subarray(start, end));
}

/** The text with every invalid sequence replaced by U+FFFD, as UTF-8. */
export function repairText(source: Source, start: number, end: number): Uint8Array {
  // TextDecoder refuses shared memory, so the bytes are copied out first.
  return encoder.encode(lossyDecoder.decode(Uint8Array.prototype.slice.call(source.bytes, start, end)));
}

/** True if the two ranges hold the same bytes. */
export function sameBytes(
  left: DataView,
  leftStart: number,
  right: DataView,
  rightStart: number,
  length: number,
): boolean {
  let offset = 0;
  for (; offset + 4 <= length; offset += 4) {
    if (left.getInt32(leftStart + offset, true) !== right.getInt32(rightStart + offset, true)) return false;
  }
  for (; offset < length; offset++) {
    if (left.getUint8(leftStart + offset) !== right.getUint8(rightStart + offset)) return false;
  }
  return true;
}

/**
 * Hash of the length and of every word. A few words would do for attribute keys, but names that differ in one number in an
 * unlucky place would then all share one hash, and each new one would be compared with all before it.
 */
export function hashOf({ bytes, view }: Source, start: number, length: number): number {
  let hash = Math.imul(length, 0x9e37_79b1 | 0);
  if (length >= 4) {
    const last = start + length - 4;
    for (let at = start; at < last; at += 4) {
      hash = Math.imul(hash ^ view.getInt32(at, true), 0x85eb_ca6b | 0);
      hash ^= hash >>> 13;
    }
    hash = Math.imul(hash ^ view.getInt32(last, true), 0xc2b2_ae35 | 0);
  } else {
    for (let at = 0; at < length; at++) hash = Math.imul(hash ^ (bytes[start + at] as number), 0x0100_0193);
  }
  return hash ^ (hash >>> 15);
}
