/**
 * What was found of one record, by slot: a number that stands for one thing that a dialect asks for, as a text under a name or a value
 * at a path. Whoever reads bytes fills slots and makes nothing of what nobody asks; the tables read slots and know no format.
 *
 * Must stay true: what is nothing (an empty text, null) is in no slot.
 */

import { LastingJson, OpenedJson } from './json.ts';
import type { ByteSource, TextRange } from './packed.ts';

/** Bytes of which texts are made when somebody wants them: a `Buffer`. */
export interface Bytes {
  toString(encoding: 'utf8', start: number, end: number): string;
}

const NO_BYTES: Bytes = { toString: () => '' };
const NO_SOURCE: ByteSource = { bytes: new Uint8Array(), view: new DataView(new ArrayBuffer(0)) };

const FREE = 0;
/** Taken, by what is nothing. */
const EMPTY = 1;
/** A text that is still bytes. */
const RANGE = 2;
/** A text that is these very bytes. */
const VERBATIM = 3;
const VALUE = 4;

export class Slots {
  /** Texts of the record that were opened. */
  readonly json = new OpenedJson();
  /** Texts that many records have in common, as the attributes of a resource. */
  readonly lasting = new LastingJson();
  /** Slots that are taken, in order; the first `count` count. */
  readonly taken: Int32Array;
  count = 0;
  private readonly states: Uint8Array;
  private readonly values: unknown[];
  private readonly starts: Int32Array;
  private readonly ends: Int32Array;
  private bytes = NO_BYTES;
  private source = NO_SOURCE;

  /** @param size how many slots there are */
  constructor(size: number) {
    this.taken = new Int32Array(size);
    this.states = new Uint8Array(size);
    this.values = Array.from({ length: size }, () => undefined);
    this.starts = new Int32Array(size);
    this.ends = new Int32Array(size);
  }

  /** Forgets the last record. Ranges of the next one are of these bytes, which are in `source`. */
  begin(bytes = NO_BYTES, source = NO_SOURCE): void {
    const { states, values, taken } = this;
    for (let at = 0; at < this.count; at++) {
      const slot = taken[at] as number;
      states[slot] = FREE;
      values[slot] = undefined;
    }
    this.count = 0;
    this.json.clear();
    this.bytes = bytes;
    this.source = source;
  }

  isFree(slot: number): boolean {
    return this.states[slot] === FREE;
  }

  has(slot: number): boolean {
    return (this.states[slot] as number) >= RANGE;
  }

  /** What is in a slot: a text, a number, a flag, a piece of JSON; undefined for nothing. */
  get(slot: number): unknown {
    const state = this.states[slot];
    if (state === RANGE || state === VERBATIM) {
      this.values[slot] = this.bytes.toString('utf8', this.starts[slot] as number, this.ends[slot] as number);
      this.states[slot] = VALUE;
    }
    return this.values[slot];
  }

  set(slot: number, value: unknown): void {
    const isNothing = value === '' || value === undefined || value === null;
    this.take(slot, isNothing ? EMPTY : VALUE);
    this.values[slot] = isNothing ? undefined : value;
  }

  /** A text as the bytes that it is in UTF-8, which stay as they are until the record is read. */
  range(slot: number, start: number, end: number): void {
    this.take(slot, start === end ? EMPTY : RANGE);
    this.values[slot] = undefined;
    this.starts[slot] = start;
    this.ends[slot] = end;
  }

  /** A text that is what these bytes say, with what is no UTF-8 replaced. */
  verbatim(slot: number, start: number, end: number): void {
    this.take(slot, start === end ? EMPTY : VERBATIM);
    this.values[slot] = undefined;
    this.starts[slot] = start;
    this.ends[slot] = end;
  }

  isVerbatim(slot: number): boolean {
    return this.states[slot] === VERBATIM;
  }

  /** Where the bytes of a text are that is verbatim. */
  locate(slot: number, into: TextRange): void {
    into.source = this.source;
    into.start = this.starts[slot] as number;
    into.end = this.ends[slot] as number;
  }

  private take(slot: number, state: number): void {
    if (this.states[slot] === FREE) this.taken[this.count++] = slot;
    this.states[slot] = state;
  }
}
