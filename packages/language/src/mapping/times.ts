/**
 * Dates and times out of texts. The engine's best-effort parser takes "12" for a day of this month, lets hours roll over and
 * moves what is out of range to the nearest it has, so a text has to look like a time before it is parsed.
 *
 * Accepted: ISO 8601 and SQL times from 1900 to 2299, with a fraction of any length, with `Z`, an offset or nothing (then the
 * column's zone, UTC without one); for dates also YYYYMMDD. A number is a time since 1970 by its size: below 10^11 seconds,
 * below 10^14 milliseconds, below 10^17 microseconds, else nanoseconds; fractions are allowed.
 */

import { forSome } from './json.ts';
import { quoteText } from './quote.ts';
import type { ColumnType } from './type.ts';

const DAY = '(?:19|2[0-2])[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])';
const CLOCK = String.raw`(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?`;
const ZONE = '(?: ?(?:Z|UTC|GMT|[-+][01][0-9](?::?[0-5][0-9])?))?';
const TIME = `^${DAY}(?:[T ]${CLOCK}${ZONE})?$`;
const EPOCH = String.raw`^-?[0-9]{1,19}(?:\.[0-9]+)?$`;

/** Seconds since 1970 of 1900-01-01 and of 2300-01-01. */
const FIRST_SECOND = -2_208_988_800;
const END_SECOND = 10_413_792_000;
/** What 64 bits of nanoseconds reach, with room for a fraction: 1677 to 2262. */
const NANO_SECONDS = 9_223_372_036;

/** `Nullable` of a date or time type, NULL when the text is none or is out of the type's range. */
export function timeOf(type: ColumnType, text: string): string {
  switch (type.name) {
    case 'DateTime':
      return dateTime(type, text);
    case 'DateTime64':
      return instant(text, scaleOf(type), zoneOf(type));
    case 'Date':
      return date(text, 'toDateOrNull', 'toDate');
    default:
      return date(text, 'toDate32OrNull', 'toDate32');
  }
}

function dateTime(type: ColumnType, text: string): string {
  const zone = zoneOf(type);
  const time = instant(text, 3, zone);
  // One comparison for both ends: a time before 1970 is a very large number without a sign.
  const inRange = `reinterpretAsUInt64(toUnixTimestamp64Milli(${time})) < 4294967296000`;
  return `if(${inRange}, toDateTime(${time}, ${quoteText(zone)}), NULL)`;
}

/** `Nullable(DateTime64)`. */
function instant(text: string, scale: number, zone: string): string {
  const parsed = `parseDateTime64BestEffortOrNull(${text}, ${scale}, ${quoteText(zone)})`;
  const isTime = `match(${text}, ${quoteText(TIME)})`;
  const number = forSome(`ifNull(NOT ${isTime}, 0)`, epoch(text, scale, zone));
  return `if(${isTime}, ${parsed}, ${number})`;
}

function epoch(text: string, scale: number, zone: string): string {
  const number = `if(match(${text}, ${quoteText(EPOCH)}), toDecimal128OrNull(${text}, 9), NULL)`;
  const size = `abs(${number})`;
  const seconds =
    `multiIf(${size} < 100000000000, ${number}, ${size} < 100000000000000, ${number} / 1000, ` +
    `${size} < 100000000000000000, ${number} / 1000000, ${number} / 1000000000)`;
  const [first, end] = scale >= 9 ? [-NANO_SECONDS, NANO_SECONDS] : [FIRST_SECOND, END_SECOND];
  const inRange = `${seconds} >= ${first} AND ${seconds} < ${end}`;
  // The conversion throws for what is out of range, also where a NULL hides it.
  const kept = `if(${inRange}, assumeNotNull(${seconds}), toDecimal128(0, 9))`;
  return `if(${inRange}, CAST(${kept}, ${quoteText(`Nullable(DateTime64(${scale}, ${quoteText(zone)}))`)}), NULL)`;
}

/** A day that is written comes back as it was written; 30 February would not. */
function date(text: string, parse: string, convert: string): string {
  const compact = `concat(substring(${text}, 1, 4), '-', substring(${text}, 5, 2), '-', substring(${text}, 7, 2))`;
  const day = `multiIf(match(${text}, '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'), ${text}, match(${text}, '^[0-9]{8}$'), ${compact}, NULL)`;
  const parsed = `if(toString(${parse}(${day})) = ${day}, ${parse}(${day}), NULL)`;
  const time = `if(match(${text}, ${quoteText(TIME)}), toDate32(parseDateTime64BestEffortOrNull(${text}, 3, 'UTC')), NULL)`;
  const fromTime = `if(toString(${convert}(${time})) = toString(${time}), ${convert}(${time}), NULL)`;
  return `if(length(${text}) > 10, ${fromTime}, ${parsed})`;
}

function scaleOf(type: ColumnType): number {
  const [first] = type.literals;
  return first !== undefined && 'number' in first ? Number(first.number) : 3;
}

function zoneOf(type: ColumnType): string {
  const zone = type.literals.find((literal) => 'string' in literal);
  return zone !== undefined && 'string' in zone ? zone.string : 'UTC';
}
