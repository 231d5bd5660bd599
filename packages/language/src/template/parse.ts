/**
 * The parser of templates: pieces of SQL, `{{ … }}`, `{% … %}` and `{# … #}` (docs: core-concepts/templating-language). A node's SQL is
 * a template when its first character is `%`; all other SQL is taken as it is.
 *
 * Must stay true: a directive, a function or a method that is not known is refused here, when the pipe is deployed, and not when the
 * branch that holds it is rendered for the first time.
 */

import { partsOf, type Branch, type Expression, type Statement } from './ast.ts';
import { excerpt, syntaxError, type Position, type TemplateError, type TemplateSource } from './error.ts';
import { isConstant, parseExpression } from './expression.ts';
import { checkCall } from './functions.ts';
import { MAX_BLOCK_DEPTH, MAX_TEXT } from './limits.ts';
import { isMethod, METHOD_NAMES } from './methods.ts';
import { parametersOf, type TemplateParameter } from './parameters.ts';
import { cursorOver, scanExpression, type Cursor } from './scanner.ts';
import { TokenStream } from './tokens.ts';

export interface Template {
  readonly source: TemplateSource;
  /** False for plain SQL, which renders to itself. */
  readonly usesTemplate: boolean;
  readonly statements: readonly Statement[];
  /** Each once, in the order of the text. */
  readonly parameters: readonly TemplateParameter[];
  /** Parameters that the template passes to `Array`: a plain reference to one of them is a list. */
  readonly arrays: ReadonlySet<string>;
}

/** Its `lastIndex` is set before every use, so nothing is remembered between calls. */
const OPEN = /\{(?=[{%#])/gu;

/** Directives of the language that this one comes from, refused by name so that nobody looks for a typing error. */
const UNSUPPORTED: ReadonlySet<string> = new Set(
  'while try except finally import from include extends block apply module raw autoescape whitespace super'.split(' '),
);

/**
 * Reads the SQL of a node.
 *
 * Throws `TemplateError` with the place for everything that cannot be rendered whatever the values.
 */
export function parseTemplate(sql: string, source: TemplateSource): Template {
  const start = sql.search(/\S/u);
  const firstLine = source.firstLine ?? 1;
  if (sql.length > MAX_TEXT) {
    const why = `it has ${sql.length} characters and ${MAX_TEXT} are allowed`;
    throw syntaxError(source, { line: firstLine, column: 1 }, why);
  }
  if (start === -1 || sql.charAt(start) !== '%') {
    return {
      source,
      usesTemplate: false,
      statements: [{ kind: 'text', text: sql }],
      parameters: [],
      arrays: new Set(),
    };
  }
  const cursor = cursorOver(sql, source, firstLine);
  cursor.offset = start + 1;
  const statements = new TemplateParser(cursor).parse();
  const { parameters, arrays } = parametersOf([statements]);
  return { source, usesTemplate: true, statements, parameters, arrays };
}

/** The parameters of a pipe: of all of its templates together, each once. The first use that says something counts. */
export function pipeParameters(templates: readonly Template[]): readonly TemplateParameter[] {
  const used = templates.filter((template) => template.usesTemplate);
  return parametersOf(used.map((template) => template.statements)).parameters;
}

/** How a run of statements ended: with the text, or with one of these directives. */
interface Block {
  readonly statements: readonly Statement[];
  readonly closer:
    { readonly word: 'end' | 'else' | 'elif'; readonly tokens: TokenStream; readonly at: Position } | undefined;
}

class TemplateParser {
  private readonly cursor: Cursor;
  private blocks = 0;
  private loops = 0;

  constructor(cursor: Cursor) {
    this.cursor = cursor;
  }

  parse(): readonly Statement[] {
    const { statements, closer } = this.block();
    if (closer !== undefined) throw this.fail(closer.at, `{% ${closer.word} %} has no {% if %} or {% for %} before it`);
    return statements;
  }

  private block(): Block {
    const { cursor } = this;
    const statements: Statement[] = [];
    while (cursor.offset < cursor.text.length) {
      const open = this.nextOpening();
      if (open > cursor.offset) statements.push({ kind: 'text', text: cursor.text.slice(cursor.offset, open) });
      if (open === cursor.text.length) {
        cursor.offset = open;
        break;
      }
      const mark = cursor.text.slice(open, open + 2);
      cursor.offset = open + 2;
      if (cursor.text.charAt(open + 2) === '!') {
        // `{{!` stands for the two braces themselves.
        statements.push({ kind: 'text', text: mark });
        cursor.offset += 1;
      } else if (mark === '{#') {
        this.skipTo('#}', open);
      } else if (mark === '{{') {
        statements.push({ kind: 'output', expression: this.output(open) });
      } else {
        const closer = this.directive(open, statements);
        if (closer !== undefined) return { statements, closer };
      }
    }
    return { statements, closer: undefined };
  }

  /** Of three braces in a row the last two count. */
  private nextOpening(): number {
    OPEN.lastIndex = this.cursor.offset;
    const match = OPEN.exec(this.cursor.text);
    if (match === null) return this.cursor.text.length;
    let at = match.index;
    while (this.cursor.text.startsWith('{{{', at)) at += 1;
    return at;
  }

  private output(open: number): Expression {
    const tokens = this.tokens('}}');
    if (tokens.isEmpty) throw this.fail(this.cursor.positionAt(open), '{{ }} is empty');
    return this.checked(tokens);
  }

  private directive(open: number, statements: Statement[]): Block['closer'] {
    const { cursor } = this;
    const at = cursor.positionAt(open);
    const word = /^\s*([A-Za-z_]*)/u.exec(cursor.text.slice(cursor.offset, cursor.offset + 64))?.[1] ?? '';
    if (word === 'comment') {
      this.skipTo('%}', open);
      return undefined;
    }
    const tokens = this.tokens('%}');
    if (word !== '') tokens.takeWord(word);
    switch (word) {
      case 'if':
        statements.push(this.conditional(tokens, at));
        return undefined;
      case 'for':
        statements.push(this.loop(tokens, at));
        return undefined;
      case 'set':
        statements.push(this.assignment(tokens, at));
        return undefined;
      case 'break':
      case 'continue':
        tokens.end();
        if (this.loops === 0) throw this.fail(at, `{% ${word} %} stands outside of a {% for %}`);
        statements.push({ kind: word });
        return undefined;
      case 'end':
      case 'else':
      case 'elif':
        return { word, tokens, at };
      default:
        throw this.unknownDirective(word, at);
    }
  }

  private unknownDirective(word: string, at: Position): TemplateError {
    if (word === '') return this.fail(at, '{% %} needs a directive, such as if, for or set');
    if (/^end.|^fi$/u.test(word)) return this.fail(at, `{% ${excerpt(word)} %} is written {% end %} here`);
    const why = UNSUPPORTED.has(word) ? 'is not supported' : 'is not known';
    return this.fail(
      at,
      `{% ${excerpt(word)} %} ${why}; there are if, elif, else, for, set, break, continue, comment and end`,
    );
  }

  private conditional(first: TokenStream, at: Position): Statement {
    const branches: Branch[] = [];
    let test: Expression | undefined = this.checked(first);
    for (;;) {
      const { statements, closer } = this.nestedBlock(at);
      branches.push({ test, body: statements });
      if (closer === undefined) throw this.fail(at, '{% if %} has no {% end %}');
      if (closer.word !== 'end' && test === undefined)
        throw this.fail(closer.at, `{% ${closer.word} %} comes after {% else %}`);
      test = closer.word === 'elif' ? this.checked(closer.tokens) : undefined;
      if (closer.word !== 'elif') closer.tokens.end();
      if (closer.word === 'end') return { kind: 'if', branches };
    }
  }

  private loop(tokens: TokenStream, at: Position): Statement {
    const targets = this.targets(tokens);
    if (!tokens.takeWord('in')) throw tokens.unexpected('a loop is written {% for NAME in LIST %}');
    const iterable = this.checked(tokens, true);
    this.loops += 1;
    const { statements, closer } = this.nestedBlock(at);
    this.loops -= 1;
    if (closer === undefined) throw this.fail(at, '{% for %} has no {% end %}');
    if (closer.word !== 'end') throw this.fail(closer.at, `{% ${closer.word} %} does not belong to a {% for %}`);
    closer.tokens.end();
    return { kind: 'for', at, targets, iterable, body: statements };
  }

  private assignment(tokens: TokenStream, at: Position): Statement {
    const targets = this.targets(tokens);
    if (!tokens.takeOperator('=')) throw tokens.unexpected('an assignment is written {% set NAME = VALUE %}');
    return { kind: 'set', at, targets, value: this.checked(tokens, true) };
  }

  private targets(tokens: TokenStream): readonly string[] {
    const { at } = tokens;
    const targets = tokens.takeNames();
    const constant = targets.find(isConstant);
    if (constant !== undefined) throw this.fail(at, `${constant} cannot be set`);
    return targets;
  }

  private nestedBlock(at: Position): Block {
    this.blocks += 1;
    if (this.blocks > MAX_BLOCK_DEPTH) throw this.fail(at, `more than ${MAX_BLOCK_DEPTH} blocks are within each other`);
    const block = this.block();
    this.blocks -= 1;
    return block;
  }

  private tokens(close: '}}' | '%}'): TokenStream {
    return new TokenStream(scanExpression(this.cursor, close), this.cursor.source);
  }

  /** An expression with nothing behind it and no function or method in it that does not exist. */
  private checked(tokens: TokenStream, tuples = false): Expression {
    const expression = parseExpression(tokens, tuples);
    tokens.end();
    checkNames(expression, this.cursor.source);
    return expression;
  }

  private skipTo(close: string, open: number): void {
    const end = this.cursor.text.indexOf(close, this.cursor.offset);
    if (end === -1) throw this.fail(this.cursor.positionAt(open), `this is not closed with ${close}`);
    this.cursor.offset = end + close.length;
  }

  private fail(at: Position, why: string): TemplateError {
    return syntaxError(this.cursor.source, at, why);
  }
}

function checkNames(expression: Expression, source: TemplateSource): void {
  if (expression.kind === 'call') {
    const why = checkCall(expression);
    if (why !== undefined) throw syntaxError(source, expression.at, why);
  }
  if (expression.kind === 'method' && !isMethod(expression.name)) {
    const known = METHOD_NAMES.join(', ');
    throw syntaxError(source, expression.at, `there is no method ${excerpt(expression.name)}; there are ${known}`);
  }
  for (const part of partsOf(expression)) checkNames(part, source);
}
