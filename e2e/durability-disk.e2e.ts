/**
 * The durability contract when what the server stands on gives way: the disk is full, the engine is killed again and again,
 * hangs, or runs out of memory. Senders get 2xx or a retryable answer throughout, and nothing acknowledged is lost.
 *
 * GLASSHOUSE_DOWN_SECONDS sets how long the engine is kept down; a few seconds by default.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fillDisk, smallDisk } from './support/disk.ts';
import { SPANS } from './support/durability-spans.ts';
import { Load } from './support/durability-load.ts';
import { KillableServer } from './support/durability-server.ts';

const DOWN_MS = Number(process.env['GLASSHOUSE_DOWN_SECONDS'] ?? 6) * 1_000;
const NOTHING_LOST = { lost: 0, doubled: 0, partial: 0, strange: 0 };
const RETRYABLE = [429, 503];

let root: string;
let load: Load;
let server: KillableServer | undefined;
let unmount: (() => void) | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'glasshouse-disk-'));
  load = new Load(SPANS);
});
afterEach(async () => {
  await load.stop();
  await server?.end();
  unmount?.();
  unmount = undefined;
  rmSync(root, { recursive: true, force: true });
});

/** Statuses that neither acknowledge nor ask for another try. */
function wrongStatuses(): number[] {
  return [...load.statuses.keys()].filter((status) => status !== 200 && !RETRYABLE.includes(status));
}

/** Resolves when more batches are acknowledged than now. */
async function acksAgain(withinMs: number): Promise<void> {
  const before = load.acked;
  const deadline = Date.now() + withinMs;
  while (load.acked === before) {
    expect(Date.now(), `acknowledged again\n${server?.logs()}`).toBeLessThan(deadline);
    await pause(20);
  }
}

async function refusals(): Promise<number> {
  return RETRYABLE.reduce((sum, status) => sum + (load.statuses.get(status) ?? 0), 0);
}

test.each([
  ['the write itself fails', '0'],
  ['little is left', '32MiB'],
])('a full disk, where %s, is answered retryably and costs nothing', async (_, reserve) => {
  const disk = join(root, 'disk');
  unmount = smallDisk(disk, 400);
  server = await KillableServer.start(join(disk, 'data'), {
    GLASSHOUSE_DISK_RESERVE: reserve,
    GLASSHOUSE_SEAL_MS: '100',
  });
  load.start(server, 20);
  await acksAgain(5_000);
  await pause(1_000);
  const free = fillDisk(disk);
  await pause(4_000);
  expect(await refusals(), 'refused while the disk is full').toBeGreaterThan(0);
  free();
  await acksAgain(20_000);
  await pause(500);
  await load.stop();
  expect(wrongStatuses()).toEqual([]);
  expect(server.isRunning).toBe(true);
  await server.drained();
  expect(await load.verify(server), server.logs()).toMatchObject(NOTHING_LOST);
  expect(await server.metric('drain_quarantined_segments_total')).toBe(0);
});

test(
  'an engine that is killed again and again, then hangs, stops no acknowledgement',
  { timeout: 120_000 + 3 * DOWN_MS },
  async () => {
    server = await KillableServer.start(join(root, 'data'), {
      GLASSHOUSE_SEAL_MS: '100',
      GLASSHOUSE_SEGMENT_ROWS: '100000',
    });
    load.start(server, 40);
    await acksAgain(5_000);
    const end = Date.now() + DOWN_MS;
    while (Date.now() < end) {
      server.signal('engine', 'SIGKILL');
      await pause(200);
      await acksAgain(2_000);
    }
    // It must be up again to be stopped in the middle of something.
    await server.caughtUp();
    const hangs = server.enginePid;
    server.signal('engine', 'SIGSTOP');
    const endOfHang = Date.now() + DOWN_MS;
    while (Date.now() < endOfHang) {
      await acksAgain(10_000);
      await pause(200);
    }
    expect(server.enginePid).toBe(hangs);
    server.signal('engine', 'SIGCONT');
    await load.stop();
    expect(wrongStatuses()).toEqual([]);
    await server.drained(120_000);
    expect(await load.verify(server), server.logs()).toMatchObject(NOTHING_LOST);
  },
);

test('a query that takes all memory fails clearly and does not touch ingestion', async () => {
  server = await KillableServer.start(join(root, 'data'), {
    GLASSHOUSE_SEAL_MS: '100',
    GLASSHOUSE_ENGINE_MAX_MEMORY: '512MiB',
    GLASSHOUSE_QUERY_MAX_MEMORY: '8GiB',
  });
  load.start(server, 20);
  await acksAgain(5_000);
  await pause(500);
  const heavy =
    "SELECT length(groupArray(toString(number) || 'some text that takes up memory')) FROM numbers(200000000)";
  await Promise.all(
    [1, 2, 3].map(async () => {
      await expect(server?.sql(heavy)).rejects.toThrow(/memory/i);
    }),
  );
  await acksAgain(2_000);
  await load.stop();
  expect(wrongStatuses()).toEqual([]);
  expect(await refusals()).toBe(0);
  await server.drained();
  expect(await load.verify(server), server.logs()).toMatchObject(NOTHING_LOST);
});
