/** Quotas: what is let in, what is warned of, and what is known after a restart, with a real store. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import type { AppError } from '@glasshouse/model';
import { embeddedTarget, Store } from '@glasshouse/store';
import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Change } from './audit-entry.ts';
import type { Reached } from './quota-account.ts';
import { QuotaAccount } from './quota-account.ts';
import type { QuotasOptions } from './quotas.ts';
import { changedQuota, Quotas } from './quotas.ts';
import { storedBytesOf } from './stored-bytes.ts';

let dir: string;
let engine: Engine;
let store: Store;
/** Noon of a day. */
let now: number;
let tenant: string;
let count = 0;
const near: Reached[] = [];
const changes: Change[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'glasshouse-quotas-'));
  engine = await startEngine({ dataDir: join(dir, 'engine'), backupDir: join(dir, 'backup'), maxMemoryBytes: 1 << 30 });
  store = await Store.open({ target: embeddedTarget(engine), retentionDays: undefined });
});

afterAll(async () => {
  await store.close();
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(() => {
  now = Date.UTC(2026, 10, 22, 12);
  tenant = `t${count++}`;
  near.length = 0;
  changes.length = 0;
});

const quota = (limits: object, warnAt = 0.8): { limits: object; warnAt: number } => ({ limits, warnAt });

describe('rows per second', () => {
  it('are let in up to the limit, and again as time passes', async () => {
    const quotas = await open();
    await quotas.set({ tenant, project: '', ...quota({ eventsPerSecond: 100 }) });
    quotas.admit(tenant);
    quotas.count({ tenant, project: 'p' }, 150, 1);
    expect(refusal(quotas)).toMatchObject({ code: 'quota_exceeded', retryAfterSeconds: 1 });
    expect(refusal(quotas)?.kind).toMatchObject({ httpStatus: 429, grpcCode: 8, retryable: true });
    now += 400;
    expect(refusal(quotas)).toBeDefined();
    now += 200;
    expect(refusal(quotas)).toBeUndefined();
    quotas.close();
  });

  it('of one huge request keep others waiting for ten seconds at most', async () => {
    const quotas = await open();
    await quotas.set({ tenant, project: '', ...quota({ eventsPerSecond: 10 }) });
    quotas.admit(tenant);
    quotas.count({ tenant, project: '' }, 1_000_000, 1);
    expect(refusal(quotas)?.retryAfterSeconds).toBeLessThanOrEqual(11);
    now += 11_000;
    expect(refusal(quotas)).toBeUndefined();
    quotas.close();
  });
});

describe('bytes of a day', () => {
  it('are refused over the limit until the day is over, with a warning before', async () => {
    const quotas = await open();
    await quotas.set({ tenant, project: '', ...quota({ bytesPerDay: 1000 }) });
    expect(quotas.admit(tenant)).toBeUndefined();
    quotas.count({ tenant, project: 'p' }, 1, 850);
    expect(quotas.admit(tenant)).toBe(`${tenant}: 85 % of 1000 bytes per day`);
    expect(quotas.admit(tenant)).toBeDefined();
    expect(near).toMatchObject([{ kind: 'bytesPerDay', use: 850, limit: 1000 }]);
    quotas.count({ tenant, project: 'p' }, 1, 850);
    expect(refusal(quotas)).toMatchObject({
      message: expect.stringContaining('bytes per day are limited to 1000, and 1700 are used') as unknown,
      retryAfterSeconds: 60,
    });
    now += 12 * 3_600_000;
    expect(refusal(quotas)).toBeUndefined();
    expect(quotas.state({ tenant, project: '' }).use.bytesPerDay).toBe(0);
    quotas.close();
  });

  it('of a project count for it and for its tenant', async () => {
    const quotas = await open();
    await quotas.set({ tenant, project: 'small', ...quota({ bytesPerDay: 10 }) });
    quotas.count({ tenant, project: 'small' }, 1, 20);
    quotas.count({ tenant, project: 'other' }, 1, 30);
    expect(refusal(quotas, 'small')?.message).toContain(`project=small of tenant=${tenant}`);
    expect([refusal(quotas, 'other'), refusal(quotas)]).toEqual([undefined, undefined]);
    expect(quotas.list(tenant).map(({ project, use }) => [project, use.bytesPerDay])).toEqual([
      ['', 50],
      ['other', 30],
      ['small', 20],
    ]);
    quotas.close();
  });

  it('are known after a restart; what cannot be read is nothing', async () => {
    const path = join(dir, `${tenant}.json`);
    const first = await open({ path });
    await first.set({ tenant, project: '', ...quota({ bytesPerDay: 100 }) });
    first.count({ tenant, project: 'p' }, 1, 90);
    first.addSpend({ tenant, project: 'p' }, 1.5);
    first.close();
    const second = await open({ path });
    expect(second.state({ tenant, project: 'p' }).use).toMatchObject({ bytesPerDay: 90, spendPerDay: 1.5 });
    second.count({ tenant, project: 'p' }, 1, 10);
    expect(refusal(second)).toBeDefined();
    second.close();
    writeFileSync(path, '[{');
    const third = await open({ path });
    expect(third.state({ tenant, project: 'p' }).use.bytesPerDay).toBe(0);
    third.close();
  });
});

it('spend of a day is refused over the limit', async () => {
  const quotas = await open();
  await quotas.set({ tenant, project: '', ...quota({ spendPerDay: 2.5 }) });
  quotas.addSpend({ tenant, project: '' }, 2.4);
  expect(quotas.admit(tenant)).toBe(`${tenant}: 96 % of 2.5 US dollars per day`);
  quotas.addSpend({ tenant, project: '' }, 0.2);
  expect(refusal(quotas)?.message).toContain('US dollars per day are limited to 2.5, and 2.6 are used');
  quotas.close();
});

it('stored bytes are measured when they are limited, facts by their rows', async () => {
  const row = {
    environment: 'e',
    timestamp: '2026-01-02 03:04:05',
    trace_id: 'a',
    span_id: 'b',
    name: 'n',
    _segment: '1',
  };
  const rows = [1, 2, 3].map((n) => ({ ...row, tenant_id: tenant, project_id: n === 3 ? 'b' : 'a' }));
  await store.insertRows('spans', rows);
  const storedBytes = storedBytesOf(store, () => [tenant]);
  expect((await storedBytes()).filter((owner) => owner.tenant === tenant)).toHaveLength(3);
  const quotas = await open({ storedBytes });
  await quotas.set({ tenant, project: '', ...quota({ storedBytes: 1 }) });
  expect(refusal(quotas)?.message).toContain('stored bytes are limited to 1');
  const [all, a, b] = quotas.list(tenant).map(({ use }) => use.storedBytes);
  expect(Math.abs((a ?? 0) - 2 * (b ?? 0))).toBeLessThanOrEqual(2);
  expect(Math.abs((all ?? 0) - (a ?? 0) - (b ?? 0))).toBeLessThanOrEqual(2);
  quotas.close();
});

describe('a quota', () => {
  it('is known to other servers and after a restart, until it is removed', async () => {
    const [one, two] = [await open(), await open()];
    await one.set({ tenant, project: 'p', ...quota({ bytesPerDay: 10 }, 0.5) });
    await two.refresh();
    expect(two.state({ tenant, project: 'p' }).quota).toEqual({ limits: { bytesPerDay: 10 }, warnAt: 0.5 });
    await one.remove({ tenant, project: 'p' });
    await two.refresh();
    expect(two.state({ tenant, project: 'p' }).quota).toBeUndefined();
    await expect(one.remove({ tenant, project: 'p' })).rejects.toMatchObject({ code: 'not_found' });
    expect(changes.map(({ action, target }) => [action, target])).toEqual([
      ['quota.set', `${tenant}/p`],
      ['quota.remove', `${tenant}/p`],
    ]);
    one.close();
    two.close();
  });

  it('is changed limit by limit', () => {
    const former = changedQuota(undefined, { bytesPerDay: 10, storedBytes: 20 }, undefined);
    expect(changedQuota(former, { bytesPerDay: null, spendPerDay: 5 }, 0.9)).toEqual({
      limits: { storedBytes: 20, spendPerDay: 5 },
      warnAt: 0.9,
    });
  });

  it.each([
    ['no limit', {}, 0.8],
    ['a limit of 0', { bytesPerDay: 0 }, 0.8],
    ['a limit that is no number', { bytesPerDay: Number.NaN }, 0.8],
    ['a share over 1', { bytesPerDay: 1 }, 1.1],
    ['a share of 0', { bytesPerDay: 1 }, 0],
  ])('with %s is refused', async (_, limits, warnAt) => {
    const quotas = await open();
    await expect(quotas.set({ tenant, project: '', limits, warnAt })).rejects.toMatchObject({ code: 'bad_request' });
    quotas.close();
  });
});

it('never lets in more than the limit and one request allow, in whatever steps time passes', () => {
  const step = fc.record({ afterMs: fc.integer({ min: 0, max: 3000 }), rows: fc.integer({ min: 1, max: 50 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 10, max: 500 }), (steps, perSecond) => {
      const account = new QuotaAccount();
      account.quota = { limits: { eventsPerSecond: perSecond }, warnAt: 0.8 };
      let [atMs, taken] = [now, 0];
      for (const { afterMs, rows } of steps) {
        atMs += afterMs;
        if (account.reached(atMs) !== undefined) continue;
        account.count(atMs, rows, rows);
        taken += rows;
      }
      expect(taken).toBeLessThanOrEqual(perSecond * (1 + (atMs - now) / 1000) + 50);
    }),
    { numRuns: 300, seed: 20261122 },
  );
});

/** The refusal of a request; undefined if it is let in. */
function refusal(quotas: Quotas, project?: string): AppError | undefined {
  try {
    quotas.admit(tenant, project);
    return undefined;
  } catch (error) {
    return error as AppError;
  }
}

function open(options: Partial<QuotasOptions> = {}): Promise<Quotas> {
  return Quotas.open({
    store,
    now: () => now,
    onChange: (change) => changes.push(change),
    onNear: (_, reached) => near.push(reached),
    ...options,
  });
}
