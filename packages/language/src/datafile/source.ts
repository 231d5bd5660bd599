/**
 * A stretch of text that knows where its characters came from, and a cursor over its SQL tokens. Separate because the text of
 * one directive may be part of a line, many lines, or lines of an included file, and every notice needs the true position.
 *
 * Must stay true: offsets in `text` and positions in the file correspond one to one, so what is left out is blanked, not cut.
 */

import { AppError, invariant } from '@glasshouse/model';
import { isOperator, isWord, tokenize, type Token } from '../lexer.ts';
import { Fault, type Place } from './notice.ts';

/** One line of a file, without its line break. */
export interface SourceLine {
  readonly text: string;
  readonly file: string;
  readonly line: number;
}

/** Splits a file; `\r\n` and a lone `\r` end a line too, and a byte order mark is dropped. */
export function splitLines(text: string, file: string): SourceLine[] {
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text;
  return body.split(/\r\n|\r|\n/u).map((line, index) => ({ text: line, file, line: index + 1 }));
}

export class Source {
  readonly text: string;
  readonly #lines: readonly SourceLine[];
  readonly #starts: readonly number[];

  /** `text` may be given when it differs from the lines by blanks only. */
  constructor(lines: readonly SourceLine[], text?: string) {
    invariant(lines.length > 0, 'BUG: a source without lines has no position');
    let at = 0;
    this.#lines = lines;
    this.#starts = lines.map((line) => {
      const start = at;
      at += line.text.length + 1;
      return start;
    });
    this.text = text ?? lines.map((line) => line.text).join('\n');
    invariant(this.text.length === at - 1, 'BUG: blanking must not move text');
  }

  get blank(): boolean {
    return this.text.trim() === '';
  }

  /** The position of an offset; beyond the end it is that of the end. */
  placeAt(offset: number): Required<Place> {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const line = this.#lines[low];
    invariant(line !== undefined, 'BUG: a source has a first line');
    const column = Math.min(offset - (this.#starts[low] ?? 0), line.text.length) + 1;
    return { file: line.file, line: line.line, column };
  }

  /** The same lines with a text that has blanks where this one had something to leave out. */
  withText(text: string): Source {
    return new Source(this.#lines, text);
  }

  /** The same source with everything outside of [start, end) blanked. */
  only(start: number, end: number): Source {
    return this.withText(
      blanked(this.text.slice(0, start)) + this.text.slice(start, end) + blanked(this.text.slice(end)),
    );
  }
}

function blanked(text: string): string {
  return text.replaceAll(/[^\n]/gu, (char) => ' '.repeat(char.length));
}

/** The tokens of a source. Throws Fault where the lexer refuses the text. */
export function lex(source: Source): Token[] {
  try {
    return tokenize(source.text, { braces: true });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // The lexer says the position in its message only.
    const found = /at position (\d+): (.*)$/su.exec(error.message);
    const why = found?.[2] ?? error.message.replace(/^cannot read the query: /u, '');
    const place = source.placeAt(found === null ? 0 : Number(found[1]) - 1);
    throw new Fault(place, `cannot read the text: ${why}`, lexHint(why));
  }
}

function lexHint(why: string): string {
  if (why.includes('not closed')) return 'close it on the same line or further down';
  if (why.includes('characters and')) return 'split it into smaller files';
  return 'use plain characters, and quotes around what is not a plain name';
}

/** Reads tokens one after the other. */
export class Cursor {
  readonly source: Source;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(source: Source, tokens: readonly Token[] = lex(source)) {
    this.source = source;
    this.#tokens = tokens;
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }

  /** The token that was taken last. */
  get before(): Token | undefined {
    return this.#tokens[this.#at - 1];
  }

  /** Takes the next token, of which the caller knows that it is there. */
  take(): Token {
    const token = this.#tokens[this.#at];
    invariant(token !== undefined, 'BUG: a token was taken behind the end');
    this.#at += 1;
    return token;
  }

  skip(count = 1): void {
    this.#at = Math.min(this.#at + count, this.#tokens.length);
  }

  /** True when the next tokens are these keywords, in this order. */
  atWords(...words: readonly string[]): boolean {
    return words.every((word, index) => isWord(this.peek(index), word));
  }

  /** Takes these keywords if they are next. */
  takeWords(...words: readonly string[]): boolean {
    const found = this.atWords(...words);
    if (found) this.skip(words.length);
    return found;
  }

  atOperator(text: string): boolean {
    return isOperator(this.peek(), text);
  }

  takeOperator(text: string): boolean {
    const found = this.atOperator(text);
    if (found) this.skip();
    return found;
  }

  /** Whether the next token stands on a later line than the one before it. */
  get onNewLine(): boolean {
    const [before, next] = [this.before, this.peek()];
    return before !== undefined && next !== undefined && this.source.text.slice(before.end, next.start).includes('\n');
  }

  /** Position of a token; of the next one if none is given; of the end if there is none. */
  place(token: Token | undefined = this.peek()): Required<Place> {
    return this.source.placeAt(token?.start ?? this.before?.end ?? 0);
  }

  fault(message: string, hint: string, token?: Token): Fault {
    return new Fault(this.place(token), message, hint);
  }

  /** What comes next, for messages. */
  get sight(): string {
    const token = this.peek();
    if (token === undefined) return 'the end';
    return token.text.length > 40 ? `${token.text.slice(0, 40)}…` : token.text;
  }
}
