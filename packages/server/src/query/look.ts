/**
 * What a table looks like: DESCRIBE, SHOW CREATE TABLE and EXISTS, answered without the columns that are ours. The engine answers
 * them for any table and in a form of its own, so its answer is put into a SELECT that can be in any format.
 *
 * Must stay true: the table was judged; nothing of a user's text gets into a statement here but its name.
 */

import { splitStatement } from '@glasshouse/language';
import type { Statement, TableName } from '@glasshouse/language';
import { SEGMENT } from '@glasshouse/model';
import type { ListedView } from '@glasshouse/store';
import { SHARED_DATABASE } from '@glasshouse/store';
import { QueryError } from './errors.ts';

/** Runs a statement of ours in the tenant's session; resolves with its answer as raw text. */
export type Ask = (sql: string) => Promise<string>;

export interface Look {
  readonly type: 'describe' | 'exists' | 'show_create';
  readonly table: TableName;
}

/** The tenant's database, the only one with tables that have columns of ours, and what may be named there besides. */
export interface Own {
  readonly database: string;
  readonly views: readonly ListedView[];
}

/** The statement whose answer is what was asked for. Rejects with `not_found` for a table that is not there. */
export async function lookAt({ type, table }: Look, own: Own, ask: Ask): Promise<Statement> {
  const view = table.database === own.database ? own.views.find((one) => one.name === table.table) : undefined;
  if (view !== undefined) return splitStatement(viewSql(type, table, view));
  const name = `${quoteName(table.database)}.${quoteName(table.table)}`;
  if (type === 'exists') return splitStatement(`EXISTS TABLE ${name}`);
  if ((await ask(`EXISTS TABLE ${name}`)).trim() !== '1') {
    throw new QueryError('not_found', `cannot show table ${table.table}: there is no such table`, 60, 'UNKNOWN_TABLE');
  }
  if (type === 'describe')
    return splitStatement(table.database === own.database ? columnsSql(table) : `DESCRIBE TABLE ${name}`);
  const ddl = withoutHidden(await ask(`SHOW CREATE TABLE ${name}`));
  return splitStatement(`SELECT ${quoteText(ddl)} AS statement`);
}

/** The same of what the engine does not know. */
function viewSql(type: Look['type'], table: TableName, { select }: ListedView): string {
  if (type === 'exists') return 'SELECT 1 AS result';
  if (type === 'describe') return columnsSql(table);
  return `SELECT ${quoteText(`CREATE VIEW ${table.database}.${table.table} AS ${select}`)} AS statement`;
}

/** The columns of the engine's DESCRIBE. */
function columnsSql({ database, table }: TableName): string {
  return `SELECT name, type, default_kind AS default_type, default_expression, comment,
    replaceRegexpOne(compression_codec, '^CODEC\\\\((.*)\\\\)$', '\\\\1') AS codec_expression, '' AS ttl_expression
    FROM ${SHARED_DATABASE}.catalog_columns
    WHERE database = ${quoteText(database)} AND table = ${quoteText(table)} AND name != '${SEGMENT}' ORDER BY position`;
}

/** The engine writes a column on a line of its own. */
function withoutHidden(ddl: string): string {
  const lines = ddl.trimEnd().split('\n');
  const at = lines.findIndex((line) => line.startsWith(`    \`${SEGMENT}\` `));
  if (at === -1) return lines.join('\n');
  const isLast = !lines[at]?.endsWith(',');
  const before = lines.slice(0, at);
  if (isLast) before.push((before.pop() ?? '').replace(/,$/u, ''));
  return [...before, ...lines.slice(at + 1)].join('\n');
}

function quoteName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

function quoteText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
