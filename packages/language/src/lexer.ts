/**
 * The tokens of ClickHouse SQL. The engine's own parser judges user SQL; this lexer comes before it, for what must be known
 * or refused first: where a statement ends, which text is a comment, which quoted identifiers could forge a line of `EXPLAIN AST`.
 *
 * Must stay true: where this lexer and the engine's could disagree on where a token ends, the text is refused and never guessed at
 * (typographic quotes, `$` in words, escapes in binary strings, backslashes in identifiers).
 */

import { AppError } from '@glasshouse/model';

/** `word` is an unquoted identifier or keyword, `quoted` a quoted identifier, `parameter` a whole `{name:Type}`. */
export type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'operator' | 'parameter';

export interface Token {
  readonly kind: TokenKind;
  /** The source text, quotes included. A heredoc is written as an ordinary string. */
  readonly text: string;
  /** The name or the string without its quotes; string escapes are left as written. For other kinds the same as `text`. */
  readonly value: string;
  /** Offsets in UTF-16 units; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
}

/** SQL longer than this is refused before it is looked at. */
export const MAX_SQL_LENGTH = 262_144;

// Sticky: `matchAt` sets where each of them starts before every use, so nothing is remembered between calls.
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9A-Fa-f_]+|[0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9]+)?[A-Za-z0-9_]*/y;
const HEREDOC = /\$[A-Za-z0-9_]*\$/y;
const PARAMETER = /\{\s*[A-Za-z_][A-Za-z0-9_]*\s*:\s*[A-Za-z](?:[A-Za-z0-9_(),=\s]|-(?!-)|'[^'\\{}]*')*\}/y;
const OPERATORS = new Set('()[],.;+-*/%=<>!|?:^@');
const SPACE = /[\t\n\v\f\r \u00a0\u2000-\u200b\u202f\u205f\u3000\ufeff]/u;

export interface TokenizeOptions {
  /** Whether a brace that opens no parameter is an operator, as in the map `{'a': 1}`, and not refused. */
  readonly braces?: boolean;
}

/**
 * Splits SQL into tokens; comments and white space are left out.
 *
 * Throws `bad_request`, with the position counted from 1, for an unterminated token, a NUL byte, a character that the engine would
 * read in a way of its own, or a quoted identifier that could be mistaken for a line of the engine's output.
 */
export function tokenize(sql: string, { braces = false }: TokenizeOptions = {}): Token[] {
  if (sql.length > MAX_SQL_LENGTH) {
    throw new AppError(
      'too_large',
      `cannot read the query: it has ${sql.length} characters and ${MAX_SQL_LENGTH} are allowed`,
    );
  }
  const tokens: Token[] = [];
  let at = 0;
  while (at < sql.length) {
    const skipped = skipBlank(sql, at);
    if (skipped > at) {
      at = skipped;
      continue;
    }
    const token = nextToken(sql, at, braces);
    tokens.push(token);
    at = token.end;
  }
  return tokens;
}

/** The refusal of a query text, with the position counted from 1. */
export function lexError(start: number, why: string): AppError {
  return new AppError('bad_request', `cannot read the query at position ${start + 1}: ${why}`);
}

/** True for a keyword written in any case and without quotes. */
export function isWord(token: Token | undefined, ...keywords: readonly string[]): boolean {
  if (token?.kind !== 'word') return false;
  const { value } = token;
  return keywords.some((keyword) => keyword.length === value.length && keyword === value.toUpperCase());
}

export function isOperator(token: Token | undefined, text: string): boolean {
  return token?.kind === 'operator' && token.text === text;
}

/**
 * Why a name must not be sent to the engine as an identifier, or undefined when it is harmless. The engine prints identifiers raw into
 * the text of `EXPLAIN`, so a name with a line break, or one that looks like an annotation of that text, could forge a node.
 */
export function identifierFault(name: string): string | undefined {
  if (/[\p{Cc}\u2028\u2029]/u.test(name)) return 'a quoted identifier must not contain control characters';
  if (name.includes('\\')) return 'a quoted identifier must not contain a backslash';
  if (/ \((?:alias|children|column) /u.test(name))
    return 'a quoted identifier must not contain " (alias", " (children" or " (column"';
  return undefined;
}

function skipBlank(sql: string, at: number): number {
  const char = sql.charAt(at);
  if (SPACE.test(char)) return at + 1;
  const two = sql.slice(at, at + 2);
  if (two === '--' || two === '//' || two === '# ' || two === '#!') {
    const end = sql.indexOf('\n', at);
    return end === -1 ? sql.length : end;
  }
  return two === '/*' ? skipBlockComment(sql, at) : at;
}

/** Block comments nest, as in the engine. */
function skipBlockComment(sql: string, start: number): number {
  const edge = /\/\*|\*\//gu;
  edge.lastIndex = start;
  let depth = 0;
  for (let match = edge.exec(sql); match !== null; match = edge.exec(sql)) {
    depth += match[0] === '/*' ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
  throw lexError(start, 'the comment /* is not closed');
}

function nextToken(sql: string, start: number, braces: boolean): Token {
  const char = sql.charAt(start);
  if (char === "'") return quotedToken(sql, start, 'string');
  if (char === '`' || char === '"') return identifierToken(sql, start);
  if (char === '$') return heredocToken(sql, start);
  if (char === '{') return parameterToken(sql, start, braces);
  if (char === '}' && braces) return plain('operator', char, start);
  const word = matchAt(WORD, sql, start);
  if (word !== undefined) return wordToken(sql, start, word);
  const number = matchAt(NUMBER, sql, start);
  if (number !== undefined) return plain('number', number, start);
  if (OPERATORS.has(char)) return plain('operator', char, start);
  throw lexError(start, strangeCharacter(sql, start));
}

function wordToken(sql: string, start: number, word: string): Token {
  const next = sql.charAt(start + word.length);
  if (next === '$')
    throw lexError(
      start,
      'a name with $ must be quoted, and a macro like $__timeFilter must be expanded by the client',
    );
  if (next === "'" && /^[xb]$/iu.test(word)) return binaryToken(sql, start);
  return plain('word', word, start);
}

/** `x'41'` and `b'01'`: the engine reads no escapes in them, so only plain digits are let through. */
function binaryToken(sql: string, start: number): Token {
  const text = matchAt(/[xX]'[0-9A-Fa-f]*'|[bB]'[01]*'/y, sql, start);
  if (text === undefined) throw lexError(start, "x'…' takes hexadecimal digits and b'…' binary digits");
  return plain('string', text, start);
}

function identifierToken(sql: string, start: number): Token {
  const token = quotedToken(sql, start, 'quoted');
  const fault = identifierFault(token.value);
  if (fault !== undefined) throw lexError(start, fault);
  return token;
}

/** A backslash takes the next character with it, and a doubled quote is one quote. */
function quotedToken(sql: string, start: number, kind: 'string' | 'quoted'): Token {
  const quote = sql.charAt(start);
  let value = '';
  for (let at = start + 1; at < sql.length; at += 1) {
    const char = sql.charAt(at);
    if (char === '\0') throw lexError(at, 'a NUL byte is not allowed');
    if (char === '\\') {
      value += sql.slice(at, at + 2);
      at += 1;
    } else if (char !== quote) {
      value += char;
    } else if (sql.charAt(at + 1) === quote) {
      value += quote;
      at += 1;
    } else {
      return { kind, text: sql.slice(start, at + 1), value, start, end: at + 1 };
    }
  }
  throw lexError(start, `the quote ${quote} is not closed`);
}

/** A heredoc becomes an ordinary string, so that nothing later has to know where the engine would see its end. */
function heredocToken(sql: string, start: number): Token {
  const tag = matchAt(HEREDOC, sql, start);
  if (tag === undefined)
    throw lexError(start, 'a name with $ must be quoted, and a macro must be expanded by the client');
  const close = sql.indexOf(tag, start + tag.length);
  if (close === -1) throw lexError(start, `the heredoc ${tag} is not closed`);
  const body = sql.slice(start + tag.length, close);
  if (body.includes('\0')) throw lexError(start, 'a NUL byte is not allowed');
  const text = `'${body.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  return { kind: 'string', text, value: text.slice(1, -1), start, end: close + tag.length };
}

function parameterToken(sql: string, start: number, braces: boolean): Token {
  const text = matchAt(PARAMETER, sql, start);
  if (text === undefined && braces) return plain('operator', '{', start);
  if (text === undefined) throw lexError(start, 'a parameter is written {name:Type}');
  return plain('parameter', text, start);
}

function plain(kind: TokenKind, text: string, start: number): Token {
  return { kind, text, value: text, start, end: start + text.length };
}

function matchAt(pattern: RegExp, sql: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(sql)?.[0];
}

function strangeCharacter(sql: string, at: number): string {
  const point = sql.codePointAt(at) ?? 0;
  if (point === 0) return 'a NUL byte is not allowed';
  const name = `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
  return `the character ${name} is not allowed outside of quotes (typographic quotes and dashes must be plain ones)`;
}
