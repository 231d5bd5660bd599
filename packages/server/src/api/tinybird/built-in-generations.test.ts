import { randomUUID } from 'node:crypto';
import { nativeDialect, USAGE_RULES } from '@glasshouse/pricing';
import { CACHE_BESIDE_INPUT, GENERATIONS } from '@glasshouse/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtInPipes } from '../../platform/built-in-pipes.ts';
import { pipeRoutes } from './pipe-routes.ts';
import type { PipeStand } from './testing/pipes.ts';
import { openPipes, TENANT } from './testing/pipes.ts';

type Row = Readonly<Record<string, unknown>>;

const DAY_MS = 86_400_000;
const TODAY = new Date().setUTCHours(0, 0, 0, 0);
/** So many days ago, at this hour. */
const at = (days: number, hour: number): string =>
  new Date(TODAY - days * DAY_MS + hour * 3_600_000).toISOString().replace('T', ' ').replace('Z', '');

const COMMON = {
  _segment: '1',
  tenant_id: TENANT,
  project_id: 'key-project',
  environment: 'prod',
  usage_dialect: 'openai',
  modality: 'text',
  status: 'ok',
};
const GPT = { provider: 'openai', model_requested: 'gpt', price_row: 'own/gpt' };
const FLUX = { provider: 'bfl', model_requested: 'flux', modality: 'image', price_row: 'own/flux' };
const CLAUDE = {
  provider: 'anthropic',
  model_requested: 'claude',
  model_used: 'claude-1',
  usage_dialect: 'anthropic',
  price_row: 'own/claude',
};

/** Input at 2 dollars for a million, cached at 0.5, written at 2.5, output at 10. */
const CALLS: readonly Row[] = [
  {
    ...GPT,
    time: at(0, 0),
    user_id: 'ann',
    tier: 'flower',
    service_name: 'chat',
    project_name: 'shop',
    input_tokens: 1000,
    output_tokens: 100,
    latency_ms: 100,
    time_to_first_token_ms: 10,
    cost: '0.003',
    cost_parts: { input: '0.002', output: '0.001' },
    client_cost: '0.004',
  },
  {
    ...GPT,
    time: at(2, 6),
    user_id: 'ann',
    tier: 'flower',
    service_name: 'chat',
    project_name: 'shop',
    input_tokens: 1000,
    cache_read_tokens: 600,
    output_tokens: 100,
    latency_ms: 300,
    cost: '0.0021',
    cost_parts: { input: '0.0008', cacheRead: '0.0003', output: '0.001' },
  },
  {
    ...GPT,
    time: at(2, 18),
    user_id: 'bob',
    tier: 'seed',
    service_name: 'chat',
    environment: 'dev',
    status: 'error',
    error_class: 'RateLimit',
    latency_ms: 20,
  },
  {
    ...FLUX,
    time: at(1, 12),
    user_id: 'bob',
    tier: 'seed',
    images: 2,
    latency_ms: 5000,
    cost: '0.08',
    cost_parts: { images: '0.08' },
    client_cost: '0.05',
  },
  { ...FLUX, time: at(1, 13), user_id: 'bob', tier: 'seed', status: 'error', latency_ms: 7000 },
  {
    ...CLAUDE,
    time: at(3, 0),
    user_id: 'ann',
    tier: 'flower',
    input_tokens: 500,
    cache_read_tokens: 1000,
    cache_write_tokens: 200,
    output_tokens: 10,
    latency_ms: 200,
    cost: '0.0021',
    cost_parts: { input: '0.001', cacheRead: '0.0005', cacheWrite: '0.0005', output: '0.0001' },
  },
  { provider: 'local', model_requested: 'mystery', time: at(5, 1), input_tokens: 70, output_tokens: 7, latency_ms: 50 },
  { provider: 'local', model_requested: 'mystery', time: at(4, 1), input_tokens: 30, output_tokens: 3, latency_ms: 50 },
  // Reported a second time.
  { ...GPT, time: at(0, 0), duplicate: true, cost: '100', input_tokens: 1_000_000, latency_ms: 9 },
  // Before the thirty days.
  { ...GPT, time: at(40, 1), cost: '7', input_tokens: 1, price_row: 'own/gpt' },
];
const OTHERS: readonly Row[] = [
  { ...GPT, tenant_id: 'other', time: at(1, 1), cost: '1000', latency_ms: 1, user_id: 'eve' },
];

let stand: PipeStand;
const store = (): PipeStand['stand']['store'] => stand.stand.store;

beforeAll(async () => {
  stand = await openPipes(pipeRoutes);
  await store().prepareTenant('other');
  const rows = [...CALLS, ...OTHERS].map((call) => ({ ...COMMON, generation_id: randomUUID(), ...call }));
  // Parts of one row each, of which merges make some.
  for (const half of [rows.filter((_, index) => index % 2 === 0), rows.filter((_, index) => index % 2 === 1)])
    await store().insertRows('generations', half);
});

afterAll(() => stand.close());

const ask = async (name: string, parameters: Readonly<Record<string, string>> = {}): Promise<Row[]> => {
  const path = `/v0/pipes/generations_${name}.json?${new URLSearchParams(parameters).toString()}`;
  const { status, text } = await stand.call(path);
  if (status !== 200) throw new Error(text);
  return (JSON.parse(text) as { data: Row[] }).data;
};
/** Some columns of the rows, in this order. */
const pick = (rows: readonly Row[], ...names: readonly string[]): unknown[][] =>
  rows.map((row) => names.map((name) => row[name]));
const day = (ago: number): string => at(ago, 0).slice(0, 10);

const expectations = (): void => {
  it('are the models by spend, over text and images', async () => {
    const found = await ask('top_models');
    expect(pick(found, 'provider', 'model', 'modality', 'calls', 'errors', 'cost', 'images')).toEqual([
      ['bfl', 'flux', 'image', 2, 1, 0.08, 2],
      ['openai', 'gpt', 'text', 3, 1, 0.0051, null],
      ['anthropic', 'claude-1', 'text', 1, 0, 0.0021, null],
      ['local', 'mystery', 'text', 2, 0, null, null],
    ]);
    expect(pick(found, 'input_tokens', 'output_tokens').slice(1)).toEqual([
      [2000, 200],
      [500, 10],
      [100, 10],
    ]);
    expect(await ask('top_models', { limit: '1' })).toEqual(found.slice(0, 1));
  });

  it('are usage and spend by user, tier and project', async () => {
    expect(pick(await ask('usage_by_user'), 'user', 'calls', 'errors', 'cost')).toEqual([
      ['bob', 3, 2, 0.08],
      ['ann', 3, 0, 0.0072],
      ['', 2, 0, null],
    ]);
    expect(pick(await ask('usage_by_tier'), 'tier', 'calls', 'cost')).toEqual([
      ['seed', 3, 0.08],
      ['flower', 3, 0.0072],
      ['', 2, null],
    ]);
    expect(pick(await ask('usage_by_project'), 'project', 'environment', 'calls', 'cost')).toEqual([
      ['key-project', 'prod', 5, 0.0821],
      ['shop', 'prod', 2, 0.0051],
      ['key-project', 'dev', 1, null],
    ]);
  });

  it('are usage and spend by day, week and month', async () => {
    expect(pick(await ask('usage_over_time'), 'period', 'calls', 'cost')).toEqual([
      [day(5), 1, null],
      [day(4), 1, null],
      [day(3), 1, 0.0021],
      [day(2), 2, 0.0021],
      [day(1), 2, 0.08],
      [day(0), 1, 0.003],
    ]);
    const weeks = await ask('usage_over_time', { interval: 'week' });
    for (const { period } of weeks) expect(new Date(String(period)).getUTCDay()).toBe(1);
    const months = await ask('usage_over_time', { interval: 'month', start: '2020-01-01 00:00:00' });
    for (const { period } of months) expect(period).toMatch(/-01$/u);
    for (const [rows, calls] of [
      [weeks, 8],
      [months, 9],
    ] as const)
      expect(rows.reduce((sum, row) => sum + Number(row['calls']), 0)).toBe(calls);
  });

  it('are percentiles of the latency, within a hundredth', async () => {
    const start = `${day(6)} 00:00:00`;
    const found = await ask('latency', { start, by: 'provider' });
    const of = (provider: string): Row => found.find((row) => row['provider'] === provider) ?? {};
    const near = (value: unknown, exact: number): void => {
      expect(Math.abs(Number(value) / exact - 1)).toBeLessThanOrEqual(0.01);
    };
    near(of('openai')['p50_ms'], 100);
    near(of('openai')['first_token_p99_ms'], 10);
    near(of('anthropic')['p95_ms'], 200);
    expect(of('bfl')).toMatchObject({ calls: 2, first_token_p50_ms: null });
    const models = await ask('latency', { start, model: 'claude' });
    expect(pick(models, 'provider', 'model', 'calls')).toEqual([['anthropic', 'claude-1', 1]]);
    const services = await ask('latency', { start, by: 'service' });
    expect(pick(services, 'service', 'calls')).toEqual([
      ['chat', 3],
      ['text', 3],
      ['image', 2],
    ]);
  });

  it('are of the last 24 hours where errors and latency are asked for without a time', async () => {
    const since = Date.now() - DAY_MS;
    const expected = CALLS.filter(
      ({ time, duplicate }) => duplicate !== true && Date.parse(`${String(time).replace(' ', 'T')}Z`) > since,
    );
    for (const name of ['latency', 'error_rate']) {
      const found = await ask(name);
      expect(found.reduce((sum, row) => sum + Number(row['calls']), 0)).toBe(expected.length);
    }
  });

  it('are the share of errors by service, and what came out where none is named', async () => {
    const start = `${day(6)} 00:00:00`;
    expect(pick(await ask('error_rate', { start }), 'service', 'calls', 'errors', 'error_rate')).toEqual([
      ['image', 2, 1, 0.5],
      ['chat', 3, 1, 1 / 3],
      ['text', 3, 0, 0],
    ]);
    expect(pick(await ask('error_rate', { start, by: 'model', provider: 'openai' }), 'model', 'error_rate')).toEqual([
      ['gpt', 1 / 3],
    ]);
  });

  it('are what caches saved, at the price of plain input', async () => {
    const columns = [
      'model',
      'cached_tokens',
      'written_tokens',
      'cached_cost',
      'written_cost',
      'uncached_cost',
      'savings',
    ];
    expect(pick(await ask('cache_savings'), ...columns)).toEqual([
      // 1200 tokens at 2 dollars for a million, less what they cost.
      ['claude-1', 1000, 200, 0.0005, 0.0005, 0.0024, 0.0014],
      ['gpt', 600, 0, 0.0003, 0, 0.0012, 0.0009],
    ]);
  });

  it('are models without a price, with their volume', async () => {
    expect(await ask('unpriced_models')).toEqual([
      {
        provider: 'local',
        model: 'mystery',
        modality: 'text',
        calls: 2,
        errors: 0,
        input_tokens: 100,
        output_tokens: 10,
        images: null,
        first_day: day(5),
        last_day: day(4),
      },
    ]);
  });

  it('are the costs that clients report beside ours', async () => {
    const columns = ['model', 'calls', 'cost', 'client_cost', 'difference', 'ratio'];
    expect(pick(await ask('cost_difference'), ...columns)).toEqual([
      ['flux', 1, 0.08, 0.05, -0.03, 0.625],
      ['gpt', 1, 0.003, 0.004, 0.001, 0.004 / 0.003],
    ]);
  });

  it.each([
    [{ provider: 'openai' }, 3],
    [{ model: 'claude' }, 1],
    [{ model: 'claude-1' }, 1],
    [{ service: 'chat' }, 3],
    [{ service: 'image' }, 2],
    [{ project: 'shop' }, 2],
    [{ project: 'key-project' }, 6],
    [{ environment: 'dev' }, 1],
    [{ user: 'ann' }, 3],
    [{ tier: 'seed' }, 3],
    [{ modality: 'image' }, 2],
    [{ user: "ann' OR 1 --" }, 0],
    [{ start: `${day(40)} 00:00:00` }, 9],
    [{ start: `${day(2)} 06:00:00` }, 5],
    [{ start: `${day(2)} 06:00:01` }, 4],
    [{ start: `${day(3)} 00:00:00`, end: `${day(2)} 06:00:00` }, 1],
    [{ start: `${day(3)} 00:00:00`, end: `${day(2)} 06:00:01` }, 2],
    [{ start: `${day(2)} 07:00:00`, end: `${day(2)} 19:00:00` }, 1],
    [{ start: `${day(2)}T07:00:00Z`, end: `${day(1)}T00:00:00Z` }, 1],
    [{ start: `${day(1)} 00:00:00`, end: `${day(3)} 00:00:00` }, 0],
  ])('are of the calls that %j asks for', async (parameters, calls) => {
    const found = await ask('usage_over_time', parameters);
    expect(found.reduce((sum, row) => sum + Number(row['calls']), 0)).toBe(calls);
  });
};

describe('numbers over rows as they came', () => {
  expectations();
});

describe('numbers over days that merges added up', () => {
  beforeAll(async () => {
    await store().command('OPTIMIZE TABLE glasshouse.generations FINAL');
    const [parts] = await store().rows<{ parts: string }>(
      "SELECT count() AS parts FROM system.projection_parts WHERE active AND database = 'glasshouse' AND table = 'generations'",
    );
    expect(Number(parts?.parts)).toBeGreaterThanOrEqual(GENERATIONS.projections.length);
  });
  expectations();

  const ofGenerations = builtInPipes().filter(({ name }) => name.startsWith('generations_'));
  it.each(ofGenerations.map((pipe) => [pipe.name, pipe] as const))('%s is answered from them', async (_, pipe) => {
    const node = pipe.nodes.find(({ name }) => name === 'whole_days');
    const values = new Map([['start', `${day(29)} 00:00:00`]]);
    const { sql } = stand.endpoints.node(TENANT, pipe, node as NonNullable<typeof node>, { values });
    const { stream } = await store().read(TENANT, `EXPLAIN ${sql}`, { settings: { default_format: 'TSVRaw' } });
    expect(Buffer.concat(await stream.toArray()).toString()).toMatch(/ReadFromMergeTree \(\w+_daily\)/u);
  });
});

describe('numbers after prices have changed', () => {
  it('are those of the new prices, from the days too', async () => {
    await store().command(
      `ALTER TABLE glasshouse.generations UPDATE cost = 2 * cost, price_row = 'own/flux-2' WHERE model_requested = 'flux' AND isNotNull(cost)`,
      { settings: { mutations_sync: 1 } },
    );
    const [first] = await ask('top_models');
    expect(first).toMatchObject({ model: 'flux', calls: 2, cost: 0.16 });
    expect(pick(await ask('cost_difference', { model: 'flux' }), 'cost', 'difference')).toEqual([[0.16, -0.11]]);
    expect(pick(await ask('usage_by_user', { user: 'bob' }), 'cost')).toEqual([[0.16]]);
    expect(pick(await ask('usage_by_user'), 'user', 'cost')[0]).toEqual(['bob', 0.16]);
  });
});

describe('what is said of an endpoint', () => {
  it('has its parameters with types and descriptions', async () => {
    const { text } = await stand.call('/v0/pipes/openapi.json');
    const { paths } = JSON.parse(text) as {
      paths: Record<string, { get: { parameters: { name: string; required: boolean; schema: { type: string } }[] } }>;
    };
    for (const { name } of builtInPipes().filter(({ name: one }) => one.startsWith('generations_'))) {
      const { parameters } = paths[`/v0/pipes/${name}.json`]?.get ?? { parameters: [] };
      expect(parameters.map((one) => one.name)).toEqual(
        expect.arrayContaining([
          'start',
          'end',
          'project',
          'environment',
          'provider',
          'model',
          'service',
          'user',
          'tier',
          'modality',
          'limit',
        ]),
      );
      expect(parameters.filter(({ required }) => required)).toEqual([]);
      expect(parameters.find((one) => one.name === 'limit')?.schema).toMatchObject({ type: 'integer' });
    }
  });

  it.each([
    ['latency', { by: 'user' }],
    ['usage_over_time', { interval: 'year' }],
    ['top_models', { limit: '-1' }],
    ['top_models', { start: 'yesterday' }],
  ])('%s refuses %j', async (name, parameters) => {
    const path = `/v0/pipes/generations_${name}.json?${new URLSearchParams(parameters).toString()}`;
    expect((await stand.call(path)).status).toBe(400);
  });
});

it('counts tokens of caches by the rules that prices go by', () => {
  const beside = USAGE_RULES.filter(({ cacheRead, cacheWrite }) => !cacheRead && !cacheWrite);
  expect(new Set(CACHE_BESIDE_INPUT)).toEqual(new Set(beside.map(({ dialect }) => dialect)));
  expect(USAGE_RULES.filter(({ cacheRead, cacheWrite }) => cacheRead !== cacheWrite)).toEqual([]);
  expect(nativeDialect('anthropic')).toBe('anthropic');
});

it('logs no error of its own', () => {
  expect(stand.faults).toEqual([]);
});
