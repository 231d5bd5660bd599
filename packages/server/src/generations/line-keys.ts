/**
 * The keys of an object in a line, by their bytes. Lines of one sender have their keys in the same order, so each remembers which one came
 * behind it, and the usual key is one comparison.
 *
 * Must stay true: the keys that nobody asks for are remembered up to a number, whoever sends them.
 */

import { encodeText } from '@glasshouse/native';
import type { AskedNode } from './line-scan.ts';

export interface LineKey {
  /** The bytes of the key and the quote behind it. */
  readonly bytes: Uint8Array;
  /** Without the quote. */
  readonly length: number;
  /** Undefined if nobody asks for it. */
  readonly node: AskedNode | undefined;
  /** Whether it begins with a digit: such keys may come in another order out of an object. */
  readonly isNumber: boolean;
  /** Number of the line that has it. */
  line: number;
  /** What came behind it last. */
  next: LineKey | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
/** Keys that nobody asks for and that are remembered, for each object. */
const MAX_UNASKED = 64;
const MAX_LENGTH = 64;

export class LineKeys {
  private readonly known = new Map<number, LineKey[]>();
  private unasked = 0;
  private first: LineKey | undefined;

  constructor(asked: Iterable<readonly [name: string, node: AskedNode]>) {
    for (const [name, node] of asked) {
      const bytes = Buffer.concat([encodeText(name), Buffer.of(QUOTE)]);
      this.add(bytes, node);
    }
  }

  /** The key whose first byte is at `start`, behind `last`; undefined for one that isn't known and isn't to be, or is unusual. */
  at(bytes: Uint8Array, start: number, end: number, last: LineKey | undefined): LineKey | undefined {
    const guess = last === undefined ? this.first : last.next;
    if (guess !== undefined && isAt(bytes, start, end, guess.bytes)) return guess;
    const found = this.find(bytes, start, end);
    if (last === undefined) this.first = found;
    else last.next = found;
    return found;
  }

  private find(bytes: Uint8Array, start: number, end: number): LineKey | undefined {
    let close = start;
    const limit = Math.min(end, start + MAX_LENGTH);
    for (; close < limit; close++) {
      const byte = bytes[close] as number;
      if (byte === QUOTE) break;
      if (byte === BACKSLASH || byte < SPACE) return undefined;
    }
    if (close === limit) return undefined;
    const mark = markOf(bytes, start, close);
    for (const key of this.known.get(mark) ?? []) if (isAt(bytes, start, end, key.bytes)) return key;
    if (this.unasked === MAX_UNASKED) return undefined;
    this.unasked++;
    return this.add(Uint8Array.prototype.slice.call(bytes, start, close + 1), undefined);
  }

  private add(bytes: Uint8Array, node: AskedNode | undefined): LineKey {
    const length = bytes.length - 1;
    const first = bytes[0] as number;
    const isNumber = first >= 0x30 && first <= 0x39;
    const key: LineKey = { bytes: new Uint8Array(bytes), length, node, isNumber, line: 0, next: undefined };
    const mark = markOf(key.bytes, 0, length);
    this.known.set(mark, [...(this.known.get(mark) ?? []), key]);
    return key;
  }
}

function isAt(bytes: Uint8Array, start: number, end: number, key: Uint8Array): boolean {
  const { length } = key;
  if (start + length > end) return false;
  for (let at = 0; at < length; at++) if (bytes[start + at] !== key[at]) return false;
  return true;
}

/** By the length and the ends. */
function markOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 0) return 0;
  const last = bytes[end - 1] as number;
  const middle = bytes[start + (length >> 1)] as number;
  return length | ((bytes[start] as number) << 7) | (last << 15) | ((middle & 0x7f) << 23);
}
