/**
 * The time of a row, as its column takes it. Separate because every row has one and a big integer for each is slow: a text of
 * nanoseconds becomes the two halves of its 64 bits by arithmetic on numbers.
 *
 * Must stay true: the halves are those of the big integer, whatever the text.
 */

import type { Instant } from '@glasshouse/generations';

export interface Moment {
  /** The lower and the upper 32 bits of the nanoseconds since 1970. */
  readonly low: number;
  readonly high: number;
  /** Milliseconds since 1970. */
  readonly ms: number;
}

const HALF = 0x1_0000_0000;
const QUARTER = 0x1_0000;

/** The moment of a time. */
export function momentOf(time: Instant): Moment {
  const { seconds, nanoseconds } = time;
  return seconds >= 0 ? ofParts(seconds, nanoseconds) : exactly(BigInt(time.toString()));
}

/** The moment of milliseconds since 1970. */
export function momentAt(ms: number): Moment {
  return exactly(BigInt(ms) * 1_000_000n);
}

/** Every product and sum here is below 2^53, so it is exact. */
function ofParts(seconds: number, rest: number): Moment {
  const upper = Math.floor(seconds / QUARTER) * 1e9;
  const lower = (seconds % QUARTER) * 1e9 + rest;
  const sum = (upper % QUARTER) * QUARTER + lower;
  return {
    low: sum % HALF,
    high: Math.floor(upper / QUARTER) + Math.floor(sum / HALF),
    ms: seconds * 1000 + Math.floor(rest / 1e6),
  };
}

function exactly(time: bigint): Moment {
  return { low: Number(time & 0xffff_ffffn), high: Number(time >> 32n), ms: Number(time / 1_000_000n) };
}
