/** Every case through the engine: the same dollars, the same rows, and NULL where JavaScript knows no cost. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { createAgent, startEngine, type Engine } from '@glasshouse/engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CASES, generationOf } from './cases.suite.ts';
import { COMPILED_COLUMNS, compilePrices, costExpressions, joinOn } from './compiled.ts';
import { KINDS, type Kind } from './kinds.ts';
import { formatMoney } from './money.ts';
import { Pricer, type Generation } from './pricer.ts';
import type { PriceKey } from './table.ts';
import { shippedTable } from './tables.ts';

const COUNTED = KINDS.filter((kind) => kind !== 'requests');
const table = shippedTable();
const pricer = new Pricer(table);
let directory: string;
let engine: Engine;
let client: ClickHouseClient;

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'glasshouse-pricing-'));
  engine = await startEngine({
    dataDir: path.join(directory, 'engine'),
    backupDir: path.join(directory, 'backup'),
    maxMemoryBytes: 1024 ** 3,
  });
  client = createClient({
    url: engine.url,
    username: engine.credentials.writer.user,
    password: engine.credentials.writer.password,
    http_agent: createAgent(engine),
    log: { level: ClickHouseLogLevel.OFF },
  });
  const key = ['tenant', 'provider', 'model', 'measure', 'tier', 'size', 'quality'].map((name) => `${name} String`);
  const quantities = COUNTED.map((kind) => `q_${kind} UInt64`);
  await create('generations', ['id UInt32', ...key, 'at Int64', 'context Int64', ...quantities]);
  await create(
    'prices',
    COMPILED_COLUMNS.map(([name, type]) => `${name} ${type}`),
  );
});

afterAll(async () => {
  await client.close();
  await engine.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function create(name: string, columns: readonly string[]): Promise<void> {
  await client.command({ query: `CREATE TABLE ${name} (${columns.join(', ')}) ENGINE = Memory` });
}

const GENERATIONS: readonly Generation[] = [
  ...CASES().map(generationOf),
  // Unknown, each for another reason: the model, the tier, the size, a part without a price, the time.
  ...[
    { model: 'nobody' },
    { tier: 'batch', model: 'gpt-4-32k' },
    { model: 'gpt-image-1', usage: { images: 1 }, size: '7x7', quality: 'high' },
    { model: 'gpt-4.1', usage: { inputTokens: 9, inputAudioTokens: 9 } },
    { model: 'o3', tier: 'batch', at: Date.parse('2025-01-01') },
    { model: 'gpt-5.4', tier: 'priority', usage: { inputTokens: 300_000, outputTokens: 1 } },
  ].map((more) => ({
    at: Date.parse('2026-11-01T12:00:00Z'),
    provider: 'openai',
    usage: { inputTokens: 10, outputTokens: 10 },
    ...more,
  })),
];

describe('the engine', () => {
  it('comes to the same costs', async () => {
    const expected = new Map<number, { cost: string | null; row: string }>();
    const keys = new Map<string, PriceKey>();
    const values = GENERATIONS.map((generation, id) => {
      const { cost, found, split } = pricer.price(generation);
      const { at, provider, model, tier = '', size = '', quality = '' } = generation;
      const key = { tenant: '', provider, model, measure: split?.measure ?? 'tokens', tier, size, quality };
      keys.set(JSON.stringify(key), {
        provider,
        model,
        measure: key.measure,
        ...(tier === '' ? {} : { tier }),
        ...(size === '' ? {} : { size }),
        ...(quality === '' ? {} : { quality }),
      });
      expected.set(id, {
        cost: cost.total === undefined ? null : formatMoney(cost.total),
        row: found.found ? found.alternative.row.id : '',
      });
      const counts = COUNTED.map((kind): [string, number] => [`q_${kind}`, split?.quantities[kind] ?? 0]);
      return { id, ...key, at, context: split?.context ?? 0, ...Object.fromEntries(counts) };
    });
    await client.insert({ table: 'generations', values, format: 'JSONEachRow' });
    await client.insert({ table: 'prices', values: compilePrices(table, keys.values()), format: 'JSONEachRow' });

    const quantities = Object.fromEntries(COUNTED.map((kind) => [kind, `g.q_${kind}`])) as Record<Kind, string>;
    const { place, rowId, cost } = costExpressions({ prices: 'p', at: 'g.at', context: 'g.context', quantities });
    const result = await client.query({
      query:
        `SELECT id, ${place} AS price_place, ${rowId} AS row, ${cost} AS cost, toTypeName(cost) AS type ` +
        `FROM generations AS g ANY LEFT JOIN prices AS p ON ${joinOn('g', 'p')} ORDER BY id`,
      format: 'JSONEachRow',
      clickhouse_settings: { output_format_json_quote_decimals: 1 },
    });
    const rows = await result.json<{ id: number; row: string; cost: string | null; type: string }>();
    expect(rows).toHaveLength(GENERATIONS.length);
    for (const { id, row, cost: dollars, type } of rows) {
      const { provider, model } = GENERATIONS[id] as Generation;
      expect({ provider, model, cost: dollars, row }).toEqual({ provider, model, ...expected.get(id) });
      expect(type).toBe('Nullable(Decimal(38, 12))');
    }
    expect(rows.filter(({ cost: dollars }) => dollars === null)).toHaveLength(6);
  });
});
