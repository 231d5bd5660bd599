/**
 * The durability contract under `kill -9`: whatever was acknowledged is in the table exactly once after any number of kills
 * of either process at any moment, some of them exactly where the engine renames a part into place or the log is synced.
 *
 * GLASSHOUSE_KILL_ROUNDS sets the number of rounds; a few run by default. All rounds share one data directory, and each one
 * checks everything that was ever sent.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Load } from './support/durability-load.ts';
import { KillableServer } from './support/durability-server.ts';
import { SPANS } from './support/durability-spans.ts';
import { strike, TARGETS } from './support/durability-strike.ts';

const ROUNDS = Number(process.env['GLASSHOUSE_KILL_ROUNDS'] ?? 8);
/** Small segments, so that there are many hand-overs to hit. */
const ENV = { GLASSHOUSE_SEAL_MS: '50', GLASSHOUSE_LOG_LEVEL: 'info' };
const COUNTERS = {
  replayed: 'drain_replayed_segments_total',
  repaired: 'drain_completed_segments_total',
  torn: 'wal_torn_segments_total',
  damaged: 'wal_damaged_segments_total',
  quarantined: 'drain_quarantined_segments_total',
} as const;

const load = new Load(SPANS);
const tally = new Map<string, number>();
const seen = new Map<string, number>();
let dataDir: string;
let server: KillableServer;

function count(what: string, times = 1): void {
  tally.set(what, (tally.get(what) ?? 0) + times);
}

/** Adds to the tally what the server's counters grew by since they were seen last; they start afresh with each server. */
async function collect(): Promise<void> {
  for (const [name, metric] of Object.entries(COUNTERS)) {
    const value = await server.metric(metric);
    count(name, value - (seen.get(name) ?? 0));
    seen.set(name, value);
  }
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'glasshouse-kill-'));
  server = await KillableServer.start(dataDir, ENV);
});

afterAll(async () => {
  await server.end();
  await rm(dataDir, { recursive: true, force: true });
});

test(`loses and doubles nothing over ${ROUNDS} kills`, { timeout: 30_000 + ROUNDS * 30_000 }, async ({ annotate }) => {
  for (let round = 0; round < ROUNDS; round++) {
    load.start(server, 10);
    const target = TARGETS[round % TARGETS.length] ?? 'server';
    await pause(200 + Math.random() * 1_800);
    const ackedBefore = load.acked;
    const isServerGone = await strike(server, target, count);
    if (isServerGone) {
      await server.exited();
      await load.stop();
      server = await KillableServer.start(dataDir, ENV);
      seen.clear();
    } else {
      await pause(300);
      expect(load.acked, 'batches acknowledged while the engine is down').toBeGreaterThan(ackedBefore);
      await load.stop();
    }
    await server.drained();
    const verdict = await load.verify(server);
    expect(verdict, `round ${round + 1}, ${target}\n${server.logs()}`).toMatchObject({
      lost: 0,
      doubled: 0,
      partial: 0,
      strange: 0,
    });
    await collect();
  }
  const numbers = { rounds: ROUNDS, ...Object.fromEntries(tally), ...(await load.verify(server)) };
  await annotate(JSON.stringify(numbers));
  expect(numbers).toMatchObject({ damaged: 0, quarantined: 0 });
});
