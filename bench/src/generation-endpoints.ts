/**
 * Section (h): how long callers of the built-in endpoints over calls of models wait, over ten million calls of one tenant in thirty
 * days. The calls are made by a statement in the store, in parts like those of the log; then the server is asked over one
 * connection: for what an endpoint gives by itself, for all rows of thirty whole days, and for those of thirty days that begin and end at odd
 * hours, for which the rows of two days are read.
 *
 * Must stay true: every answer counts all calls that it should. Nothing keeps answers.
 */

import type { Context } from './context.ts';
import { withDirectory } from './context.ts';
import { usageOf } from './process-tree.ts';
import type { Table } from './report.ts';
import { decimals, milliseconds, thousands } from './report.ts';
import type { Server } from './server.ts';
import { startServer } from './server.ts';
import { mergeAll, openStore } from './store.ts';

const DAYS = 30;
const DAY_MS = 86_400_000;
const USERS = 10_000;
/** Rows of a part before merges, as a segment of the log has them under load. */
const PART_ROWS = 120_000;
const WARM_UPS = 2;
const RUNS = 15;

/** Names of the endpoints without their prefix, and whether they add up every call, by which column. */
const ENDPOINTS: Readonly<Record<string, 'calls' | undefined>> = {
  top_models: 'calls',
  usage_by_user: undefined,
  usage_by_tier: 'calls',
  usage_by_project: 'calls',
  usage_over_time: 'calls',
  latency: 'calls',
  error_rate: 'calls',
  cache_savings: undefined,
  unpriced_models: undefined,
  cost_difference: undefined,
};

interface Measured {
  readonly p50: number;
  readonly p99: number;
  readonly cpuMs: number;
}

export function measureGenerationEndpoints(context: Context): Promise<Table> {
  return withDirectory(context, 'generation-endpoints', async (directory) => {
    const { endpointRows: rows } = context.options;
    const bytes = await fill(context, directory, Math.ceil(rows / DAYS));
    await using server = await startServer(directory);
    const [stored] = await server.sql<{ calls: number }>('SELECT count() AS calls FROM generations');
    const whole = `limit=1000000&start=${day(DAYS - 1)}%2000:00:00`;
    const odd = `limit=1000000&start=${day(DAYS - 1)}%2013:37:11&end=${day(1)}%2017:00:00`;
    const measured: string[][] = [];
    for (const [name, column] of Object.entries(ENDPOINTS)) {
      context.say(`generations-endpoints: ${name}`);
      const expected = column === undefined ? undefined : { column, total: stored?.calls ?? 0 };
      const all = await ask(server, name, whole, expected);
      const found = [await ask(server, name, ''), all, await ask(server, name, odd)];
      measured.push([
        name,
        ...found.map(({ p50, p99 }) => `${milliseconds(p50)} / ${milliseconds(p99)}`),
        milliseconds(all.cpuMs),
      ]);
    }
    await server.stop();
    return {
      title: 'Endpoints over calls of models',
      text:
        `${thousands(stored?.calls ?? 0)} calls of one tenant in ${DAYS} days: 20 models of 5 providers, 3 projects, 4 tiers, ` +
        `${thousands(USERS)} users. The sums by day take ${decimals(bytes.sums, 1)} bytes a call beside ${decimals(bytes.rows, 1)} of the rows, which ` +
        'have no prompts here. By itself an endpoint gives 100 rows at most, the other answers have all of them. One connection asks as ' +
        'soon as it is answered; nothing keeps answers.',
      head: ['`generations_…`', 'by itself p50 / p99', '30 days', '30 days, odd hours', 'processor time of 30 days'],
      rows: measured,
    };
  });
}

/** The UTC day so many days ago. */
function day(ago: number): string {
  return new Date(Date.now() - ago * DAY_MS).toISOString().slice(0, 10);
}

async function ask(
  server: Server,
  name: string,
  query: string,
  expected?: { readonly column: string; readonly total: number },
): Promise<Measured> {
  const url = `http://127.0.0.1:${server.port}/v0/pipes/generations_${name}.json?${query}`;
  const once = async (): Promise<readonly Readonly<Record<string, number>>[]> => {
    const response = await fetch(url);
    const text = await response.text();
    if (!response.ok) throw new Error(`cannot ask ${url}: ${response.status} ${text.slice(0, 300)}`);
    return (JSON.parse(text) as { readonly data: readonly Readonly<Record<string, number>>[] }).data;
  };
  const data = await once();
  const total = expected === undefined ? 0 : data.reduce((sum, row) => sum + (row[expected.column] ?? 0), 0);
  if (expected !== undefined && total !== expected.total)
    throw new Error(`cannot measure ${name}: it counts ${total} of ${expected.total} calls`);
  for (let run = 1; run < WARM_UPS; run++) await once();
  const before = usageOf(server.pid).cpuSeconds;
  const waits: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const at = performance.now();
    await once();
    waits.push(performance.now() - at);
  }
  const cpuMs = ((usageOf(server.pid).cpuSeconds - before) * 1000) / RUNS;
  waits.sort((a, b) => a - b);
  const quantile = (share: number): number => waits[Math.min(RUNS - 1, Math.floor(share * RUNS))] ?? 0;
  return { p50: quantile(0.5), p99: quantile(0.99), cpuMs };
}

/** Makes the calls and has all of them merged; resolves with bytes for each. */
async function fill(context: Context, directory: string, perDay: number): Promise<{ rows: number; sums: number }> {
  await using open = await openStore(directory);
  const { store } = open;
  context.say(`generations-endpoints: making ${thousands(perDay * DAYS)} calls`);
  for (let ago = 0; ago < DAYS; ago++) {
    const from = Date.parse(day(ago));
    const until = ago === 0 ? Date.now() : from + DAY_MS;
    await store.command(callsOf(from, (until - from) * 1e6, perDay), {
      settings: { max_insert_block_size: PART_ROWS, min_insert_block_size_rows: PART_ROWS, max_threads: 2 },
    });
  }
  context.say('generations-endpoints: merging');
  await mergeAll(open, 'generations');
  const [size] = await store.rows<{ rows: number; sums: number }>(
    `SELECT (SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active AND table = 'generations') - sums AS rows,
       (SELECT sum(bytes_on_disk) FROM system.projection_parts WHERE active AND table = 'generations')
       / (SELECT count() FROM glasshouse.generations) AS sums`,
  );
  await open.close();
  return { rows: Number(size?.rows), sums: Number(size?.sums) };
}

/** Calls of a day: which model, which user and how much are drawn from the row's number. */
function callsOf(fromMs: number, lengthNs: number, rows: number): string {
  return `INSERT INTO glasshouse.generations (_segment, tenant_id, project_id, environment, generation_id, duplicate, time, dialect,
      usage_dialect, project_name, service_name, event_type, operation, modality, provider, model_requested, model_used,
      input_tokens, cache_read_tokens, output_tokens, images, latency_ms, time_to_first_token_ms, status, user_id, tier, call_id,
      response_id, client_cost, cost, cost_parts, price_row, price_version)
    SELECT 1, 'default', 'default', if(r1 % 10 = 0, 'dev', 'prod'), generateUUIDv7(number), false,
      fromUnixTimestamp64Nano(${fromMs}000000 + toInt64(number * ${Math.floor(lengthNs / rows)}), 'UTC'), 'llm_events', 'openai',
      ['alpha', 'beta', 'gamma'][1 + u % 3], if(m % 5 = 0, 'images', 'texts'), if(m % 5 = 0, 'image_generation', 'text_generation'),
      if(m % 5 = 0, 'image_generation', 'chat'), if(m % 5 = 0, 'image', 'text'),
      ['openai', 'anthropic', 'google', 'aws', 'azure'][1 + m % 5], concat('model-', toString(m)),
      if(m % 2 = 0, concat('model-', toString(m), '-2026'), ''), 1000 + r2 % 5000, r3 % 900, 100 + r3 % 700,
      if(m % 5 = 0, 1, NULL), exp(4 + r4 / 4294967296 * 5), exp(3 + r4 / 4294967296 * 3), if(r1 % 50 = 1, 'error', 'ok'),
      concat('user-', toString(u)), ['seed', 'flower', 'nectar', 'anonymous'][1 + u % 4], hex(r5), concat('chatcmpl-', hex(r5)),
      if(r2 % 2 = 0, toDecimal128(r2 % 50000 / 1000000, 12), NULL), if(m = 19, NULL, toDecimal128(r2 % 50000 / 1000000, 12)),
      if(m = 19, map(), map('input', toDecimal128(r2 % 30000 / 1000000, 12), 'cacheRead', toDecimal128(r3 % 900 / 10000000, 12),
        'output', toDecimal128(r2 % 20000 / 1000000, 12))), if(m = 19, '', concat('library/model-', toString(m))), 'bench'
    FROM (SELECT number, rand(1) AS r1, rand(2) AS r2, rand(3) AS r3, rand(4) AS r4, rand64(5) AS r5, rand(6) % ${USERS} AS u,
      rand(7) % 20 AS m FROM numbers(${rows}))`;
}
