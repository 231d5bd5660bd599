/** A data source for events that nobody has described: made after the first of them. */

import { guessSchema } from '@glasshouse/language';
import { AppError } from '@glasshouse/model';
import type { Registry } from './registry.ts';
import type { DataSourceEntry } from './resource-row.ts';

/** The data source of this name; made if there is none yet, also when two requests bring its first events at once. */
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
  try {
    return await registry.createDataSource(tenant, { kind: 'datasource', name, columns, engine, ...empty });
  } catch (error) {
    const made = registry.catalog.dataSource(tenant, name);
    if (made !== undefined) return made;
    throw error;
  }
}
