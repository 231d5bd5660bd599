/** Names of tables in a statement that is not run: found, and put in each other's place. */

import { namedTables, tokenize } from '@glasshouse/language';
import type { Token } from '@glasshouse/language';

export interface NamedTable {
  /** Empty for a name without one. */
  readonly database: string;
  readonly table: string;
}

/** What a statement reads from, common table expressions of its own left out. Throws `bad_request` for what is no SQL. */
export function namesOf(sql: string): NamedTable[] {
  const own = namedTables(sql).map((table) => ({ database: '', table }));
  return [...own, ...qualified(tokenize(sql))];
}

/** The statement with names of tables, `a` or `database.a`, replaced by others, or by queries in parentheses. */
export function withReplacements(sql: string, replacements: ReadonlyMap<string, string>): string {
  const tokens = tokenize(sql);
  let text = '';
  let at = 0;
  for (let index = 0; index < tokens.length; index++) {
    const found = nameAt(tokens, index);
    if (found === undefined) continue;
    const other = replacements.get(found.name);
    if (other !== undefined) {
      text += sql.slice(at, tokens[index]?.start) + other;
      at = tokens[index + found.length - 1]?.end ?? at;
    }
    index += found.length - 1;
  }
  return text + sql.slice(at);
}

/** Names with a database, behind FROM, JOIN and commas between tables. */
function qualified(tokens: readonly Token[]): NamedTable[] {
  const found = new Map<string, NamedTable>();
  for (const index of tokens.keys()) {
    const name = nameAt(tokens, index);
    if (name?.length !== 3) continue;
    const [database, table] = [tokens[index]?.value ?? '', tokens[index + 2]?.value ?? ''];
    found.set(name.name, { database, table });
  }
  return [...found.values()];
}

/** The name that begins at a token where a table may stand. */
function nameAt(
  tokens: readonly Token[],
  index: number,
): { readonly name: string; readonly length: number } | undefined {
  const before = tokens[index - 1]?.text.toUpperCase();
  if (before !== 'FROM' && before !== 'JOIN' && before !== 'TABLE' && before !== 'IN') return undefined;
  const [first, dot, second, next] = [tokens[index], tokens[index + 1], tokens[index + 2], tokens[index + 3]];
  if (!isName(first)) return undefined;
  if (dot?.text === '.' && isName(second))
    return next?.text === '(' ? undefined : { name: `${first.value}.${second.value}`, length: 3 };
  return dot?.text === '(' ? undefined : { name: first.value, length: 1 };
}

function isName(token: Token | undefined): token is Token {
  return token?.kind === 'word' || token?.kind === 'quoted';
}
