/**
 * Rate limits: token buckets for credentials and data sources, in requests and in bytes. A request is admitted before its body
 * is read, and charged for its bytes when they are known.
 *
 * Must stay true: headers are whole numbers of seconds and requests, `Reset` counts from now, and an answer that is no refusal
 * leaves at least one request: clients stop for seconds, or fail, on anything else (Tinybird's SDKs).
 */

import { AppError } from '@glasshouse/model';

/** What one data source or credential may take, per second. */
export interface RateLimits {
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
}

export interface RatesOptions extends Partial<RateLimits> {
  readonly now: () => number;
}

/** Something that is limited: `token:ID`, `datasource:ID`, with a limit of its own if it has one. */
export interface Limited {
  readonly key: string;
  readonly requestsPerSecond?: number | undefined;
}

/** Where a request stands. */
export interface Admission {
  /** Requests per second. */
  readonly limit: number;
  /** Requests that may follow at once. */
  readonly remaining: number;
  /** Seconds until there is room again, or all of it. */
  readonly reset: number;
}

/** The refusal of a request over the limit, with what its headers need. */
export class RateError extends AppError {
  readonly admission: Admission;

  constructor(what: string, admission: Admission) {
    super(
      'rate_limited',
      `cannot take more requests of ${what}: ${admission.limit} per second are allowed; try again in ${admission.reset} s`,
      { retryAfterSeconds: admission.reset },
    );
    this.name = 'RateError';
    this.admission = admission;
  }
}

export const DEFAULT_LIMITS: RateLimits = { requestsPerSecond: 100, bytesPerSecond: 20_000_000 };

interface Bucket {
  requests: number;
  bytes: number;
  filledAt: number;
}

const MAX_RESET_SECONDS = 10;
/** Buckets that nobody asked for in this time are full again, hence the same as none. */
const IDLE_MS = 60_000;
const SWEEP_EVERY = 1_024;

export class Rates {
  private readonly limits: RateLimits;
  private readonly now: () => number;
  private readonly buckets = new Map<string, Bucket>();
  private asked = 0;

  constructor({ now, ...limits }: RatesOptions) {
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.now = now;
  }

  /** Buckets that are remembered. */
  get size(): number {
    return this.buckets.size;
  }

  /** Takes one request from each. Throws `RateError` if any has none left, and takes from none then. */
  admit(limited: readonly Limited[]): Admission {
    this.sweep();
    const found = limited.map((what) => ({ what, limit: this.limitOf(what), bucket: this.fill(what) }));
    for (const { what, limit, bucket } of found) {
      if (bucket.requests >= 1 && bucket.bytes > 0) continue;
      const waits = [(1 - bucket.requests) / limit, -bucket.bytes / this.limits.bytesPerSecond];
      throw new RateError(what.key, {
        limit: wholeLimit(limit),
        remaining: 0,
        reset: wholeSeconds(Math.max(...waits)),
      });
    }
    for (const { bucket } of found) bucket.requests--;
    const standings = found.map(({ limit, bucket }) => ({
      limit: wholeLimit(limit),
      remaining: Math.max(1, Math.floor(bucket.requests)),
      reset: wholeSeconds((capacityOf(limit) - bucket.requests) / limit),
    }));
    return standings.toSorted((a, b) => a.remaining - b.remaining)[0] ?? this.unlimited();
  }

  /** Takes the bytes of a request that was admitted. There may be more than are left: the next requests wait for them. */
  charge(limited: readonly Limited[], bytes: number): void {
    for (const what of limited) this.fill(what).bytes -= bytes;
  }

  private unlimited(): Admission {
    const limit = wholeLimit(this.limits.requestsPerSecond);
    return { limit, remaining: limit, reset: 1 };
  }

  private limitOf({ requestsPerSecond }: Limited): number {
    return requestsPerSecond ?? this.limits.requestsPerSecond;
  }

  /** The bucket with what has flowed into it until now. */
  private fill(what: Limited): Bucket {
    const at = this.now();
    const limit = this.limitOf(what);
    const capacity = capacityOf(limit);
    const { bytesPerSecond } = this.limits;
    const bucket = this.buckets.get(what.key) ?? { requests: capacity, bytes: bytesPerSecond, filledAt: at };
    this.buckets.set(what.key, bucket);
    const seconds = Math.max(0, at - bucket.filledAt) / 1000;
    bucket.requests = Math.min(capacity, bucket.requests + seconds * limit);
    bucket.bytes = Math.min(bytesPerSecond, bucket.bytes + seconds * bytesPerSecond);
    bucket.filledAt = at;
    return bucket;
  }

  /** Forgets full buckets now and then, so that their number is that of the busy ones. */
  private sweep(): void {
    if (++this.asked % SWEEP_EVERY !== 0) return;
    const before = this.now() - IDLE_MS;
    for (const [key, { filledAt, bytes }] of this.buckets) {
      if (filledAt < before && bytes + (IDLE_MS / 1000) * this.limits.bytesPerSecond > 0) this.buckets.delete(key);
    }
  }
}

/** The headers of an answer, the same on all routes of the data platform. */
export function rateHeaders({ limit, remaining, reset }: Admission): Record<string, string> {
  return {
    'X-RateLimit-Limit': String(limit),
    'X-RateLimit-Remaining': String(remaining),
    'X-RateLimit-Reset': String(reset),
    ...(remaining === 0 ? { 'Retry-After': String(reset) } : {}),
  };
}

/** A second's worth, and at least one request: with half a request per second one comes every other second. */
function capacityOf(limit: number): number {
  return Math.max(1, limit);
}

function wholeLimit(limit: number): number {
  return Math.max(1, Math.floor(limit));
}

function wholeSeconds(seconds: number): number {
  return Math.min(MAX_RESET_SECONDS, Math.max(1, Math.ceil(seconds)));
}
