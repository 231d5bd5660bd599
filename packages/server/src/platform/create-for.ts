/**
 * A data source for events that nobody has described: made after the first of them.
 *
 * Must stay true: many senders begin at the same time, and each of them gets the data source or an answer that says when to come
 * again: to another they would give their events up.
 */

import { guessSchema } from '@glasshouse/language';
import { AppError } from '@glasshouse/model';
import type { DataSource } from '@glasshouse/model';
import { BusyError } from './locks.ts';
import type { Registry } from './registry.ts';
import type { DataSourceEntry } from './resource-row.ts';

/** Longest time that events wait for somebody else's change of what has their name. */
const MOST_MS = 20_000;

/** The data source of this name; made if there is none yet, once for all requests that bring its first events. */
export async function createFor(
  registry: Registry,
  tenant: string,
  name: string,
  events: readonly string[],
): Promise<DataSourceEntry> {
  const { columns, engine } = guessSchema(events);
  if (columns.length === 0) {
    throw new AppError('bad_request', `cannot make data source=${name}: no event is a JSON object with a value in it`);
  }
  const empty = { indexes: [], tokens: [], tags: [], sharedWith: [] };
  const definition: DataSource = { kind: 'datasource', name, columns, engine, ...empty };
  const { makings } = registry;
  const key = `${tenant}/${name}`;
  for (;;) {
    const present = makings.get(key);
    if (present === undefined) break;
    try {
      return await present;
    } catch {
      // It was made after other events; these may do.
    }
  }
  const making = makeWhenFree(registry, tenant, definition).finally(() => makings.delete(key));
  makings.set(key, making);
  return making;
}

async function makeWhenFree(registry: Registry, tenant: string, definition: DataSource): Promise<DataSourceEntry> {
  const { name } = definition;
  const deadline = performance.now() + MOST_MS;
  const isLate = (): boolean => performance.now() > deadline;
  for (;;) {
    const made = registry.catalog.dataSource(tenant, name);
    if (made !== undefined) return made;
    try {
      return await registry.createDataSource(tenant, definition);
    } catch (error) {
      const since = registry.catalog.dataSource(tenant, name);
      if (since !== undefined) return since;
      if (!(error instanceof BusyError)) throw error;
      if (isLate())
        throw new AppError('unavailable', `cannot make data source=${name} yet: ${error.what} is under way`, {
          cause: error,
          retryAfterSeconds: 1,
        });
      const isWanted = (): boolean => !isLate() && registry.catalog.dataSource(tenant, name) === undefined;
      await registry.locks.whenFree(error.key, isWanted);
    }
  }
}
