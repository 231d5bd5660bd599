/**
 * Times as nanoseconds since 1970, out of the texts that `TIME` (`convert.ts`) describes. Separate because every event has two of them:
 * they are read letter by letter.
 *
 * Must stay true: what does not fit the pattern is no time, and what fits it is one.
 */

/** Of the last day that was read, its text and its number since 1970: most events are of today. */
const lastDay = { text: '', days: 0 };
/** The last two times: a record gives the same ones for its time and for what elapsed. */
const lately = {
  texts: ['', ''] as [string, string],
  values: [undefined, undefined] as (string | undefined)[],
  next: 0,
};

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
/** Digits behind the point that a text may have. */
const PLACES = 9;
const ZEROS = Array.from({ length: PLACES + 1 }, (_, count) => '0'.repeat(count));

/** Nanoseconds since 1970, of ISO 8601 or SQL; in UTC where no zone is said. */
export function timeOf(text: string): string | undefined {
  const { texts, values } = lately;
  if (texts[0] === text) return values[0];
  if (texts[1] === text) return values[1];
  const value = readTime(text);
  texts[lately.next] = text;
  values[lately.next] = value;
  lately.next ^= 1;
  return value;
}

function readTime(raw: string): string | undefined {
  // Some write a time as JSON, quotes included.
  const isQuoted = raw.charCodeAt(0) === QUOTE || raw.charCodeAt(raw.length - 1) === QUOTE;
  const text = isQuoted ? raw.replace(/^"|"$/g, '') : raw;
  const days = dayOf(text);
  const between = text.charCodeAt(10);
  const [hours, minutes, seconds] = [twoDigits(text, 11), twoDigits(text, 14), twoDigits(text, 17)];
  if (days < 0 || (between !== T && between !== SPACE) || hours < 0 || hours > 23) return undefined;
  if (text.charCodeAt(13) !== COLON || minutes < 0 || minutes > 59) return undefined;
  if (text.charCodeAt(16) !== COLON || seconds < 0 || seconds > 59) return undefined;
  let end = 19;
  if (text.charCodeAt(end) === DOT) {
    end++;
    while (isDigit(text.charCodeAt(end))) end++;
    if (end === 20 || end > 20 + PLACES) return undefined;
  }
  const offset = offsetOf(text, end);
  if (offset === undefined) return undefined;
  const whole = days * DAY_SECONDS + (hours * 60 + minutes - offset) * 60 + seconds;
  const digits = Math.max(0, end - 20);
  const ns = `${whole}${text.slice(20, end)}${ZEROS[PLACES - digits] ?? ''}`;
  return whole < 10 ? BigInt(ns).toString() : ns;
}

/** The days since 1970 that a text begins with, from 1970 to 2259; -1 for none. */
function dayOf(text: string): number {
  if (lastDay.text !== '' && text.startsWith(lastDay.text)) return lastDay.days;
  const [century, short, month, day] = [twoDigits(text, 0), twoDigits(text, 2), twoDigits(text, 5), twoDigits(text, 8)];
  const year = century * 100 + short;
  if (century < 0 || short < 0 || year < 1970 || year > 2259) return -1;
  if (text.charCodeAt(4) !== MINUS || text.charCodeAt(7) !== MINUS || day < 1) return -1;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (day > (MONTH_DAYS[month - 1] ?? 0) || (month === 2 && day === 29 && !isLeap)) return -1;
  lastDay.text = text.slice(0, 10);
  lastDay.days = Date.UTC(year, month - 1, day) / DAY_MS;
  return lastDay.days;
}

/** Minutes before UTC that the rest of a text says; undefined if it says something else. */
function offsetOf(text: string, at: number): number | undefined {
  if (at === text.length) return 0;
  const sign = text.charCodeAt(at);
  if (sign === Z) return at + 1 === text.length ? 0 : undefined;
  const [hours, minutes] = [twoDigits(text, at + 1), twoDigits(text, at + 4)];
  if ((sign !== PLUS && sign !== MINUS) || at + 6 !== text.length || text.charCodeAt(at + 3) !== COLON)
    return undefined;
  if (hours < 0 || hours > 19 || minutes < 0 || minutes > 59) return undefined;
  return (hours * 60 + minutes) * (sign === MINUS ? -1 : 1);
}

/** The number that two digits are; -1 if they are none. */
function twoDigits(text: string, at: number): number {
  const [first, second] = [text.charCodeAt(at), text.charCodeAt(at + 1)];
  return isDigit(first) && isDigit(second) ? (first - ZERO) * 10 + second - ZERO : -1;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}
