/**
 * The types that a template declares its parameters with, and how a given value becomes a value of the type (docs: query-parameters,
 * "Available data types"; which texts the service accepts was observed).
 *
 * Must stay true: what comes out of here renders to a literal of the type and nothing else; a value that does not fit is refused, never
 * changed into one that does.
 */

import { isDate, isDateTime } from './dates.ts';
import { MAX_ITEMS } from './limits.ts';
import { fromJson, listValue, numberOf, stringValue, textOf, type Value } from './value.ts';

interface ParameterType {
  readonly name: string;
  /** Reads a value that was given; undefined when it does not fit. */
  readonly read: (value: Value) => Value | undefined;
  /** What fits, for an error. */
  readonly expects: string;
  /** A value of the type, for checking a template without any. */
  readonly sample: Value;
}

const INTEGER_BITS = [8, 16, 32, 64, 128, 256] as const;
/** Numbers beyond this many bits are no integers in ClickHouse's literals, so they travel as text. */
export const LITERAL_BITS = 64;

const INTEGER = /^[+-]?[0-9]{1,100}$/u;
const FLOAT = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/u;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/iu;
const BOOLEANS: ReadonlyMap<string, bigint> = new Map([
  ['true', 1n],
  ['1', 1n],
  ['false', 0n],
  ['0', 0n],
  ['', 0n],
]);

const TYPES: ReadonlyMap<string, ParameterType> = new Map(
  [
    ...INTEGER_BITS.flatMap((bits) => [integerType(`Int${bits}`, bits, true), integerType(`UInt${bits}`, bits, false)]),
    integerType('Int', 32, true, false),
    integerType('Integer', 32, true, false),
    floatType('Float32', Math.fround),
    floatType('Float64', (value) => value),
    textType('String', 'text', () => true, ''),
    textType(
      'UUID',
      'a UUID such as 61f0c404-5cb3-11e7-907b-a6006ad3dba0',
      (text) => UUID.test(text),
      '00000000-0000-0000-0000-000000000000',
    ),
    textType('Date', 'a day written YYYY-MM-DD or YYYYMMDD', isDate, '2019-01-01'),
    textType('DateTime', 'a time written YYYY-MM-DD hh:mm:ss', isDateTime, '2019-01-01 00:00:00'),
    textType('DateTime64', 'a time written YYYY-MM-DD hh:mm:ss.mmm', isDateTime, '2019-01-01 00:00:00.000'),
    {
      name: 'Boolean',
      read: readBoolean,
      expects: 'true or false',
      sample: { kind: 'int', value: 0n },
    } satisfies ParameterType,
    {
      name: 'JSON',
      read: readJson,
      expects: 'JSON text',
      sample: fromJson({}) ?? stringValue(''),
    } satisfies ParameterType,
  ].map((type) => [type.name.toLowerCase(), type]),
);

/** The type of that name in any case; `Bool` is `Boolean`. */
export function typeNamed(name: string): ParameterType | undefined {
  const lowered = name.toLowerCase();
  return TYPES.get(lowered === 'bool' ? 'boolean' : lowered);
}

function integerType(name: string, bits: number, signed: boolean, typed = true): ParameterType {
  const [least, most] = signed
    ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]
    : [0n, 2n ** BigInt(bits) - 1n];
  const read = (value: Value): Value | undefined => {
    const number = wholeNumber(value);
    if (number === undefined || number < least || number > most) return undefined;
    return { kind: 'int', value: number, ...(typed && { type: name }) };
  };
  return {
    name,
    read,
    expects: `a whole number from ${least} to ${most}`,
    sample: { kind: 'int', value: 0n, ...(typed && { type: name }) },
  };
}

function wholeNumber(value: Value): bigint | undefined {
  if (value.kind === 'int') return value.value;
  if (value.kind === 'float') return Number.isSafeInteger(value.value) ? BigInt(value.value) : undefined;
  const text = textOf(value);
  return text !== undefined && INTEGER.test(text) ? BigInt(text.replace(/^\+/u, '')) : undefined;
}

/** NaN and infinities are refused, also those that come from rounding. */
function floatType(name: string, round: (value: number) => number): ParameterType {
  const read = (value: Value): Value | undefined => {
    const text = textOf(value);
    const given =
      text === undefined ? (value.kind === 'bool' ? undefined : numberOf(value)) : FLOAT.test(text) ? text : undefined;
    if (given === undefined) return undefined;
    const number = Number(given);
    return Number.isFinite(round(number)) ? { kind: 'float', value: number, type: name } : undefined;
  };
  return { name, read, expects: 'a finite number', sample: { kind: 'float', value: 0, type: name } };
}

function textType(name: string, expects: string, fits: (text: string) => boolean, sample: string): ParameterType {
  const read = (value: Value): Value | undefined => {
    const text = asText(value);
    return text !== undefined && fits(text) ? stringValue(text) : undefined;
  };
  return { name, read, expects, sample: stringValue(sample) };
}

/** Numbers and booleans of a JSON body are text for types that want text. */
export function asText(value: Value): string | undefined {
  if (value.kind === 'int' || value.kind === 'float' || value.kind === 'bool') return String(value.value);
  return textOf(value);
}

/** The service takes any other text for true; here it is a mistake. Rendered as 1 or 0, as documented. */
function readBoolean(value: Value): Value | undefined {
  const text = asText(value);
  const number = text === undefined ? undefined : BOOLEANS.get(text.toLowerCase());
  return number === undefined ? undefined : { kind: 'int', value: number };
}

function readJson(value: Value): Value | undefined {
  if (value.kind === 'dict' || (value.kind === 'list' && value.text === undefined)) return value;
  const text = textOf(value);
  return text === undefined ? undefined : parseJson(text);
}

function parseJson(text: string): Value | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  return fromJson(json);
}

/**
 * The list that a caller means by text for an array parameter: a JSON array (as vector search sends it), or else parts between commas.
 * Empty text is a list of one empty text, which is what templates compare with.
 */
export function arrayFromText(text: string): Value | undefined {
  if (/^\s*\[/u.test(text) && /\]\s*$/u.test(text)) {
    const json = parseJson(text);
    if (json?.kind === 'list') return listValue(json.items, false, text);
  }
  return listValue(text.split(',', MAX_ITEMS + 1).map(stringValue), false, text);
}

/** An element of an array as it is rendered: a bare number where ClickHouse has literals for it, so that long vectors stay short. */
export function arrayElement(type: ParameterType | undefined, value: Value): Value | undefined {
  if (type === undefined)
    return value.kind === 'list' || value.kind === 'dict' || value.kind === 'none' ? undefined : value;
  const trimmed = value.kind === 'string' && type.name !== 'String' ? stringValue(value.value.trim()) : value;
  const element = type.read(trimmed);
  if (element?.kind === 'int' && element.type !== undefined && bitsOf(element.type) <= LITERAL_BITS)
    return { kind: 'int', value: element.value };
  return element?.kind === 'float' ? { kind: 'float', value: element.value } : element;
}

/** Bits of an integer type by its name. */
export function bitsOf(type: string): number {
  return Number(/[0-9]+$/u.exec(type)?.[0] ?? '0');
}
