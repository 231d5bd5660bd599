/**
 * Makes one statement of a pipe: the nodes that the wanted node names, directly or through others, stand in front of it as common table
 * expressions, in an order in which each is known before it is used.
 *
 * Must stay true: a name means the same as within its own pipe. The engine resolves the names in a common table expression where it is
 * used, not where it is written; so where one name would mean a table here and a node or definition there, the latter gets another name.
 */

import { AppError, toAppError, type Pipe, type PipeNode } from '@glasshouse/model';
import { isOperator, isWord, MAX_SQL_LENGTH, tokenize, type Token } from '../lexer.ts';
import { splitStatement } from '../sql/statement.ts';
import { identifier } from './literal.ts';
import { referencesOf, type Definition, type References, type TableReference } from './references.ts';

/** Gives the SQL of a node, its template rendered. It is called once for every node that is needed. */
export type NodeRenderer = (node: PipeNode, pipe: Pipe) => string;

export interface ComposeOptions {
  /** Pipes that may be named like tables; each stands for the result of its endpoint. */
  readonly pipes?: ReadonlyMap<string, Pipe>;
}

export interface QueryOptions extends ComposeOptions {
  /** Pipes that the query itself may name, when they are others than those that nodes may name. */
  readonly named?: ReadonlyMap<string, Pipe>;
  /** A pipe whose nodes the query may name too. */
  readonly within?: Pipe;
}

/** Statements beyond this many in one query are refused; the engine would copy each of them wherever it is named. */
const MAX_UNITS = 200;

/** A node that the statement needs, or the statement itself. */
interface Unit {
  readonly node: PipeNode | undefined;
  readonly sql: string;
  readonly format: string | undefined;
  readonly tokens: readonly Token[];
  readonly references: References;
  /** Reference → the unit that it means. All others are tables. */
  readonly means: Map<TableReference, Unit>;
  /** Its own definitions that get another name. */
  readonly renamed: Map<Definition, string>;
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
 * The statement that runs a query in which pipes are named like tables. Put the pipe that `_` stands for into `named` under that name.
 * A query that names none comes back as it is.
 */
export function composeQuery(sql: string, renderNode: NodeRenderer, options: QueryOptions = {}): string {
  const composition = new Composition(renderNode, options.pipes ?? new Map());
  const query = composition.query(sql, options.within, options.named ?? options.pipes ?? new Map());
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
    const unit = unitOf(`node ${node.name} of pipe ${pipe.name}`, this.renderNode(node, pipe), node);
    this.connect(unit, pipe, this.pipes);
    this.path.pop();
    this.units.set(node, unit);
    return unit;
  }

  query(sql: string, within: Pipe | undefined, named: ReadonlyMap<string, Pipe>): Unit {
    const unit = unitOf('the query', sql, undefined);
    if (startsSelect(unit.tokens)) this.connect(unit, within, named);
    return unit;
  }

  /** A node of the same pipe comes before a pipe, and both come before a table. A node's own name means what is around its pipe. */
  private connect(unit: Unit, pipe: Pipe | undefined, named: ReadonlyMap<string, Pipe>): void {
    for (const reference of unit.references.tables) {
      const sibling = pipe?.nodes.find((node) => node.name === reference.name && node !== unit.node);
      if (pipe !== undefined && sibling !== undefined) {
        unit.means.set(reference, this.unit(pipe, sibling));
        continue;
      }
      const other = named.get(reference.name);
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

  /** Every unit keeps its node's name, and every definition its own, unless that also means a table or another node somewhere. */
  private nameAll(needed: readonly Unit[], last: Unit): void {
    const units = [...needed, last];
    const tables = new Set(
      units.flatMap((unit) => unit.references.tables.filter((table) => !unit.means.has(table)).map(({ name }) => name)),
    );
    const taken = new Set([...tables, ...units.flatMap((unit) => unit.references.definitions.map(({ name }) => name))]);
    const free = (wanted: string): string => {
      let name = wanted;
      for (let count = 2; taken.has(name); count += 1) name = `${wanted}_${count}`;
      taken.add(name);
      return name;
    };
    for (const unit of needed) unit.name = free(unit.node?.name ?? 'node');
    if (units.length === 1) return;
    for (const unit of units) {
      for (const definition of unit.references.definitions) {
        if (tables.has(definition.name)) unit.renamed.set(definition, free(definition.name));
      }
    }
  }
}

function unitOf(what: string, text: string, node: PipeNode | undefined): Unit {
  try {
    const { sql, format, tokens: given } = splitStatement(text);
    // Where comments or a format were left out, they stand elsewhere in what is left.
    const tokens = sql === text.trim() ? movedBack(given, text.length - text.trimStart().length) : tokenize(sql);
    return {
      node,
      sql,
      format,
      tokens,
      references: referencesOf(tokens),
      means: new Map(),
      renamed: new Map(),
      name: '',
    };
  } catch (error) {
    const { code, message } = toAppError(error);
    throw new AppError(code, `cannot compose ${what}: ${message}`, { cause: error });
  }
}

/** Tokens of a text that begins so much later. */
function movedBack(tokens: readonly Token[], by: number): readonly Token[] {
  return by === 0 ? tokens : tokens.map((token) => ({ ...token, start: token.start - by, end: token.end - by }));
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

/** The text of a unit: names rewritten that mean what has another name now, and without the commas before FROM. */
function textOf(unit: Unit): string {
  const edits = new Map<number, string>(unit.references.trailingCommas.map((comma) => [comma, ' ']));
  const rename = (reference: TableReference, name: string): void => {
    // Columns may be qualified by the name that is replaced.
    const alias = reference.aliased || reference.inSet ? '' : ` AS ${identifier(reference.name)}`;
    if (name !== reference.name) edits.set(reference.token, identifier(name) + alias);
  };
  for (const [reference, { name }] of unit.means) rename(reference, name);
  for (const [definition, name] of unit.renamed) {
    edits.set(definition.token, identifier(name));
    for (const use of definition.uses) rename(use, name);
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

/** The list of common table expressions before a statement, merged with a WITH clause of its own */
function inFront(list: string, unit: Unit): string {
  const text = textOf(unit);
  const [first, second] = unit.tokens;
  // A recursive list would make the nodes recursive too.
  if (isOperator(first, '(') || isWord(second, 'RECURSIVE')) return `WITH ${list} SELECT * FROM (${text})`;
  if (first === undefined || !isWord(first, 'WITH')) return `WITH ${list} ${text}`;
  // What is rewritten comes behind this word, so that its position is that of the text.
  return `${text.slice(0, first.end)} ${list},${text.slice(first.end)}`;
}
