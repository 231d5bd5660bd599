/**
 * How a server ends and how it begins: in order it leaves everything acknowledged in segments or tables; a second request to
 * stop ends it at once; and no second server gets at the data directory of a running one.
 */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SPANS } from './support/durability-spans.ts';
import { Load } from './support/durability-load.ts';
import { KillableServer } from './support/durability-server.ts';

const NOTHING_LOST = { lost: 0, doubled: 0, partial: 0, strange: 0 };
let dataDir: string;
let load: Load;
let server: KillableServer;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'glasshouse-stop-'));
  load = new Load(SPANS);
  server = await KillableServer.start(dataDir, {});
});
afterEach(async () => {
  await load.stop();
  await server.end();
  rmSync(dataDir, { recursive: true, force: true });
});

function segmentFiles(): string[] {
  return readdirSync(join(dataDir, 'wal')).filter((name) => name.endsWith('.gz'));
}

test('stops in order under load, with everything acknowledged handed over', async () => {
  load.start(server, 10);
  await pause(1_500);
  server.signal('server', 'SIGTERM');
  expect(await server.exited()).toEqual({ code: 0, signal: null });
  await load.stop();
  expect(segmentFiles(), server.logs()).toEqual([]);
  server = await KillableServer.start(dataDir, {});
  await server.drained();
  const verdict = await load.verify(server);
  expect(verdict).toMatchObject(NOTHING_LOST);
  expect(verdict.acked).toBeGreaterThan(0);
});

test('stops in order while the engine hangs, and hands over at the next start', async () => {
  load.start(server, 10);
  await pause(700);
  server.signal('engine', 'SIGSTOP');
  await pause(700);
  server.signal('server', 'SIGTERM');
  expect(await server.exited()).toEqual({ code: 0, signal: null });
  await load.stop();
  expect(segmentFiles()).not.toEqual([]);
  server = await KillableServer.start(dataDir, {});
  await server.drained();
  expect(await load.verify(server)).toMatchObject(NOTHING_LOST);
});

test('ends at once when it is told a second time', async () => {
  load.start(server, 10);
  await pause(700);
  server.signal('engine', 'SIGSTOP');
  server.signal('server', 'SIGTERM');
  await pause(300);
  expect(server.isRunning).toBe(true);
  server.signal('server', 'SIGTERM');
  expect((await server.exited()).code).not.toBe(0);
  await load.stop();
  // Nobody is left to let the engine go on and see that its parent is gone.
  server.signal('engine', 'SIGCONT');
  server = await KillableServer.start(dataDir, {});
  await server.drained();
  expect(await load.verify(server)).toMatchObject(NOTHING_LOST);
});

test('refuses a second server on its data directory, and goes on', async () => {
  load.start(server, 10);
  await pause(300);
  await expect(KillableServer.start(dataDir, {})).rejects.toThrow(
    /cannot open dataDir=.*another server \(pid \d+\) is using it/,
  );
  await pause(300);
  await load.stop();
  await server.drained();
  expect(await load.verify(server)).toMatchObject(NOTHING_LOST);
});
