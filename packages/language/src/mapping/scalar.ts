/**
 * One value out of its text, for every type that is not made of others. The text is that of a JSON string, number or boolean,
 * so a numeric string counts as its number and a boolean as 1 or 0.
 *
 * Must stay true: no expression here throws for any text. What does not fit becomes NULL, and never the nearest value.
 */

import { forSome, isNumber } from './json.ts';
import { quoteText } from './quote.ts';
import { timeOf } from './times.ts';
import type { ColumnType, Literal } from './type.ts';

const NARROW = /^U?Int(?:8|16|32|64)$/;
const WIDE = /^U?Int(?:128|256)$/;

/** `Nullable(T)` of a `Nullable(String)`: NULL when there is no text, or the text is no value of the type. */
export function scalarOf(type: ColumnType, text: string): string {
  const { name } = type;
  if (NARROW.test(name)) return integer(text, (value) => `to${name}OrNull(${value})`);
  if (WIDE.test(name)) return integer(text, (value) => wide(name, value));
  switch (name) {
    case 'String':
      return text;
    case 'FixedString':
      return fixedString(type, text);
    case 'Float32':
    case 'Float64':
      return float(name, text);
    case 'BFloat16':
      return `CAST(${float('Float32', text)}, 'Nullable(BFloat16)')`;
    case 'Decimal':
    case 'Decimal32':
    case 'Decimal64':
    case 'Decimal128':
    case 'Decimal256':
      return decimal(decimalShape(type), text);
    case 'Bool':
      return `transform(${text}, ['true', 'false', '1', '0', 'True', 'False', 'TRUE', 'FALSE'], [1, 0, 1, 0, 1, 0, 1, 0]::Array(Nullable(UInt8)), NULL)`;
    case 'Enum':
    case 'Enum8':
    case 'Enum16':
      return enumeration(type, text);
    case 'UUID':
    case 'IPv4':
    case 'IPv6':
      return `to${name}OrNull(${text})`;
    case 'Date':
    case 'Date32':
    case 'DateTime':
    case 'DateTime64':
      return timeOf(type, text);
    default:
      return `accurateCastOrNull(${text}, ${quoteText(type.text)})`;
  }
}

/** What a value of the type looks like, for an error. Empty when the type's name says it. */
export function hintOf(type: ColumnType): string {
  const { name } = type;
  const integers = /^(U?)Int(\d+)$/.exec(name);
  if (integers !== null) {
    const bits = BigInt(integers[2] ?? 64);
    const [low, high] = integers[1] === 'U' ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
    return `a whole number from ${low} to ${high}`;
  }
  switch (name) {
    case 'FixedString':
      return `at most ${numberAt(type, 0)} bytes`;
    case 'Bool':
      return 'true or false';
    case 'Enum':
    case 'Enum8':
    case 'Enum16':
      return 'one of its names or numbers';
    case 'Date':
      return 'a day such as 2025-01-31, from 1970 to 2149';
    case 'Date32':
      return 'a day such as 2025-01-31, from 1900 to 2299';
    case 'DateTime':
      return 'a time such as 2025-01-31T10:00:00Z or seconds since 1970, up to 2106';
    case 'DateTime64':
      return 'a time such as 2025-01-31T10:00:00.123Z or seconds since 1970';
    default:
      return name.startsWith('Decimal') ? 'a number with few enough digits' : '';
  }
}

/** Text of at most so many bytes cannot have lost a digit on its way through a 64-bit float. */
export const EXACT_DIGITS = 15;

/** True for types whose digits matter beyond those of a 64-bit float. */
export function needsDigits(type: ColumnType): boolean {
  return type.name.startsWith('Decimal');
}

function integer(text: string, convert: (value: string) => string): string {
  const value = convert(text);
  return `ifNull(${value}, ${forSome(`isNull(${value}) AND isNotNull(${text})`, convert(wholeNumber(text)))})`;
}

/** The digits of a boolean and of a number like 1.0 or 1e3; NULL for what is not whole. */
function wholeNumber(text: string): string {
  const number = `toDecimal256OrNull(${text}, 30)`;
  const whole = `if(${isNumber(text)} AND trunc(${number}) = ${number}, toString(trunc(${number})), NULL)`;
  return `multiIf(${text} = 'true', '1', ${text} = 'false', '0', ${whole})`;
}

/** The engine does not notice when these overflow, but then they read differently. */
function wide(name: string, text: string): string {
  const value = `to${name}OrNull(${text})`;
  return `if(toString(${value}) = ${text}, ${value}, NULL)`;
}

/** Too large a number becomes infinite, which it may be only by name. */
function float(name: string, text: string): string {
  const value = `to${name}OrNull(${text})`;
  const boolean = `transform(${text}, ['true', 'false'], [1, 0]::Array(Nullable(${name})), NULL)`;
  return (
    `multiIf(isNull(${value}), if(isNotNull(${text}), ${boolean}, NULL), ` +
    `isInfinite(${value}) AND NOT match(${text}, '(?i)inf'), NULL, ${value})`
  );
}

/** The engine throws for one that is too long, also where a NULL hides it, so the long text has to be gone before. */
function fixedString(type: ColumnType, text: string): string {
  const short = `length(${text}) <= ${numberAt(type, 0)}`;
  const kept = `CAST(if(${short}, ${text}, ''), ${quoteText(`Nullable(${type.text})`)})`;
  return `if(${short}, ${kept}, NULL)`;
}

interface DecimalShape {
  readonly bits: number;
  readonly precision: number;
  readonly scale: number;
}

function decimalShape(type: ColumnType): DecimalShape {
  const fixed = /^Decimal(32|64|128|256)$/.exec(type.name)?.[1];
  if (fixed !== undefined) {
    const precision = { 32: 9, 64: 18, 128: 38, 256: 76 }[fixed] ?? 76;
    return { bits: Number(fixed), precision, scale: numberAt(type, 0) };
  }
  const precision = type.literals.length === 0 ? 10 : numberAt(type, 0);
  const bits = precision <= 9 ? 32 : precision <= 18 ? 64 : precision <= 38 ? 128 : 256;
  return { bits, precision, scale: type.literals.length < 2 ? 0 : numberAt(type, 1) };
}

/** Digits behind the last that the type has are cut off; the engine itself lets more in front through than the type says. */
function decimal({ bits, precision, scale }: DecimalShape, text: string): string {
  const convert = `toDecimal${bits}`;
  const value = `${convert}OrNull(${text}, ${scale})`;
  const most = `${'9'.repeat(precision - scale) || '0'}${scale === 0 ? '' : `.${'9'.repeat(scale)}`}`;
  const limit = `${convert}(${quoteText(most)}, ${scale})`;
  return `if(${value} <= ${limit} AND ${value} >= -${limit}, ${value}, NULL)`;
}

/** By name, or by number where no name is that number's text. */
function enumeration(type: ColumnType, text: string): string {
  const names = enumNames(type.literals);
  const known = new Map([...names].map(([name, number]) => [String(number), name]));
  for (const name of names.keys()) known.set(name, name);
  const list = (values: Iterable<string>): string => `[${[...values].map(quoteText).join(', ')}]`;
  const name = `transform(${text}, ${list(known.keys())}, ${list(known.values())}::Array(Nullable(String)), NULL)`;
  return `CAST(${name}, ${quoteText(`Nullable(${type.text})`)})`;
}

/** A name without a number has the next one, from 1. */
function enumNames(literals: readonly Literal[]): Map<string, number> {
  const names = new Map<string, number>();
  let last: string | undefined;
  let next = 1;
  for (const literal of literals) {
    if ('string' in literal) {
      last = literal.string;
      names.set(last, next);
      next += 1;
    } else if (last !== undefined) {
      names.set(last, Number(literal.number));
      next = Number(literal.number) + 1;
    }
  }
  return names;
}

function numberAt(type: ColumnType, index: number): number {
  const literal = type.literals[index];
  return literal !== undefined && 'number' in literal ? Number(literal.number) : 0;
}
