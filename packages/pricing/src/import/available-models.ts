/**
 * The price lists of generation services that keep them in their own code: `availableModels` with `pricing` by model, in dollars
 * per million tokens, and `imageModelPricing`, in dollars per image.
 *
 * Must stay true: a model without prices in the list has none here either; it is listed instead of being free.
 */

import { AppError } from '@glasshouse/model';
import type { Kind } from '../kinds.ts';
import { checkRow, type PriceRow, type Source } from '../row.ts';
import { decimalText, isRecord, list, optionalText, record, text, type Imported } from './json.ts';

/** Their keys of `pricing`; one kind has several names, by the age of the list. */
const KEYS: Readonly<Record<string, Kind>> = {
  prompt: 'input',
  prompt_tokens: 'input',
  prompt_text: 'input',
  input: 'input',
  prompt_cache: 'cacheRead',
  prompt_cached: 'cacheRead',
  cached: 'cacheRead',
  prompt_audio: 'inputAudio',
  prompt_image: 'inputImage',
  completion: 'output',
  completion_tokens: 'output',
  completion_text: 'output',
  output: 'output',
  completion_reasoning: 'reasoning',
  completion_audio: 'outputAudio',
  completion_image: 'outputImage',
};

/**
 * Rows of an `availableModels` list: objects with `name`, `pricing`, and perhaps `provider`, `aliases` and `originalName`.
 *
 * The provider of an entry that names none is `provider`.
 */
export function importAvailableModels(models: unknown, provider: string, source: Source): Imported {
  const rows: PriceRow[] = [];
  const skipped: string[] = [];
  for (const entry of list(models, 'availableModels')) {
    const model = record(entry, 'availableModels entry');
    const name = text(model['name'], 'availableModels.name');
    if (!isRecord(model['pricing'])) {
      skipped.push(`${name}: it has no pricing`);
      continue;
    }
    const prices: Partial<Record<Kind, string>> = {};
    for (const [key, price] of Object.entries(model['pricing'])) {
      const kind = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
      if (kind === undefined)
        throw new AppError('bad_request', `cannot read pricing.${key} of ${name}: it is no known kind`);
      prices[kind] = decimalText(price, `pricing.${key} of ${name}`);
    }
    if (Object.keys(prices).length === 0) {
      skipped.push(`${name}: its pricing is empty`);
      continue;
    }
    const aliases: readonly unknown[] = Array.isArray(model['aliases']) ? model['aliases'] : [model['aliases']];
    const names = [name, ...aliases, model['originalName']].map(optionalText).filter((other) => other !== undefined);
    const owner = optionalText(model['provider']) ?? provider;
    rows.push(row(`availableModels/${owner}/${name}`, owner, [...new Set(names)], prices, source));
  }
  return { rows, skipped };
}

/** Rows of an `imageModelPricing` object: dollars per final image, by model. */
export function importImageModelPricing(pricing: unknown, provider: string, source: Source): Imported {
  const rows = Object.entries(record(pricing, 'imageModelPricing')).map(([name, price]) =>
    row(`imageModelPricing/${provider}/${name}`, provider, [name], { images: decimalText(price, name) }, source),
  );
  return { rows, skipped: [] };
}

function row(
  id: string,
  provider: string,
  models: readonly string[],
  prices: Partial<Record<Kind, string>>,
  source: Source,
): PriceRow {
  return checkRow({ id, provider, models: models.map(literal), prices, currency: 'USD', source });
}

/** A name as a pattern that matches nothing else. */
function literal(name: string): string {
  if (!/[*/]/.test(name)) return name;
  if (!name.includes('*')) return name.startsWith('/') ? `/^${escaped(name)}$/` : name;
  return `/^${escaped(name)}$/`;
}

function escaped(name: string): string {
  return name.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
}
