/**
 * Gives the common table expressions of a syntax tree their names back. `EXPLAIN AST` prints a WithElement without its name, so the names
 * come from the statement's tokens, paired by order.
 *
 * Must stay true: safety does not rest on this. An unqualified name is a CTE or a table of the tenant's own database, and may be read
 * either way; the pairing only keeps CTE names out of the list of tables.
 */

import { walkAst, type AstNode } from './ast.ts';
import type { CteName, Statement } from './statement.ts';

export type CteNames = ReadonlyMap<AstNode, CteName>;

/** The name of every WithElement, or undefined when names and nodes cannot be paired with certainty. */
export function pairCtes(root: AstNode, statement: Statement): CteNames | undefined {
  const nodes = [...walkAst(root)].filter((node) => node.kind === 'WithElement');
  if (!statement.ctesInOrder || nodes.length !== statement.ctes.length) return undefined;
  return new Map(
    nodes.flatMap((node, index) => statement.ctes.slice(index, index + 1).map((name) => [node, name] as const)),
  );
}

/** The WithElements of one SelectQuery. They are in its first list; no other list holds any. */
function withElements(select: AstNode): readonly AstNode[] {
  return select.children
    .filter((child) => child.kind === 'ExpressionList')
    .flatMap((list) => list.children.filter((child) => child.kind === 'WithElement'));
}

/** The scope inside a SelectQuery: what is around it and what its WITH clause names. */
export function scopeOf(select: AstNode, outer: ReadonlySet<string>, names: CteNames): ReadonlySet<string> {
  const own = withElements(select).flatMap((element) => names.get(element)?.name ?? []);
  return own.length === 0 ? outer : new Set([...outer, ...own]);
}

/** The scope inside one WithElement: its own name is not visible unless the clause is RECURSIVE. */
export function scopeInside(
  element: AstNode,
  scope: ReadonlySet<string>,
  outer: ReadonlySet<string>,
  names: CteNames,
): ReadonlySet<string> {
  const cte = names.get(element);
  if (cte === undefined || cte.recursive || outer.has(cte.name)) return scope;
  return new Set([...scope].filter((name) => name !== cte.name));
}
