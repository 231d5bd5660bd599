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
  markedText,
  mayBeRewritten,
  rawValue,
  unmarked,
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
  /** UInt8, or undefined for never: the row's value is read from the marked line. */
  readonly slow: string | undefined;
}

/** A column with its SQL. */
export interface MappedColumn extends ReadColumn {
  readonly sql: ColumnSql;
}

/** Where the pieces of a statement are. */
export interface Scope {
  readonly bindings: Bindings;
  /** The line as it came. */
  readonly line: string;
  /** The line as it is parsed. */
  readonly json: string;
  /** The line with marked numbers, where some column is slow. */
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
function isOptional({ column, nullable }: ReadColumn): boolean {
  return nullable || column.expression !== undefined || column.kind === 'EPHEMERAL';
}

/** Binds the SQL of a column. `find` answers for `read.want`. */
export function bindColumn(read: ReadColumn, scope: Scope, find: (want: Want) => Found): ColumnSql {
  if (read.want === undefined) return wholeRow(read, scope);
  const found = find(read.want);
  if (isScalar(read.inner)) return scalarColumn(read, scope, exactValue(read, scope, found.value));
  const { fits, value, slow } = nestedValue(read, scope, found, read.want);
  const { missing } = found;
  return {
    missing,
    fits: isOptional(read) ? any([missing, fits]) : all([`NOT ${missing}`, fits]),
    value: finish(read, scope, value, missing),
    slow,
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
function wholeRow(read: ReadColumn, scope: Scope): ColumnSql {
  const always = { missing: '0', slow: undefined };
  if (read.inner.name === 'String') return { ...always, fits: undefined, value: cast(scope.line, read) };
  const { fits, value } = fromText(read.inner, scope.json);
  return { ...always, fits: scope.bindings.add(fits), value: cast(scope.bindings.add(value), read) };
}

/** A value read as exactly as its type can keep it. */
interface Exact {
  readonly value: string;
  readonly slow: string | undefined;
}

function exactValue({ inner, path }: ReadColumn, { bindings, line, marked }: Scope, text: string): Exact {
  const condition = rewrittenText(inner, text);
  if (condition === undefined) return { value: text, slow: undefined };
  const rewritten = bindings.add(condition);
  const raw = bindings.add(rawValue(rewritten, line, path.keys));
  const found = bindings.add(exactText(rewritten, text, raw));
  const slow = bindings.add(all([rewritten, `isNull(${found})`]));
  return { value: bindings.add(`if(${slow}, ${markedText(marked, path.keys)}, ${found})`), slow };
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

function scalarColumn(read: ReadColumn, scope: Scope, { value: text, slow }: Exact): ColumnSql {
  const missing = `isNull(${text})`;
  const converted = scalarOf(read.inner, text, (sql) => scope.bindings.add(sql));
  if (converted === text) {
    const fits = isOptional(read) ? undefined : `isNotNull(${text})`;
    return { missing, fits, value: finishScalar(read, scope, text), slow };
  }
  const value = scope.bindings.add(converted);
  const fits = isOptional(read) ? any([missing, `isNotNull(${value})`]) : `isNotNull(${value})`;
  return { missing, fits, value: finishScalar(read, scope, value), slow };
}

function nestedValue(read: ReadColumn, scope: Scope, found: Found, want: Want): Conversion & Pick<Exact, 'slow'> {
  const { inner, path } = read;
  const { bindings } = scope;
  if (want === 'text') {
    const { fits, value } = fromText(inner, found.value);
    return { fits: bindings.add(fits), value: bindings.add(value), slow: undefined };
  }
  const elements = bindings.add(`variantElement(${found.value}, ${quoteText(want.shape)})`);
  const plain = path.each === undefined || path.each.length === 0;
  const shaped = plain ? shapeOf(inner) : undefined;
  const exact =
    shaped?.texts === true ? exactElements(shaped, scope, path, elements) : { value: elements, slow: undefined };
  const { fits, value } = shaped?.convert(exact.value) ?? fromElements(inner, elements, path.each ?? []);
  const isShape = `variantType(${found.value}) = ${quoteText(want.shape)}`;
  return { fits: bindings.add(all([isShape, fits])), value: bindings.add(value), slow: exact.slow };
}

/** The texts of an array or map, from the marked line if the engine may have written some number in them anew. */
function exactElements(shaped: Shaped, { bindings, line, marked }: Scope, { keys }: JsonPath, elements: string): Exact {
  const numeric = bindings.add(shaped.anyText(elements, (text) => `bitAnd(${text} >= '-', ${text} < ':')`));
  const raw = bindings.add(rawValue(numeric, line, keys));
  const slow = bindings.add(hasFraction(numeric, line, raw));
  const texts = forSome(slow, marked, (line) => shaped.mapTexts(extract(line, keys, shaped.shape), unmarked));
  return { value: bindings.add(`if(${slow}, ${texts}, ${elements})`), slow };
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
