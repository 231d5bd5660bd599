import { tmpdir } from 'node:os';
import { AppError } from '@glasshouse/model';
import { afterEach, expect, test } from 'vitest';
import type { Backlog, RoomOptions } from './room.ts';
import { LogRoom } from './room.ts';

const OPTIONS: RoomOptions = {
  directory: tmpdir(),
  maxBytes: 1_000,
  reserveBytes: 0,
  maxBehindSegments: 2,
  maxWaitMs: 200,
};
const rooms: LogRoom[] = [];

afterEach(() => {
  for (const room of rooms.splice(0)) room.stop();
});

/** A backlog whose store takes one segment each time that `step` is called. */
class Scripted implements Backlog {
  backlogBytes = 0;
  behindSegments = 0;
  healthy = true;
  #waiting: (() => void)[] = [];

  progress(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  step(): void {
    this.behindSegments--;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function roomWith(backlog: Backlog, options: Partial<RoomOptions> = {}): LogRoom {
  const room = new LogRoom({ ...OPTIONS, ...options }, backlog);
  rooms.push(room);
  return room;
}

async function refusal(room: LogRoom): Promise<AppError> {
  const error: unknown = await room.ready().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

test('has room while the log is small and the store keeps up', async () => {
  await expect(roomWith(new Scripted()).ready()).resolves.toBeUndefined();
});

test('refuses retryably when the log has its limit', async () => {
  const backlog = new Scripted();
  backlog.backlogBytes = 1_000;
  const room = roomWith(backlog);
  expect(await refusal(room)).toMatchObject({ code: 'unavailable', retryAfterSeconds: 5 });
  expect(room.refused.log_full).toBe(1);
  backlog.backlogBytes = 999;
  await room.ready();
});

test('refuses retryably when the disk is nearly full', async () => {
  const room = roomWith(new Scripted(), { reserveBytes: Number.MAX_SAFE_INTEGER });
  await room.checkDisk();
  expect(await refusal(room)).toMatchObject({ code: 'unavailable' });
  expect(room.refused.disk_full).toBe(1);
});

test('goes on where the file system cannot tell its space', async () => {
  const room = roomWith(new Scripted(), { directory: '/nowhere/at/all', reserveBytes: 1 });
  await room.checkDisk();
  await expect(room.ready()).resolves.toBeUndefined();
});

test('lets senders wait while a healthy store is behind', async () => {
  const backlog = new Scripted();
  backlog.behindSegments = 4;
  const room = roomWith(backlog, { maxWaitMs: 60_000 });
  let isReady = false;
  const ready = room.ready().then(() => (isReady = true));
  backlog.step();
  await new Promise((resolve) => setImmediate(resolve));
  expect(isReady).toBe(false);
  backlog.step();
  await ready;
});

test('refuses after the longest wait', async () => {
  const backlog = new Scripted();
  backlog.behindSegments = 4;
  const room = roomWith(backlog, { maxWaitMs: 20 });
  expect(await refusal(room)).toMatchObject({ code: 'unavailable' });
  expect(room.refused.behind).toBe(1);
});

test('does not pace senders by a store that is away: the log takes it', async () => {
  const backlog = new Scripted();
  backlog.behindSegments = 400;
  backlog.healthy = false;
  await expect(roomWith(backlog).ready()).resolves.toBeUndefined();
});
