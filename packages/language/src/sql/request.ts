/**
 * Sorts statements into those that the judge decides on and those that clients send to look around (SHOW, DESCRIBE, EXISTS). The caller
 * answers the latter itself from the tenant's catalogue: the engine would list every tenant's tables.
 *
 * Must stay true: nothing but a `select` is ever handed to the engine.
 */

import { AppError } from '@glasshouse/model';
import { isOperator, isWord, type Token } from '../lexer.ts';
import { readableTable, shorten, type Policy, type TableName } from './policy.ts';
import type { Statement } from './statement.ts';

export type SqlRequest =
  | { readonly type: 'select' }
  | { readonly type: 'show_databases' }
  | { readonly type: 'show_tables' }
  | { readonly type: 'describe' | 'exists' | 'show_create'; readonly table: TableName };

/**
 * Classifies a statement. A database that it names must be the tenant's.
 *
 * Throws `forbidden` for every other statement, and for tables outside of the policy.
 */
export function classify(statement: Statement, policy: Policy): SqlRequest {
  const [first, second, ...rest] = statement.tokens;
  if (isWord(first, 'SELECT', 'WITH', 'FROM') || isOperator(first, '(')) return { type: 'select' };
  if (isWord(first, 'SHOW')) return classifyShow(statement, second, rest, policy);
  if (isWord(first, 'DESCRIBE', 'DESC')) {
    return {
      type: 'describe',
      table: onlyTable(statement, isWord(second, 'TABLE') ? rest : statement.tokens.slice(1), policy),
    };
  }
  if (isWord(first, 'EXISTS')) {
    return {
      type: 'exists',
      table: onlyTable(statement, isWord(second, 'TABLE', 'VIEW') ? rest : statement.tokens.slice(1), policy),
    };
  }
  throw refusal(statement);
}

function classifyShow(
  statement: Statement,
  what: Token | undefined,
  rest: readonly Token[],
  policy: Policy,
): SqlRequest {
  if (isWord(what, 'DATABASES') && rest.length === 0) return { type: 'show_databases' };
  if (isWord(what, 'TABLES')) {
    if (rest.length === 0) return { type: 'show_tables' };
    const database = isWord(rest[0], 'FROM', 'IN') && rest.length === 2 ? nameOf(rest[1]) : undefined;
    if (database === policy.database) return { type: 'show_tables' };
    if (database !== undefined) {
      throw new AppError(
        'forbidden',
        `cannot show tables of ${shorten(database)}: only database ${policy.database} is visible here`,
      );
    }
  }
  if (isWord(what, 'CREATE')) {
    return {
      type: 'show_create',
      table: onlyTable(statement, isWord(rest[0], 'TABLE', 'VIEW') ? rest.slice(1) : rest, policy),
    };
  }
  throw refusal(statement);
}

/** `table` or `database.table`, and nothing after it. */
function onlyTable(statement: Statement, tokens: readonly Token[], policy: Policy): TableName {
  const [first, dot, second] = tokens;
  const parts = [nameOf(first), ...(tokens.length > 1 ? [nameOf(second)] : [])];
  const [a, b] = parts;
  const wellFormed = tokens.length === 1 || (tokens.length === 3 && isOperator(dot, '.'));
  if (!wellFormed || a === undefined || (tokens.length === 3 && b === undefined)) throw refusal(statement);
  return readableTable(policy, b === undefined ? a : `${a}.${b}`);
}

function nameOf(token: Token | undefined): string | undefined {
  return token?.kind === 'word' || token?.kind === 'quoted' ? token.value : undefined;
}

function refusal(statement: Statement): AppError {
  const words = statement.tokens.slice(0, 2).map((token) => shorten(token.text));
  return new AppError(
    'forbidden',
    `cannot run ${words.join(' ')}: only SELECT, SHOW TABLES, SHOW DATABASES, DESCRIBE and EXISTS are allowed here`,
  );
}
