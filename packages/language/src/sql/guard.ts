/**
 * The judge of user SQL: walks the engine's own syntax tree and lets through one SELECT that reads only what the policy names. It is a list
 * of what is allowed: a node, a function or a table function that is not known here is refused.
 *
 * Must stay true: every child of every node is visited or refused. What `EXPLAIN AST` does not print (names of CTEs, functions of APPLY)
 * comes from the statement's tokens and is checked for its count against the tree.
 */

import { AppError } from '@glasshouse/model';
import { isWord } from '../lexer.ts';
import { walkAst, type AstNode } from './ast.ts';
import { argumentsOf, isInFunction, judgeBareWord, judgeCallee, judgeFunctionName } from './calls.ts';
import {
  functionRefusal,
  readableTable,
  shorten,
  tableFunctionRefusal,
  VIRTUAL_COLUMNS,
  type Policy,
  type TableName,
} from './policy.ts';
import { pairCtes, scopeInside, scopeOf, type CteNames } from './scope.ts';
import type { Statement } from './statement.ts';

export interface Verdict {
  /** Every table that the query names, each once; those behind permitted views are not among them. */
  readonly tables: readonly TableName[];
  /** Unqualified names that may be a table of the tenant's database, a CTE or a column; only the resolved tree tells. */
  readonly possibleTables: readonly string[];
}

/** Nodes whose children are all expressions, in any position. */
const EXPRESSIONS: ReadonlySet<string> = new Set([
  'Asterisk',
  'ColumnsListMatcher',
  'ColumnsRegexpMatcher',
  'ColumnsApplyTransformer',
  'ColumnsExceptTransformer',
  'ColumnsReplaceTransformer',
  'ColumnsReplaceTransformer::Replacement',
  'ColumnsTransformerList',
  'ExpressionList',
  'InterpolateElement',
  'Literal',
  'OrderByElement',
  'QualifiedAsterisk',
  'QualifiedColumnsListMatcher',
  'QualifiedColumnsRegexpMatcher',
  'WindowDefinition',
  'WindowListElement',
  'WithElement',
]);

/** Nodes of the FROM clause around the table expressions. */
const JOINS: ReadonlySet<string> = new Set([
  'TablesInSelectQuery',
  'TablesInSelectQueryElement',
  'ArrayJoin',
  'TableJoin',
]);

const SELECTS: ReadonlySet<string> = new Set(['SelectWithUnionQuery', 'SelectIntersectExceptQuery', 'SelectQuery']);

interface Court {
  readonly policy: Policy;
  readonly names: CteNames | undefined;
  readonly looseNames: ReadonlySet<string>;
  readonly tables: Map<string, TableName>;
  readonly possible: Set<string>;
}

type Scope = ReadonlySet<string>;

/**
 * Judges one statement by its syntax tree. Call it before any other use of the text: the resolved tree already runs constant expressions.
 * `nodes` are names that stand for subqueries without being in the text, because something is put in front of it before it runs.
 *
 * Throws `forbidden` for what a tenant may not do and `bad_request` for what is no query; the message names the thing and the way out.
 */
export function judge(
  statement: Statement,
  root: AstNode,
  policy: Policy,
  nodes: ReadonlySet<string> = new Set(),
): Verdict {
  if (root.kind !== 'SelectWithUnionQuery') {
    throw new AppError('forbidden', `cannot run ${shorten(statement.kind)}: only SELECT is allowed here`);
  }
  judgeApplied(statement, root, policy);
  judgeTokens(statement);
  if (policy.hidesRows) judgeBesideFilters(statement, root, policy);
  const names = pairCtes(root, statement);
  const looseNames = new Set(names === undefined ? statement.ctes.map((cte) => cte.name) : []);
  const court: Court = { policy, names, looseNames, tables: new Map(), possible: new Set() };
  judgeSelect(court, root, nodes);
  return { tables: [...court.tables.values()], possibleTables: [...court.possible] };
}

/** The tree shows that there is an APPLY but not of what. */
function judgeApplied(statement: Statement, root: AstNode, policy: Policy): void {
  const count = [...walkAst(root)].filter((node) => node.kind === 'ColumnsApplyTransformer').length;
  if (count === 0) return;
  if (count !== statement.applied.length) {
    throw new AppError('bad_request', 'cannot judge APPLY: the word is used as a name too; quote or rename that');
  }
  for (const name of statement.applied) {
    if (name === undefined)
      throw new AppError('forbidden', 'cannot use APPLY with a lambda: write APPLY(function) or the expressions');
    judgeFunctionName(name, policy.allowedFunctions);
    if (isInFunction(name)) throw functionRefusal(name);
  }
}

/** `table UUID '…'` is not in the tree either. The engine's resolver ignores it today; nothing says that it always will. */
function judgeTokens({ tokens }: Statement): void {
  if (tokens.some((token, index) => isWord(token, 'UUID') && tokens[index + 1]?.kind === 'string')) {
    throw new AppError('forbidden', 'cannot read a table by its UUID: use its name');
  }
}

/**
 * What row filters leave open and the engine cannot close: PREWHERE runs before them, made-up columns tell of the rows that they hide, and
 * a table whose alias reads like a filtered table's name gets that one's filter.
 */
function judgeBesideFilters({ tokens }: Statement, root: AstNode, policy: Policy): void {
  for (const token of tokens) {
    if (isWord(token, 'PREWHERE'))
      throw new AppError('forbidden', 'cannot use PREWHERE: the credential sees some rows only; write WHERE');
    if (token.kind === 'quoted' && policy.reservedAliases.has(token.value)) throw aliasRefusal(token.value);
  }
  for (const { kind, text, alias } of walkAst(root)) {
    if (alias !== undefined && policy.reservedAliases.has(alias)) throw aliasRefusal(alias);
    const column = text.slice(text.lastIndexOf('.') + 1);
    if (kind === 'Identifier' && VIRTUAL_COLUMNS.has(column))
      throw new AppError('forbidden', `cannot read column ${column}: the credential sees some rows only`);
  }
}

function aliasRefusal(name: string): AppError {
  const why = 'as one name it reads like a table; write database and table apart, or choose another alias';
  return new AppError('forbidden', `cannot use the name ${shorten(name)}: ${why}`);
}

function judgeSelect(court: Court, node: AstNode, outer: Scope): void {
  switch (node.kind) {
    case 'SelectWithUnionQuery':
      return judgeUnion(court, node, outer);
    case 'SelectIntersectExceptQuery':
      for (const child of node.children) judgeSelect(court, child, outer);
      return;
    case 'SelectQuery':
      for (const child of node.children) judgeNode(court, child, scopeWithin(court, node, outer), outer);
      return;
    default:
      throw unknownNode(node);
  }
}

/** Anything beside the list of selects is a clause of output or settings. */
function judgeUnion(court: Court, node: AstNode, outer: Scope): void {
  const [list, ...others] = node.children;
  const extra = others[0];
  if (list?.kind !== 'ExpressionList') throw unknownNode(list ?? node);
  if (extra !== undefined) throw clauseRefusal(extra);
  const first = list.children[0];
  // The engine shows the names of the first SELECT's WITH clause to the rest of its UNION.
  const shared = first?.kind === 'SelectQuery' ? scopeWithin(court, first, outer) : outer;
  for (const child of list.children) judgeSelect(court, child, child === first ? outer : shared);
}

function clauseRefusal(node: AstNode): AppError {
  if (node.kind === 'Set') return settingsRefusal();
  if (node.kind === 'Literal')
    return new AppError('forbidden', 'cannot use INTO OUTFILE: results come back in the response');
  return new AppError('bad_request', 'cannot use FORMAT here: it must be the last clause of the statement');
}

function settingsRefusal(): AppError {
  return new AppError('forbidden', 'cannot use a SETTINGS clause: limits and settings belong to the server; remove it');
}

function scopeWithin(court: Court, select: AstNode, outer: Scope): Scope {
  return court.names === undefined ? outer : scopeOf(select, outer, court.names);
}

function judgeNode(court: Court, node: AstNode, scope: Scope, outer: Scope): void {
  if (SELECTS.has(node.kind)) return judgeSelect(court, node, scope);
  if (node.kind === 'WithElement' && court.names !== undefined) {
    return judgeChildren(court, node, scopeInside(node, scope, outer, court.names));
  }
  if (EXPRESSIONS.has(node.kind) || JOINS.has(node.kind) || node.kind === 'Subquery')
    return judgeChildren(court, node, scope, outer);
  switch (node.kind) {
    case 'Function':
      return judgeCall(court, node, scope);
    case 'Identifier':
      return judgeBareWord(node);
    case 'TableExpression':
      for (const child of node.children) judgeTableExpression(court, child, scope);
      return;
    case 'Set':
      throw settingsRefusal();
    default:
      throw unknownNode(node);
  }
}

function judgeChildren(court: Court, node: AstNode, scope: Scope, outer: Scope = scope): void {
  for (const child of node.children) judgeNode(court, child, scope, outer);
}

function judgeTableExpression(court: Court, node: AstNode, scope: Scope): void {
  switch (node.kind) {
    case 'TableIdentifier':
      return judgeTable(court, node.text, scope);
    case 'Function':
      return judgeTableFunction(court, node, scope);
    case 'Subquery':
    case 'ExpressionList':
      return judgeChildren(court, node, scope);
    case 'SampleRatio':
      return;
    case 'ASTStreamSettings':
      throw new AppError('forbidden', 'cannot use STREAM: a query must end; ask again for newer rows');
    default:
      throw unknownNode(node);
  }
}

function judgeTable(court: Court, printed: string, scope: Scope): void {
  if (isCte(printed, scope)) return;
  const table = readableTable(court.policy, printed);
  if (court.looseNames.has(printed)) court.possible.add(printed);
  else court.tables.set(`${table.database}.${table.table}`, table);
}

/** A quoted CTE name with a dot prints like `database.table`, so such a name is never taken for a CTE. */
function isCte(printed: string, scope: Scope): boolean {
  return !printed.includes('.') && scope.has(printed);
}

function judgeTableFunction(court: Court, node: AstNode, scope: Scope): void {
  const name = node.text;
  if (name.includes('.')) {
    const view = readableTable(court.policy, name);
    if (!court.policy.parameterisedViews(view.database, view.table)) {
      throw new AppError(
        'forbidden',
        `cannot read ${shorten(name)} with arguments: there is no such parameterised view for this tenant`,
      );
    }
    court.tables.set(name, view);
  } else if (!court.policy.allowedTableFunctions.has(name.toLowerCase())) {
    throw tableFunctionRefusal(name);
  }
  judgeChildren(court, node, scope);
}

function judgeCall(court: Court, node: AstNode, scope: Scope): void {
  judgeCallee(node, court.policy.allowedFunctions);
  if (isInFunction(node.text)) judgeInSet(court, argumentsOf(node)[1], scope);
  judgeChildren(court, node, scope);
}

/** The right side of IN is a table when it is a bare name. */
function judgeInSet(court: Court, right: AstNode | undefined, scope: Scope): void {
  if (right?.kind !== 'Identifier' || isCte(right.text, scope)) return;
  const table = readableTable(court.policy, right.text);
  if (right.text.includes('.')) court.tables.set(right.text, table);
  else court.possible.add(right.text);
}

function unknownNode(node: AstNode): AppError {
  return new AppError('forbidden', `cannot judge the query: ${shorten(node.kind)} is not supported here`);
}
