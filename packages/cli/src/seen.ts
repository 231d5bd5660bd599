/**
 * What `tail` has shown already, so that overlapping looks show everything once. Rows are compared as a whole: log records
 * have no id, and two equal ones are two.
 */

import type { Value } from './client.ts';

type Row = Readonly<Record<string, Value>>;

export class Seen {
  private readonly windowMs: number;
  private readonly counts = new Map<string, { count: number; lastMs: number }>();

  /** `windowMs` is how far back the looks go: what wasn't met for longer can't be met again. */
  constructor(windowMs: number) {
    this.windowMs = windowMs;
  }

  /** The rows of a look that no earlier look had. */
  fresh(rows: readonly Row[], nowMs: number): Row[] {
    const met = new Map<string, number>();
    const fresh: Row[] = [];
    for (const row of rows) {
      const key = JSON.stringify(row);
      const number = (met.get(key) ?? 0) + 1;
      met.set(key, number);
      if (number > (this.counts.get(key)?.count ?? 0)) fresh.push(row);
    }
    for (const [key, count] of met)
      this.counts.set(key, { count: Math.max(count, this.counts.get(key)?.count ?? 0), lastMs: nowMs });
    for (const [key, { lastMs }] of this.counts) if (nowMs - lastMs > this.windowMs) this.counts.delete(key);
    return fresh;
  }
}
