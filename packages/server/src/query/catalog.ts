/**
 * How a tenant looks around: SHOW, DESCRIBE and the system tables that clients read, answered from its own view of the
 * world. `system.tables` becomes `telemetry.catalog_tables`, a view that shows the tenant's database and the shared one.
 *
 * Must stay true: what comes out is judged like any other statement, or is made of names that the policy allows.
 */

import { classify, splitStatement } from '@glasshouse/language';
import type { Policy, Statement, Token } from '@glasshouse/language';
import { CATALOG, SHARED_DATABASE } from '@glasshouse/store';
import { QueryError } from './errors.ts';
import type { Look } from './look.ts';

/** What to do for a statement: judge and run it, run it as it is because the text is ours, or look at a table. */
export type Translated =
  | { readonly type: 'judged' | 'trusted'; readonly statement: Statement }
  | { readonly type: 'look'; readonly look: Look; readonly statement: Statement };

/** What drivers ask first. The engine's revision would make them expect a framing of Native that HTTP doesn't have. */
const HELLO = 'select displayname(), version(), revision(), timezone()';
const HELLO_ANSWER =
  "SELECT 'glasshouse' AS `displayName()`, version(), toUInt32(0) AS `revision()`, timezone() AS `timezone()`";

/** Translates what looks around into a SELECT; leaves every other statement as it is. Throws for what a tenant may not do. */
export function translate(statement: Statement, sql: string, policy: Policy): Translated {
  if (isHello(statement)) return { type: 'trusted', statement: splitStatement(HELLO_ANSWER) };
  const own = statement.kind === 'SHOW' ? showSql(statement.tokens, policy) : undefined;
  if (own !== undefined) return judged(statement, own);
  const next = withCatalog(statement, sql);
  const request = classify(next, policy);
  switch (request.type) {
    case 'select':
      return { type: 'judged', statement: next };
    case 'describe':
    case 'exists':
    case 'show_create':
      return { type: 'look', look: request, statement: next };
    case 'show_tables':
      return judged(next, tablesSql(policy.database, ''));
    case 'show_databases':
      return judged(next, DATABASES);
  }
}

/** The statement with `telemetry.catalog_x` for each `system.x` that a tenant may see. */
export function withCatalog(statement: Statement, sql: string): Statement {
  const replaced = replaceSystem(statement.tokens, sql);
  return replaced === undefined ? statement : splitStatement(replaced);
}

/** True for the drivers' first statement. */
function isHello(statement: Statement): boolean {
  return statement.sql.toLowerCase().replaceAll(/\s+/gu, ' ') === HELLO;
}

const DATABASES = `SELECT name FROM ${SHARED_DATABASE}.catalog_databases ORDER BY name`;

function tablesSql(database: string, condition: string): string {
  return `SELECT name FROM ${SHARED_DATABASE}.catalog_tables WHERE database = '${database}'${condition} ORDER BY name`;
}

/** `SHOW [FULL] TABLES [FROM db] [[NOT] LIKE 'x']` and `SHOW DATABASES [LIKE 'x']`; undefined for other statements. */
function showSql(tokens: readonly Token[], policy: Policy): string | undefined {
  const rest = tokens.slice(1);
  if (upper(rest[0]) === 'FULL') rest.shift();
  const what = upper(rest.shift());
  if (what === 'DATABASES' && rest.length === 0) return DATABASES;
  if (what !== 'TABLES') return undefined;
  let database = policy.database;
  if (upper(rest[0]) === 'FROM' || upper(rest[0]) === 'IN') {
    const named = rest[1];
    if (named === undefined || (named.kind !== 'word' && named.kind !== 'quoted')) return undefined;
    if (named.value !== SHARED_DATABASE && named.value !== policy.database) {
      throw new QueryError(
        'not_found',
        `cannot show tables of ${named.value.slice(0, 80)}: there is no such database`,
        81,
        'UNKNOWN_DATABASE',
      );
    }
    database = named.value;
    rest.splice(0, 2);
  }
  const not = upper(rest[0]) === 'NOT';
  if (not) rest.shift();
  const [like, pattern, ...more] = rest;
  if (like === undefined && !not) return tablesSql(database, '');
  if ((upper(like) !== 'LIKE' && upper(like) !== 'ILIKE') || pattern?.kind !== 'string' || more.length > 0)
    return undefined;
  return tablesSql(database, ` AND name ${not ? 'NOT ' : ''}${upper(like)} ${pattern.text}`);
}

/** Puts `telemetry.catalog_x` for each `system.x` that a tenant may see; undefined if there is none. */
function replaceSystem(tokens: readonly Token[], sql: string): string | undefined {
  let text = '';
  let at = 0;
  for (const [index, token] of tokens.entries()) {
    const [dot, table] = [tokens[index + 1], tokens[index + 2]];
    if (!isName(token) || token.value !== 'system' || dot?.text !== '.' || !isName(table)) continue;
    const view = `catalog_${table.value}`;
    if (tokens[index - 1]?.text === '.' || !Object.hasOwn(CATALOG, view)) continue;
    text += `${sql.slice(at, token.start)}${SHARED_DATABASE}.${view}`;
    at = table.end;
  }
  return at === 0 ? undefined : text + sql.slice(at);
}

/** A SELECT that stands for the statement; it goes before the judge like any other. */
function judged(from: Statement, sql: string): Translated {
  return { type: 'judged', statement: { ...splitStatement(sql), format: from.format } };
}

function isName(token: Token | undefined): token is Token {
  return token?.kind === 'word' || token?.kind === 'quoted';
}

function upper(token: Token | undefined): string | undefined {
  return token?.kind === 'word' ? token.value.toUpperCase() : undefined;
}
