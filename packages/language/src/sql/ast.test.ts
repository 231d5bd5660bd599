/** Reading `EXPLAIN AST`: the tree, its annotations, and that no text makes the parser or the judge throw anything but an AppError. */

import { AppError } from '@glasshouse/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_AST_DEPTH, parseAst, walkAst } from './ast.ts';
import { judge } from './guard.ts';
import { tenantPolicy } from './policy.ts';
import { resolvedTables } from './query-tree.ts';
import { splitStatement } from './statement.ts';

const SELECT_ONE =
  'SelectWithUnionQuery (children 1)\n ExpressionList (children 1)\n  SelectQuery (children 1)\n   ExpressionList (children 1)\n    Literal UInt64_1\n\n';

describe('parseAst', () => {
  it('reads kinds, texts, aliases and children', () => {
    const tree = parseAst(
      "Function plus (alias p95 (ms)) (children 1)\n ExpressionList (children 3)\n  Identifier a.b\n  Literal 'x (alias y)' (alias z)\n  Subquery (alias q)",
    );
    expect(tree).toMatchObject({ kind: 'Function', text: 'plus', alias: 'p95 (ms)' });
    expect([...walkAst(tree)].map((node) => [node.kind, node.text, node.alias])).toEqual([
      ['Function', 'plus', 'p95 (ms)'],
      ['ExpressionList', '', undefined],
      ['Identifier', 'a.b', undefined],
      ['Literal', "'x (alias y)' (alias z)", undefined],
      ['Subquery', '', 'q'],
    ]);
  });

  it.each([
    ['nothing', ''],
    ['an indented root', ' A'],
    ['two roots', 'A\nB'],
    ['a jump in depth', 'A (children 1)\n  B'],
    ['a missing child', 'A (children 2)\n B'],
    ['a child too many', 'A (children 1)\n B\n C'],
    ['a child of a node without any', 'A\n B'],
    ['a leaf with children', 'A (children 1)\n Identifier x (children 1)\n  B'],
    ['an empty line inside', 'A (children 1)\n\n B'],
    ['a line without a kind', 'A (children 1)\n (alias x)'],
  ])('refuses %s', (_what, text) => {
    expect(() => parseAst(text)).toThrow(AppError);
  });

  it('refuses a tree that is too deep', () => {
    const deep = Array.from({ length: MAX_AST_DEPTH + 2 }, (_, depth) => `${' '.repeat(depth)}A (children 1)`).join(
      '\n',
    );
    expect(() => parseAst(deep)).toThrow(AppError);
  });

  it('throws nothing but AppError on any text, and neither does the judge on any tree', () => {
    const kind = fc.constantFrom(
      'SelectWithUnionQuery',
      'SelectQuery',
      'ExpressionList',
      'Function in',
      'Function arrayMap',
      'Identifier a.b',
      'TableExpression',
      'WithElement',
      'Set',
      "Literal 'x'",
      'Subquery (alias s)',
    );
    const line = fc
      .tuple(fc.nat(4), kind, fc.option(fc.nat(3)))
      .map(
        ([depth, name, children]) => `${' '.repeat(depth)}${name}${children === null ? '' : ` (children ${children})`}`,
      );
    const text = fc.oneof(
      fc.string(),
      fc.array(line).map((lines) => lines.join('\n')),
    );
    fc.assert(fc.property(text, throwsOnlyAppErrors), { numRuns: 3000 });
  });

  it('throws nothing but AppError on a well-formed tree of any nodes', () => {
    const kind = fc.constantFrom(
      'SelectWithUnionQuery',
      'SelectIntersectExceptQuery',
      'SelectQuery',
      'ExpressionList',
      'Function in',
      'Function view',
      'Function arrayMap',
      'Function arrayReduce',
      'TablesInSelectQuery',
      'TablesInSelectQueryElement',
      'TableExpression',
      'WithElement',
      'Subquery',
      'Odd',
    );
    const { tree } = fc.letrec<{ tree: Shape }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 8 },
        fc.record({ kind, children: fc.constant([]) }),
        fc.record({ kind, children: fc.array(tie('tree'), { maxLength: 3 }) }),
      ),
    }));
    fc.assert(
      fc.property(tree, (shape) =>
        throwsOnlyAppErrors(
          print({ kind: 'SelectWithUnionQuery', children: [{ kind: 'ExpressionList', children: [shape] }] }, 0),
        ),
      ),
    );
  });

  it('lets the judge through for the smallest query', () => {
    expect(judge(splitStatement('SELECT 1'), parseAst(SELECT_ONE), tenantPolicy('acme'))).toEqual({
      tables: [],
      possibleTables: [],
    });
  });
});

describe('resolvedTables', () => {
  it('throws nothing but AppError on any text', () => {
    const line = fc.constantFrom(
      '  TABLE id: 1, table_name: a.b',
      '  TABLE id: 1, alias: x, table_name: a.b, final: 1',
      'TABLE id: x',
      '  TABLE_FUNCTION id: 2, table_function_name: f',
      '  TABLE EXPRESSION',
      ' x',
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = ['QUERY id: 0', ...lines].join('\n');
        if (lines.includes('TABLE id: x')) expect(() => resolvedTables(text)).toThrow(AppError);
        else expect(resolvedTables(text).tables.every((name) => name === 'a.b')).toBe(true);
      }),
    );
  });
});

interface Shape {
  readonly kind: string;
  readonly children: readonly Shape[];
}

function print(shape: Shape, depth: number): string {
  const count = shape.children.length === 0 ? '' : ` (children ${shape.children.length})`;
  return [`${' '.repeat(depth)}${shape.kind}${count}`, ...shape.children.map((child) => print(child, depth + 1))].join(
    '\n',
  );
}

function throwsOnlyAppErrors(text: string): void {
  try {
    judge(splitStatement('SELECT 1'), parseAst(text), tenantPolicy('acme'));
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
  }
}
