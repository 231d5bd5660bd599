/** What is stored is priced as it was when it came in. */

import { MAPPED_COLUMNS } from '@glasshouse/generations';
import * as pricing from '@glasshouse/pricing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { priceable, totalOf } from './priceable.ts';
import { Prices } from './prices.ts';

const WORDS: Readonly<Record<string, readonly string[]>> = {
  provider: ['openai', 'azure', 'anthropic', 'bedrock', '', 'nobody'],
  model_requested: ['gpt-4o', 'my-deployment', 'claude-sonnet-4-5', 'gpt-image-1', ''],
  model_used: ['gpt-4o-2024-08-06', 'router/x', '', 'dall-e-3'],
  tier: ['', 'batch', 'flex', 'seed', 'scale', 'default'],
  image_quality: ['', 'hd', 'low'],
  usage_dialect: ['otel', 'anthropic', 'litellm', 'none', ''],
};

it('whatever the row', () => {
  const value = ({ name, kind }: (typeof MAPPED_COLUMNS)[number]): fc.Arbitrary<string | number | null> => {
    const words = WORDS[name];
    if (words !== undefined) return fc.constantFrom(...words);
    return kind === 'count' ? fc.constantFrom(null, null, 0, 1, 400, 1024, 250_000) : fc.constant(null);
  };
  const prices = new Prices();
  const pricer = new pricing.Pricer(pricing.shippedTable());
  fc.assert(
    fc.property(fc.tuple(...MAPPED_COLUMNS.map(value)), fc.integer({ min: 1.6e12, max: 1.8e12 }), (values, at) => {
      expect(totalOf(pricer, priceable(values, at, 'acme', pricing))).toEqual(prices.of(values, at, 'acme').total);
    }),
    { seed: 22, numRuns: 500 },
  );
});
