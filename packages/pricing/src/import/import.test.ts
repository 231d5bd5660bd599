import fc from 'fast-check';
import { AppError } from '@glasshouse/model';
import { describe, expect, it } from 'vitest';
import { formatMoney } from '../money.ts';
import { Pricer } from '../pricer.ts';
import { priceTable } from '../table.ts';
import { importAvailableModels, importImageModelPricing } from './available-models.ts';
import { importGenaiPrices } from './genai-prices.ts';
import type { Imported } from './json.ts';
import { importLiteLlm } from './litellm.ts';

const source = { via: 'a test', date: '2026-11-22' };
const at = Date.parse('2026-11-01T12:00:00Z');

function total({ rows }: Imported, provider: string, model: string, usage: object, more: object = {}): string {
  const { money } = new Pricer(priceTable([{ name: 'imported', rows }])).total({ at, provider, model, usage, ...more });
  return money === undefined ? 'unknown' : formatMoney(money);
}

describe("the seed's availableModels and imageModelPricing", () => {
  const models = importAvailableModels(
    [
      {
        name: 'openai',
        provider: 'azure',
        aliases: 'gpt-4o-mini',
        pricing: { prompt_text: 0.15, prompt_cache: 0.04, completion_text: 0.6 },
      },
      { name: 'mistral', pricing: { prompt: 0.1, completion: 0.3 } },
      { name: 'midijourney' },
      { name: 'unity', pricing: {} },
    ],
    'scaleway',
    source,
  );

  it('become rows by provider, in dollars per million tokens', () => {
    const usage = { inputTokens: 1_000, cacheReadTokens: 400, outputTokens: 100 };
    expect(total(models, 'azure', 'openai', usage)).toBe('0.000166');
    expect(total(models, 'azure', 'gpt-4o-mini', usage)).toBe('0.000166');
    expect(total(models, 'scaleway', 'mistral', usage)).toBe('0.00013');
  });

  it('leave models without prices without a cost', () => {
    expect(models.skipped).toEqual(['midijourney: it has no pricing', 'unity: its pricing is empty']);
    expect(total(models, 'scaleway', 'unity', { inputTokens: 9 })).toBe('unknown');
  });

  it('price images one by one', () => {
    const images = importImageModelPricing({ gptimage: 0.04, dreamshaper: 0.01, flux: 0.005 }, 'pollinations', source);
    expect(total(images, 'pollinations', 'flux', { images: 3 }, { size: '1024x768' })).toBe('0.015');
    expect(total(images, 'pollinations', 'gptimage', { images: 1, inputTokens: 40 })).toBe('0.04');
  });
});

describe('the data file of genai-prices', () => {
  const file = [
    {
      id: 'acme',
      pricing_urls: ['https://acme.test/prices'],
      models: [
        {
          id: 'm',
          match: { or: [{ starts_with: 'm-' }, { and: [{ contains: 'x' }, { regex: '^(?!.*y)' }] }] },
          prices: [
            { prices: { input_mtok: 1, output_mtok: { base: 2, tiers: [{ start: 1_000, price: 3 }] } } },
            { constraint: { start_date: '2026-10-01' }, prices: { input_mtok: 0.3, output_mtok: 2 } },
            {
              constraint: { start_time: '08:00:00Z', end_time: '10:00:00Z' },
              prices: { input_mtok: 9, output_mtok: 9 },
            },
          ],
        },
        { id: 'new', match: { equals: 'new' }, prices: { input_mtok: 1, brain_hours: 2 } },
        { id: 'odd', match: { sounds_like: 'odd' }, prices: { input_mtok: 1 } },
      ],
    },
  ];
  const imported = importGenaiPrices(file, source);

  it('keeps dates, hours, steps and conditions', () => {
    const usage = { inputTokens: 100, outputTokens: 10 };
    expect(total(imported, 'acme', 'm-1', usage)).toBe('0.00005');
    expect(total(imported, 'acme', 'axa', usage)).toBe('0.00005');
    expect(total(imported, 'acme', 'axy', usage)).toBe('unknown');
    expect(total(imported, 'acme', 'm-1', usage, { at: Date.parse('2026-11-01T09:00:00Z') })).toBe('0.00099');
    expect(total(imported, 'acme', 'm-1', usage, { at: Date.parse('2026-09-01T09:00:00Z') })).toBe('0.00012');
    expect(
      total(imported, 'acme', 'm-1', { inputTokens: 2_000, outputTokens: 10 }, { at: Date.parse('2026-09-01') }),
    ).toBe('0.00203');
  });

  it('lists what it does not understand, and leaves it without a cost', () => {
    expect(imported.skipped).toEqual([
      'acme/new: cannot read PRICE=brain_hours: nothing of that kind is priced here',
      'acme/odd: cannot read MATCH: sounds_like is no condition',
    ]);
    expect(imported.rows[0]?.source).toEqual({ ...source, url: 'https://acme.test/prices' });
  });
});

describe("LiteLLM's price file", () => {
  const imported = importLiteLlm(
    {
      sample_spec: { input_cost_per_token: 1 },
      'gpt-x': {
        litellm_provider: 'openai',
        mode: 'chat',
        source: 'https://acme.test/gpt-x',
        input_cost_per_token: 1.25e-6,
        cache_read_input_token_cost: 1.25e-7,
        output_cost_per_token: 1e-5,
        input_cost_per_token_above_200k_tokens: 2.5e-6,
        input_cost_per_token_flex: 6.25e-7,
        output_cost_per_token_flex: 5e-6,
        search_context_cost_per_query: { search_context_size_low: 0.01 },
        max_tokens: 100,
      },
      'hd/1024-x-1792/dall-e-9': { litellm_provider: 'openai', mode: 'image_generation', input_cost_per_image: 0.12 },
      'azure/standard/1024-x-1024/dall-e-9': {
        litellm_provider: 'azure',
        mode: 'image_generation',
        input_cost_per_pixel: 4.19617e-8,
        output_cost_per_token: 0,
      },
      'whisper-9': {
        litellm_provider: 'openai',
        mode: 'audio_transcription',
        input_cost_per_second: 0.0001,
        output_cost_per_second: 0.0001,
      },
      odd: { litellm_provider: 'openai', input_cost_per_token: 1e-6, thought_cost_per_dream: 3 },
      free: { litellm_provider: 'openai', input_cost_per_token: 0, output_cost_per_token: 0 },
      bedrock: { litellm_provider: 'bedrock_converse', input_cost_per_token: 1e-6 },
    },
    source,
    ['openai', 'azure'],
  );

  it('keeps tiers and steps of the context', () => {
    const usage = { inputTokens: 1_000, cacheReadTokens: 400, outputTokens: 100 };
    expect(total(imported, 'openai', 'gpt-x', usage)).toBe('0.0018');
    expect(total(imported, 'openai', 'gpt-x', usage, { tier: 'flex' })).toBe('0.001125');
    expect(total(imported, 'openai', 'gpt-x', usage, { tier: 'batch' })).toBe('unknown');
    expect(total(imported, 'openai', 'gpt-x', { inputTokens: 200_001, outputTokens: 1 })).toBe('0.5000125');
  });

  it('keeps images by size and quality, pixels and seconds', () => {
    expect(total(imported, 'openai', 'dall-e-9', { images: 2 }, { size: '1024x1792', quality: 'hd' })).toBe('0.24');
    expect(total(imported, 'openai', 'dall-e-9', { images: 2 }, { size: '1024x1024', quality: 'hd' })).toBe('unknown');
    expect(total(imported, 'azure', 'dall-e-9', { images: 1 }, { size: '1024x1024', quality: 'standard' })).toBe(
      '0.044000031539',
    );
    expect(total(imported, 'openai', 'whisper-9', { audioMs: 90_500 })).toBe('0.00905');
  });

  it('leaves out other providers, what it does not understand, and prices of nothing', () => {
    expect(imported.skipped).toEqual(['odd: nothing of the kind thought_cost_per_dream is priced here']);
    expect(imported.rows.map(({ id }) => id)).toEqual([
      'litellm/openai/gpt-x',
      'litellm/openai/gpt-x>200000',
      'litellm/openai/gpt-x#flex',
      'litellm/openai/hd/1024-x-1792/dall-e-9',
      'litellm/azure/azure/standard/1024-x-1024/dall-e-9',
      'litellm/openai/whisper-9',
    ]);
  });
});

describe('any JSON', () => {
  const keys = fc.constantFrom(
    'id',
    'models',
    'match',
    'prices',
    'or',
    'equals',
    'regex',
    'tiers',
    'start',
    'price',
    'base',
    'constraint',
    'start_date',
    'name',
    'pricing',
    'litellm_provider',
    'input_mtok',
    'input_cost_per_token',
    'prompt',
  );
  const value = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('a', '(', '*', '2026-01-01', 'openai', '0.5', '', null, 0, -1, 0.5, 1e300),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(keys, tie('tree'), { maxKeys: 5 }),
    ),
  })).tree;
  const importers: readonly (readonly [string, (value: unknown) => Imported])[] = [
    ['genai-prices', (json) => importGenaiPrices(json, source)],
    ['litellm', (json) => importLiteLlm(json, source)],
    ['availableModels', (json) => importAvailableModels(json, 'acme', source)],
    ['imageModelPricing', (json) => importImageModelPricing(json, 'acme', source)],
  ];

  it.each(importers)('becomes rows or an error of ours: %s', (_, importer) => {
    fc.assert(
      fc.property(value, (json) => {
        try {
          importer(json);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
        }
      }),
      { seed: 21, numRuns: 3_000 },
    );
  });
});
