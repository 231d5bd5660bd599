/**
 * What of a row of generations its price goes by. Separate because a row is priced on its way in, again when prices change, and
 * when somebody asks why; all three have to ask the same question.
 *
 * Must stay true: this looks at nothing that is not stored with the row.
 */

import { placeOf, usageOfValues } from '@glasshouse/generations';
import type { PackedValue, PackedValues } from '@glasshouse/generations';
import type { Generation, Priced, Pricer, Total } from '@glasshouse/pricing';

/** The words of the pricing room, passed in because whoever needs them loads that room only when there is something to price. */
export type PriceWords = Pick<typeof import('@glasshouse/pricing'), 'dialectOf' | 'tierOf'>;

/**
 * The generation as its price is looked up, and, where the model that answered differs from the one that was asked for, as it is
 * looked up if nothing is known of the former.
 */
export type Priceable = readonly [Generation, Generation?];

/** Capacity bought in advance, at prices that no list has: its cost is unknown, not that of the standard tier. */
const RESERVED = 'scale';

const REQUESTED = placeOf('model_requested');
const USED = placeOf('model_used');
const WIDTH = placeOf('image_width');
const HEIGHT = placeOf('image_height');
const TIER = placeOf('tier');
const QUALITY = placeOf('image_quality');
const USAGE_DIALECT = placeOf('usage_dialect');
const PROVIDER = placeOf('provider');

/** What a row is priced as, made at a time in milliseconds since 1970. */
export function priceable(values: PackedValues, at: number, tenant: string, words: PriceWords): Priceable {
  const [requested, used] = [textOf(values[REQUESTED]), textOf(values[USED])];
  const size = sizeOf(values[WIDTH], values[HEIGHT]);
  const [tier, quality] = [textOf(values[TIER]), textOf(values[QUALITY])];
  const dialect = words.dialectOf(textOf(values[USAGE_DIALECT]));
  const usage = usageOfValues(values);
  // Some send the tier of their user, which is nobody's price.
  const hasTier = tier === '' || tier === RESERVED || words.tierOf(tier) !== undefined;
  const provider = textOf(values[PROVIDER]);
  // Deployments and routers answer with names of their own.
  const [first, second] = used === '' ? [requested, ''] : [used, requested === used ? '' : requested];
  // Of one form, because this runs for every row.
  const generation: Generation = {
    at,
    tenant,
    provider,
    model: first,
    usage,
    dialect,
    tier: hasTier ? tier : undefined,
    size,
    quality: quality === '' ? undefined : quality,
  };
  return second === '' ? [generation] : [generation, { ...generation, model: second }];
}

/** The total of the first name of which anything is known. */
export function totalOf(pricer: Pricer, [first, second]: Priceable): Total {
  const total = pricer.total(first);
  return total.row !== undefined || second === undefined ? total : pricer.total(second);
}

/** The same with its parts, and the generation that it is the price of. */
export function pricedOf(
  pricer: Pricer,
  [first, second]: Priceable,
): { readonly generation: Generation; readonly priced: Priced } {
  const priced = pricer.price(first);
  if (priced.found.found || second === undefined) return { generation: first, priced };
  return { generation: second, priced: pricer.price(second) };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function sizeOf(width: PackedValue | undefined, height: PackedValue | undefined): string | undefined {
  return typeof width === 'number' && typeof height === 'number' ? `${width}x${height}` : undefined;
}
