/**
 * Times as nanoseconds since 1970, out of the texts that `TIME` (`convert.ts`) describes. Separate because every event has two of them:
 * they are read letter by letter.
 *
 * Must stay true: what does not fit the pattern is no time, and what fits it is one.
 */

import type { Instant } from './packed.ts';

/** Of the last day that was read, its letters and its number since 1970: most events are of today. */
const lastDay = { letters: new Uint8Array(10), days: -1 };
/** For times that come as texts. */
const letters = new Uint8Array(64);

const QUOTE = 0x22;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const SPACE = 0x20;
const T = 0x54;
const Z = 0x5a;
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const DAY_SECONDS = 86_400;
const DAY_MS = 86_400_000;
/** Letters of a time without what is behind its seconds. */
const SHORTEST = 19;
/** Digits behind the point that a text may have. */
const PLACES = 9;
const POWERS = Array.from({ length: PLACES + 1 }, (_, power) => 10 ** power);

/** Reads a time of ISO 8601 or SQL; in UTC where no zone is said. False if the text is none. */
export function readTime(text: string, into: Instant): boolean {
  const { length } = text;
  if (length > letters.length) return false;
  let seen = 0;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    seen |= code;
    letters[at] = code;
  }
  return seen < 0x80 && readTimeIn(letters, 0, length, into);
}

/** The same of the text in `bytes[from, to)`. */
export function readTimeIn(bytes: Uint8Array, from: number, to: number, into: Instant): boolean {
  // Some write a time as JSON, quotes included.
  const start = from < to && bytes[from] === QUOTE ? from + 1 : from;
  const end = start < to && bytes[to - 1] === QUOTE ? to - 1 : to;
  if (end - start < SHORTEST) return false;
  const days = dayOf(bytes, start);
  const between = bytes[start + 10];
  const hours = twoDigits(bytes, start + 11);
  const minutes = twoDigits(bytes, start + 14);
  const seconds = twoDigits(bytes, start + 17);
  if (days < 0 || (between !== T && between !== SPACE) || hours < 0 || hours > 23) return false;
  if (bytes[start + 13] !== COLON || minutes < 0 || minutes > 59) return false;
  if (bytes[start + 16] !== COLON || seconds < 0 || seconds > 59) return false;
  let at = start + SHORTEST;
  let nanoseconds = 0;
  if (at < end && bytes[at] === DOT) {
    const point = at++;
    for (; at < end && isDigit(bytes[at] as number); at++)
      nanoseconds = nanoseconds * 10 + (bytes[at] as number) - ZERO;
    const places = at - point - 1;
    if (places === 0 || places > PLACES) return false;
    nanoseconds *= POWERS[PLACES - places] as number;
  }
  const offset = offsetOf(bytes, at, end);
  if (Number.isNaN(offset)) return false;
  into.seconds = days * DAY_SECONDS + (hours * 60 + minutes - offset) * 60 + seconds;
  into.nanoseconds = nanoseconds;
  return true;
}

/** The days since 1970 that a text begins with, from 1970 to 2259; -1 for none. */
function dayOf(bytes: Uint8Array, start: number): number {
  if (isLastDay(bytes, start)) return lastDay.days;
  const [century, short] = [twoDigits(bytes, start), twoDigits(bytes, start + 2)];
  const [month, day] = [twoDigits(bytes, start + 5), twoDigits(bytes, start + 8)];
  const year = century * 100 + short;
  if (century < 0 || short < 0 || year < 1970 || year > 2259) return -1;
  if (bytes[start + 4] !== MINUS || bytes[start + 7] !== MINUS || day < 1) return -1;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (day > (MONTH_DAYS[month - 1] ?? 0) || (month === 2 && day === 29 && !isLeap)) return -1;
  for (let at = 0; at < 10; at++) lastDay.letters[at] = bytes[start + at] as number;
  lastDay.days = Date.UTC(year, month - 1, day) / DAY_MS;
  return lastDay.days;
}

function isLastDay(bytes: Uint8Array, start: number): boolean {
  const known = lastDay.letters;
  for (let at = 9; at >= 0; at--) if (bytes[start + at] !== known[at]) return false;
  return true;
}

/** Minutes before UTC that the rest of a text says; NaN if it says something else. */
function offsetOf(bytes: Uint8Array, at: number, end: number): number {
  if (at === end) return 0;
  const sign = bytes[at];
  if (sign === Z) return at + 1 === end ? 0 : Number.NaN;
  if ((sign !== PLUS && sign !== MINUS) || at + 6 !== end || bytes[at + 3] !== COLON) return Number.NaN;
  const [hours, minutes] = [twoDigits(bytes, at + 1), twoDigits(bytes, at + 4)];
  if (hours < 0 || hours > 19 || minutes < 0 || minutes > 59) return Number.NaN;
  return (hours * 60 + minutes) * (sign === MINUS ? -1 : 1);
}

/** The number that two digits are; -1 if they are none. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const [first, second] = [bytes[at] as number, bytes[at + 1] as number];
  return isDigit(first) && isDigit(second) ? (first - ZERO) * 10 + second - ZERO : -1;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}
