/**
 * How many requests a key may send in a minute, as Observa counts them: in fixed windows, with the end of the window as a
 * date. Separate from the platform's rates because the same header means seconds there.
 *
 * Must stay true: what is remembered is bounded by the keys that sent something in the last window.
 */

export const LIMIT = 1_000;
export const WINDOW_SECONDS = 60;

/** Where a key stands. */
export interface Standing {
  readonly isOver: boolean;
  readonly remaining: number;
  /** End of the window, in ms since 1970. */
  readonly resetAt: number;
}

export class Windows {
  private readonly now: () => number;
  private counts = new Map<string, number>();
  private endsAt = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  /** Counts one request. */
  take(key: string): Standing {
    const at = this.now();
    if (at >= this.endsAt) {
      this.counts = new Map();
      this.endsAt = at + WINDOW_SECONDS * 1000;
    }
    const count = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, count);
    return { isOver: count > LIMIT, remaining: Math.max(0, LIMIT - count), resetAt: this.endsAt };
  }
}

/** The headers of an answer: a date, unlike everywhere else. */
export function windowHeaders({ remaining, resetAt }: Standing): Record<string, string> {
  return {
    'X-RateLimit-Limit': String(LIMIT),
    'X-RateLimit-Remaining': String(remaining),
    'X-RateLimit-Reset': new Date(resetAt).toISOString(),
  };
}
