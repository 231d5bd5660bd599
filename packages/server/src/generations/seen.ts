/**
 * Calls that were reported already, by their ids. A gateway's event and the client's span may tell of the same call: the first
 * counts, the second is marked. As many of the last calls are remembered as fit into a bounded table.
 *
 * Must stay true: a call counts as seen only when its row is durable, or is about to be, with this commit or the one before: what was
 * refused comes again and must not be taken for its own duplicate.
 */

import type { CallKeys } from './call-keys.ts';

/** Keys in one half of the memory; when it is full the older half is forgotten. */
export const HALF = 1 << 20;
const FIRST_SLOTS = 1 << 12;

export class SeenCalls {
  private recent = new HashSet();
  private older = new HashSet();
  /** Keys that became known with calls that are not durable yet, in their order: two numbers each. */
  private open = new Int32Array(FIRST_SLOTS);
  private openEnd = 0;
  /** Up to here they were given to the log. */
  private sentEnd = 0;
  /** From here on they are of the present request. */
  private marked = 0;
  private readonly half: number;

  /** @param half keys in one half of the memory */
  constructor(half = HALF) {
    this.half = half;
  }

  /** Whether one of the keys was seen; all of them are from now on. */
  see(keys: CallKeys): boolean {
    const seen = this.has(keys);
    this.add(keys);
    return seen;
  }

  /** Whether one of the keys was seen. */
  has({ halves, count }: CallKeys): boolean {
    for (let at = 0; at < 2 * count; at += 2) {
      const [low, high] = [halves[at] as number, halves[at + 1] as number];
      if (this.recent.has(low, high) || this.older.has(low, high)) return true;
    }
    return false;
  }

  /** Lets the keys be seen. */
  add({ halves, count }: CallKeys): void {
    for (let at = 0; at < 2 * count; at += 2) {
      const [low, high] = [halves[at] as number, halves[at + 1] as number];
      if (this.recent.size >= this.half) [this.older, this.recent] = [this.recent, new HashSet()];
      if (this.recent.add(low, high)) this.opened(low, high);
    }
  }

  /** Lets keys be seen that are durable since before a start, unless what came since fills the memory. */
  remember({ halves, count }: CallKeys): void {
    for (let at = 0; at < 2 * count && this.older.size < this.half; at += 2) {
      this.older.add(halves[at] as number, halves[at + 1] as number);
    }
  }

  /** Remembers the present end as the start of a request. */
  mark(): void {
    this.marked = this.openEnd;
  }

  /** Takes back what was seen since `mark`. */
  rollback(): void {
    this.forget(this.marked);
  }

  /** The open calls are given to the log. */
  send(): void {
    this.sentEnd = this.marked = this.openEnd;
  }

  /** What was given to the log is durable. */
  keep(): void {
    this.open.copyWithin(0, this.sentEnd, this.openEnd);
    this.openEnd -= this.sentEnd;
    this.marked -= this.sentEnd;
    this.sentEnd = 0;
  }

  /** It is not: forgets it, and what is open. */
  lose(): void {
    this.forget(0);
    this.sentEnd = this.marked = 0;
  }

  private opened(low: number, high: number): void {
    if (this.openEnd === this.open.length) {
      const before = this.open;
      this.open = new Int32Array(2 * before.length);
      this.open.set(before);
    }
    this.open[this.openEnd++] = low;
    this.open[this.openEnd++] = high;
  }

  /** Forgets the open keys from this one on, wherever they are by now. */
  private forget(from: number): void {
    for (let at = from; at < this.openEnd; at += 2) {
      const [low, high] = [this.open[at] as number, this.open[at + 1] as number];
      if (!this.recent.delete(low, high)) this.older.delete(low, high);
    }
    this.openEnd = from;
  }
}

/** A set of 64-bit hashes, open addressing. */
class HashSet {
  size = 0;
  // Signed, because such numbers need no memory of their own.
  private slots = new Int32Array(FIRST_SLOTS * 2);
  // A bit for each hash that is there, or was. Nearly all that are looked for aren't; the bits tell so, and stay in the cache of the processor.
  private bits = new Int32Array(FIRST_SLOTS / 8);

  has(low: number, high: number): boolean {
    const { bits } = this;
    if ((((bits[(high >>> 5) & (bits.length - 1)] as number) >>> (high & 31)) & 1) === 0) return false;
    return this.find(low, high) < 0;
  }

  /** False if it was there. */
  add(low: number, high: number): boolean {
    const slot = this.find(low, high);
    if (slot < 0) return false;
    this.put(slot, low, high);
    if (++this.size * 4 > this.slots.length) this.grow();
    return true;
  }

  /** False if it was not there. */
  delete(low: number, high: number): boolean {
    const { slots } = this;
    const mask = slots.length - 1;
    let hole = this.find(low, high, true);
    if (hole < 0) return false;
    // What stands behind it without a gap may be there only because this place was taken.
    for (let at = (hole + 2) & mask; slots[at] !== 0; at = (at + 2) & mask) {
      const home = ((slots[at] as number) * 2) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at] as number;
      slots[hole + 1] = slots[at + 1] as number;
      hole = at;
    }
    slots[hole] = 0;
    slots[hole + 1] = 0;
    this.size--;
    return true;
  }

  private put(slot: number, low: number, high: number): void {
    const { slots, bits } = this;
    slots[slot] = low;
    slots[slot + 1] = high;
    const place = (high >>> 5) & (bits.length - 1);
    bits[place] = (bits[place] as number) | (1 << (high & 31));
  }

  /** The free slot for a hash, or with `isThere` the one that it has; negative if there is none. */
  private find(low: number, high: number, isThere = false): number {
    const { slots } = this;
    const mask = slots.length - 1;
    let at = (low * 2) & mask;
    while (slots[at] !== 0) {
      if (slots[at] === low && slots[at + 1] === high) return isThere ? at : -1;
      at = (at + 2) & mask;
    }
    return isThere ? -1 : at;
  }

  private grow(): void {
    const before = this.slots;
    this.slots = new Int32Array(before.length * 2);
    this.bits = new Int32Array(before.length / 8);
    for (let at = 0; at < before.length; at += 2) {
      const [low, high] = [before[at] as number, before[at + 1] as number];
      if (low !== 0) this.put(this.find(low, high), low, high);
    }
  }
}
