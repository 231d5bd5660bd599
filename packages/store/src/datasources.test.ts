/** Tables of data sources on a real engine: made, shown, changed, moved while rows keep coming, removed. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import type { DataSource, DataSourceColumn, DataSourceEngine } from '@glasshouse/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIXED_SETTINGS, planChange } from './datasource-change.ts';
import { ENGINE_SETTINGS, ENGINES, quarantineColumns } from './datasource-ddl.ts';
import type { TablePlace } from './datasources.ts';
import { DataSources } from './datasources.ts';
import { Store } from './store.ts';
import { embeddedTarget } from './target.ts';

let dir: string;
let engine: Engine;
let store: Store;
let tables: DataSources;
let ids = 0;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'glasshouse-datasources-'));
  engine = await startEngine({ dataDir: join(dir, 'engine'), backupDir: join(dir, 'backup'), maxMemoryBytes: 1 << 30 });
  store = await Store.open({ target: embeddedTarget(engine), retentionDays: undefined });
  await store.prepareTenant('acme');
  tables = DataSources.connect(embeddedTarget(engine));
});

afterAll(async () => {
  await tables.close();
  await store.close();
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe('a new data source', () => {
  it('has its columns in order, a hidden segment, and a quarantine of texts', async () => {
    const traces = dataSource('made', {
      columns: [
        column('tenant_id', 'String'),
        column('environment', "Enum8('dev' = 1, 'prod' = 2)"),
        column('timestamp', 'DateTime64(3)'),
        { name: 'date', type: 'Date', kind: 'MATERIALIZED', expression: 'toDate(timestamp)' },
        { name: 'tags', type: 'Array(Map(String, String))', expression: '[]', codec: 'ZSTD(3)' },
        { name: 'insertion_date', type: 'String', expression: "'a\\'b'" },
      ],
      engine: {
        name: 'MergeTree',
        partitionKey: '(tenant_id, toYYYYMM(date))',
        sortingKey: 'tenant_id, timestamp',
        ttl: 'date + INTERVAL 9000 DAY',
        settings: { index_granularity: '1024' },
      },
      indexes: [{ name: 'by_tag', expression: 'tenant_id', type: 'bloom_filter(0.01)', granularity: 1 }],
    });
    const place = next('made');
    await tables.create(place, traces);
    await insert('made', ['tenant_id', 'timestamp'], "'x', '2026-01-02 03:04:05.678'", 7);
    expect(await store.rows('SELECT *, _segment, date FROM tenant_acme.made')).toEqual([
      {
        tenant_id: 'x',
        environment: 'dev',
        timestamp: '2026-01-02 03:04:05.678',
        tags: [],
        insertion_date: "a'b",
        _segment: 7,
        date: '2026-01-02',
      },
    ]);
    expect(await columnsOf('made_quarantine')).toEqual([
      'tenant_id Nullable(String)',
      'environment Nullable(String)',
      'timestamp Nullable(String)',
      'tags Nullable(String)',
      'insertion_date_ Nullable(String)',
      'c__error_column Array(String)',
      'c__error Array(String)',
      'c__import_id Nullable(String)',
      'insertion_date DateTime',
      'c__line Nullable(String)',
      '_segment LowCardinality(UInt64)',
    ]);
    expect(quarantineColumns(traces).at(-1)).toEqual({ column: 'insertion_date', name: 'insertion_date_' });
    const sizes = await tables.sizes('acme');
    expect(sizes.get('made')).toMatchObject({ rows: 1 });
    expect(sizes.get('made_quarantine')).toMatchObject({ rows: 0 });
    expect(sizes.has('spans')).toBe(false);
  });

  it('syncs what is inserted and merged', async () => {
    await tables.create(next('synced'), dataSource('synced'));
    const ddl = await showCreate('synced');
    for (const setting of ['fsync_after_insert = 1', 'fsync_part_directory = 1', 'min_rows_to_fsync_after_merge = 1'])
      expect(ddl).toContain(setting);
    expect(await showCreate('synced_quarantine')).toContain('fsync_after_insert = 1');
  });

  it.each<[string, Partial<DataSourceEngine>, string]>([
    ['MergeTree', {}, '3'],
    ['ReplacingMergeTree', { version: 'v', isDeleted: 'deleted' }, '1'],
    ['SummingMergeTree', {}, '1'],
    ['SummingMergeTree', { summingColumns: 'n' }, '1'],
    ['AggregatingMergeTree', {}, '1'],
    ['CollapsingMergeTree', { sign: 'sign' }, '1'],
    ['VersionedCollapsingMergeTree', { sign: 'sign', version: 'v' }, '3'],
    ['Null', {}, '0'],
  ])('may be a %s with %j', async (name, given, left) => {
    const place = next(`engine_${ids}`);
    const columns = [
      column('k', 'String'),
      column('n', name === 'AggregatingMergeTree' ? 'SimpleAggregateFunction(sum, UInt64)' : 'UInt64'),
      column('v', 'UInt32'),
      column('sign', 'Int8'),
      column('deleted', 'UInt8'),
    ];
    await tables.create(place, dataSource(place.name, { columns, engine: { name, sortingKey: 'k', ...given } }));
    for (const [segment, n] of [
      [5, 1],
      [9, 2],
      [7, 4],
    ] as const)
      await insert(place.name, ['k', 'n', 'v', 'sign', 'deleted'], `'a', ${n}, ${segment}, 1, 0`, segment);
    if (name !== 'Null') await store.command(`OPTIMIZE TABLE tenant_acme.${place.name} FINAL`);
    const [row] = await store.rows<{ n: string; segment: string }>(
      `SELECT count() AS n, max(_segment) AS segment FROM tenant_acme.${place.name}`,
    );
    expect(row?.n).toBe(Number(left));
    if (name === 'SummingMergeTree' || name === 'AggregatingMergeTree') {
      expect(await store.rows(`SELECT n, _segment FROM tenant_acme.${place.name}`)).toEqual([{ n: 7, _segment: 9 }]);
    }
  });

  it('may be sorted by nothing, by an expression, or by a list in parentheses', async () => {
    for (const sortingKey of ['', 'tuple()', 'k', '(k, n)', 'k, toDate(n)', 'cityHash64(k), n']) {
      const place = next(`sorted_${ids}`);
      await tables.create(place, dataSource(place.name, { engine: { name: 'MergeTree', sortingKey } }));
      expect(await showCreate(place.name)).toContain('ORDER BY');
    }
  });

  it.each<[string, Partial<DataSource>, string]>([
    ['an engine that is none', { engine: { name: 'Memory' } }, ENGINES.join(', ')],
    ['an engine that reads files', { engine: { name: "File('CSV', '/etc/passwd')" } }, 'must be one of'],
    [
      'a disk',
      { engine: { name: 'MergeTree', settings: { disk: "disk(type = local, path = '/')" } } },
      'must be one of',
    ],
    [
      'a setting that is no number',
      { engine: { name: 'MergeTree', settings: { index_granularity: '1 COMMENT' } } },
      'number',
    ],
    [
      'a sign that is no column',
      { engine: { name: 'CollapsingMergeTree', sign: 'a) AS SELECT (1' } },
      'name of a column',
    ],
    ['no sign', { engine: { name: 'CollapsingMergeTree' } }, 'it needs ENGINE_SIGN'],
    [
      'a codec that is none',
      { columns: [{ name: 'a', type: 'String', codec: 'ZSTD(1)) b String DEFAULT (1' }] },
      'CODEC',
    ],
    ['an unknown type', { columns: [column('a', 'Strin')] }, 'Strin'],
  ])('with %s is refused and leaves nothing behind', async (_, values, message) => {
    const place = next('refused');
    await expect(tables.create(place, dataSource('refused', values))).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining(message) as unknown,
    });
    expect(await tables.exists(place)).toBe(false);
    expect(await names("name LIKE 'refused%' OR comment LIKE {c:String}", `${place.id}:%`)).toEqual([]);
  });

  it('takes the place of the view `traces`, which is never put back over it', async () => {
    await store.prepareTenant('beta');
    const place = { tenant: 'beta', name: 'traces', id: 't_beta', version: 1 };
    await tables.create(place, dataSource('traces'));
    await store.prepareTenant('beta');
    expect(
      await store.rows("SELECT engine FROM system.tables WHERE database = 'tenant_beta' AND name = 'traces'"),
    ).toEqual([{ engine: 'MergeTree' }]);
    expect(await store.rows('SELECT count() AS n FROM telemetry.traces')).toEqual([{ n: 0 }]);
  });
});

describe('versions of a table', () => {
  it('are exchanged at once, found again, and put back', async () => {
    const [one, two] = [next('swapped'), { ...next('swapped'), version: 2 }];
    const second = { ...two, id: one.id };
    await tables.create(one, dataSource('swapped'));
    await insert('swapped', ['k'], "'one'", 1);
    await tables.build(second, dataSource('swapped'));
    await store.command(`INSERT INTO glasshouse_building.${one.id}_2 (k) SELECT 'two'`);
    await tables.place(second);
    await tables.place(second);
    expect(await store.rows('SELECT k FROM tenant_acme.swapped')).toEqual([{ k: 'two' }]);
    await tables.discard(second);
    await tables.place(one);
    expect(await store.rows('SELECT k FROM tenant_acme.swapped')).toEqual([{ k: 'one' }]);
    await tables.discard(second);
    expect([await tables.exists(one), await tables.exists(second)]).toEqual([true, false]);
    await expect(tables.place(second)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('can be taken out of sight and brought back', async () => {
    const place = next('hidden');
    await tables.create(place, dataSource('hidden'));
    await insert('hidden', ['k'], "'kept'", 1);
    await tables.hide(place);
    await tables.hide(place);
    expect(await names("database = 'tenant_acme' AND name LIKE {c:String}", 'hidden%')).toEqual([]);
    await tables.placeQuarantine(place);
    await tables.place(place);
    expect(await store.rows('SELECT k FROM tenant_acme.hidden')).toEqual([{ k: 'kept' }]);
    await tables.drop(place);
    expect(await names('comment LIKE {c:String}', `${place.id}:%`)).toEqual([]);
  });

  it('that an interrupted change left behind are swept away', async () => {
    const [kept, lost] = [next('kept'), next('lost')];
    await tables.build(kept, dataSource('kept'));
    await tables.build(lost, dataSource('lost'));
    await tables.sweep(new Set([`${kept.id}:1`]));
    expect([await tables.exists(kept), await tables.exists(lost)]).toEqual([true, false]);
    await tables.sweep(new Set());
  });

  it('are put back where an interrupted change took them away', async () => {
    const [one, two, three] = [next('back_one'), next('back_two'), next('back_three')];
    for (const place of [one, two]) await tables.create(place, dataSource(place.name));
    await tables.build({ ...one, version: 2 }, dataSource('back_one'));
    await tables.place({ ...one, version: 2 });
    await tables.hide(two);
    const { placed, lost } = await tables.repair([one, two, three]);
    expect(placed).toEqual([one, two, two]);
    expect(lost).toEqual([three, three]);
    expect(await names("database = 'tenant_acme' AND comment LIKE {c:String} ORDER BY name", `${one.id}:1`)).toEqual([
      'back_one',
    ]);
    expect(await names("database = 'tenant_acme' AND comment LIKE {c:String} ORDER BY name", `${two.id}:%`)).toEqual([
      'back_two',
      'back_two_quarantine',
    ]);
    expect(await tables.repair([one, two])).toEqual({ placed: [], lost: [] });
  });

  it('have another name after a rename, rows and quarantine included', async () => {
    const place = next('before');
    await tables.create(place, dataSource('before'));
    await insert('before', ['k'], "'kept'", 1);
    await tables.rename(place, 'after_it');
    expect(await store.rows('SELECT k FROM tenant_acme.after_it')).toEqual([{ k: 'kept' }]);
    expect(await columnsOf('after_it_quarantine')).toContain('c__error Array(String)');
    await tables.drop({ ...place, name: 'after_it' });
  });
});

describe('rows', () => {
  it('are counted, deleted by a condition, and removed all', async () => {
    const place = next('emptied');
    await tables.create(place, dataSource('emptied'));
    await store.command(
      'INSERT INTO tenant_acme.emptied (k, n, _segment) SELECT toString(number % 3), number, 4 FROM numbers(9)',
      { settings: { insert_allow_materialized_columns: 1 } },
    );
    expect(await tables.count(place, "k = '1'")).toBe(3);
    await tables.deleteRows(place, "k = '1'");
    expect(await tables.count(place, '1')).toBe(6);
    await tables.truncate(place);
    await tables.truncate(place, 'quarantine');
    expect(await tables.count(place, '1')).toBe(0);
  });
});

describe('a change in place', () => {
  it('adds, drops, reorders and redefines columns, indexes, TTL and settings', async () => {
    const before = dataSource('altered', {
      columns: [column('k', 'String'), column('gone', 'UInt8'), column('n', 'UInt64'), column('at', 'DateTime')],
      engine: {
        name: 'MergeTree',
        sortingKey: 'k',
        ttl: 'at + INTERVAL 1 DAY',
        settings: { merge_with_ttl_timeout: '60' },
      },
      indexes: [{ name: 'old', expression: 'gone', type: 'minmax', granularity: 1 }],
    });
    const after = dataSource('altered', {
      columns: [
        column('k', 'String'),
        { name: 'first', type: 'LowCardinality(UInt8)', expression: '7' },
        column('at', 'DateTime'),
        { name: 'n', type: 'UInt64', expression: '5', codec: 'T64, LZ4' },
        { name: 'm', type: 'UInt64', kind: 'MATERIALIZED', expression: 'n * 2' },
      ],
      engine: { name: 'MergeTree', sortingKey: 'k', settings: { ttl_only_drop_parts: '1' } },
      indexes: [{ name: 'fresh', expression: 'n', type: 'minmax', granularity: 2 }],
    });
    const place = next('altered');
    await tables.create(place, before);
    await insert('altered', ['k', 'gone', 'n', 'at'], "'a', 1, 3, now()", 1);
    const there = planChange(before, after);
    expect(there).toMatchObject({ kind: 'alter', losses: ['drops column gone'] });
    await tables.alter(place, there.clauses);
    await tables.alter(place, there.drops);
    await tables.widenQuarantine(place, after);
    await insert('altered', ['k'], "'b'", 2);
    expect(await store.rows('SELECT * EXCEPT at, m, _segment FROM tenant_acme.altered ORDER BY k')).toEqual([
      { k: 'a', first: 7, n: 3, m: 6, _segment: 1 },
      { k: 'b', first: 7, n: 5, m: 10, _segment: 2 },
    ]);
    expect(await columnsOf('altered')).toEqual([
      'k String',
      'first LowCardinality(UInt8)',
      'at DateTime',
      'n UInt64',
      'm UInt64',
      '_segment LowCardinality(UInt64)',
    ]);
    const ddl = await showCreate('altered');
    expect(ddl).toMatch(/INDEX fresh n TYPE minmax GRANULARITY 2/);
    expect(ddl).not.toMatch(/TTL|merge_with_ttl_timeout|INDEX old|gone/);
    expect(ddl).toContain('ttl_only_drop_parts = 1');
    expect(await columnsOf('altered_quarantine')).toContain('first Nullable(String)');

    const back = planChange(after, before);
    await tables.alter(place, back.clauses);
    await tables.alter(place, back.drops);
    expect(await store.rows('SELECT * EXCEPT at FROM tenant_acme.altered ORDER BY k')).toEqual([
      { k: 'a', gone: 0, n: 3 },
      { k: 'b', gone: 0, n: 5 },
    ]);
    expect(planChange(after, { ...after, description: 'new', columns: after.columns })).toMatchObject({ kind: 'none' });
  });

  it.each(['MergeTree', 'Null'])('comments columns of a %s, anew and no more', async (name) => {
    const engine = { name, ...(name === 'Null' ? {} : { sortingKey: 'a' }) };
    const commented = (comment: string | undefined, more: object = {}): DataSource => {
      const about = { ...column('a', 'String'), ...more, ...(comment === undefined ? {} : { comment }) };
      return dataSource('commented', { engine, columns: [column('k', 'String'), about] });
    };
    const place = next('commented');
    const text = "it's \\ two\nlines";
    const comments = async (): Promise<unknown> => {
      const where = "database = 'tenant_acme' AND table = 'commented' AND name = 'a'";
      return store.rows(`SELECT comment, default_expression AS value FROM system.columns WHERE ${where}`);
    };
    await tables.create(place, commented(text));
    expect(await comments()).toEqual([{ comment: text, value: '' }]);
    const other = planChange(commented(text), commented('other', { kind: 'DEFAULT', expression: "'x'" }));
    expect(other).toMatchObject({ kind: 'alter', losses: [] });
    await tables.alter(place, other.clauses);
    expect(await comments()).toEqual([{ comment: 'other', value: "'x'" }]);
    const none = planChange(commented('other', { kind: 'DEFAULT', expression: "'x'" }), {
      ...commented(undefined),
      columns: commented(undefined).columns.toReversed(),
    });
    expect(none.changes).toEqual(['changes the default of column a and the comment of column a', 'reorders columns']);
    for (let again = 0; again < 2; again++) await tables.alter(place, none.clauses.slice(-3));
    expect(await comments()).toEqual([{ comment: '', value: "'x'" }]);
  });

  it.each([...ENGINE_SETTINGS])('sets %s and takes it back, or moves the rows for it', async (key) => {
    const plain = dataSource('set');
    const [known] = await store.rows<{ value: string; type: string }>(
      `SELECT value, type FROM system.merge_tree_settings WHERE name = '${key}'`,
    );
    const other = known?.type === 'Bool' ? String(1 - Number(known.value)) : '1234567';
    const set = (value: string): DataSource =>
      dataSource('set', { engine: { name: 'MergeTree', sortingKey: 'k', settings: { [key]: value } } });
    const isFixed = Object.hasOwn(FIXED_SETTINGS, key);
    const [there, back] = [planChange(plain, set(other)), planChange(set(other), plain)];
    expect([there.kind, back.kind]).toEqual(isFixed ? ['rebuild', 'rebuild'] : ['alter', 'alter']);
    if (isFixed) {
      expect(known?.value).toBe(FIXED_SETTINGS[key]);
      expect(planChange(set(`'${known?.value}'`), plain).kind).toBe('none');
      return;
    }
    const place = next('set');
    await tables.create(place, plain);
    await tables.alter(place, there.clauses);
    await tables.alter(place, back.clauses);
    await tables.drop(place);
  });

  it('that fails is undone as far as it was done', async () => {
    const before = dataSource('half');
    const after = dataSource('half', {
      columns: [column('k', 'String'), column('n', 'UInt64'), column('extra', 'UInt8')],
      engine: { name: 'MergeTree', sortingKey: 'k', settings: { ttl_only_drop_parts: '7' } },
    });
    const place = next('half');
    await tables.create(place, before);
    // It is 0 or 1.
    await expect(tables.alter(place, planChange(before, after).clauses)).rejects.toThrow('7');
    expect(await columnsOf('half')).toContain('extra UInt8');
    await tables.revert(place, before, after);
    expect(await columnsOf('half')).not.toContain('extra UInt8');
  });

  it.each<[string, Partial<DataSource>, string]>([
    [
      'another type',
      { columns: [column('k', 'String'), column('n', 'String')] },
      'changes column n from UInt64 to String',
    ],
    ['another sorting key', { engine: { name: 'MergeTree', sortingKey: 'n' } }, 'changes the sorting key'],
    [
      'another partition key',
      { engine: { name: 'MergeTree', sortingKey: 'k', partitionKey: 'k' } },
      'changes the partition key',
    ],
    ['another engine', { engine: { name: 'ReplacingMergeTree', sortingKey: 'k' } }, 'changes the engine'],
    [
      'a query for the rows',
      { columns: [column('k', 'String'), column('n', 'UInt64'), column('x', 'UInt8')], forwardQuery: '*, 1 AS x' },
      'adds column x',
    ],
    [
      'an alias that is stored from now on',
      { columns: [column('k', 'String'), { name: 'n', type: 'UInt64', kind: 'ALIAS', expression: '1' }] },
      'from NONE to ALIAS',
    ],
  ])('is not possible with %s', (_, values, text) => {
    const change = planChange(dataSource('x'), dataSource('x', values));
    expect(change.kind).toBe('rebuild');
    expect(change.changes.join('; ')).toContain(text);
  });

  it.each<[string, string | undefined, readonly string[]]>([
    ['none', undefined, ['drops column n']],
    ['one that makes something else of it', 'SELECT k, n / 1000 AS volts', []],
    ['one that leaves it out', 'SELECT k, 1 AS volts', ['drops column n']],
    ['one that has its name in a text only', "SELECT k, length('n') AS volts", ['drops column n']],
  ])('that takes a column away loses its values unless a new query names it: %s', (_, forwardQuery, losses) => {
    const columns = [column('k', 'String'), column('volts', 'Float64')];
    const after = dataSource('x', { columns, ...(forwardQuery === undefined ? {} : { forwardQuery }) });
    expect(planChange(dataSource('x'), after).losses).toEqual(losses);
    // The query has done its work when the definition is there: then it says nothing about what comes later.
    expect(planChange(dataSource('x', { ...after, columns: dataSource('x').columns }), after).losses).toEqual([
      'drops column n',
    ]);
  });

  it('is none where only the text differs', () => {
    const written = dataSource('x', {
      engine: { name: 'MergeTree', sortingKey: 'k', ttl: 'toDate(n) + INTERVAL 1 DAY' },
    });
    const rewritten = dataSource('x', {
      engine: { name: 'MergeTree', sortingKey: '( k )', ttl: 'toDate( n )+INTERVAL 1 DAY' },
      description: 'd',
    });
    expect(planChange(written, rewritten)).toMatchObject({ kind: 'none', changes: [] });
  });
});

describe('the move to another schema', () => {
  it('loses none of a million rows while more keep coming', async () => {
    const before = dataSource('moved', {
      columns: [column('k', 'String'), column('n', 'UInt64'), column('day', 'Date')],
      engine: { name: 'MergeTree', partitionKey: 'toYYYYMM(day)', sortingKey: 'k' },
    });
    const after = dataSource('moved', {
      columns: [
        column('n', 'UInt32'),
        column('k', 'LowCardinality(String)'),
        column('day', 'Date32'),
        { name: 'half', type: 'Float64', kind: 'MATERIALIZED', expression: 'n / 2' },
      ],
      engine: { name: 'MergeTree', partitionKey: 'toYYYYMM(day)', sortingKey: 'n' },
    });
    const place = next('moved');
    await tables.create(place, before);
    const moved = { ...place, version: 2 };
    const feed = feeder(
      'moved',
      (segment) => `toString(number % 100), number + ${segment} * 100000, toDate('2026-01-01') + number % 90`,
    );
    for (let segment = 1; segment <= 10; segment++) await feed.insert(100_000);
    feed.start(1_000);
    const rebuild = tables.rebuild(moved, before, after);
    await rebuild.create();
    const seen: number[] = [];
    await rebuild.fill((progress) => seen.push(progress.rows));
    await rebuild.catchUp(() => undefined);
    await feed.some(3);
    const release = await feed.hold();
    await rebuild.settle();
    await tables.place(moved);
    release();
    await feed.some(3);
    await feed.stop();
    await tables.discard(place);
    const [row] = await store.rows<{ rows: number; keys: number; sum: string; segments: number }>(
      'SELECT count() AS rows, uniqExact(n) AS keys, toString(sum(n)) AS sum, uniqExact(_segment) AS segments FROM tenant_acme.moved',
    );
    expect(row).toEqual({ rows: feed.rows, keys: feed.rows, sum: String(feed.sum), segments: feed.segments });
    expect(row?.rows).toBeGreaterThan(1_000_000);
    expect(seen.at(-1)).toBeGreaterThanOrEqual(900_000);
    expect(await store.rows('SELECT max(half) = max(n) / 2 AS ok FROM tenant_acme.moved')).toEqual([{ ok: 1 }]);
  });

  it.each([
    ['SummingMergeTree', {}, 'UInt64', 'number', 'sum(n)'],
    [
      'AggregatingMergeTree',
      {},
      'AggregateFunction(sum, UInt64)',
      "initializeAggregation('sumState', number)",
      'sumMerge(n)',
    ],
  ])('counts no row of a %s twice, whatever is merged meanwhile', async (name, given, type, value, total) => {
    const engineOf = (sortingKey: string): DataSourceEngine => ({ name, sortingKey, ...given });
    const place = next(`added_${ids}`);
    const columns = [column('k', 'String'), column('n', type)];
    const before = dataSource(place.name, { columns, engine: engineOf('k') });
    const after = dataSource(place.name, {
      columns: [
        column('k', 'LowCardinality(String)'),
        column('n', type),
        column('extra', 'SimpleAggregateFunction(max, UInt8)'),
      ],
      engine: engineOf('k'),
      forwardQuery: 'SELECT k, n, 1 AS extra',
    });
    await tables.create(place, before);
    const feed = feeder(place.name, () => `toString(number % 10), ${value}`);
    for (let segment = 1; segment <= 4; segment++) await feed.insert(1_000);
    const rebuild = tables.rebuild({ ...place, version: 2 }, before, after);
    await rebuild.create();
    await rebuild.fill(() => undefined);
    await rebuild.rest();
    await feed.insert(1_000);
    await store.command(`OPTIMIZE TABLE tenant_acme.${place.name} FINAL`);
    await rebuild.catchUp(() => undefined);
    await feed.insert(1_000);
    await store.command(`OPTIMIZE TABLE tenant_acme.${place.name} FINAL`).catch(() => undefined);
    const release = await feed.hold();
    await rebuild.settle();
    await tables.place({ ...place, version: 2 });
    release();
    await tables.discard(place);
    await store.command(`OPTIMIZE TABLE tenant_acme.${place.name} FINAL`);
    expect(
      await store.rows(
        `SELECT ${total} AS total, max(_segment) AS segment, max(extra) AS extra FROM tenant_acme.${place.name}`,
      ),
    ).toEqual([{ total: 6 * 499_500, segment: 6, extra: 1 }]);
  });

  it('by a query of one’s own takes its columns and leaves the rest to their defaults', async () => {
    const before = dataSource('forwarded', {
      columns: [column('k', 'String'), column('n', 'String')],
      engine: { name: 'MergeTree', sortingKey: 'k' },
    });
    const after = dataSource('forwarded', {
      columns: [column('k', 'String'), column('n', 'UInt64'), { name: 'd', type: 'String', expression: "'default'" }],
      engine: { name: 'MergeTree', sortingKey: 'k' },
      forwardQuery: 'SELECT k, toUInt64OrZero(n) AS n',
    });
    const place = next('forwarded');
    await tables.create(place, before);
    await insert('forwarded', ['k', 'n'], "'a', '12'", 3);
    await insert('forwarded', ['k', 'n'], "'b', 'x'", 4);
    await moveAll(place, before, after);
    expect(await store.rows('SELECT *, _segment FROM tenant_acme.forwarded ORDER BY k')).toEqual([
      { k: 'a', n: 12, d: 'default', _segment: 3 },
      { k: 'b', n: 0, d: 'default', _segment: 4 },
    ]);
  });

  it('keeps what a MATERIALIZED column was computed to, and rows that came without a segment', async () => {
    const stamped = (type: string): DataSource =>
      dataSource('stamped', {
        columns: [column('k', type), { name: 'at', type: 'UInt64', kind: 'MATERIALIZED', expression: 'rand64()' }],
        engine: { name: 'MergeTree', sortingKey: 'k' },
      });
    const place = next('stamped');
    await tables.create(place, stamped('String'));
    await store.command("INSERT INTO tenant_acme.stamped (k) VALUES ('a')");
    const before = await store.rows('SELECT k, at, _segment FROM tenant_acme.stamped');
    await moveAll(place, stamped('String'), stamped('LowCardinality(String)'));
    expect(await store.rows('SELECT k, at, _segment FROM tenant_acme.stamped')).toEqual(before);
  });

  it.each<[string, Partial<DataSource>, string]>([
    [
      'a value that does not fit',
      { columns: [column('k', 'String'), column('n', 'UInt8')] },
      'cannot be safely converted',
    ],
    [
      'a query that is none',
      { columns: [column('k', 'String'), column('n', 'UInt8')], forwardQuery: 'SELECT k, nope AS n' },
      'nope',
    ],
    [
      'a query with a column that is none',
      { columns: [column('k', 'String'), column('n', 'UInt8')], forwardQuery: '*, 1 AS zz' },
      'its column zz is not one of',
    ],
    [
      'no column in common',
      { columns: [column('x', 'String')], engine: { name: 'MergeTree', sortingKey: 'x' } },
      'FORWARD_QUERY',
    ],
  ])('with %s leaves all as it was', async (_, values, message) => {
    const before = dataSource('stays');
    const place = next('stays');
    await tables.create(place, before);
    await insert('stays', ['k', 'n'], "'a', 70000", 3);
    await insert('stays', ['k', 'n'], "'a', 70000", 4);
    await expect(moveAll(place, before, dataSource('stays', values))).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining(message) as unknown,
    });
    expect(await store.rows('SELECT DISTINCT * FROM tenant_acme.stays')).toEqual([{ k: 'a', n: 70_000 }]);
    expect(await names('comment LIKE {c:String}', `${place.id}:2`)).toEqual([]);
    await tables.drop(place);
  });

  it('ends when it is cancelled', async () => {
    const before = dataSource('cancelled');
    const place = next('cancelled');
    await tables.create(place, before);
    await insert('cancelled', ['k', 'n'], "'a', 1", 3);
    await insert('cancelled', ['k', 'n'], "'a', 1", 4);
    const rebuild = tables.rebuild(
      { ...place, version: 2 },
      before,
      dataSource('cancelled', { columns: [column('k', 'String'), column('n', 'UInt16')] }),
    );
    await rebuild.create();
    await expect(rebuild.fill(() => undefined, AbortSignal.abort())).rejects.toThrow('aborted');
    await rebuild.discard();
    expect(await tables.exists({ ...place, version: 2 })).toBe(false);
  });
});

async function moveAll(place: TablePlace, before: DataSource, after: DataSource): Promise<void> {
  const moved = { ...place, version: 2 };
  const rebuild = tables.rebuild(moved, before, after);
  try {
    await rebuild.create();
    await rebuild.catchUp(() => undefined);
    await rebuild.settle();
    await tables.place(moved);
    await tables.discard(place);
  } catch (error) {
    await rebuild.discard();
    throw error;
  }
}

/** Inserts segments one after the other, as the drain does, and stops in between when it is held. */
function feeder(table: string, values: (segment: number) => string) {
  const feed = {
    rows: 0,
    sum: 0n,
    segments: 0,
    insert: async (count: number): Promise<void> => {
      const segment = feed.segments + 1;
      const columns = (
        await store.rows<{ name: string }>(
          "SELECT name FROM system.columns WHERE database = 'tenant_acme' AND table = {table:String} AND default_kind = '' ORDER BY name = 'k' DESC, name = 'n' DESC",
          { params: { table } },
        )
      )
        .map(({ name }) => name)
        .filter((name) => name !== 'extra');
      await store.command(
        `INSERT INTO tenant_acme.${table} (${columns.join(', ')}, _segment) SELECT ${values(segment)}, ${segment} FROM numbers(${count})`,
        { settings: { insert_allow_materialized_columns: 1, optimize_on_insert: 0 } },
      );
      feed.segments = segment;
      feed.rows += count;
      for (let number = 0; number < count; number++) feed.sum += BigInt(number + segment * 100_000);
    },
    holds: 0,
    running: true,
    busy: Promise.resolve(),
    start: (count: number): void => {
      feed.busy = (async () => {
        while (feed.running) {
          if (feed.holds > 0) await new Promise((resolve) => setTimeout(resolve, 5));
          else await (feed.current = feed.insert(count));
        }
      })();
    },
    current: Promise.resolve(),
    hold: async (): Promise<() => void> => {
      feed.holds++;
      await feed.current;
      return () => void feed.holds--;
    },
    some: async (count: number): Promise<void> => {
      const until = feed.segments + count;
      while (feed.segments < until) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    stop: async (): Promise<void> => {
      feed.running = false;
      await feed.busy;
    },
  };
  return feed;
}

async function insert(table: string, columns: readonly string[], values: string, segment: number): Promise<void> {
  await store.command(
    `INSERT INTO tenant_acme.${table} (${columns.join(', ')}, _segment) SELECT ${values}, ${segment}`,
    {
      settings: { insert_allow_materialized_columns: 1 },
    },
  );
}

async function columnsOf(table: string): Promise<string[]> {
  const rows = await store.rows<{ name: string; type: string }>(
    "SELECT name, type FROM system.columns WHERE database = 'tenant_acme' AND table = {table:String} ORDER BY position",
    { params: { table } },
  );
  return rows.map(({ name, type }) => `${name} ${type}`);
}

async function showCreate(table: string): Promise<string> {
  const [row] = await store.rows<{ statement: string }>(`SHOW CREATE TABLE tenant_acme.${table}`);
  return row?.statement ?? '';
}

async function names(condition: string, c: string): Promise<string[]> {
  const rows = await store.rows<{ name: string }>(`SELECT name FROM system.tables WHERE ${condition}`, {
    params: { c },
  });
  return rows.map(({ name }) => name);
}

function next(name: string): TablePlace {
  ids++;
  return { tenant: 'acme', name, id: `t_${String(ids).padStart(4, '0')}`, version: 1 };
}

function column(name: string, type: string): DataSourceColumn {
  return { name, type };
}

function dataSource(name: string, values: Partial<DataSource> = {}): DataSource {
  return {
    kind: 'datasource',
    name,
    columns: [column('k', 'String'), column('n', 'UInt64')],
    engine: { name: 'MergeTree', sortingKey: 'k' },
    indexes: [],
    tokens: [],
    tags: [],
    sharedWith: [],
    ...values,
  };
}
