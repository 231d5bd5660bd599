/**
 * Dates and times out of texts. The engine's best-effort parser takes "12" for a day of this month, lets hours roll over and
 * moves what is out of range to the nearest it has, so a text has to look like a time before it is parsed.
 *
 * Accepted: ISO 8601 and SQL times from 1900 to 2299, with a fraction of any length, with `Z`, an offset or nothing (then the
 * column's zone, UTC without one); a day alone, also as YYYYMMDD; and a number since 1970, by its digits: 9 or 10 are seconds, with
 * a fraction or without, 13 milliseconds, 16 microseconds, 19 nanoseconds.
 */

import { quoteText } from './quote.ts';
import type { ColumnType } from './type.ts';

const DAY = '(?:19|2[0-2])[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])';
const CLOCK = String.raw`(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?`;
const ZONE = '(?: ?(?:Z|UTC|GMT|[-+][01][0-9](?::?[0-5][0-9])?))?';
const COMPACT_DAY = '(?:19|2[0-2])[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])';
const EPOCH = String.raw`[0-9]{9,10}(?:\.[0-9]+)?|[0-9]{13}|[0-9]{16}|[0-9]{19}`;
const TIME = `^(?:${DAY}(?:[T ]${CLOCK}${ZONE})?|${COMPACT_DAY}|${EPOCH})$`;

/**
 * `Nullable` of a date or time type, NULL when the text is none or is out of the type's range. `bind` names what is used more
 * than once.
 */
export function timeOf(type: ColumnType, text: string, bind: (sql: string) => string): string {
  const instant = (scale: number, zone: string): string =>
    `if(match(${text}, ${quoteText(TIME)}), parseDateTime64BestEffortOrNull(${text}, ${scale}, ${quoteText(zone)}), NULL)`;
  switch (type.name) {
    case 'DateTime64':
      return instant(scaleOf(type), zoneOf(type));
    case 'DateTime': {
      const time = bind(instant(3, zoneOf(type)));
      // One comparison for both ends: without its sign a time before 1970 is a very large number.
      const inRange = `reinterpretAsUInt64(toUnixTimestamp64Milli(${time})) < 4294967296000`;
      return `if(${inRange}, toDateTime(${time}, ${quoteText(zoneOf(type))}), NULL)`;
    }
    case 'Date': {
      const day = bind(`toDate32(${instant(3, 'UTC')})`);
      return `if(reinterpretAsUInt32(toInt32(${day})) < 65536, toDate(${day}), NULL)`;
    }
    default:
      return `toDate32(${instant(3, 'UTC')})`;
  }
}

function scaleOf(type: ColumnType): number {
  const [first] = type.literals;
  return first !== undefined && 'number' in first ? Number(first.number) : 3;
}

function zoneOf(type: ColumnType): string {
  const zone = type.literals.find((literal) => 'string' in literal);
  return zone !== undefined && 'string' in zone ? zone.string : 'UTC';
}
