/**
 * A line of JSON as slots, from its bytes: one walk that makes nothing of what nobody asks for, and checks on the way that it is JSON.
 *
 * Must stay true: what is in the slots is what `JSON.parse` of the line would put there, to the last digit. A line that is unusual (a key
 * with an escape, a key that comes twice where something is asked for, very deep) is not scanned; whoever asks reads it whole then.
 */

import type { LineSlots, PathNode } from '@glasshouse/generations';
import { JsonSkim } from './json-skim.ts';
import { LineKeys } from './line-keys.ts';
import type { LineKey } from './line-keys.ts';
import { LineTexts } from './line-texts.ts';
import { TextMemo } from './text-memo.ts';

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Digits of numbers that are read here: exact as doubles, without their point. */
const MAX_DIGITS = 15;

/** A value that is asked for, or has something inside that is. */
export interface AskedNode {
  /** -1 if nobody asks for the value as a whole. */
  readonly slot: number;
  readonly path: PathNode;
  /** Where it is an object; undefined if nothing inside one is asked for. */
  readonly keys: LineKeys | undefined;
  readonly elements: ReadonlyMap<number, AskedNode> | undefined;
  readonly memo: TextMemo | undefined;
}

export class LineScan {
  private readonly slots: LineSlots;
  private readonly root: AskedNode;
  private readonly texts = new LineTexts();
  private readonly skim = new JsonSkim();
  /** Counts lines, so that a key of this one is told from one of the last. */
  private line = 0;
  private bytes: Uint8Array = new Uint8Array();
  private end = 0;

  constructor(slots: LineSlots) {
    this.slots = slots;
    this.root = askedOf(slots.root, slots);
  }

  /**
   * Fills the slots with the JSON object in `bytes[start, end)`, which is valid UTF-8 and stays as it is until they are read. False if the
   * line was not scanned: it is unusual, or no JSON object; the slots are not to be read then.
   */
  scan(bytes: Buffer, start: number, end: number): boolean {
    this.line++;
    this.bytes = bytes;
    this.end = end;
    this.texts.begin(bytes);
    this.skim.begin(bytes, end);
    this.slots.begin(this.texts, this.texts);
    if (bytes[start] !== OPEN_OBJECT) return false;
    return this.object(this.root, start + 1) === end;
  }

  /** Behind the object whose bracket is before `from`; -1 if it is none, or unusual. */
  private object(node: AskedNode, from: number): number {
    const { bytes, skim, line, end } = this;
    const keys = node.keys as LineKeys;
    let at = (bytes[from] as number) <= SPACE ? skim.space(from) : from;
    if (bytes[at] === CLOSE_OBJECT) return at + 1;
    let last: LineKey | undefined;
    for (;;) {
      if (bytes[at] !== QUOTE) return -1;
      const key = keys.at(bytes, at + 1, end, last);
      if (key === undefined) {
        // A key that nobody can remember: it may be any, so it is passed over, but for one with an escape.
        at = skim.plainText(at + 1) + 1;
        if (at === 0) return -1;
        skim.isExact = false;
      } else {
        if (key.line === line) {
          if (key.node !== undefined) return -1;
          skim.isExact = false;
        }
        key.line = line;
        last = key;
        at += 2 + key.length;
        if (key.isNumber) skim.isExact = false;
      }
      if (bytes[at] !== COLON) {
        at = skim.space(at);
        if (bytes[at] !== COLON) return -1;
      }
      at++;
      if ((bytes[at] as number) <= SPACE) at = skim.space(at);
      at = key?.node === undefined ? skim.value(at, 0) : this.value(key.node, at);
      if (at < 0) return -1;
      if ((bytes[at] as number) <= SPACE) at = skim.space(at);
      const byte = bytes[at];
      if (byte === CLOSE_OBJECT) return at + 1;
      if (byte !== COMMA) return -1;
      at++;
      if ((bytes[at] as number) <= SPACE) at = skim.space(at);
    }
  }

  /** Behind the value at `at`, which is asked for; -1 as above. */
  private value(node: AskedNode, at: number): number {
    const { bytes, skim, slots } = this;
    const { slot } = node;
    const byte = bytes[at] as number;
    switch (byte) {
      case QUOTE:
        return this.text(node, at + 1);
      case OPEN_OBJECT:
      case OPEN_ARRAY: {
        const outer = skim.isExact;
        skim.isExact = true;
        const isObject = byte === OPEN_OBJECT;
        const goesIn = (isObject ? node.keys : node.elements) !== undefined;
        const behind = !goesIn ? skim.value(at, 0) : isObject ? this.object(node, at + 1) : this.array(node, at + 1);
        if (behind < 0) return -1;
        if (slot >= 0) {
          if (skim.isExact) slots.verbatim(slot, at, behind);
          else {
            this.texts.inexact(at);
            slots.range(slot, at, behind);
          }
        }
        skim.isExact &&= outer;
        return behind;
      }
      case LETTER_T:
      case LETTER_F: {
        const behind = skim.value(at, 0);
        if (behind >= 0 && slot >= 0) slots.set(slot, byte === LETTER_T);
        return behind;
      }
      case LETTER_N:
        return skim.value(at, 0);
      default:
        return this.number(slot, at);
    }
  }

  private array(node: AskedNode, from: number): number {
    const { bytes, skim } = this;
    const elements = node.elements as ReadonlyMap<number, AskedNode>;
    let at = skim.space(from);
    if (bytes[at] === CLOSE_ARRAY) return at + 1;
    for (let index = 0; ; index++) {
      const element = elements.get(index);
      at = element === undefined ? skim.value(at, 0) : this.value(element, at);
      if (at < 0) return -1;
      at = skim.space(at);
      if (bytes[at] === CLOSE_ARRAY) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = skim.space(at + 1);
    }
  }

  private text(node: AskedNode, start: number): number {
    const { skim, slots, texts } = this;
    const { slot, memo } = node;
    const close = skim.text(start);
    if (close < 0) return -1;
    if (node.keys !== undefined || node.elements !== undefined)
      slots.fill(node.path, texts.toString('utf8', start, close));
    else if (skim.hasEscape) slots.range(slot, start, close);
    else {
      const known = memo?.find(this.bytes, start, close, texts);
      if (known === undefined) slots.verbatim(slot, start, close);
      else slots.set(slot, known);
    }
    return close + 1;
  }

  private number(slot: number, start: number): number {
    const { bytes, skim } = this;
    let value = 0;
    let at = start;
    let byte = bytes[at] as number;
    const limit = start + MAX_DIGITS;
    for (; byte >= ZERO && byte <= NINE && at < limit; byte = bytes[++at] as number) value = value * 10 + (byte - ZERO);
    const whole = at - start;
    const isPlain = whole === 1 || (whole > 1 && bytes[start] !== ZERO);
    if (isPlain && byte === POINT) {
      skim.isExact = false;
      const point = at;
      byte = bytes[++at] as number;
      for (; byte >= ZERO && byte <= NINE && at <= limit; byte = bytes[++at] as number)
        value = value * 10 + (byte - ZERO);
      const fraction = at - point - 1;
      // Two numbers that are exact have one quotient, which is the number that is meant.
      if (fraction > 0 && endsNumber(byte)) {
        if (slot >= 0) this.slots.set(slot, value / (POWERS[fraction] as number));
        return at;
      }
    } else if (isPlain && endsNumber(byte)) {
      if (slot >= 0) this.slots.set(slot, value);
      return at;
    }
    if (whole === 0 && byte !== MINUS) return -1;
    const behind = skim.value(start, 0);
    if (behind >= 0 && slot >= 0) this.slots.set(slot, Number(this.texts.latin1(start, behind)));
    return behind;
  }
}

/** Powers of ten that are exact as doubles. */
const POWERS = Array.from({ length: MAX_DIGITS + 1 }, (_, power) => 10 ** power);

/** Whether a number is over here; anything else may go on. */
function endsNumber(byte: number): boolean {
  return byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY || byte === SPACE;
}

function askedOf(path: PathNode, slots: LineSlots): AskedNode {
  const { slot, keys, elements } = path;
  const isLeaf = keys.size === 0 && elements.size === 0;
  return {
    slot,
    path,
    keys: keys.size === 0 ? undefined : new LineKeys([...keys].map(([name, inner]) => [name, askedOf(inner, slots)])),
    elements:
      elements.size === 0
        ? undefined
        : new Map([...elements].map(([index, inner]) => [index, askedOf(inner, slots)] as const)),
    memo: isLeaf && slots.isWord(slot) ? new TextMemo() : undefined,
  };
}
