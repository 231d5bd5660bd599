import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import type { DataSource, DataSourceColumn, Pipe } from '@glasshouse/model';
import { DataSources, embeddedTarget, EventStore, Store } from '@glasshouse/store';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EventsReader } from '../pipeline/events.ts';
import { Log } from '../wal/log.ts';
import type { SegmentInfo } from '../wal/segment.ts';
import { EventHandOver } from './hand-over.ts';
import { Mappings } from './mappings.ts';
import { Materializer } from './materialize.ts';
import { Outcomes } from './outcomes.ts';
import type { DataSourceEntry, PipeEntry } from './resource-row.ts';
import { placeOf } from './resource-row.ts';

const TENANT = 'acme';
const EPOCH = new Date(0);
let directory: string;
let engine: Engine;
let store: Store;
let tables: DataSources;
let log: Log;
let reader: EventsReader;
let handOver: EventHandOver;
let eventStore: EventStore;
let materializer: Materializer;
let outcomes: Outcomes;
const entries = new Map<string, DataSourceEntry>();
const pipes: PipeEntry[] = [];
const dropped: unknown[] = [];
const failed: unknown[] = [];

const column = (name: string, type: string, more: Partial<DataSourceColumn> = {}): DataSourceColumn => ({
  name,
  type,
  jsonPath: `$.${name}`,
  ...more,
});

const DOUBLED: DataSourceColumn = { name: 'd', type: 'Int64', kind: 'MATERIALIZED', expression: 'n * 2' };

function entryOf(name: string, columns: readonly DataSourceColumn[], engineOf: DataSource['engine']): DataSourceEntry {
  const definition: DataSource = {
    kind: 'datasource',
    name,
    columns,
    engine: engineOf,
    indexes: [],
    tokens: [],
    tags: [],
    sharedWith: [],
  };
  const names = columns.map((one) => one.name);
  const dates = { createdAt: EPOCH, updatedAt: EPOCH };
  const common = { tenant: TENANT, id: `t_${name}`, name, builtIn: false, deployment: '', version: 1, ...dates };
  return { ...common, kind: 'datasource', definition, tableVersion: 1, columns: names };
}

async function make(name: string, columns: readonly DataSourceColumn[], engineOf: DataSource['engine']): Promise<void> {
  const entry = entryOf(name, columns, engineOf);
  await tables.create(placeOf(entry), entry.definition);
  entries.set(entry.id, entry);
}

function addPipe(name: string, sql: string, target: string): void {
  const node = { name: 'made', sql, type: 'materialized', settings: { DATASOURCE: target } } as const;
  const definition: Pipe = { kind: 'pipe', name, nodes: [node], tokens: [], tags: [] };
  const dates = { createdAt: EPOCH, updatedAt: EPOCH };
  const common = { tenant: TENANT, id: `p_${name}`, name, builtIn: false, deployment: '', version: 1, ...dates };
  pipes.push({ ...common, kind: 'pipe', definition });
}

/** Writes a segment of events, by data source, as the ingest worker does. */
async function segmentOf(events: Readonly<Record<string, readonly unknown[]>>, filter = ''): Promise<SegmentInfo> {
  for (const [name, rows] of Object.entries(events)) {
    const text = rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n');
    const bytes = Buffer.from(text);
    const buffer = new ArrayBuffer(bytes.length + 64);
    new Uint8Array(buffer).set(bytes);
    const target = { tenant: TENANT, dataSource: `t_${name}`, importId: `import-${name}`, filter };
    reader.decode({ ...target, coding: 'identity', buffer, length: bytes.length });
  }
  expect((await log.commit([reader.block])).failures.size).toBe(0);
  reader.block.reset();
  log.seal();
  const [segment] = log.takeSealed();
  if (segment === undefined) throw new Error('no segment was sealed');
  return segment;
}

const ask = async (sql: string): Promise<unknown[]> =>
  (await store.rows<Record<string, unknown>>(sql, { database: 'tenant_acme' })).map((row) => Object.values(row));

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'glasshouse-hand-over-'));
  engine = await startEngine({
    dataDir: join(directory, 'engine'),
    backupDir: join(directory, 'backup'),
    maxMemoryBytes: 2e9,
  });
  store = await Store.open({ target: embeddedTarget(engine), retentionDays: 90 });
  await store.prepareTenant(TENANT);
  tables = DataSources.connect(store.target);
  const now = (): number => Date.now();
  log = new Log({ directory, node: 1, maxSegmentRows: 1e6, maxSegmentBytes: 1e9, now });
  reader = new EventsReader({ maxBodyBytes: 1e7, retentionMs: undefined, maxAheadMs: 600_000, now });
  eventStore = new EventStore(store);
  outcomes = new Outcomes();
  const catalog = {
    dataSource: (_: string, name: string) => entries.get(`t_${name}`),
    pipes: () => pipes,
  };
  materializer = new Materializer({ store: eventStore, catalog, onFailed: (one) => failed.push(one) });
  handOver = new EventHandOver({
    store: eventStore,
    dataSource: (id) => (id === 't_gone' ? 'deleted' : entries.get(id)),
    mappings: new Mappings(),
    materializer,
    outcomes,
    onDropped: (one) => dropped.push(one),
  });
  await make('plain', [column('t', 'DateTime'), column('n', 'Int32')], {
    name: 'MergeTree',
    sortingKey: 'n',
    partitionKey: 'toYYYYMM(t)',
  });
  await make('other', [column('n', 'Int32')], { name: 'MergeTree', sortingKey: 'n' });
  const sums = { name: 'SummingMergeTree', sortingKey: 'month', partitionKey: 'month' };
  await make('sums', [column('month', 'UInt32'), column('total', 'Int64')], sums);
  await make('twice', [column('total', 'Int64')], { name: 'SummingMergeTree', sortingKey: 'tuple()' });
  const seen = [column('k', 'String'), column('n', 'Int32', { expression: '5' }), DOUBLED];
  await make('nothing', seen, { name: 'Null' });
  await make('latest', seen, { name: 'ReplacingMergeTree', sortingKey: 'k' });
});

afterAll(async () => {
  await tables.client.close();
  await store.close();
  await engine.stop();
  rmSync(directory, { recursive: true });
});

beforeEach(async () => {
  pipes.length = dropped.length = failed.length = 0;
  for (const entry of entries.values()) {
    if (entry.name !== 'nothing') await tables.truncate(placeOf(entry));
    await tables.truncate(placeOf(entry), 'quarantine');
  }
});

describe('the hand-over of events', () => {
  const JANUARY = '2026-01-05 00:00:00';
  const FEBRUARY = '2026-02-05 00:00:00';

  test('inserts what fits, quarantines the rest, and tells who waits', async () => {
    const segment = await segmentOf({
      plain: [{ t: JANUARY, n: 1 }, { t: FEBRUARY, n: 2 }, { t: JANUARY, n: 'x' }, 'not json'],
      other: [{ n: 7 }],
      gone: [{ n: 1 }],
    });
    const plain = outcomes.of(segment.id, 'import-plain', 4, 60_000);
    const other = outcomes.of(segment.id, 'import-other', 1, 60_000);
    await handOver.insert(segment);
    expect(await ask('SELECT n FROM plain ORDER BY n')).toEqual([[1], [2]]);
    expect(await ask('SELECT c__line, c__error_column FROM plain_quarantine ORDER BY c__line')).toEqual([
      ['not json', ['c__line']],
      [JSON.stringify({ t: JANUARY, n: 'x' }), ['n']],
    ]);
    expect(await ask('SELECT n FROM other')).toEqual([[7]]);
    expect(await plain).toEqual({ successful: 2, quarantined: 2 });
    expect(await other).toEqual({ successful: 1, quarantined: 0 });
    expect(await outcomes.of(segment.id, 'import-plain', 4, 1)).toEqual({ successful: 2, quarantined: 2 });
    expect(dropped).toEqual([{ dataSource: 't_gone', lines: 1 }]);
    expect(await ask("SELECT count() FROM system.tables WHERE name LIKE 'replay%'")).toEqual([[0]]);
  });

  test('quarantines rows outside of the write filter', async () => {
    await handOver.insert(await segmentOf({ other: [{ n: 1 }, { n: 2 }] }, 'n = 2'));
    expect(await ask('SELECT n FROM other')).toEqual([[2]]);
    expect(await ask('SELECT c__error FROM other_quarantine')).toEqual([
      [['the row is outside the write filter of its token: n = 2']],
    ]);
  });

  test('keeps the segment when a data source is not known, and inserts it when it is', async () => {
    const entry = entries.get('t_other') as DataSourceEntry;
    const segment = await segmentOf({ other: [{ n: 5 }] });
    entries.delete('t_other');
    await expect(handOver.insert(segment)).rejects.toThrow('is not known here');
    entries.set('t_other', entry);
    expect(await handOver.complete(segment)).toEqual({ missing: 1, of: 1 });
    expect(await ask('SELECT n FROM other')).toEqual([[5]]);
  });

  test('inserts only what is missing after a failure, whatever it was', async () => {
    addPipe('to_sums', 'SELECT toYYYYMM(t) AS month, sum(n) AS total FROM plain GROUP BY month', 'sums');
    addPipe('to_twice', 'SELECT total * 2 AS total FROM sums', 'twice');
    const rows = [{ t: JANUARY, n: 1 }, { t: JANUARY, n: 10 }, { t: FEBRUARY, n: 100 }, 'bad'];
    const check = async (times: number): Promise<void> => {
      expect(await ask('SELECT count(), sum(n) FROM plain')).toEqual([[3 * times, 111 * times]]);
      expect(await ask('SELECT count() FROM plain_quarantine')).toEqual([[times]]);
      expect(await ask('SELECT month, sum(total) FROM sums GROUP BY month ORDER BY month')).toEqual([
        [202_601, 11 * times],
        [202_602, 100 * times],
      ]);
      expect(await ask('SELECT sum(total) FROM twice')).toEqual([[222 * times]]);
    };
    const first = await segmentOf({ plain: rows });
    await handOver.insert(first);
    await check(1);
    // All of it is there: nothing is inserted.
    expect(await handOver.complete(first)).toEqual({ missing: 0, of: 1 });
    await check(1);

    const second = await segmentOf({ plain: rows });
    await handOver.insert(second);
    await check(2);
    const losses = [
      "ALTER TABLE plain DROP PARTITION ID '202602'",
      'ALTER TABLE plain DROP PARTITION ALL',
      'ALTER TABLE plain_quarantine DROP PARTITION ALL',
      "ALTER TABLE sums DROP PARTITION ID '202601'",
      'ALTER TABLE twice DROP PARTITION ALL',
    ];
    for (const loss of losses) {
      for (const entry of entries.values()) {
        if (entry.name !== 'nothing') await tables.truncate(placeOf(entry));
        await tables.truncate(placeOf(entry), 'quarantine');
      }
      const segment = await segmentOf({ plain: rows });
      await handOver.insert(segment);
      await store.command(loss, { database: 'tenant_acme' });
      await handOver.complete(segment);
      await check(1);
    }
  });

  test('adds up in a target that rows of two data sources reach in one segment', async () => {
    addPipe('of_plain', 'SELECT 1 AS month, sum(n) AS total FROM plain', 'sums');
    addPipe('of_other', 'SELECT 1 AS month, sum(n) AS total FROM other', 'sums');
    const segment = await segmentOf({ plain: [{ t: JANUARY, n: 1 }], other: [{ n: 10 }] });
    await handOver.insert(segment);
    expect(await ask('SELECT sum(total) FROM sums')).toEqual([[11]]);
    await handOver.complete(segment);
    expect(await ask('SELECT sum(total) FROM sums')).toEqual([[11]]);
  });

  test.each(['nothing', 'latest'])(
    'makes of the rows as they came what the table of %s has no longer',
    async (name) => {
      addPipe('to_sums', `SELECT 1 AS month, sum(n + d) AS total FROM ${name}`, 'sums');
      addPipe('to_twice', `SELECT count() AS total FROM (SELECT * FROM ${name})`, 'twice');
      const segment = await segmentOf({ [name]: [{ k: 'a', n: 1 }, { k: 'a', n: 10 }, { k: 'a' }, 'not json'] });
      const check = async (): Promise<void> => {
        expect(await ask(`SELECT k, n, d FROM ${name}${name === 'latest' ? ' FINAL' : ''}`)).toEqual(
          name === 'nothing' ? [] : [['a', 5, 10]],
        );
        expect(await ask('SELECT total FROM sums')).toEqual([[48]]);
        expect(await ask('SELECT total FROM twice')).toEqual([[3]]);
        expect(await ask("SELECT name FROM system.tables WHERE name LIKE 'replay%'")).toEqual([]);
      };
      await handOver.insert(segment);
      await check();
      await store.command('ALTER TABLE sums DROP PARTITION ALL', { database: 'tenant_acme' });
      await handOver.complete(segment);
      await check();
      expect(failed).toEqual([]);
    },
  );

  test('leaves no table behind where it was interrupted', async () => {
    addPipe('to_sums', 'SELECT 1 AS month, sum(n) AS total FROM nothing', 'sums');
    const segment = await segmentOf({ nothing: [{ k: 'a', n: 1 }] });
    const left = `${new EventStore(store).staging(segment).replace(/`$/u, '')}_7\``;
    await store.command(`CREATE TABLE ${left} (n UInt8) ENGINE = Memory`);
    await handOver.complete(segment);
    expect(await ask("SELECT name FROM system.tables WHERE name LIKE 'replay%'")).toEqual([]);
    expect(await ask('SELECT total FROM sums')).toEqual([[1]]);
  });

  test('makes of rows that are sent to a target what is made of those that pipes put there', async () => {
    addPipe('to_sums', 'SELECT toYYYYMM(t) AS month, sum(n) AS total FROM plain GROUP BY month', 'sums');
    addPipe('to_twice', 'SELECT total * 2 AS total FROM sums', 'twice');
    await handOver.insert(await segmentOf({ sums: [{ month: 202_601, total: 5 }] }));
    expect(await ask('SELECT month, sum(total) FROM sums GROUP BY month')).toEqual([[202_601, 5]]);
    expect(await ask('SELECT sum(total) FROM twice')).toEqual([[10]]);
    await handOver.insert(
      await segmentOf({ plain: [{ t: JANUARY, n: 1 }], sums: [{ month: 202_601, total: 100 }, 'bad'] }),
    );
    expect(await ask('SELECT month, sum(total) FROM sums GROUP BY month')).toEqual([[202_601, 106]]);
    expect(await ask('SELECT sum(total) FROM twice')).toEqual([[212]]);
    expect(await ask('SELECT c__line FROM sums_quarantine')).toEqual([['bad']]);
    expect(failed).toEqual([]);
  });

  test.each(['before', 'after'])(
    'neither loses nor doubles rows of a target that come by two ways when it ends %s any insert',
    async (when) => {
      addPipe('to_sums', 'SELECT toYYYYMM(t) AS month, sum(n) AS total FROM plain GROUP BY month', 'sums');
      addPipe('of_latest', 'SELECT 202603 AS month, n + d AS total FROM latest', 'sums');
      addPipe('to_twice', 'SELECT total * 2 AS total FROM sums', 'twice');
      const insert = eventStore.insert.bind(eventStore);
      for (let fatal = 1, isOver = false; !isOver; fatal++) {
        for (const entry of entries.values()) if (entry.name !== 'nothing') await tables.truncate(placeOf(entry));
        await tables.truncate(placeOf(entries.get('t_sums') as DataSourceEntry), 'quarantine');
        const segment = await segmentOf({
          plain: [
            { t: JANUARY, n: 1 },
            { t: FEBRUARY, n: 10 },
          ],
          latest: [{ k: 'a', n: 100 }],
          sums: [{ month: 202_601, total: 1000 }, { month: 202_604, total: 10_000 }, 'bad'],
        });
        let count = 0;
        eventStore.insert = async (...call) => {
          const isFatal = ++count === fatal;
          if (!isFatal || when === 'after') await insert(...call);
          if (isFatal) throw new Error('killed');
        };
        try {
          await handOver.insert(segment);
          isOver = true;
        } catch (error) {
          expect(error).toMatchObject({ message: 'killed' });
          eventStore.insert = insert;
          await handOver.complete(segment);
        } finally {
          eventStore.insert = insert;
        }
        expect(await ask('SELECT month, sum(total) FROM sums GROUP BY month ORDER BY month'), `${fatal}`).toEqual([
          [202_601, 1001],
          [202_602, 10],
          [202_603, 300],
          [202_604, 10_000],
        ]);
        expect(await ask('SELECT sum(total) FROM twice'), `${fatal}`).toEqual([[22_622]]);
        expect(await ask('SELECT c__line FROM sums_quarantine'), `${fatal}`).toEqual([['bad']]);
        expect(await handOver.complete(segment)).toEqual({ missing: 0, of: 3 });
        expect(await ask('SELECT sum(total) FROM twice')).toEqual([[22_622]]);
        expect(fatal).toBeLessThan(20);
      }
      expect(failed).toEqual([]);
      expect(await ask("SELECT name FROM system.tables WHERE name LIKE 'replay%'")).toEqual([]);
    },
    180_000,
  );

  test('inserts rows that were sent to a target whose materialization is broken', async () => {
    addPipe('broken', 'SELECT nothing AS total FROM other', 'sums');
    addPipe('to_twice', 'SELECT total * 2 AS total FROM sums', 'twice');
    await handOver.insert(await segmentOf({ other: [{ n: 3 }], sums: [{ month: 1, total: 5 }] }));
    expect(await ask('SELECT total FROM sums')).toEqual([[5]]);
    expect(await ask('SELECT total FROM twice')).toEqual([[10]]);
    expect(failed).toMatchObject([{ tenant: TENANT, pipe: 'broken' }]);
  });

  test.each(['nothing', 'latest'])('computes columns of %s alike for rows that come by two ways', async (name) => {
    addPipe('of_other', "SELECT 'b' AS k, n FROM other", name);
    addPipe('to_twice', `SELECT sum(n + d) AS total FROM ${name}`, 'twice');
    const segment = await segmentOf({ [name]: [{ k: 'a' }, { k: 'a', n: 7 }, 'bad'], other: [{ n: 1 }] });
    const check = async (): Promise<void> => {
      expect(await ask(`SELECT k, n, d FROM ${name}${name === 'latest' ? ' FINAL' : ''} ORDER BY k`)).toEqual(
        name === 'nothing'
          ? []
          : [
              ['a', 7, 14],
              ['b', 1, 2],
            ],
      );
      expect(await ask('SELECT sum(total) FROM twice')).toEqual([[39]]);
      expect(await ask(`SELECT c__line FROM ${name}_quarantine`)).toEqual([['bad']]);
    };
    await handOver.insert(segment);
    await check();
    await handOver.complete(segment);
    await check();
    expect(failed).toEqual([]);
  });

  test('inserts rows that were sent where the table refuses those that a pipe makes', async () => {
    const strict = { name: 'MergeTree', sortingKey: 'n', partitionKey: 'intDiv(100, n)' };
    await make('strict', [column('n', 'Int32')], strict);
    addPipe('of_other', 'SELECT n FROM other', 'strict');
    await handOver.insert(await segmentOf({ other: [{ n: 0 }], strict: [{ n: 5 }, { n: 0 }] }));
    expect(await ask('SELECT n FROM strict')).toEqual([[5]]);
    expect(await ask('SELECT count() FROM strict_quarantine')).toEqual([[1]]);
    expect(failed).toMatchObject([{ tenant: TENANT, pipe: 'of_other' }]);
  });

  test('keeps the segment when the store has no room for what a pipe makes', async () => {
    addPipe('to_sums', 'SELECT 1 AS month, sum(n) AS total FROM other', 'sums');
    const segment = await segmentOf({ other: [{ n: 3 }] });
    const insert = eventStore.insert.bind(eventStore);
    eventStore.insert = (one, sql, settings, ...rest) =>
      insert(
        one,
        sql,
        sql.includes('`sums`') ? { ...settings, max_memory_usage: 1, max_untracked_memory: 1 } : settings,
        ...rest,
      );
    await expect(handOver.insert(segment).finally(() => (eventStore.insert = insert))).rejects.toThrow('emory limit');
    await handOver.complete(segment);
    expect(await ask('SELECT total FROM sums')).toEqual([[3]]);
    expect(failed).toEqual([]);
  });

  test('inserts a partition once whose key has several parts', async () => {
    const parted = { name: 'MergeTree', sortingKey: 'n', partitionKey: '(toYYYYMM(t), n)' };
    await make('parted', [column('t', 'DateTime'), column('n', 'Int32')], parted);
    addPipe('to_sums', 'SELECT toYYYYMM(t) AS month, sum(n) AS total FROM parted GROUP BY month', 'sums');
    const segment = await segmentOf({
      parted: [
        { t: JANUARY, n: 1 },
        { t: FEBRUARY, n: 2 },
      ],
    });
    await handOver.insert(segment);
    await store.command("ALTER TABLE parted DROP PARTITION ID '202601-1'", { database: 'tenant_acme' });
    expect(await handOver.complete(segment)).toEqual({ missing: 1, of: 1 });
    expect(await ask('SELECT n FROM parted ORDER BY n')).toEqual([[1], [2]]);
    expect(await ask('SELECT sum(total) FROM sums')).toEqual([[3]]);
  });

  test('makes of rows that are copied into a target what is made of it, before they are seen', async () => {
    addPipe('to_sums', 'SELECT toYYYYMM(t) AS month, sum(n) AS total FROM plain GROUP BY month', 'sums');
    addPipe('to_twice', 'SELECT total * 2 AS total FROM sums', 'twice');
    addPipe('broken', 'SELECT nothing AS total FROM sums', 'twice');
    await make('copied', [column('month', 'UInt32'), column('total', 'Int64')], { name: 'MergeTree' });
    const given = { database: 'tenant_acme', settings: { insert_allow_materialized_columns: 1 } };
    await store.command('INSERT INTO copied (month, total, _segment) SELECT 1, 4, 77', given);
    const copy = { table: 'copies', id: 77n, path: '', days: new Map<number, number>() };
    const rows = { name: 'sums', landing: 'tenant_acme.copied' };
    const left = "SELECT name FROM system.tables WHERE name LIKE 'replay%'";
    const append = async (fails: boolean): Promise<void> => {
      expect(await ask('SELECT count() FROM twice')).toEqual([[0]]);
      expect(await ask(left)).toHaveLength(1);
      if (fails) throw new Error('cancelled');
    };
    const failing = materializer.run(copy, TENANT, [rows], false, () => append(true));
    await expect(failing).rejects.toThrow('cancelled');
    expect(await ask('SELECT count() FROM twice')).toEqual([[0]]);
    failed.length = 0;
    await materializer.run(copy, TENANT, [rows], false, () => append(false));
    expect(await ask('SELECT total FROM twice')).toEqual([[8]]);
    expect(await ask(left)).toEqual([]);
    expect(failed).toMatchObject([{ tenant: TENANT, pipe: 'broken' }]);
  });

  test('does not let a broken materialization hold up the rows', async () => {
    addPipe('broken', 'SELECT nothing AS total FROM other', 'sums');
    await handOver.insert(await segmentOf({ other: [{ n: 3 }] }));
    expect(await ask('SELECT n FROM other')).toEqual([[3]]);
    expect(failed).toMatchObject([{ tenant: TENANT, pipe: 'broken' }]);
  });
});
