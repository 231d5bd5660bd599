/**
 * Dates as text: the formats of date parameters, and the difference between two dates as the `date_diff_in_…` functions count it, with
 * the format directives of Python's `strptime` that those functions document.
 *
 * Must stay true: everything is computed in UTC from the digits given; no time zone of this machine plays a part.
 */

const DATE = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/u;
const COMPACT_DATE = /^([0-9]{4})([0-9]{2})([0-9]{2})$/u;
const DATE_TIME = /^([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?Z?$/u;

/** Whether text is a day as a `Date` parameter takes it: `YYYY-MM-DD` or `YYYYMMDD`. */
export function isDate(text: string): boolean {
  const match = DATE.exec(text) ?? COMPACT_DATE.exec(text);
  return match !== null && isDay(Number(match[1]), Number(match[2]), Number(match[3]));
}

/**
 * Whether text is a time as a `DateTime` or `DateTime64` parameter takes it: `YYYY-MM-DD hh:mm:ss`, with or without up to nine digits of
 * a fraction, and with `T` and `Z` as ISO 8601 writes it (documented without, accepted by the service all the same).
 */
export function isDateTime(text: string): boolean {
  const match = DATE_TIME.exec(text);
  if (match === null) return false;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number);
  return isDay(year, month, day) && isTime(hour, minute, second);
}

function isDay(year = 0, month = 0, day = 0): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
}

function isTime(hour = 0, minute = 0, second = 0): boolean {
  return hour <= 23 && minute <= 59 && second <= 59;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Directives of `strptime`: how the text looks and which part of the date it is. */
const DIRECTIVES: ReadonlyMap<string, { readonly pattern: string; readonly part: keyof Parts }> = new Map([
  ['Y', { pattern: '[0-9]{4}', part: 'year' }],
  ['y', { pattern: '[0-9]{2}', part: 'shortYear' }],
  ['m', { pattern: '1[0-2]|0[1-9]|[1-9]', part: 'month' }],
  ['d', { pattern: '3[01]|[12][0-9]|0[1-9]|[1-9]', part: 'day' }],
  ['H', { pattern: '2[0-3]|[01][0-9]|[0-9]', part: 'hour' }],
  ['M', { pattern: '[0-5][0-9]|[0-9]', part: 'minute' }],
  ['S', { pattern: '[0-5][0-9]|[0-9]', part: 'second' }],
  ['f', { pattern: '[0-9]{1,6}', part: 'fraction' }],
  ['z', { pattern: '[+-][0-9]{2}:?[0-9]{2}|Z', part: 'zone' }],
]);

interface Parts {
  year: string;
  shortYear: string;
  month: string;
  day: string;
  hour: string;
  minute: string;
  second: string;
  fraction: string;
  zone: string;
}

/** Microseconds since 1970; undefined when the text does not have the format. `'format'` when the format itself is not supported. */
export function parseDate(text: string, format: string): bigint | undefined | 'format' {
  if (format.length > 64) return 'format';
  const compiled = compile(format);
  if (compiled === undefined) return 'format';
  if (text.length > 64) return undefined;
  const match = compiled.pattern.exec(text);
  if (match === null) return undefined;
  const parts: Partial<Parts> = {};
  for (const [index, part] of compiled.parts.entries()) parts[part] = match[index + 1] ?? '';
  return microseconds(parts);
}

/** Letters are compared without case, as `strptime` does, so that a `z` in the format takes the `Z` of a timestamp. */
function compile(format: string): { pattern: RegExp; parts: (keyof Parts)[] } | undefined {
  const parts: (keyof Parts)[] = [];
  let pattern = '';
  for (let at = 0; at < format.length; at += 1) {
    const char = format.charAt(at);
    if (char !== '%') {
      pattern += literalPattern(char, pattern);
      continue;
    }
    at += 1;
    const directive = DIRECTIVES.get(format.charAt(at));
    if (format.charAt(at) === '%') pattern += '%';
    else if (directive === undefined || parts.includes(directive.part)) return undefined;
    else {
      pattern += `(${directive.pattern})`;
      parts.push(directive.part);
    }
  }
  return { pattern: new RegExp(`^${pattern}$`, 'iu'), parts };
}

/** White space in a row is one `\s+`: several would make matching take exponential time. */
function literalPattern(char: string, before: string): string {
  if (/\s/u.test(char)) return before.endsWith('\\s+') ? '' : '\\s+';
  return char.replace(/[\^$\\.*+?()[\]{}|/]/u, '\\$&');
}

function microseconds(parts: Partial<Parts>): bigint | undefined {
  const short = Number(parts.shortYear ?? '0');
  const year =
    parts.year === undefined
      ? parts.shortYear === undefined
        ? 1900
        : short + (short < 69 ? 2000 : 1900)
      : Number(parts.year);
  const month = Number(parts.month ?? '1');
  const day = Number(parts.day ?? '1');
  if (year < 1 || !isDay(year, month, day)) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(Number(parts.hour ?? '0'), Number(parts.minute ?? '0'), Number(parts.second ?? '0'));
  return BigInt(date.getTime()) * 1000n + BigInt((parts.fraction ?? '').padEnd(6, '0')) - zoneOffset(parts.zone);
}

function zoneOffset(zone: string | undefined): bigint {
  const match = /^([+-])([0-9]{2}):?([0-9]{2})$/u.exec(zone ?? '');
  if (match === null) return 0n;
  const minutes = BigInt(match[2] ?? '0') * 60n + BigInt(match[3] ?? '0');
  return (match[1] === '-' ? -minutes : minutes) * 60_000_000n;
}
