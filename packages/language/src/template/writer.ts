/**
 * Puts SQL together from a template's text and from rendered values, and keeps account of where in the SQL the next piece goes: into code,
 * a string, a quoted name or a comment.
 *
 * Must stay true: a rendered value goes into code only. Between quotes a literal's own quotes would end them, and the value would be code
 * (`'{{String(x)}}'` is the mistake that makes injection possible). The rules of comments and quotes are those of `lexer.ts`.
 */

/** What the next character belongs to. */
export type SqlContext = 'code' | 'quoted' | 'comment';

/** Characters that a literal must not touch: together they could be another token, such as `x'41'` or the start of a comment. */
const STICKY = /[A-Za-z0-9_'"`$]/u;

export class SqlWriter {
  private readonly pieces: string[] = [];
  private written = 0;
  /** The quote that is open: `'`, `"`, a backtick, or the whole `$tag$` of a heredoc. */
  private quote = '';
  private escaped = false;
  private comment: '' | 'line' | 'block' = '';
  private commentDepth = 0;
  /** The last character of code or of a block comment, or the last ones of a heredoc: a mark may come in two pieces. */
  private before = '';
  /** A `$` and the word after it, which may become the mark of a heredoc. */
  private dollar: string | undefined;
  private afterLiteral = false;

  get context(): SqlContext {
    if (this.comment !== '') return 'comment';
    return this.quote === '' ? 'code' : 'quoted';
  }

  /** UTF-16 units written so far. */
  get length(): number {
    return this.written;
  }

  get sql(): string {
    return this.pieces.join('');
  }

  /** Text of the template. */
  text(text: string): void {
    if (text === '') return;
    if (this.afterLiteral && STICKY.test(text.charAt(0))) this.push(' ');
    this.afterLiteral = false;
    for (const char of text) this.advance(char);
    this.push(text);
  }

  /** A rendered value; false when there is no place for it here. Plain numbers may stand between quotes. */
  literal(text: string): boolean {
    if (text === '') return true;
    if (this.context === 'comment') return true;
    if (this.context === 'quoted') {
      if (!/^-?[0-9]+(?:\.[0-9]+)?$/u.test(text)) return false;
      this.push(text);
      this.escaped = false;
      return true;
    }
    const first = text.charAt(0);
    const touches =
      first === "'" || first === '`' || first === '{' ? STICKY.test(this.before) : first === '-' && this.before === '-';
    this.push(touches ? ` ${text}` : text);
    this.before = text.slice(-1);
    this.dollar = undefined;
    this.afterLiteral = /['`]$/u.test(text);
    return true;
  }

  private push(text: string): void {
    this.pieces.push(text);
    this.written += text.length;
  }

  private advance(char: string): void {
    if (this.comment !== '') this.advanceComment(char);
    else if (this.quote.startsWith('$')) this.advanceHeredoc(char);
    else if (this.quote !== '') this.advanceQuoted(char);
    else this.advanceCode(char);
  }

  private advanceCode(char: string): void {
    const mark = this.before + char;
    const { dollar } = this;
    this.dollar = char === '$' ? '$' : dollar !== undefined && /[A-Za-z0-9_]/u.test(char) ? dollar + char : undefined;
    if (char === "'" || char === '"' || char === '`') this.open(char);
    else if (char === '$' && dollar !== undefined) this.open(`${dollar}$`);
    else if (mark === '--' || mark === '//' || mark === '# ' || mark === '#!') this.openComment('line');
    else if (mark === '/*') this.openComment('block');
    else this.before = char;
  }

  private open(quote: string): void {
    this.quote = quote;
    this.before = '';
    this.dollar = undefined;
    this.escaped = false;
  }

  private openComment(kind: 'line' | 'block'): void {
    this.comment = kind;
    this.commentDepth = 1;
    this.before = '';
  }

  /** A doubled quote closes and opens again, which comes to the same. */
  private advanceQuoted(char: string): void {
    if (this.escaped) this.escaped = false;
    else if (char === '\\') this.escaped = true;
    else if (char === this.quote) {
      this.quote = '';
      this.before = char;
    }
  }

  private advanceHeredoc(char: string): void {
    this.before = (this.before + char).slice(-this.quote.length);
    if (this.before !== this.quote) return;
    this.quote = '';
    this.before = '$';
  }

  private advanceComment(char: string): void {
    if (this.comment === 'line') {
      if (char === '\n') this.closeComment();
      return;
    }
    const mark = this.before + char;
    this.before = char;
    if (mark !== '/*' && mark !== '*/') return;
    this.commentDepth += mark === '/*' ? 1 : -1;
    this.before = '';
    if (this.commentDepth === 0) this.closeComment();
  }

  private closeComment(): void {
    this.comment = '';
    this.before = '\n';
  }
}
