/**
 * A stored generation as its price goes by: the columns to ask for, and the row that comes back. One place for explanations and
 * re-pricing, so that both see what ingestion saw.
 *
 * Must stay true: amounts come as decimal texts; a double has no place in them.
 */

import { MAPPED_COLUMNS } from '@glasshouse/generations';
import type { Generation, Priced, Pricer } from '@glasshouse/pricing';
import { priceable, pricedOf } from '../generations/priceable.ts';
import type { Priceable, PriceWords } from '../generations/priceable.ts';

const TEXTS = ['usage_dialect', 'provider', 'model_requested', 'model_used', 'tier', 'image_quality'] as const;
const SIZES = ['image_width', 'image_height'] as const;

/** Columns of counts, the sizes of images included. */
export const COUNT_COLUMNS: readonly string[] = [
  ...MAPPED_COLUMNS.flatMap(({ name, usage }) => (usage === undefined ? [] : [name])),
  ...SIZES,
];
const COUNTS: ReadonlySet<string> = new Set(COUNT_COLUMNS);

/** Columns of a SELECT, with the time as `at` in milliseconds since 1970 and amounts as texts. */
export const PRICE_SELECT: readonly string[] = [
  'toString(generation_id) AS id',
  'toUnixTimestamp64Milli(time) AS at',
  ...TEXTS,
  ...COUNT_COLUMNS,
  'toString(cost) AS stored_cost',
  'price_row',
  'price_version',
];

/** A row of such a SELECT. */
export interface StoredGeneration extends Readonly<Record<string, unknown>> {
  readonly id: string;
  readonly at: string | number;
  readonly stored_cost: string | null;
  readonly price_row: string;
  readonly price_version: string;
}

/** What a stored generation is priced as. */
export function priceableOf(stored: StoredGeneration, tenant: string, words: PriceWords): Priceable {
  const values = MAPPED_COLUMNS.map(({ name }) => {
    const value = stored[name];
    // 64-bit numbers come as texts.
    if (COUNTS.has(name)) return value === null || value === undefined ? null : Number(value);
    return typeof value === 'string' ? value : null;
  });
  return priceable(values, Number(stored.at), tenant, words);
}

/** The price of a stored generation with its parts, and the generation that it is the price of. */
export function pricedStored(
  pricer: Pricer,
  stored: StoredGeneration,
  tenant: string,
  words: PriceWords,
): { readonly generation: Generation; readonly priced: Priced } {
  return pricedOf(pricer, priceableOf(stored, tenant, words));
}
