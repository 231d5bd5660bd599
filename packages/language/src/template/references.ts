/**
 * The tables that a statement names, found by its tokens: which names stand where a table stands, and which of them are the statement's
 * own common table expressions.
 *
 * Must stay true: safety does not rest on this. A name that is missed here reaches the engine as it is and is judged there; a name that is
 * found needlessly costs an unused common table expression.
 */

import { isOperator, isWord, type Token } from '../lexer.ts';

/** A name that stands for a table. */
export interface TableReference {
  readonly name: string;
  /** Index of its token. */
  readonly token: number;
  /** Whether the text gives it another name, by which its columns are qualified. */
  readonly aliased: boolean;
  /** `x IN name`, where no alias can stand. */
  readonly inSet: boolean;
}

/** A common table expression that the statement defines. */
export interface Definition {
  readonly name: string;
  /** Index of the token that names it. */
  readonly token: number;
  readonly uses: readonly TableReference[];
}

export interface References {
  /** Names that the statement does not define itself. */
  readonly tables: readonly TableReference[];
  /** Indexes of the commas that end a SELECT list. Optional columns leave them, and the engine does not take them after an alias. */
  readonly trailingCommas: readonly number[];
  /** All common table expressions, at any depth. */
  readonly definitions: readonly Definition[];
}

interface OpenDefinition extends Definition {
  readonly uses: TableReference[];
}

type Names = ReadonlyMap<string, OpenDefinition>;

/** A query or another pair of parentheses while it is being read. */
interface Frame {
  readonly query: boolean;
  clause: 'start' | 'with' | 'select' | 'from' | 'using' | 'other';
  /** A table comes next. */
  table: boolean;
  /** Common table expressions that are visible here. */
  names: Names;
  /** Those that were visible before the query's own. */
  readonly outer: Names;
  recursive: boolean;
}

/** Clauses after FROM in which a comma separates no tables. */
const LATER_CLAUSES = [
  'PREWHERE',
  'WHERE',
  'GROUP',
  'HAVING',
  'ORDER',
  'LIMIT',
  'OFFSET',
  'FETCH',
  'SETTINGS',
  'WINDOW',
  'QUALIFY',
  'FORMAT',
  'INTO',
];

/** Words that may follow a table and are no alias. */
const NO_ALIAS = [
  ...LATER_CLAUSES,
  'FINAL',
  'SAMPLE',
  'STREAM',
  'JOIN',
  'LEFT',
  'RIGHT',
  'INNER',
  'OUTER',
  'FULL',
  'CROSS',
  'PASTE',
  'NATURAL',
  'ANY',
  'ALL',
  'ASOF',
  'SEMI',
  'ANTI',
  'GLOBAL',
  'LOCAL',
  'ARRAY',
  'ON',
  'USING',
  'UNION',
  'INTERSECT',
  'EXCEPT',
  'SELECT',
  'WITH',
  'INTERPOLATE',
];

/** Finds the tables of one statement. */
export function referencesOf(tokens: readonly Token[]): References {
  const reader = new Reader(tokens);
  for (const index of tokens.keys()) reader.read(index);
  return { tables: reader.tables, trailingCommas: reader.trailingCommas, definitions: reader.definitions };
}

class Reader {
  readonly tables: TableReference[] = [];
  readonly trailingCommas: number[] = [];
  readonly definitions: OpenDefinition[] = [];
  private readonly tokens: readonly Token[];
  private readonly frames: Frame[] = [frame(true, new Map())];
  /** Opening parenthesis of a common table expression → its name. */
  private readonly bodies = new Map<number, string>();
  /** For each token, whether a query begins there, behind any number of parentheses. Looking for each anew would take for ever. */
  private readonly begins: readonly boolean[];

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
    const begins = tokens.map((token) => isWord(token, 'SELECT', 'WITH', 'FROM'));
    for (let index = tokens.length - 2; index >= 0; index -= 1)
      if (isOperator(tokens[index], '(')) begins[index] = begins[index + 1] === true;
    this.begins = begins;
  }

  read(index: number): void {
    const token = this.tokens[index];
    const here = this.frames.at(-1);
    if (token === undefined || here === undefined) return;
    if (isOperator(token, '(')) {
      this.frames.push(this.inside(index, here));
      here.table = false;
    } else if (isOperator(token, ')')) {
      if (this.frames.length > 1) this.frames.pop();
    } else if (here.table && token.kind !== 'operator') {
      here.table = false;
      this.table(index, here, false);
    } else if (isWord(token, 'IN')) {
      this.set(index, here);
    } else if (here.query) {
      this.clause(index, token, here);
    }
  }

  /** The frame of a parenthesis. The own name of a common table expression is not visible in its body unless it is recursive. */
  private inside(open: number, here: Frame): Frame {
    const query = this.begins[open + 1] === true;
    const body = this.bodies.get(open);
    if (body === undefined || here.recursive || here.outer.has(body)) return frame(query, here.names);
    return frame(query, new Map([...here.names].filter(([name]) => name !== body)));
  }

  private clause(index: number, token: Token, here: Frame): void {
    const wasStart = here.clause === 'start';
    if (wasStart && isWord(token, 'WITH')) this.with(index, here);
    else if (isWord(token, 'SELECT')) here.clause = 'select';
    else if (isWord(token, 'FROM')) this.from(index, here);
    else if (isWord(token, 'JOIN')) this.join(index, here);
    else if (isOperator(token, ',')) here.table = here.clause === 'from';
    else if (isWord(token, 'USING')) here.clause = 'using';
    else if (isWord(token, ...LATER_CLAUSES) && here.clause !== 'with') here.clause = 'other';
    else if (isWord(token, 'UNION', 'INTERSECT', 'EXCEPT') && this.joinsQueries(index)) here.clause = 'start';
    else if (wasStart && !isWord(token, 'ALL', 'DISTINCT')) here.clause = 'other';
  }

  /** `a IS DISTINCT FROM b` and `WITH FILL FROM 1` have no table. */
  private from(index: number, here: Frame): void {
    const before = this.tokens[index - 1];
    if (isWord(before, 'FILL')) return;
    if (isWord(before, 'DISTINCT') && isWord(this.tokens[index - 2], 'IS', 'NOT')) return;
    if (isOperator(before, ',') && startsTable(this.tokens[index + 1])) this.trailingCommas.push(index - 1);
    here.clause = 'from';
    here.table = true;
  }

  /** The list of ARRAY JOIN holds expressions. */
  private join(index: number, here: Frame): void {
    const array = isWord(this.tokens[index - 1], 'ARRAY');
    here.clause = array ? 'using' : 'from';
    here.table = !array;
  }

  /** `* EXCEPT (a, b)` leaves columns out; before a query the word is an operator. */
  private joinsQueries(index: number): boolean {
    const next = isWord(this.tokens[index + 1], 'ALL', 'DISTINCT') ? index + 2 : index + 1;
    return this.begins[next] === true;
  }

  private with(index: number, here: Frame): void {
    here.clause = 'with';
    here.recursive = isWord(this.tokens[index + 1], 'RECURSIVE');
    const own = this.commonTables(index + 1);
    here.names = new Map([...here.names, ...own.map((definition) => [definition.name, definition] as const)]);
  }

  /** The names of a WITH list, all of which see each other. Its elements end where the query's SELECT or FROM stands. */
  private commonTables(from: number): readonly OpenDefinition[] {
    const own: OpenDefinition[] = [];
    let depth = 0;
    for (let index = from; index < this.tokens.length; index += 1) {
      const token = this.tokens[index];
      if (isOperator(token, '(')) depth += 1;
      else if (isOperator(token, ')')) depth -= 1;
      if (depth < 0 || (depth === 0 && isWord(token, 'SELECT', 'FROM'))) break;
      if (depth > 0 || !isWord(token, 'AS')) continue;
      const open = isWord(this.tokens[index + 1], 'MATERIALIZED') ? index + 2 : index + 1;
      const at = nameBefore(this.tokens, index);
      const name = this.tokens[at]?.value;
      if (name === undefined || !isOperator(this.tokens[open], '(') || this.begins[open + 1] !== true) continue;
      own.push({ name, token: at, uses: [] });
      this.bodies.set(open, name);
    }
    this.definitions.push(...own);
    return own;
  }

  private set(index: number, here: Frame): void {
    const next = this.tokens[index + 1];
    if (next?.kind === 'word' || next?.kind === 'quoted') this.table(index + 1, here, true);
  }

  /** A name with a database, a table function and a bound name are none of ours. */
  private table(index: number, here: Frame, inSet: boolean): void {
    const token = this.tokens[index];
    if (token === undefined || (token.kind !== 'word' && token.kind !== 'quoted')) return;
    const next = this.tokens[index + 1];
    if (isOperator(next, '.') || isOperator(next, '(')) return;
    const reference = { name: token.value, token: index, aliased: !inSet && isAlias(next), inSet };
    const own = here.names.get(token.value);
    if (own === undefined) this.tables.push(reference);
    else own.uses.push(reference);
  }
}

function frame(query: boolean, names: Names): Frame {
  return { query, clause: 'start', table: false, names, outer: names, recursive: false };
}

/** Index of the name before AS, also before the list of columns of `name (a, b) AS (…)`; -1 when there is none. */
function nameBefore(tokens: readonly Token[], as: number): number {
  let index = as - 1;
  if (isOperator(tokens[index], ')')) {
    while (index >= 0 && !isOperator(tokens[index], '(')) index -= 1;
    index -= 1;
  }
  const kind = tokens[index]?.kind;
  return kind === 'word' || kind === 'quoted' ? index : -1;
}

/** Whether a table can begin so; a column named `from` has something else behind it. */
function startsTable(token: Token | undefined): boolean {
  return (
    token?.kind === 'quoted' ||
    token?.kind === 'parameter' ||
    isOperator(token, '(') ||
    (token?.kind === 'word' && !isWord(token, 'FROM', 'AS'))
  );
}

function isAlias(token: Token | undefined): boolean {
  if (token?.kind === 'quoted' || isWord(token, 'AS')) return true;
  return token?.kind === 'word' && !isWord(token, ...NO_ALIAS);
}
