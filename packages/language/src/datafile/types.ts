/**
 * ClickHouse data types: where one ends, and one way of writing it, so that two files that differ in spaces describe the same
 * column. The engine knows the types; here a name is refused only if it is almost one of them.
 *
 * Must stay true: `parseType` of what it returns returns the same.
 */

import { isOperator, isWord, type Token } from '../lexer.ts';
import { tokenText } from './expression.ts';
import { nearest } from './nearest.ts';
import type { Cursor } from './source.ts';

/** Deeper types are no schema but an attack on the stack. */
const MAX_DEPTH = 32;

/** `system.data_type_families`, without the aliases of several words; a test compares it with the engine. */
const FAMILIES: readonly string[] = (
  'AggregateFunction Array BFloat16 BIGINT BINARY BIT BLOB BYTE BYTEA Bool CHAR CHARACTER CLOB DEC DOUBLE Date Date32 DateTime ' +
  'DateTime32 DateTime64 Decimal Decimal128 Decimal256 Decimal32 Decimal64 Dynamic ENUM Enum Enum16 Enum8 FIXED FLOAT ' +
  'FixedString Float32 Float64 GEOMETRY Geometry INET4 INET6 INT INT1 INTEGER IPv4 IPv6 Int128 Int16 Int256 Int32 Int64 Int8 ' +
  'IntervalDay IntervalHour IntervalMicrosecond IntervalMillisecond IntervalMinute IntervalMonth IntervalNanosecond ' +
  'IntervalQuarter IntervalSecond IntervalWeek IntervalYear JSON LONGBLOB LONGTEXT LineString LowCardinality MEDIUMBLOB ' +
  'MEDIUMINT MEDIUMTEXT Map MultiLineString MultiPolygon NATIONAL NCHAR NUMERIC NVARCHAR Nested Nothing Nullable Point Polygon ' +
  'QBit REAL Ring SET SIGNED SINGLE SMALLINT SimpleAggregateFunction String TEXT TIMESTAMP TINYBLOB TINYINT TINYTEXT Time ' +
  'Time64 Tuple UInt128 UInt16 UInt256 UInt32 UInt64 UInt8 UNSIGNED UUID VARBINARY VARCHAR VARCHAR2 Variant YEAR bool boolean'
).split(' ');

/** Types that the engine takes in any case; the others are to be written as they are. */
const ANY_CASE = new Set(
  FAMILIES.filter((name) => name === name.toUpperCase() || name === name.toLowerCase())
    .concat(
      'Bool',
      'Date',
      'Date32',
      'DateTime',
      'DateTime32',
      'DateTime64',
      'Decimal',
      'Enum',
      'Geometry',
      'Time',
      'Time64',
    )
    .map((name) => name.toLowerCase()),
);

/** Second and third words of the SQL standard's type names. */
const CONTINUATION = new Set(['UNSIGNED', 'SIGNED', 'PRECISION', 'VARYING', 'LARGE', 'OBJECT', 'CHAR', 'CHARACTER']);
const CONTINUED = /^(?:\w*int\d*|double|binary|n?char|character|national|large|integer)$/iu;

/** How many types these are made of. */
const ARGUMENTS: ReadonlyMap<string, number> = new Map([
  ['array', 1],
  ['nullable', 1],
  ['lowcardinality', 1],
  ['map', 2],
]);

/** The names of `FAMILIES`, for the test that compares them. */
export function knownTypes(): readonly string[] {
  return FAMILIES;
}

/**
 * Takes a type and returns it with its white space normalised: `Array( Map(String,String) )` is `Array(Map(String, String))`.
 * `what` names the column for messages. Throws Fault.
 */
export function takeType(cursor: Cursor, what: string, depth = 0): string {
  const name = cursor.peek();
  if (name?.kind !== 'word') {
    throw cursor.fault(
      `cannot read ${what}: ${cursor.sight} is no type`,
      'write a type, such as String or DateTime64(3)',
    );
  }
  if (depth > MAX_DEPTH) {
    throw cursor.fault(`cannot read ${what}: its type is nested more than ${MAX_DEPTH} deep`, 'use the type JSON');
  }
  cursor.skip();
  refuseAlmost(cursor, name, what);
  let text = name.text;
  while (CONTINUED.test(text.split(' ').at(-1) ?? '') && continues(cursor)) text += ` ${cursor.take().text}`;
  if (!cursor.takeOperator('(')) return text;
  return `${text}(${takeArguments(cursor, name, what, depth)})`;
}

function continues(cursor: Cursor): boolean {
  const next = cursor.peek();
  return next?.kind === 'word' && !cursor.onNewLine && CONTINUATION.has(next.text.toUpperCase());
}

function refuseAlmost(cursor: Cursor, name: Token, what: string): void {
  const lower = name.text.toLowerCase();
  if (FAMILIES.includes(name.text) || ANY_CASE.has(lower)) return;
  const meant = FAMILIES.find((family) => family.toLowerCase() === lower) ?? nearest(name.text, FAMILIES, 2);
  if (meant === undefined || name.text.length < 3) return;
  throw cursor.fault(`cannot read ${what}: there is no type ${name.text}`, `did you mean ${meant}?`, name);
}

/** What stands between the parentheses of a type, which are taken with it. */
function takeArguments(cursor: Cursor, name: Token, what: string, depth: number): string {
  const family = name.text.toLowerCase();
  const parts: string[] = [];
  while (!cursor.takeOperator(')')) {
    if (cursor.done)
      throw cursor.fault(`cannot read ${what}: the bracket after ${name.text} is not closed`, 'close it', name);
    if (parts.length > 0 && !cursor.takeOperator(',')) {
      throw cursor.fault(`cannot read ${what}: ${cursor.sight} follows a part of ${name.text}`, 'write a comma or )');
    }
    parts.push(takeArgument(cursor, family, parts, what, depth));
  }
  const count = ARGUMENTS.get(family) ?? parts.length;
  if (count !== parts.length) {
    throw cursor.fault(
      `cannot read ${what}: ${name.text} is made of ${count} ${count === 1 ? 'type' : 'types'}, not ${parts.length}`,
      `write ${name.text}(${Array.from({ length: count }, () => 'Type').join(', ')})`,
      name,
    );
  }
  return parts.join(', ');
}

function takeArgument(cursor: Cursor, family: string, before: readonly string[], what: string, depth: number): string {
  switch (family) {
    case 'array':
    case 'nullable':
    case 'lowcardinality':
    case 'map':
    case 'variant':
      return takeType(cursor, what, depth + 1);
    case 'tuple':
    case 'nested':
      return takeElement(cursor, what, depth + 1);
    case 'aggregatefunction':
    case 'simpleaggregatefunction': {
      // A version may stand before the function: AggregateFunction(1, sum, UInt64).
      const isFunction = before.length === 0 || (before.length === 1 && /^\d/u.test(before[0] ?? ''));
      return isFunction ? takeLiteral(cursor, what) : takeType(cursor, what, depth + 1);
    }
    default:
      return takeLiteral(cursor, what);
  }
}

/** `name Type` or `Type`. */
function takeElement(cursor: Cursor, what: string, depth: number): string {
  const [first, second] = [cursor.peek(), cursor.peek(1)];
  const named =
    first?.kind === 'quoted' || (first?.kind === 'word' && second?.kind === 'word' && !CONTINUED.test(first.text));
  if (!named || first === undefined) return takeType(cursor, what, depth);
  cursor.skip();
  return `${tokenText(first)} ${takeType(cursor, what, depth)}`;
}

/** Anything up to the next comma or the closing bracket: numbers, `'a' = 1`, `'UTC'`, `quantiles(0.5, 0.9)`, `max_types=8`. */
function takeLiteral(cursor: Cursor, what: string): string {
  const tokens: Token[] = [];
  let depth = 0;
  for (let token = cursor.peek(); token !== undefined; token = cursor.peek()) {
    if (depth === 0 && (isOperator(token, ',') || isOperator(token, ')'))) break;
    if (token.kind === 'parameter' || isOperator(token, ';') || isWord(token, 'SELECT')) {
      throw cursor.fault(`cannot read ${what}: ${cursor.sight} is no part of a type`, 'write a type', token);
    }
    if (isOperator(token, '(')) depth += 1;
    if (isOperator(token, ')')) depth -= 1;
    tokens.push(cursor.take());
  }
  if (tokens.length === 0)
    throw cursor.fault(`cannot read ${what}: a part of its type is missing`, 'write it before the comma');
  return renderLiteral(tokens);
}

/** One space around `=`, one after a comma, none beside brackets, dots and signs. */
function renderLiteral(tokens: readonly Token[]): string {
  let text = '';
  let before: Token | undefined;
  for (const token of tokens) {
    text += (before === undefined || tight(before, token) ? '' : ' ') + tokenText(token);
    before = token;
  }
  return text;
}

function tight(before: Token, token: Token): boolean {
  if (token.kind === 'operator')
    return !['=', '(', '-'].includes(token.text) || (token.text === '(' && before.kind === 'word');
  return before.kind === 'operator' && !['=', ',', ')'].includes(before.text);
}
