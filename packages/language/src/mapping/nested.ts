/**
 * Values of types that are made of others: arrays, maps, tuples. The common ones come out of the parse in a shape of their
 * own; everything else is taken apart from its JSON text, level by level.
 *
 * Must stay true: an element that does not fit makes the whole value not fit. Null is an element like any other in an array,
 * but a key of a map whose value is null is a missing key, as it is in a row.
 */

import { AppError } from '@glasshouse/model';
import { extract } from './json.ts';
import type { PathStep } from './path.ts';
import { quoteText } from './quote.ts';
import { losesDigits, scalarOf } from './scalar.ts';
import { unwrap, type ColumnType } from './type.ts';

/** A value and whether it is one. */
export interface Conversion {
  /** UInt8. */
  readonly fits: string;
  /** Of the type, or what the engine converts to it without an error; anything when it does not fit. */
  readonly value: string;
}

const TEXTS = 'Array(Nullable(String))';
const TEXT_MAP = 'Map(String, Nullable(String))';
const TEXT_MAPS = `Array(Variant(${TEXT_MAP}, String))`;

/** Each level is written twice in the statement, so it doubles with every one. */
const MAX_LEVELS = 6;

/** A shape that the parse can give a value, and what to make of it. */
export interface Shaped {
  readonly shape: string;
  /** The shape holds texts that are kept, and whose numbers may have lost digits. */
  readonly texts: boolean;
  /** The same shape with each of its texts replaced. */
  mapTexts(value: string, replace: (text: string) => string): string;
  /** UInt8: some text in it satisfies the condition. */
  anyText(value: string, condition: (text: string) => string): string;
  convert(value: string): Conversion;
}

/** How to read a value of the type in one go, or undefined when it has to be taken apart from its text. */
export function shapeOf(type: ColumnType): Shaped | undefined {
  const [first, second] = type.args;
  if (type.name === 'Array' && first !== undefined) {
    const element = unwrap(first);
    if (isScalar(element.type)) return scalars(element.type, element.nullable);
    const [key, value] = element.type.args;
    if (element.type.name === 'Map' && key !== undefined && value !== undefined) return maps(key, value);
  }
  return type.name === 'Map' && first !== undefined && second !== undefined ? mapShape(first, second) : undefined;
}

/** True for types that are one value. */
export function isScalar(type: ColumnType): boolean {
  return !['Array', 'Map', 'Tuple', 'Nested', 'Variant', 'Dynamic', 'AggregateFunction'].includes(type.name);
}

/** The value of a JSON text. Throws `bad_request` for a type that JSON has no form of. */
export function fromText(wrapped: ColumnType, text: string, level = 0): Conversion {
  const { type, nullable } = unwrap(wrapped);
  if (level > MAX_LEVELS) {
    throw new AppError('bad_request', `cannot map type=${type.text}: it has more than ${MAX_LEVELS} levels`);
  }
  if (isScalar(type)) {
    const value = scalarOf(type, text);
    if (nullable) return { fits: `(isNull(${text}) OR isNotNull(${value}))`, value };
    return { fits: `isNotNull(${value})`, value: `assumeNotNull(${value})` };
  }
  const json = `ifNull(${text}, '')`;
  const [first, second] = type.args;
  switch (type.name) {
    case 'Array':
      if (first !== undefined) return arrayOf(json, (element) => fromText(first, element, level + 1), level);
      break;
    case 'Map':
      if (first !== undefined && second !== undefined) {
        const map = convertMap(first, second, extract(json, [], TEXT_MAP), level);
        return { fits: `(JSONType(${json}) = 'Object' AND ${map.fits})`, value: map.value };
      }
      break;
    case 'Tuple':
      return tuple(type, json, level);
    default:
  }
  throw new AppError('bad_request', `cannot map type=${type.text}: there is no form of it in JSON`);
}

/** The elements of an array, each taken along the steps that follow `[:]`. */
export function fromElements(type: ColumnType, elements: string, steps: readonly PathStep[]): Conversion {
  const element = elementOf(type);
  const each = (text: string): Conversion => along(element, text, steps, 1);
  return every(elements, each, 0);
}

function along(type: ColumnType, text: string, steps: readonly PathStep[], level: number): Conversion {
  if (steps.length === 0) return fromText(type, text, level);
  const array = steps.indexOf(undefined);
  const keys = steps.slice(0, array === -1 ? steps.length : array) as string[];
  const json = `ifNull(${text}, '')`;
  if (array === -1) return fromText(type, extract(json, keys, 'Nullable(String)'), level);
  const inner = elementOf(unwrap(type).type);
  const rest = steps.slice(array + 1);
  return every(extract(json, keys, TEXTS), (element) => along(inner, element, rest, level + 1), level);
}

function elementOf(type: ColumnType): ColumnType {
  const [element] = type.args;
  if (type.name === 'Array' && element !== undefined) return element;
  throw new AppError('bad_request', `cannot map type=${type.text}: a path with [:] needs an Array for each of them`);
}

function arrayOf(json: string, convert: (element: string) => Conversion, level: number): Conversion {
  const array = every(extract(json, [], TEXTS), convert, level);
  return { fits: `(JSONType(${json}) = 'Array' AND ${array.fits})`, value: array.value };
}

/** Each element of an array of texts converted. */
function every(elements: string, convert: (element: string) => Conversion, level: number): Conversion {
  const name = `e${level}`;
  const { fits, value } = convert(name);
  return {
    fits: `NOT arrayExists(${name} -> NOT ${fits}, ${elements})`,
    value: `arrayMap(${name} -> ${value}, ${elements})`,
  };
}

/** By name out of an object, by place out of an array of the right length. */
function tuple(type: ColumnType, json: string, level: number): Conversion {
  const isObject = `JSONType(${json}) = 'Object'`;
  const isArray = `(JSONType(${json}) = 'Array' AND JSONLength(${json}) = ${type.args.length})`;
  const elements = type.args.map((argument, index) => {
    const byPlace = `JSONExtract(${json}, ${index + 1}, 'Nullable(String)')`;
    const label = type.labels[index];
    const byName = label === undefined ? undefined : extract(json, [label], 'Nullable(String)');
    return fromText(argument, byName === undefined ? byPlace : `if(${isObject}, ${byName}, ${byPlace})`, level + 1);
  });
  const kind = type.labels.length > 0 ? `(${isObject} OR ${isArray})` : isArray;
  return {
    fits: `(${[kind, ...elements.map(({ fits }) => fits)].join(' AND ')})`,
    value: `tuple(${elements.map(({ value }) => value).join(', ')})`,
  };
}

function scalars(type: ColumnType, nullable: boolean): Shaped {
  // Straight into numbers, because embeddings have thousands of them.
  const direct = !nullable && (type.name === 'Float32' || type.name === 'Float64');
  const values = (array: string): string =>
    direct || type.name === 'String' ? array : `arrayMap(e -> ${scalarOf(type, 'e')}, ${array})`;
  return {
    shape: direct ? `Array(Nullable(${type.name}))` : TEXTS,
    texts: keepsText(type),
    mapTexts: (array, replace) => `arrayMap(e -> ${replace('e')}, ${array})`,
    anyText: (array, condition) => `arrayExists(e -> ifNull(${condition('e')}, 0), ${array})`,
    convert: (array) => {
      const converted = values(array);
      if (nullable) {
        const bad = `arrayExists((e, v) -> isNotNull(e) AND isNull(v), ${array}, ${converted})`;
        return { fits: `NOT ${bad}`, value: converted };
      }
      const infinite = direct ? ` AND NOT arrayExists(v -> ifNull(isInfinite(v), 0), ${converted})` : '';
      return {
        fits: `(NOT has(${converted}, NULL)${infinite})`,
        value: `arrayMap(v -> assumeNotNull(v), ${converted})`,
      };
    },
  };
}

function mapShape(key: ColumnType, value: ColumnType): Shaped {
  return {
    shape: TEXT_MAP,
    texts: keepsText(unwrap(value).type),
    mapTexts: (map, replace) => `mapApply((k, v) -> (k, ${replace('v')}), ${map})`,
    anyText: (map, condition) => `arrayExists(v -> ifNull(${condition('v')}, 0), mapValues(${map}))`,
    convert: (map) => convertMap(key, value, map, 0),
  };
}

function maps(key: ColumnType, value: ColumnType): Shaped {
  const asMap = (element: string): string => `variantElement(${element}, ${quoteText(TEXT_MAP)})`;
  const { fits, value: converted } = convertMap(key, value, asMap('m'), 1);
  return {
    shape: TEXT_MAPS,
    texts: keepsText(unwrap(value).type),
    mapTexts: (array, replace) =>
      `arrayMap(m -> if(isNull(variantElement(m, 'String')) AND isNotNull(m), ` +
      `CAST(mapApply((k, v) -> (k, ${replace('v')}), ${asMap('m')}), ${quoteText(TEXT_MAPS.slice(6, -1))}), m), ${array})`,
    anyText: (array, condition) =>
      `arrayExists(m -> arrayExists(v -> ifNull(${condition('v')}, 0), mapValues(${asMap('m')})), ${array})`,
    convert: (array) => ({
      fits: `NOT arrayExists(m -> variantType(m) != ${quoteText(TEXT_MAP)} OR NOT (${fits}), ${array})`,
      value: `arrayMap(m -> ${converted}, ${array})`,
    }),
  };
}

/** True for types that would show a number that was written anew. */
function keepsText(type: ColumnType): boolean {
  return type.name === 'String' || type.name === 'FixedString' || losesDigits(type) !== 'none';
}

/** A map of texts into a map of the types; keys whose value is null are left out unless the type takes NULL. */
function convertMap(key: ColumnType, value: ColumnType, map: string, level: number): Conversion {
  const [k, v] = [`k${level}`, `v${level}`];
  const present = unwrap(value).nullable ? map : `mapFilter((${k}, ${v}) -> isNotNull(${v}), ${map})`;
  const keys = fromText(key, k, level + 1);
  const values = fromText(value, v, level + 1);
  const plain = [key, value].every((type) => unwrap(type).type.name === 'String');
  if (plain) {
    const mapped = unwrap(value).nullable
      ? present
      : `mapApply((${k}, ${v}) -> (${k}, assumeNotNull(${v})), ${present})`;
    return { fits: '1', value: mapped };
  }
  return {
    fits: `NOT arrayExists((${k}, ${v}) -> NOT (${keys.fits} AND ${values.fits}), mapKeys(${present}), mapValues(${present}))`,
    value: `mapFromArrays(arrayMap(${k} -> ${keys.value}, mapKeys(${present})), arrayMap(${v} -> ${values.value}, mapValues(${present})))`,
  };
}
