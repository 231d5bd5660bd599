/**
 * Facts of price lists in the shortest form that is still readable, and the rows that they are.
 *
 * Must stay true: every row has its source and the day on which it was read.
 */

import type { Kind, Prices } from '../kinds.ts';
import type { Conditions, PriceRow, Source } from '../row.ts';

/** Names of models with blanks between, under which conditions, at what prices, and since when if not since ever. */
export type Fact = readonly [
  models: string,
  when: Conditions & { readonly unpriced?: string },
  prices: Prices,
  from?: string,
];

/** The rows of a provider's facts. */
export function factRows(provider: string, facts: readonly Fact[], source: Source): PriceRow[] {
  return facts.map(([names, { unpriced, ...when }, prices, from]) => {
    const models = names.split(' ');
    const conditions = Object.values(when)
      .map((value) => (typeof value === 'object' ? `${value.from}-${value.until}` : String(value)))
      .join(',');
    return {
      id: `${provider}/${models[0] ?? ''}${conditions === '' ? '' : `[${conditions}]`}${from === undefined ? '' : `@${from}`}`,
      provider,
      models,
      ...(from === undefined ? {} : { from }),
      ...(Object.keys(when).length === 0 ? {} : { when }),
      prices,
      ...(unpriced === undefined ? {} : { unpriced: unpriced.split(' ') as Kind[] }),
      currency: 'USD',
      source,
    };
  });
}
