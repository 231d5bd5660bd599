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
 * Understands `(line 2, col 5)` and `position 17`, both counted from 1.
 */
export function errorPlace(sql: string, message: string): string | undefined {
  const lines = sql.split('\n');
  const named = /\(line (\d+), col (\d+)\)/.exec(message);
  const position = /\bposition (\d+)/.exec(message);
  let row: number;
  let column: number;
  if (named !== null) {
    row = Number(named[1]) - 1;
    column = Number(named[2]) - 1;
  } else if (position !== null) {
    const before = sql.slice(0, Number(position[1]) - 1).split('\n');
    row = before.length - 1;
    column = before.at(-1)?.length ?? 0;
  } else return undefined;
  const line = lines[row];
  if (line === undefined || column > line.length) return undefined;
  // A long line is shown around the place.
  const from = Math.max(0, column - 60);
  const shown = printable(line.slice(from, column + 40));
  return `  ${shown}\n  ${' '.repeat(textWidth(printable(line.slice(from, column))))}^`;
}
