/**
 * The usage of a generation as prices are calculated from it: fields by the names of the pricing room, in its units. The rule of
 * counting is the row's `usage_dialect`.
 */

import { MAPPED_COLUMNS } from './columns.ts';
import type { PackedValues } from './packed.ts';
import type { GenerationRow } from './read.ts';

const FIELDS = MAPPED_COLUMNS.flatMap(({ name, usage }, place) =>
  usage === undefined ? [] : [{ name, usage, place }],
);

/** Counts that a row reports, by field; what isn't reported is left out. */
export function usageOf(row: GenerationRow): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { name, usage } of FIELDS) {
    const value = row[name];
    if (typeof value === 'number') counts[usage] = value;
  }
  return counts;
}

/** The same of a row's values. */
export function usageOfValues(values: PackedValues): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { usage, place } of FIELDS) {
    const value = values[place];
    if (typeof value === 'number') counts[usage] = value;
  }
  return counts;
}
