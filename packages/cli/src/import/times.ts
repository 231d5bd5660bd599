/**
 * Times as log files have them: numbers since 1970 in seconds to nanoseconds, told apart by their size, and the usual forms of a
 * date. Without a zone they are UTC, because a file does not say where it was written.
 *
 * Must stay true: no digit is lost, so that nanoseconds stay nanoseconds.
 */

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const ZONE = String.raw`(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?`;
const ISO = new RegExp(
  String.raw`^(\d{4})[-/](\d\d?)[-/](\d\d?)(?:[T ,_]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?)?\s*${ZONE}$`,
  'iu',
);
/** As Apache and nginx write it, and as RFC 2822 does. */
const NAMED = new RegExp(
  String.raw`^\[?(?:[a-z]{3},? )?(\d\d?)[-/ ]([a-z]{3})[-/ ](\d{4})[: ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s*${ZONE}\]?$`,
  'iu',
);
const NUMBER = /^-?(\d{1,20})(?:\.(\d{1,9})\d*)?$/u;

/** Largest numbers of each unit, as digits of the whole part: 11 digits of seconds reach the year 5138. */
const UNITS: readonly (readonly [digits: number, nanoseconds: bigint])[] = [
  [11, 1_000_000_000n],
  [14, 1_000_000n],
  [17, 1_000n],
  [20, 1n],
];

/** The time as ISO 8601 in UTC with as many decimals as it has, or undefined for what is none. */
export function timeText(value: string): string | undefined {
  const text = value.trim();
  const number = NUMBER.exec(text);
  if (number !== null) {
    const [, whole = '', fraction = ''] = number;
    const unit = UNITS.find(([digits]) => whole.replace(/^0+/u, '').length <= digits);
    if (unit === undefined) return undefined;
    const [, scale] = unit;
    const part = (BigInt(fraction.padEnd(9, '0')) * scale) / 1_000_000_000n;
    const total = BigInt(whole) * scale + part;
    return isoText(text.startsWith('-') ? -total : total);
  }
  const iso = ISO.exec(text);
  if (iso !== null) {
    const [, year, month, day, hour, minute, second, fraction, zone] = iso;
    return composed([year, month, day, hour, minute, second], fraction, zone);
  }
  const named = NAMED.exec(text);
  if (named === null) return undefined;
  const [, day, name = '', year, hour, minute, second, fraction, zone] = named;
  const month = MONTHS.indexOf(name.toLowerCase()) + 1;
  return composed([year, String(month), day, hour, minute, second], fraction, zone);
}

function composed(parts: readonly (string | undefined)[], fraction = '', zone = 'Z'): string | undefined {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map((part) => Number(part ?? 0));
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 60) return undefined;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  // The engine of dates would make the 31st of April the 1st of May.
  if (new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return undefined;
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/u.exec(zone) ?? [];
  const aheadMinutes = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1);
  return isoText(BigInt(ms - aheadMinutes * 60_000) * 1_000_000n + BigInt(fraction.padEnd(9, '0')));
}

function isoText(nanoseconds: bigint): string | undefined {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const date = new Date(Number((nanoseconds - rest) / 1_000_000n));
  const year = date.getTime();
  if (Number.isNaN(year) || date.getUTCFullYear() < 0 || date.getUTCFullYear() > 9999) return undefined;
  const digits = rest.toString().padStart(9, '0');
  const shown =
    rest === 0n
      ? ''
      : `.${digits.endsWith('000000') ? digits.slice(0, 3) : digits.endsWith('000') ? digits.slice(0, 6) : digits}`;
  return `${date.toISOString().slice(0, 19)}${shown}Z`;
}
