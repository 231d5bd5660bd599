/**
 * The usage of a row as prices are calculated from it: fields by the names of the pricing room, in its units. The rule of counting is
 * the row's `usage_dialect`.
 */

import { GENERATION_COLUMNS, type GenerationColumn } from './columns.ts';
import type { GenerationRow } from './read.ts';

/** Counts that are reported, by field; what isn't reported is left out. */
export function usageOf(row: GenerationRow): Readonly<Record<string, number>> {
  const usage: Record<string, number> = {};
  for (const column of GENERATION_COLUMNS as readonly GenerationColumn[]) {
    const value = row[column.name];
    if (column.usage !== undefined && typeof value === 'number') usage[column.usage] = value;
  }
  return usage;
}
