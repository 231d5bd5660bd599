/**
 * Calls that were reported already, by their ids. A gateway's event and the client's span may tell of the same call: the first
 * counts, the second is marked. As many of the last calls are remembered as fit into a bounded table.
 *
 * Must stay true: a call counts as seen only when its row is durable, or is about to be with the same commit: what was refused
 * comes again and must not be taken for its own duplicate.
 */

import { randomBytes } from 'node:crypto';

/** Calls in one half of the memory; when it is full the older half is forgotten. */
const HALF = 1 << 20;
const FIRST_SLOTS = 1 << 12;
/** Seeds of the two halves of a hash, new for each process so that nobody can make ids that collide. */
const SEEDS = [randomBytes(4).readUInt32LE(), randomBytes(4).readUInt32LE()] as const;

export class SeenCalls {
  private recent = new HashSet();
  private older = new HashSet();
  /** Of calls in blocks that are not durable yet. */
  private readonly open = new Set<string>();
  private readonly order: string[] = [];
  private marked = 0;

  /** Whether one of the keys was seen; all of them are from now on. */
  see(keys: readonly string[]): boolean {
    let seen = false;
    for (const key of keys) {
      seen ||= this.open.has(key) || this.recent.has(key) || this.older.has(key);
    }
    for (const key of keys) {
      if (this.open.has(key)) continue;
      this.open.add(key);
      this.order.push(key);
    }
    return seen;
  }

  /** Remembers the present end as the start of a request. */
  mark(): void {
    this.marked = this.order.length;
  }

  /** Takes back what was seen since `mark`. */
  rollback(): void {
    for (const key of this.order.splice(this.marked)) this.open.delete(key);
  }

  /** The open calls are durable, or refused. */
  commit(isDurable: boolean): void {
    if (isDurable) for (const key of this.order) this.keep(key);
    this.open.clear();
    this.order.length = 0;
    this.marked = 0;
  }

  private keep(key: string): void {
    if (this.recent.size >= HALF) {
      this.older = this.recent;
      this.recent = new HashSet();
    }
    this.recent.add(key);
  }
}

/** A set of 64-bit hashes, open addressing. A hash of zeros stands for a free slot. */
class HashSet {
  size = 0;
  private slots = new Uint32Array(FIRST_SLOTS * 2);

  has(key: string): boolean {
    return this.find(hashOf(key, SEEDS[0]) || 1, hashOf(key, SEEDS[1])) < 0;
  }

  add(key: string): void {
    const [low, high] = [hashOf(key, SEEDS[0]) || 1, hashOf(key, SEEDS[1])];
    const slot = this.find(low, high);
    if (slot < 0) return;
    this.slots[slot] = low;
    this.slots[slot + 1] = high;
    if (++this.size * 4 > this.slots.length) this.grow();
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

function hashOf(key: string, seed: number): number {
  let hash = seed;
  for (let at = 0; at < key.length; at++) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x85eb_ca6b);
    hash ^= hash >>> 13;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2_ae35);
  return (hash ^ (hash >>> 15)) >>> 0;
}
