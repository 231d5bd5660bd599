/**
 * Reads which tables a query really resolves to from the text of `EXPLAIN QUERY TREE`, and confirms them. It comes second, because the
 * engine evaluates constants and runs scalar subqueries to print it; so it must only see what `judge` let through.
 *
 * Must stay true: a forged line can only add a table, never hide one, because every line is read by itself, whatever surrounds it.
 */

import { AppError } from '@glasshouse/model';
import { isReadable, tableRefusal, type Policy, type TableName } from './policy.ts';

export interface ResolvedTables {
  /** As printed: `database.table`. */
  readonly tables: readonly string[];
  readonly tableFunctions: readonly string[];
}

/** The tables that a permitted view may resolve to; a view that is not listed is not looked into. */
export type ViewTargets = (view: TableName) => readonly TableName[];

const TABLE_LINE = /^\s*TABLE id: \d+,.*?\btable_name: (.*?)(?:, (?:final|sample_size|sample_offset|is_temporary|temporary_table_name): .*)?$/u;
const FUNCTION_LINE = /^\s*TABLE_FUNCTION id: \d+,.*?\btable_function_name: ([^,]*)/u;

/**
 * Collects the table nodes of the unescaped text of `EXPLAIN QUERY TREE` (with its passes run, which is the default).
 *
 * Throws `bad_request` when the text does not look like a resolved tree.
 */
export function resolvedTables(text: string): ResolvedTables {
  const tables = new Set<string>();
  const tableFunctions = new Set<string>();
  if (!/^(?:QUERY|UNION) id: 0/u.test(text)) throw unreadable();
  for (const line of text.split('\n')) {
    if (!/^\s*TABLE(?:_FUNCTION)? id: /u.test(line)) continue;
    const table = TABLE_LINE.exec(line)?.[1];
    const name = FUNCTION_LINE.exec(line)?.[1];
    if (table !== undefined) tables.add(table);
    else if (name !== undefined) tableFunctions.add(name);
    else throw unreadable();
  }
  return { tables: [...tables], tableFunctions: [...tableFunctions] };
}

/**
 * Confirms that everything the query resolves to is within the policy, or is what a view within the policy stands for. Returns the tables.
 *
 * Throws `forbidden` otherwise; the message is the one that `judge` gives.
 */
export function confirm(resolved: ResolvedTables, policy: Policy, viewTargets: ViewTargets): TableName[] {
  const names = resolved.tables.map(splitName);
  const readable = names.filter((name) => isReadable(policy, name));
  const behindViews = new Set(readable.flatMap((view) => viewTargets(view)).map(fullName));
  for (const name of names) {
    if (!readable.includes(name) && !behindViews.has(fullName(name))) throw tableRefusal(policy, fullName(name));
  }
  for (const name of resolved.tableFunctions) {
    if (!policy.allowedTableFunctions.has(name.toLowerCase())) {
      throw new AppError('forbidden', `cannot use table function ${name}: it is not among the allowed ones`);
    }
  }
  return names;
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
