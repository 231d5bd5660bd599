/**
 * Names of the data sources about the use of a workspace, and the database under which Tinybird's clients ask for them.
 */

import { tokenize } from '@glasshouse/language';
import type { Token } from '@glasshouse/language';

/** Requests to endpoints, one row each. */
export const PIPE_STATS_RT = 'pipe_stats_rt';
/** The same, added up by minute. */
export const PIPE_STATS = 'pipe_stats';
/** What was done to data sources: copies, populations, exports. */
export const OPERATIONS = 'datasources_ops_log';

const SERVICE_SOURCES: ReadonlySet<string> = new Set([PIPE_STATS_RT, PIPE_STATS, OPERATIONS]);

const SERVICE_DATABASE = 'tinybird';

/** True for the name of a data source that the server itself fills: it is there for queries and in nobody's project. */
export function isServiceSource(name: string): boolean {
  return SERVICE_SOURCES.has(name);
}

/** The statement with `pipe_stats` for each `tinybird.pipe_stats`. A text that cannot be read comes back as it is. */
export function withoutServiceDatabase(sql: string): string {
  if (!/\btinybird\b/iu.test(sql)) return sql;
  let tokens: readonly Token[];
  try {
    tokens = tokenize(sql);
  } catch {
    return sql;
  }
  let text = '';
  let at = 0;
  for (const [index, token] of tokens.entries()) {
    const [dot, table] = [tokens[index + 1], tokens[index + 2]];
    if (!isName(token) || token.value !== SERVICE_DATABASE || dot?.text !== '.') continue;
    if (tokens[index - 1]?.text === '.' || !isName(table) || !SERVICE_SOURCES.has(table.value)) continue;
    text += sql.slice(at, token.start) + table.text;
    at = table.end;
  }
  return text + sql.slice(at);
}

function isName(token: Token | undefined): token is Token {
  return token?.kind === 'word' || token?.kind === 'quoted';
}
