/**
 * One column of a data source as a piece of the statement: what it takes from the parse, whether that fits, and the value
 * that is inserted.
 *
 * Must stay true: a value is missing when its path is not there or holds null; then the DEFAULT counts, or NULL where the type
 * takes it. A column that has neither does not fit without a value, text columns included: an event that lost a part its
 * schema counts on is to be seen in the quarantine, and `DEFAULT ''` is there for whoever wants it otherwise.
 */

import { AppError, type DataSourceColumn } from '@glasshouse/model';
import { isLiteral, userExpression } from './expression.ts';
import { exactNumber, exactText, extract, isNumber, unmarked, type Origin } from './json.ts';
import { fromElements, fromText, isScalar, shapeOf, type Shaped } from './nested.ts';
import type { Found, Want } from './parse.ts';
import { parsePath, type JsonPath } from './path.ts';
import { quoteName, quoteText } from './quote.ts';
import { EXACT_DIGITS, needsDigits, scalarOf } from './scalar.ts';
import { parseType, unwrap, type ColumnType } from './type.ts';

/** A column, its type and its path taken apart. */
export interface ReadColumn {
  readonly column: DataSourceColumn;
  readonly type: ColumnType;
  /** The type inside `Nullable` and `LowCardinality`. */
  readonly inner: ColumnType;
  readonly nullable: boolean;
  readonly path: JsonPath;
  /** What the parse has to find; undefined for the whole row. */
  readonly want: Want | undefined;
}

/** Aliases that a column adds, and what it makes of them. */
export interface ColumnSql {
  /** `expression AS alias`. */
  readonly aliases: readonly string[];
  /** UInt8: the row brings no value. */
  readonly missing: string;
  /** UInt8 or undefined when every row fits. */
  readonly fits: string | undefined;
  /** The column's value, of its type; anything for a row that does not fit. */
  readonly value: string;
}

/** Where the pieces of a statement are. */
export interface Scope {
  /** The line as it came, the line as it is parsed, and the line with marked numbers. */
  readonly line: string;
  readonly json: string;
  readonly marked: string;
  /** When the row arrived, DateTime64(3, 'UTC'). */
  readonly at: string;
}

/**
 * Takes a column apart. Undefined for one that no row brings: computed columns and states of aggregate functions.
 * Throws `bad_request` for a type or a path that cannot be mapped.
 */
export function readColumn(column: DataSourceColumn): ReadColumn | undefined {
  if (column.kind === 'MATERIALIZED' || column.kind === 'ALIAS') return undefined;
  const type = parseType(column.type);
  const { type: inner, nullable } = unwrap(type);
  if (inner.name === 'AggregateFunction') return undefined;
  const path = column.jsonPath === undefined ? { keys: [column.name], each: undefined } : parsePath(column.jsonPath);
  if (inner.name !== 'Array' && path.each !== undefined && path.each.length > 0) {
    throw new AppError(
      'bad_request',
      `cannot map column=${column.name}: ${column.jsonPath} gives an array, so the type must be Array(…)`,
    );
  }
  if (inner.name === 'Array' && path.keys.length === 0) {
    throw new AppError('bad_request', `cannot map column=${column.name}: a row is an object, so $ is no Array`);
  }
  return { column, type, inner, nullable, path, want: wantOf(inner, path) };
}

/** Whether a row without a value of its own fits. */
export function isOptional({ column, nullable }: ReadColumn): boolean {
  return nullable || column.expression !== undefined || column.kind === 'EPHEMERAL';
}

/** The SQL of a column. `index` makes its aliases unique; `find` answers for `read.want`. */
export function columnSql(read: ReadColumn, index: number, scope: Scope, find: (want: Want) => Found): ColumnSql {
  const origin = { line: scope.line, marked: scope.marked, keys: read.path.keys };
  if (read.want === undefined) return wholeRow(read, index, scope);
  const found = find(read.want);
  if (isScalar(read.inner)) return scalarColumn(read, index, scope, textOf(read, index, found.value, origin));
  const { aliases, fits, value } = nestedValue(read, index, found, origin);
  return {
    aliases,
    missing: found.missing,
    fits: isOptional(read) ? `(${found.missing} OR ${fits})` : `(NOT ${found.missing} AND ${fits})`,
    value: finish(read, scope, value, found.missing),
  };
}

function wantOf(type: ColumnType, path: JsonPath): Want | undefined {
  if (path.keys.length === 0) return undefined;
  if (type.name === 'Array' && path.each !== undefined && path.each.length > 0) {
    return { shape: 'Array(Nullable(String))' };
  }
  const shaped = shapeOf(type);
  return shaped === undefined ? 'text' : { shape: shaped.shape };
}

/** The row's own line, byte for byte, or what its JSON gives. */
function wholeRow(read: ReadColumn, index: number, scope: Scope): ColumnSql {
  if (read.inner.name === 'String') {
    return { aliases: [], missing: '0', fits: undefined, value: cast(scope.line, read) };
  }
  const { fits, value } = fromText(read.inner, scope.json);
  const aliases = [`${fits} AS m__f${index}`, `${value} AS m__v${index}`];
  return { aliases, missing: '0', fits: `m__f${index}`, value: cast(`m__v${index}`, read) };
}

interface TextSql {
  readonly aliases: readonly string[];
  readonly text: string;
}

/** The text of a value with all the digits that the type can take. */
function textOf({ inner }: ReadColumn, index: number, text: string, origin: Origin): TextSql {
  const exact = `m__x${index}`;
  if (inner.name === 'String' || inner.name === 'FixedString') {
    return { aliases: [`${exactText(text, origin)} AS ${exact}`], text: exact };
  }
  if (!needsDigits(inner)) return { aliases: [], text };
  const long = `length(${text}) > ${EXACT_DIGITS} AND ${isNumber(text)}`;
  return { aliases: [`if(${long}, ${exactNumber(text, origin)}, ${text}) AS ${exact}`], text: exact };
}

function scalarColumn(read: ReadColumn, index: number, scope: Scope, { aliases, text }: TextSql): ColumnSql {
  const converted = scalarOf(read.inner, text);
  const value = converted === text ? text : `m__v${index}`;
  const missing = `isNull(${text})`;
  const fitting = converted === text ? undefined : `isNotNull(${value})`;
  return {
    aliases: converted === text ? aliases : [...aliases, `${converted} AS ${value}`],
    missing,
    fits: isOptional(read) ? fitting && `(${missing} OR ${fitting})` : `isNotNull(${value})`,
    value: finishScalar(read, scope, value),
  };
}

interface NestedSql {
  readonly aliases: readonly string[];
  readonly fits: string;
  readonly value: string;
}

function nestedValue(read: ReadColumn, index: number, found: Found, origin: Origin): NestedSql {
  const { inner, path, want } = read;
  const [f, v] = [`m__f${index}`, `m__v${index}`];
  if (want === 'text' || want === undefined) {
    const { fits, value } = fromText(inner, found.value);
    return { aliases: [`${fits} AS ${f}`, `${value} AS ${v}`], fits: f, value: v };
  }
  const taken = `variantElement(${found.value}, ${quoteText(want.shape)})`;
  const isShape = `variantType(${found.value}) = ${quoteText(want.shape)}`;
  const shaped = path.each === undefined || path.each.length === 0 ? shapeOf(inner) : undefined;
  const elements = exactElements(shaped, want.shape, taken, origin);
  const { fits, value } =
    shaped === undefined ? fromElements(inner, taken, path.each ?? []) : shaped.convert(`m__x${index}`);
  return {
    aliases: [
      ...(shaped === undefined ? [] : [`${elements} AS m__x${index}`]),
      `(${isShape} AND ${fits}) AS ${f}`,
      `${value} AS ${v}`,
    ],
    fits: f,
    value: v,
  };
}

/** The texts of an array or map once more, from the marked line, if the engine may have written some number anew. */
function exactElements(shaped: Shaped | undefined, shape: string, taken: string, origin: Origin): string {
  if (shaped === undefined || !shaped.texts) return taken;
  const key = origin.keys.at(-1) ?? '';
  const raw = /^[\w .$@:-]+$/.test(key)
    ? `if(countSubstrings(${origin.line}, ${quoteText(`"${key}"`)}) = 1, simpleJSONExtractRaw(${origin.line}, ${quoteText(key)}), ${origin.line})`
    : origin.line;
  const numeric = shaped.anyText(taken, (text) => `${text} >= '-' AND ${text} < ':'`);
  const rewritten = `match(${raw}, '[:,[]\\\\s*-?[0-9]+[.eE]')`;
  return `if(${numeric} AND ${rewritten}, ${shaped.mapTexts(extract(origin.marked, origin.keys, shape), unmarked)}, ${taken})`;
}

/** With the default in the place of NULL. */
function finishScalar(read: ReadColumn, scope: Scope, value: string): string {
  const { column, inner, nullable } = read;
  if (column.expression !== undefined && isLiteral(column.expression) && !nullable) {
    return cast(`ifNull(${value}, ${defaultOf(read, scope, inner.text)})`, read);
  }
  if (nullable) {
    return column.expression === undefined ? cast(value, read) : finish(read, scope, value, `isNull(${value})`);
  }
  return finish(read, scope, `assumeNotNull(${value})`, `isNull(${value})`);
}

function finish(read: ReadColumn, scope: Scope, value: string, missing: string): string {
  const { column, inner, nullable } = read;
  const type = nullable ? `Nullable(${inner.text})` : inner.text;
  if (column.expression === undefined && column.kind !== 'EPHEMERAL') return cast(value, read);
  return cast(`if(${missing}, ${defaultOf(read, scope, type)}, CAST(${value}, ${quoteText(type)}))`, read);
}

function defaultOf({ column }: ReadColumn, scope: Scope, type: string): string {
  if (column.expression === undefined) return `defaultValueOfTypeName(${quoteText(type)})`;
  const expression = userExpression(column.expression, `default of column ${column.name}`, scope.at);
  return `CAST(${expression}, ${quoteText(type)})`;
}

/** The value in the column's own type, which keys, filters and the defaults of other columns may rely on. */
function cast(value: string, { type }: ReadColumn): string {
  return `CAST(${value}, ${quoteText(storedType(type))})`;
}

/** A type that values can be cast to. */
export function storedType(type: ColumnType): string {
  const [first] = type.args;
  return type.name === 'SimpleAggregateFunction' && first !== undefined ? storedType(first) : type.text;
}

/** A column's name in the statement. */
export function nameOf(column: DataSourceColumn): string {
  return quoteName(column.name);
}
