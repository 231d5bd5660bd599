/**
 * What generations cost, on their way in. The lists of prices are large, so they are loaded when the first generation comes: many
 * servers never see one.
 */

import { createRequire } from 'node:module';
import type { PackedValues } from '@glasshouse/generations';
import type { PriceLayer, PriceOverride, Pricer, Total } from '@glasshouse/pricing';
import { priceable, totalOf } from './priceable.ts';

type Pricing = typeof import('@glasshouse/pricing');

/** Prices beyond what is shipped: newer lists, the preferred one first, and the whole history of tenants' own. */
export interface KnownPrices {
  readonly lists: readonly PriceLayer[];
  readonly overrides: readonly PriceOverride[];
}

export interface RowCost {
  readonly total: Total;
  /** Version of the prices. */
  readonly version: string;
}

export class Prices {
  private known: KnownPrices = { lists: [], overrides: [] };
  private loaded: { readonly pricing: Pricing; readonly pricer: Pricer } | undefined;

  /** Lets these prices count from now on. */
  use(known: KnownPrices): void {
    this.known = known;
    this.loaded = undefined;
  }

  /** What a row costs at a time, in milliseconds since 1970. */
  of(values: PackedValues, at: number, tenant: string): RowCost {
    const { pricing, pricer } = this.load();
    return { total: totalOf(pricer, priceable(values, at, tenant, pricing)), version: pricer.table.version };
  }

  private load(): { readonly pricing: Pricing; readonly pricer: Pricer } {
    if (this.loaded !== undefined) return this.loaded;
    // The decoder cannot wait, so this is no import().
    const pricing = createRequire(import.meta.url)('@glasshouse/pricing') as Pricing;
    const { lists, overrides } = this.known;
    this.loaded = { pricing, pricer: new pricing.Pricer(pricing.shippedTable({ overrides }, lists)) };
    return this.loaded;
  }
}
