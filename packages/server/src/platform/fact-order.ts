/**
 * Statements that the server runs by itself for a workspace and that read views of the facts, whose rows are those of all tenants
 * behind a condition. As for a user's query, what a statement does with a row must not happen before that condition: an expression
 * that fails on somebody else's row would tell of it, by the error or by what is missing in the target.
 *
 * Must stay true: a name that may be such a view counts as one; only a data source of the workspace may take it.
 */

import { tokenize } from '@glasshouse/language';
import { VIEWS } from '@glasshouse/store';
import { orderSettings } from '../query/order.ts';

/** Settings to run a judged statement with; none where it reads no facts. `isOwn` knows the workspace's data sources. */
export function factOrder(sql: string, isOwn: (name: string) => boolean): Readonly<Record<string, string>> {
  const readsFacts = tokenize(sql).some(({ kind, value }) => {
    const name = value.slice(value.lastIndexOf('.') + 1);
    return (kind === 'word' || kind === 'quoted') && Object.hasOwn(VIEWS, name) && !isOwn(name);
  });
  return readsFacts ? orderSettings('unindexed') : {};
}
