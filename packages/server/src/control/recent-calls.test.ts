/** Calls that are stored, told to the worker after a start, read from the real engine. */

import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { StoreError } from '@glasshouse/store';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { GivenRow, PricesStand } from '../api/testing/prices-stand.ts';
import { openPricesStand } from '../api/testing/prices-stand.ts';
import type { StoredCall } from '../generations/stored-calls.ts';
import type { RecentCallsOptions } from './recent-calls.ts';
import { RecentCalls } from './recent-calls.ts';

const DAY_MS = 86_400_000;

let stand: PricesStand;
let now: number;
let told: StoredCall[];
let loaded: number[];
let faults: string[];
/** How many of the calls were told when it was said that these are all. */
let all: number[];

beforeAll(async () => {
  stand = await openPricesStand();
});

beforeEach(async () => {
  await stand.store.command('TRUNCATE TABLE glasshouse.generations');
  now = Date.now();
  [told, loaded, faults, all] = [[], [], [], []];
});

afterAll(() => stand.close());

function tell(calls: readonly StoredCall[], areAll: boolean): void {
  told.push(...calls);
  if (areAll) all.push(told.length);
}

function open(options: Partial<RecentCallsOptions> = {}): RecentCalls {
  return new RecentCalls({
    store: stand.store,
    now: () => now,
    tell,
    leftOver: () => [],
    progress: () => Promise.resolve(),
    onLoaded: (calls) => loaded.push(calls),
    onFault: (reason) => faults.push(reason),
    ...options,
  });
}

function row(id: string, more: Readonly<Record<string, unknown>> = {}): GivenRow {
  const time = new Date(now - 60_000).toISOString().replace('T', ' ').slice(0, 23);
  return { tenant_id: 'acme', time, generation_id: randomUUID(), dialect: 'llm_events', response_id: id, ...more };
}

const ids = (): unknown[] => told.map(([, response]) => response).toSorted();

it('tells of each call by what it is known', async () => {
  const span = { dialect: 'otel', trace_id: 'ab'.repeat(16), span_id: 'cd'.repeat(8), duplicate: true };
  await stand.add([
    row('', { call_id: 'Ä "1"\n', cache_hit: true }),
    row('', span),
    row('chatcmpl-1', { tenant_id: 'b' }),
  ]);
  await open().load();
  expect(told.toSorted((a, b) => String(a).localeCompare(String(b)))).toEqual([
    ['acme', '', null, span.trace_id, span.span_id, 'otel', ''],
    ['acme', '', true, '', '', 'llm_events', 'Ä "1"\n'],
    ['b', 'chatcmpl-1', null, '', '', 'llm_events', ''],
  ]);
  expect([loaded, all]).toEqual([[3], [3]]);
});

it('asks for nothing but their number where there are none', async () => {
  const asked: string[] = [];
  const { store } = stand;
  const rows: typeof store.rows = (sql, options) => {
    asked.push(sql);
    return store.rows(sql, options);
  };
  await open({ store: { rows, target: store.target, pieces: () => expect.unreachable() } }).load();
  expect(asked).toEqual([expect.stringMatching(/^SELECT toString\(count\(\)\)/)]);
  expect([told, loaded, all]).toEqual([[], [], [0]]);
});

it('leaves out what is older than a day, and then the oldest over the limit by segment', async () => {
  const old = new Date(now - DAY_MS - 60_000).toISOString().replace('T', ' ').slice(0, 23);
  await stand.add([row('old', { time: old })]);
  await open().load();
  expect(told).toEqual([]);
  for (const batch of ['first', 'second', 'third'])
    await stand.add([row(`${batch} 1`), row(`${batch} 2`), row('', { time: old })]);
  await open({ limit: 5 }).load();
  expect(ids()).toEqual(['second 1', 'second 2', 'third 1', 'third 2']);
});

it('tells of more calls than a piece has', async () => {
  await stand.add(Array.from({ length: 20_000 }, (_, n) => row(`chatcmpl-${n}`)));
  let pieces = 0;
  await open({
    tell: (calls, areAll) => {
      tell(calls, areAll);
      pieces++;
    },
  }).load();
  expect(new Set(ids()).size).toBe(20_000);
  expect(pieces).toBeGreaterThan(1);
});

it('tells of what was left over when it is handed over', async () => {
  await stand.add([row('stored')]);
  const late: bigint[] = [77n, 78n];
  const wakes: (() => void)[] = [];
  const progress = (): Promise<void> => new Promise((resolve) => wakes.push(resolve));
  const loading = open({ leftOver: () => [...late], progress }).load();
  await expect.poll(() => wakes.length).toBe(1);
  expect([ids(), all]).toEqual([['stored'], []]);
  await stand.add([
    row('late 1', { _segment: '77' }),
    row('late 2', { _segment: '78' }),
    row('live', { _segment: '79' }),
  ]);
  late.shift();
  wakes.shift()?.();
  await turn();
  late.shift();
  wakes.shift()?.();
  await loading;
  expect(ids()).toEqual(['late 1', 'late 2', 'stored']);
  expect([loaded, all]).toEqual([[3], [3]]);
});

it('asks again when the store was away', { timeout: 20_000 }, async () => {
  await stand.add([row('stored')]);
  const { store } = stand;
  let isAway = true;
  const rows: typeof store.rows = (sql, options) => {
    if (!isAway) return store.rows(sql, options);
    isAway = false;
    return Promise.reject(new StoreError('cannot reach the store', 0, 'UNREACHABLE', undefined));
  };
  const pieces: typeof store.pieces = (sql, options) => store.pieces(sql, options);
  await open({ store: { rows, pieces, target: store.target } }).load();
  expect(faults).toEqual(['cannot reach the store']);
  expect(ids()).toEqual(['stored']);
});

it('ends when it is closed', async () => {
  await stand.add([row('stored')]);
  const recent = open({ tell: () => recent.close() });
  await recent.load();
  expect([loaded, faults, all]).toEqual([[], [], []]);
});
