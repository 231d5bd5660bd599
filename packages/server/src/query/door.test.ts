/** The door for workspaces: what a credential reads, composed statements, definitions, and how tables look. */

import { text } from 'node:stream/consumers';
import type { Principal } from '@glasshouse/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stand } from '../api/testing/stand.ts';
import { openStand } from '../api/testing/stand.ts';
import { Definitions } from './definitions.ts';
import type { QueryOptions } from './door.ts';
import { Door } from './door.ts';
import type { Reads } from './reads.ts';

const LIMITS = {
  maxExecutionSeconds: 10,
  maxMemoryBytes: 400_000_000,
  maxThreads: 2,
  maxResultBytes: 200_000_000,
  concurrent: 4,
  waiting: 8,
  waitMs: 5_000,
};
const WHO: Principal = { placement: { tenant: 'acme', project: 'p', environment: 'e' }, scopes: ['query'], keyId: 'k' };

let stand: Stand;
let door: Door;
let definitions: Definitions;
let asked: string[] = [];

beforeAll(async () => {
  stand = await openStand('keys');
  await stand.key('acme');
  const { store } = stand;
  await store.command(
    `CREATE TABLE tenant_acme.events (ts DateTime64(3), org String, n UInt64 DEFAULT 7 CODEC(ZSTD(3)), s String ALIAS concat(org, '!'),
     _segment LowCardinality(UInt64) MATERIALIZED 0, INDEX i n TYPE minmax) ENGINE = MergeTree PARTITION BY org ORDER BY (org, ts)`,
    { settings: { allow_suspicious_low_cardinality_types: 1 } },
  );
  await store.command(
    `CREATE TABLE tenant_acme.totals (k String, total AggregateFunction(sum, UInt64), _segment SimpleAggregateFunction(max, UInt64) MATERIALIZED 0)
     ENGINE = AggregatingMergeTree ORDER BY k`,
  );
  await store.command(
    'CREATE TABLE tenant_acme.events_quarantine (org Nullable(String)) ENGINE = MergeTree ORDER BY tuple()',
  );
  await store.command(
    "INSERT INTO tenant_acme.events (ts, org, n) SELECT toDateTime64('2026-01-01 00:00:00', 3) + number, if(number % 2 = 0, 'a', 'b'), number FROM numbers(10)",
  );
  const counting = {
    read: (...given: Parameters<typeof store.read>) => {
      asked.push(given[1]);
      return store.read(...given);
    },
  };
  door = new Door({ store: counting, limits: LIMITS, audit: () => undefined, now: Date.now });
  definitions = new Definitions({ store, limits: LIMITS, door });
});

afterAll(() => stand.close());

describe('how a data source looks', () => {
  it('is described with its own columns, in any format', async () => {
    expect(await run('DESCRIBE TABLE events')).toBe(
      "ts\tDateTime64(3)\t\t\t\t\t\norg\tString\t\t\t\t\t\nn\tUInt64\tDEFAULT\t7\t\tZSTD(3)\t\ns\tString\tALIAS\tconcat(org, \\'!\\')\t\t\t\n",
    );
    expect(JSON.parse(await run('DESC totals FORMAT JSONCompact'))).toMatchObject({
      meta: ['name', 'type', 'default_type', 'default_expression', 'comment', 'codec_expression', 'ttl_expression'].map(
        (name) => ({ name }),
      ),
      data: [
        ['k', 'String', '', '', '', '', ''],
        ['total', 'AggregateFunction(sum, UInt64)', '', '', '', '', ''],
      ],
    });
  });

  it('is shown without the hidden column, also where that is the last one', async () => {
    const ddl = await run('SHOW CREATE TABLE events FORMAT TSVRaw');
    expect(ddl).toMatch(/^CREATE TABLE tenant_acme\.events\n\(\n {4}`ts` DateTime64\(3\),/u);
    expect(ddl).toContain("`s` String ALIAS concat(org, '!'),\n    INDEX i n");
    const last = await run('SHOW CREATE TABLE totals FORMAT TSVRaw');
    expect(last).toContain('`total` AggregateFunction(sum, UInt64)\n)\nENGINE');
    expect(ddl + last).not.toContain('_segment');
  });

  it('has the same columns in the system tables', async () => {
    expect(await run("SELECT name FROM system.columns WHERE table = 'events' ORDER BY position")).toBe(
      'ts\norg\nn\ns\n',
    );
    expect(await run("SELECT count() FROM telemetry.catalog_columns WHERE name = '_segment'")).toBe('0\n');
  });

  it('says that a table is not there', async () => {
    await expect(run('DESCRIBE nope')).rejects.toMatchObject({ code: 'not_found', number: 60 });
    await expect(run('SHOW CREATE TABLE nope')).rejects.toMatchObject({ code: 'not_found', number: 60 });
    expect(await run('EXISTS TABLE nope')).toBe('0\n');
    expect(await run('EXISTS TABLE events')).toBe('1\n');
    expect(await run('DESCRIBE telemetry.traces')).toMatch(/^trace_id\tString/u);
  });
});

describe('what a credential reads', () => {
  const some: Reads = {
    kind: 'some',
    tables: new Map([
      ['events', "org = 'a'"],
      ['totals', undefined],
    ]),
  };

  it('is its rows, everywhere', async () => {
    expect(await run('SELECT count(), groupUniqArray(org) FROM events', some)).toBe("5\t['a']\n");
    expect(await run('SELECT count() FROM events WHERE toUInt64(n) >= 0', some)).toBe('5\n');
    expect(await run('SELECT count() FROM tenant_acme.events AS x JOIN events AS y ON x.n = y.n', some)).toBe('5\n');
    expect(await run('SELECT sumMerge(total) FROM totals', some)).toBe('0\n');
  });

  it.each(['events_quarantine', 'spans', 'telemetry.spans', 'nope', 'tenant_other.x', 'glasshouse.spans'])(
    'is not %s, whether that exists or not',
    async (table) => {
      const refusal = {
        code: 'forbidden',
        message: `cannot read table ${table}: the credential has no right to read it`,
      };
      await expect(run(`SELECT * FROM ${table}`, some)).rejects.toMatchObject(refusal);
      await expect(run(`DESCRIBE ${table}`, some)).rejects.toMatchObject(refusal);
    },
  );

  it('includes the quarantine of a table without a filter', async () => {
    const whole: Reads = { kind: 'some', tables: new Map([['events', undefined]]) };
    expect(await run('SELECT count() FROM events_quarantine', whole)).toBe('0\n');
    const named: Reads = {
      kind: 'some',
      tables: new Map([
        ['events', "org = 'a'"],
        ['events_quarantine', "org = 'a'"],
      ]),
    };
    expect(await run('SELECT count() FROM events_quarantine', named)).toBe('0\n');
    const filtered: Reads = { kind: 'all', filters: new Map([['events', "org = 'a'"]]) };
    await expect(run('SELECT count() FROM events_quarantine', filtered)).rejects.toMatchObject({ code: 'forbidden' });
  });

  it.each([
    ['toUInt8(org) = 1', 'function toUInt8 can fail'],
    ["throwIf(org = 'b') = 0", 'function throwIf can fail'],
    ['ts + 1 > now()', 'function plus can fail'],
    ["org = 'a') OR (1 = 1", 'was not opened in it'],
    ['org IN (SELECT org FROM totals)', 'it must not have subqueries'],
    ['org IN totals', 'the right side of IN'],
    ["_part = 'x'", 'the engine'],
    ["file('x') = ''", 'function file'],
    ['nope = 1', 'nope'],
    ["org = 'a' -- x", 'without comments'],
    ['', 'it is empty'],
  ])('cannot be hidden by %j', async (filter, why) => {
    const reads: Reads = { kind: 'some', tables: new Map([['events', filter]]) };
    await expect(run('SELECT 1 FROM events', reads)).rejects.toThrow(why);
  });

  it('can be hidden by conditions that cannot fail', async () => {
    for (const filter of [
      "org = 'a'",
      "(org = 'a') OR (0)",
      "lower(org) IN ('a', 'c') AND n < 100",
      "org LIKE 'a%' AND ts > now() - INTERVAL 10000 DAY",
      "s = 'a!'",
      "org = 'a\\\\' OR org = 'a'",
    ]) {
      const reads: Reads = { kind: 'some', tables: new Map([['events', filter]]) };
      expect([filter, await run('SELECT count() FROM events', reads)]).toEqual([filter, '5\n']);
    }
  });

  it('is not more than fits into a request', async () => {
    const tables = new Map(
      Array.from({ length: 400 }, (_, index) => [`table_number_${index}`, "tenant_id = 'a long one'"] as const),
    );
    await expect(run('SELECT 1', { kind: 'some', tables })).rejects.toMatchObject({ code: 'too_large' });
  });

  it('is judged once for a statement and its rights, and again for other rights', async () => {
    const sql = 'SELECT count() AS once FROM events WHERE n > 2';
    const all = { kind: 'all' } as const;
    asked = [];
    expect([await run(sql, some), await run(sql, all), await run(sql, some), await run(sql, all)]).toEqual([
      '3\n',
      '7\n',
      '3\n',
      '7\n',
    ]);
    expect(asked.filter((one) => /^EXPLAIN.*TREE.*AS once/su.test(one))).toHaveLength(2);
  });
});

describe('a statement that groups by time', () => {
  const asking = async (sql: string, reads?: Reads): Promise<string[]> => {
    asked = [];
    await run(sql, reads);
    return asked.map((one) => /^(?:EXPLAIN \w+|SELECT)/u.exec(one)?.[0] ?? one);
  };
  const byMinute = (from: string): string =>
    `SELECT toStartOfMinute(ts) AS m, sum(n) AS total FROM events WHERE ts >= '${from}' GROUP BY m ORDER BY m`;

  it('is told of how large the parts are that it reads, once for its shape', async () => {
    const judged = ['EXPLAIN AST', 'EXPLAIN QUERY', 'EXPLAIN ESTIMATE', 'SELECT'];
    expect(await asking(byMinute('2026-01-01 00:00:00'))).toEqual(judged);
    expect(await asking(byMinute('2026-01-01 00:00:05'))).toEqual(['SELECT']);
  });

  it('is told nothing of rows that are hidden', async () => {
    const reads: Reads = { kind: 'some', tables: new Map([['events', "org = 'a'"]]) };
    expect(await asking(byMinute('2026-01-01 00:00:01'), reads)).not.toContain('EXPLAIN ESTIMATE');
  });
});

describe('a statement over the views of facts', () => {
  const judged = async (sql: string): Promise<number> => {
    asked = [];
    await run(sql, { kind: 'all' });
    return asked.filter((one) => one.startsWith('EXPLAIN')).length;
  };

  it('is judged once for all values that it is compared with', async () => {
    const sql = (service: string, from: number): string =>
      `SELECT name, count() FROM spans WHERE service_name = '${service}'
       AND timestamp >= fromUnixTimestamp64Milli(toInt64(${from})) AND upper(name) != 'X' GROUP BY name`;
    expect(await judged(sql('checkout', 1_700_000_000_000))).toBe(2);
    expect(await judged(sql('billing', 1_700_000_060_000))).toBe(0);
  });

  it('is run as if it were judged alone where a value decides which of its branches there are', async () => {
    for (const condition of ['1 = $', 'one = $', '(SELECT 1) = $', 'one BETWEEN $ AND 1', "'2026' = toDate('$')"]) {
      const sql = (value: number): string =>
        `WITH 1 AS one SELECT count() FROM spans WHERE NOT if(${condition.replace('$', String(value))}, toUInt8(service_name), 0)`;
      const fresh = new Door({ store: stand.store, limits: LIMITS, audit: () => undefined, now: Date.now });
      const alone = await fresh.check(WHO, sql(1)).catch(String);
      await door.check(WHO, sql(2)).catch(String);
      const after = await door.check(WHO, sql(1)).catch(String);
      expect([condition, after]).toEqual([condition, alone]);
    }
  });
});

describe('a statement that nodes were put in front of', () => {
  const reads: Reads = { kind: 'some', tables: new Map([['totals', undefined]]) };
  const composed = 'WITH top AS (SELECT org, count() AS n FROM events GROUP BY org) ';
  const ask = (sql: string, options: Partial<QueryOptions> = {}): Promise<string> =>
    run(composed + sql, reads, { written: { sql, nodes: new Set(['top']) }, ...options });

  it('reads nodes with the rights of the workspace, and tables with those of the credential', async () => {
    expect(await ask('SELECT sum(n) FROM top')).toBe('10\n');
    expect(
      await ask('SELECT count() FROM top AS t LEFT JOIN totals ON k = org WHERE org IN (SELECT org FROM top)'),
    ).toBe('2\n');
    await expect(ask('SELECT count() FROM events')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(ask('SELECT count() FROM tenant_acme.top')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(ask('SELECT count() FROM view(SELECT * FROM top)')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(ask('SELECT (SELECT throwIf(count() > 0) FROM events) FROM top')).rejects.toMatchObject({
      code: 'forbidden',
    });
    expect(await ask('SELECT name FROM system.tables')).toBe('totals\n');
  });

  it('is refused if a node has the name of a table', async () => {
    const sql = 'SELECT count() FROM totals';
    await expect(run(sql, reads, { written: { sql, nodes: new Set(['totals']) } })).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  it('keeps the row filters of tables within nodes', async () => {
    const filtered: Reads = { kind: 'some', tables: new Map([['events', "org = 'a'"]]) };
    const sql = 'SELECT sum(n) FROM top';
    expect(await run(composed + sql, filtered, { written: { sql, nodes: new Set(['top']) } })).toBe('5\n');
  });

  it('keeps what fails behind a filter of the text', async () => {
    const sql = "SELECT count() FROM p WHERE throwIf(org = 'b') = 0 AND throwIf(m = 'b') = 0";
    const whole = `WITH p AS (SELECT * FROM (SELECT e.org AS org, f.org AS m FROM events AS e JOIN events AS f ON e.n = f.n) WHERE org = 'a') ${sql}`;
    const written = { sql, nodes: new Set(['p']) };
    await expect(run(whole, reads, { written })).rejects.toThrow('throwIf');
    expect(await run(whole, reads, { written, hidesRows: true })).toBe('5\n');
  });

  it('says in which part an error is', async () => {
    const node = 'SELECT org FROM events WHERE AND 1';
    const sql = `WITH top AS (${node}) SELECT 1`;
    const parts = [{ name: 'node top', start: 13, end: 13 + node.length }];
    await expect(run(sql, { kind: 'all' }, { parts })).rejects.toThrow(
      /Syntax error: failed at position 34 of node top \(1\)/u,
    );
    await expect(run(`WITH top AS (SELECT “) SELECT 1`, { kind: 'all' }, { parts })).rejects.toThrow(
      'cannot read the query at position 8 of node top',
    );
  });

  it('passes with many nodes', async () => {
    const nodes = Array.from(
      { length: 60 },
      (_, index) => `n${index} AS (SELECT n + 1 AS n FROM ${index === 0 ? 'events' : `n${index - 1}`} WHERE n >= 0)`,
    );
    expect(await run(`WITH ${nodes.join(', ')} SELECT count(), max(n) FROM n59 WHERE n IN (SELECT n FROM n59)`)).toBe(
      '10\t69\n',
    );
  });
});

describe('a check', () => {
  it('tells columns and tables, and runs nothing', async () => {
    asked = [];
    const checked = await door.check(
      WHO,
      'WITH c AS (SELECT org, n FROM events) SELECT org, sumState(n) AS total, s.service_name FROM c, telemetry.spans AS s GROUP BY ALL -- x\n;',
    );
    expect(checked).toMatchObject({
      sql: 'WITH c AS (SELECT org, n FROM events) SELECT org, sumState(n) AS total, s.service_name FROM c, telemetry.spans AS s GROUP BY ALL',
      columns: [
        { name: 'org', type: 'String' },
        { name: 'total', type: 'AggregateFunction(sum, UInt64)' },
        { name: 'service_name', type: 'LowCardinality(String)' },
      ],
      tables: [
        { database: 'tenant_acme', table: 'events' },
        { database: 'telemetry', table: 'spans' },
      ],
    });
    expect(asked.map((sql) => /^(?:EXPLAIN \w+|DESCRIBE)/u.exec(sql)?.[0])).toEqual([
      'EXPLAIN AST',
      'EXPLAIN QUERY',
      'DESCRIBE',
    ]);
  });

  it('refuses what a query may not do', async () => {
    for (const sql of [
      'DROP TABLE events',
      'SELECT * FROM tenant_other.x',
      "SELECT file('x')",
      'DESCRIBE events',
      'SELECT 1 SETTINGS max_threads = 1',
    ])
      await expect(door.check(WHO, sql)).rejects.toMatchObject({ name: 'QueryError' });
    await expect(door.check(WHO, 'SELECT nope FROM events')).rejects.toMatchObject({ code: 'bad_request' });
    await expect(door.check(WHO, 'SELECT * FROM nope')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('names tables that do not exist', async () => {
    const names = await door.namesIn(
      WHO,
      'WITH c AS (SELECT * FROM nope) SELECT * FROM c JOIN telemetry.traces ON 1 = 1 WHERE 1 IN later',
    );
    expect(names.map(({ database, table }) => `${database}.${table}`)).toEqual([
      'tenant_acme.nope',
      'telemetry.traces',
      'tenant_acme.later',
    ]);
  });
});

describe('definitions', () => {
  it('read the own database only', async () => {
    const { columns, tables } = await definitions.judgeDefinition(
      'acme',
      'SELECT org, count() AS n FROM events GROUP BY org',
    );
    expect([columns, tables]).toEqual([
      [
        { name: 'org', type: 'String' },
        { name: 'n', type: 'UInt64' },
      ],
      [{ database: 'tenant_acme', table: 'events' }],
    ]);
    for (const table of [
      'telemetry.spans',
      'system.tables',
      'telemetry.catalog_tables',
      'tenant_other.x',
      'glasshouse.spans',
    ])
      await expect(definitions.judgeDefinition('acme', `SELECT * FROM ${table}`)).rejects.toMatchObject({
        code: 'forbidden',
      });
  });

  it('come with the settings that keep what fails behind the filter of a view', async () => {
    const { settings } = await definitions.judgeDefinition(
      'acme',
      "SELECT name FROM spans WHERE throwIf(name = 'x') = 0",
    );
    expect(settings).toMatchObject({ query_plan_merge_filters: '0', use_primary_key: '0' });
    expect((await definitions.judgeDefinition('acme', "SELECT name FROM spans WHERE name = 'x'")).settings).toEqual({});
  });

  it('come with the setting by which the newest rows of a view are found early, where nothing can fail', async () => {
    const settingsOf = async (sql: string): Promise<unknown> =>
      (await definitions.judgeDefinition('acme', sql)).settings;
    const newest = 'FROM spans WHERE kind = 2 ORDER BY timestamp DESC LIMIT 50';
    const first = { query_plan_split_filter: '0' };
    expect(await settingsOf(`SELECT trace_id, name ${newest}`)).toEqual(first);
    expect(await settingsOf(`SELECT count() FROM (SELECT trace_id ${newest})`)).toEqual(first);
    expect(await settingsOf(`SELECT trace_id, intDiv(1, kind) AS one ${newest}`)).not.toHaveProperty(
      Object.keys(first),
    );
    expect(await settingsOf('SELECT trace_id FROM spans ORDER BY timestamp')).toEqual({});
    expect(await settingsOf("SELECT trace_id FROM spans WHERE name = 'x' ORDER BY timestamp LIMIT 5")).toEqual({});
    expect(await settingsOf('SELECT org FROM events ORDER BY org LIMIT 5')).toEqual({});

    // Should a new version of the engine do so by itself, the setting can go.
    await stand.store.command('INSERT INTO glasshouse.spans (tenant_id) SELECT toString(number) FROM numbers(5)');
    const planOf = async (settings: Readonly<Record<string, string>>): Promise<string> => {
      const { stream } = await stand.store.read('acme', `EXPLAIN actions = 1 SELECT trace_id, name ${newest}`, {
        settings,
      });
      return text(stream);
    };
    expect(await planOf(first)).toContain('__topKFilter(timestamp)');
    expect(await planOf({})).not.toContain('__topKFilter');
    await stand.store.command('TRUNCATE TABLE glasshouse.spans');
  });

  it('have types, expressions, lists and conditions', async () => {
    const columns = [{ name: 'a' }, { name: 'ts' }];
    const place = { what: 'ENGINE_SORTING_KEY', columns };
    definitions.judgeType('Array(String)');
    await definitions.judgeExpression('a, toDate(ts)', { ...place, list: true });
    await definitions.judgeSelectList("SELECT *, CAST(a, 'UInt8') AS b", place);
    expect(await definitions.judgeFilter("a = 'x' AND toInt64(b) > 1")).toEqual(['a', 'b']);
    expect(await definitions.judgeRowFilter("a = 'x'")).toEqual(['a']);
    expect(() => definitions.judgeType('File(CSV)')).toThrow('there is no type File');
    await expect(definitions.judgeExpression('a, b', place)).rejects.toThrow(
      'cannot use ENGINE_SORTING_KEY: the comma',
    );
    await expect(definitions.judgeExpression('a +', place)).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('cannot use ENGINE_SORTING_KEY: Syntax error') as string,
    });
    await expect(definitions.judgeFilter('a IN (SELECT 1)')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(definitions.judgeRowFilter('toInt64(a) = 1')).resolves.toEqual(['a']);
    await expect(definitions.judgeRowFilter('throwIf(a)')).rejects.toThrow('function throwIf can fail');
  });
});

async function run(sql: string, reads: Reads = { kind: 'all' }, options: Partial<QueryOptions> = {}): Promise<string> {
  const { stream } = await door.run(WHO, sql, { format: 'TSV', reads, ...options });
  return text(stream);
}
