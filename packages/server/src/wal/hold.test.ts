import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@glasshouse/model';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Drain } from './drain.ts';
import type { Completed, HandOver } from './hand-over.ts';
import type { SegmentInfo } from './segment.ts';
import { segmentName } from './segment.ts';

let directory: string;
let drain: Drain;
let running: Promise<void>;
let way: Way;

/** A store that takes segments when it is told to. */
class Way implements HandOver {
  /** What was done to the end. */
  readonly done: string[] = [];
  /** What became of each attempt, by name; without an entry it is taken. */
  readonly outcomes = new Map<string, () => Promise<void>>();
  attempts = 0;

  async insert({ table, id }: SegmentInfo): Promise<void> {
    this.attempts++;
    await this.outcomes.get(`${table} ${id}`)?.();
    this.done.push(`${table} ${id}`);
  }

  async complete(segment: SegmentInfo): Promise<Completed> {
    await this.insert(segment);
    return { missing: 1, of: 1 };
  }
}

const fails = (): Promise<void> => Promise.reject(new AppError('unavailable', 'no'));

function start(holdWaitMs = 10_000): void {
  way = new Way();
  drain = new Drain({
    handOver: way,
    onEvent: () => undefined,
    now: Date.now,
    inOrder: new Set(['events']),
    holdWaitMs,
  });
  running = drain.run();
}

function segment(table: string, id: bigint): SegmentInfo {
  const path = join(directory, segmentName({ table, id, repaired: false }));
  writeFileSync(path, 'frames');
  return { table, id, path, bytes: 6, rows: 1, days: new Map([[1, 1]]), repaired: false, unchecked: false };
}

async function until(isSo: () => boolean): Promise<void> {
  await expect.poll(isSo, { interval: 5, timeout: 10_000 }).toBe(true);
}

async function refusal(act: Promise<unknown>): Promise<AppError> {
  return act.then(
    () => expect.fail('it was not refused'),
    (error: unknown) => error as AppError,
  );
}

/** Long enough for the drain to do what it must not. */
const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'glasshouse-hold-'));
  start();
});
afterEach(async () => {
  drain.stop();
  await running;
  rmSync(directory, { recursive: true });
});

describe('while the drain is held', () => {
  test('nothing is handed over, and all of it afterwards', async () => {
    const release = await drain.hold();
    drain.add([segment('events', 1n), segment('spans', 2n)]);
    await aWhile();
    expect(way.attempts).toBe(0);
    release();
    await until(() => drain.backlogSegments === 0);
    expect(way.done).toEqual(['events 1', 'spans 2']);
  });

  test('another holder waits for its turn, and letting go twice does not end it', async () => {
    const first = await drain.hold();
    const order: number[] = [];
    const second = drain.hold().then((release) => {
      order.push(2);
      return release;
    });
    const third = drain.hold().then((release) => {
      order.push(3);
      return release;
    });
    await aWhile();
    expect(order).toEqual([]);
    first();
    const release = await second;
    first();
    drain.add([segment('spans', 1n)]);
    await aWhile();
    expect([order, way.attempts]).toEqual([[2], 0]);
    release();
    (await third)();
    await until(() => drain.backlogSegments === 0);
  });
});

describe('a hold', () => {
  test('comes when the segment on its way is in the store', async () => {
    const taken = Promise.withResolvers<void>();
    way.outcomes.set('spans 1', () => taken.promise);
    drain.add([segment('spans', 1n)]);
    await until(() => way.attempts === 1);
    let isHeld = false;
    const held = drain.hold().then((release) => {
      isHeld = true;
      return release;
    });
    await aWhile();
    expect(isHeld).toBe(false);
    taken.resolve();
    (await held)();
  });

  test('comes when a segment of a table in order that failed is there whole, and none behind it has begun', async () => {
    way.outcomes.set('events 1', fails);
    drain.add([segment('events', 1n), segment('events', 2n)]);
    await until(() => drain.counts.failedAttempts > 0);
    let isHeld = false;
    const held = drain.hold().then((release) => {
      isHeld = true;
      return release;
    });
    await aWhile();
    expect([isHeld, way.done]).toEqual([false, []]);
    way.outcomes.clear();
    const release = await held;
    expect(way.done).toEqual(['events 1']);
    await aWhile();
    expect(way.done).toEqual(['events 1']);
    release();
    await until(() => drain.backlogSegments === 0);
    expect(way.done).toEqual(['events 1', 'events 2']);
  });

  test('comes when all that a start found of a table in order is there: any of it may be half in the store', async () => {
    drain.add([segment('events', 2n), segment('events', 1n)], true);
    (await drain.hold())();
    expect(way.done).toEqual(['events 1', 'events 2']);
  });

  test('lets facts go on while it waits, and does not wait for one that failed', async () => {
    way.outcomes.set('events 1', fails);
    way.outcomes.set('spans 3', () => Promise.reject(new AppError('internal', 'no')));
    drain.add([segment('events', 1n), segment('spans', 3n)]);
    await until(() => drain.counts.failedAttempts > 1);
    const held = drain.hold();
    drain.add([segment('spans', 4n)]);
    drain.retryNow();
    await until(() => way.done.includes('spans 4'));
    way.outcomes.delete('events 1');
    const release = await held;
    expect(way.done).toContain('events 1');
    expect(way.done).not.toContain('spans 3');
    release();
  });
});

describe('a hold that does not come in time', () => {
  test('is refused with the segment that is in the way, and the drain goes on', async () => {
    drain.stop();
    await running;
    start(300);
    way.outcomes.set('events 1', fails);
    drain.add([segment('events', 1n)]);
    await until(() => drain.counts.failedAttempts > 0);
    const refused = await refusal(drain.hold());
    expect(refused).toMatchObject({ code: 'unavailable', retryAfterSeconds: 5 });
    expect(refused.message).toBe(
      'cannot hold the hand-over to the store: segment=events.0000000000000001.gz is in the store in part, and the rest was ' +
        'not taken within 0.3 s; try again later',
    );
    way.outcomes.clear();
    drain.add([segment('events', 2n)]);
    await until(() => drain.backlogSegments === 0);
    (await drain.hold())();
  });

  test('is refused while another one lasts, and does not keep those behind it from theirs', async () => {
    drain.stop();
    await running;
    start(300);
    const first = await drain.hold();
    expect((await refusal(drain.hold())).message).toContain('another change has not ended within 0.3 s');
    const third = drain.hold();
    first();
    (await third)();
    drain.add([segment('spans', 1n)]);
    await until(() => drain.backlogSegments === 0);
  });

  test('is refused while a segment takes too long', async () => {
    drain.stop();
    await running;
    start(300);
    const taken = Promise.withResolvers<void>();
    way.outcomes.set('spans 1', () => taken.promise);
    drain.add([segment('spans', 1n)]);
    await until(() => way.attempts === 1);
    expect((await refusal(drain.hold())).message).toContain(
      'segment=spans.0000000000000001.gz is still being handed over',
    );
    taken.resolve();
    await until(() => drain.backlogSegments === 0);
  });
});
