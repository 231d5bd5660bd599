/**
 * Telling statements apart in typed or piped SQL, and showing where in one an error is. It knows only what it takes to find
 * a semicolon that ends a statement; everything else about SQL is the server's business.
 */

import { printable, textWidth } from './width.ts';

export interface Split {
  /** Statements that a semicolon ended, without it. */
  readonly complete: readonly string[];
  /** What follows the last semicolon. */
  readonly rest: string;
}

/** Quoted text, comments and heredocs: whatever may hold a semicolon that ends nothing. An open one reaches to the end. */
const OPAQUE =
  /'(?:[^'\\]|\\[^]|'')*(?:'|$)|"(?:[^"\\]|\\[^])*(?:"|$)|`(?:[^`\\]|\\[^])*(?:`|$)|--[^\n]*|\/\*[^]*?(?:\*\/|$)|\$(\w*)\$[^]*?(?:\$\1\$|$)|;/g;

export function splitStatements(text: string): Split {
  const complete: string[] = [];
  let start = 0;
  for (const { 0: token, index } of text.matchAll(OPAQUE)) {
    if (token !== ';') continue;
    const statement = text.slice(start, index).trim();
    if (!isBlank(statement)) complete.push(statement);
    start = index + 1;
  }
  const rest = text.slice(start);
  return { complete, rest: isBlank(rest) ? '' : rest };
}

/** True if nothing but space and comments is there. */
function isBlank(text: string): boolean {
  return text.replaceAll(/--[^\n]*|\/\*[^]*?\*\//g, '').trim() === '';
}

/** True if the statement says itself in which format it wants its result. */
export function namesFormat(sql: string): boolean {
  return /\bformat\s+\w+\s*;?\s*$/i.test(sql.replaceAll(/--[^\n]*|\/\*[^]*?\*\//g, ''));
}

/**
 * The line of the statement that an engine's message names, with a caret under the place; undefined if it names none.
 * Understands `position 17 (TOKEN)`, with `(line 2, col 5)` after it for a statement of several lines, all counted from 1.
 */
export function errorPlace(sql: string, message: string): string | undefined {
  const match = /\bposition (\d+)(?: \((.+?)\)(?= \(line|[:.,]|$))?(?: \(line (\d+), col (\d+)\))?/.exec(message);
  if (match === null) return undefined;
  const [, position, token = '', row, column] = match;
  const offset = row === undefined ? Number(position) - 1 : offsetOf(sql, Number(row), Number(column));
  const at = sql.startsWith(token, offset) ? offset : onlyPlace(sql, token);
  if (at === undefined || at > sql.length) return undefined;
  const lineStart = sql.lastIndexOf('\n', at - 1) + 1;
  const lineEnd = sql.indexOf('\n', at);
  // A long line is shown around the place.
  const from = Math.max(lineStart, at - 60);
  const shown = printable(sql.slice(from, Math.min(lineEnd < 0 ? sql.length : lineEnd, at + 40)));
  return `  ${shown}\n  ${' '.repeat(textWidth(printable(sql.slice(from, at))))}^`;
}

function offsetOf(sql: string, row: number, column: number): number {
  const before = sql.split('\n').slice(0, row - 1);
  return before.reduce((total, line) => total + line.length + 1, 0) + column - 1;
}

/** Where the token is, if it is there once: the position counts what the server puts before the statement. */
function onlyPlace(sql: string, token: string): number | undefined {
  const first = sql.indexOf(token);
  return token !== '' && first >= 0 && first === sql.lastIndexOf(token) ? first : undefined;
}
