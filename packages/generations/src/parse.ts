/**
 * A source's text as the value of a column: what the compiled SQL does with the same patterns (`convert.ts`).
 *
 * Must stay true: a text that is no value of the column is undefined, and nothing here throws.
 */

import { callsText } from './calls.ts';
import type { ColumnKind } from './columns.ts';
import { COUNT, DECIMALS, MONEY, NANOSECONDS, NUMBER, SIZE } from './convert.ts';
import type { Conversion } from './source.ts';
import { Instant, type PackedValue } from './packed.ts';
import { readTime } from './time.ts';
import type { WordTable } from './words.ts';

/**
 * A value of a row: times are nanoseconds since 1970, amounts whole numbers of 1e-12 dollars, both as decimal texts; null is
 * nothing.
 */
export type RowValue = string | number | boolean | null;

const IS_COUNT = new RegExp(COUNT);
const IS_MONEY = new RegExp(MONEY);
const IS_NANOSECONDS = new RegExp(NANOSECONDS);
const IS_NUMBER = new RegExp(NUMBER);
const IS_SIZE = new RegExp(SIZE);
/** Times from here on are no nanoseconds (`NANOSECONDS`). */
const MAX_NS = 9_000_000_000_000_000_000n;
const SECOND_NS = 1_000_000_000n;
/** Amounts of 15 digits: of so many, no two are one double. */
const MAX_AMOUNT = 1e15;

/** How what stands in a source (a text, a number, a flag, a piece of JSON; never nothing) becomes a value of a column of the kind. */
export function converter(kind: ColumnKind, as: Conversion | undefined): (value: unknown) => PackedValue | undefined {
  if (kind === 'time') return timeConverter(as);
  const parse = (value: unknown): RowValue | undefined => parseText(kind, textOf(value), as);
  // Numbers and flags that need no text in between, and texts that are taken as they are.
  if (kind === 'number' && (as === undefined || as === 'nanoseconds')) {
    const unit = as === undefined ? 1 : 1e6;
    return (value) => (typeof value === 'number' && value >= 1e-90 && value < 1e15 ? value / unit : parse(value));
  }
  if (typeof as === 'object') {
    const [word, convert] = [wordOf(as.words), converter(kind, undefined)];
    return (value) => {
      const found = word(textOf(value));
      return found === undefined ? undefined : convert(found);
    };
  }
  if (as !== undefined) return parse;
  if (kind === 'count') return (value) => (isCount(value) ? value : parse(value));
  if (kind === 'money') return (value) => (typeof value === 'number' ? amountIn(value) : undefined) ?? parse(value);
  if (kind === 'flag') return (value) => (typeof value === 'boolean' ? value : parse(value));
  if (kind === 'text' || kind === 'json') return textOf;
  return parse;
}

/** Each has a time of its own, which it returns each time. */
function timeConverter(as: Conversion | undefined): (value: unknown) => Instant | undefined {
  const instant = new Instant();
  if (as === 'nanoseconds') {
    return (value) => {
      const ns = typeof value === 'bigint' ? value : nanosecondsOf(textOf(value));
      if (ns === undefined || ns < 0n || ns >= MAX_NS) return undefined;
      instant.seconds = Number(ns / SECOND_NS);
      instant.nanoseconds = Number(ns % SECOND_NS);
      return instant;
    };
  }
  return (value) => (readTime(textOf(value), instant) ? instant : undefined);
}

/** A number of dollars, if it is one of 1e-12 dollars and few digits: the decimal that is meant, as no other of so many is that double. */
function amountIn(dollars: number): number | undefined {
  const amount = Math.round(dollars * 1e12);
  return amount >= 0 && amount <= MAX_AMOUNT && amount / 1e12 === dollars ? amount : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1e14 && !Object.is(value, -0);
}

/** A value as the sources see it. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}

/** The value that a text is for a column of the kind. */
function parseText(kind: ColumnKind, raw: string, as: Conversion | undefined): RowValue | undefined {
  const text = converted(raw, as);
  if (text === undefined) return undefined;
  switch (kind) {
    case 'count':
      return as === 'whole seconds' ? wholeMilliseconds(text) : IS_COUNT.test(text) ? Number(text) : undefined;
    case 'number':
      return IS_NUMBER.test(text)
        ? (Number(text) * (as === 'seconds' ? 1e3 : 1)) / (as === 'nanoseconds' ? 1e6 : 1)
        : undefined;
    case 'flag':
      return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : undefined;
    case 'money':
      return IS_MONEY.test(text) ? amountOf(text) : undefined;
    default:
      return text === '' ? undefined : text;
  }
}

/** Milliseconds from one time to another; undefined if the second is earlier. */
export function elapsedMs(from: Instant, until: Instant): number | undefined {
  if (from.seconds >= 0 && until.seconds >= 0) {
    const ns = (until.seconds - from.seconds) * 1e9 + until.nanoseconds - from.nanoseconds;
    if (Number.isSafeInteger(ns)) return ns < 0 ? undefined : ns / 1e6;
  }
  const ns = BigInt(until.toString()) - BigInt(from.toString());
  return ns < 0n ? undefined : Number(ns) / 1e6;
}

function converted(raw: string, as: Conversion | undefined): string | undefined {
  if (as === 'width' || as === 'height') return IS_SIZE.exec(raw)?.[as === 'width' ? 1 : 2];
  if (as === 'present') return 'true';
  if (as === 'calls' || as === 'calls in messages') return callsText(raw, as !== 'calls');
  return raw;
}

/** How a text becomes a word of the table. */
function wordOf({ words, open }: WordTable): (text: string) => string | undefined {
  const known = new Map(Object.entries(words));
  const longest = Math.max(...[...known.keys()].map(({ length }) => length));
  return (text) => {
    const word = known.get(text) ?? (text.length > longest ? undefined : known.get(asciiLower(text)));
    return word ?? (open ? text : undefined);
  };
}

function asciiLower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function wholeMilliseconds(text: string): number | undefined {
  if (!IS_NUMBER.test(text)) return undefined;
  const ms = Math.floor(Number(text) * 1_000 + 0.5);
  return ms < 1e14 ? ms : undefined;
}

function nanosecondsOf(text: string): bigint | undefined {
  return IS_NANOSECONDS.test(text) ? BigInt(text) : undefined;
}

/** Exact, in 1e-12 dollars; what is smaller is cut off. */
function amountOf(text: string): string | undefined {
  const [, whole = '', fraction = '', exponent] = /^([0-9]+)(?:[.]([0-9]+))?(?:[eE](-?[0-9]+))?$/.exec(text) ?? [];
  if (exponent === undefined) {
    // The digits themselves.
    const digits = whole + fraction.slice(0, DECIMALS).padEnd(DECIMALS, '0');
    return digits.replace(/^0+(?=.)/, '');
  }
  const shift = Number(exponent) - fraction.length + DECIMALS;
  const digits = BigInt(whole + fraction);
  const amount = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  return amount < 10n ** 27n ? amount.toString() : undefined;
}
