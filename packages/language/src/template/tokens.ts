/**
 * The tokens of one `{{ … }}` or `{% … %}` while they are being read, one after the other.
 *
 * Must stay true: past the last token there is always the one of kind `end`, so that no reader runs out.
 */

import { excerpt, syntaxError, type Position, type TemplateError, type TemplateSource } from './error.ts';
import type { ExpressionToken } from './scanner.ts';

/** Words that cannot name anything. */
const RESERVED: ReadonlySet<string> = new Set(
  'and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield'.split(
    ' ',
  ),
);

export function isReserved(name: string): boolean {
  return RESERVED.has(name);
}

export class TokenStream {
  private readonly tokens: readonly ExpressionToken[];
  private readonly source: TemplateSource;
  private next = 0;

  constructor(tokens: readonly ExpressionToken[], source: TemplateSource) {
    this.tokens = tokens;
    this.source = source;
  }

  /** The position of the token that comes next. */
  get at(): Position {
    return this.peek().at;
  }

  get isEmpty(): boolean {
    return this.peek().kind === 'end';
  }

  peek(ahead = 0): ExpressionToken {
    const token = this.tokens[this.next + ahead] ?? this.tokens.at(-1);
    return token ?? { kind: 'end', text: '', at: { line: 1, column: 1 } };
  }

  /** Goes on behind the next tokens. */
  skip(count = 1): void {
    this.next += count;
  }

  isWord(word: string): boolean {
    const token = this.peek();
    return token.kind === 'name' && token.text === word;
  }

  isOperator(text: string): boolean {
    const token = this.peek();
    return token.kind === 'operator' && token.text === text;
  }

  takeWord(word: string): boolean {
    if (!this.isWord(word)) return false;
    this.next += 1;
    return true;
  }

  takeOperator(text: string): boolean {
    if (!this.isOperator(text)) return false;
    this.next += 1;
    return true;
  }

  /** A name, or the error that none is there. */
  takeName(): string {
    const token = this.peek();
    if (token.kind !== 'name' || isReserved(token.text)) throw this.unexpected('a name is needed');
    this.next += 1;
    return token.text;
  }

  /** One name, or several with commas between them: the targets of `for` and `set`. */
  takeNames(): readonly string[] {
    const names = [this.takeName()];
    while (this.takeOperator(',')) names.push(this.takeName());
    return names;
  }

  /** Demands the closing bracket. */
  closeWith(close: string): void {
    if (!this.takeOperator(close)) throw this.unexpected(`${close} is missing`);
  }

  /** Demands that nothing is left. */
  end(): void {
    if (!this.isEmpty) throw this.unexpected();
  }

  /** The error about the next token. */
  unexpected(wanted?: string): TemplateError {
    const token = this.peek();
    const what = token.kind === 'end' ? 'the expression ends here' : `${excerpt(token.text)} is not expected here`;
    return this.fail(token.at, wanted === undefined ? what : `${what}; ${wanted}`);
  }

  fail(at: Position, why: string): TemplateError {
    return syntaxError(this.source, at, why);
  }
}
