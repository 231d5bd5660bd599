/**
 * LiteLLM's price file (`model_prices_and_context_window.json`) as rows of our table: the widest list there is of prices by tier,
 * by length of the context and by image.
 *
 * Must stay true: a key that isn't understood is never taken for another; models with such a price are listed, not priced in
 * part. Whatever the text is, this returns or throws an AppError.
 */

import { messageOf } from '@glasshouse/model';
import { PER, type Kind } from '../kinds.ts';
import { formatDecimal, parseDecimal } from '../money.ts';
import { normaliseProvider } from '../names.ts';
import { checkRow, type Conditions, type PriceRow, type Source, type Tier } from '../row.ts';
import { decimalText, isRecord, optionalText, record, type Imported } from './json.ts';

/** Their keys without the suffixes of context and tier. They price one unit: a token, an image, a second, a character. */
const KEYS: Readonly<Record<string, Kind>> = {
  input_cost_per_token: 'input',
  output_cost_per_token: 'output',
  cache_read_input_token_cost: 'cacheRead',
  cache_creation_input_token_cost: 'cacheWrite',
  cache_creation_input_token_cost_above_1hr: 'cacheWrite1h',
  input_cost_per_audio_token: 'inputAudio',
  cache_read_input_audio_token_cost: 'cacheReadAudio',
  output_cost_per_audio_token: 'outputAudio',
  input_cost_per_image_token: 'inputImage',
  cache_read_input_image_token_cost: 'cacheReadImage',
  output_cost_per_image_token: 'outputImage',
  input_cost_per_video_token: 'inputVideo',
  output_cost_per_video_token: 'outputVideo',
  output_cost_per_reasoning_token: 'reasoning',
  output_cost_per_image: 'images',
  output_cost_per_pixel: 'pixels',
  input_cost_per_character: 'characters',
  input_cost_per_second: 'audioMs',
  output_cost_per_video_per_second: 'videoMs',
  input_cost_per_request: 'requests',
  ocr_cost_per_page: 'pages',
};
/** Prices of what is counted elsewhere, or said twice. */
const BESIDES = new Set([
  'input_cost_per_token_cache_hit',
  'search_context_cost_per_query',
  'google_maps_grounding_cost_per_query',
  'code_interpreter_cost_per_session',
  'file_search_cost_per_1k_calls',
  'cache_creation_input_audio_token_cost',
  'input_dbu_cost_per_token',
  'output_dbu_cost_per_token',
]);
const SUFFIX = /^(.*?)(?:_above_(\d+)k_tokens)?(?:_(batches|flex|priority))?$/;
const TIERS: Readonly<Record<string, Tier>> = { batches: 'batch', flex: 'flex', priority: 'priority' };
const SIZED = /^(?:([a-z]+)\/)?(\d+-x-\d+)\/(.+)$/;
const ZEROS = 36;

/** The rows of the file, of all providers or of those that are named. Throws if the text is no such file. */
export function importLiteLlm(file: unknown, source: Source, providers?: readonly string[]): Imported {
  const rows: PriceRow[] = [];
  const skipped: string[] = [];
  for (const [name, entry] of Object.entries(record(file, 'PRICES'))) {
    if (name === 'sample_spec' || !isRecord(entry)) continue;
    const provider = providerOf(optionalText(entry['litellm_provider']) ?? '');
    if (provider === '' || (providers !== undefined && !providers.includes(provider))) continue;
    try {
      rows.push(...modelRows(name, provider, entry, source));
    } catch (error) {
      skipped.push(`${name}: ${messageOf(error)}`);
    }
  }
  return { rows, skipped };
}

function providerOf(name: string): string {
  if (name.startsWith('vertex_ai')) return 'google';
  if (name.startsWith('bedrock')) return 'aws';
  return normaliseProvider(name);
}

function modelRows(name: string, provider: string, entry: Record<string, unknown>, source: Source): PriceRow[] {
  const { model, size, quality } = partsOf(name, provider);
  const url = optionalText(entry['source']);
  const groups = new Map<string, { tier: Tier; above: number | undefined; prices: Partial<Record<Kind, string>> }>();
  for (const [key, value] of Object.entries(entry)) {
    if (!/(_cost|cost_per_)/.test(key) || BESIDES.has(key)) continue;
    const [, base = '', above, suffix] = SUFFIX.exec(key) ?? [];
    const kind = kindOf(base, entry);
    if (kind === undefined) {
      if (value === 0) continue;
      throw new Error(`nothing of the kind ${key} is priced here`);
    }
    const tier = suffix === undefined ? 'standard' : (TIERS[suffix] ?? 'standard');
    const limit = above === undefined ? undefined : Number(above) * 1_000;
    const group = groups.get(`${tier} ${limit ?? ''}`) ?? { tier, above: limit, prices: {} };
    groups.set(`${tier} ${limit ?? ''}`, group);
    group.prices[kind] = perOurs(decimalText(value, key), kind);
  }
  const rows: PriceRow[] = [];
  for (const { tier, above, prices } of groups.values()) {
    const base = above === undefined ? {} : (groups.get(`${tier} `)?.prices ?? {});
    const when: Conditions = {
      ...(tier === 'standard' ? {} : { tier }),
      ...(above === undefined ? {} : { contextAbove: above }),
      ...(size === undefined ? {} : { size }),
      ...(quality === undefined ? {} : { quality }),
    };
    const all = withoutFree({ ...base, ...prices });
    if (Object.keys(all).length === 0) continue;
    rows.push(
      checkRow({
        id: `litellm/${provider}/${name}${tier === 'standard' ? '' : `#${tier}`}${above === undefined ? '' : `>${above}`}`,
        provider,
        models: [model],
        ...(Object.keys(when).length === 0 ? {} : { when }),
        prices: all,
        currency: 'USD',
        source: { ...source, ...(url !== undefined && url.startsWith('http') ? { url } : {}) },
      }),
    );
  }
  return rows;
}

/** A price of 0 beside others means that the kind isn't billed there, such as the output of an embedding. */
function withoutFree(prices: Partial<Record<Kind, string>>): Partial<Record<Kind, string>> {
  const paid = Object.entries(prices).filter(([, price]) => parseDecimal(price, ZEROS) !== 0n);
  // `input` and `output` stay: a model whose answers are free has a price of 0 for them.
  return paid.length === 0
    ? {}
    : Object.fromEntries([
        ...paid,
        ...Object.entries(prices).filter(([kind]) => kind === 'input' || kind === 'output'),
      ]);
}

function kindOf(base: string, entry: Record<string, unknown>): Kind | undefined {
  const { mode } = entry;
  // Of image models, `input_cost_per_image` and `…_pixel` are those of the images that are made.
  if (mode === 'image_generation' && base === 'input_cost_per_image') return 'images';
  if (mode === 'image_generation' && base === 'input_cost_per_pixel') return 'pixels';
  if (mode === 'video_generation' && base === 'output_cost_per_second') return 'videoMs';
  if (mode === 'audio_transcription' && base === 'output_cost_per_second') return 'audioMs';
  if (mode === 'image_generation' && base === 'output_cost_per_token') return 'output';
  return Object.hasOwn(KEYS, base) ? KEYS[base] : undefined;
}

/** `hd/1024-x-1024/dall-e-3` and `azure/gpt-4o` as what they say. */
function partsOf(name: string, provider: string): { model: string; size?: string; quality?: string } {
  const slash = name.indexOf('/');
  const plain = slash > 0 && providerOf(name.slice(0, slash)) === provider ? name.slice(slash + 1) : name;
  const match = SIZED.exec(plain);
  if (match === null) return { model: plain };
  const [, quality, size, model = ''] = match;
  return {
    model,
    ...(size === undefined ? {} : { size: size.replaceAll('-', '') }),
    ...(quality === undefined ? {} : { quality }),
  };
}

/** Dollars for one of theirs as dollars for our units: of seconds by the hour, else by what `PER` says. */
function perOurs(price: string, kind: Kind): string {
  const theirs = kind === 'audioMs' || kind === 'videoMs' ? 3_600 : PER[kind];
  const value = parseDecimal(price, ZEROS);
  // Beyond 38 digits it is no price of a token.
  if (value === undefined) throw new Error(`${price} is no price`);
  return formatDecimal(value * BigInt(theirs), ZEROS);
}
