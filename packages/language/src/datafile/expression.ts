/**
 * Expressions inside of data files and DDL: where they end, and how they are written down. The engine parses them; here only
 * their edges are found.
 *
 * Must stay true: the text of an expression has its brackets in pairs, no brace, no comment, no semicolon and no SELECT, so
 * that it can stand in a statement without reaching out of its place. Which functions it calls is not judged here.
 */

import { isOperator, isWord, type Token } from '../lexer.ts';
import { withoutBraces } from './maps.ts';
import type { Cursor } from './source.ts';

export interface Expression {
  /** On one line, comments left out, otherwise as written. */
  readonly text: string;
  readonly tokens: readonly Token[];
}

/** `first` is true before the first token, where a keyword may as well be the name of a column. */
export type Stop = (cursor: Cursor, first: boolean) => boolean;

export interface ExpressionEdges {
  /** What is read, for messages: `DEFAULT of column=a`. */
  readonly what: string;
  /** Whether a list is meant, so that commas are part of it. */
  readonly commas?: boolean;
  /** Whether the expression ends before the cursor's next token. Not asked inside of brackets or right after an operator. */
  readonly stop?: Stop;
}

const CLOSING: ReadonlyMap<string, string> = new Map([
  ['(', ')'],
  ['[', ']'],
  ['{', '}'],
]);

/** Words that may follow a value without an operator between them. */
const CONTINUING =
  'AND OR NOT IN LIKE ILIKE REGEXP BETWEEN IS GLOBAL THEN ELSE WHEN END DIV MOD AS ASC DESC OVER WHERE GROUP BY DELETE TO SET'.split(
    ' ',
  );

/**
 * Takes an expression. It ends at a comma (unless these are meant), at a closing bracket that it did not open, where `stop` says
 * so, or before a value that follows another one on a later line, which means that a comma was forgotten.
 *
 * Throws Fault when there is none, or when it could not stand in a statement.
 */
export function takeExpression(cursor: Cursor, edges: ExpressionEdges): Expression {
  const { what, commas = false, stop } = edges;
  const tokens: Token[] = [];
  const open: Token[] = [];
  let afterValue = false;
  for (let token = cursor.peek(); token !== undefined; token = cursor.peek()) {
    if (isOperator(token, ';') && open.length === 0) break;
    refuseStray(cursor, token, what);
    if (token.kind === 'operator') {
      const closes = ')]}'.includes(token.text);
      if (closes && open.length === 0) break;
      if (closes) closeBracket(cursor, open, afterValue);
      if (CLOSING.has(token.text)) open.push(token);
      if (token.text === ',' && open.length === 0 && !commas) break;
    }
    const inside = open.length > (CLOSING.has(token.text) ? 1 : 0);
    const first = tokens.length === 0;
    if (!inside && (afterValue || first) && stop?.(cursor, first) === true) break;
    if (!inside && afterValue && cursor.onNewLine && startsValue(token)) break;
    afterValue = endsValue(token, afterValue, tokens.at(-1));
    tokens.push(cursor.take());
  }
  const unclosed = open[0];
  if (unclosed !== undefined) {
    throw cursor.fault(`cannot read ${what}: the bracket ${unclosed.text} is not closed`, 'close it', unclosed);
  }
  if (tokens.length === 0) throw cursor.fault(`cannot read ${what}: it is missing`, 'write an expression here');
  if (!afterValue) {
    const last = tokens.at(-1);
    const end = isOperator(last, ',') ? 'a comma' : (last?.text ?? '');
    throw cursor.fault(`cannot read ${what}: it ends with ${end}`, 'write what comes next, or take it away', last);
  }
  const whole = withoutBraces(tokens, (why, hint, token) => cursor.fault(`cannot read ${what}: ${why}`, hint, token));
  return { text: renderExpression(whole), tokens: whole };
}

/** The tokens as they were written, on one line, without comments, and with one way to put spaces at commas and brackets. */
export function renderExpression(tokens: readonly Token[]): string {
  let rendered = '';
  let before: Token | undefined;
  for (const token of tokens) {
    if (before !== undefined && spaced(before, token)) rendered += ' ';
    rendered += tokenText(token);
    before = token;
  }
  return rendered;
}

/**
 * A token as it is written down again. Double quotes become backticks, because they stand around the values of directives, and
 * a line break in a string becomes `\\n`, because a column has one line.
 */
export function tokenText(token: Token): string {
  if (token.kind === 'quoted') return `\`${token.value.replaceAll('`', '``')}\``;
  return token.kind === 'string' ? token.text.replaceAll('\n', String.raw`\n`) : token.text;
}

/** Without the parentheses around the whole, so that `(a, b)` and `a, b` are the same key. Nothing in them means `tuple()`. */
export function withoutParentheses({ tokens, text }: Expression): Expression {
  let inner = tokens;
  while (isOperator(inner[0], '(') && matching(inner) === inner.length - 1) {
    inner = inner.slice(1, -1);
    if (isOperator(inner.at(-1), ',')) inner = inner.slice(0, -1);
  }
  if (inner === tokens) return { text, tokens };
  return { text: inner.length === 0 ? 'tuple()' : renderExpression(inner), tokens: inner };
}

/**
 * Throws Fault where a value follows another one outside of brackets: in a list of columns that is a forgotten comma, which the
 * engine would read as an alias or as the next clause.
 */
export function refuseNeighbours(cursor: Cursor, tokens: readonly Token[], what: string): void {
  let depth = 0;
  let afterValue = false;
  for (const [index, token] of tokens.entries()) {
    if (isOperator(token, ')') || isOperator(token, ']')) depth -= 1;
    const before = tokens[index - 1];
    const leads = isWord(before, 'CASE', 'NOT', 'INTERVAL') || isWord(tokens[index - 2], 'INTERVAL');
    const isValue = token.kind !== 'operator' && !isWord(token, ...CONTINUING);
    if (depth === 0 && afterValue && isValue && !leads) {
      throw cursor.fault(`cannot read ${what}: a comma is missing before ${token.text}`, 'write a comma', token);
    }
    if (isOperator(token, '(') || isOperator(token, '[')) depth += 1;
    afterValue = endsValue(token, afterValue, before);
  }
}

/** The parts of a list between its top-level commas. */
export function listItems(tokens: readonly Token[]): Token[][] {
  const items: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (isOperator(token, '(') || isOperator(token, '[')) depth += 1;
    if (isOperator(token, ')') || isOperator(token, ']')) depth -= 1;
    if (depth === 0 && isOperator(token, ',')) items.push([]);
    else items.at(-1)?.push(token);
  }
  return items;
}

function matching(tokens: readonly Token[]): number {
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    if (isOperator(token, '(') || isOperator(token, '[')) depth += 1;
    if (isOperator(token, ')') || isOperator(token, ']')) depth -= 1;
    if (depth === 0) return index;
  }
  return -1;
}

function refuseStray(cursor: Cursor, token: Token, what: string): void {
  if (isWord(token, 'SELECT')) {
    throw cursor.fault(
      `cannot read ${what}: a definition holds no query`,
      'take SELECT away, or put a name like that in backticks',
    );
  }
  if (token.kind === 'parameter') {
    throw cursor.fault(`cannot read ${what}: the parameter ${token.text} has no value here`, 'write the value itself');
  }
  if (isOperator(token, ';')) {
    throw cursor.fault(`cannot read ${what}: a semicolon stands inside of brackets`, 'take it away');
  }
}

function closeBracket(cursor: Cursor, open: Token[], afterValue: boolean): void {
  const [opened, before, token] = [open.pop(), cursor.before, cursor.peek()];
  if (opened === undefined || token === undefined || CLOSING.get(opened.text) !== token.text) {
    throw cursor.fault(
      `cannot read the brackets: ${cursor.sight} closes ${opened?.text ?? 'nothing'}`,
      'put the brackets in pairs',
    );
  }
  if (afterValue || before === opened || isOperator(before, ',')) return;
  throw cursor.fault(
    `cannot read the brackets: ${before?.text ?? ''} stands before ${token.text}`,
    'write what comes next, or take it away',
    before,
  );
}

function spaced(before: Token, token: Token): boolean {
  if (isOperator(before, ',')) return true;
  if (isOperator(before, '(') || isOperator(before, '[')) return false;
  if (token.kind === 'operator' && [',', ')', ']'].includes(token.text)) return false;
  if (token.start > before.end) return true;
  // What touches a quote could become part of what it encloses.
  return (token.kind === 'string' || token.kind === 'quoted') && before.kind !== 'operator';
}

/**
 * Whether a value ends with this token. A word such as `to` continues an expression behind a value and is a name elsewhere, a
 * `*` in the place of a value is all columns, and the lexer takes the dot of `1.` for itself.
 */
function endsValue(token: Token, afterValue: boolean, before: Token | undefined): boolean {
  if (token.kind !== 'operator') {
    return !afterValue || !isWord(token, ...CONTINUING) || isWord(token, 'END', 'ASC', 'DESC', 'DELETE');
  }
  if (')]}'.includes(token.text)) return true;
  if (token.text === '.') return before?.kind === 'number' && before.end === token.start;
  return token.text === '*' && !afterValue;
}

function startsValue(token: Token): boolean {
  return token.kind === 'quoted' || (token.kind === 'word' && !isWord(token, ...CONTINUING));
}
