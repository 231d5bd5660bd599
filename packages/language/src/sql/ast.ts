/**
 * Reads the text of `EXPLAIN AST` (engine 26.7: one node a line, a space of indent a level) into a tree.
 *
 * Must stay true: every line is accounted for. The count of children that the engine prints is compared with the lines that follow, so a
 * name with a line break cannot add, hide or move a node even if it got past the lexer.
 */

import { AppError } from '@glasshouse/model';

export interface AstNode {
  /** The engine's name of the node, such as `SelectQuery` or `Function`. */
  readonly kind: string;
  /** What follows the kind: a function's or table's name, a literal. Names of several parts are joined by dots, unquoted. */
  readonly text: string;
  readonly alias: string | undefined;
  readonly children: readonly AstNode[];
}

/** Deeper trees are refused: no query that a person wrote is, and every later step walks the tree recursively. */
export const MAX_AST_DEPTH = 800;

/** Nodes that the engine never gives children; one with children is a forgery. */
const LEAVES: ReadonlySet<string> = new Set([
  'Identifier',
  'TableIdentifier',
  'Literal',
  'Set',
  'SampleRatio',
  'ColumnsApplyTransformer',
]);

interface OpenNode {
  readonly node: AstNode;
  readonly children: AstNode[];
  readonly expected: number;
}

/**
 * Parses the unescaped text of `EXPLAIN AST` (ask for it in `TSVRaw`).
 *
 * Throws `bad_request` when the text is not a tree whose parts agree with each other.
 */
export function parseAst(text: string): AstNode {
  const path: OpenNode[] = [];
  let root: AstNode | undefined;
  for (const line of text.replace(/\n+$/u, '').split('\n')) {
    const depth = line.search(/[^ ]/u);
    if (depth < 0 || depth > path.length || depth > MAX_AST_DEPTH || (depth === 0) !== (root === undefined))
      throw malformed();
    while (path.length > depth) closeLast(path);
    const opened = parseLine(line.slice(depth));
    path.at(-1)?.children.push(opened.node);
    root ??= opened.node;
    path.push(opened);
  }
  while (path.length > 0) closeLast(path);
  if (root === undefined) throw malformed();
  return root;
}

/** All nodes, parents before children, in the order of the text. */
export function* walkAst(node: AstNode): Generator<AstNode> {
  const stack = [node];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    yield next;
    stack.push(...next.children.toReversed());
  }
}

function closeLast(path: OpenNode[]): void {
  const { node, expected } = path.pop() ?? {};
  if (node?.children.length !== expected) throw malformed();
}

function parseLine(line: string): OpenNode {
  const counted = / \(children (\d{1,9})\)$/u.exec(line);
  const head = counted === null ? line : line.slice(0, counted.index);
  const space = head.indexOf(' ');
  const kind = space === -1 ? head : head.slice(0, space);
  const rest = space === -1 ? '' : head.slice(space + 1);
  const expected = counted === null ? 0 : Number(counted[1]);
  if (!/^[A-Za-z][A-Za-z:]*$/u.test(kind) || (LEAVES.has(kind) && expected > 0)) throw malformed();
  const children: AstNode[] = [];
  return { node: { kind, ...splitAlias(kind, rest), children }, children, expected };
}

function splitAlias(kind: string, rest: string): { text: string; alias: string | undefined } {
  // A string literal may hold anything, so what looks like its alias is left in its text; no rule depends on it.
  if (kind === 'Literal' || !rest.endsWith(')')) return { text: rest, alias: undefined };
  const padded = ` ${rest}`;
  const at = padded.indexOf(' (alias ');
  if (at === -1) return { text: rest, alias: undefined };
  return { text: padded.slice(1, at + 1).trimEnd(), alias: padded.slice(at + ' (alias '.length, -1) };
}

function malformed(): AppError {
  return new AppError(
    'bad_request',
    'cannot judge the query: the engine printed it in an unexpected form; simplify its names',
  );
}
