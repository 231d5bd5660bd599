/**
 * Names out of a request's bytes. Those that are asked for are known, so no string is made of a name; the others are nobody's
 * business, and their values aren't read.
 *
 * Must stay true: a name is found only if all its bytes are those of the name.
 */

import { encodeText, sameBytes, sourceOf } from '@glasshouse/native';
import type { Source } from '@glasshouse/native';

interface Known<T> {
  readonly view: DataView;
  readonly length: number;
  readonly value: T;
}

/** Names shorter than this have no last word to tell them by. */
const MIN_LENGTH = 4;

/** What stands for a name, by the name's bytes. */
export class ByteNames<T> {
  /** Open addressing: one more than the place in `known`, 0 for none. At most half of it is taken. */
  private readonly places: Uint16Array;
  private readonly known: readonly Known<T>[];

  constructor(names: Iterable<readonly [name: string, value: T]>) {
    this.known = [...names].map(([name, value]) => ({ ...bytesOf(name), value }));
    let size = 4;
    while (size < this.known.length * 2) size *= 2;
    this.places = new Uint16Array(size);
    for (const [place, { view, length }] of this.known.entries()) {
      let at = markOf(view, 0, length) & (size - 1);
      while (this.places[at] !== 0) at = (at + 1) & (size - 1);
      this.places[at] = place + 1;
    }
  }

  /** What stands for the name in `[start, end)`; undefined if nobody asks for it. */
  find({ view }: Source, start: number, end: number): T | undefined {
    const { places, known } = this;
    const length = end - start;
    const mask = places.length - 1;
    let at = markOf(view, start, length) & mask;
    for (let place = places[at] as number; place !== 0; place = places[at] as number) {
      const name = known[place - 1] as Known<T>;
      if (name.length === length && sameBytes(name.view, 0, view, start, length)) return name.value;
      at = (at + 1) & mask;
    }
    return undefined;
  }
}

/** What stands for beginnings of names, by their bytes. */
export class BytePrefixes<T> {
  private readonly known: readonly Known<T>[];

  constructor(prefixes: Iterable<readonly [prefix: string, value: T]>) {
    this.known = [...prefixes].map(([prefix, value]) => ({ ...bytesOf(prefix), value }));
  }

  /** What stands for the first beginning of the name in `[start, end)` that is asked for, if one is. */
  find({ view }: Source, start: number, end: number): T | undefined {
    for (const { view: prefix, length, value } of this.known) {
      if (length <= end - start && sameBytes(prefix, 0, view, start, length)) return value;
    }
    return undefined;
  }
}

function bytesOf(text: string): { readonly view: DataView; readonly length: number } {
  const bytes = encodeText(text);
  return { view: sourceOf(bytes).view, length: bytes.length };
}

/** What most names differ in: their length and their last four bytes. */
function markOf(view: DataView, start: number, length: number): number {
  if (length < MIN_LENGTH) return length;
  const mark = Math.imul(
    view.getInt32(start + length - MIN_LENGTH, true) ^ Math.imul(length, 0x9e37_79b1),
    0x85eb_ca6b,
  );
  return mark ^ (mark >>> 15);
}
