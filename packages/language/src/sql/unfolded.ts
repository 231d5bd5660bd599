/**
 * Whether the resolved tree still has every call that the statement writes. Where a constant condition has made a branch useless, the
 * engine may leave the branch out, and what was found of the tree says nothing about the same statement with another constant.
 *
 * Must stay true: a call is counted as often as it is written, so that one that is left out cannot hide behind another of its name.
 */

import { walkAst, type AstNode } from './ast.ts';
import { isConstantCall } from './calls.ts';
import { callOf, walkResolved, type ResolvedNode } from './resolved.ts';

/** False also where the engine gave a call another name, which says less than it could and harms nothing. */
export function isUnfolded(ast: AstNode, tree: ResolvedNode): boolean {
  const resolved = new Map<string, number>();
  for (const node of walkResolved(tree)) {
    const name = callOf(node)?.name.toLowerCase();
    if (name !== undefined) resolved.set(name, (resolved.get(name) ?? 0) + 1);
  }
  for (const node of walkAst(ast)) {
    if (node.kind !== 'Function' || isConstantCall(node)) continue;
    const name = node.text.toLowerCase();
    const left = resolved.get(name) ?? 0;
    if (left === 0) return false;
    resolved.set(name, left - 1);
  }
  return true;
}
