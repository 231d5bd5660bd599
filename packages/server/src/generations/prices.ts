/**
 * What generations cost, on their way in. The lists of prices are large, so they are loaded when the first generation comes: many
 * servers never see one.
 */

import { createRequire } from 'node:module';
import type { GenerationValues } from '@glasshouse/generations';
import type { Pricer, Total } from '@glasshouse/pricing';
import { priceable, totalOf } from './priceable.ts';

type Pricing = typeof import('@glasshouse/pricing');

export interface RowCost {
  readonly total: Total;
  /** Version of the prices. */
  readonly version: string;
}

export class Prices {
  private loaded: { readonly pricing: Pricing; readonly pricer: Pricer } | undefined;

  /** What a row costs at a time, in milliseconds since 1970. */
  of(values: GenerationValues, at: number, tenant: string): RowCost {
    const { pricing, pricer } = this.load();
    return { total: totalOf(pricer, priceable(values, at, tenant, pricing)), version: pricer.table.version };
  }

  private load(): { readonly pricing: Pricing; readonly pricer: Pricer } {
    if (this.loaded !== undefined) return this.loaded;
    // The decoder cannot wait, so this is no import().
    const pricing = createRequire(import.meta.url)('@glasshouse/pricing') as Pricing;
    this.loaded = { pricing, pricer: new pricing.Pricer(pricing.shippedTable()) };
    return this.loaded;
  }
}
