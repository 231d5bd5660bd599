/**
 * Reads the text of EXPLAIN_TREE (engine 26.7: two spaces of indent a level) into a tree, for what needs to know where a node
 * stands. Which tables and functions there are is read line by line in query-tree.ts, which trusts no structure.
 *
 * Must stay true: names and constants cannot make lines of their own. The lexer refuses names with line breaks, the engine escapes
 * constants, and the explanation is asked for with `optimize_functions_to_subcolumns = 0`, which would print the key of a map raw.
 */

import { AppError } from '@glasshouse/model';

export interface ResolvedNode {
  /** The engine's name of the node, such as `FUNCTION`, or a heading such as `WHERE` or `ARGUMENTS`. */
  readonly kind: string;
  readonly id: number | undefined;
  /** What follows the id, or the name of a heading, on the line. */
  readonly text: string;
  readonly children: readonly ResolvedNode[];
}

/**
 * Put this in front of a statement. Only names and types are resolved: later passes drop what a constant condition makes useless, and
 * the constant may be another one (`now()`, a parameter) when the statement runs.
 */
export const EXPLAIN_TREE = 'EXPLAIN QUERY TREE passes = 1 ';

/** Explain with these settings what is to be read here. */
export const EXPLAIN_SETTINGS: Readonly<Record<string, string>> = { optimize_functions_to_subcolumns: '0' };

/** As deep as the syntax tree may be, twice over: a node and its heading are a level each. */
const MAX_DEPTH = 1_600;

/** Throws `bad_request` when the text is no tree. */
export function parseResolved(text: string): ResolvedNode {
  const path: { readonly node: ResolvedNode; readonly children: ResolvedNode[] }[] = [];
  let root: ResolvedNode | undefined;
  let resume: string | undefined;
  for (const line of text.replace(/\n+$/u, '').split('\n')) {
    // Names of result columns, which can begin with anything. What follows them is always the same line.
    if (resume !== undefined && line !== resume) continue;
    resume = line.endsWith('PROJECTION COLUMNS') ? line.slice(0, -' COLUMNS'.length) : undefined;
    const indent = line.search(/[^ ]/u);
    const depth = indent / 2;
    if (!Number.isInteger(depth) || indent < 0 || depth > path.length || depth > MAX_DEPTH) throw malformed();
    if ((depth === 0) !== (root === undefined)) throw malformed();
    path.length = depth;
    const children: ResolvedNode[] = [];
    const node = { ...splitLine(line.slice(indent)), children };
    path.at(-1)?.children.push(node);
    root ??= node;
    path.push({ node, children });
  }
  if (root === undefined || !['QUERY', 'UNION'].includes(root.kind)) throw malformed();
  return root;
}

/** The type of what a node gives. Names come before it and can hold anything, so it is looked for from the end. */
export function typeOf(node: ResolvedNode | undefined): string | undefined {
  switch (node?.kind) {
    case 'CONSTANT':
      return /^.*constant_value_type: (.*)$/su.exec(node.text)?.[1];
    case 'COLUMN':
      return /^.*result_type: (.*), source_id: \d+$/su.exec(node.text)?.[1];
    case 'FUNCTION':
      return FUNCTION.exec(node.text)?.[3];
    default:
      return undefined;
  }
}

/** Name and kind (`ordinary`, `aggregate`, `window`) of a FUNCTION; undefined where it was not resolved, or is something else. */
export function callOf(node: ResolvedNode): { readonly name: string; readonly type: string } | undefined {
  const [, name, type, result] = node.kind === 'FUNCTION' ? (FUNCTION.exec(node.text) ?? []) : [];
  return name === undefined || type === undefined || result === undefined ? undefined : { name, type };
}

/** Id of what a COLUMN is read from. */
export function sourceOf(node: ResolvedNode): number | undefined {
  const id = node.kind === 'COLUMN' ? /, source_id: (\d+)$/u.exec(node.text)?.[1] : undefined;
  return id === undefined ? undefined : Number(id);
}

/** All nodes, in no order that matters. */
export function* walkResolved(root: ResolvedNode): Generator<ResolvedNode> {
  const stack = [root];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    yield next;
    stack.push(...next.children);
  }
}

const FUNCTION = /^function_name: (\w+), function_type: (\w+)(?:, result_type: (.*))?$/su;

/**
 * Whether a query in it, or itself, gives the first rows of an order, and no condition on a dictionary narrows down what they are
 * found in.
 */
export function hasFirstRows(root: ResolvedNode): boolean {
  return [...walkResolved(root)].some((node) => {
    if (node.kind !== 'QUERY' || heading(node, 'ORDER BY') === undefined || heading(node, 'LIMIT') === undefined)
      return false;
    const where = heading(node, 'WHERE');
    return (
      where === undefined ||
      ![...walkResolved(where)].some(
        (one) => one.kind === 'COLUMN' && typeOf(one)?.startsWith('LowCardinality(') === true,
      )
    );
  });
}

/** The child under a heading. */
export function heading(node: ResolvedNode, name: string): ResolvedNode | undefined {
  return node.children.find((child) => child.kind === name);
}

/** The nodes of the list under a heading, such as the arguments of a function. */
export function listed(node: ResolvedNode, name: string): readonly ResolvedNode[] {
  return heading(node, name)?.children[0]?.children ?? [];
}

/** `FUNCTION id: 4, function_name: …` is a node; `LIMIT BY` is a heading, and so is `EXPRESSION x` with a name behind it. */
function splitLine(line: string): Pick<ResolvedNode, 'id' | 'kind' | 'text'> {
  const node = /^([A-Z][A-Z_ ]*) id: (\d+)(?:, )?(.*)$/su.exec(line);
  if (node !== null) return { kind: node[1] ?? '', id: Number(node[2]), text: node[3] ?? '' };
  const named = line.startsWith('EXPRESSION ') ? 'EXPRESSION' : line.trimEnd();
  return { kind: named, id: undefined, text: line.slice(named.length + 1) };
}

function malformed(): AppError {
  return new AppError('bad_request', 'cannot judge the query: the engine resolved it to an unexpected form');
}
