/**
 * How often something that can be guessed may be tried: counts of attempts in a span of time, each under one or several names,
 * such as an account and an address. Separate so that whoever checks a guess cannot forget one of them.
 *
 * Must stay true: an attempt counts before it is judged, so that many at once are no more than many in a row. What is remembered
 * is bounded: at the bound attempts under new names are refused, and nobody that is known is forgotten early.
 */

import { AppError } from '@glasshouse/model';

/** A name under which an attempt counts, and the most attempts of it. */
export interface Counted {
  readonly name: string;
  readonly most: number;
}

const MAX_NAMES = 50_000;

export class Attempts {
  private readonly now: () => number;
  private readonly spanMs: number;
  private readonly counts = new Map<string, { count: number; readonly endsAt: number }>();

  constructor(now: () => number, spanMs: number) {
    this.now = now;
    this.spanMs = spanMs;
  }

  /** Counts an attempt. Throws `rate_limited` if one of the names has had its most; then it counts under none. */
  take(what: string, counted: readonly Counted[]): void {
    const at = this.now();
    this.sweep(at);
    for (const { name, most } of counted) {
      const known = this.counts.get(name);
      if (known !== undefined && known.count >= most) throw tooMany(what, known.endsAt - at);
      if (known === undefined && this.counts.size + counted.length > MAX_NAMES) throw tooMany(what, this.spanMs);
    }
    for (const { name } of counted) {
      const known = this.counts.get(name);
      if (known === undefined) this.counts.set(name, { count: 1, endsAt: at + this.spanMs });
      else known.count++;
    }
  }

  /** Takes back an attempt that was no guess. */
  forgive(counted: readonly Counted[]): void {
    for (const { name } of counted) {
      const known = this.counts.get(name);
      if (known !== undefined) known.count--;
    }
  }

  /** The oldest come first, and all last equally long. */
  private sweep(at: number): void {
    for (const [name, { endsAt }] of this.counts) {
      if (endsAt > at) return;
      this.counts.delete(name);
    }
  }
}

function tooMany(what: string, waitMs: number): AppError {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new AppError(
    'rate_limited',
    `cannot ${what}: there were too many attempts; try again in ${retryAfterSeconds} s`,
    {
      retryAfterSeconds,
    },
  );
}
