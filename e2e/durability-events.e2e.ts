/**
 * The durability contract for JSON events under `kill -9`: every acknowledged event is in its data source or in the quarantine
 * exactly once, and what is materialized from them agrees with them to the event.
 *
 * GLASSHOUSE_KILL_ROUNDS sets the number of rounds; a few run by default.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countsAstray, EVENTS, prepareEvents } from './support/durability-events.ts';
import { Load } from './support/durability-load.ts';
import { KillableServer } from './support/durability-server.ts';
import { strike, TARGETS } from './support/durability-strike.ts';

const ROUNDS = Number(process.env['GLASSHOUSE_KILL_ROUNDS'] ?? 5);
const ENV = { GLASSHOUSE_SEAL_MS: '50', GLASSHOUSE_LOG_LEVEL: 'info' };
const load = new Load(EVENTS);
const tally = new Map<string, number>();
let dataDir: string;
let server: KillableServer;

function count(what: string): void {
  tally.set(what, (tally.get(what) ?? 0) + 1);
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'glasshouse-kill-events-'));
  server = await KillableServer.start(dataDir, ENV);
  await prepareEvents(server);
});

afterAll(async () => {
  await server.end();
  await rm(dataDir, { recursive: true, force: true });
});

test(`loses and doubles no event over ${ROUNDS} kills`, { timeout: 30_000 + ROUNDS * 40_000 }, async ({ annotate }) => {
  for (let round = 0; round < ROUNDS; round++) {
    load.start(server, 10);
    const target = TARGETS[round % TARGETS.length] ?? 'server';
    await pause(200 + Math.random() * 1_800);
    const isServerGone = await strike(server, target, count);
    if (isServerGone) {
      await server.exited();
      await load.stop();
      server = await KillableServer.start(dataDir, ENV);
    } else {
      await pause(300);
      await load.stop();
    }
    await server.drained();
    const where = `round ${round + 1}, ${target}\n${server.logs()}`;
    const nothing = { lost: 0, doubled: 0, partial: 0, strange: 0 };
    expect(await load.verify(server), where).toMatchObject(nothing);
    expect(await countsAstray(server), where).toBe(0);
  }
  const numbers = { rounds: ROUNDS, ...Object.fromEntries(tally), ...(await load.verify(server)) };
  await annotate(JSON.stringify(numbers));
  expect(numbers.acked).toBeGreaterThan(0);
});
