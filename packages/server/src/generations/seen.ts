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
  /** Of calls in blocks that were not given to the log yet. */
  private open = new HashSet();
  /** The same in the order in which they came: two numbers each. */
  private order: number[] = [];
  /** Of calls that were given to the log and are not durable yet. */
  private sent = new HashSet();
  private sentOrder: number[] = [];
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
      if (this.known(halves[at] as number, halves[at + 1] as number)) return true;
    }
    return false;
  }

  /** Lets the keys be seen. */
  add({ halves, count }: CallKeys): void {
    for (let at = 0; at < 2 * count; at += 2) {
      const [low, high] = [halves[at] as number, halves[at + 1] as number];
      if (this.open.add(low, high)) this.order.push(low, high);
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
    this.marked = this.order.length;
  }

  /** Takes back what was seen since `mark`. */
  rollback(): void {
    this.order.length = this.marked;
    this.open = new HashSet();
    each(this.order, (low, high) => void this.open.add(low, high));
  }

  /** The open calls are given to the log. */
  send(): void {
    [this.sent, this.open] = [this.open, this.sent];
    [this.sentOrder, this.order] = [this.order, this.sentOrder];
    this.marked = 0;
  }

  /** What was given to the log is durable. */
  keep(): void {
    each(this.sentOrder, (low, high) => this.remembered(low, high));
    this.forgetSent();
  }

  /** It is not: forgets it, and what is open. */
  lose(): void {
    this.forgetSent();
    this.open.clear();
    this.order.length = 0;
    this.marked = 0;
  }

  private forgetSent(): void {
    this.sent.clear();
    this.sentOrder.length = 0;
  }

  private known(low: number, high: number): boolean {
    const { open, sent, recent, older } = this;
    return open.has(low, high) || sent.has(low, high) || recent.has(low, high) || older.has(low, high);
  }

  private remembered(low: number, high: number): void {
    if (this.recent.size >= this.half) {
      this.older = this.recent;
      this.recent = new HashSet();
    }
    this.recent.add(low, high);
  }
}

/** A set of 64-bit hashes, open addressing. */
class HashSet {
  size = 0;
  // Signed, because such numbers need no memory of their own.
  private slots = new Int32Array(FIRST_SLOTS * 2);
  // A bit for each hash that is there. Nearly all that are looked for aren't; the bits tell so, and stay in the cache of the processor.
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

  clear(): void {
    if (this.size > 0) {
      this.slots.fill(0);
      this.bits.fill(0);
    }
    this.size = 0;
  }

  private put(slot: number, low: number, high: number): void {
    const { slots, bits } = this;
    slots[slot] = low;
    slots[slot + 1] = high;
    const place = (high >>> 5) & (bits.length - 1);
    bits[place] = (bits[place] as number) | (1 << (high & 31));
  }

  /** The free slot for a hash; negative if it is there. */
  private find(low: number, high: number): number {
    const { slots } = this;
    const mask = slots.length - 1;
    let at = (low * 2) & mask;
    while (slots[at] !== 0) {
      if (slots[at] === low && slots[at + 1] === high) return -1;
      at = (at + 2) & mask;
    }
    return at;
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

function each(hashes: readonly number[], visit: (low: number, high: number) => void): void {
  for (let at = 0; at < hashes.length; at += 2) visit(hashes[at] as number, hashes[at + 1] as number);
}
