/** Backup and restore on a real engine: workspaces with their tables, and what an interruption leaves. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import type { DataSource } from '@glasshouse/model';
import { messageOf } from '@glasshouse/model';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BackupContents } from './backup.ts';
import { Client } from './client.ts';
import { DataSources } from './datasources.ts';
import { MIGRATIONS } from './migrations.ts';
import { placeRestored } from './restore.ts';
import { Store } from './store.ts';
import { embeddedTarget } from './target.ts';

let dir: string;
let engine: Engine;
let store: Store;
let tables: DataSources;
let client: Client;
let count = 0;

const definition = (name: string, engineOf: DataSource['engine']): DataSource => ({
  kind: 'datasource',
  name,
  columns: [
    { name: 'k', type: 'String' },
    { name: 'n', type: 'UInt64' },
  ],
  engine: engineOf,
  indexes: [],
  tokens: [],
  tags: [],
  sharedWith: [],
});
const PLAIN = { name: 'MergeTree', sortingKey: 'k' };
const SUMMING = { name: 'SummingMergeTree', sortingKey: 'k' };
const place = (name: string, id: string, version = 1) => ({ tenant: 'acme', name, id, version });
const noHold = (): Promise<() => void> => Promise.resolve(() => undefined);

async function add(table: string, segment: number, n: number): Promise<void> {
  await store.command(
    `INSERT INTO tenant_acme.${table} (k, n, _segment) SELECT 'k', toUInt64(${n}), toUInt64(${segment})`,
    { settings: { insert_allow_materialized_columns: 1 } },
  );
}

async function addSpan(segment: number): Promise<void> {
  const row = {
    _segment: String(segment),
    tenant_id: 'acme',
    timestamp: '2026-01-02 03:04:05',
    trace_id: 'x',
    name: 's',
  };
  await store.insertRows('spans', [row]);
}

async function sums(...names: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) {
    const [row] = await store.rows<{ text: string }>(
      `SELECT concat(toString(sum(n)), ' of ', toString(max(_segment))) AS text FROM ${name.includes('.') ? name : `tenant_acme.${name}`}`,
    );
    found.push(row?.text ?? '');
  }
  return found;
}

async function tablesOf(database: string): Promise<string[]> {
  const rows = await store.rows<{ text: string }>(
    "SELECT concat(name, ' ', comment) AS text FROM system.tables WHERE database = {database:String} AND engine != 'View' AND match(comment, '^\\\\w+:\\\\w+$') ORDER BY name",
    { params: { database } },
  );
  return rows.map(({ text }) => text);
}

async function backup(kept: readonly string[] = []): Promise<string> {
  const path = join(dir, 'backup', `b${++count}`);
  await store.backup({ path, kept: new Set(kept), hold: noHold, onProgress: () => undefined });
  return path;
}

async function restore(path: string): Promise<void> {
  const read = await store.readBackup(path, () => undefined);
  await store.planRestore(path, read);
  expect(await store.placeRestored()).toBe(true);
  await store.endRestore();
}

/** What the restores below go back to, and what they go back from. */
async function before(): Promise<void> {
  await tables.create(place('a', 't_1'), definition('a', PLAIN));
  await tables.create(place('b', 't_2'), definition('b', SUMMING));
  await tables.create(place('gone', 't_3'), definition('gone', PLAIN));
  await add('a', 5, 1);
  await add('b', 6, 10);
  await add('gone', 7, 100);
  await store.command("INSERT INTO tenant_acme.a_quarantine (k, insertion_date) VALUES ('bad', now())");
  await tables.hide(place('gone', 't_3'));
  await addSpan(8);
}

async function after(): Promise<void> {
  await add('a', 50, 2);
  // Names change hands, versions change, something is new, and what was kept is dropped.
  await tables.rename(place('a', 't_1'), 'c');
  await tables.rename(place('b', 't_2'), 'a');
  await tables.rename(place('c', 't_1'), 'b');
  await tables.drop(place('gone', 't_3'));
  await tables.create(place('fresh', 't_4'), definition('fresh', PLAIN));
  await add('fresh', 51, 1);
  await tables.build(place('b', 't_1', 2), definition('b', PLAIN));
  await tables.create(place('traces', 't_5'), definition('traces', PLAIN));
  await addSpan(52);
}

async function expectBefore(): Promise<void> {
  expect(await sums('a', 'b', 'glasshouse_building.t_3_1')).toEqual(['1 of 5', '10 of 6', '100 of 7']);
  expect(await store.rows('SELECT k FROM tenant_acme.a_quarantine')).toEqual([{ k: 'bad' }]);
  expect(await tablesOf('tenant_acme')).toEqual([
    'a t_1:1',
    'a_quarantine t_1:quarantine',
    'b t_2:1',
    'b_quarantine t_2:quarantine',
  ]);
  expect(await tablesOf('glasshouse_building')).toEqual(['t_3_1 t_3:1', 't_3_quarantine t_3:quarantine']);
  expect(await store.rows('SELECT _segment FROM glasshouse.spans')).toEqual([{ _segment: 8 }]);
  expect(await store.rows("SELECT name FROM system.databases WHERE name = 'glasshouse_restoring'")).toEqual([]);
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'glasshouse-backup-'));
  engine = await startEngine({ dataDir: join(dir, 'engine'), backupDir: join(dir, 'backup'), maxMemoryBytes: 1 << 30 });
  store = await Store.open({ target: embeddedTarget(engine), retentionDays: undefined });
  tables = DataSources.connect(store.target);
  client = new Client(store.target, store.target.writer, { maxConnections: 2, requestTimeoutMs: 60_000 });
});

afterAll(async () => {
  await Promise.all([client.close(), tables.close(), store.close()]);
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(async () => {
  for (const name of ['tenant_acme', 'glasshouse_building', 'glasshouse_replaced', 'glasshouse_restoring'])
    await store.command(`DROP DATABASE IF EXISTS ${name} SYNC`);
  await store.command('TRUNCATE TABLE glasshouse.spans');
  await store.prepareTenant('acme');
});

describe('a restore', () => {
  it('brings every table back to where it was, and keeps what it replaced', async () => {
    await before();
    const path = await backup(['t_3:1', 't_3:quarantine']);
    await after();
    await restore(path);
    await expectBefore();
    expect(await sums('glasshouse_replaced.t_1_1', 'glasshouse_replaced.t_2_1', 'glasshouse_replaced.t_4_1')).toEqual([
      '3 of 50',
      '10 of 6',
      '1 of 51',
    ]);
    expect(await store.rows('SELECT count() AS n FROM glasshouse_replaced.spans')).toEqual([{ n: 2 }]);
    // The view `traces` is made where the data source was.
    await store.prepareTenant('acme');
    expect(await store.rows('SELECT count() AS n FROM tenant_acme.traces')).toEqual([{ n: 1 }]);
    // A second one removes what the first one replaced.
    await restore(path);
    await expectBefore();
    expect(await tablesOf('glasshouse_replaced')).toHaveLength(6);
  });

  it('makes a workspace that is not there', async () => {
    await before();
    const path = await backup();
    await store.command('DROP DATABASE tenant_acme SYNC');
    await store.command('DROP DATABASE glasshouse_building SYNC');
    await restore(path);
    expect(await sums('a', 'b')).toEqual(['1 of 5', '10 of 6']);
  });

  it('takes the place of a view', async () => {
    await tables.create(place('traces', 't_5'), definition('traces', PLAIN));
    await add('traces', 3, 4);
    const path = await backup();
    await tables.drop(place('traces', 't_5'));
    await store.prepareTenant('acme');
    await restore(path);
    expect(await sums('traces')).toEqual(['4 of 3']);
  });

  it('says the greatest segment that is in it', async () => {
    await before();
    const path = await backup(['t_3:1']);
    expect(await store.readBackup(path, () => undefined)).toMatchObject({ greatestSegment: 8n, hasWorkspaces: true });
    await store.endRestore();
    expect(await store.rows("SELECT name FROM system.databases WHERE name = 'glasshouse_restoring'")).toEqual([]);
  });

  it('of a backup without a list leaves workspaces as they are', async () => {
    await before();
    const path = await backup();
    rmSync(join(path, 'glasshouse.json'));
    await add('a', 9, 1);
    await addSpan(10);
    await restore(path);
    expect(await sums('a')).toEqual(['2 of 9']);
    expect(await store.rows('SELECT _segment FROM glasshouse.spans')).toEqual([{ _segment: 8 }]);
  });

  it('is finished by whoever comes next, wherever it was interrupted', async () => {
    await before();
    const path = await backup(['t_3:1', 't_3:quarantine']);
    await after();
    let interruptions = 0;
    // Every third step, and each kind of step is among them.
    for (let steps = 0; ; steps += 3) {
      const read = await store.readBackup(path, () => undefined);
      await store.planRestore(path, read);
      let left = steps;
      const failing = Object.create(client) as Client;
      failing.command = (sql, options) =>
        left-- > 0 ? client.command(sql, options) : Promise.reject(new Error('interrupted'));
      const isDone = await placeRestored(failing, 'glasshouse').catch((error: unknown) => messageOf(error));
      if (isDone === true) break;
      expect(isDone).toBe('interrupted');
      interruptions++;
      await store.placeRestored();
      // Once more does nothing.
      expect(await store.placeRestored()).toBe(true);
      await store.endRestore();
      await expectBefore();
      expect(await store.placeRestored()).toBe(false);
    }
    expect(interruptions).toBeGreaterThan(8);
  }, 120_000);

  it('that was not planned is forgotten by whoever comes next', async () => {
    await before();
    const path = await backup(['t_3:1', 't_3:quarantine']);
    await store.readBackup(path, () => undefined);
    expect(await store.placeRestored()).toBe(false);
    await store.endRestore();
    await expectBefore();
  });

  const BAD: [string, (contents: BackupContents) => unknown, string][] = [
    ['of a newer form', (contents) => ({ ...contents, format: 2 }), 'is of a newer server'],
    ['of another schema', (contents) => ({ ...contents, migrations: 1 }), 'the backup is of schema 1, this server has'],
    [
      'that names a table of the server',
      (contents) => ({ ...contents, tables: [{ database: 'system', name: 'one', comment: 'a:1' }] }),
      'which is no data source',
    ],
    [
      'that names what is not in it',
      (contents) => ({ ...contents, tables: [{ database: 'tenant_x', name: 'one', comment: 'a:1' }] }),
      'not found in backup',
    ],
  ];
  it.each(BAD)('of a backup %s is refused', async (_, change, message) => {
    const path = await backup();
    const file = join(path, 'glasshouse.json');
    const contents = JSON.parse(readFileSync(file, 'utf8')) as BackupContents;
    expect(contents.migrations).toBe(MIGRATIONS.length);
    writeFileSync(file, JSON.stringify(change(contents)));
    await expect(store.readBackup(path, () => undefined)).rejects.toThrow(message);
    writeFileSync(file, 'nothing');
    await expect(store.readBackup(path, () => undefined)).rejects.toThrow('cannot be read');
  });
});

describe('a backup', () => {
  it('has all tables as they were at one moment, and lets go when that is over', async () => {
    await tables.create(place('a', 't_1'), definition('a', PLAIN));
    await tables.create(place('b', 't_2'), definition('b', PLAIN));
    const path = join(dir, 'backup', `b${++count}`);
    const [held, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let isHeld = false;
    let segment = 0;
    const load = { isOver: false };
    const writing = (async () => {
      while (!load.isOver) {
        if (isHeld) await late.promise;
        segment++;
        await add('a', segment, segment);
        await add('b', segment, segment);
        if (segment === 10) held.resolve();
      }
    })();
    await held.promise;
    await store.backup({
      path,
      kept: new Set(),
      hold: async () => {
        isHeld = true;
        // The insert on its way ends.
        await new Promise((resolve) => setTimeout(resolve, 500));
        return () => {
          isHeld = false;
          late.resolve();
        };
      },
      onProgress: () => undefined,
    });
    load.isOver = true;
    await writing;
    await restore(path);
    const [a, b] = await sums('a', 'b');
    expect(a).toBe(b);
    expect(existsSync(join(path, 'glasshouse.json'))).toBe(true);
  });

  it('lets go also when it cannot be made', async () => {
    let released = 0;
    const hold = (): Promise<() => void> => Promise.resolve(() => released++);
    const options = { path: '/etc/glasshouse-no', kept: new Set<string>(), hold, onProgress: () => undefined };
    await expect(store.backup(options)).rejects.toThrow();
    expect(released).toBe(1);
  });
});
