/** Re-pricing of stored rows, with the real engine: exact, once, and the same however often it is interrupted. */

import { randomUUID } from 'node:crypto';
import { priceTable, Pricer, shippedLayers } from '@glasshouse/pricing';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GivenRow, PricesStand } from '../api/testing/prices-stand.ts';
import { openPricesStand } from '../api/testing/prices-stand.ts';
import { ADMIN } from '../platform/testing/stand.ts';
import { pack } from './reprice-facts.ts';
import type { RepricingRecord } from './repricings.ts';

let stand: PricesStand;

beforeAll(async () => {
  stand = await openPricesStand({ pageRows: 40, batchRows: 60 });
});

beforeEach(async () => {
  await stand.store.command('TRUNCATE TABLE glasshouse.generations');
});

afterAll(() => stand.close());

const DAYS = ['2026-11-01', '2026-11-02', '2026-11-03'];
const RANGE = { since: new Date('2026-11-01'), until: new Date('2026-11-04') };

/** Rows of two tenants over three days, as if every cost had been a dollar by a table of long ago. */
function rows(count: number, tenant = (n: number): string => (n % 4 === 0 ? 'other' : 'acme')): GivenRow[] {
  return Array.from({ length: count }, (_, n) => ({
    tenant_id: tenant(n),
    time: `${DAYS[n % 3]} 10:00:${String(n % 50).padStart(2, '0')}`,
    generation_id: randomUUID(),
    dialect: 'otel',
    usage_dialect: 'otel',
    provider: 'openai',
    model_used: n % 10 === 9 ? 'nobody-1' : 'gpt-4o',
    input_tokens: 1000 + n,
    output_tokens: 10,
    duplicate: n % 20 === 1,
    cost: n % 7 === 0 ? null : '1',
    cost_parts: n % 7 === 0 ? {} : { input: '1' },
    price_row: n % 7 === 0 ? '' : 'old',
    price_version: 'v0',
  }));
}

/** What is stored, with the segment of each row. */
async function stored(tenant?: string): Promise<Record<string, unknown>[]> {
  return stand.store.rows(
    `SELECT toString(generation_id) AS id, toString(_segment) AS segment, tenant_id, toString(cost) AS cost, price_row,
       price_version, mapApply((k, v) -> (k, toString(v)), cost_parts) AS parts, toUInt32(input_tokens) AS input
     FROM glasshouse.generations ${tenant === undefined ? '' : `WHERE tenant_id = '${tenant}'`} ORDER BY id`,
  );
}

/** What the rows must cost: calculated apart, with the library's list price of gpt-4o of 2.50 and 10 dollars. */
function expected(input: number): string {
  const pico = BigInt(input) * 2_500_000n + 10n * 10_000_000n;
  return (Number(pico) / 1e12).toFixed(12).replace(/0+$/, '');
}

async function run(dryRun = false, tenant?: string): Promise<RepricingRecord> {
  const { id } = await stand.repricer.start({ tenant, by: 'test', ...RANGE, dryRun });
  return stand.repricer.ended(id);
}

async function sumOf(): Promise<unknown> {
  const [row] = await stand.store.rows(
    'SELECT toString(sum(cost)) AS cost, toUInt32(count()) AS count FROM glasshouse.generations WHERE NOT duplicate',
  );
  return row;
}

describe('a re-pricing', () => {
  it('gives every row the cost of the present prices, and says by how much', async () => {
    await stand.add(rows(200));
    await stand.add(rows(100));
    const before = (await sumOf()) as { cost: string; count: number };
    const record = await run();
    const after = (await sumOf()) as { cost: string };
    const version = (await stand.book.currentTable()).version;
    expect(record).toMatchObject({
      status: 'done',
      error: '',
      fromVersions: ['v0'],
      toVersion: version,
      progress: 100,
    });
    expect(record.sum.generations).toBe(before.count);
    expect(Number(record.sum.before) / 1e12).toBe(Number(before.cost));
    expect(Number(record.sum.after) / 1e12).toBe(Number(after.cost));
    for (const row of await stored()) {
      const known = row['cost'] !== null;
      expect(row).toMatchObject(
        known
          ? { cost: expected(row['input'] as number), price_version: version }
          : { cost: null, parts: {}, price_row: '' },
      );
    }
    expect(await stand.store.rows("SELECT name FROM system.tables WHERE name LIKE 'repricing\\_%'")).toEqual([]);
  });

  it('agrees with the arithmetic of ingestion, part by part', async () => {
    await stand.add(rows(30));
    await run();
    const pricer = new Pricer(priceTable(shippedLayers()));
    for (const row of await stored()) {
      if (row['cost'] === null) continue;
      const usage = { inputTokens: row['input'] as number, outputTokens: 10 };
      const at = Date.parse('2026-11-01T10:00:00Z');
      const { cost } = pricer.price({ at, provider: 'openai', model: 'gpt-4o', usage, dialect: 'otel' });
      expect(Object.keys(row['parts'] as object)).toEqual(cost.parts.map(({ kind }) => kind));
    }
  });

  it('changes nothing the second time, nor as a dry run, which says the same', async () => {
    await stand.add(rows(150));
    const untouched = await stored();
    const dry = await run(true);
    expect(await stored()).toEqual(untouched);
    const real = await run();
    expect({ ...real.sum }).toEqual({ ...dry.sum });
    expect(real.sum.changed).toBeGreaterThan(100);
    const repriced = await stored();
    const again = await run();
    expect(again.sum).toMatchObject({ changed: 0, before: real.sum.after, after: real.sum.after });
    expect(await stored()).toEqual(repriced);
    expect(repriced.map(({ segment }) => segment)).toEqual(untouched.map(({ segment }) => segment));
  });

  it('of one tenant leaves the others alone', async () => {
    await stand.add(rows(100));
    const others = await stored('other');
    const record = await run(false, 'acme');
    expect(record).toMatchObject({ status: 'done', tenant: 'acme' });
    expect(await stored('other')).toEqual(others);
    expect((await stored('acme')).every(({ price_version: of, cost }) => of !== 'v0' || cost === null)).toBe(true);
  });

  it('takes what a tenant negotiated', async () => {
    await stand.add(rows(40, (n) => (n % 4 === 0 ? 'other' : 'free')));
    await stand.book.add('free', 'test', {
      provider: 'openai',
      models: ['gpt-4o'],
      prices: { input: '0', output: '0' },
    });
    await run();
    expect(new Set((await stored('free')).map(({ cost }) => cost))).toEqual(new Set(['0', null]));
    expect((await stored('other')).some(({ cost }) => cost === '0')).toBe(false);
  });

  it('leaves rows that come meanwhile as they are', async () => {
    await stand.add(rows(100));
    const { id } = await stand.repricer.start({ tenant: undefined, by: 'test', ...RANGE, dryRun: false });
    await expect.poll(async () => (await stand.repricer.get(id)).state.bound).not.toBe('');
    const late = rows(20).map((row) => ({ ...row, cost: '7', price_row: 'new', price_version: 'v9' }));
    await stand.add(late);
    expect((await stand.repricer.ended(id)).status).toBe('done');
    const versions = (await stored()).filter(({ price_version: of }) => of === 'v9');
    expect(versions.map(({ cost }) => cost)).toEqual(late.map(() => '7'));
  });
});

describe('a re-pricing that is interrupted', () => {
  it.each([0, 1, 3, 7])('goes on after a stop, with the same sums (%i)', async (turns) => {
    await stand.add(rows(300));
    const dry = await run(true);
    const first = stand.openRepricer();
    const { id } = await first.start({ tenant: undefined, by: 'test', ...RANGE, dryRun: false });
    await new Promise((resolve) => setTimeout(resolve, turns * 40));
    await first.close();
    const next = stand.openRepricer();
    await next.resume();
    const record = await next.ended(id);
    expect(record).toMatchObject({ status: 'done', sum: dry.sum });
    await next.close();
  });

  it.each([
    ['before any row is written', 0, true],
    ['when half of the rows are written', 0.5, false],
    ['when all rows are written and that is not written down', 1, false],
  ])('at the worst moment, %s, counts each row once', async (_, share, isEarly) => {
    await stand.add(rows(120));
    const dry = await run(true);
    const { store } = stand;
    let mutations = 0;
    const cut = stand.openRepricer({
      store: {
        target: store.target,
        rows: (sql, options) => store.rows(sql, options),
        insertRows: (table, given) =>
          store.insertRows(table, table.startsWith('repricing_') ? given.slice(0, given.length * share) : given),
        command: async (sql, options) => {
          if (sql.startsWith('ALTER')) mutations++;
          if (mutations === 2 && isEarly) throw new Error('killed');
          await store.command(sql, {
            ...options,
            ...(sql.startsWith('ALTER') ? { settings: { mutations_sync: 1 } } : {}),
          });
          if (mutations === 2) throw new Error('killed');
        },
      },
    });
    const { id } = await cut.start({ tenant: undefined, by: 'test', ...RANGE, dryRun: false });
    const left = await cut.ended(id);
    expect(left).toMatchObject({ status: 'error', error: expect.stringMatching(/^killed; of 2026/) as unknown });
    // As a kill would have left it: the record says that it is at work.
    await stand.repricer.records.save({ ...left, status: 'working', error: '', updatedAt: new Date() }, () => '0');
    const next = stand.openRepricer();
    await next.resume();
    expect(await next.ended(id)).toMatchObject({ status: 'done', sum: dry.sum });
    expect((await run()).sum.after).toBe(dry.sum.after);
  });

  it('ends as an error if the prices changed since', async () => {
    await stand.add(rows(100));
    const first = stand.openRepricer();
    const { id } = await first.start({ tenant: undefined, by: 'test', ...RANGE, dryRun: false });
    await expect.poll(async () => (await first.get(id)).toVersion).not.toBe('');
    await first.close();
    await stand.book.add('acme', 'test', { provider: 'openai', models: ['gpt-4o'], prices: { input: '0' } });
    const next = stand.openRepricer();
    await next.resume();
    const { status, error } = await next.ended(id);
    if (status !== 'done') expect(error).toMatch(/the prices changed since the run began/);
    await next.close();
  });
});

describe('over HTTP', () => {
  it('a run is started, followed, recorded, and one at a time', async () => {
    await stand.add(rows(100));
    const started = await stand.ask('POST', '/repricings', {
      key: ADMIN,
      body: { since: '2026-11-01', until: '2026-11-04' },
    });
    expect(started).toMatchObject({ status: 202, body: { status: 'working', tenant: null, by: 'admin-token' } });
    const second = await stand.ask('POST', '/repricings', { key: ADMIN, body: { since: '2026-11-01' } });
    expect([202, 409]).toContain(second.status);
    const { id } = started.body as { id: string };
    await stand.repricer.ended(id);
    const { body } = await stand.ask('GET', `/repricings?id=${id}`, { key: ADMIN });
    expect(body).toMatchObject({ id, status: 'done', dryRun: false, generations: 95 });
    expect(body['models']).toEqual([
      expect.objectContaining({ provider: 'openai', model: 'gpt-4o' }),
      expect.objectContaining({ model: 'nobody-1', after: '0' }),
    ]);
    expect((await stand.ask('DELETE', `/repricings?id=${id}`, { key: ADMIN })).status).toBe(409);
    expect((await stand.ask('GET', '/repricings?id=none', { key: ADMIN })).status).toBe(404);
  });

  it.each([
    [{}],
    [{ since: 'x' }],
    [{ since: '2026-11-01', until: '2026-10-01' }],
    [{ since: '2026-11-01', dryRun: 1 }],
    [{ since: '2026-11-01', dry: true }],
  ])('%j is refused', async (body) => {
    expect(await stand.ask('POST', '/repricings', { key: ADMIN, body })).toMatchObject({ status: 400 });
  });
});

describe('pages', () => {
  it('have every second once, and not more rows than they may', () => {
    const seconds = fc.uniqueArray(fc.nat(1_000), { maxLength: 50 });
    fc.assert(
      fc.property(
        seconds,
        fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 50, maxLength: 50 }),
        (given, counts) => {
          const ordered = given
            .toSorted((a, b) => a - b)
            .map((second, n) => ({ from: second * 1000, rows: counts[n] ?? 1 }));
          const pages = pack(ordered, 100);
          expect(pages.every(({ rows: count }) => count <= 100)).toBe(true);
          for (const { from, rows: count } of ordered) {
            const holding = pages.filter((page) => page.from <= from && from < page.until);
            expect(holding.map(({ part }) => part)).toEqual(holding.map((_, n) => n));
            expect(holding.length).toBe(count > 100 ? Math.ceil(count / 100) : 1);
          }
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });
});
