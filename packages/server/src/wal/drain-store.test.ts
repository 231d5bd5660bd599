import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import { Block, encodeText, FixedColumn, sourceOf } from '@glasshouse/native';
import type { Column, LowCardinalityColumn, MapColumn, StringColumn } from '@glasshouse/native';
import type { FactTable } from '@glasshouse/schema';
import { FACT_TABLES } from '@glasshouse/schema';
import { embeddedTarget, Store } from '@glasshouse/store';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DrainEvent } from './drain.ts';
import { Drain } from './drain.ts';
import { FactHandOver } from './hand-over.ts';
import { Log } from './log.ts';
import { QUARANTINE, recoverSegments } from './recover.ts';
import type { SegmentInfo } from './segment.ts';

const TODAY = Math.floor(Date.now() / 86_400_000);
const DAY_NS = 86_400_000_000_000n;
let root: string;
let directory: string;
let engine: Engine;
let store: Store;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'glasshouse-drain-'));
  engine = await startEngine({
    dataDir: join(root, 'engine'),
    backupDir: join(root, 'backup'),
    maxMemoryBytes: 2 ** 31,
  });
  store = await Store.open({ target: embeddedTarget(engine), retentionDays: 90 });
});
afterAll(async () => {
  await store.close();
  await engine.stop();
  rmSync(root, { recursive: true });
});
beforeEach(async () => {
  directory = mkdtempSync(join(root, 'wal-'));
  for (const table of ['spans', 'logs']) await store.command(`TRUNCATE TABLE glasshouse.${table}`);
});

function tableOf(name: string): FactTable {
  const table = FACT_TABLES.find((candidate) => candidate.name === name);
  if (table === undefined) throw new Error(`no table ${name}`);
  return table;
}

/** A sealed segment of `frames` frames, each with one row for each of `days`, all else at its default but for `values`. */
async function sealed(
  frames: number,
  days: readonly number[] = [TODAY],
  table = tableOf('spans'),
  values: Readonly<Record<string, (column: unknown) => void>> = {},
): Promise<SegmentInfo> {
  const gathers = new Set(['spans']);
  const log = new Log({ directory, node: 1, now: Date.now, maxSegmentRows: 1e9, maxSegmentBytes: 1e9, gathers });
  const block = new Block(table);
  for (let frame = 0; frame < frames; frame++) {
    block.reset();
    for (const day of days) {
      const at = BigInt(day) * DAY_NS + 3_600_000_000_000n;
      for (const { name } of table.columns) {
        const column = block.column<Column>(name, Object as never);
        if (values[name] === undefined) column.appendDefault();
        else values[name](column);
      }
      const { buffer } = block.column('timestamp', FixedColumn);
      buffer.view.setBigUint64(buffer.length - 8, at, true);
      block.days.add(Number(at & 0xffff_ffffn), Number(at >> 32n));
      block.rows++;
    }
    expect((await log.commit([block])).failures.size).toBe(0);
  }
  log.seal();
  return log.takeSealed()[0] as SegmentInfo;
}

/** Rows of the segment in the table, by day. */
async function stored({ id, table }: SegmentInfo): Promise<Record<number, number>> {
  const rows = await store.rows<{ day: number; count: number }>(
    `SELECT toUInt32(toDate(timestamp)) AS day, toUInt32(count()) AS count FROM glasshouse.${table}
     WHERE _segment = {id:UInt64} GROUP BY day`,
    { params: { id: id.toString() } },
  );
  return Object.fromEntries(rows.map(({ day, count }) => [day, count]));
}

/** Runs a drain over what a start would find, until nothing is left; time goes by quickly for it. */
async function replay(more: readonly SegmentInfo[] = []): Promise<{ drain: Drain; events: DrainEvent[] }> {
  const events: DrainEvent[] = [];
  const startMs = Date.now();
  const now = (): number => startMs + (Date.now() - startMs) * 1_000;
  const drain = new Drain({
    handOver: new FactHandOver({ store, now }),
    now,
    onEvent: (event) => events.push(event),
  });
  drain.recover(recoverSegments(directory, new Set(more.map(({ path }) => path))));
  drain.add(more);
  const running = drain.run();
  while (drain.backlogSegments > 0) await drain.progress();
  drain.stop();
  await running;
  return { drain, events };
}

describe('a segment handed over to the engine', () => {
  test('becomes one part for each day, however many frames it has', async () => {
    await store.command('SYSTEM STOP MERGES glasshouse.spans');
    const segment = await sealed(300, [TODAY - 1, TODAY]);
    await store.insertSegment(segment);
    const parts = await store.rows<{ rows: number }>(
      `SELECT toUInt32(rows) AS rows FROM system.parts WHERE database = 'glasshouse' AND table = 'spans' AND active`,
    );
    expect(parts).toEqual([{ rows: 300 }, { rows: 300 }]);
    await store.command('SYSTEM START MERGES glasshouse.spans');
  });

  test('is the same rows, gathered or not', async () => {
    const texts = ['', 'a', 'é', 'a'.repeat(3_000)].map((text) => encodeText(text));
    let number = 0;
    const segment = await sealed(40, [TODAY - 1, TODAY], undefined, {
      trace_state: (column) => {
        const text = texts[number++ % texts.length] as Uint8Array;
        (column as LowCardinalityColumn).appendText(sourceOf(text), 0, text.length);
      },
      attributes_string: (column) => {
        const map = column as MapColumn<LowCardinalityColumn, StringColumn>;
        map.keys.appendString(`key ${number % 3}`);
        map.values.appendString(`value ${number}`);
        map.close();
      },
    });
    const all = 'SELECT * EXCEPT (_segment) FROM glasshouse.spans ORDER BY ALL';
    const rows: unknown[] = [];
    for (const path of [segment.path, segment.gathered as string]) {
      await store.insertSegment({ ...segment, path });
      rows.push(await store.rows(all));
      await store.command('TRUNCATE TABLE glasshouse.spans');
    }
    expect(rows[0]).toHaveLength(80);
    expect(rows[1]).toEqual(rows[0]);
  });

  test('is not inserted again when its file comes back after a loss of power', async () => {
    const segment = await sealed(3, [TODAY - 1, TODAY]);
    copyFileSync(segment.path, join(root, 'copy'));
    expect(existsSync(segment.gathered as string)).toBe(true);
    await replay([segment]);
    expect(readdirSync(directory)).toEqual(['segment-ids']);
    copyFileSync(join(root, 'copy'), segment.path);
    const { drain, events } = await replay();
    expect(await stored(segment)).toEqual({ [TODAY - 1]: 3, [TODAY]: 3 });
    expect(events).toMatchObject([{ type: 'replayed', missing: 0 }]);
    expect(drain.counts.insertedSegments).toBe(1);
    expect(readdirSync(directory)).toEqual(['segment-ids']);
  });

  test('is completed when the engine died between two of its days', async () => {
    const segment = await sealed(4, [TODAY - 2, TODAY - 1, TODAY]);
    await store.insertSegment(segment);
    await store.command(
      `ALTER TABLE glasshouse.spans DROP PARTITION '${new Date((TODAY - 1) * 86_400_000).toISOString().slice(0, 10)}'`,
    );
    expect(await store.missingDays(segment)).toEqual([TODAY - 1]);
    // And once more in the middle of the completion.
    await store.command(
      `CREATE TABLE glasshouse.replay_${segment.id.toString(16)} (x UInt8) ENGINE = MergeTree ORDER BY x`,
    );
    const { drain } = await replay();
    expect(await stored(segment)).toEqual({ [TODAY - 2]: 4, [TODAY - 1]: 4, [TODAY]: 4 });
    expect(drain.counts.completedSegments).toBe(1);
    const left = await store.rows(`SELECT name FROM system.tables WHERE name LIKE 'replay%'`);
    expect(left).toEqual([]);
  });

  test('that was damaged after it had been inserted is not inserted again', async () => {
    const segment = await sealed(3);
    await store.insertSegment(segment);
    const bytes = readFileSync(segment.path);
    bytes[bytes.length - 30] = (bytes[bytes.length - 30] as number) ^ 1;
    writeFileSync(segment.path, bytes);
    const { drain } = await replay();
    expect(drain.counts).toMatchObject({ damagedSegments: 1, lostRows: 1, quarantinedSegments: 0 });
    expect(await stored(segment)).toEqual({ [TODAY]: 3 });
  });

  test('that was damaged before is inserted without the damaged frame', async () => {
    const segment = await sealed(3);
    const bytes = readFileSync(segment.path);
    bytes[bytes.length - 30] = (bytes[bytes.length - 30] as number) ^ 1;
    writeFileSync(segment.path, bytes);
    await replay();
    expect(await stored(segment)).toEqual({ [TODAY]: 2 });
  });
});

describe('a segment that the table cannot take', () => {
  const spans = tableOf('spans');
  const extra = { name: 'not_in_the_table', type: 'String', comment: '' };
  const asMap = spans.columns.map((column) =>
    column.name === 'kind' ? { ...column, type: 'Map(LowCardinality(String), String)' } : column,
  );

  test.each([
    [
      'has a column too many',
      { ...spans, columns: [...spans.columns, extra] },
      { [extra.name]: (column: unknown) => (column as StringColumn).appendString('x') },
    ],
    [
      'has values that cannot become those of the column',
      { ...spans, columns: asMap },
      {
        kind: (column: unknown) => {
          const map = column as MapColumn<LowCardinalityColumn, StringColumn>;
          for (const part of [map.keys, map.values]) part.appendString('x');
          map.close();
        },
      },
    ],
  ])('because it %s is put aside, and the others are taken', async (_, description, values) => {
    const poison = await sealed(2, [TODAY], description, values);
    const good = await sealed(2, [TODAY], tableOf('logs'));
    const { drain, events } = await replay([poison, good]);
    expect(drain.counts).toMatchObject({ quarantinedSegments: 1, insertedSegments: 1 });
    expect(events.at(-1)).toMatchObject({ type: 'quarantined', error: expect.any(String) as string });
    expect(readdirSync(join(directory, QUARANTINE))).toEqual([poison.path.slice(directory.length + 1)]);
    expect(await stored(good)).toEqual({ [TODAY]: 2 });
    expect(await stored(poison)).toEqual({});
  });

  test('is taken after it was moved back, when the table can take it', async () => {
    const segment = await sealed(2);
    mkdirSync(join(directory, QUARANTINE));
    await store.command('ALTER TABLE glasshouse.spans RENAME COLUMN trace_state TO elsewhere');
    const good = await sealed(2, [TODAY], tableOf('logs'));
    await replay([segment, good]);
    await store.command('ALTER TABLE glasshouse.spans RENAME COLUMN elsewhere TO trace_state');
    copyFileSync(join(directory, QUARANTINE, segment.path.slice(directory.length + 1)), segment.path);
    await replay();
    expect(await stored(segment)).toEqual({ [TODAY]: 2 });
  });
});

describe('an insert whose caller is gone', () => {
  test('is waited for, and asked to stop when it does not end', { timeout: 60_000 }, async () => {
    const segment = await sealed(1);
    const queryId = `segment-${segment.id.toString(16).padStart(16, '0')}-abandoned`;
    const slow = store
      .command('INSERT INTO glasshouse.spans (timestamp) SELECT now64(9) FROM numbers(100) WHERE sleepEachRow(1) = 0', {
        queryId,
        settings: { max_block_size: 1, function_sleep_max_microseconds_per_block: 200_000_000 },
      })
      .catch((error: unknown) => error);
    await pause(500);
    const begun = Date.now();
    await store.settled(segment);
    const waitedMs = Date.now() - begun;
    expect(await slow).toMatchObject({ number: 394 });
    expect(waitedMs).toBeGreaterThan(5_000);
    expect(await stored(segment)).toEqual({});
  });

  test('ends with its connection', { timeout: 60_000 }, async () => {
    const segment = await sealed(1);
    const controller = new AbortController();
    const slow = store
      .command('INSERT INTO glasshouse.spans (timestamp) SELECT now64(9) FROM numbers(100) WHERE sleepEachRow(1) = 0', {
        queryId: `segment-${segment.id.toString(16).padStart(16, '0')}-gone`,
        settings: { max_block_size: 1, function_sleep_max_microseconds_per_block: 200_000_000 },
        signal: controller.signal,
      })
      .catch(() => 'gone');
    await pause(500);
    controller.abort();
    expect(await slow).toBe('gone');
    await store.settled(segment);
    const running = await store.rows(`SELECT query FROM system.processes WHERE query_kind = 'Insert'`);
    expect(running).toEqual([]);
  });
});
