/**
 * Whether a call in a syntax tree is allowed: the function that is called, and one that is named where the tree shows no call of it. Both
 * judges of users' texts ask here, that of statements and that of expressions.
 */

import { AppError } from '@glasshouse/model';
import type { AstNode } from './ast.ts';
import {
  AGGREGATE_BY_NAME_FUNCTIONS,
  HIGHER_ORDER_FUNCTIONS,
  isAllowedAggregate,
  isAllowedFunction,
} from './functions.ts';
import { functionRefusal, shorten } from './policy.ts';

const IN_FUNCTION = /^(?:global)?(?:not)?(?:null)?in(?:ignoreset)?$/iu;

/** Bare words that the engine turns into a call of a refused function when no column has their name. */
const BARE_CALLS: ReadonlySet<string> = new Set(['current_user', 'session_user']);

/** True for `in` and its kin, whose right side is a table when it is a bare name. */
export function isInFunction(name: string): boolean {
  return IN_FUNCTION.test(name);
}

/** The arguments of a Function node. */
export function argumentsOf(node: AstNode): readonly AstNode[] {
  return node.children[0]?.kind === 'ExpressionList' ? node.children[0].children : [];
}

/** Calls without arguments that give the same for every row. */
const SAME: ReadonlySet<string> = new Set(['now', 'now64', 'today', 'yesterday', 'pi', 'e', 'timezone']);

/** `now() - INTERVAL 1 HOUR`: it is the same for every row, so it fails for all of them or for none. */
export function isConstantCall(node: AstNode): boolean {
  const parameters = argumentsOf(node);
  if (parameters.length === 0) return SAME.has(node.text.toLowerCase());
  return parameters.every((one) => one.kind === 'Literal' || (one.kind === 'Function' && isConstantCall(one)));
}

/** Throws `forbidden` unless the function may be called, and may call what it is given by name. `allowed` is in lower case. */
export function judgeCallee(node: AstNode, allowed: ReadonlySet<string>): void {
  judgeFunctionName(node.text, allowed);
  const parameters = argumentsOf(node);
  const lowered = node.text.toLowerCase();
  if (HIGHER_ORDER_FUNCTIONS.has(lowered) && parameters.length > 1) judgeFunctionArgument(parameters[0], allowed);
  if (AGGREGATE_BY_NAME_FUNCTIONS.has(lowered)) judgeAggregateName(node.text, parameters[0], allowed);
}

/** Throws `forbidden` unless the function may be called. */
export function judgeFunctionName(name: string, allowed: ReadonlySet<string>): void {
  if (!isAllowedFunction(name, allowed)) throw functionRefusal(name);
}

/** Throws `forbidden` for a bare word that is a call. */
export function judgeBareWord({ text }: AstNode): void {
  if (BARE_CALLS.has(text.toLowerCase())) throw functionRefusal(text);
}

/** `arrayMap(f, x)` calls f without a call in the tree. */
function judgeFunctionArgument(argument: AstNode | undefined, allowed: ReadonlySet<string>): void {
  if (argument?.kind !== 'Identifier') return;
  if (isAllowedFunction(argument.text, allowed) && !isInFunction(argument.text)) return;
  throw new AppError(
    'forbidden',
    `cannot pass ${shorten(argument.text)} as a function: write a lambda such as x -> f(x)`,
  );
}

function judgeAggregateName(caller: string, argument: AstNode | undefined, allowed: ReadonlySet<string>): void {
  const name = argument?.kind === 'Literal' ? /^'([A-Za-z0-9_]+)(?:\(.*\))?'$/su.exec(argument.text)?.[1] : undefined;
  if (name !== undefined && isAllowedAggregate(name, allowed)) return;
  throw new AppError(
    'forbidden',
    `cannot use ${caller} so: its first argument must be the name of an allowed aggregate function, in quotes`,
  );
}
