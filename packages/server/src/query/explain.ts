/** Has the engine explain a statement in a tenant's session. Positions in its errors are those of the statement. */

import { text } from 'node:stream/consumers';
import { EXPLAIN_SETTINGS, EXPLAIN_TREE } from '@glasshouse/language';
import type { Settings, Store } from '@glasshouse/store';
import { withoutPrefix } from './errors.ts';
import { querySettings, type QueryLimits } from './settings.ts';

export interface Explainer {
  readonly store: Pick<Store, 'read'>;
  readonly limits: QueryLimits;
}

/** The syntax tree, the resolved tree, or what of each table would be read. */
export type Explanation = 'AST' | 'ESTIMATE' | 'TREE';

export interface Explained {
  readonly tenant: string;
  readonly what: Explanation;
  readonly sql: string;
  readonly settings?: Settings;
  readonly signal?: AbortSignal | undefined;
}

/** The explanation as raw text. Rejects with a StoreError for what the engine cannot parse or resolve. */
export async function explain({ store, limits }: Explainer, wanted: Explained): Promise<string> {
  const { tenant, what, sql, settings, signal } = wanted;
  const prefix = what === 'TREE' ? EXPLAIN_TREE : `EXPLAIN ${what} `;
  const all = { ...querySettings({}, limits), ...settings, ...EXPLAIN_SETTINGS, default_format: 'TSVRaw' };
  try {
    const { stream } = await store.read(tenant, prefix + sql, {
      settings: all,
      ...(signal === undefined ? {} : { signal }),
    });
    return await text(stream);
  } catch (error) {
    throw withoutPrefix(error, prefix.length);
  }
}
