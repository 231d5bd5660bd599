/**
 * The syntax tree of a template: statements between pieces of SQL, and the expressions in them, which are a small part of Python's.
 *
 * Must stay true: `depth` of an expression is that of its deepest part plus one, and the parser bounds it, so that a walk of the tree
 * cannot exhaust the stack.
 */

import type { Position } from './error.ts';

export type Statement =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output'; readonly expression: Expression }
  | { readonly kind: 'if'; readonly branches: readonly Branch[] }
  | {
      readonly kind: 'for';
      readonly at: Position;
      readonly targets: readonly string[];
      readonly iterable: Expression;
      readonly body: readonly Statement[];
    }
  | {
      readonly kind: 'set';
      readonly at: Position;
      readonly targets: readonly string[];
      readonly value: Expression;
    }
  | { readonly kind: 'break' | 'continue' };

export interface Branch {
  /** Undefined for `else`. */
  readonly test: Expression | undefined;
  readonly body: readonly Statement[];
}

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%';
export type CompareOperator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in' | 'is' | 'is not';

interface Node {
  readonly at: Position;
  readonly depth: number;
}

export interface Keyword {
  readonly name: string;
  readonly value: Expression;
}

export interface Call extends Node {
  readonly kind: 'call';
  readonly name: string;
  readonly positional: readonly Expression[];
  readonly keywords: readonly Keyword[];
}

export type Expression =
  | (Node & { readonly kind: 'none' })
  | (Node & { readonly kind: 'bool'; readonly value: boolean })
  | (Node & { readonly kind: 'int'; readonly value: bigint })
  | (Node & { readonly kind: 'float'; readonly value: number })
  | (Node & { readonly kind: 'string'; readonly value: string })
  | (Node & { readonly kind: 'name'; readonly name: string })
  | (Node & { readonly kind: 'list'; readonly items: readonly Expression[]; readonly tuple: boolean })
  | (Node & { readonly kind: 'dict'; readonly entries: readonly (readonly [Expression, Expression])[] })
  | (Node & { readonly kind: 'unary'; readonly operator: '-' | '+' | 'not'; readonly operand: Expression })
  | (Node & {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    })
  | (Node & { readonly kind: 'logic'; readonly operator: 'and' | 'or'; readonly operands: readonly Expression[] })
  | (Node & {
      readonly kind: 'compare';
      readonly first: Expression;
      /** `a < b < c` is one comparison with two links, as in Python. */
      readonly links: readonly { readonly operator: CompareOperator; readonly right: Expression }[];
    })
  | (Node & {
      readonly kind: 'conditional';
      readonly test: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    })
  | (Node & { readonly kind: 'index'; readonly object: Expression; readonly key: Expression })
  | (Node & {
      readonly kind: 'method';
      readonly object: Expression;
      readonly name: string;
      readonly positional: readonly Expression[];
    })
  | Call;

/** The expressions directly inside of one. */
export function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'none':
    case 'bool':
    case 'int':
    case 'float':
    case 'string':
    case 'name':
      return [];
    case 'list':
      return expression.items;
    case 'dict':
      return expression.entries.flat();
    case 'unary':
      return [expression.operand];
    case 'binary':
      return [expression.left, expression.right];
    case 'logic':
      return expression.operands;
    case 'compare':
      return [expression.first, ...expression.links.map((link) => link.right)];
    case 'conditional':
      return [expression.test, expression.yes, expression.no];
    case 'index':
      return [expression.object, expression.key];
    case 'method':
      return [expression.object, ...expression.positional];
    case 'call':
      return [...expression.positional, ...expression.keywords.map((keyword) => keyword.value)];
  }
}
