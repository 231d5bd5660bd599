/**
 * Makes one statement of a pipe: the nodes that the wanted node names, directly or through others, stand in front of it as common table
 * expressions, in an order in which each is known before it is used.
 *
 * Must stay true: a name means the same as within its own pipe. A node is never taken for a table of another statement, nor a table for
 * a node: where one name would mean two things, the node gets another and the references to it are rewritten.
 */

import { AppError, toAppError, type Pipe, type PipeNode } from '@glasshouse/model';
import { isOperator, isWord, MAX_SQL_LENGTH, tokenize, type Token } from '../lexer.ts';
import { splitStatement } from '../sql/statement.ts';
import { identifier } from './literal.ts';
import { referencesOf, type References, type TableReference } from './references.ts';

/** Gives the SQL of a node, its template rendered. It is called once for every node that is needed. */
export type NodeRenderer = (node: PipeNode, pipe: Pipe) => string;

export interface ComposeOptions {
  /** Pipes that may be named like tables; each stands for the result of its endpoint. */
  readonly pipes?: ReadonlyMap<string, Pipe>;
}

export interface QueryOptions extends ComposeOptions {
  /** A pipe whose nodes the query may name too. */
  readonly within?: Pipe;
}

/** Statements beyond this many in one query are refused; the engine would copy each of them wherever it is named. */
const MAX_UNITS = 200;

/** A node that the statement needs, or the statement itself. */
interface Unit {
  readonly pipe: Pipe | undefined;
  readonly node: PipeNode | undefined;
  readonly sql: string;
  readonly format: string | undefined;
  readonly tokens: readonly Token[];
  readonly references: References;
  /** Reference → the unit that it means. All others are tables. */
  readonly means: Map<TableReference, Unit>;
  /** Its name as a common table expression. */
  name: string;
}

/** The node whose rows are the result of a pipe: its endpoint, or else the last one that is not for a table of its own. */
export function resultNode(pipe: Pipe): PipeNode | undefined {
  const endpoint = pipe.nodes.findLast((node) => node.type === 'endpoint');
  return endpoint ?? pipe.nodes.findLast((node) => node.type === 'default') ?? pipe.nodes.at(-1);
}

/**
 * The statement that runs one node of a pipe.
 *
 * Throws `not_found` for a node that the pipe lacks, `bad_request` for nodes that name each other in a circle and for SQL that cannot be
 * read, and whatever `renderNode` throws.
 */
export function composePipe(
  pipe: Pipe,
  nodeName: string,
  renderNode: NodeRenderer,
  options: ComposeOptions = {},
): string {
  const node = pipe.nodes.find((one) => one.name === nodeName);
  if (node === undefined)
    throw new AppError('not_found', `cannot run node ${nodeName}: pipe ${pipe.name} has none of that name`);
  const composition = new Composition(renderNode, options.pipes ?? new Map());
  return composition.statement(composition.unit(pipe, node));
}

/**
 * The statement that runs a query in which pipes are named like tables. Put the pipe that `_` stands for into `pipes` under that name.
 * A query that names none comes back as it is.
 */
export function composeQuery(sql: string, renderNode: NodeRenderer, options: QueryOptions = {}): string {
  const composition = new Composition(renderNode, options.pipes ?? new Map());
  const query = composition.query(sql, options.within);
  return query.means.size === 0 ? sql : composition.statement(query);
}

/** The names that a statement reads from and does not define: nodes, pipes or tables. Each once, in the order of the text. */
export function namedTables(sql: string): readonly string[] {
  const { tables } = referencesOf(splitStatement(sql).tokens);
  return [...new Set(tables.map((table) => table.name))];
}

class Composition {
  private readonly renderNode: NodeRenderer;
  private readonly pipes: ReadonlyMap<string, Pipe>;
  /** Finished units, each behind those that it needs. */
  private readonly units = new Map<PipeNode, Unit>();
  private readonly path: { readonly pipe: Pipe; readonly node: PipeNode }[] = [];

  constructor(renderNode: NodeRenderer, pipes: ReadonlyMap<string, Pipe>) {
    this.renderNode = renderNode;
    this.pipes = pipes;
  }

  unit(pipe: Pipe, node: PipeNode): Unit {
    const done = this.units.get(node);
    if (done !== undefined) return done;
    const started = this.path.findIndex((step) => step.node === node);
    if (started !== -1) throw circle([...this.path.slice(started), { pipe, node }]);
    if (this.units.size + this.path.length >= MAX_UNITS)
      throw new AppError('too_large', `cannot run pipe ${pipe.name}: it needs more than ${MAX_UNITS} nodes`);
    this.path.push({ pipe, node });
    const unit = naming(`node ${node.name} of pipe ${pipe.name}`, this.renderNode(node, pipe), pipe, node);
    this.connect(unit, pipe, node);
    this.path.pop();
    this.units.set(node, unit);
    return unit;
  }

  query(sql: string, within: Pipe | undefined): Unit {
    const unit = naming('the query', sql, within, undefined);
    if (startsSelect(unit.tokens)) this.connect(unit, within, undefined);
    return unit;
  }

  /** A node of the same pipe comes before a pipe, and both come before a table. A node's own name means what is around its pipe. */
  private connect(unit: Unit, pipe: Pipe | undefined, self: PipeNode | undefined): void {
    for (const reference of unit.references.tables) {
      const sibling = pipe?.nodes.find((node) => node.name === reference.name && node !== self);
      if (pipe !== undefined && sibling !== undefined) {
        unit.means.set(reference, this.unit(pipe, sibling));
        continue;
      }
      const other = this.pipes.get(reference.name);
      const node = other === undefined ? undefined : resultNode(other);
      if (other !== undefined && node !== undefined) unit.means.set(reference, this.unit(other, node));
    }
  }

  statement(last: Unit): string {
    const needed = [...this.units.values()].filter((unit) => unit !== last);
    this.nameAll(needed, last);
    const list = needed.map((unit) => `${identifier(unit.name)} AS (${textOf(unit)})`).join(', ');
    const sql = needed.length === 0 ? textOf(last) : inFront(list, last);
    const statement = last.format === undefined || last.node !== undefined ? sql : `${sql} FORMAT ${last.format}`;
    if (statement.length <= MAX_SQL_LENGTH) return statement;
    const why = `it has ${statement.length} characters with its nodes, and ${MAX_SQL_LENGTH} are allowed`;
    throw new AppError('too_large', `cannot run the query: ${why}`);
  }

  /** Every unit keeps its node's name unless that also means a table, a common table expression or another node somewhere. */
  private nameAll(needed: readonly Unit[], last: Unit): void {
    const taken = new Set<string>();
    for (const unit of [...needed, last]) {
      for (const name of unit.references.declared) taken.add(name);
      for (const table of unit.references.tables) if (!unit.means.has(table)) taken.add(table.name);
    }
    for (const unit of needed) {
      const wanted = unit.node?.name ?? 'node';
      let name = wanted;
      for (let count = 2; taken.has(name); count += 1) name = `${wanted}_${count}`;
      taken.add(name);
      unit.name = name;
    }
  }
}

function naming(what: string, text: string, pipe: Pipe | undefined, node: PipeNode | undefined): Unit {
  try {
    const { sql, format } = splitStatement(text);
    const tokens = tokenize(sql);
    return { pipe, node, sql, format, tokens, references: referencesOf(tokens), means: new Map(), name: '' };
  } catch (error) {
    const { code, message } = toAppError(error);
    throw new AppError(code, `cannot compose ${what}: ${message}`, { cause: error });
  }
}

function startsSelect([first]: readonly Token[]): boolean {
  return isWord(first, 'SELECT', 'WITH', 'FROM') || isOperator(first, '(');
}

function circle(steps: readonly { readonly pipe: Pipe; readonly node: PipeNode }[]): AppError {
  const names = steps.map(({ pipe, node }) => `${pipe.name}.${node.name}`).join(' → ');
  return new AppError(
    'bad_request',
    `cannot run pipe ${steps[0]?.pipe.name ?? ''}: its nodes select from each other in a circle (${names})`,
  );
}

/** The text of a unit: references to units of another name rewritten, and without the commas before FROM. */
function textOf(unit: Unit): string {
  const edits = new Map<number, string>(unit.references.trailingCommas.map((comma) => [comma, ' ']));
  for (const [reference, { name }] of unit.means) {
    if (name === reference.name) continue;
    // Columns may be qualified by the name that is replaced.
    const alias = reference.aliased || reference.inSet ? '' : ` AS ${identifier(reference.name)}`;
    edits.set(reference.token, identifier(name) + alias);
  }
  let text = '';
  let at = 0;
  for (const [index, edit] of [...edits].toSorted(([a], [b]) => a - b)) {
    const token = unit.tokens[index];
    if (token === undefined) continue;
    text += unit.sql.slice(at, token.start) + edit;
    at = token.end;
  }
  return text + unit.sql.slice(at);
}

/** The list of common table expressions before a statement, merged with a WITH clause of its own. */
function inFront(list: string, unit: Unit): string {
  const text = textOf(unit);
  const [first, second] = unit.tokens;
  if (isOperator(first, '(')) return `WITH ${list} SELECT * FROM (${text})`;
  if (first === undefined || !isWord(first, 'WITH')) return `WITH ${list} ${text}`;
  // What is rewritten comes behind these words, so that their positions are those of the text.
  const end = second !== undefined && isWord(second, 'RECURSIVE') ? second.end : first.end;
  return `${text.slice(0, end)} ${list},${text.slice(end)}`;
}
