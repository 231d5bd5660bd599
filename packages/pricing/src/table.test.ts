import { describe, expect, it } from 'vitest';
import { explain } from './explain.ts';
import { LIBRARY_PROVIDERS, LIBRARY_VERSION, libraryRows } from './library.ts';
import { formatMoney } from './money.ts';
import { checkOverride, type PriceOverride } from './overrides.ts';
import { Pricer, type Generation } from './pricer.ts';
import { checkRow, tierOf, type PriceRow } from './row.ts';
import { priceTable, type PriceKey } from './table.ts';
import { shippedLayers, shippedTable } from './tables.ts';

const source = { via: 'a test', date: '2026-11-22' };
const at = Date.parse('2026-11-01');

function row(id: string, models: string, prices: PriceRow['prices'], more: Partial<PriceRow> = {}): PriceRow {
  return { id, provider: 'acme', models: models.split(' '), prices, currency: 'USD', source, ...more };
}

function ids(rows: readonly PriceRow[], key: Partial<PriceKey>, when = at, context = 10): string {
  const found = priceTable([{ name: 'rows', rows }]).find(
    { provider: 'acme', model: 'm', measure: 'tokens', ...key },
    { at: when, context },
  );
  return found.found ? found.alternative.row.id : found.reason;
}

describe('find', () => {
  it('prefers an exact name, then the longest glob', () => {
    const rows = [row('any', '*', { input: '1' }), row('glob', 'm*', { input: '2' }), row('name', 'm', { input: '3' })];
    expect(ids(rows, {})).toBe('name');
    expect(ids(rows, { model: 'mm' })).toBe('glob');
    expect(ids(rows.toReversed(), { model: 'x' })).toBe('any');
  });

  it('takes the row of the day', () => {
    const rows = [
      row('old', 'm', { input: '1' }, { until: '2026-06-01' }),
      row('new', 'm', { input: '2' }, { from: '2026-06-01' }),
    ];
    expect(ids(rows, {}, Date.parse('2026-05-31T23:59:59.999Z'))).toBe('old');
    expect(ids(rows, {}, Date.parse('2026-06-01T00:00:00Z'))).toBe('new');
    expect(ids([row('base', 'm', { input: '1' }), rows[1] as PriceRow], {})).toBe('new');
  });

  it('takes the row of the hour, past midnight too', () => {
    const rows = [
      row('day', 'm', { input: '1' }),
      row('night', 'm', { input: '2' }, { when: { hours: { from: '22:00', until: '06:00' } } }),
    ];
    expect(ids(rows, {}, Date.parse('2026-11-01T22:00:00Z'))).toBe('night');
    expect(ids(rows, {}, Date.parse('2026-11-01T05:59:59Z'))).toBe('night');
    expect(ids(rows, {}, Date.parse('2026-11-01T06:00:00Z'))).toBe('day');
  });

  it('takes the highest step of the context that is passed', () => {
    const rows = [0, 128_000, 200_000].map((contextAbove) =>
      row(`above ${contextAbove}`, 'm', { input: '1' }, contextAbove === 0 ? {} : { when: { contextAbove } }),
    );
    expect(ids(rows, {}, at, 128_000)).toBe('above 0');
    expect(ids(rows, {}, at, 128_001)).toBe('above 128000');
    expect(ids(rows, {}, at, 900_000)).toBe('above 200000');
  });

  it('has no price for a tier, size or measure that is not listed, and says so', () => {
    const rows = [
      row('standard', 'm', { input: '1' }),
      row('short', 'm', { input: '1' }, { when: { tier: 'flex', contextUpTo: 100 } }),
      row('image', 'i', { images: '1' }, { when: { size: '1024x1024', quality: 'hd' } }),
    ];
    expect(ids(rows, { tier: 'batch' })).toBe('no price is known for tier=batch of model=m of provider=acme');
    expect(ids(rows, { tier: 'scale' })).toBe('tier=scale has no prices here');
    expect(ids(rows, { tier: 'flex' }, at, 101)).toContain('has no price at 2026-11-01T00:00:00.000Z with 101 tokens');
    expect(ids(rows, { measure: 'images' })).toContain('is not priced by images');
    const key = { model: 'i', measure: 'images', size: '1024 x 1024' } as const;
    expect(ids(rows, { ...key, quality: 'HD' })).toBe('image');
    expect(ids(rows, { ...key, quality: 'low' })).toContain('no price is known for size=1024 x 1024 and quality=low');
    expect(ids(rows, { model: 'nobody' })).toBe('no price is known for model=nobody of provider=acme');
  });

  it('does not depend on the order of the rows', () => {
    const layers = shippedLayers();
    const turned = layers.map(({ name, rows }) => ({ name, rows: rows.toReversed() }));
    const [one, two] = [priceTable(layers), priceTable(turned)];
    for (const [provider, model] of [
      ['openai', 'gpt-4o'],
      ['aws', 'us.anthropic.claude-opus-4-5-20251101-v1:0'],
      ['google', 'gemini-2.5-pro'],
    ] as const) {
      const key = { provider, model, measure: 'tokens' } as const;
      expect(one.find(key, { at, context: 1 })).toEqual(two.find(key, { at, context: 1 }));
    }
  });

  it('refuses an id that is there twice', () => {
    expect(() =>
      priceTable([{ name: 'x', rows: [row('a', 'm', { input: '1' }), row('a', 'n', { input: '1' })] }]),
    ).toThrow('cannot make a table of PRICE=a');
  });
});

describe('an unknown model', () => {
  const generation: Generation = { at, provider: 'acme', model: 'gpt-99', usage: { inputTokens: 5, outputTokens: 5 } };

  it('has no cost, and not 0', () => {
    const pricer = new Pricer(shippedTable());
    expect(pricer.price(generation).cost).toMatchObject({ total: undefined, parts: [] });
    expect(pricer.total(generation)).toMatchObject({
      money: undefined,
      reason: expect.stringContaining('gpt-99') as string,
    });
    expect(explain(generation, pricer.price(generation))).toContain(
      'cost: unknown, because no price is known for model=gpt-99',
    );
  });

  it('nor has a known one whose client reports nothing', () => {
    const pricer = new Pricer(shippedTable());
    expect(pricer.total({ at, provider: 'openai', model: 'gpt-4o', usage: {} }).money).toBeUndefined();
    expect(pricer.total({ at, provider: 'openai', model: 'gpt-4o', usage: { inputTokens: 0 } }).money).toBe(0n);
  });

  it('nor has one of which a part has no price', () => {
    const pricer = new Pricer(shippedTable());
    const image = pricer.price({ at, provider: 'openai', model: 'gpt-image-1', usage: { images: 1 } });
    expect(image.cost.missing[0]).toContain('size=unknown and quality=unknown');
    const audio = pricer.price({
      at,
      provider: 'openai',
      model: 'gpt-4.1',
      usage: { inputTokens: 9, inputAudioTokens: 9 },
    });
    expect(audio.cost.missing[0]).toContain('inputAudio=9 has no price');
  });
});

describe('overrides', () => {
  const entry = (id: string, recordedAt: string, more: Partial<PriceOverride>): PriceOverride => ({
    id,
    tenant: 't1',
    recordedAt,
    ...more,
  });
  const price = (id: string, input: string): PriceRow =>
    row(id, 'gpt-4o', { input, output: '1' }, { provider: 'openai' });
  const history = [
    entry('e1', '2026-01-01T00:00:00Z', { row: price('t1/first', '2') }),
    entry('e2', '2026-02-01T00:00:00Z', { row: price('t1/second', '1.5') }),
    entry('e3', '2026-03-01T00:00:00Z', { revokes: 'e2' }),
    entry('e4', '2026-03-01T00:00:00Z', {
      alias: { provider: 'azure', name: 'Prod-Chat', as: { provider: 'azure', model: 'gpt-4.1' } },
    }),
  ];
  const rowOf = (tenant: string, asOf?: string, provider = 'openai', model = 'gpt-4o'): string => {
    const table = shippedTable({ overrides: history, ...(asOf === undefined ? {} : { asOf: Date.parse(asOf) }) });
    const found = table.find({ provider, model, tenant, measure: 'tokens' }, { at, context: 1 });
    return found.found ? found.alternative.row.id : found.reason;
  };

  it('come before our rows, for their tenant only, the newest first', () => {
    expect(rowOf('t1', '2026-02-15')).toBe('t1/second');
    expect(rowOf('t1', '2026-01-15')).toBe('t1/first');
    expect(rowOf('t2')).toBe('openai/gpt-4o#0');
  });

  it('can be revoked, and what was in force stays known', () => {
    expect(rowOf('t1')).toBe('t1/first');
    expect(rowOf('t1', '2026-02-15')).toBe('t1/second');
    expect(rowOf('t1', '2025-12-31')).toBe('openai/gpt-4o#0');
  });

  it('name the deployments of a tenant', () => {
    expect(rowOf('t1', undefined, 'azure', 'prod-chat')).toBe('openai/gpt-4.1#0');
    expect(rowOf('t2', undefined, 'azure', 'prod-chat')).toContain('no price is known');
  });

  it.each([
    [{ id: 'e1', row: price('x', '1') }, 'there is one of that id'],
    [{ id: 'e9' }, 'exactly one of row, alias and revokes'],
    [{ id: 'e9', revokes: 'e8' }, 'there is no entry e8'],
    [{ id: 'e9', row: row('x', '/.*/', { input: '1' }) }, 'write a name with * instead'],
    [{ id: 'e9', row: row('x', 'm', { input: 'cheap' }) }, 'input=cheap is no price'],
    [{ id: 'e9', recordedAt: 'yesterday', row: price('x', '1') }, 'cannot read DATE=yesterday'],
  ] as const)('refuse %j', (more, message) => {
    expect(() => checkOverride(entry('e9', '2026-04-01T00:00:00Z', more as Partial<PriceOverride>), history)).toThrow(
      message,
    );
  });

  it('change the version of the table', () => {
    expect(shippedTable().version).toBe(shippedTable().version);
    expect(shippedTable({ overrides: history }).version).not.toBe(shippedTable().version);
  });
});

describe('rows', () => {
  it.each([
    [{ prices: {} }, 'it has no price'],
    [{ models: [] }, 'it names no models'],
    [{ from: '2026-02-01', until: '2026-01-01' }, 'before it begins'],
    [{ when: { contextAbove: -1 } }, 'contextAbove=-1'],
    [{ when: { contextAbove: 5, contextUpTo: 5 } }, 'contextUpTo=5'],
    [{ when: { hours: { from: '25:00', until: '01:00' } } }, 'cannot read TIME=25:00'],
    [{ prices: { tokens: '1' } }, 'nothing of the kind tokens'],
    [{ currency: 'EUR' }, 'currency=EUR'],
  ])('refuse %j', (more, message) => {
    expect(() => checkRow({ ...row('r', 'm', { input: '1' }), ...(more as Partial<PriceRow>) })).toThrow(message);
  });

  it('know tiers by the words of providers', () => {
    expect(['default', 'auto', undefined, 'BATCH', 'on_demand_priority', 'scale'].map(tierOf)).toEqual([
      'standard',
      'standard',
      'standard',
      'batch',
      'priority',
      undefined,
    ]);
  });
});

describe('the library', () => {
  it('is the version that is named, and has all providers', async () => {
    const { rows, skipped } = libraryRows();
    expect(new Set(rows.map(({ provider }) => provider)).size).toBe(LIBRARY_PROVIDERS.length);
    expect(rows.length).toBeGreaterThan(1_500);
    // Free variants and models without any price.
    expect(skipped.filter((reason) => !reason.endsWith('it has no price')).length).toBeLessThan(20);
    const lock = await import('../package.json', { with: { type: 'json' } });
    expect(lock.default.dependencies['@pydantic/genai-prices']).toBe(LIBRARY_VERSION);
  });
});

describe('explain', () => {
  it('shows the whole sum', () => {
    const pricer = new Pricer(shippedTable());
    const generation: Generation = {
      at: Date.parse('2026-11-01T12:00:00Z'),
      provider: 'azure',
      model: 'gpt-4o-2024-11-20',
      usage: { inputTokens: 2_006, cacheReadTokens: 1_920, outputTokens: 300 },
    };
    const priced = pricer.price(generation);
    expect(explain(generation, priced, 8_015_000_000n)).toBe(
      [
        'azure gpt-4o-2024-11-20, 2026-11-01T12:00:00.000Z',
        'reported: inputTokens 2,006, cacheReadTokens 1,920, outputTokens 300',
        'counted as openai does: cached in input, cache writes in input, reasoning in output (@pydantic/genai-prices 0.1.8, extractors of openai: the details are parts of prompt_tokens and completion_tokens)',
        'price: openai/gpt-4o#0 of the library, for gpt-4o-2024-11-20',
        "  name: azure has no row: openai's list price",
        '  source: https://developers.openai.com/api/docs/pricing, @pydantic/genai-prices 0.1.8, read 2026-09-23',
        '  input: 86 tokens x $2.5 / 1,000,000 = $0.000215000000',
        '  cacheRead: 1,920 tokens x $1.25 / 1,000,000 = $0.002400000000',
        '  output: 300 tokens x $10 / 1,000,000 = $0.003000000000',
        'cost: $0.005615000000',
        "the client's own cost: $0.008015000000, +$0.0024 to ours",
      ].join('\n'),
    );
    expect(formatMoney(priced.cost.total ?? 0n)).toBe('0.005615');
  });
});
