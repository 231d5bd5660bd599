/**
 * Reads which tables a query really resolves to from the text of `EXPLAIN QUERY TREE`, and confirms them. It comes second, because the
 * engine evaluates constants and runs scalar subqueries to print it; so it must only see what `judge` let through.
 *
 * Must stay true: a forged line can only add a table, never hide one, because every line is read by itself, whatever surrounds it.
 */

import { AppError } from '@glasshouse/model';
import { isAllowedFunction } from './functions.ts';
import {
  functionRefusal,
  isReadable,
  tableFunctionRefusal,
  tableRefusal,
  type Policy,
  type TableName,
} from './policy.ts';

export interface ResolvedTables {
  /** As printed: `database.table`. */
  readonly tables: readonly string[];
  readonly tableFunctions: readonly string[];
  /** Functions, aggregate and window functions; among them what the engine makes of bare words such as `user`. */
  readonly functions: readonly string[];
}

/** The tables that a permitted view may resolve to; a view that is not listed is not looked into. */
export type ViewTargets = (view: TableName) => readonly TableName[];

/** What the resolver makes of `grouping(…)`; no query can call them by these names. */
const GROUPING_FUNCTIONS: ReadonlySet<string> = new Set([
  'groupingForCube',
  'groupingForGroupingSets',
  'groupingForRollup',
  'groupingOrdinary',
]);

/** Where the engine keeps the rows of a recursive CTE between its steps. No query can name it: the judge refuses the database. */
const SCRATCH_DATABASE = '_temporary_and_external_tables';

const TABLE_LINE =
  /^\s*TABLE id: \d+,.*?\btable_name: (.*?)(?:, (?:final|sample_size|sample_offset|temporary_table_name): .*)?$/u;
const TABLE_FUNCTION_LINE = /^\s*TABLE_FUNCTION id: \d+,.*?\btable_function_name: ([^,]*)/u;
const FUNCTION_LINE = /^\s*FUNCTION id: \d+,.*?\bfunction_name: ([^,\s]+)/u;

/**
 * Collects the tables and functions of the unescaped text of `EXPLAIN QUERY TREE` (with its passes run, which is the default).
 *
 * Throws `bad_request` when the text does not look like a resolved tree.
 */
export function resolvedTables(text: string): ResolvedTables {
  const tables = new Set<string>();
  const tableFunctions = new Set<string>();
  const functions = new Set<string>();
  if (!/^(?:QUERY|UNION) id: 0/u.test(text)) throw unreadable();
  for (const line of text.split('\n')) {
    const kind = /^\s*(TABLE|TABLE_FUNCTION|FUNCTION) id: /u.exec(line)?.[1];
    if (kind === 'TABLE') tables.add(nameIn(TABLE_LINE, line));
    else if (kind === 'TABLE_FUNCTION') tableFunctions.add(nameIn(TABLE_FUNCTION_LINE, line));
    else if (kind === 'FUNCTION') functions.add(nameIn(FUNCTION_LINE, line));
  }
  return { tables: [...tables], tableFunctions: [...tableFunctions], functions: [...functions] };
}

/**
 * Confirms that everything the query resolves to is within the policy, or is what a view within the policy stands for. Returns the tables.
 *
 * Throws `forbidden` otherwise; the message is the one that `judge` gives.
 */
export function confirm(resolved: ResolvedTables, policy: Policy, viewTargets: ViewTargets): TableName[] {
  const names = resolved.tables.map(splitName).filter(({ database }) => database !== SCRATCH_DATABASE);
  const readable = names.filter((name) => isReadable(policy, name));
  const behindViews = new Set(readable.flatMap((view) => viewTargets(view)).map(fullName));
  for (const name of names) {
    if (!readable.includes(name) && !behindViews.has(fullName(name))) throw tableRefusal(policy, fullName(name));
  }
  for (const name of resolved.tableFunctions) {
    if (!policy.allowedTableFunctions.has(name.toLowerCase())) throw tableFunctionRefusal(name);
  }
  for (const name of resolved.functions) {
    if (!GROUPING_FUNCTIONS.has(name) && !isAllowedFunction(name, policy.allowedFunctions)) throw functionRefusal(name);
  }
  return names;
}

/** A line with two names could have got one of them from an alias, so it is not read at all. */
function nameIn(pattern: RegExp, line: string): string {
  const name = pattern.exec(line)?.[1];
  if (name === undefined || line.split(/, (?:table|table_function|function)_name: /u).length !== 2) throw unreadable();
  return name;
}

/** Database names have no dots here, so the first dot ends the database's. */
function splitName(printed: string): TableName {
  const dot = printed.indexOf('.');
  return { database: printed.slice(0, Math.max(dot, 0)), table: printed.slice(dot + 1) };
}

function fullName({ database, table }: TableName): string {
  return `${database}.${table}`;
}

function unreadable(): AppError {
  return new AppError('bad_request', 'cannot judge the query: the engine resolved it to an unexpected form');
}
