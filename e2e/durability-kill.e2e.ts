/**
 * The durability contract under `kill -9`: whatever was acknowledged is in the table exactly once after any number of kills
 * of either process at any moment, some of them exactly where the engine renames a part into place.
 *
 * GLASSHOUSE_KILL_ROUNDS sets the number of rounds; a few run by default. All rounds share one data directory, and each one
 * checks everything that was ever sent.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Load } from './support/durability-load.ts';
import { KillableServer } from './support/durability-server.ts';

const ROUNDS = Number(process.env['GLASSHOUSE_KILL_ROUNDS'] ?? 8);
const TARGETS = ['server', 'rename', 'engine', 'rename', 'both', 'rename', 'server', 'engine'] as const;
/** Small segments, so that there are many hand-overs to hit. */
const ENV = { GLASSHOUSE_SEAL_MS: '50', GLASSHOUSE_LOG_LEVEL: 'info' };
/** How long a trap may wait for a rename before an ordinary kill takes its place. */
const TRAP_MS = 4_000;
const COUNTERS = {
  replayed: 'drain_replayed_segments_total',
  repaired: 'drain_completed_segments_total',
  torn: 'wal_torn_segments_total',
  damaged: 'wal_damaged_segments_total',
  quarantined: 'drain_quarantined_segments_total',
} as const;

const hasTrace = spawnSync('strace', ['-V']).status === 0;
const load = new Load();
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

/** Kills the engine when it enters its `nth` rename from now, or after a while if there is none. */
async function killAtRename(nth: number): Promise<void> {
  const pid = server.enginePid;
  const calls = 'rename,renameat,renameat2';
  const options = [
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-e',
    `trace=${calls}`,
    '-e',
    `inject=${calls}:signal=SIGKILL:when=${nth}`,
  ];
  const tracer = spawn('strace', [...options, '-p', String(pid)], { stdio: 'ignore' });
  const ended = once(tracer, 'exit').then(() => 'rename');
  const how = await Promise.race([ended, pause(TRAP_MS, 'late')]);
  count(how === 'late' ? 'kills after a trap that nothing entered' : 'kills at a rename');
  if (how === 'late') server.signal('engine', 'SIGKILL');
  tracer.kill('SIGKILL');
  await ended;
}

test(`loses and doubles nothing over ${ROUNDS} kills`, { timeout: 30_000 + ROUNDS * 30_000 }, async ({ annotate }) => {
  for (let round = 0; round < ROUNDS; round++) {
    load.start(server, 10);
    const target = TARGETS[round % TARGETS.length] ?? 'server';
    await pause(200 + Math.random() * 1_800);
    const ackedBefore = load.acked;
    if (target === 'rename' && hasTrace) {
      // Counted by thread: an insert renames its parts, one for each day, in one thread.
      await killAtRename(1 + Math.floor(Math.random() * 2));
    } else {
      if (target !== 'server') server.signal('engine', 'SIGKILL');
      if (target === 'server' || target === 'both') server.signal('server', 'SIGKILL');
      count(`kills of ${target === 'rename' ? 'the engine, for want of strace' : target}`);
    }
    if (target === 'server' || target === 'both') {
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
