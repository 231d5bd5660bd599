/**
 * One value out of its text, for every type that is not made of others. The text is that of a JSON string, number or boolean,
 * so a numeric string counts as its number and a boolean as 1 or 0.
 *
 * Must stay true: no expression here throws for any text. What does not fit becomes NULL, and never the nearest value.
 */

import { quoteText } from './quote.ts';
import { timeOf } from './times.ts';
import type { ColumnType, Literal } from './type.ts';

const NARROW = /^U?Int(?:8|16|32|64)$/;
const WIDE = /^U?Int(?:128|256)$/;

/** Names an expression that is used more than once, where that can be done; else gives it back. */
export type Bind = (sql: string) => string;

const inPlace: Bind = (sql) => sql;

/** `Nullable(T)` of a `Nullable(String)`: NULL when there is no text, or the text is no value of the type. */
export function scalarOf(type: ColumnType, text: string, bind: Bind = inPlace): string {
  const { name } = type;
  if (NARROW.test(name)) return integer(text, (value) => `to${name}OrNull(${value})`, bind);
  if (WIDE.test(name)) return integer(text, (value) => wide(name, value), bind);
  switch (name) {
    case 'String':
      return text;
    case 'FixedString':
      return fixedString(type, text);
    case 'Float32':
    case 'Float64':
      return float(name, text, bind);
    case 'BFloat16':
      return `CAST(${float('Float32', text, bind)}, 'Nullable(BFloat16)')`;
    case 'Decimal':
    case 'Decimal32':
    case 'Decimal64':
    case 'Decimal128':
    case 'Decimal256':
      return decimal(decimalShape(type), text, bind);
    case 'Bool':
      return oneOf(text, BOOLEANS, 'Array(Nullable(Bool))');
    case 'Enum':
    case 'Enum8':
    case 'Enum16':
      return `CAST(${oneOf(text, enumTexts(type.literals), 'Array(Nullable(String))')}, ${quoteText(`Nullable(${type.text})`)})`;
    case 'UUID':
    case 'IPv4':
    case 'IPv6':
      return `to${name}OrNull(${text})`;
    case 'Date':
    case 'Date32':
    case 'DateTime':
    case 'DateTime64':
      return timeOf(type, text, bind);
    case 'JSON':
      // Of a text that is JSON, but no object, the engine makes an empty one.
      return `if(startsWith(${text}, '{'), accurateCastOrNull(${text}, ${quoteText(type.text)}), NULL)`;
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

/** Which numbers have to be read again because a 64-bit float, which the parse makes of them, may have lost their digits. */
export function losesDigits(type: ColumnType): 'any' | 'long' | 'none' {
  if (type.name.startsWith('Decimal')) return 'any';
  return /^U?Int(?:64|128|256)$/.test(type.name) ? 'long' : 'none';
}

/** Integers of at most so many digits are exact in a 64-bit float. */
export const EXACT_DIGITS = 15;

const BOOLEANS: ReadonlyMap<string, string> = new Map([
  ...['true', '1', 'True', 'TRUE'].map((text) => [text, 'true'] as const),
  ...['false', '0', 'False', 'FALSE'].map((text) => [text, 'false'] as const),
]);

function oneOf(text: string, values: ReadonlyMap<string, string>, type: string): string {
  const list = (items: Iterable<string>): string => `[${[...items].map(quoteText).join(', ')}]`;
  return `transform(${text}, ${list(values.keys())}, CAST(${list(values.values())}, ${quoteText(type)}), NULL)`;
}

/** Takes 1.0 and booleans as well, but only looks for them when there are no plain digits. */
function integer(text: string, convert: (value: string) => string, bind: Bind): string {
  const value = bind(convert(text));
  const whole = `extract(${text}, '^(-?[0-9]+)[.]0+$')`;
  const other = `multiIf(${text} = 'true', '1', ${text} = 'false', '0', ${whole})`;
  return `if(isNull(${value}), ${convert(other)}, ${value})`;
}

/** The engine does not notice when these overflow, but then they read differently. */
function wide(name: string, text: string): string {
  const value = `to${name}OrNull(${text})`;
  return `if(toString(${value}) = ${text}, ${value}, NULL)`;
}

/** Too large a number becomes infinite, which it may be only by name. */
function float(name: string, text: string, bind: Bind): string {
  const value = bind(`to${name}OrNull(${text})`);
  return `if(isFinite(${value}), ${value}, if(match(${text}, '^[-+]?(?i:nan|inf|infinity)$'), ${value}, NULL))`;
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
function decimal({ bits, precision, scale }: DecimalShape, text: string, bind: Bind): string {
  const convert = `toDecimal${bits}`;
  const value = `${convert}OrNull(${text}, ${scale})`;
  if ([9, 18, 38, 76].includes(precision)) return value;
  const most = `${'9'.repeat(precision - scale) || '0'}${scale === 0 ? '' : `.${'9'.repeat(scale)}`}`;
  const bound = bind(value);
  return `if(abs(${bound}) <= ${convert}(${quoteText(most)}, ${scale}), ${bound}, NULL)`;
}

/** By name, or by number where no name is that number's text. */
function enumTexts(literals: readonly Literal[]): Map<string, string> {
  const names = enumNames(literals);
  const texts = new Map([...names].map(([name, number]) => [String(number), name]));
  for (const name of names.keys()) texts.set(name, name);
  return texts;
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
