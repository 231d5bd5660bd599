/**
 * One user statement, taken apart by its tokens: the text that will be sent to the engine (no comments, no final FORMAT clause, no
 * semicolon), and what the engine's `EXPLAIN AST` does not print: names of common table expressions and functions of APPLY.
 *
 * Must stay true: the text that is returned is the text that is judged and the text that is run. Never run the original.
 */

import { AppError } from '@glasshouse/model';
import { identifierFault, isOperator, isWord, lexError, tokenize, type Token } from '../lexer.ts';

/** A `{name:Type}` of the statement. */
export interface ParameterUse {
  readonly name: string;
  readonly type: string;
}

/** A name that a WITH clause gives to a subquery, in the order of the text. */
export interface CteName {
  readonly name: string;
  readonly recursive: boolean;
}

export interface Statement {
  /** What to explain and to run. Comments are blanked, so positions in engine errors stay those of the user's text. */
  readonly sql: string;
  /** The name after a final FORMAT, as written. Whether it is supported is the caller's business. */
  readonly format: string | undefined;
  /** The first keyword in upper case; `(` for a parenthesised query. */
  readonly kind: string;
  readonly tokens: readonly Token[];
  readonly parameters: readonly ParameterUse[];
  readonly ctes: readonly CteName[];
  /** Whether the CTE names can be paired with the AST's nodes by order: not when a FROM stands before its SELECT. */
  readonly ctesInOrder: boolean;
  /** For each word APPLY, the plain function that it applies, or undefined when it is written in another way. */
  readonly applied: readonly (string | undefined)[];
}

/**
 * Takes one statement apart.
 *
 * Throws `bad_request` for an empty text, several statements, and all that `tokenize` refuses.
 */
export function splitStatement(sql: string): Statement {
  let tokens = tokenize(sql);
  checkDepth(tokens);
  while (isOperator(tokens.at(-1), ';')) tokens = tokens.slice(0, -1);
  const first = tokens[0];
  if (first === undefined) throw new AppError('bad_request', 'cannot run the query: it is empty');
  const semicolon = tokens.find((token) => isOperator(token, ';'));
  if (semicolon !== undefined)
    throw lexError(semicolon.start, 'one statement is allowed, and another follows the semicolon');
  const format = trailingFormat(tokens);
  if (format !== undefined) tokens = tokens.slice(0, -2);
  return {
    sql: render(sql, tokens),
    format,
    kind: first.kind === 'word' ? first.value.toUpperCase() : first.text,
    tokens,
    parameters: tokens.filter((token) => token.kind === 'parameter').map(parameterUse),
    ctes: cteNames(tokens),
    ctesInOrder: !hasFromFirst(tokens),
    applied: tokens.flatMap((token, index) => (isWord(token, 'APPLY') ? [appliedFunction(tokens, index)] : [])),
  };
}

/** The engine's parser refuses what is nested deeper. Whoever reads tokens may go through the same ones once for each level. */
const MAX_DEPTH = 1_000;

function checkDepth(tokens: readonly Token[]): void {
  let depth = 0;
  for (const token of tokens) {
    if (isOperator(token, '(') || isOperator(token, '[')) depth += 1;
    else if (isOperator(token, ')') || isOperator(token, ']')) depth -= 1;
    if (depth > MAX_DEPTH) throw lexError(token.start, `it is nested more than ${MAX_DEPTH} levels deep`);
  }
}

/**
 * Checks the values that the caller binds. The engine puts an `Identifier` parameter into the tree before it prints it, so its value is
 * held to the rules of a quoted identifier, and to a plain name besides.
 *
 * Throws `bad_request` for a missing value or one that is not a plain name.
 */
export function checkParameters(statement: Statement, values: Readonly<Record<string, string>>): void {
  for (const { name, type } of statement.parameters) {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) throw new AppError('bad_request', `cannot run the query: parameter ${name} has no value`);
    if (!/identifier/iu.test(type)) continue;
    if (identifierFault(value) !== undefined || !/^[\p{L}_][\p{L}\p{N}_ -]*$/u.test(value)) {
      throw new AppError(
        'bad_request',
        `cannot bind parameter ${name}: an Identifier must be a plain name without dots or quotes`,
      );
    }
  }
}

/** Keywords after which FORMAT is a name and not a clause. */
const BEFORE_NAME = [
  'SELECT',
  'FROM',
  'JOIN',
  'AS',
  'BY',
  'WHERE',
  'AND',
  'OR',
  'NOT',
  'IN',
  'ON',
  'WITH',
  'DISTINCT',
  'TABLE',
];

function trailingFormat(tokens: readonly Token[]): string | undefined {
  const [before, keyword, name] = tokens.slice(-3);
  if (!isWord(keyword, 'FORMAT') || before === undefined || name === undefined) return undefined;
  if (name.kind !== 'word' && name.kind !== 'quoted') return undefined;
  if (isWord(before, ...BEFORE_NAME)) return undefined;
  if (before.kind === 'operator' && !['*', ')', ']'].includes(before.text)) return undefined;
  return name.value;
}

/** Tokens that a string must not touch in the text that is sent on. */
const SEPARATED: ReadonlySet<string> = new Set(['word', 'number', 'string', 'quoted', 'parameter']);

function render(sql: string, tokens: readonly Token[]): string {
  let text = '';
  let at = 0;
  let before: Token | undefined;
  for (const token of tokens) {
    const gap = sql.slice(at, token.start).replaceAll(/[^\n]/gu, ' ');
    // A string that touches a word could be read as a prefixed literal, and two that touch (one was a heredoc) as a doubled quote.
    const touching = gap === '' && token.kind === 'string' && before !== undefined && SEPARATED.has(before.kind);
    text += gap + (touching ? ' ' : '') + token.text;
    at = token.end;
    before = token;
  }
  return text.trim();
}

function parameterUse(token: Token): ParameterUse {
  const colon = token.text.indexOf(':');
  return { name: token.text.slice(1, colon).trim(), type: token.text.slice(colon + 1, -1).trim() };
}

/** `name AS (SELECT`, `name AS MATERIALIZED (`, `name (a, b) AS (`; a window is `name AS (` too, but holds no query. */
function cteNames(tokens: readonly Token[]): CteName[] {
  const names: CteName[] = [];
  // For each open parenthesis, whether the WITH clause in it is RECURSIVE: one in a subquery says nothing of those around it.
  const recursive = [false];
  for (const [index, token] of tokens.entries()) {
    if (isOperator(token, '(')) recursive.push(false);
    else if (isOperator(token, ')') && recursive.length > 1) recursive.pop();
    else if (isWord(token, 'WITH')) recursive[recursive.length - 1] = isWord(tokens[index + 1], 'RECURSIVE');
    if (!isWord(token, 'AS')) continue;
    const open = isWord(tokens[index + 1], 'MATERIALIZED') ? index + 2 : index + 1;
    if (!isOperator(tokens[open], '(') || !startsQuery(tokens, open + 1)) continue;
    const name = nameBefore(tokens, index - 1);
    if (name !== undefined) names.push({ name, recursive: recursive.at(-1) === true });
  }
  return names;
}

function startsQuery(tokens: readonly Token[], from: number): boolean {
  let index = from;
  while (isOperator(tokens[index], '(')) index += 1;
  return isWord(tokens[index], 'SELECT', 'WITH', 'FROM', 'VALUES', 'EXPLAIN');
}

function nameBefore(tokens: readonly Token[], last: number): string | undefined {
  let index = last;
  if (isOperator(tokens[index], ')')) {
    while (index >= 0 && !isOperator(tokens[index], '(')) index -= 1;
    index -= 1;
  }
  const token = tokens[index];
  return token?.kind === 'word' || token?.kind === 'quoted' ? token.value : undefined;
}

/** Looks for a FROM that no SELECT precedes in its parentheses; `extract(YEAR FROM x)` counts too, which costs only precision. */
function hasFromFirst(tokens: readonly Token[]): boolean {
  const selected = [false];
  for (const token of tokens) {
    if (isOperator(token, '(')) selected.push(false);
    else if (isOperator(token, ')')) selected.pop();
    else if (isWord(token, 'SELECT')) selected[selected.length - 1] = true;
    else if (isWord(token, 'UNION', 'INTERSECT')) selected[selected.length - 1] = false;
    else if (isWord(token, 'FROM') && selected.at(-1) === false) return true;
  }
  return false;
}

/** `APPLY f`, `APPLY(f)`, `APPLY(f(1, 'x'))`, `APPLY(f, 'prefix_')`. */
function appliedFunction(tokens: readonly Token[], apply: number): string | undefined {
  const open = isOperator(tokens[apply + 1], '(');
  const name = tokens[apply + (open ? 2 : 1)];
  if (name?.kind !== 'word' && name?.kind !== 'quoted') return undefined;
  let index = apply + (open ? 3 : 2);
  if (isOperator(tokens[index], '(')) {
    index += 1;
    while (tokens[index]?.kind === 'number' || tokens[index]?.kind === 'string' || isOperator(tokens[index], ','))
      index += 1;
    if (!isOperator(tokens[index], ')')) return undefined;
    index += 1;
  }
  if (!open) return name.value;
  if (isOperator(tokens[index], ',') && tokens[index + 1]?.kind === 'string') index += 2;
  return isOperator(tokens[index], ')') ? name.value : undefined;
}
