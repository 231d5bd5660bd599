/** The store on a real engine: schema, hand-over of segments, and the views that clients read. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import { SPANS, FACT_TABLES } from '@glasshouse/schema';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Client } from './client.ts';
import { createTable } from './ddl.ts';
import { MIGRATIONS } from './migrations.ts';
import type { SegmentFile } from './store.ts';
import { Store } from './store.ts';
import { embeddedTarget } from './target.ts';
import { CATALOG, createCatalog, createViews, SESSION_TENANT, tenantDatabase, VIEWS } from './views.ts';

/** 2026-01-02, as days since 1970. */
const DAY = 20_455;

let dir: string;
let engine: Engine;
let store: Store;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'glasshouse-store-'));
  engine = await startEngine({ dataDir: join(dir, 'engine'), backupDir: join(dir, 'backup'), maxMemoryBytes: 1 << 30 });
  store = await open(undefined);
  await store.prepareTenant('acme');
  await store.prepareTenant('other');
});

afterAll(async () => {
  await store.close();
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(() => store.command('TRUNCATE TABLE glasshouse.spans'));

describe('the schema', () => {
  it('is made once, and may be asked for again', async () => {
    expect(await store.migrate()).toEqual([]);
    const rows = await store.rows<{ name: string }>('SELECT name FROM glasshouse.schema_migrations ORDER BY number');
    expect(rows.map((row) => row.name)).toEqual(MIGRATIONS.map((migration) => migration.name));
  });

  it('has every fact table with the described columns', async () => {
    for (const table of FACT_TABLES) {
      const rows = await store.rows<{ name: string; type: string }>(
        'SELECT name, type FROM system.columns WHERE database = {d:String} AND table = {t:String} ORDER BY position',
        { params: { d: 'glasshouse', t: table.name } },
      );
      const described = [...table.columns, ...table.derived].map(({ name, type }) => ({ name, type }));
      expect(rows).toEqual(described);
    }
  });

  it('gives tables of an older server the index of times and the sizes of blocks', async () => {
    const changed = async (): Promise<unknown> => {
      const [row] = await store.rows<{ ddl: string }>(
        "SELECT create_table_query AS ddl FROM system.tables WHERE database = 'glasshouse' AND name = 'spans'",
      );
      return [
        /INDEX timestamp_range .*? GRANULARITY 1/u.exec(row?.ddl ?? '')?.[0],
        /`attributes_string` .*? SETTINGS \(([^)]*)\)/u.exec(row?.ddl ?? '')?.[1],
      ];
    };
    const declared = await changed();
    expect(declared).toEqual([
      'INDEX timestamp_range timestamp TYPE minmax GRANULARITY 1',
      'min_compress_block_size = 131072, max_compress_block_size = 4194304',
    ]);
    await store.command('ALTER TABLE glasshouse.spans DROP INDEX timestamp_range');
    await store.command(
      'ALTER TABLE glasshouse.spans MODIFY COLUMN attributes_string MODIFY SETTING min_compress_block_size = 1048576',
    );
    expect(await changed()).not.toEqual(declared);
    await store.command("ALTER TABLE glasshouse.schema_migrations DELETE WHERE name = 'newest first'", {
      settings: { mutations_sync: 2 },
    });
    expect(await store.migrate()).toEqual(['newest first']);
    expect(await changed()).toEqual(declared);
  });

  it('follows the retention that is configured', async () => {
    expect(await retentions()).toEqual([]);
    for (const days of [90, 30, undefined]) {
      await (await open(days)).close();
      expect(await retentions()).toEqual(days === undefined ? [] : [String(days)]);
    }
  });

  it('is written for a cluster in statements that the engine’s parser reads', async () => {
    const options = {
      database: 'glasshouse',
      cluster: 'main',
      compression: 'ZSTD(1)',
      isCurrent: true,
      retentionDays: 90,
    };
    const statements = [
      ...MIGRATIONS.flatMap((migration) => migration.steps(options).flat()),
      ...createViews('telemetry', 'glasshouse', SESSION_TENANT, " ON CLUSTER 'main'"),
      ...createCatalog(" ON CLUSTER 'main'"),
    ];
    expect(statements.length).toBeGreaterThanOrEqual(40);
    for (const statement of statements) {
      expect(statement).toContain("ON CLUSTER 'main'");
      await store.command(`EXPLAIN AST ${statement}`);
    }
    const spans = createTable(SPANS, options).join('\n');
    expect(spans).toContain("ReplicatedMergeTree('/clickhouse/tables/{shard}/glasshouse/spans', '{replica}')");
    expect(spans).toContain('cityHash64(trace_id)');
  });
});

describe('the hand-over of a segment', () => {
  it('stores every row once, one part for each day', async () => {
    const segment = await segmentOf(7n, [DAY, DAY, DAY + 1]);
    expect(await store.missingDays(segment)).toEqual([DAY, DAY + 1]);
    await store.insertSegment(segment);
    expect(await store.missingDays(segment)).toEqual([]);
    expect(await countRows()).toBe(3);
    const parts = await store.rows<{ n: string }>(
      "SELECT count() AS n FROM system.parts WHERE database = 'glasshouse' AND table = 'spans' AND active",
    );
    expect(Number(parts[0]?.n)).toBe(2);
  });

  it.each(FACT_TABLES.map(({ name }) => name))(
    'asks %s which days are missing, and stores one of them',
    async (name) => {
      const { path, ...segment } = await segmentOf(11n, [DAY]);
      const days = { ...segment, table: name, path: join(dir, 'empty.gz') };
      expect(await store.missingDays(days)).toEqual([DAY]);
      const columns = FACT_TABLES.find((table) => table.name === name)?.columns.map((column) => `\`${column.name}\``);
      const client = new Client(store.target, store.target.writer, { maxConnections: 1, requestTimeoutMs: 10_000 });
      const { stream } = await client.raw(
        `SELECT ${columns?.join(', ')} FROM glasshouse.${name} LIMIT 0 FORMAT Native`,
      );
      writeFileSync(days.path, gzipSync(await buffer(stream)));
      await client.close();
      await store.insertDays(days, [DAY]);
      expect(path).not.toBe(days.path);
    },
  );

  it('stores only the days that are missing', async () => {
    const segment = await segmentOf(8n, [DAY, DAY, DAY + 1, DAY + 2]);
    await store.insertSegment(segment);
    await store.command(`ALTER TABLE glasshouse.spans DROP PARTITION '2026-01-03'`);
    expect(await store.missingDays(segment)).toEqual([DAY + 1]);
    await store.insertDays(segment, [DAY + 1]);
    expect(await store.missingDays(segment)).toEqual([]);
    expect(await countRows()).toBe(4);
    expect(await store.rows("SELECT name FROM system.tables WHERE name LIKE 'replay%'")).toEqual([]);
  });

  it('says so when a day is there in part', async () => {
    const segment = await segmentOf(9n, [DAY, DAY]);
    await store.insertSegment(segment);
    await expect(store.missingDays({ ...segment, days: new Map([[DAY, 3]]) })).rejects.toThrow('holds 2 of 3 rows');
  });

  it('fails without a row for a file that is torn', async () => {
    const segment = await segmentOf(10n, [DAY]);
    writeFileSync(segment.path, gzipSync(Buffer.from('not a block')));
    await expect(store.insertSegment(segment)).rejects.toMatchObject({ number: expect.any(Number) as unknown });
    expect(await countRows()).toBe(0);
  });
});

describe('the views', () => {
  beforeEach(() => store.insertRows('spans', [row(1n, DAY, 0), row(1n, DAY, 0, 'other')]));

  it.each(Object.keys({ ...VIEWS, ...CATALOG }))('telemetry.%s can be read', async (name) => {
    expect(await ask(`SELECT * FROM telemetry.${name} FORMAT Null`)).toBe('');
  });

  it.each(Object.keys(VIEWS))('%s can be read in the tenant’s database', async (name) => {
    expect(await ask(`SELECT * FROM ${name} FORMAT Null`)).toBe('');
  });

  it('show the tenant of the session, and nothing without one', async () => {
    expect(await ask('SELECT service_name FROM telemetry.spans', 'acme')).toBe('service-of-acme\n');
    expect(await ask('SELECT service_name FROM telemetry.spans', 'other')).toBe('service-of-other\n');
    expect(await ask('SELECT service_name FROM spans', 'other')).toBe('service-of-other\n');
    expect(await store.rows('SELECT * FROM telemetry.spans')).toEqual([]);
    const forged = { settings: { log_comment: 'tenant=other' } };
    expect(await text((await store.read('acme', 'SELECT service_name FROM telemetry.spans', forged)).stream)).toBe(
      'service-of-acme\n',
    );
  });

  it('show every tenant all of its rows, whatever the engine remembers of the query of another', async () => {
    for (const tenant of ['acme', 'other']) {
      await store.insertRows(
        'spans',
        Array.from({ length: 20_000 }, (_, index) => row(3n, DAY, index, tenant)),
      );
    }
    await store.command('OPTIMIZE TABLE glasshouse.spans FINAL');
    const sql = "SELECT count() FROM telemetry.spans WHERE attributes_string['s'] = 'x'";
    for (const tenant of ['acme', 'other', 'acme', 'other']) expect(await ask(sql, tenant)).toBe('20001\n');
    expect(await ask(sql, 'nobody').catch(() => 'no database')).toBe('no database');
  });

  it('have ids in hex, and no parent as an empty text', async () => {
    const ids = 'trace_id, span_id, parent_span_id';
    const hex = '30313233343536373839616263646566\t3031323334353637\t\n';
    expect(await ask(`SELECT ${ids} FROM telemetry.spans`)).toBe(hex);
    expect(await ask(`SELECT ${ids} FROM telemetry.traces`)).toBe(hex);
    expect(await ask('SELECT TraceId, SpanId, ParentSpanId FROM telemetry.otel_traces')).toBe(hex);
  });

  it.each([
    [
      'traces',
      {
        trace_id: 'String',
        span_id: 'String',
        timestamp: "DateTime64(9, 'UTC')",
        service_name: 'LowCardinality(String)',
        span_name: 'LowCardinality(String)',
        status_code: 'String',
        duration_ms: 'UInt32',
        project_name: 'LowCardinality(String)',
        project_version: 'String',
        environment: 'String',
        attributes: 'Map(LowCardinality(String), String)',
      },
    ],
    [
      'metrics_hourly',
      {
        timestamp: "DateTime('UTC')",
        project_name: 'LowCardinality(String)',
        total_count: 'UInt64',
        error_count: 'UInt64',
        p50_duration_ms: 'Float64',
        p95_duration_ms: 'Float64',
        p99_duration_ms: 'Float64',
      },
    ],
  ])('give telemetry.%s the columns that dashboards expect', async (table, expected) => {
    const lines = (await ask(`DESCRIBE TABLE telemetry.${table}`)).trimEnd().split('\n');
    const types: unknown = Object.fromEntries(lines.map((line) => line.replaceAll("\\'", "'").split('\t').slice(0, 2)));
    expect(types).toMatchObject(expected);
  });

  it('merge attributes of all types into one map of texts', async () => {
    expect(await ask('SELECT attributes FROM telemetry.traces')).toBe("{'s':'x','i':'7','d':'1.5','b':'true'}\n");
  });

  it('answer metrics_hourly from the projection', async () => {
    const plan = await ask('EXPLAIN projections = 1 SELECT * FROM telemetry.metrics_hourly');
    expect(plan).toContain('red_hourly');
    expect(await ask('SELECT total_count, error_count, p50_duration_ms FROM telemetry.metrics_hourly')).toBe(
      '1\t0\t5\n',
    );
  });

  it.each([
    ["SELECT * FROM telemetry.traces WHERE trace_id = 'ff'"],
    ["SELECT * FROM telemetry.spans WHERE trace_id = 'ff'"],
    ["SELECT * FROM telemetry.otel_traces WHERE TraceId = 'ff'"],
  ])('find a trace by its id through an index: %s', async (sql) => {
    await store.insertRows(
      'spans',
      Array.from({ length: 20_000 }, (_, index) => row(2n, DAY, index)),
    );
    const plan = await ask(`EXPLAIN indexes = 1 ${sql}`);
    expect(plan).toContain('trace_id_hex');
    const granules = [...plan.matchAll(/Granules: (\d+)\/(\d+)/gu)].map(([, kept, of]) => [Number(kept), Number(of)]);
    expect(granules.some(([kept, of]) => kept === 0 && of !== 0) || /Parts: 0/u.test(plan)).toBe(true);
  });
});

describe('names of tenants’ databases', () => {
  it('are never shared', () => {
    const names = ['a-b', 'a_b', 'a--b', 'a-_b', 'a_-b', 'a__b', 'a_ub', 'a-ub', 'ab', 'a-b_', 'a_b-'];
    const databases = names.map(tenantDatabase);
    expect(new Set(databases).size).toBe(names.length);
    for (const database of databases) expect(database).toMatch(/^tenant_[a-z0-9_]+$/u);
  });
});

function open(retentionDays: number | undefined): Promise<Store> {
  return Store.open({ target: embeddedTarget(engine), retentionDays });
}

async function retentions(): Promise<string[]> {
  const rows = await store.rows<{ days: string }>(
    `SELECT DISTINCT extract(create_table_query, 'toIntervalDay\\\\((\\\\d+)\\\\)') AS days FROM system.tables
     WHERE database = 'glasshouse' AND name IN {names:Array(String)} AND days != ''`,
    { params: { names: FACT_TABLES.map((table) => table.name) } },
  );
  return rows.map((found) => found.days);
}

async function ask(sql: string, tenant = 'acme'): Promise<string> {
  return text((await store.read(tenant, sql)).stream);
}

async function countRows(): Promise<number> {
  const rows = await store.rows<{ n: string }>('SELECT count() AS n FROM glasshouse.spans');
  return Number(rows[0]?.n);
}

function row(segment: bigint, day: number, index: number, tenant = 'acme'): object {
  const at = new Date(day * 86_400_000 + index).toISOString().replace('T', ' ').replace('Z', '');
  return {
    _segment: segment.toString(),
    tenant_id: tenant,
    project_id: 'p',
    environment: 'e',
    timestamp: at,
    duration_ns: '5000000',
    trace_id: index === 0 ? '0123456789abcdef' : index.toString().padStart(16, '0'),
    span_id: '01234567',
    name: 'work',
    service_name: `service-of-${tenant}`,
    attributes_string: { s: 'x' },
    attributes_int: { i: '7' },
    attributes_double: { d: 1.5 },
    attributes_bool: { b: true },
  };
}

/** A segment's file as the log writes it, with a row for each of the days; made by the engine itself. */
async function segmentOf(id: bigint, days: readonly number[]): Promise<SegmentFile> {
  const table = SPANS;
  await store.insertRows(
    'spans',
    days.map((day, index) => row(id, day, index)),
  );
  const client = new Client(store.target, store.target.writer, { maxConnections: 1, requestTimeoutMs: 10_000 });
  const columns = table.columns.map((column) => `\`${column.name}\``).join(', ');
  const { stream } = await client.raw(`SELECT ${columns} FROM glasshouse.spans FORMAT Native`);
  const path = join(dir, `${id}.gz`);
  writeFileSync(path, gzipSync(await buffer(stream)));
  await client.close();
  await store.command('TRUNCATE TABLE glasshouse.spans');
  const counts = new Map<number, number>();
  for (const day of days) counts.set(day, (counts.get(day) ?? 0) + 1);
  return { table: table.name, id, path, days: counts };
}
