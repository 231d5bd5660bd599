/**
 * What may follow the type of a column, in any order: a JSON path, a default, a comment, a codec. Separate from `columns.ts`, which finds
 * where columns begin and end.
 */

import { AppError, type ColumnKind } from '@glasshouse/model';
import { isOperator, isWord, type Token } from '../lexer.ts';
import { parsePath } from '../mapping/path.ts';
import { takeExpression, type Stop } from './expression.ts';
import type { Cursor } from './source.ts';
import { proseOfString } from './text.ts';

const KINDS: readonly ColumnKind[] = ['DEFAULT', 'MATERIALIZED', 'ALIAS', 'EPHEMERAL'];
const JSON_PREFIX = 'json:';
/** What was said about a column besides its name. */
export interface Attributes {
  type: string;
  jsonPath?: string;
  kind?: ColumnKind;
  expression?: string;
  codec?: string;
  /** Empty where it is taken away. */
  comment?: string;
}

interface AttributeRules {
  readonly name: string;
  readonly type: string;
  readonly stop: (cursor: Cursor) => boolean;
}

/** Takes what may follow a type, in any order, each at most once. */
export function takeAttributes(cursor: Cursor, { name, type, stop }: AttributeRules): Attributes {
  const attributes: Attributes = { type };
  const seen = new Set<string>();
  while (!stop(cursor)) {
    const attribute = attributeAt(cursor);
    if (attribute === undefined) break;
    const token = cursor.peek();
    const group = KINDS.includes(attribute as ColumnKind) ? 'default' : attribute;
    if (seen.has(group)) {
      throw cursor.fault(`cannot read column=${name}: it has a second ${attribute}`, 'keep one of them', token);
    }
    seen.add(group);
    takeAttribute(cursor, attribute, attributes, { name, type, stop });
  }
  if (attributes.jsonPath !== undefined && (attributes.kind === 'MATERIALIZED' || attributes.kind === 'ALIAS')) {
    throw cursor.fault(
      `cannot read column=${name}: a ${attributes.kind} column is computed, not read from the row`,
      'take the JSON path away, or write DEFAULT',
      cursor.before,
    );
  }
  return attributes;
}

type Attribute = ColumnKind | 'JSON path' | 'CODEC' | 'NULL' | 'NOT NULL' | 'COMMENT' | Refused;
type Refused = 'TTL' | 'PRIMARY KEY' | 'STATISTICS' | 'SETTINGS' | 'COLLATE';

const REFUSED: Readonly<Record<Refused, string>> = {
  TTL: 'rows age as a whole: use ENGINE_TTL',
  'PRIMARY KEY': 'use ENGINE_PRIMARY_KEY, or ENGINE_SORTING_KEY',
  STATISTICS: 'take it away',
  SETTINGS: 'take it away',
  COLLATE: 'take it away, and sort with COLLATE in the query',
};

/** The attribute that the next token begins. */
export function attributeAt(cursor: Cursor): Attribute | undefined {
  const token = cursor.peek();
  if (isJsonPath(token)) return 'JSON path';
  if (token?.kind !== 'word') return undefined;
  const word = token.text.toUpperCase();
  const opens = isOperator(cursor.peek(1), '(');
  switch (word) {
    case 'DEFAULT':
    case 'MATERIALIZED':
    case 'ALIAS':
    case 'EPHEMERAL':
    case 'NULL':
    case 'TTL':
    case 'COLLATE':
      return word;
    case 'CODEC':
    case 'STATISTICS':
    case 'SETTINGS':
      return opens ? word : undefined;
    case 'NOT':
      return isWord(cursor.peek(1), 'NULL') ? 'NOT NULL' : undefined;
    case 'COMMENT':
      return cursor.peek(1)?.kind === 'string' ? 'COMMENT' : undefined;
    case 'PRIMARY':
      return isWord(cursor.peek(1), 'KEY') ? 'PRIMARY KEY' : undefined;
    default:
      return undefined;
  }
}

function takeAttribute(
  cursor: Cursor,
  attribute: Attribute,
  attributes: Attributes,
  { name, type, stop }: AttributeRules,
): void {
  const token = cursor.take();
  switch (attribute) {
    case 'JSON path':
      attributes.jsonPath = jsonPathOf(cursor, token, name);
      return;
    case 'DEFAULT':
    case 'MATERIALIZED':
    case 'ALIAS':
    case 'EPHEMERAL':
      attributes.kind = attribute;
      takeDefault(cursor, attribute, attributes, { name, type, stop });
      return;
    case 'CODEC':
      attributes.codec = takeParenthesised(cursor, `CODEC of column=${name}`);
      return;
    case 'NULL':
      attributes.type = /^nullable\(/iu.test(type) ? type : `Nullable(${type})`;
      return;
    case 'NOT NULL':
      cursor.skip();
      return;
    case 'COMMENT':
      attributes.comment = proseOfString(cursor.take());
      return;
    case 'TTL':
    case 'PRIMARY KEY':
    case 'STATISTICS':
    case 'SETTINGS':
    case 'COLLATE':
      throw cursor.fault(`cannot read column=${name}: a column takes no ${attribute}`, REFUSED[attribute], token);
  }
}

function takeDefault(cursor: Cursor, kind: ColumnKind, attributes: Attributes, { name, stop }: AttributeRules): void {
  const ends: Stop = (at, first) => stop(at) || endsDefault(at, first);
  const absent = cursor.done || cursor.atOperator(',') || cursor.atOperator(')') || ends(cursor, true);
  if (kind === 'EPHEMERAL' && (absent || cursor.onNewLine)) return;
  attributes.expression = takeExpression(cursor, { what: `${kind} of column=${name}`, stop: ends }).text;
}

/** NULL belongs to an expression, unlike the other attributes; so does a word such as `ttl` where a value must come. */
function endsDefault(cursor: Cursor, first: boolean): boolean {
  const attribute = attributeAt(cursor);
  if (attribute === undefined || attribute === 'NULL' || attribute === 'NOT NULL') return false;
  if (attribute === 'JSON path' || attribute === 'CODEC' || attribute === 'COMMENT') return true;
  return !first;
}

function takeParenthesised(cursor: Cursor, what: string): string {
  cursor.skip();
  const { text } = takeExpression(cursor, { what, commas: true });
  if (!cursor.takeOperator(')')) throw cursor.fault(`cannot read ${what}: ${cursor.sight} is not expected`, 'write )');
  return text;
}

/** Whether this is `` `json:$.path` ``; only backticks make one. */
export function isJsonPath(token: Token | undefined): boolean {
  return token?.kind === 'quoted' && token.text.startsWith('`') && token.value.startsWith(JSON_PREFIX);
}

function jsonPathOf(cursor: Cursor, token: Token, name: string): string {
  const path = token.value.slice(JSON_PREFIX.length).trim();
  try {
    parsePath(path);
    return path;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw cursor.fault(
      `cannot read column=${name}: ${path === '' ? 'nothing' : path} is no JSON path`,
      'write $ for the row, $.a.b for a key in an object, $.a[:] for a list',
      token,
    );
  }
}
