/** Prices over HTTP, with a real store: what is shown, what a tenant may change, what is explained, and to whom. */

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN } from '../platform/testing/stand.ts';
import type { PricesStand } from './testing/prices-stand.ts';
import { openPricesStand } from './testing/prices-stand.ts';

let stand: PricesStand;
let acme: string;
let other: string;

const OVERRIDE = { provider: 'openai', models: ['gpt-4o'], prices: { input: '1', output: 2, cacheRead: '0.5' } };

beforeAll(async () => {
  stand = await openPricesStand();
  acme = await stand.key('acme');
  other = await stand.key('other');
});

afterAll(() => stand.close());

interface Shown {
  readonly rows: readonly { readonly id: string; readonly layer: string; readonly prices: Record<string, string> }[];
  readonly version: string;
}

async function shown(key: string, model = 'gpt-4o', provider = 'openai'): Promise<Shown> {
  const { body } = await stand.ask('GET', `/models?model=${model}&provider=${provider}`, { key });
  return body as unknown as Shown;
}

describe('the table', () => {
  it('says its version and its layers', async () => {
    const { status, body } = await stand.ask('GET', '', { key: acme });
    expect(status).toBe(200);
    expect(body['layers']).toEqual([
      { name: 'our table', rows: expect.any(Number) as unknown },
      { name: 'the library', rows: expect.any(Number) as unknown },
    ]);
    expect(body['version']).toMatch(/^[0-9a-f]{16}$/);
  });

  it('shows the rows of a model with their source', async () => {
    const { rows } = await shown(acme);
    expect(rows[0]).toMatchObject({
      provider: 'openai',
      currency: 'USD',
      source: { date: expect.any(String) as unknown },
    });
    expect((await shown(acme, 'no-such-model')).rows).toEqual([]);
  });

  it.each([
    ['GET', '/models', 400],
    ['GET', '/models?model=x&at=yesterday', 400],
    ['GET', '/explain', 400],
    ['GET', '/explain?id=zzz', 400],
    ['GET', `/explain?id=${'0'.repeat(32)}`, 404],
    ['GET', '/unknown?since=7', 400],
  ] as const)('refuses %s %s with %i', async (method, path, status) => {
    expect(await stand.ask(method, path, { key: acme })).toMatchObject({
      status,
      body: { error: expect.stringMatching(/^cannot /) as unknown },
    });
  });
});

describe('prices of a tenant', () => {
  it('are recorded, count for that tenant only, and stay in the history when they are revoked', async () => {
    const before = await shown(acme);
    const made = await stand.ask('POST', '/overrides', {
      key: ADMIN,
      tenant: 'acme',
      body: { ...OVERRIDE, note: 'contract' },
    });
    expect(made).toMatchObject({ status: 201, body: { tenant: 'acme', by: 'admin-token', note: 'contract' } });
    const { id } = made.body as { id: string };
    const after = await shown(acme);
    expect(after.rows[0]).toMatchObject({
      id: `acme/${id}`,
      layer: 'tenant acme',
      prices: { input: '1', output: '2', cacheRead: '0.5' },
      source: { via: 'entered by admin-token' },
    });
    expect(after.version).not.toBe(before.version);
    expect((await shown(other)).rows[0]?.id).toBe(before.rows[0]?.id);
    expect((await stand.ask('GET', '/overrides', { key: other })).body).toEqual({ overrides: [] });

    const revoked = await stand.ask('DELETE', `/overrides?id=${id}&note=wrong`, { key: ADMIN, tenant: 'acme' });
    expect(revoked).toMatchObject({ status: 200, body: { revokes: id, note: 'wrong' } });
    expect((await shown(acme)).rows[0]?.id).toBe(before.rows[0]?.id);
    const { body } = await stand.ask('GET', '/overrides', { key: acme });
    expect(body['overrides']).toMatchObject([
      { revokes: id, isInForce: false },
      { id, isInForce: false },
    ]);
    const again = await stand.ask('DELETE', `/overrides?id=${id}`, { key: ADMIN, tenant: 'acme' });
    expect(again).toMatchObject({ status: 409 });
  });

  it('may be names of its own', async () => {
    const alias = { provider: 'azure', name: 'prod-chat', as: { provider: 'openai', model: 'gpt-4o' } };
    const made = await stand.ask('POST', '/overrides', { key: ADMIN, tenant: 'acme', body: { alias } });
    expect(made.status).toBe(201);
    expect((await shown(acme, 'prod-chat', 'azure')).rows[0]?.id).toBe((await shown(other)).rows[0]?.id);
    expect((await shown(other, 'prod-chat', 'azure')).rows).toEqual([]);
  });

  it.each([
    ['outlive the process', true],
    ['are known to a process that starts without the store', false],
  ])('%s', async (_, isUp) => {
    const again = await stand.openBook(isUp);
    expect(again.overrides('acme').length).toBe(stand.book.overrides('acme').length);
    expect((await again.currentTable()).version).toBe((await stand.book.currentTable()).version);
    again.close();
  });

  it('are told to whoever prices, before the change is acknowledged', async () => {
    const told: number[] = [];
    const stop = stand.book.onChange(({ overrides }) => void told.push(overrides.length));
    const count = (await stand.book.tables()).overrides.length;
    await stand.ask('POST', '/overrides', { key: ADMIN, tenant: 'other', body: OVERRIDE });
    stop();
    expect(told).toEqual([count + 1]);
    expect(structuredClone(await stand.book.tables())).toEqual(await stand.book.tables());
  });

  it.each([
    [{}],
    [{ ...OVERRIDE, provider: '' }],
    [{ ...OVERRIDE, models: [] }],
    [{ ...OVERRIDE, models: ['/(a+)+$/'] }],
    [{ ...OVERRIDE, prices: {} }],
    [{ ...OVERRIDE, prices: { thoughts: '1' } }],
    [{ ...OVERRIDE, prices: { input: '-1' } }],
    [{ ...OVERRIDE, prices: { input: 'free' } }],
    [{ ...OVERRIDE, when: { teir: 'batch' } }],
    [{ ...OVERRIDE, when: { tier: 'best' } }],
    [{ ...OVERRIDE, from: '2026-02-01', until: '2026-01-01' }],
    [{ ...OVERRIDE, id: 'mine' }],
    [{ ...OVERRIDE, alias: { provider: 'a', name: 'b', as: { provider: 'c', model: 'd' } } }],
    [{ alias: { provider: 'a', name: 'b' } }],
    [[OVERRIDE]],
  ])('%j is refused', async (body) => {
    const answer = await stand.ask('POST', '/overrides', { key: ADMIN, body });
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringMatching(/^cannot /) as unknown } });
  });

  it.each([
    ['a key that reads', 'POST', '/overrides', 403],
    ['a key that reads', 'DELETE', '/overrides?id=x', 403],
    ['a key that reads', 'POST', '/lists', 403],
    ['a key that reads', 'POST', '/repricings', 403],
  ] as const)('%s may not %s %s', async (_, method, path, status) => {
    const body = method === 'POST' ? { body: OVERRIDE } : {};
    expect((await stand.ask(method, path, { key: acme, ...body })).status).toBe(status);
  });

  it('are not for a key of another tenant, nor for one that only sends', async () => {
    expect((await stand.ask('GET', '/overrides', { key: acme, tenant: 'other' })).status).toBe(403);
    expect((await stand.ask('GET', '/overrides', { key: await stand.key('acme', ['ingest']) })).status).toBe(403);
  });

  it('are for the administrator of the workspace as well, but lists are not', async () => {
    await stand.platform.prepare('acme');
    const token = stand.platform.tokens.defaultToken('acme', 'workspace admin token')?.token ?? '';
    const body = { ...OVERRIDE, models: ['gpt-own'] };
    expect(await stand.ask('POST', '/overrides', { key: token, body })).toMatchObject({ status: 201 });
    expect((await stand.ask('POST', '/lists', { key: token, body: {} })).status).toBe(403);
  });
});

describe('lists', () => {
  const models = {
    'wunder-1': { litellm_provider: 'openai', input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 },
  };

  it('are imported before what is shipped, replaced by name, and taken out', async () => {
    const imported = await stand.ask('POST', '/lists', {
      key: ADMIN,
      body: { name: 'litellm', content: models, date: '2026-11-20' },
    });
    expect(imported).toMatchObject({ status: 201, body: { format: 'litellm', rows: 1, left: [] } });
    expect((await shown(acme, 'wunder-1')).rows).toMatchObject([
      { layer: 'list litellm of 2026-11-20', prices: { input: '1', output: '2' } },
    ]);
    const dearer = { 'wunder-1': { ...models['wunder-1'], input_cost_per_token: 3e-6 } };
    await stand.ask('POST', '/lists', { key: ADMIN, body: { name: 'litellm', content: dearer } });
    expect((await shown(acme, 'wunder-1')).rows).toMatchObject([{ prices: { input: '3' } }]);
    const { body } = await stand.ask('GET', '/lists', { key: acme });
    expect(body['lists']).toMatchObject([{ isInForce: true }, { isInForce: false }]);
    expect((await stand.ask('DELETE', '/lists?name=litellm', { key: ADMIN })).status).toBe(200);
    expect((await shown(acme, 'wunder-1')).rows).toEqual([]);
    expect((await stand.ask('DELETE', '/lists?name=litellm', { key: ADMIN })).status).toBe(404);
  });

  it.each([
    ['genai-prices', [{ id: 'openai', models: [{ id: 'm', match: { equals: 'fmt-1' }, prices: { input_mtok: 4 } }] }]],
    ['available-models', { availableModels: [{ name: 'fmt-1', pricing: { prompt_text: 4 } }] }],
    ['available-models', [{ name: 'fmt-1', pricing: { prompt: 4 } }]],
  ])('of the format %s are told by their looks', async (format, content) => {
    const body = { name: 'looks', content, provider: 'openai' };
    expect(await stand.ask('POST', '/lists', { key: ADMIN, body })).toMatchObject({ status: 201, body: { format } });
    expect((await shown(acme, 'fmt-1')).rows).toMatchObject([{ prices: { input: '4' } }]);
    await stand.ask('DELETE', '/lists?name=looks', { key: ADMIN });
  });

  it('of images have a price for each', async () => {
    const body = { name: 'images', content: { imageModelPricing: { flux: 0.0012 } }, provider: 'pollinations' };
    expect((await stand.ask('POST', '/lists', { key: ADMIN, body })).status).toBe(201);
    expect((await shown(acme, 'flux', 'pollinations')).rows[0]).toMatchObject({ prices: { images: '0.0012' } });
    await stand.ask('DELETE', '/lists?name=images', { key: ADMIN });
  });

  it.each([
    [{ name: 'x' }],
    [{ name: 'X y', content: models }],
    [{ name: 'x', content: 'a text' }],
    [{ name: 'x', content: { a: 1 } }],
    [{ name: 'x', content: {} }],
    [{ name: 'x', content: models, format: 'csv' }],
    [{ name: 'x', content: models, date: 'today' }],
    [{ name: 'x', content: models, providers: ['mistral'] }],
  ])('%j is refused', async (body) => {
    const answer = await stand.ask('POST', '/lists', { key: ADMIN, body });
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringMatching(/^cannot /) as unknown } });
  });
});

describe('a generation', () => {
  const id = randomUUID();
  const row = {
    tenant_id: 'acme',
    time: '2026-11-01 12:00:00',
    generation_id: id,
    dialect: 'otel',
    usage_dialect: 'otel',
    provider: 'openai',
    model_requested: 'gpt-4o',
    model_used: 'gpt-4o-2024-08-06',
    input_tokens: 1000,
    cache_read_tokens: 400,
    output_tokens: 100,
    client_cost: '0.02',
    cost: '0.5',
    price_row: 'old',
    price_version: 'v0',
  };

  beforeAll(async () => {
    await stand.add([
      row,
      { ...row, generation_id: randomUUID(), model_requested: 'nobody-1', model_used: '', cost: null },
    ]);
  });

  it('is explained to its tenant, to the last digit', async () => {
    const { status, body } = await stand.ask('GET', `/explain?id=${id.replaceAll('-', '')}`, { key: acme });
    expect(status).toBe(200);
    // 600 at 2.50, 400 at 1.25, 100 at 10.00 dollars for a million.
    expect(body).toMatchObject({
      cost: '0.003',
      clientCost: '0.02',
      agrees: false,
      stored: { cost: '0.5', priceRow: 'old', version: 'v0' },
    });
    expect(body['text']).toContain('input: 600 tokens x $2.5');
    expect(body['text']).toContain('a re-pricing would change it');
  });

  it('is not there for others', async () => {
    expect((await stand.ask('GET', `/explain?id=${id}`, { key: other })).status).toBe(404);
  });

  it('of a model that nobody knows is listed with its volume and the reason', async () => {
    const { body } = await stand.ask('GET', '/unknown?since=2026-10-31&until=2026-11-02', { key: acme });
    expect(body['models']).toEqual([
      {
        provider: 'openai',
        model: 'nobody-1',
        reason: 'no price is known for model=nobody-1 of provider=openai',
        generations: 1,
        tokens: 1100,
        images: 0,
      },
    ]);
    expect((await stand.ask('GET', '/unknown?since=2026-10-31', { key: other })).body['models']).toEqual([]);
  });
});

it('left no fault of our own', () => {
  expect(stand.faults).toEqual([]);
});
