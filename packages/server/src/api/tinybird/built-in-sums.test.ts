/**
 * Sums by day through what happens to a store: parts that were made before the sums had their present form, parts without any, rows that
 * get new prices, and a ClickHouse server that is not ours. Whatever they are read from, the endpoints' numbers are those of the rows.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '@glasshouse/engine';
import { GENERATIONS } from '@glasshouse/schema';
import { remoteTarget, Store } from '@glasshouse/store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PriceBook } from '../../control/prices.ts';
import { Repricer } from '../../control/reprice.ts';
import { builtInPipes } from '../../platform/built-in-pipes.ts';
import { pipeRoutes } from './pipe-routes.ts';
import type { PipeStand } from './testing/pipes.ts';
import { openPipes, TENANT } from './testing/pipes.ts';

type Row = Readonly<Record<string, unknown>>;

const DAY_MS = 86_400_000;
const TODAY = new Date().setUTCHours(0, 0, 0, 0);
const START = new Date(TODAY - 29 * DAY_MS).toISOString().slice(0, 10);
const PIPES = builtInPipes().filter(({ name }) => name.startsWith('generations_'));
/** How the first release added up costs of caches. */
const FORMER = `SELECT tenant_id, project_id, environment, duplicate, toDate(time), price_row, count(),
  sum(cost_parts['cacheRead'] + cost_parts['cacheReadAudio'] + cost_parts['cacheReadImage']) AS spent
  GROUP BY tenant_id, project_id, environment, duplicate, toDate(time), price_row`;

let stand: PipeStand;
const store = (): PipeStand['stand']['store'] => stand.stand.store;

beforeAll(async () => {
  stand = await openPipes(pipeRoutes);
});

afterAll(() => stand.close());

/** Digits that only exact arithmetic keeps, the same in every run. */
const amount = (n: number, kind: number): string =>
  `0.${String((n * 7_919_777 + kind * 104_729) % 999_983).padStart(12, '3')}`;

/** Calls over ten days. */
function calls(count: number, from = 0): Row[] {
  return Array.from({ length: count }, (_, index) => index + from).map((n) => ({
    _segment: '1',
    tenant_id: n % 13 === 0 ? 'other' : TENANT,
    project_id: 'p',
    environment: n % 5 === 0 ? 'dev' : 'prod',
    generation_id: randomUUID(),
    time: new Date(TODAY - (1 + (n % 10)) * DAY_MS + n * 1000).toISOString().replace('T', ' ').replace('Z', ''),
    dialect: 'otel',
    usage_dialect: n % 3 === 0 ? 'anthropic' : 'otel',
    provider: 'openai',
    model_used: n % 3 === 0 ? 'gpt-4o' : 'gpt-4o-mini',
    modality: 'text',
    duplicate: n % 17 === 0,
    user_id: `user-${n % 7}`,
    tier: n % 2 === 0 ? 'seed' : '',
    status: n % 11 === 0 ? 'error' : 'ok',
    input_tokens: 1000 + n,
    cache_read_tokens: n % 400,
    cache_write_tokens: n % 4 === 0 ? n % 90 : null,
    output_tokens: 10,
    latency_ms: n,
    cost: amount(n, 0),
    client_cost: n % 2 === 0 ? amount(n, 1) : null,
    cost_parts: {
      input: amount(n, 2),
      cacheRead: amount(n, 3),
      ...(n % 2 === 0 ? { cacheReadAudio: amount(n, 4), cacheWrite: amount(n, 5) } : { cacheReadImage: amount(n, 6) }),
      ...(n % 4 === 0 ? { cacheWrite1h: amount(n, 7) } : {}),
    },
    price_row: 'own/row',
    price_version: 'v0',
  }));
}

const PARAMETERS: readonly Readonly<Record<string, string>>[] = [
  {},
  { environment: 'dev' },
  { user: 'user-3' },
  { project: 'p', tier: 'seed' },
  { model: 'gpt-4o', modality: 'text', provider: 'openai', service: 'text' },
];

/** The answers of all endpoints, from sums by day where there are some, or from rows. */
async function answers(from: Store, isFromRows: boolean): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const pipe of PIPES) {
    for (const parameters of PARAMETERS) {
      const { sql } = composed(pipe, 'endpoint', parameters);
      const projections = isFromRows ? '0' : '1';
      const { stream } = await from.read(TENANT, sql, {
        settings: {
          default_format: 'JSONEachRow',
          optimize_use_projections: projections,
          output_format_json_quote_decimals: 1,
        },
      });
      found[`${pipe.name} ${JSON.stringify(parameters)}`] = Buffer.concat(await stream.toArray())
        .toString()
        .split('\n');
    }
  }
  return found;
}

function composed(pipe: (typeof PIPES)[number], name: string, parameters: Readonly<Record<string, string>> = {}) {
  const node = pipe.nodes.find((one) => one.name === name) as (typeof pipe.nodes)[number];
  return stand.endpoints.node(TENANT, pipe, node, {
    values: new Map(Object.entries({ start: `${START} 00:00:00`, ...parameters })),
  });
}

/** The endpoints over days that are read from rows. */
async function readFromRows(from: Store): Promise<string[]> {
  const found = [];
  for (const pipe of PIPES) {
    const { sql } = composed(pipe, 'whole_days');
    const { stream } = await from.read(TENANT, `EXPLAIN ${sql}`, { settings: { default_format: 'TSVRaw' } });
    if (!/ReadFromMergeTree \(\w+_daily\)/u.test(Buffer.concat(await stream.toArray()).toString()))
      found.push(pipe.name);
  }
  return found;
}

const withSums = async (of: Store): Promise<string[]> => {
  const rows = await of.rows<{ name: string }>(
    "SELECT DISTINCT name FROM system.projection_parts WHERE active AND table = 'generations' ORDER BY name",
  );
  return rows.map(({ name }) => name);
};
const MERGE = 'OPTIMIZE TABLE glasshouse.generations FINAL';
const NAMES = GENERATIONS.projections.map(({ name }) => name).toSorted();

/** Sums without an aggregate function of the endpoints: every row by itself, in whole picodollars. */
async function savedByHand(): Promise<unknown> {
  const rows = await store().rows<{ model: string; parts: Record<string, string> }>(
    `SELECT model_used AS model, mapApply((k, v) -> (k, toString(v)), cost_parts) AS parts FROM glasshouse.generations
     WHERE tenant_id = '${TENANT}' AND NOT duplicate`,
  );
  const pico = (value = '0'): bigint => {
    const [whole = '0', rest = ''] = value.split('.');
    return BigInt(whole) * 1_000_000_000_000n + BigInt(rest.padEnd(12, '0'));
  };
  const sums: Record<string, [cached: bigint, written: bigint]> = {};
  for (const { model, parts } of rows) {
    const [cached, written] = sums[model] ?? [0n, 0n];
    sums[model] = [
      cached + pico(parts['cacheRead']) + pico(parts['cacheReadAudio']) + pico(parts['cacheReadImage']),
      written + pico(parts['cacheWrite']) + pico(parts['cacheWrite1h']),
    ];
  }
  return Object.entries(sums)
    .map(([model, both]) => [model, ...both.map((sum) => (Number(sum) / 1e12).toFixed(9))])
    .toSorted();
}

async function savedByEndpoint(): Promise<unknown> {
  const { text } = await stand.call(`/v0/pipes/generations_cache_savings.json?start=${START}%2000:00:00`);
  const { data } = JSON.parse(text) as { data: { model: string; cached_cost: number; written_cost: number }[] };
  return data.map((row) => [row.model, row.cached_cost.toFixed(9), row.written_cost.toFixed(9)]).toSorted();
}

describe('a store with sums of a former form', () => {
  beforeAll(async () => {
    for (const name of ['money_daily', 'user_totals_daily'])
      await store().command(`ALTER TABLE glasshouse.generations DROP PROJECTION ${name} SETTINGS mutations_sync = 2`);
    await store().command(`ALTER TABLE glasshouse.generations ADD PROJECTION spend_daily (${FORMER})`);
    await store().insertRows('generations', calls(300));
    await store().command(MERGE);
    expect(await withSums(store())).toEqual(['latency_daily', 'spend_daily', 'users_daily']);
    await store().command("ALTER TABLE glasshouse.schema_migrations DELETE WHERE name = 'sums that cannot fail'", {
      settings: { mutations_sync: '2' },
    });
    expect(await store().migrate()).toEqual(['sums that cannot fail']);
  });

  it('answers the same while they are made anew', async () => {
    expect(await answers(store(), false)).toEqual(await answers(store(), true));
    expect(await savedByEndpoint()).toEqual(await savedByHand());
  });

  it('answers the same with parts that have none yet, and some that have', async () => {
    await store().insertRows('generations', calls(200, 300));
    expect(await answers(store(), false)).toEqual(await answers(store(), true));
    expect(await savedByEndpoint()).toEqual(await savedByHand());
  });

  it('has those of today in the end, and no others', async () => {
    const undone = "SELECT count() AS n FROM system.mutations WHERE table = 'generations' AND NOT is_done";
    await expect
      .poll(async () => Number((await store().rows<{ n: string }>(undone))[0]?.n), { timeout: 30_000 })
      .toBe(0);
    await store().command(MERGE);
    expect(await withSums(store())).toEqual(NAMES);
    expect(await readFromRows(store())).toEqual([]);
    expect(await answers(store(), false)).toEqual(await answers(store(), true));
    expect(await savedByEndpoint()).toEqual(await savedByHand());
  });
});

it('are those of new prices when stored rows are priced again', async () => {
  await store().command(MERGE);
  const now = (): number => Date.now();
  const snapshotPath = join(stand.stand.dir, 'prices.json');
  const book = await PriceBook.open({ store: store(), now, random: randomBytes, snapshotPath, refreshMs: 3_600_000 });
  const flush = (): Promise<void> => Promise.resolve();
  const repricer = new Repricer({ store: store(), book, flush, now, random: randomBytes, node: 7 });
  try {
    const before = await answers(store(), false);
    const range = { since: new Date(TODAY - 29 * DAY_MS), until: new Date(TODAY) };
    const { id } = await repricer.start({ tenant: undefined, by: 'test', ...range, dryRun: false });
    expect(await repricer.ended(id)).toMatchObject({ status: 'done', error: '' });
    const after = await answers(store(), false);
    expect(after).toEqual(await answers(store(), true));
    expect(await readFromRows(store())).toEqual([]);
    for (const name of ['top_models', 'usage_by_user', 'cache_savings', 'cost_difference'])
      expect(after[`generations_${name} {}`]).not.toEqual(before[`generations_${name} {}`]);
    expect(await savedByEndpoint()).toEqual(await savedByHand());
    const [row] = await store().rows<{ old: string | number }>(
      "SELECT countIf(price_version = 'v0') AS old FROM glasshouse.generations",
    );
    expect(Number(row?.old)).toBe(0);
  } finally {
    await repricer.close();
    book.close();
  }
}, 120_000);

describe('on a ClickHouse server', () => {
  const dir = mkdtempSync(join(tmpdir(), 'glasshouse-remote-'));
  const closing: (() => Promise<unknown>)[] = [];
  let remote: Store;

  beforeAll(async () => {
    const engine = await startEngine({
      dataDir: join(dir, 'engine'),
      backupDir: join(dir, 'backup'),
      maxMemoryBytes: 1 << 30,
    });
    closing.push(() => engine.stop());
    // The engine's HTTP interface, on a port as a server has it.
    const server = createServer((socket) => {
      const through = connect(engine.socketPath);
      socket.on('error', () => through.destroy());
      through.on('error', () => socket.destroy());
      socket.pipe(through).pipe(socket);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    closing.unshift(() => new Promise((resolve) => server.close(resolve)));
    const { user, password } = engine.credentials.writer;
    const url = `http://${user}:${encodeURIComponent(password)}@127.0.0.1:${(server.address() as AddressInfo).port}/glasshouse`;
    remote = await Store.open({ target: remoteTarget(url, undefined), retentionDays: undefined });
    closing.unshift(() => remote.close());
    await remote.prepareTenant(TENANT);
    await remote.insertRows('generations', calls(200));
    await remote.insertRows('generations', calls(100, 200));
  });

  afterAll(async () => {
    for (const close of closing) await close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('inserts make the sums, and the numbers are those of the rows', async () => {
    expect(await withSums(remote)).toEqual(NAMES);
    expect(await answers(remote, false)).toEqual(await answers(remote, true));
    await remote.command(MERGE);
    expect(await withSums(remote)).toEqual(NAMES);
    expect(await answers(remote, false)).toEqual(await answers(remote, true));
  }, 60_000);

  // The version of a server is not known: the sums of costs by kind are spelled for those that do not have keys of maps as subcolumns.
  it('they are read from there, but for those of kinds of costs', async () => {
    expect(await readFromRows(remote)).toEqual(['generations_cache_savings']);
  });
});
