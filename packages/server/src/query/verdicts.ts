/**
 * Remembers for a short time what was found of statements that were let through, so that a dashboard's refresh is judged once
 * and not at every request. Refusals are not kept.
 *
 * Must stay true: the key holds all that a verdict depends on, and a verdict is never used after its time.
 */

export class Verdicts<Verdict> {
  private readonly capacity: number;
  private readonly ttlMs: number;
  private readonly now: () => number;
  private readonly kept = new Map<string, { readonly verdict: Verdict; readonly until: number }>();

  constructor(capacity: number, ttlMs: number, now: () => number) {
    this.capacity = capacity;
    this.ttlMs = ttlMs;
    this.now = now;
  }

  get(key: string): Verdict | undefined {
    const found = this.kept.get(key);
    if (found === undefined) return undefined;
    this.kept.delete(key);
    if (found.until <= this.now()) return undefined;
    // Put back last: the first is the one that was used the longest ago.
    this.kept.set(key, found);
    return found.verdict;
  }

  add(key: string, verdict: Verdict): void {
    if (this.kept.size >= this.capacity) this.kept.delete(this.kept.keys().next().value as string);
    this.kept.set(key, { verdict, until: this.now() + this.ttlMs });
  }
}
