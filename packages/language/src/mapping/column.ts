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
import {
  exactText,
  extract,
  hasFraction,
  isLongNumber,
  isNumber,
  marked,
  mayBeRewritten,
  unmarked,
  type SourceText,
} from './json.ts';
import type { Bindings } from './levels.ts';
import { all, any, forSome } from './logic.ts';
import { fromElements, fromText, isScalar, shapeOf, type Conversion, type Shaped } from './nested.ts';
import type { Found, Want } from './parse.ts';
import { parsePath, type JsonPath } from './path.ts';
import { quoteText } from './quote.ts';
import { EXACT_DIGITS, losesDigits, scalarOf } from './scalar.ts';
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

/** What a column is in the statement. */
export interface ColumnSql {
  /** UInt8: the row brings no value. */
  readonly missing: string;
  /** UInt8, or undefined when every row fits. */
  readonly fits: string | undefined;
  /** The column's value, of its type; anything for a row that does not fit. */
  readonly value: string;
}

/** A column with its SQL. */
export interface MappedColumn extends ReadColumn {
  readonly sql: ColumnSql;
}

/** Where the pieces of a statement are. */
export interface Scope {
  readonly bindings: Bindings;
  readonly source: SourceText;
  /** The line as it is parsed. */
  readonly json: string;
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
function isOptional({ column, nullable }: ReadColumn): boolean {
  return nullable || column.expression !== undefined || column.kind === 'EPHEMERAL';
}

/** Binds the SQL of a column. `find` answers for `read.want`. */
export function bindColumn(read: ReadColumn, scope: Scope, find: (want: Want) => Found): ColumnSql {
  if (read.want === undefined) return wholeRow(read, scope);
  const found = find(read.want);
  if (isScalar(read.inner)) return scalarColumn(read, scope, exactValue(read, scope, found.value));
  const { fits, value } = nestedValue(read, scope, found, read.want);
  const { missing } = found;
  return {
    missing,
    fits: isOptional(read) ? any([missing, fits]) : all([`NOT ${missing}`, fits]),
    value: finish(read, scope, value, missing),
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
function wholeRow(read: ReadColumn, { bindings, source, json }: Scope): ColumnSql {
  if (read.inner.name === 'String') return { missing: '0', fits: undefined, value: cast(source.line, read) };
  const { fits, value } = fromText(read.inner, json);
  return { missing: '0', fits: bindings.add(fits), value: cast(bindings.add(value), read) };
}

/** The text of a value with all the digits that the type can take. */
function exactValue({ inner, path }: ReadColumn, { bindings, source }: Scope, text: string): string {
  const condition = rewrittenText(inner, text);
  if (condition === undefined) return text;
  return bindings.add(exactText(bindings.add(condition), text, source, path.keys, (sql) => bindings.add(sql)));
}

/** UInt8: the engine may have written the text anew, and the type would show it. */
function rewrittenText(type: ColumnType, text: string): string | undefined {
  if (type.name === 'String' || type.name === 'FixedString') return mayBeRewritten(text);
  switch (losesDigits(type)) {
    case 'any':
      return isNumber(text);
    case 'long':
      return isLongNumber(text, EXACT_DIGITS);
    default:
      return undefined;
  }
}

function scalarColumn(read: ReadColumn, scope: Scope, text: string): ColumnSql {
  const missing = `isNull(${text})`;
  const converted = scalarOf(read.inner, text, (sql) => scope.bindings.add(sql));
  if (converted === text) {
    const fits = isOptional(read) ? undefined : `isNotNull(${text})`;
    return { missing, fits, value: finishScalar(read, scope, text) };
  }
  const value = scope.bindings.add(converted);
  const fits = isOptional(read) ? any([missing, `isNotNull(${value})`]) : `isNotNull(${value})`;
  return { missing, fits, value: finishScalar(read, scope, value) };
}

function nestedValue(read: ReadColumn, scope: Scope, found: Found, want: Want): Conversion {
  const { inner, path } = read;
  const { bindings } = scope;
  if (want === 'text') {
    const { fits, value } = fromText(inner, found.value);
    return { fits: bindings.add(fits), value: bindings.add(value) };
  }
  const elements = bindings.add(`variantElement(${found.value}, ${quoteText(want.shape)})`);
  const plain = path.each === undefined || path.each.length === 0;
  const shaped = plain ? shapeOf(inner) : undefined;
  const exact = shaped?.texts === true ? exactElements(shaped, scope, path, elements) : elements;
  const { fits, value } = shaped?.convert(exact) ?? fromElements(inner, elements, path.each ?? []);
  const isShape = `variantType(${found.value}) = ${quoteText(want.shape)}`;
  return { fits: bindings.add(all([isShape, fits])), value: bindings.add(value) };
}

/** The texts of an array or map, read again if the engine may have written some number in them anew. */
function exactElements(shaped: Shaped, { bindings, source }: Scope, { keys }: JsonPath, elements: string): string {
  const numeric = bindings.add(shaped.anyText(elements, (text) => `bitAnd(${text} >= '-', ${text} < ':')`));
  const slow = bindings.add(hasFraction(numeric, source.line, keys));
  const texts = forSome(slow, (empty) => shaped.mapTexts(extract(marked(source, empty), keys, shaped.shape), unmarked));
  return bindings.add(`if(${slow}, ${texts}, ${elements})`);
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
  return EXACT_TYPES.test(type.text) ? value : `CAST(${value}, ${quoteText(storedType(type))})`;
}

/** Types that values have before they are cast. */
const EXACT_TYPES =
  /^(?:String|U?Int\d+|Float\d+|UUID|IPv[46]|(?:Nullable\((?:String|U?Int\d+|Float\d+|UUID|IPv[46])\)))$/;

/** A type that values can be cast to. */
export function storedType(type: ColumnType): string {
  const [first] = type.args;
  return type.name === 'SimpleAggregateFunction' && first !== undefined ? storedType(first) : type.text;
}
