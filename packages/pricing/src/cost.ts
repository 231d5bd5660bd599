/**
 * What a usage costs by a row: the arithmetic, in parts that add up.
 *
 * Must stay true: the total is the sum of the parts; every quantity that the bill's measure has is priced, or there is no total;
 * a cost is never negative.
 */

import { MEASURE_OF, PER, type Kind, type Measure } from './kinds.ts';
import { multiply, unitPrice, type Money } from './money.ts';
import { billedQuantity, priceKind, type PriceRow } from './row.ts';
import { faultOf, splitUsage, type Containment, type Split, type Usage } from './usage.ts';

export interface CostPart {
  readonly kind: Kind;
  /** Whole units: tokens, images, milliseconds, characters, pages, searches. */
  readonly quantity: number;
  /** The kind whose price it has, if it has none of its own. */
  readonly pricedAs: Kind;
  /** Dollars for `PER[kind]` units, as the row writes it. */
  readonly price: string;
  readonly money: Money;
}

export interface Cost {
  /** The sum of the parts; undefined if something has no price. */
  readonly total: Money | undefined;
  readonly parts: readonly CostPart[];
  /** Why there is no total; empty if there is one. */
  readonly missing: readonly string[];
  /** What the client reported besides, in other measures than that of the bill. */
  readonly unbilled: readonly Kind[];
  readonly notes: readonly string[];
}

const NO_COST = { parts: [], unbilled: [], notes: [] } as const;

/** What a usage costs by a row. */
export function costOf(usage: Usage, row: PriceRow, rule: Containment): Cost {
  const fault = faultOf(usage);
  if (fault !== undefined) return { ...NO_COST, total: undefined, missing: [fault] };
  return costOfSplit(splitUsage(usage, rule), row);
}

/** What quantities cost by a row. */
export function costOfSplit(split: Split, row: PriceRow): Cost {
  const parts: CostPart[] = [];
  const missing: string[] = [];
  const unbilled: Kind[] = [];
  let total = 0n;
  for (const [kind, reported] of billed(split, row)) {
    if (!onBill(kind, split.measure, row)) {
      unbilled.push(kind);
      continue;
    }
    const priced = priceKind(kind, row);
    const price = priced === undefined ? undefined : row.prices[priced];
    if (priced === undefined || price === undefined) {
      missing.push(`${kind}=${reported} has no price in ${row.id}`);
      continue;
    }
    const quantity = billedQuantity(kind, reported, row);
    const money = multiply(quantity, unitPrice(price, PER[priced]));
    parts.push({ kind, quantity, pricedAs: priced, price, money });
    total += money;
  }
  if (!split.reported) missing.push('the client reported no usage');
  return { total: missing.length > 0 ? undefined : total, parts, missing, unbilled, notes: split.notes };
}

/** Whether a kind is billed where a generation is billed by `measure`. */
export function onBill(kind: Kind, measure: Measure, row: PriceRow): boolean {
  const own = MEASURE_OF[kind];
  if (own === undefined || own === measure) {
    // Images by number and by pixel are the same images.
    if (kind === 'pixels') return row.prices.pixels !== undefined;
    if (kind === 'images') return row.prices.images !== undefined || row.prices.pixels === undefined;
    return true;
  }
  return false;
}

function billed(split: Split, row: PriceRow): [Kind, number][] {
  const entries = Object.entries(split.quantities) as [Kind, number][];
  // A request is a request whatever the client counts.
  if (row.prices.requests !== undefined && split.quantities.requests === undefined) entries.push(['requests', 1]);
  return entries;
}
