/**
 * The durability contract under `kill -9`: whatever was acknowledged is in the table exactly once after any number of kills
 * of either process at any moment, some of them exactly where the engine renames a part into place or the log is synced.
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
const TARGETS = ['server', 'rename', 'commit', 'rename', 'engine', 'rename', 'both', 'commit'] as const;
/** Small segments, so that there are many hand-overs to hit. */
const ENV = { GLASSHOUSE_SEAL_MS: '50', GLASSHOUSE_LOG_LEVEL: 'info' };
/** How long a trap may wait for its system call before an ordinary kill takes its place. */
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

/** What a trap waits for: who makes which system calls. */
const TRAPS = {
  rename: { victim: 'engine', calls: 'rename,renameat,renameat2' },
  commit: { victim: 'server', calls: 'fdatasync' },
} as const;

/** Kills a process where one of its threads enters the `nth` of such calls from now, or after a while if none does. */
async function trap(name: keyof typeof TRAPS, nth: number): Promise<void> {
  const { victim, calls } = TRAPS[name];
  const pid = victim === 'engine' ? server.enginePid : server.pid;
  const inject = `inject=${calls}:signal=SIGKILL:when=${nth}`;
  const options = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', inject, '-p', String(pid)];
  const tracer = spawn('strace', options, { stdio: 'ignore' });
  // It may be there but not be allowed to look at other processes; then it fails at once.
  const ended = once(tracer, 'exit').then(([code]) => (code === 0 ? 'caught' : 'failed'));
  const how = await Promise.race([ended, pause(TRAP_MS, 'late')]);
  const instead = how === 'late' ? 'that nothing entered' : 'that strace could not set';
  count(how === 'caught' ? `kills at a ${name}` : `kills after a trap for a ${name} ${instead}`);
  if (how !== 'caught') server.signal(victim, 'SIGKILL');
  tracer.kill('SIGKILL');
  await ended;
}

/** Kills what the round is about and says whether the server is among it. */
async function strike(target: (typeof TARGETS)[number]): Promise<boolean> {
  const isTrap = target === 'rename' || target === 'commit';
  if (isTrap && hasTrace) {
    // Counted by thread: an insert renames its parts, one for each day, in one thread.
    await trap(target, 1 + Math.floor(Math.random() * (target === 'rename' ? 2 : 20)));
    return target === 'commit';
  }
  const hitsEngine = target === 'engine' || target === 'both' || target === 'rename';
  const hitsServer = target === 'server' || target === 'both' || target === 'commit';
  if (hitsEngine) server.signal('engine', 'SIGKILL');
  if (hitsServer) server.signal('server', 'SIGKILL');
  count(isTrap ? `kills at random instead of at a ${target}, for want of strace` : `kills of ${target}`);
  return hitsServer;
}

test(`loses and doubles nothing over ${ROUNDS} kills`, { timeout: 30_000 + ROUNDS * 30_000 }, async ({ annotate }) => {
  for (let round = 0; round < ROUNDS; round++) {
    load.start(server, 10);
    const target = TARGETS[round % TARGETS.length] ?? 'server';
    await pause(200 + Math.random() * 1_800);
    const ackedBefore = load.acked;
    const isServerGone = await strike(target);
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
