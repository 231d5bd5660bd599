/**
 * The tokens of the expressions inside of `{{ … }}` and `{% … %}`: a subset of Python's.
 *
 * Must stay true: quotes and braces are respected when the end of an expression is looked for, so `'}}'` and `{'a': {}}` are read
 * as what they are, and every token knows its place.
 */

import { syntaxError, type Position, type TemplateError, type TemplateSource } from './error.ts';

export type ExpressionTokenKind = 'name' | 'int' | 'float' | 'string' | 'operator' | 'end';

export interface ExpressionToken {
  readonly kind: ExpressionTokenKind;
  /** For a string its value, for all else the text as written. */
  readonly text: string;
  readonly at: Position;
}

/** Where a scanner stands. Offsets are into the whole text, so that lines can be counted. */
export interface Cursor {
  readonly text: string;
  readonly source: TemplateSource;
  readonly positionAt: (offset: number) => Position;
  offset: number;
}

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y;
const OPERATOR = /\*\*|\/\/|==|!=|<=|>=|[()[\]{},:.+\-*/%<>=]/y;
const SPACE = /[ \t\r\n\f\v\u00a0]+/y;
const PREFIXES = /^(?:[rbfuRBFU]|[bB][rR]|[rR][bB]|[fF][rR]|[rR][fF])$/u;
const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['b', '\b'],
  ['f', '\f'],
  ['v', '\v'],
  ['a', '\u0007'],
  ['0', '\0'],
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
  ['\n', ''],
]);

/** A cursor at the start of a text that begins at the given line of its source. */
export function cursorOver(text: string, source: TemplateSource, firstLine: number): Cursor {
  const lineStarts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1);
  const positionAt = (offset: number): Position => {
    let low = 0;
    let high = lineStarts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: firstLine + low, column: offset - (lineStarts[low] ?? 0) + 1 };
  };
  return { text, source, positionAt, offset: 0 };
}

/**
 * Reads tokens up to the closing mark, which is consumed; the last token is of kind `end`.
 *
 * Throws for an unknown character, an unclosed string, or a text that ends first.
 */
export function scanExpression(cursor: Cursor, close: '}}' | '%}'): readonly ExpressionToken[] {
  const opening = cursor.offset;
  const tokens: ExpressionToken[] = [];
  let braces = 0;
  for (;;) {
    matchAt(SPACE, cursor);
    if (cursor.offset >= cursor.text.length) {
      throw syntaxError(cursor.source, cursor.positionAt(Math.max(0, opening - 1)), `this is not closed with ${close}`);
    }
    const start = cursor.offset;
    // In `{'a': {}}}}` the first two braces belong to the expression.
    if (cursor.text.startsWith(close, start) && (close === '%}' || braces === 0)) {
      tokens.push({ kind: 'end', text: close, at: cursor.positionAt(start) });
      cursor.offset += close.length;
      return tokens;
    }
    const token = nextToken(cursor);
    if (token.kind === 'operator' && token.text === '{') braces += 1;
    if (token.kind === 'operator' && token.text === '}') braces -= 1;
    tokens.push(token);
  }
}

function nextToken(cursor: Cursor): ExpressionToken {
  const start = cursor.offset;
  const at = cursor.positionAt(start);
  const char = cursor.text.charAt(start);
  if (char === "'" || char === '"') return { kind: 'string', text: scanString(cursor), at };
  const name = matchAt(NAME, cursor);
  if (name !== undefined) {
    const next = cursor.text.charAt(cursor.offset);
    if ((next === "'" || next === '"') && PREFIXES.test(name))
      throw fault(cursor, start, `strings have no prefix ${name} here`);
    return { kind: 'name', text: name, at };
  }
  const number = matchAt(NUMBER, cursor);
  if (number !== undefined) {
    if (/[A-Za-z0-9_]/u.test(cursor.text.charAt(cursor.offset))) throw fault(cursor, start, 'this is not a number');
    return { kind: /^[0-9]+$/u.test(number) ? 'int' : 'float', text: number, at };
  }
  const operator = matchAt(OPERATOR, cursor);
  if (operator !== undefined) return { kind: 'operator', text: operator, at };
  const point = cursor.text.codePointAt(start) ?? 0;
  throw fault(
    cursor,
    start,
    `the character U+${point.toString(16).toUpperCase().padStart(4, '0')} is not expected here`,
  );
}

function scanString(cursor: Cursor): string {
  const start = cursor.offset;
  const quote = cursor.text.charAt(start);
  if (cursor.text.startsWith(quote.repeat(3), start))
    throw fault(cursor, start, 'strings with three quotes are not supported');
  let value = '';
  for (let at = start + 1; at < cursor.text.length; at += 1) {
    const char = cursor.text.charAt(at);
    if (char === quote) {
      cursor.offset = at + 1;
      return value;
    }
    if (char === '\n') break;
    if (char === '\\') {
      const [text, length] = readEscape(cursor.text, at);
      value += text;
      at += length - 1;
    } else {
      value += char;
    }
  }
  throw fault(cursor, start, `the quote ${quote} is not closed on its line`);
}

/** The text that an escape stands for and how long it is. An unknown one stands for itself, as in Python. */
function readEscape(text: string, at: number): readonly [string, number] {
  const simple = SIMPLE_ESCAPES.get(text.charAt(at + 1));
  if (simple !== undefined) return [simple, 2];
  const hexadecimal = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/u.exec(text.slice(at, at + 6));
  if (hexadecimal === null) return ['\\', 1];
  const digits = hexadecimal[1] ?? hexadecimal[2] ?? '';
  return [String.fromCharCode(Number.parseInt(digits, 16)), hexadecimal[0].length];
}

function matchAt(pattern: RegExp, cursor: Cursor): string | undefined {
  pattern.lastIndex = cursor.offset;
  const text = pattern.exec(cursor.text)?.[0];
  if (text !== undefined) cursor.offset += text.length;
  return text;
}

function fault(cursor: Cursor, offset: number, why: string): TemplateError {
  return syntaxError(cursor.source, cursor.positionAt(offset), why);
}
