/**
 * Data sources whose rows report calls of models, by the names that their senders use. Their lines become generations besides; a
 * line that reports no call doesn't.
 *
 * Must stay true: a row that the sender may not write becomes none. The log's worker compares a write filter with the keys of a line,
 * so the columns that it names have to be those keys.
 */

import type { DataSource } from '@glasshouse/model';

/** What events that are calls of models, and nothing else, are sent to: the facts themselves, which no data source has the name of. */
export const CALLS = 'generations';

const REPORTS: ReadonlySet<string> = new Set([
  'canonical_events',
  'image_events',
  'litellm',
  'llm_events',
  'text_events',
  'traces',
]);

/** Whether lines that are sent to the data source through the filter, empty for none, become generations. */
export function reportsCalls({ name, columns }: Pick<DataSource, 'columns' | 'name'>, filter: string): boolean {
  if (!REPORTS.has(name)) return false;
  return columns.every((column) => column.jsonPath === `$.${column.name}` || !filter.includes(column.name));
}
