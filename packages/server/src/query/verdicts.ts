/**
 * Remembers for a short time which statements were let through, so that a dashboard's refresh is judged once and not at
 * every request. Refusals are not kept.
 *
 * Must stay true: the key holds all that a verdict depends on, and a verdict is never used after its time.
 */

export class Verdicts {
  private readonly capacity: number;
  private readonly ttlMs: number;
  private readonly now: () => number;
  private readonly until = new Map<string, number>();

  constructor(capacity: number, ttlMs: number, now: () => number) {
    this.capacity = capacity;
    this.ttlMs = ttlMs;
    this.now = now;
  }

  has(key: string): boolean {
    const until = this.until.get(key);
    if (until === undefined) return false;
    this.until.delete(key);
    if (until <= this.now()) return false;
    // Put back last: the first is the one that was used the longest ago.
    this.until.set(key, until);
    return true;
  }

  add(key: string): void {
    if (this.until.size >= this.capacity) this.until.delete(this.until.keys().next().value as string);
    this.until.set(key, this.now() + this.ttlMs);
  }
}
