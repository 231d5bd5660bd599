/**
 * Latencies in a histogram of fixed size with less than 1 % error, in the manner of HdrHistogram: 128 buckets for each
 * doubling. Recording costs nothing that would disturb what is measured.
 */

const STEPS = 128;
const DOUBLINGS = 26;

/** Percentiles in milliseconds. */
export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export class Histogram {
  private readonly buckets = new Uint32Array(STEPS * DOUBLINGS);
  private count = 0;
  private maxMs = 0;

  record(ms: number): void {
    const value = Math.max(0, Math.round(ms * 1000)) + STEPS;
    const doubling = Math.min(DOUBLINGS - 1, 31 - Math.clz32(value) - 7);
    const bucket = doubling * STEPS + Math.min(STEPS - 1, (value >>> doubling) - STEPS);
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
    this.count++;
    if (ms > this.maxMs) this.maxMs = ms;
  }

  summary(): Summary {
    const { count, maxMs: max } = this;
    return { count, p50: this.percentile(0.5), p90: this.percentile(0.9), p99: this.percentile(0.99), max };
  }

  /** Upper bound of the bucket in which the fraction `share` of all values is reached. */
  private percentile(share: number): number {
    let left = Math.max(1, Math.ceil(this.count * share));
    for (let bucket = 0; bucket < this.buckets.length; bucket++) {
      left -= this.buckets[bucket] ?? 0;
      if (left > 0) continue;
      const doubling = Math.floor(bucket / STEPS);
      const upper = (STEPS + (bucket % STEPS) + 1) * 2 ** doubling - STEPS;
      return Math.min(this.maxMs, upper / 1000);
    }
    return 0;
  }
}

/** Percentiles of a few values: exact, not from buckets. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}
