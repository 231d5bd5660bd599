import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@glasshouse/model';
import type { SegmentFile } from '@glasshouse/store';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { DrainEvent } from './drain.ts';
import { Drain } from './drain.ts';
import { encodeFrame } from './frame.ts';
import type { DayStore } from './hand-over.ts';
import { FactHandOver } from './hand-over.ts';
import { QUARANTINE } from './recover.ts';
import type { SegmentInfo } from './segment.ts';
import { segmentName } from './segment.ts';

const TODAY = 20_000;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'glasshouse-drain-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** The table: rows by segment and day. `plan` says what goes wrong with the inserts to come. */
class FakeStore implements DayStore {
  readonly rows = new Map<string, number>();
  readonly calls: string[] = [];
  plan: (segment: SegmentFile) => 'store' | Error | { readonly stored: readonly number[]; readonly failure: Error } =
    () => 'store';

  insertSegment(segment: SegmentFile): Promise<void> {
    return this.#insert('insert', segment, [...segment.days.keys()]);
  }

  insertDays(segment: SegmentFile, days: readonly number[]): Promise<void> {
    return this.#insert(`insert ${days.join()} of`, segment, days);
  }

  async #insert(what: string, segment: SegmentFile, days: readonly number[]): Promise<void> {
    await Promise.resolve();
    this.calls.push(`${what} ${segment.id}`);
    const outcome = this.plan(segment);
    if (outcome instanceof Error) throw outcome;
    for (const day of outcome === 'store' ? days : outcome.stored) {
      const key = `${segment.id}/${day}`;
      this.rows.set(key, (this.rows.get(key) ?? 0) + (segment.days.get(day) ?? 0));
    }
    if (outcome !== 'store') throw outcome.failure;
  }

  async settled(segment: SegmentFile): Promise<void> {
    await Promise.resolve();
    this.calls.push(`settled ${segment.id}`);
  }

  async missingDays(segment: SegmentFile): Promise<number[]> {
    await Promise.resolve();
    this.calls.push(`missing ${segment.id}`);
    for (const [day, expected] of segment.days) {
      const count = this.rows.get(`${segment.id}/${day}`) ?? expected;
      if (count !== expected) throw new AppError('internal', `day ${day} holds ${count} of ${expected} rows`);
    }
    return [...segment.days.keys()].filter((day) => !this.rows.has(`${segment.id}/${day}`));
  }
}

class StoreError extends AppError {
  readonly number: number;
  constructor(number: number) {
    super(number === 0 ? 'unavailable' : 'bad_request', `error ${number}`);
    this.number = number;
  }
}

const AWAY = new StoreError(0);
const NO_SUCH_COLUMN = new StoreError(16);
const NO_MEMORY = new StoreError(241);

function segment(id: bigint, days = new Map([[TODAY, 10]]), unchecked = false): SegmentInfo {
  const path = join(directory, segmentName({ table: 'spans', id, repaired: false }));
  writeFileSync(path, 'frames');
  const rows = [...days.values()].reduce((sum, count) => sum + count, 0);
  return { table: 'spans', id, path, bytes: 6, rows, days, repaired: false, unchecked };
}

/** A drain whose clock runs as fast as it is asked to. */
function drainOf(
  store: DayStore,
  retentionDays?: number,
): { drain: Drain; events: DrainEvent[]; clock: { nowMs: number }; settle: (done: () => boolean) => Promise<void> } {
  const events: DrainEvent[] = [];
  const clock = { nowMs: TODAY * 86_400_000 };
  const now = (): number => clock.nowMs;
  const handOver = new FactHandOver({ store, now, retentionDays });
  const drain = new Drain({ handOver, onEvent: (event) => events.push(event), now });
  const settle = async (done: () => boolean): Promise<void> => {
    const running = drain.run();
    for (let turn = 0; turn < 10_000 && !done(); turn++) {
      clock.nowMs += 200;
      drain.add([]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    drain.stop();
    await running;
    expect(done(), 'done within the turns').toBe(true);
  };
  return { drain, events, clock, settle };
}

describe('the drain', () => {
  test('inserts a sealed segment, removes it and asks nothing about it', async () => {
    const store = new FakeStore();
    const { drain, events, settle } = drainOf(store);
    drain.add([segment(1n), segment(2n)]);
    expect(drain).toMatchObject({ backlogSegments: 2, backlogBytes: 12, wantsMore: false });
    await settle(() => drain.backlogSegments === 0);
    expect(store.calls).toEqual(['insert 1', 'insert 2']);
    expect(readdirSync(directory)).toEqual([]);
    expect(drain.counts).toMatchObject({ insertedRows: 20, insertedSegments: 2, failedAttempts: 0 });
    expect(events).toEqual([]);
    expect(drain.wantsMore).toBe(true);
  });

  test('hands over what was gathered of a segment, and the segment where that fails', async () => {
    const store = new FakeStore();
    const inserted: string[] = [];
    store.plan = ({ path }) => (inserted.push(path) === 1 ? AWAY : 'store');
    const { drain, settle } = drainOf(store);
    const gathered = (id: bigint): SegmentInfo => {
      const one = segment(id);
      const path = `${one.path}.gathered`;
      writeFileSync(path, 'more');
      return { ...one, gathered: path };
    };
    const [first, second] = [gathered(1n), gathered(2n)];
    drain.add([first, second]);
    await settle(() => drain.backlogSegments === 0);
    expect(inserted).toEqual([first.gathered, second.gathered, first.path]);
    expect(readdirSync(directory)).toEqual([]);
    expect(drain.counts).toMatchObject({ insertedRows: 20, failedAttempts: 1 });
  });

  test('keeps no second file of segments that wait for long', async () => {
    const { drain, settle } = drainOf(new FakeStore());
    const paths = Array.from({ length: 20 }, (_, index) => {
      const one = segment(BigInt(index));
      const path = `${one.path}.gathered`;
      writeFileSync(path, 'more');
      drain.add([{ ...one, gathered: path }]);
      return path;
    });
    await vi.waitFor(() => expect(paths.filter((path) => existsSync(path))).toEqual(paths.slice(0, 16)));
    await settle(() => drain.backlogSegments === 0);
    expect(readdirSync(directory)).toEqual([]);
    expect(drain.counts.failedAttempts).toBe(0);
  });

  test('asks the table about a leftover first, and inserts nothing that is there', async () => {
    const store = new FakeStore();
    store.rows.set(`1/${TODAY}`, 10);
    const { drain, settle } = drainOf(store);
    drain.recover({ segments: [segment(1n), segment(2n)], torn: [{ path: '', bytes: 1 }], damaged: [], failed: [] });
    await settle(() => drain.backlogSegments === 0);
    expect(store.calls).toEqual(['settled 1', 'missing 1', 'settled 2', 'missing 2', 'insert 2', 'missing 2']);
    expect(drain.counts).toMatchObject({ replayedSegments: 2, completedSegments: 0, tornSegments: 1 });
    expect([...store.rows.values()]).toEqual([10, 10]);
  });

  test('inserts only the days that are missing', async () => {
    const store = new FakeStore();
    store.rows.set(`1/${TODAY}`, 3);
    const { drain, settle } = drainOf(store);
    drain.add(
      [
        segment(
          1n,
          new Map([
            [TODAY - 1, 4],
            [TODAY, 3],
          ]),
        ),
      ],
      true,
    );
    await settle(() => drain.backlogSegments === 0);
    expect(store.calls).toContain(`insert ${TODAY - 1} of 1`);
    expect(Object.fromEntries(store.rows)).toEqual({ [`1/${TODAY - 1}`]: 4, [`1/${TODAY}`]: 3 });
    expect(drain.counts).toMatchObject({ replayedSegments: 1, completedSegments: 1 });
  });

  test('stores once what was stored although the answer was lost', async () => {
    const store = new FakeStore();
    let calls = 0;
    store.plan = ({ days }) => (calls++ === 0 ? { stored: [...days.keys()], failure: AWAY } : 'store');
    const { drain, events, settle } = drainOf(store);
    drain.add([segment(1n)]);
    await settle(() => drain.backlogSegments === 0);
    expect([...store.rows.values()]).toEqual([10]);
    expect(events.map(({ type }) => type)).toEqual(['failed', 'replayed']);
  });

  test('waits longer and longer for a store that is away, and loses nothing', async () => {
    const store = new FakeStore();
    store.plan = () => AWAY;
    const { drain, clock, settle } = drainOf(store);
    drain.add([segment(1n), segment(2n)]);
    const startMs = clock.nowMs;
    await settle(() => clock.nowMs - startMs > 60_000);
    expect(drain.healthy).toBe(false);
    expect(drain.behindSegments).toBe(2);
    expect(store.calls.filter((call) => call.startsWith('insert')).length).toBeLessThan(25);
    store.plan = () => 'store';
    drain.retryNow();
    await settle(() => drain.backlogSegments === 0);
    expect(drain.healthy).toBe(true);
    expect([...store.rows.values()]).toEqual([10, 10]);
  });

  test('asks for more now and then while nothing is taken, lest a bad segment is all it has', async () => {
    const store = new FakeStore();
    store.plan = () => NO_MEMORY;
    const { drain, clock, settle } = drainOf(store);
    drain.add([segment(1n)]);
    expect(drain.wantsMore).toBe(false);
    // Not through `settle`, which adds nothing all the time and so puts the question off.
    const running = drain.run();
    while (!drain.wantsMore) {
      clock.nowMs += 500;
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(clock.nowMs).toBeLessThan(TODAY * 86_400_000 + 3_600_000);
    }
    drain.stop();
    await running;
    await settle(() => true);
  });

  test('never gives up what the store is only too busy for', async () => {
    const store = new FakeStore();
    store.plan = ({ id }) => (id === 1n ? NO_MEMORY : 'store');
    const { drain, settle } = drainOf(store);
    drain.add([segment(1n), segment(2n)]);
    await settle(() => drain.counts.failedAttempts > 20);
    expect(drain.counts.quarantinedSegments).toBe(0);
    expect(existsSync(join(directory, segmentName({ table: 'spans', id: 1n, repaired: false })))).toBe(true);
    expect(drain.behindSegments).toBe(0);
  });

  test('does not wait for days that the store has dropped for their age', async () => {
    const store = new FakeStore();
    const old = TODAY - 90;
    store.plan = () => ({ stored: [], failure: AWAY });
    const { drain, settle } = drainOf(store, 90);
    drain.add([segment(1n, new Map([[old, 5]]))], true);
    store.insertSegment = () => Promise.resolve();
    await settle(() => drain.backlogSegments === 0);
    expect(drain.counts.insertedSegments).toBe(1);
  });

  test('goes on when a segment was inserted but cannot be removed, and does not insert it again', async () => {
    const store = new FakeStore();
    const { drain, settle } = drainOf(store);
    const one = segment(1n);
    rmSync(one.path);
    drain.add([{ ...one, path: directory }, segment(2n)]);
    await settle(() => drain.counts.failedAttempts > 2 && drain.backlogSegments === 1);
    expect(store.calls).toEqual(['insert 1', 'insert 2']);
    expect(drain.counts.insertedRows).toBe(20);
  });

  test('reports a segment that somebody removed, and goes on', async () => {
    const store = new FakeStore();
    const { drain, events, settle } = drainOf(store);
    const one = segment(1n);
    rmSync(one.path);
    store.plan = ({ id }) => (id === 1n ? new StoreError(107) : 'store');
    drain.add([one, segment(2n)]);
    await settle(() => drain.backlogSegments === 0);
    expect(events).toMatchObject([{ type: 'vanished' }]);
    expect(drain.counts).toMatchObject({ vanishedSegments: 1, insertedSegments: 1 });
  });

  test('cuts what a failed write left behind before it hands a segment over', async () => {
    const days = new Map([[TODAY, 2]]);
    const one = segment(1n, days, true);
    const { parts, length } = encodeFrame([Buffer.from('rows')], 2, days, { segment: 1n, sequence: 0 });
    writeFileSync(one.path, Buffer.concat([...parts, Buffer.alloc(100)]));
    const store = new FakeStore();
    let size = 0;
    store.plan = ({ path }) => {
      size = readFileSync(path).length;
      return 'store';
    };
    const { drain, settle } = drainOf(store);
    drain.add([one]);
    await settle(() => drain.backlogSegments === 0);
    expect(size).toBe(length);
  });
});

describe('a segment that the store refuses', () => {
  test('holds nobody up and is put aside when others were taken', async () => {
    const store = new FakeStore();
    store.plan = ({ id }) => (id === 1n ? NO_SUCH_COLUMN : 'store');
    const { drain, events, settle } = drainOf(store);
    drain.add([segment(1n), segment(2n)]);
    await settle(() => drain.counts.insertedSegments === 1 && drain.backlogSegments === 1);
    expect(drain).toMatchObject({ healthy: true, behindSegments: 0, wantsMore: true });
    await settle(() => drain.backlogSegments === 0);
    expect(events.at(-1)).toMatchObject({ type: 'quarantined', error: 'error 16' });
    expect(readdirSync(directory)).toEqual([QUARANTINE]);
    expect(readdirSync(join(directory, QUARANTINE))).toEqual(['spans.0000000000000001.gz']);
  });

  test('is kept for as long as the store takes nothing else: perhaps its tables are not made yet', async () => {
    const store = new FakeStore();
    store.plan = () => NO_SUCH_COLUMN;
    const { drain, settle } = drainOf(store);
    drain.add([segment(1n), segment(2n)]);
    await settle(() => drain.counts.failedAttempts > 40);
    expect(drain.counts.quarantinedSegments).toBe(0);
    store.plan = () => 'store';
    await settle(() => drain.backlogSegments === 0);
    expect([...store.rows.values()]).toEqual([10, 10]);
  });

  test('is one of which the table holds a part of a day', async () => {
    const store = new FakeStore();
    store.rows.set(`1/${TODAY}`, 4);
    const { drain, settle } = drainOf(store);
    drain.add([segment(1n), segment(2n)], true);
    await settle(() => drain.backlogSegments === 0);
    expect(drain.counts.quarantinedSegments).toBe(1);
    expect(store.rows.get(`1/${TODAY}`)).toBe(4);
  });

  test('stays in the log if it cannot be put aside', async () => {
    writeFileSync(join(directory, QUARANTINE), 'in the way');
    const store = new FakeStore();
    store.plan = ({ id }) => (id === 1n ? NO_SUCH_COLUMN : 'store');
    const { drain, settle } = drainOf(store);
    drain.add([segment(1n), segment(2n)]);
    await settle(() => drain.counts.failedAttempts > 15);
    expect(drain.backlogSegments).toBe(1);
  });
});
