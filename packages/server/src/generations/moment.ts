/**
 * The time of a row, as its column takes it. Separate because every row has one and a big integer for each is slow: a text of
 * nanoseconds becomes the two halves of its 64 bits by arithmetic on numbers.
 *
 * Must stay true: the halves are those of the big integer, whatever the text.
 */

export interface Moment {
  /** The lower and the upper 32 bits of the nanoseconds since 1970. */
  readonly low: number;
  readonly high: number;
  /** Milliseconds since 1970. */
  readonly ms: number;
}

const HALF = 0x1_0000_0000;
const QUARTER = 0x1_0000;
const NS_DIGITS = 9;
/** As many as the nanoseconds of the years 2001 to 2286 have. */
const DIGITS = 19;

/** The moment of a decimal text of nanoseconds since 1970. */
export function momentOf(nanoseconds: string): Moment {
  if (nanoseconds.length !== DIGITS) return exactly(BigInt(nanoseconds));
  let [seconds, rest] = [0, 0];
  for (let at = 0; at < DIGITS; at++) {
    const digit = nanoseconds.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return exactly(BigInt(nanoseconds));
    if (at < DIGITS - NS_DIGITS) seconds = seconds * 10 + digit;
    else rest = rest * 10 + digit;
  }
  return ofParts(seconds, rest);
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
