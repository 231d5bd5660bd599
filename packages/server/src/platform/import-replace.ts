/**
 * Replacing the rows of a data source by those of an import, all of them or those that meet a condition, at once or not at all.
 *
 * Must stay true: nobody sees half of it. Rows that are acknowledged while it goes on stay.
 */

import type { DataSources } from '@glasshouse/store';
import { AppError } from '@glasshouse/model';
import type { Loads } from './loads.ts';
import type { Registry } from './registry.ts';
import type { DataSourceEntry } from './resource-row.ts';
import { placeOf } from './resource-row.ts';
import type { Step } from './steps.ts';
import { commit } from './steps.ts';

export interface ReplaceParts {
  readonly registry: Registry;
  readonly tables: DataSources;
  readonly loads: Loads;
  /** Resolves when everything that was acknowledged before the call is in the store. */
  readonly flush: () => Promise<void>;
  readonly now: () => number;
}

export interface Replaced {
  readonly tenant: string;
  /** Id of the data source. */
  readonly dataSource: string;
  /** Condition on the rows that are replaced, which has been judged; undefined for all. */
  readonly condition: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `fill` with the id under which rows go into the new table; they have to be in it when it resolves. Rejects with
 * `conflict` while something else is done to the data source, and with what `fill` rejects with; nothing was replaced then.
 */
export async function replaceRows<T>(
  parts: ReplaceParts,
  { tenant, dataSource, condition, signal }: Replaced,
  fill: (load: string) => Promise<T>,
): Promise<T> {
  const { registry, tables, loads, flush } = parts;
  return registry.locks.exclusively(dataSource, 'a replacement of its rows', async () => {
    const entry = registry.dataSource(tenant, dataSource);
    const former = placeOf(entry);
    const place = { ...former, version: former.version + 1 };
    const options = registry.commitOptions({ signal });
    const replacement = tables.replacement(place, entry.definition);
    try {
      // What was sent before is replaced too, wherever it is on its way.
      await flush();
      await replacement.begin(options.hold, condition, signal);
      const loading = loads.begin(entry, replacement.table);
      let result: T;
      try {
        result = await fill(loading.id);
        if (loading.hasFailed) throw lost(entry);
      } finally {
        loading.end();
      }
      const step: Step = {
        kind: 'update',
        resource: 'datasource',
        name: entry.name,
        changes: ['replaces rows'],
        losses: [],
        row: rowOf(entry, place.version, parts.now()),
        commit: async () => {
          await replacement.settle();
          await tables.place(place);
        },
        undo: () => tables.place(former),
        finish: () => tables.discard(former),
      };
      await commit([step], options);
      await replacement.release().catch(() => undefined);
      return result;
    } catch (error) {
      await replacement.discard().catch(() => undefined);
      throw error;
    }
  });
}

function rowOf(entry: DataSourceEntry, tableVersion: number, at: number): Step['row'] {
  return { ...entry, tableVersion, updatedAt: new Date(at), version: Math.max(at, entry.version + 1), deleted: false };
}

function lost({ name }: DataSourceEntry): AppError {
  return new AppError(
    'unavailable',
    `cannot replace rows of data source=${name}: the store failed meanwhile; try again`,
    {
      retryAfterSeconds: 5,
    },
  );
}
