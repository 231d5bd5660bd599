/**
 * Calls that were reported already, by their ids. A gateway's event and the client's span may tell of the same call: the first
 * counts, the second is marked. As many of the last calls are remembered as fit into a bounded table.
 *
 * Must stay true: a call counts as seen only when its row is durable, or is about to be, with this commit or the one before: what was
 * refused comes again and must not be taken for its own duplicate.
 */

import { randomBytes } from 'node:crypto';

/** Keys in one half of the memory; when it is full the older half is forgotten. */
export const HALF = 1 << 20;
const FIRST_SLOTS = 1 << 12;
const FACTOR = 0x85eb_ca6b;
/** No letter of a text, so that two parts are never another's one. */
const PART_END = 0x1_0000;
/** Seeds of the two halves of a hash, new for each process so that nobody can make ids that collide. */
const SEEDS = [randomBytes(4).readUInt32LE(), randomBytes(4).readUInt32LE()] as const;

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
  // The hash of the last key.
  private low = 0;
  private high = 0;
  private readonly half: number;

  /** @param half keys in one half of the memory */
  constructor(half = HALF) {
    this.half = half;
  }

  /** Whether one of the keys was seen; all of them are from now on. A key is made of the parts of a list. */
  see(keys: readonly (readonly string[])[]): boolean {
    let seen = false;
    const hashes: number[] = [];
    for (const parts of keys) {
      this.hash(parts);
      const { low, high } = this;
      hashes.push(low, high);
      seen ||= this.known(low, high);
    }
    for (let at = 0; at < hashes.length; at += 2) {
      const [low, high] = [hashes[at] as number, hashes[at + 1] as number];
      if (this.open.add(low, high)) this.order.push(low, high);
    }
    return seen;
  }

  /** Whether the key was seen. */
  has(parts: readonly string[]): boolean {
    this.hash(parts);
    return this.known(this.low, this.high);
  }

  /** Lets the key be seen. */
  add(parts: readonly string[]): void {
    this.hash(parts);
    if (this.open.add(this.low, this.high)) this.order.push(this.low, this.high);
  }

  /** Lets a key be seen that is durable since before a start, unless what came since fills the memory. */
  remember(parts: readonly string[]): void {
    if (this.older.size >= this.half) return;
    this.hash(parts);
    this.older.add(this.low, this.high);
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

  /** Hashes a key, both halves in one pass over its letters. */
  private hash(parts: readonly string[]): void {
    let [low, high]: [number, number] = [SEEDS[0], SEEDS[1]];
    for (const part of parts) {
      for (let at = 0; at < part.length; at++) {
        const code = part.charCodeAt(at);
        low = Math.imul(low ^ code, FACTOR);
        low ^= low >>> 13;
        high = Math.imul(high ^ code, FACTOR);
        high ^= high >>> 13;
      }
      low = Math.imul(low ^ PART_END, FACTOR);
      high = Math.imul(high ^ PART_END, FACTOR);
    }
    // Zeros stand for a free slot.
    this.low = ended(low) || 1;
    this.high = ended(high);
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
  private slots = new Uint32Array(FIRST_SLOTS * 2);

  has(low: number, high: number): boolean {
    return this.size > 0 && this.find(low, high) < 0;
  }

  /** False if it was there. */
  add(low: number, high: number): boolean {
    const slot = this.find(low, high);
    if (slot < 0) return false;
    this.slots[slot] = low;
    this.slots[slot + 1] = high;
    if (++this.size * 4 > this.slots.length) this.grow();
    return true;
  }

  clear(): void {
    if (this.size > 0) this.slots.fill(0);
    this.size = 0;
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
    this.slots = new Uint32Array(before.length * 2);
    for (let at = 0; at < before.length; at += 2) {
      const [low, high] = [before[at] as number, before[at + 1] as number];
      if (low === 0) continue;
      const slot = this.find(low, high);
      this.slots[slot] = low;
      this.slots[slot + 1] = high;
    }
  }
}

/** Hashes that follow each other, two numbers each. */
function each(hashes: readonly number[], visit: (low: number, high: number) => void): void {
  for (let at = 0; at < hashes.length; at += 2) visit(hashes[at] as number, hashes[at + 1] as number);
}

function ended(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0xc2b2_ae35);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
