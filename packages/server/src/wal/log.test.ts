import { closeSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Block } from '@glasshouse/native';
import { FACT_TABLES } from '@glasshouse/schema';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { encodeFrame } from './frame.ts';
import { Log } from './log.ts';
import type { LogOptions } from './log.ts';
import { recoverSegments } from './recover.ts';
import { scanFrames } from './scan.ts';
import { SegmentWriter } from './segment.ts';
import type { SegmentInfo } from './segment.ts';

let directory: string;

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'glasshouse-log-')), 'wal');
  mkdirSync(directory);
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }));

function openLog(limits: Partial<Pick<LogOptions, 'gathers' | 'maxSegmentBytes' | 'maxSegmentRows'>> = {}): Log {
  const most = { maxSegmentRows: 1_000_000, maxSegmentBytes: 2 ** 30 };
  return new Log({ directory, node: 1, now: Date.now, ...most, ...limits });
}

/** A block whose rows have the default of every column; all on the first day of 1970. */
function blockOf(table: string, rows: number): Block {
  const description = FACT_TABLES.find(({ name }) => name === table);
  if (description === undefined) throw new Error(`no table ${table}`);
  const block = new Block(description);
  for (let row = 0; row < rows; row++) {
    for (const { name } of description.columns) block.column(name, Object as never).appendDefault();
    block.days.add(0, 0);
    block.rows++;
  }
  return block;
}

describe('a commit', () => {
  test('makes the rows of every table durable in a segment of its own', async () => {
    const log = openLog();
    const { bytes, failures } = await log.commit([blockOf('spans', 3), blockOf('logs', 2), blockOf('metrics_sum', 0)]);
    expect(failures.size).toBe(0);
    expect(bytes).toBeGreaterThan(0);
    expect(log.openRows).toBe(5);
    // As a crash would leave it.
    const { segments } = recoverSegments(directory);
    expect(segments.map(({ table, rows }) => `${table} ${rows}`).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'logs 2',
      'spans 3',
    ]);
  });

  test('appends to the open segment, and a sealed one says what a recovery would', async () => {
    const log = openLog();
    await log.commit([blockOf('spans', 3)]);
    await log.commit([blockOf('spans', 4)]);
    log.seal();
    const sealed = log.takeSealed();
    expect(sealed).toMatchObject([{ table: 'spans', rows: 7, days: new Map([[0, 7]]) }]);
    expect(recoverSegments(directory).segments).toEqual(sealed);
    expect(log.takeSealed()).toEqual([]);
    expect(log.openRows).toBe(0);
  });

  test('seals a segment that has its limit of rows or bytes', async () => {
    for (const limits of [{ maxSegmentRows: 5 }, { maxSegmentBytes: 100 }]) {
      const log = openLog(limits);
      await log.commit([blockOf('spans', 5)]);
      expect(log.takeSealed().length).toBe(1);
    }
  });

  test('gives ids that grow, also after a restart', async () => {
    const ids: bigint[] = [];
    for (let start = 0; start < 3; start++) {
      const log = openLog({ maxSegmentRows: 1 });
      for (let time = 0; time < 3; time++) await log.commit([blockOf('spans', 1)]);
      ids.push(...log.takeSealed().map(({ id }) => id));
    }
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => (a < b ? -1 : 1)));
  });
});

describe('a commit that is not over', () => {
  test('has taken all that is in the blocks, which may be filled again', async () => {
    const log = openLog();
    const block = blockOf('spans', 3);
    const committing = log.commit([block]);
    block.reset();
    block.days.add(0, 1 << 28);
    expect(log.openRows).toBe(0);
    expect((await committing).failures.size).toBe(0);
    expect(log.openRows).toBe(3);
    log.seal();
    const sealed = log.takeSealed();
    expect(sealed).toMatchObject([{ table: 'spans', rows: 3, days: new Map([[0, 3]]) }]);
    expect(recoverSegments(directory).segments).toEqual(sealed);
  });

  test('is alone with the log', async () => {
    const log = openLog();
    const committing = log.commit([blockOf('spans', 1)]);
    await expect(log.commit([blockOf('spans', 1)])).rejects.toThrow('a commit of the log is not over');
    expect(() => log.seal()).toThrow('a commit of the log is not over');
    expect(() => log.close()).toThrow('a commit of the log is not over');
    await committing;
    log.seal();
    expect(log.takeSealed()).toMatchObject([{ rows: 1 }]);
  });
});

describe('rows of a table that are gathered', () => {
  const gathers = new Set(['spans']);
  /** Rows of each frame that a segment has gathered. */
  function framesOf(segment: SegmentInfo | undefined): number[] | undefined {
    if (segment?.gathered === undefined) return undefined;
    const bytes = readFileSync(segment.gathered);
    const { frames } = scanFrames((at, length) => bytes.subarray(at, at + length), bytes.length, segment.id);
    return frames.map(({ rows }) => rows);
  }

  test('are in one frame, and in the segment as ever', async () => {
    const log = openLog({ gathers });
    for (const rows of [3, 4, 1]) await log.commit([blockOf('spans', rows), blockOf('logs', rows)]);
    log.seal();
    const sealed = log.takeSealed();
    expect(sealed.map(({ table, gathered }) => [table, gathered !== undefined])).toEqual([
      ['spans', true],
      ['logs', false],
    ]);
    const [spans] = sealed;
    expect(framesOf(spans)).toEqual([8]);
    // They are whoever's the segment is.
    expect(recoverSegments(directory, new Set(sealed.map(({ path }) => path))).segments).toEqual([]);
    expect(framesOf(spans)).toEqual([8]);
  });

  test('are written before they are many', async () => {
    const log = openLog({ gathers });
    const rows = 500;
    for (let time = 0; time < 40; time++) await log.commit([blockOf('spans', rows)]);
    log.seal();
    expect(framesOf(log.takeSealed()[0])).toEqual([16_500, 3_500]);
  });

  test('are not, where some came in a large frame', async () => {
    const log = openLog({ gathers });
    for (const rows of [...Array.from({ length: 40 }, () => 500), 600, 1]) await log.commit([blockOf('spans', rows)]);
    log.seal();
    expect(framesOf(log.takeSealed()[0])).toBeUndefined();
    expect(readdirSync(directory).filter((name) => name.endsWith('.gathered'))).toEqual([]);
    for (const rows of [2, 3]) await log.commit([blockOf('spans', rows)]);
    log.seal();
    expect(framesOf(log.takeSealed()[0])).toEqual([5]);
  });

  test('are not, where they came in one frame', async () => {
    const log = openLog({ gathers });
    await log.commit([blockOf('spans', 3)]);
    log.seal();
    expect(framesOf(log.takeSealed()[0])).toBeUndefined();
    expect(readdirSync(directory).filter((name) => name.endsWith('.gathered'))).toEqual([]);
  });

  test('are without those that were not durable', async () => {
    const log = openLog({ gathers });
    await log.commit([blockOf('spans', 1)]);
    await log.commit([blockOf('spans', 2)]);
    vi.spyOn(SegmentWriter.prototype, 'sync').mockRejectedValueOnce(new Error('EIO'));
    const committing = log.commit([blockOf('spans', 4)]);
    expect([...(await committing).failures.keys()]).toEqual(['spans']);
    const [segment] = log.takeSealed();
    expect(segment).toMatchObject({ rows: 3 });
    expect(framesOf(segment)).toEqual([3]);
  });

  test('are left where they cannot be written, and nothing else is', async () => {
    const log = openLog({ gathers });
    for (let time = 0; time < 2; time++) await log.commit([blockOf('spans', 2)]);
    rmSync(directory, { recursive: true });
    log.seal();
    expect(log.takeSealed()).toMatchObject([{ rows: 4 }]);
    mkdirSync(directory);
    for (let time = 0; time < 2; time++) await log.commit([blockOf('spans', 2)]);
    log.seal();
    expect(framesOf(log.takeSealed()[0])).toEqual([4]);
  });

  test('are gone after a crash', async () => {
    const log = openLog({ gathers });
    for (let time = 0; time < 2; time++) await log.commit([blockOf('spans', 2)]);
    log.seal();
    expect(recoverSegments(directory).segments).toMatchObject([{ rows: 4 }]);
    expect(readdirSync(directory).filter((name) => name.endsWith('.gathered'))).toEqual([]);
  });
});

describe('a table that fails', () => {
  test('does not touch the others, and works again when its fault is gone', async () => {
    const log = openLog();
    await log.commit([blockOf('spans', 1)]);
    // The open segment of spans goes on; one for logs cannot be made.
    rmSync(directory, { recursive: true });
    const { failures } = await log.commit([blockOf('spans', 2), blockOf('logs', 1)]);
    expect([...failures.keys()]).toEqual(['logs']);
    expect(log.openRows).toBe(3);
    mkdirSync(directory);
    expect((await log.commit([blockOf('logs', 1)])).failures.size).toBe(0);
    log.seal();
    expect(log.takeSealed().map(({ table, rows }) => [table, rows])).toEqual([
      ['spans', 3],
      ['logs', 1],
    ]);
  });

  test('is one whose block is broken, and only that', async () => {
    const broken = blockOf('logs', 2);
    broken.rows = 3;
    const log = openLog();
    const { failures } = await log.commit([broken, blockOf('spans', 1)]);
    expect([...failures]).toMatchObject([['logs', { message: expect.stringContaining('BUG') as string }]]);
    log.seal();
    expect(log.takeSealed()).toMatchObject([{ table: 'spans', rows: 1 }]);
  });

  test('leaves no empty file behind when the log is closed', async () => {
    const broken = blockOf('logs', 2);
    broken.rows = 3;
    const log = openLog();
    await log.commit([broken]);
    log.close();
    expect(log.takeSealed()).toEqual([]);
    expect(readdirSync(directory)).toEqual(['segment-ids']);
  });
});

describe('a segment whose write failed', () => {
  async function writerWithOneFrame(): Promise<SegmentWriter> {
    const writer = new SegmentWriter(directory, 'spans', 5n);
    const { parts, length } = frame(0);
    writer.write(parts, length, 1, new Map([[0, 1]]));
    await writer.sync();
    return writer;
  }
  function frame(sequence: number): { parts: Uint8Array[]; length: number } {
    return encodeFrame([Buffer.from('rows')], 1, new Map([[0, 1]]), { segment: 5n, sequence });
  }

  test('keeps what was durable, and asks to be checked if its end could not be cut', async () => {
    const writer = await writerWithOneFrame();
    closeSync(Reflect.get(writer, 'fd') as number);
    const { parts, length } = frame(1);
    expect(() => writer.write(parts, length, 1, new Map([[0, 1]]))).toThrow('EBADF');
    expect(writer.seal()).toMatchObject({ rows: 1, bytes: length, unchecked: true });
  });

  test('is cut back to what was durable', async () => {
    const writer = await writerWithOneFrame();
    const { parts, length } = frame(1);
    // The first part arrives, the second cannot be written.
    const unwritable = [parts[0] as Uint8Array, 'no bytes' as unknown as Uint8Array];
    expect(() => writer.write(unwritable, length, 1, new Map([[0, 1]]))).toThrow(/argument/);
    const sealed = writer.seal();
    expect(sealed).toMatchObject({ rows: 1, unchecked: false });
    expect(readFileSync(writer.path).length).toBe(sealed?.bytes);
  });

  test('keeps what was durable if a frame cannot be synced', async () => {
    const writer = await writerWithOneFrame();
    const { parts, length } = frame(1);
    writer.write(parts, length, 2, new Map([[0, 2]]));
    expect(() => writer.write(parts, length, 2, new Map([[0, 2]]))).toThrow('is not synced');
    closeSync(Reflect.get(writer, 'fd') as number);
    await expect(writer.sync()).rejects.toMatchObject({ code: 'EBADF' });
    expect(writer.seal()).toMatchObject({ rows: 1, bytes: length, days: new Map([[0, 1]]), unchecked: true });
  });

  test('has nothing if its name cannot be made durable', async () => {
    const writer = new SegmentWriter(directory, 'spans', 5n);
    const { parts, length } = frame(0);
    writer.write(parts, length, 1, new Map([[0, 1]]));
    rmSync(directory, { recursive: true });
    await expect(writer.sync()).rejects.toMatchObject({ code: 'ENOENT' });
    expect(writer.seal()).toBeUndefined();
  });

  test('is removed if nothing in it was durable', () => {
    const writer = new SegmentWriter(directory, 'spans', 5n);
    expect(writer.seal()).toBeUndefined();
    expect(readdirSync(directory)).toEqual([]);
  });
});
