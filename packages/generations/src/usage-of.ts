/**
 * The usage of a generation as prices are calculated from it: fields by the names of the pricing room, in its units. The rule of
 * counting is the row's `usage_dialect`.
 */

import { MAPPED_COLUMNS, placeOf } from './columns.ts';
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

/** Those of a usage of text alone, which most are. */
const [INPUT, CACHED, OUTPUT, TOTAL] = [
  placeOf('input_tokens'),
  placeOf('cache_read_tokens'),
  placeOf('output_tokens'),
  placeOf('total_tokens'),
];
const OTHERS = FIELDS.map(({ place }) => place).filter((place) => ![INPUT, CACHED, OUTPUT, TOTAL].includes(place));

/** The same of a row's values; what isn't reported may be there as undefined. */
export function usageOfValues(values: PackedValues): Readonly<Record<string, number | undefined>> {
  for (const place of OTHERS) if (typeof values[place] === 'number') return countsOf(values);
  // Always of the same form, for those that read it for every row.
  return {
    inputTokens: countAt(values, INPUT),
    cacheReadTokens: countAt(values, CACHED),
    outputTokens: countAt(values, OUTPUT),
    totalTokens: countAt(values, TOTAL),
  };
}

function countAt(values: PackedValues, place: number): number | undefined {
  const value = values[place];
  return typeof value === 'number' ? value : undefined;
}

function countsOf(values: PackedValues): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { usage, place } of FIELDS) {
    const value = values[place];
    if (typeof value === 'number') counts[usage] = value;
  }
  return counts;
}
