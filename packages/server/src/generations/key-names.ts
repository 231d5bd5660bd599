/**
 * Names of attributes out of a request's bytes. Those that are asked for are known, so no string is made of a key; the others are
 * nobody's business, and their values aren't read.
 */

import type { AskedKeys } from '@glasshouse/generations';
import { encodeText, sameBytes, sourceOf } from '@glasshouse/native';
import { textAt } from '../otlp/any-value.ts';
import type { Wire } from '../otlp/wire.ts';

interface Known {
  readonly text: string;
  readonly view: DataView;
  readonly length: number;
}

/** Names shorter than this have no last word to tell them by. */
const MIN_LENGTH = 4;

export class KeyNames {
  private readonly names = new Map<number, Known[]>();
  private readonly prefixes: readonly Known[];

  constructor({ names, prefixes }: AskedKeys) {
    this.prefixes = prefixes.map(knownOf);
    for (const name of names) {
      const known = knownOf(name);
      const mark = markOf(known.view, 0, known.length);
      this.names.set(mark, [...(this.names.get(mark) ?? []), known]);
    }
  }

  /** The name in `[start, end)`, if it is one that is asked for. */
  find(wire: Wire, start: number, end: number): string | undefined {
    const length = end - start;
    for (const known of this.names.get(markOf(wire.view, start, length)) ?? []) {
      if (known.length === length && sameBytes(known.view, 0, wire.view, start, length)) return known.text;
    }
    for (const prefix of this.prefixes) {
      if (prefix.length <= length && sameBytes(prefix.view, 0, wire.view, start, prefix.length)) {
        return textAt(wire, start, end);
      }
    }
    return undefined;
  }
}

function knownOf(text: string): Known {
  const bytes = encodeText(text);
  return { text, view: sourceOf(bytes).view, length: bytes.length };
}

/** What most names differ in: their length and their last four bytes. */
function markOf(view: DataView, start: number, length: number): number {
  if (length < MIN_LENGTH) return length;
  return view.getInt32(start + length - MIN_LENGTH, true) ^ Math.imul(length, 0x9e37_79b1);
}
