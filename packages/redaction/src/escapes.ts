/**
 * A text without its escapes, for the matchers: what JSON (`\u0040`, `\n`, also several times over), URLs (`%40`) and
 * typography (no-break spaces, long dashes) do to a text is undone, and each position knows where it came from.
 *
 * Must stay true: an escape is one position. So what is replaced begins and ends between escapes, and a JSON document
 * from which something is taken stays one.
 */

import { BACKSLASH, DASH, hexValue, NEWLINE, PERCENT, SPACE } from './bytes.ts';
import type { Bytes } from './bytes.ts';

/** Stands for a character outside of ASCII. */
const OTHER = 0xff;
const LETTER_U = 0x75;
const TWO_BYTE_SPACE = 0xc2;
const PUNCTUATION = 0xe2;

export interface Plain {
  readonly bytes: Bytes;
  /** Position in the original of each byte, and of the end; undefined if nothing was escaped. */
  readonly origin: Uint32Array | undefined;
}

/** The range of `bytes` without escapes. Positions of the result begin at 0, those in `origin` at that of `bytes`. */
export function withoutEscapes(bytes: Bytes, start: number, end: number): Plain {
  if (!hasEscapes(bytes, start, end)) return { bytes: bytes.subarray(start, end), origin: undefined };
  const plain = new Uint8Array(end - start);
  const origin = new Uint32Array(end - start + 1);
  let length = 0;
  for (let at = start; at < end;) {
    const byte = bytes[at] as number;
    origin[length] = at;
    let next = at + 1;
    let value = byte;
    if (byte === BACKSLASH) [value, next] = unescaped(bytes, at, end);
    else if (byte === PERCENT) [value, next] = percent(bytes, at, end);
    else if (byte === TWO_BYTE_SPACE || byte === PUNCTUATION) {
      const size = typographic(bytes, at, end);
      if (size !== 0) [value, next] = [size < 0 ? DASH : SPACE, at + Math.abs(size)];
    }
    plain[length++] = value;
    at = next;
  }
  origin[length] = end;
  return { bytes: plain.subarray(0, length), origin };
}

function hasEscapes(bytes: Bytes, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === BACKSLASH || byte === PERCENT || byte === TWO_BYTE_SPACE || byte === PUNCTUATION) return true;
  }
  return false;
}

/** The character of an escape and where it ends. Backslashes in front of it, as nesting makes them, are part of it. */
function unescaped(bytes: Bytes, at: number, end: number): [number, number] {
  let next = at;
  while (next < end && bytes[next] === BACKSLASH) next++;
  if (next >= end) return [BACKSLASH, end];
  const byte = bytes[next] as number;
  switch (byte) {
    case 0x6e:
    case 0x72:
      return [NEWLINE, next + 1];
    case 0x74:
    case 0x62:
    case 0x66:
      return [SPACE, next + 1];
    case 0x22:
    case 0x27:
    case 0x2f:
      return [byte, next + 1];
    case LETTER_U: {
      const code = next + 5 <= end ? codeOf(bytes, next + 1) : -1;
      return code < 0 ? [BACKSLASH, next] : [plainOf(code), next + 5];
    }
    default:
      return [BACKSLASH, next];
  }
}

function codeOf(bytes: Bytes, at: number): number {
  let code = 0;
  for (let index = 0; index < 4; index++) {
    const value = hexValue(bytes[at + index]);
    if (value < 0) return -1;
    code = code * 16 + value;
  }
  return code;
}

function plainOf(code: number): number {
  if (code < 0x80) return code < SPACE ? NEWLINE : code;
  if (code === 0xa0 || code === 0x202f || code === 0x2009) return SPACE;
  return code >= 0x2010 && code <= 0x2015 ? DASH : OTHER;
}

function percent(bytes: Bytes, at: number, end: number): [number, number] {
  if (at + 3 > end) return [PERCENT, at + 1];
  const value = hexValue(bytes[at + 1]) * 16 + hexValue(bytes[at + 2]);
  const isAscii = hexValue(bytes[at + 1]) >= 2 && hexValue(bytes[at + 2]) >= 0 && value < 0x7f;
  return isAscii ? [value, at + 3] : [PERCENT, at + 1];
}

/** Bytes of a space (positive) or a dash (negative) outside of ASCII at `at`; 0 if none is there. */
function typographic(bytes: Bytes, at: number, end: number): number {
  if (bytes[at] === TWO_BYTE_SPACE) return at + 2 <= end && bytes[at + 1] === 0xa0 ? 2 : 0;
  if (at + 3 > end || bytes[at + 1] !== 0x80) return 0;
  const last = bytes[at + 2] as number;
  if (last >= 0x90 && last <= 0x95) return -3;
  return last === 0xaf || last === 0x89 ? 3 : 0;
}
