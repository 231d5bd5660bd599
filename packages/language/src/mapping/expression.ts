/**
 * Expressions of a data source in the statements of the mapping: defaults, computed columns, keys. They are the user's text,
 * judged when they were deployed; here they only have to stay inside their parentheses.
 *
 * Must stay true: a row that is handed over a second time, after a crash, gets the same values. So the time of a row is the
 * time of its arrival, whenever it is inserted.
 */

import { AppError } from '@glasshouse/model';
import { isOperator, isWord, tokenize, type Token } from '../lexer.ts';

/** Functions of the present moment, in lower case, and what they become. `at` is a DateTime64(3, 'UTC') expression. */
const MOMENTS: ReadonlyMap<string, (at: string, args: string) => string> = new Map([
  ['now', (at, zone) => `toDateTime(${at}${zone === '' ? '' : `, ${zone}`})`],
  ['current_timestamp', (at, zone) => `toDateTime(${at}${zone === '' ? '' : `, ${zone}`})`],
  ['utctimestamp', (at) => `toDateTime(${at})`],
  ['utc_timestamp', (at) => `toDateTime(${at})`],
  ['nowinblock', (at, zone) => `toDateTime(${at}${zone === '' ? '' : `, ${zone}`})`],
  ['now64', (at, args) => `toDateTime64(${at}, ${args === '' ? '3' : args})`],
  ['nowinblock64', (at, args) => `toDateTime64(${at}, ${args === '' ? '3' : args})`],
  ['today', (at) => `toDate(${at})`],
  ['current_date', (at) => `toDate(${at})`],
  ['curdate', (at) => `toDate(${at})`],
  ['yesterday', (at) => `(toDate(${at}) - 1)`],
]);

const CLOSING: ReadonlyMap<string, string> = new Map([
  ['(', ')'],
  ['[', ']'],
]);

/**
 * The expression in parentheses, with the present moment taken from `at`. Throws `bad_request` for a text that is not one
 * closed expression, such as one with a subquery.
 */
export function userExpression(text: string, what: string, at: string): string {
  const tokens = tokenize(text);
  check(tokens, text, what);
  let result = '';
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index];
    if (token === undefined) break;
    const before = tokens[index - 1];
    const gap = before === undefined || text.slice(before.end, token.start) === '' ? '' : ' ';
    const moment = token.kind === 'word' ? MOMENTS.get(token.text.toLowerCase()) : undefined;
    if (moment === undefined || !isOperator(tokens[index + 1], '(')) {
      result += gap + token.text;
      continue;
    }
    const close = closeOf(tokens, index + 1);
    const args = text.slice(tokens[index + 1]?.end, tokens[close]?.start).trim();
    result += gap + moment(at, args);
    index = close;
  }
  return `(${result})`;
}

/** The parts of a key: those of a tuple, or the whole. None for an empty key, and for `tuple()`. */
export function keyParts(key: string): string[] {
  const tokens = tokenize(key);
  const opening = isWord(tokens[0], 'TUPLE') && isOperator(tokens[1], '(') ? 1 : 0;
  const isTuple = isOperator(tokens[opening], '(') && closeOf(tokens, opening) === tokens.length - 1;
  if (!isTuple) return tokens.length === 0 ? [] : [key];
  const parts: string[] = [];
  let depth = 0;
  let start = tokens[opening]?.end ?? 0;
  for (const token of tokens.slice(opening)) {
    if (isOperator(token, '(') || isOperator(token, '[')) depth += 1;
    else if (isOperator(token, ')') || isOperator(token, ']')) depth -= 1;
    const isLast = depth === 0;
    if (!isLast && !(depth === 1 && isOperator(token, ','))) continue;
    const part = key.slice(start, token.start).trim();
    if (part !== '') parts.push(part);
    start = token.end;
  }
  return parts;
}

/** True if the expression is one literal, which cannot fail later than when the table is made. */
export function isLiteral(text: string): boolean {
  const tokens = tokenize(text);
  const [first, second] = tokens;
  if (tokens.length === 1) {
    return first?.kind === 'string' || first?.kind === 'number' || isWord(first, 'TRUE', 'FALSE', 'NULL');
  }
  if (tokens.length !== 2) return false;
  return (isOperator(first, '-') && second?.kind === 'number') || (isOperator(first, '[') && isOperator(second, ']'));
}

function check(tokens: readonly Token[], text: string, what: string): void {
  const refuse = (why: string): AppError => new AppError('bad_request', `cannot use ${what}=${text}: ${why}`);
  if (tokens.length === 0) throw refuse('it is empty');
  const open: string[] = [];
  for (const token of tokens) {
    if (isOperator(token, ';')) throw refuse('it has a semicolon');
    if (token.kind === 'parameter') throw refuse('it has a parameter');
    if (isWord(token, 'SELECT')) throw refuse('it has a subquery');
    const closing = token.kind === 'operator' ? CLOSING.get(token.text) : undefined;
    if (closing !== undefined) open.push(closing);
    else if (token.kind === 'operator' && [')', ']'].includes(token.text) && open.pop() !== token.text)
      throw refuse(`${token.text} closes nothing`);
  }
  if (open.length > 0) throw refuse(`${open.at(-1)} is missing`);
}

function closeOf(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let index = open; index < tokens.length; index += 1) {
    if (isOperator(tokens[index], '(')) depth += 1;
    else if (isOperator(tokens[index], ')')) depth -= 1;
    if (depth === 0) return index;
  }
  return tokens.length - 1;
}
