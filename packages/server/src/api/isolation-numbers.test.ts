/**
 * Two worlds again (see isolation-oracles.test.ts), about numbers: another tenant's calls of models cost so much that computing with
 * them overflows, in the same parts, dictionaries and sums by day. And values that turn after a statement was judged, where the value
 * decides whether a function can fail.
 *
 * Must stay true: whatever is found to fail on no row (`packages/language/src/sql/fallible.ts`) is asked here in every place.
 */

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAILURES, PLACES } from '../query/testing/attacks.ts';
import type { Stand } from './testing/stand.ts';
import { openStand, span } from './testing/stand.ts';

const SECRET = 'SECRET-9f31c2';
/** Twice of it has no room in 38 digits, nor in 128 bits. */
const HUGE = '99999999999999999999999999.999999999999';
const DAY = '2026-01-02';

interface World {
  readonly stand: Stand;
  readonly key: string;
}

let worlds: readonly [secret: World, plain: World];

beforeAll(async () => {
  worlds = [await openWorld(true), await openWorld(false)];
});

afterAll(() => Promise.all(worlds.map(({ stand }) => stand.close())));

/** What overflows on hidden rows, and what must not. */
const CONDITIONS = [
  'cost > 0',
  '0 <= cost',
  "cost_parts['input'] != 0",
  "toFloat64(cost_parts['input']) >= 0 AND isNotNull(client_cost)",
  "[cost_parts['input'], cost_parts['output']] != []",
  'cost > 1',
  'cost > 99999999999999999',
  'cost > 9999999999999999999999999999',
  'cost > toDecimal256(1, 70)',
  'cost + cost > 0',
  "cost_parts['input'] + cost_parts['output'] >= 0",
  'cost * 2 >= 0',
  'cost * cost >= 0',
  '-cost <= 0',
  'round(cost, 2) >= 0',
  'toInt32(cost) >= 0',
  'toDecimal32(cost, 2) >= 0',
  "CAST(cost, 'Decimal(9, 2)') >= 0",
  'toUInt8(toFloat64(cost)) >= 0',
  "arraySum([cost_parts['input'], cost_parts['output']]) >= 0",
  "toDate(time) = '2026-01-02' AND cost + cost > 0",
  'cost > 0 AND intDiv(toInt64(1), toInt64(cost < 1000)) >= 0',
];

it('a tenant learns nothing of what others spend, from whatever computes with it', async () => {
  const statements = CONDITIONS.flatMap((condition) =>
    PLACES.map((place) => place('telemetry.generations', condition, 'model_requested', 'input_tokens')),
  );
  await expectSame(statements);
}, 300_000);

it('a tenant learns nothing of them from sums by day', async () => {
  const keys = 'provider, model_requested';
  const sums = [
    "sum(cost_parts['input'] + cost_parts['output'])",
    "sumArray([cost_parts['input'], cost_parts['output']])",
    'sum(cost)',
    "sumIf(cost_parts['input'], cost_parts['input'] > 0)",
    'sum(cost) + sum(client_cost)',
    'sum(cost) * 1000000',
    'sum(cost) > 0',
    'toInt32(sum(cost))',
    'intDiv(1, count() > 2)',
    "throwIf(model_requested LIKE 'SECRET%')",
    'throwIf(sum(cost) > 1000)',
  ];
  const days = `toDate(time) >= '${DAY}' AND toDate(time) < '2106-02-07'`;
  const statements = sums.flatMap((sum) => [
    `SELECT ${keys}, ${sum} AS s FROM telemetry.generations WHERE ${days} GROUP BY ${keys} ORDER BY ${keys}`,
    `SELECT ${keys} FROM telemetry.generations WHERE ${days} GROUP BY ${keys} HAVING ${sum} >= 0 ORDER BY ${keys}`,
    `SELECT ${keys} FROM telemetry.generations WHERE ${days} GROUP BY ${keys} ORDER BY ${sum}, ${keys} LIMIT 5`,
    `SELECT max(s) FROM (SELECT ${keys}, ${sum} AS s FROM telemetry.generations WHERE ${days} GROUP BY ${keys})`,
    `SELECT ${sum} AS s FROM telemetry.generations`,
  ]);
  await expectSame(statements);
}, 120_000);

it('a tenant learns nothing of names in sums by day', async () => {
  const statements = FAILURES.flatMap((failure) =>
    ['model_requested', 'user_id'].flatMap((column) => [
      `SELECT ${column}, count() FROM telemetry.generations WHERE ${failure(column)} GROUP BY ${column} ORDER BY ${column}`,
      `SELECT ${column}, sum(cost) FROM telemetry.generations GROUP BY ${column} HAVING ${failure(column)} ORDER BY ${column}`,
      `SELECT ${failure(column)}, count() FROM telemetry.generations GROUP BY ${column} ORDER BY ${column}`,
    ]),
  );
  await expectSame(statements);
}, 120_000);

describe('a tenant learns nothing from a value that turns, after a statement was judged:', () => {
  const hidden = `name = '${SECRET}'`;
  const spans = (condition: string): string => `SELECT count() FROM telemetry.spans WHERE ${hidden} AND ${condition}`;
  const spent = (condition: string): string =>
    `SELECT count() FROM telemetry.generations WHERE model_requested = '${SECRET}' AND ${condition}`;

  it.each([
    [spans('intDiv(duration_ns, {x:UInt8}) >= 0'), '5', '0'],
    [spans('duration_ns % {x:UInt64} >= 0'), '5', '0'],
    [spans('name LIKE {x:String}'), '%a%', '%\\'],
    [spans('name ILIKE {x:String}'), '%a%', '%\\'],
    [spans('round(duration_ns, {x:Int64}) >= 0'), '2', '70000'],
    [spent('cost > {x:UInt8}'), '0', '255'],
    [spent('cost > {x:UInt64}'), '0', '18446744073709551615'],
    [spent('cost > {x:UInt256}'), '0', `1${'0'.repeat(70)}`],
    [spent("cost_parts[{x:String}] + cost_parts['output'] >= 0"), 'none', 'input'],
  ])('%s of %s, then of %s', async (sql, harmless, harmful) => {
    for (const x of [harmless, harmful, harmful]) await expectSame([sql], { x });
    expect(await ask(worlds[1], sql, { x: harmless })).toBe('200 0\n');
  });

  it.each([
    [spans('intDiv(duration_ns, 5) >= 0'), spans('intDiv(duration_ns, 0) >= 0')],
    [spent('cost > 0'), spent('cost > 9223372036854775807')],
    [spent('0 < cost'), spent('9223372036854775807 < cost')],
    [spent('cost BETWEEN 0 AND 0'), spent('cost BETWEEN 0 AND 9223372036854775807')],
    [spent('cost > 0'), spent('cost > toDecimal256(1, 70)')],
    [spent("CAST(cost, 'Decimal(76, 40)') > 0"), spent("CAST(cost, 'Decimal(76, 40)') > 9223372036854775807")],
  ])('%s, then %s', async (harmless, harmful) => {
    for (const sql of [harmless, harmful, harmful]) await expectSame([sql]);
    expect(await ask(worlds[1], harmless, {})).toBe('200 0\n');
  });
});

it('nothing of this was a fault of the server', () => {
  expect(worlds.flatMap(({ stand }) => stand.faults)).toEqual([]);
});

/** Asks both worlds, whose answers must be the same and tell no secret. */
async function expectSame(statements: readonly string[], extra: Readonly<Record<string, string>> = {}): Promise<void> {
  const differences: unknown[] = [];
  const pending = [...statements];
  const work = async (): Promise<void> => {
    for (let sql = pending.pop(); sql !== undefined; sql = pending.pop()) {
      const [secret, plain] = await Promise.all([ask(worlds[0], sql, extra), ask(worlds[1], sql, extra)]);
      if (secret !== plain || (secret.includes(SECRET) && !sql.includes(SECRET)))
        differences.push({ sql, secret, plain });
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));
  expect(differences).toEqual([]);
}

async function ask({ stand, key }: World, sql: string, extra: Readonly<Record<string, string>>): Promise<string> {
  const { status, text } = await stand.sql(sql, key, { format: 'TabSeparated', ...extra });
  return `${status} ${text.replaceAll(/__set_\w+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gu, 'X')}`;
}

async function openWorld(hasSecrets: boolean): Promise<World> {
  const stand = await openStand('keys', { maxExecutionSeconds: 20, concurrent: 8, waiting: 1_000, waitMs: 60_000 });
  const key = await stand.key('acme');
  const { store } = stand;
  const calls = [...callsOf('acme', '0.000000000001'), ...(hasSecrets ? callsOf('other', HUGE) : [])];
  const spans = [span('acme'), ...(hasSecrets ? [span('other', { name: SECRET })] : [])];
  if (hasSecrets) await stand.key('other');
  await store.insertRows('generations', calls);
  await store.insertRows('spans', spans);
  // Sums by day are made by merges.
  await store.command('OPTIMIZE TABLE glasshouse.generations FINAL');
  return { stand, key };
}

function callsOf(tenant: string, amount: string): object[] {
  return Array.from({ length: 30 }, (_, index) => ({
    _segment: '1',
    tenant_id: tenant,
    project_id: 'p',
    environment: 'e',
    generation_id: randomUUID(),
    time: `${DAY} 03:04:${String(index).padStart(2, '0')}`,
    provider: 'openai',
    model_requested: tenant === 'acme' ? `model-${index % 3}` : SECRET,
    user_id: tenant === 'acme' ? String(index % 4) : `${SECRET}${index}`,
    price_row: 'row',
    input_tokens: index,
    cost: amount,
    client_cost: index % 2 === 0 ? amount : null,
    cost_parts: { input: amount, output: amount, cacheRead: amount, cacheReadAudio: amount },
  }));
}
