/**
 * Functions that cannot fail on a row, as data: whatever value a column has, they return one. An expression of nothing but these tells
 * nothing about rows that a filter hides, however early the engine evaluates it.
 *
 * Must stay true: a test calls each of them on the nastiest values of every type. What is doubtful stays off the lists; the price is
 * that the statement runs without the optimizations that would evaluate it before the filter.
 */

import { words } from './functions.ts';

/** When a function cannot fail. */
export type Totality =
  /** With any arguments of plain types (see fallible.ts). */
  | 'always'
  /** With arguments of one kind, or where none can be NULL: then the engine refuses the statement before it looks at a row. */
  | 'comparison'
  /** With constants behind the first argument: lengths, needles and paths are not read from rows. */
  | 'first'
  /** With one constant pattern without escapes. */
  | 'pattern'
  /** With one argument that is not constant at most. */
  | 'one'
  /** With a constant scale of one digit or up to 18, or none. */
  | 'rounding'
  /** With numbers that are neither decimals nor dates. */
  | 'numbers'
  /** With a whole number, by a constant greater than zero. */
  | 'divisor'
  /** Of a whole number, an enum, a date or a time in seconds; of a text it can fail. */
  | 'from numbers'
  /** With a date or a time, and constants. */
  | 'times'
  /** With a time that is no date, and constants. */
  | 'clock'
  /** With a lambda and one array or map. */
  | 'higher order'
  /** With a map, or an array and a constant index. */
  | 'element'
  /** From any type to text, or to a type that holds all values of the former. */
  | 'cast';

const LISTS: Readonly<Record<Totality, string>> = {
  always: `
    in notIn globalIn globalNotIn nullIn notNullIn globalNullIn globalNotNullIn
    and or not xor if multiIf
    isNull isNotNull isZeroOrNull ifNull coalesce assumeNotNull toNullable isNaN isFinite isInfinite
    empty notEmpty length lengthUTF8 lower upper lowerUTF8 upperUTF8 reverse concat trimLeft trimRight trimBoth
    startsWith endsWith toString identity materialize ignore toTypeName
    hex unhex base64Encode tryBase64Decode MD5 SHA1 SHA256 cityHash64 sipHash64 xxHash64 farmHash64
    array tuple tupleElement has hasAny hasAll indexOf countEqual arrayDistinct arrayReverse arrayConcat arrayFlatten
    mapKeys mapValues mapContainsKey mapContainsValue
    isValidJSON JSONType domain domainWithoutWWW protocol path topLevelDomain cutQueryString queryString
    rand rand64 generateUUIDv4 isIPv4String isIPv6String
    toInt8OrZero toInt16OrZero toInt32OrZero toInt64OrZero toUInt8OrZero toUInt16OrZero toUInt32OrZero toUInt64OrZero
    toInt8OrNull toInt16OrNull toInt32OrNull toInt64OrNull toUInt8OrNull toUInt16OrNull toUInt32OrNull toUInt64OrNull
    toFloat32OrZero toFloat64OrZero toFloat32OrNull toFloat64OrNull toDateOrZero toDateOrNull toDateTimeOrZero toDateTimeOrNull
    toUUIDOrZero toUUIDOrNull toIPv4OrZero toIPv4OrNull toIPv6OrZero toIPv6OrNull parseDateTimeBestEffortOrNull
    parseDateTimeBestEffortOrZero
  `,
  comparison: 'equals notEquals less lessOrEquals greater greaterOrEquals isDistinctFrom isNotDistinctFrom nullIf',
  first: `
    hasToken hasTokenCaseInsensitive position positionCaseInsensitive substring left right substringUTF8 arrayUniq
    replaceOne replaceAll countSubstrings transform arrayStringConcat
    JSONHas JSONLength JSONExtractString JSONExtractInt JSONExtractUInt JSONExtractFloat JSONExtractBool JSONExtractRaw
    JSONExtractArrayRaw JSONExtractKeys JSONExtract simpleJSONExtractString simpleJSONExtractInt simpleJSONExtractUInt
    simpleJSONExtractFloat simpleJSONExtractBool simpleJSONHas extractURLParameter
  `,
  pattern: 'like notLike ilike notILike',
  one: 'splitByChar splitByString',
  rounding: 'round floor ceil trunc',
  numbers: 'plus minus multiply divide negate abs sqrt log exp sign bitAnd bitOr bitXor greatest least',
  divisor: 'intDiv modulo positiveModulo intDivOrZero moduloOrZero',
  'from numbers': 'toInt8 toInt16 toInt32 toInt64 toUInt8 toUInt16 toUInt32 toUInt64 toFloat32 toFloat64',
  times: `
    toDate toDateTime toYear toQuarter toMonth toDayOfMonth toDayOfWeek toDayOfYear toYYYYMM toYYYYMMDD toMonday
    toStartOfYear toStartOfQuarter toStartOfMonth toStartOfWeek toStartOfDay formatDateTime
  `,
  clock: `
    toHour toMinute toSecond toStartOfHour toStartOfMinute toStartOfFiveMinutes toStartOfTenMinutes toStartOfFifteenMinutes
    toStartOfInterval dateTrunc toTimezone
  `,
  'higher order': 'arrayMap arrayFilter arrayExists arrayAll arrayCount arrayFirst arrayLast mapFilter mapApply',
  element: 'arrayElement',
  cast: 'CAST _CAST',
};

const TOTALITIES: ReadonlyMap<string, Totality> = new Map(
  Object.entries(LISTS).flatMap(([totality, list]) => words(list).map((name) => [name, totality as Totality] as const)),
);

const LOWERED: ReadonlyMap<string, Totality> = new Map(
  [...TOTALITIES].map(([name, rule]) => [name.toLowerCase(), rule]),
);

/** Of a time these can overflow, of a text they can fail. */
const BY_TYPE: ReadonlySet<Totality> = new Set([
  'cast',
  'clock',
  'divisor',
  'from numbers',
  'numbers',
  'rounding',
  'times',
]);

/**
 * Functions that read a text, and fail on one that does not say what they expect, or on a pattern that is none. No index evaluates them,
 * because they do not keep the order of texts.
 */
const READERS: ReadonlySet<string> = new Set(
  words(`
    toInt8 toInt16 toInt32 toInt64 toInt128 toInt256 toUInt8 toUInt16 toUInt32 toUInt64 toUInt128 toUInt256 toFloat32 toFloat64
    toDecimal32 toDecimal64 toDecimal128 toUUID toIPv4 toIPv6 toDate toDateTime toDateTime64 parseDateTime parseDateTimeBestEffort
    parseDateTime64BestEffort parseDateTime64 toBool CAST _CAST accurateCast JSON_VALUE JSON_QUERY JSON_EXISTS base64Decode
    like notLike ilike notILike match extract replaceRegexpOne replaceRegexpAll multiSearchAny multiSearchAnyCaseInsensitive
    parseReadableSize parseTimeDelta
  `),
);

/** When the function of this name, as the engine resolved it, cannot fail; undefined if it can. */
export function totality(name: string): Totality | undefined {
  return TOTALITIES.get(name);
}

/**
 * The same for a name as it was written, of which neither case nor types are known: undefined also where it depends on the types.
 */
export function totalityByName(name: string): Totality | undefined {
  const rule = LOWERED.get(name.toLowerCase());
  return rule === undefined || BY_TYPE.has(rule) ? undefined : rule;
}

/** Whether a function fails only because of what a text says. */
export function readsText(name: string): boolean {
  return READERS.has(name);
}

/** Whether a function, by its name as it was written, can be evaluated by an index on nothing but dates and times that it fits. */
export function fitsTimes(name: string): boolean {
  const rule = LOWERED.get(name.toLowerCase());
  return rule === 'times' || rule === 'clock';
}

/** Every function of the lists, for the test that calls them. */
export function totalFunctions(): readonly (readonly [string, Totality])[] {
  return [...TOTALITIES];
}
