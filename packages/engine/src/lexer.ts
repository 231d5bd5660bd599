/**
 * Splits SQL text into the engine's own tokens: just enough to find where clauses begin, without parsing expressions.
 * Separate because two walls lean on it: a client's own INTO OUTFILE must never be overlooked, and inline INSERT data
 * (any bytes) must never be read as SQL, so tokens are produced lazily.
 *
 * Must stay true: where this lexer and the engine's could disagree, the token is `error` and the statement is refused.
 */

export type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'open' | 'close' | 'symbol' | 'error';

/** One token; `start` and `end` are offsets into the text given to {@link tokenize}. Comments and white space are left out. */
export interface Token {
  readonly kind: TokenKind;
  readonly start: number;
  readonly end: number;
  /** Upper-case text of a word, the character of a bracket or symbol, otherwise empty. */
  readonly text: string;
}

const WHITE = /[ \t\n\r\f\v]+/y;
const WORD = /[A-Za-z_0-9$]+/y;
const NUMBER = /[0-9][0-9A-Za-z_]*(?:\.[0-9_]*)?(?:[eEpP][+-]?[0-9_]+)?/y;
const HEREDOC_TAG = /\$[A-Za-z_0-9]*\$/y;
/** White space of other scripts that the engine skips: no-break, en/em and thin spaces, zero-width marks, byte order mark. */
const WIDE_WHITE =
  /(?:\xc2\xa0|\xe1\x9a\x80|\xe1\xa0\x8e|\xe2\x80[\x80-\x8b\xa8\xa9\xaf]|\xe2\x81[\x9f\xa0]|\xe3\x80\x80|\xef\xbb\xbf)+/y;

/**
 * Yields the tokens of `text`, in which each character stands for one byte (latin1), so that offsets are byte offsets.
 * Source: the lexical rules of ClickHouse (strings, nested comments, here-documents, typographic quotes).
 */
export function* tokenize(text: string, from = 0): Generator<Token, void, undefined> {
  let at = from;
  while (at < text.length) {
    const skipped = skip(text, at);
    if (skipped < 0) {
      yield { kind: 'error', start: at, end: text.length, text: '' };
      return;
    }
    if (skipped > at) {
      at = skipped;
      continue;
    }
    const token = next(text, at);
    yield token;
    if (token.kind === 'error') return;
    at = token.end;
  }
}

/** The offset after white space or a comment that starts at `at`; `at` when there is none; -1 for a comment never closed. */
function skip(text: string, at: number): number {
  const white = match(WHITE, text, at) || match(WIDE_WHITE, text, at);
  if (white > 0) return at + white;
  if (
    text.startsWith('--', at) ||
    text.startsWith('//', at) ||
    text.startsWith('# ', at) ||
    text.startsWith('#!', at)
  ) {
    const newline = text.indexOf('\n', at);
    return newline < 0 ? text.length : newline;
  }
  return text.startsWith('/*', at) ? skipComment(text, at) : at;
}

function skipComment(text: string, from: number): number {
  let depth = 1;
  let at = from + 2;
  while (at + 2 <= text.length) {
    if (text.startsWith('/*', at)) {
      depth += 1;
      at += 2;
    } else if (text.startsWith('*/', at)) {
      depth -= 1;
      at += 2;
      if (depth === 0) return at;
    } else at += 1;
  }
  return -1;
}

function next(text: string, start: number): Token {
  const character = text.charAt(start);
  switch (character) {
    case "'":
      return delimited(text, start, "'", 'string');
    case '"':
    case '`':
      return delimited(text, start, character, 'quoted');
    case '(':
    case '[':
    case '{':
      return { kind: 'open', start, end: start + 1, text: character };
    case ')':
    case ']':
    case '}':
      return { kind: 'close', start, end: start + 1, text: character };
    case '$': {
      const tag = match(HEREDOC_TAG, text, start);
      if (tag > 0) {
        const close = text.indexOf(text.slice(start, start + tag), start + tag);
        if (close >= 0) return { kind: 'string', start, end: close + tag, text: '' };
      }
      // Where a here-document would begin if its tag were a legal one, versions of the engine differ.
      if (text.includes('$', start + 1)) return { kind: 'error', start, end: text.length, text: '' };
      break;
    }
    case '\\':
    case '\0':
      // The engine may take these for the end of a statement or of the text.
      return { kind: 'error', start, end: text.length, text: '' };
    case '\xe2': {
      if (text.startsWith('\xe2\x80\x98', start)) return typographic(text, start, '\xe2\x80\x99', 'string');
      if (text.startsWith('\xe2\x80\x9c', start)) return typographic(text, start, '\xe2\x80\x9d', 'quoted');
      break;
    }
    default:
  }
  const digits = match(NUMBER, text, start);
  const word = match(WORD, text, start);
  if (digits > 0 && digits >= word) return { kind: 'number', start, end: start + digits, text: '' };
  if (word > 0) return { kind: 'word', start, end: start + word, text: text.slice(start, start + word).toUpperCase() };
  return { kind: 'symbol', start, end: start + 1, text: character };
}

/** A quoted run in which the quote is escaped by doubling it or by a backslash. */
function delimited(text: string, start: number, quote: string, kind: TokenKind): Token {
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '\\') at += 1;
    else if (character === quote) {
      if (text.charAt(at + 1) !== quote) return { kind, start, end: at + 1, text: '' };
      at += 1;
    }
  }
  return { kind: 'error', start, end: text.length, text: '' };
}

/** A run between typographic quotes, which know no escapes. */
function typographic(text: string, start: number, closing: string, kind: TokenKind): Token {
  const close = text.indexOf(closing, start + 3);
  if (close < 0) return { kind: 'error', start, end: text.length, text: '' };
  return { kind, start, end: close + closing.length, text: '' };
}

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}
