/**
 * The parser of expressions, with Python's precedence: `a if b else c`, `or`, `and`, `not`, comparisons, `+ -`, `* / // %`, signs, and
 * calls, methods and indexes behind a value.
 *
 * Must stay true: no attribute is ever read. A dot is followed by a method of the list in `methods.ts`, and a call is of a plain name.
 */

import type { BinaryOperator, Call, CompareOperator, Expression, Keyword } from './ast.ts';
import type { Position } from './error.ts';
import { MAX_EXPRESSION_DEPTH, MAX_INTEGER_BITS, MAX_ITEMS } from './limits.ts';
import type { ExpressionToken } from './scanner.ts';
import { isReserved, type TokenStream } from './tokens.ts';

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);
/** Python's constants, and how they are written in templates in use (`required=true`). */
const CONSTANTS: ReadonlyMap<string, boolean | undefined> = new Map([
  ['True', true],
  ['true', true],
  ['False', false],
  ['false', false],
  ['None', undefined],
  ['none', undefined],
  ['null', undefined],
]);

/** Whether a name is a constant, which nothing can be assigned to. */
export function isConstant(name: string): boolean {
  return CONSTANTS.has(name);
}

type WithoutDepth<T> = T extends Expression ? Omit<T, 'depth'> : never;

/**
 * Reads one expression from the tokens. Without brackets, `a, b` is a tuple when `tuples` says so. What follows is left to the caller.
 *
 * Throws `TemplateError` with the place.
 */
export function parseExpression(tokens: TokenStream, tuples = false): Expression {
  return new ExpressionParser(tokens).expression(tuples);
}

class ExpressionParser {
  private readonly tokens: TokenStream;
  private nesting = 0;

  constructor(tokens: TokenStream) {
    this.tokens = tokens;
  }

  expression(tuples = false): Expression {
    const first = this.nested(() => this.conditional());
    if (!tuples || !this.tokens.isOperator(',')) return first;
    const items = [first];
    while (this.tokens.takeOperator(',')) {
      if (this.tokens.peek().kind === 'end') break;
      items.push(this.nested(() => this.conditional()));
    }
    return this.node({ kind: 'list', items, tuple: true, at: first.at }, items);
  }

  private conditional(): Expression {
    const yes = this.logic('or');
    if (!this.tokens.takeWord('if')) return yes;
    const test = this.logic('or');
    if (!this.tokens.takeWord('else')) throw this.tokens.unexpected('a conditional is written A if TEST else B');
    const no = this.nested(() => this.conditional());
    return this.node({ kind: 'conditional', test, yes, no, at: yes.at }, [test, yes, no]);
  }

  private logic(operator: 'or' | 'and'): Expression {
    const operand = (): Expression => (operator === 'or' ? this.logic('and') : this.negation());
    const first = operand();
    if (!this.tokens.isWord(operator)) return first;
    const operands = [first];
    while (this.tokens.takeWord(operator)) operands.push(operand());
    return this.node({ kind: 'logic', operator, operands, at: first.at }, operands);
  }

  private negation(): Expression {
    const { at } = this.tokens.peek();
    if (!this.tokens.takeWord('not')) return this.comparison();
    const operand = this.nested(() => this.negation());
    return this.node({ kind: 'unary', operator: 'not', operand, at }, [operand]);
  }

  private comparison(): Expression {
    const first = this.sum();
    const links: { operator: CompareOperator; right: Expression }[] = [];
    for (let operator = this.compareOperator(); operator !== undefined; operator = this.compareOperator()) {
      links.push({ operator, right: this.sum() });
    }
    if (links.length === 0) return first;
    return this.node({ kind: 'compare', first, links, at: first.at }, [first, ...links.map((link) => link.right)]);
  }

  private compareOperator(): CompareOperator | undefined {
    const token = this.tokens.peek();
    if (token.kind === 'operator' && COMPARISONS.has(token.text)) {
      this.tokens.skip();
      return token.text as CompareOperator;
    }
    if (this.tokens.takeWord('in')) return 'in';
    if (this.tokens.takeWord('is')) return this.tokens.takeWord('not') ? 'is not' : 'is';
    if (!this.tokens.isWord('not') || this.tokens.peek(1).text !== 'in') return undefined;
    this.tokens.skip(2);
    return 'not in';
  }

  private sum(): Expression {
    return this.leftToRight(['+', '-'], () => this.leftToRight(['*', '/', '//', '%'], () => this.signed()));
  }

  private leftToRight(operators: readonly BinaryOperator[], operand: () => Expression): Expression {
    let left = operand();
    for (;;) {
      const operator = operators.find((text) => this.tokens.takeOperator(text));
      if (operator === undefined) return left;
      const right = operand();
      left = this.node({ kind: 'binary', operator, left, right, at: left.at }, [left, right]);
    }
  }

  private signed(): Expression {
    const { at } = this.tokens.peek();
    const operator = this.tokens.takeOperator('-') ? '-' : this.tokens.takeOperator('+') ? '+' : undefined;
    if (operator === undefined) return this.postfix();
    const operand = this.nested(() => this.signed());
    return this.node({ kind: 'unary', operator, operand, at }, [operand]);
  }

  private postfix(): Expression {
    let object = this.primary();
    for (;;) {
      const { at } = this.tokens.peek();
      if (this.tokens.takeOperator('[')) {
        if (this.tokens.isOperator(':')) throw this.tokens.fail(at, 'slices are not supported; take one item with [0]');
        const key = this.expression();
        if (this.tokens.isOperator(':')) throw this.tokens.fail(at, 'slices are not supported; take one item with [0]');
        this.tokens.closeWith(']');
        object = this.node({ kind: 'index', object, key, at }, [object, key]);
      } else if (this.tokens.takeOperator('.')) {
        const name = this.tokens.takeName();
        if (!this.tokens.takeOperator('('))
          throw this.tokens.fail(at, `.${name} is no method call; attributes cannot be read`);
        const positional = this.list(')');
        object = this.node({ kind: 'method', object, name, positional, at }, [object, ...positional]);
      } else {
        if (this.tokens.isOperator('(')) throw this.tokens.unexpected('only functions with a plain name can be called');
        return object;
      }
    }
  }

  private primary(): Expression {
    const token = this.tokens.peek();
    const { at, text } = token;
    switch (token.kind) {
      case 'string':
        this.tokens.skip();
        if (this.tokens.peek().kind === 'string') throw this.tokens.unexpected('strings are joined with +');
        return this.node({ kind: 'string', value: text, at });
      case 'int':
        this.tokens.skip();
        if (text.length > MAX_INTEGER_BITS / 4) throw this.tokens.fail(at, 'the number is too large');
        return this.node({ kind: 'int', value: BigInt(text), at });
      case 'float': {
        this.tokens.skip();
        const value = Number(text);
        if (!Number.isFinite(value)) throw this.tokens.fail(at, 'the number is too large');
        return this.node({ kind: 'float', value, at });
      }
      case 'name':
        return this.nameOrCall(token);
      case 'operator':
        return this.bracketed(token);
      case 'end':
        throw this.tokens.unexpected();
    }
  }

  private nameOrCall({ text, at }: ExpressionToken): Expression {
    if (text === 'lambda') throw this.tokens.unexpected('lambda is not supported');
    if (isReserved(text)) throw this.tokens.unexpected();
    this.tokens.skip();
    if (this.tokens.takeOperator('(')) return this.call(text, at);
    if (CONSTANTS.has(text)) {
      const value = CONSTANTS.get(text);
      return value === undefined ? this.node({ kind: 'none', at }) : this.node({ kind: 'bool', value, at });
    }
    return this.node({ kind: 'name', name: text, at });
  }

  private call(name: string, at: Position): Call {
    const positional: Expression[] = [];
    const keywords: Keyword[] = [];
    const names = new Set<string>();
    while (!this.tokens.isOperator(')')) {
      const token = this.tokens.peek();
      if (token.kind === 'operator' && (token.text === '*' || token.text === '**'))
        throw this.tokens.unexpected('arguments cannot be unpacked');
      if (token.kind === 'name' && this.tokens.peek(1).text === '=' && !isReserved(token.text)) {
        this.tokens.skip(2);
        if (names.has(token.text)) throw this.tokens.fail(token.at, `argument ${token.text} is given twice`);
        names.add(token.text);
        keywords.push({ name: token.text, value: this.expression() });
      } else {
        if (keywords.length > 0) throw this.tokens.unexpected('arguments without a name come first');
        positional.push(this.expression());
      }
      if (!this.tokens.takeOperator(',')) break;
    }
    this.tokens.closeWith(')');
    const parts = [...positional, ...keywords.map((keyword) => keyword.value)];
    return this.node({ kind: 'call', name, positional, keywords, at }, parts);
  }

  private bracketed({ text, at }: ExpressionToken): Expression {
    if (text === '[') {
      this.tokens.skip();
      const items = this.list(']');
      return this.node({ kind: 'list', items, tuple: false, at }, items);
    }
    if (text === '(') {
      this.tokens.skip();
      return this.parenthesis(at);
    }
    if (text === '{') {
      this.tokens.skip();
      if (this.tokens.isOperator('{')) throw this.tokens.unexpected('leave out the inner {{ and }}');
      return this.dict(at);
    }
    throw this.tokens.unexpected();
  }

  private parenthesis(at: Position): Expression {
    const items: Expression[] = [];
    let comma = false;
    while (!this.tokens.isOperator(')')) {
      items.push(this.expression());
      comma = this.tokens.takeOperator(',');
      if (!comma) break;
    }
    this.tokens.closeWith(')');
    const [only] = items;
    if (only !== undefined && items.length === 1 && !comma) return only;
    return this.node({ kind: 'list', items, tuple: true, at }, items);
  }

  private dict(at: Position): Expression {
    const entries: (readonly [Expression, Expression])[] = [];
    while (!this.tokens.isOperator('}')) {
      const key = this.expression();
      if (!this.tokens.takeOperator(':')) throw this.tokens.unexpected('an entry is written KEY: VALUE');
      entries.push([key, this.expression()]);
      if (!this.tokens.takeOperator(',')) break;
    }
    this.tokens.closeWith('}');
    return this.node({ kind: 'dict', entries, at }, entries.flat());
  }

  /** Expressions up to the closing bracket, which is consumed; the last comma is optional. */
  private list(close: ')' | ']'): readonly Expression[] {
    const items: Expression[] = [];
    while (!this.tokens.isOperator(close)) {
      if (items.length >= MAX_ITEMS) throw this.tokens.unexpected('the list is too long');
      items.push(this.expression());
      if (this.tokens.isWord('for')) throw this.tokens.unexpected('comprehensions are not supported; use {% for %}');
      if (!this.tokens.takeOperator(',')) break;
    }
    this.tokens.closeWith(close);
    return items;
  }

  private node<T extends WithoutDepth<Expression>>(
    fields: T,
    parts: readonly Expression[] = [],
  ): T & { depth: number } {
    const depth = parts.reduce((deepest, part) => Math.max(deepest, part.depth), 0) + 1;
    if (depth > MAX_EXPRESSION_DEPTH)
      throw this.tokens.fail(fields.at, 'the expression is nested too deeply or too long');
    return { ...fields, depth };
  }

  /** Bounds the parser's own recursion, which runs ahead of the tree. */
  private nested<T>(parse: () => T): T {
    this.nesting += 1;
    if (this.nesting > MAX_EXPRESSION_DEPTH)
      throw this.tokens.fail(this.tokens.at, 'the expression is nested too deeply or too long');
    const result = parse();
    this.nesting -= 1;
    return result;
  }
}
