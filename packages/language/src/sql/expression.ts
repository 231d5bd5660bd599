/**
 * Judges an expression of a definition: a DEFAULT, a key, a TTL, an index, a condition for deleting rows or for the rows that a token may
 * see. It is explained between parentheses, so that it cannot end early and begin something else.
 *
 * Must stay true: what is judged is what is used. A text that would be changed on the way (it has a comment, say) is refused.
 */

import { AppError } from '@glasshouse/model';
import { isOperator, isWord, type Token } from '../lexer.ts';
import type { AstNode } from './ast.ts';
import { argumentsOf, isConstantCall, isInFunction, judgeBareWord, judgeCallee } from './calls.ts';
import { allowedFunctions, isAggregate } from './functions.ts';
import { shorten, VIRTUAL_COLUMNS } from './policy.ts';
import { splitStatement } from './statement.ts';
import { totality } from './total.ts';

export interface ExpressionRules {
  /** For messages: `DEFAULT of column=a`. */
  readonly what: string;
  /** Columns that it may name; undefined while its table is not known. */
  readonly columns?: ReadonlySet<string>;
  /** `one` expression, a `list` of them, or a list of expressions that may have names, and `*`, as between SELECT and FROM. */
  readonly form?: 'list' | 'named' | 'one';
  readonly aggregates?: boolean;
  /** Whether it must not fail on any row, because it is evaluated on rows that whoever asks may not see. */
  readonly total?: boolean;
}

export interface Expression {
  /** The text as it may be used, without white space around it. */
  readonly sql: string;
  /** Explain this: `SELECT (…)`. */
  readonly statement: string;
  readonly tokens: readonly Token[];
  /** Offset of `sql` in `statement`. */
  readonly offset: number;
}

const MAX_LENGTH = 20_000;

/** Nodes that an expression may hold beside calls and names. */
const PARTS: ReadonlySet<string> = new Set(['ExpressionList', 'Literal']);
const LIST_PARTS: ReadonlySet<string> = new Set(['Asterisk', 'ColumnsTransformerList', 'ColumnsExceptTransformer']);

/** They are no functions of a row. */
const MULTIPLYING: ReadonlySet<string> = new Set(['arrayjoin', 'unnest']);

/**
 * Takes an expression apart before the engine sees it.
 *
 * Throws `bad_request` for what is empty, is no expression by its brackets, or has comments, parameters or several parts.
 */
export function splitExpression(text: string, rules: ExpressionRules): Expression {
  const fail = (why: string): AppError => new AppError('bad_request', `cannot use ${rules.what}: ${why}`);
  if (text.length > MAX_LENGTH) throw fail(`it has ${text.length} characters and ${MAX_LENGTH} are allowed`);
  if (text.trim() === '') throw fail('it is empty');
  const named = rules.form === 'named';
  const given = named
    ? text
        .trim()
        .replace(/^SELECT\b/iu, '')
        .trim()
    : text.trim();
  const { sql, tokens, format, parameters } = splitStatement(given);
  if (sql !== given || format !== undefined)
    throw fail('write it as an expression, without comments, heredocs and semicolons');
  if (parameters.length > 0) throw fail(`it cannot have the parameter ${parameters[0]?.name ?? ''}`);
  const comma = topLevelComma(tokens, fail);
  if (comma !== undefined && (rules.form ?? 'one') === 'one')
    throw fail(`the comma at position ${comma.start + 1} ends it`);
  const head = 'SELECT (';
  return { sql, statement: `${head}${sql}\n)`, tokens, offset: head.length };
}

/**
 * Judges the syntax tree of `statement`; answers with the columns that are named, each once.
 *
 * Throws `forbidden` for what an expression may not do and `bad_request` for a name that is no column.
 */
export function judgeExpression(expression: Expression, root: AstNode, rules: ExpressionRules): readonly string[] {
  const select = onlyChild(onlyChild(root, 'SelectWithUnionQuery'), 'ExpressionList');
  const items = onlyChild(select, 'SelectQuery');
  if (items?.kind !== 'ExpressionList') throw unexpected(expression, rules);
  const named = rules.form === 'named';
  const court = new ExpressionCourt(expression, rules);
  for (const item of items.children) {
    const parts = item.text === 'tuple' ? [item, ...argumentsOf(item)] : [item];
    if (parts.some((part) => part.kind === 'Function' && part.text === 'lambda')) throw unexpected(expression, rules);
    court.visit(item, new Set(), named ? 2 : 0);
  }
  return [...court.columns];
}

class ExpressionCourt {
  readonly columns = new Set<string>();
  private readonly expression: Expression;
  private readonly rules: ExpressionRules;
  private readonly allowed = allowedFunctions();
  private readonly names = new Set<string>();

  constructor(expression: Expression, rules: ExpressionRules) {
    this.expression = expression;
    this.rules = rules;
  }

  /** `naming` counts the levels at which a part may get a name: the list, and what is in it. */
  visit(node: AstNode, scope: ReadonlySet<string>, naming: number): void {
    if (node.alias !== undefined) {
      if (naming === 0) throw this.refusal(`it gives a part of it the name ${shorten(node.alias)}`, node.alias);
      this.names.add(node.alias);
    }
    if (node.kind === 'Identifier') this.visitName(node, scope);
    else if (node.kind === 'Function') this.visitCall(node, scope, naming);
    else if (PARTS.has(node.kind) || (naming > 0 && LIST_PARTS.has(node.kind))) {
      for (const child of node.children) this.visit(child, scope, naming);
    } else throw unexpected(this.expression, this.rules, node.kind);
  }

  private visitName(node: AstNode, scope: ReadonlySet<string>): void {
    const { text } = node;
    if (scope.has(text) || this.names.has(text)) return;
    const { columns } = this.rules;
    if (columns === undefined) judgeBareWord(node);
    else if (!columns.has(text) && ![...columns].some((column) => text.startsWith(`${column}.`)))
      throw this.refusal(`there is no column ${shorten(text)}`, text);
    if (VIRTUAL_COLUMNS.has(text)) throw this.refusal(`${text} is a column of the engine's own`, text);
    this.columns.add(text);
  }

  private visitCall(node: AstNode, scope: ReadonlySet<string>, naming: number): void {
    if (node.text === 'lambda') return this.visitLambda(node, scope);
    // The list itself is a tuple to the engine.
    const inner = node.text === 'tuple' ? naming - 1 : 0;
    try {
      judgeCallee(node, this.allowed);
    } catch (error) {
      throw this.located(error, node.text);
    }
    if (MULTIPLYING.has(node.text.toLowerCase()))
      throw this.refusal(`${node.text} makes several rows of one`, node.text);
    if (isAggregate(node.text) && this.rules.aggregates !== true)
      throw this.refusal(`aggregate function ${node.text} needs a GROUP BY, which is not here`, node.text);
    if (this.rules.total === true && totality(node.text) === undefined && !isConstantCall(node))
      throw this.refusal(`function ${node.text} can fail, also on rows that must stay hidden`, node.text);
    const right = argumentsOf(node)[1];
    if (isInFunction(node.text) && right?.kind === 'Identifier')
      throw this.refusal(
        `the right side of IN must be values in parentheses, and ${shorten(right.text)} is a name`,
        right.text,
      );
    for (const child of node.children) this.visit(child, scope, Math.max(inner, 0));
  }

  private visitLambda(node: AstNode, scope: ReadonlySet<string>): void {
    const [parameters, ...body] = argumentsOf(node);
    const names =
      parameters?.kind === 'Identifier' ? [parameters] : parameters === undefined ? [] : argumentsOf(parameters);
    const inner = new Set([...scope, ...names.map((name) => name.text)]);
    for (const child of body) this.visit(child, inner, 0);
  }

  private located(error: unknown, name: string): AppError {
    if (!(error instanceof AppError)) throw error;
    return this.refusal(error.message.replace(/^cannot /u, 'it cannot '), name, error.code);
  }

  private refusal(why: string, name: string, code: AppError['code'] = 'bad_request'): AppError {
    const token = this.expression.tokens.find((one) => one.value.toLowerCase() === name.toLowerCase());
    const where = token === undefined ? '' : ` at position ${token.start + 1}`;
    return new AppError(code, `cannot use ${this.rules.what}${where}: ${why}`);
  }
}

/** The first comma outside of all brackets. Throws where brackets are not in pairs. */
function topLevelComma(tokens: readonly Token[], fail: (why: string) => AppError): Token | undefined {
  const open: Token[] = [];
  let comma: Token | undefined;
  for (const token of tokens) {
    if (isOperator(token, '(') || isOperator(token, '[')) open.push(token);
    else if (isOperator(token, ')') || isOperator(token, ']')) {
      const opener = open.pop();
      if (opener?.text !== (token.text === ')' ? '(' : '['))
        throw fail(`the bracket at position ${token.start + 1} was not opened in it`);
    } else if (isOperator(token, ',') && open.length === 0) comma ??= token;
  }
  const [unclosed] = open;
  if (unclosed !== undefined) throw fail(`the bracket at position ${unclosed.start + 1} is not closed`);
  return comma;
}

function onlyChild(node: AstNode | undefined, kind: string): AstNode | undefined {
  return node?.kind === kind && node.children.length === 1 ? node.children[0] : undefined;
}

function unexpected({ tokens }: Expression, { what }: ExpressionRules, kind?: string): AppError {
  const select = tokens.find((token) => isWord(token, 'SELECT', 'OVER'));
  if (select !== undefined)
    return new AppError(
      'forbidden',
      `cannot use ${what} at position ${select.start + 1}: it must not have subqueries or windows`,
    );
  return new AppError(
    'forbidden',
    `cannot use ${what}: ${kind === undefined ? 'it is no expression' : `${kind} is not supported in it`}`,
  );
}
