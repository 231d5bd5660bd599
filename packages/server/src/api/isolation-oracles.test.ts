/**
 * Two worlds that differ in what a credential must not see: one has it, the other has none of it. Whatever is sent, both must
 * give the same answer, be it rows or an error. What is hidden: other tenants' spans, tables and names; rows that a token's row
 * filter hides; tables that a token does not read.
 *
 * Must stay true: a surface that answers queries is in `SURFACES`, and goes through all of this.
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Principal } from '@glasshouse/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Router } from '../http/router.ts';
import type { Answer, QueryOptions } from '../query/door.ts';
import { Door } from '../query/door.ts';
import type { Reads } from '../query/reads.ts';
import { FAILURES, INJECTIONS, LOOKING, PLACES, READINGS, TRACES, TURNS } from '../query/testing/attacks.ts';
import { clickhouseRoutes } from './clickhouse.ts';
import { sqlRoutes } from './sql.ts';
import type { Stand } from './testing/stand.ts';
import { openStand, span } from './testing/stand.ts';

/** In what is hidden and nowhere else. */
const SECRET = 'SECRET-9f31c2';
const LIMITS = {
  maxExecutionSeconds: 20,
  maxMemoryBytes: 400_000_000,
  maxThreads: 2,
  maxResultBytes: 200_000_000,
  concurrent: 8,
  waiting: 1_000,
  waitMs: 60_000,
};

/** Tables of the workspace that a token sees some rows of, each stored in another way. */
const TABLES: Readonly<Record<string, string>> = {
  /** Partitions and skip indexes that know the hidden values. */
  events: `ENGINE = MergeTree PARTITION BY tenant_id ORDER BY (name, k) SETTINGS index_granularity = 8`,
  /** Hidden rows in the same parts and granules as the others, and in the same dictionaries. */
  flat: `ENGINE = ReplacingMergeTree ORDER BY (k, tenant_id) SETTINGS index_granularity = 8`,
};
const COLUMNS = `tenant_id LowCardinality(String), k UInt64, name String, lc LowCardinality(String),
  m Map(LowCardinality(String), String), _segment LowCardinality(UInt64) MATERIALIZED 0,
  INDEX i_name name TYPE set(100) GRANULARITY 1, INDEX i_lc lc TYPE minmax GRANULARITY 1`;
const MINE = "tenant_id = 'mine'";

const FILTERED: Readonly<Record<string, Reads>> = {
  'a token of some tables': {
    kind: 'some',
    tables: new Map([
      ['any_row', 'k >= 0'],
      ['events', MINE],
      ['flat', MINE],
      ['open', undefined],
    ]),
  },
  'a workspace token with row filters': {
    kind: 'all',
    filters: new Map([
      ['any_row', 'k >= 0'],
      ['events', MINE],
      ['flat', `(${MINE}) OR (0)`],
    ]),
  },
};

interface Reply {
  readonly status: number;
  readonly text: string;
}

interface World {
  readonly stand: Stand;
  readonly key: string;
  /** Base URL of the surfaces, by who asks. */
  readonly bases: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

type Fields = Readonly<Record<string, string>>;

/** Everything that answers SQL; `settings` and `params` go the way that they go there. */
const SURFACES: Readonly<Record<string, (world: World, who: string, sql: string, extra?: Fields) => Promise<Reply>>> = {
  '/v0/sql': async ({ bases, key }, who, sql, extra = {}) => {
    const query = new URLSearchParams({ q: sql, format: 'TabSeparated', ...extra });
    const response = await fetch(`${bases.get(who)}/v0/sql?${query.toString()}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    return { status: response.status, text: await response.text() };
  },
  'ClickHouse HTTP': async ({ bases, key }, who, sql, extra = {}) => {
    const query = new URLSearchParams({ default_format: 'TabSeparated', ...extra });
    const response = await fetch(`${bases.get(who)}/?${query.toString()}`, {
      method: 'POST',
      headers: { 'x-clickhouse-user': 'default', 'x-clickhouse-key': key },
      body: sql,
    });
    return { status: response.status, text: await response.text() };
  },
};

/** Views of the shared facts, with a text and a number of each. */
const FACTS: readonly (readonly [table: string, column: string, number: string])[] = [
  ['spans', 'name', 'duration_ns'],
  ['telemetry.spans', "attributes_string['x']", 'duration_ns'],
  ['tenant_acme.traces', 'span_name', 'duration_ms'],
  ['telemetry.traces', "attributes['x']", 'duration_ms'],
  ['otel_traces', 'SpanName', 'Duration'],
  ['telemetry.otel_traces', "SpanAttributes['x']", 'Duration'],
  ['telemetry.spans', 'service_name', 'duration_ns'],
  ['otel_traces', 'ServiceName', 'Duration'],
];

/** The first surface gets every attack, the others, which lead to the same door, one of so many. */
const SHARE = 9;
/** Statements that are under way at the same time. */
const AT_ONCE = 4;
/**
 * An attack goes to one of the credentials, whose rights lead to the same judge. Which one changes from each way to fail to the next, and
 * from each place to the next, so that each credential meets all of both.
 */
const CREDENTIALS = [...Object.keys(FILTERED), 'everybody'];

let worlds: readonly [secret: World, plain: World];

beforeAll(async () => {
  worlds = [await openWorld(true), await openWorld(false)];
});

afterAll(() => Promise.all(worlds.map((world) => world.close())));

describe.each(Object.keys(SURFACES))('through %s', (surface) => {
  describe.each(Object.keys(FILTERED))('%s learns nothing of hidden rows', (who) => {
    it('from expressions that fail on them', async () => {
      const over = pairs(['events', 'flat'], ['name', 'lc', "m['x']"]);
      const statements = part(who, pairs(FAILURES, PLACES), PLACES.length).map(([failure, place], index) => {
        const [table, column] = at(over, index);
        return place(table, failure(column), 'name', 'k');
      });
      await expectSame(surface, who, share(surface, statements));
    }, 300_000);

    it('from conditions that name them', async () => {
      const over = pairs(['events', 'flat'], ['name', 'lc', "m['x']"]);
      const statements = pairs(PLACES, over).map(([place, [table, column]]) => {
        return place(table, `(${column} = '1' OR ${column} = '${SECRET}')`, 'name', 'k');
      });
      await expectSame(surface, who, share(surface, part(who, statements, over.length)));
    }, 120_000);

    it('from counts, positions, dictionaries and sizes', async () => {
      const over = pairs(['events', 'flat', '"tenant_acme"."flat"', 'flat FINAL'], ['name', 'lc']);
      const statements = pairs(over, TRACES).map(([[table, column], trace]) => trace(table, column, 'k'));
      await expectSame(surface, who, share(surface, part(who, statements, TRACES.length)));
    }, 120_000);

    it('from any place where a table can be named', async () => {
      const tables = ['events', 'flat', 'events_quarantine', 'tenant_acme.flat_quarantine', 'tenant_acme.events'];
      const statements = pairs(tables, READINGS).map(([table, reading]) => reading(table));
      await expectSame(surface, who, share(surface, part(who, statements, READINGS.length)));
    }, 120_000);

    it('from an alias that reads like the name of another filtered table', async () => {
      await expectSame(
        surface,
        who,
        [
          'SELECT count() FROM flat AS `tenant_acme.events`',
          'SELECT count() FROM flat AS `tenant_acme.any_row`',
          'SELECT count() FROM flat AS "tenant_acme.any_row"',
          'SELECT count() FROM events AS any_row',
          'SELECT count() FROM (SELECT * FROM events AS `tenant_acme.any_row`) AS e',
          'SELECT count() FROM events AS `tenant_acme.flat`',
          'SELECT count() FROM (SELECT * FROM flat AS `tenant_acme.events`)',
          'WITH `tenant_acme.flat` AS (SELECT 1) SELECT * FROM `tenant_acme.flat`',
          'SELECT count() FROM flat AS events',
          'SELECT count() FROM flat AS tenant_acme',
          'WITH events AS (SELECT * FROM flat) SELECT count() FROM events',
          'WITH flat AS (SELECT 1 AS k) SELECT * FROM view(SELECT k FROM flat)',
          'WITH flat AS (SELECT * FROM flat) SELECT count() FROM flat',
          'SELECT count() FROM {a:Identifier} AS `tenant_acme.flat`',
        ],
        { param_a: 'flat', a: 'flat' },
      );
    });

    it.each([
      { max_rows_to_read: '25' },
      { max_bytes_to_read: '200' },
      { max_columns_to_read: '1' },
      { max_memory_usage: '100000' },
      { max_block_size: '1' },
      { session_timezone: 'Asia/Tokyo' },
      { transform_null_in: '1' },
      { extremes: '1', default_format: 'JSONCompact', format: 'JSONCompact' },
      { default_format: 'JSON', format: 'JSON' },
      { default_format: 'JSONEachRowWithProgress', format: 'JSONEachRowWithProgress' },
      {
        default_format: 'Arrow',
        format: 'Arrow',
        output_format_arrow_low_cardinality_as_dictionary: '1',
        output_format_arrow_compression_method: 'none',
      },
      { default_format: 'Native', format: 'Native' },
      { additional_table_filters: '{}', query_plan_merge_filters: '1' },
      { use_query_cache: '1', use_query_condition_cache: '1' },
      { limit: '3', offset: '1' },
      { http_write_exception_in_output_format: '1', wait_end_of_query: '0' },
    ])('from the request %j', async (extra) => {
      const asked = Object.fromEntries(Object.entries(extra).filter(([, value]) => value !== undefined)) as Fields;
      await expectSame(
        surface,
        who,
        [
          'SELECT lc, name FROM flat ORDER BY k',
          'SELECT count() FROM events WHERE k > 3',
          "SELECT name FROM events WHERE name > 'SECRET' ORDER BY k",
        ],
        asked,
      );
    });

    it('from constants that turn, after a statement was judged', async () => {
      const over = pairs(['events', 'flat'], ['name', 'lc']);
      const turns = pairs(over, TURNS).map(([[table, column], turn]) => turn(table, throwing(column)));
      await expectSameTurns(surface, who, part(who, turns, TURNS.length));
    });

    it('from values of parameters', async () => {
      for (const value of share(surface, part(who, INJECTIONS, INJECTIONS.length))) {
        await expectSame(
          surface,
          who,
          [
            'SELECT count() FROM events WHERE name = {x:String}',
            'SELECT count() FROM events WHERE name IN ({x:String}, {x:String}) OR lc LIKE {x:String}',
            'SELECT count() FROM {x:Identifier}',
            'SELECT {x:Identifier} FROM flat',
          ],
          { param_x: value, x: value },
        );
      }
    }, 120_000);

    it('by asking twice, or after somebody else', async () => {
      const sql = "SELECT count() FROM flat WHERE name = '1' OR name LIKE 'SECRET%'";
      for (const _ of [1, 2]) {
        await expectSame(surface, who, [sql, sql.replace('LIKE', 'NOT LIKE'), 'SELECT count() FROM events']);
        await expectEach('everybody', surface, [sql, sql]);
      }
    });
  });

  describe('a token of some tables', () => {
    const who = 'a token of some tables';

    it.each([
      'payroll_9f31c2',
      'tenant_acme.payroll_9f31c2',
      'tenant_acme.`payroll_9f31c2`',
      'spans',
      'telemetry.traces',
      'telemetry.spans',
      'tenant_other.events',
      'glasshouse.spans',
      'glasshouse_building.x',
    ])(
      'learns nothing of %s',
      async (table) => {
        await expectSame(
          surface,
          who,
          share(
            surface,
            READINGS.map((reading) => reading(table)),
          ),
          {},
          'refused',
        );
      },
      120_000,
    );

    it('learns nothing of a table by the name of a common table expression', async () => {
      await expectSame(surface, who, [
        'WITH payroll_9f31c2 AS (SELECT 1 AS n) SELECT * FROM payroll_9f31c2',
        'WITH payroll_9f31c2 AS (SELECT 1 AS n) SELECT * FROM view(SELECT * FROM payroll_9f31c2)',
        'WITH payroll_9f31c2 AS (SELECT 1 AS n) SELECT (SELECT throwIf(count() > 0) FROM view(SELECT * FROM payroll_9f31c2))',
        'WITH payroll_9f31c2 AS (SELECT 1 AS n) SELECT 1 AS n INTERSECT SELECT n FROM payroll_9f31c2',
        'WITH payroll_9f31c2 AS (SELECT 1 AS n) SELECT 1 AS n UNION ALL SELECT count() FROM payroll_9f31c2',
        'SELECT * FROM (WITH payroll_9f31c2 AS (SELECT 1 AS n) SELECT * FROM payroll_9f31c2), payroll_9f31c2',
        'SELECT (SELECT throwIf(count() > 1) FROM payroll_9f31c2) FROM (WITH payroll_9f31c2 AS (SELECT 1) SELECT 1)',
        'FROM (WITH payroll_9f31c2 AS (SELECT 1) FROM payroll_9f31c2 SELECT 1) SELECT (SELECT throwIf(count() > 1) FROM payroll_9f31c2)',
        'WITH RECURSIVE payroll_9f31c2 AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM payroll_9f31c2 WHERE n < 3) SELECT * FROM payroll_9f31c2',
        'WITH payroll_9f31c2 AS (SELECT count() FROM payroll_9f31c2) SELECT * FROM payroll_9f31c2',
        'SELECT 1 IN payroll_9f31c2',
        'WITH [1] AS payroll_9f31c2 SELECT 1 IN payroll_9f31c2',
        'SELECT arrayJoin([1]) AS payroll_9f31c2 FROM open WHERE payroll_9f31c2 IN payroll_9f31c2',
      ]);
    });

    it('is shown its own tables only', async () => {
      const tables = await ask(worlds[0], surface, who, 'SHOW TABLES');
      expect(tables.text).toBe('any_row\nevents\nflat\nopen\nopen_quarantine\n');
      expect((await ask(worlds[0], surface, who, 'SHOW DATABASES')).text).toBe('tenant_acme\n');
      expect(
        (await ask(worlds[0], surface, who, 'SELECT DISTINCT table FROM system.columns ORDER BY table')).text,
      ).toBe(tables.text);
      const sizes = await ask(worlds[0], surface, who, 'SELECT * FROM system.tables');
      expect([sizes.status, sizes.text]).toEqual([403, expect.stringContaining('total_rows') as string]);
      expect((await ask(worlds[0], surface, who, 'SELECT max(total_rows) FROM system.tables')).status).toBe(403);
      expect(
        (await ask(worlds[0], surface, who, 'SELECT (SELECT max(t.total_bytes) FROM system.tables AS t)')).status,
      ).toBe(403);
      expect((await ask(worlds[0], surface, who, 'SELECT count(*) FROM system.tables')).text).toBe('5\n');
    });
  });

  describe('a tenant learns nothing of others', () => {
    it('from expressions that fail on their rows', async () => {
      const attacks = part('everybody', pairs(FAILURES, PLACES), PLACES.length);
      const statements = attacks.map(([failure, place], index) => {
        const [table, column, number] = at(FACTS, index);
        return place(table, failure(column), column, number);
      });
      await expectSame(surface, 'everybody', share(surface, statements));
    }, 300_000);

    it('from counts, dictionaries and sizes', async () => {
      const statements = pairs(FACTS, TRACES).map(([[table, column, number], trace]) => trace(table, column, number));
      await expectSame(surface, 'everybody', share(surface, part('everybody', statements, TRACES.length)));
    }, 120_000);

    it('from constants that turn, after a statement was judged', async () => {
      const facts = FACTS.filter(([, column]) => /name$/iu.test(column));
      const turns = pairs(facts, TURNS).map(([[table, column], turn]) => turn(table, throwing(column)));
      await expectSameTurns(surface, 'everybody', part('everybody', turns, TURNS.length));
    }, 60_000);

    it('from constants that turn by themselves', async () => {
      const soon = Math.floor(Date.now() / 1000) + 4;
      const waiting = FACTS.map(
        ([table, column]) =>
          `SELECT count() FROM ${table} WHERE if(now() >= toDateTime(${soon}), ${throwing(column)}, 1)`,
      );
      await expectSame(surface, 'everybody', waiting);
      for (const [table, column] of FACTS) {
        const chance = `SELECT count() FROM ${table} WHERE if(randConstant() % 2 = 0, ${throwing(column)}, 1)`;
        for (let times = 0; times < 6; times += 1)
          expect(await ask(worlds[0], surface, 'everybody', chance)).toEqual({ status: 200, text: '40\n' });
      }
      const own = `SELECT count() FROM spans WHERE if((SELECT count() FROM open) > 5, ${throwing('name')}, 1)`;
      await expectSame(surface, 'everybody', [own]);
      for (const { stand } of worlds) await stand.store.command("INSERT INTO tenant_acme.open VALUES (9, '9')");
      await expectSame(surface, 'everybody', [own]);
      for (const { stand } of worlds)
        await stand.store.command('ALTER TABLE tenant_acme.open DELETE WHERE k = 9 SETTINGS mutations_sync = 2');
      while (Date.now() < soon * 1000) await new Promise((resolve) => setTimeout(resolve, 100));
      await expectSame(surface, 'everybody', waiting);
    }, 60_000);

    it('from a view by the name of a common table expression', async () => {
      await expectSame(surface, 'everybody', [
        `WITH spans AS (SELECT 1 AS name) SELECT count() FROM view(SELECT * FROM spans WHERE ${throwing('name')})`,
        `WITH spans AS (SELECT 1 AS name) SELECT count() FROM (SELECT * FROM view(SELECT name FROM spans)) WHERE ${throwing('name')}`,
        `WITH spans AS (SELECT '1' AS name) SELECT count() FROM spans WHERE ${throwing('name')}`,
        `WITH s AS (SELECT * FROM spans) SELECT count() FROM view(SELECT * FROM telemetry.spans) WHERE ${throwing('name')}`,
      ]);
    });

    it('from times in sorting keys and partitions', async () => {
      const times = [
        'timestamp + toIntervalNanosecond(7000000000000000000) > now()',
        'timestamp + 1 > now()',
        'addYears(timestamp, 240) > now()',
        'toUnixTimestamp64Nano(timestamp) > 0',
        'toInt8(timestamp) != 300',
        'toUnixTimestamp(timestamp) > 0',
        "throwIf(toDate(timestamp) = '2026-03-04') = 0",
        "intDiv(1, toDate(timestamp) != '2026-03-04') >= 0",
        "timestamp > toDateTime64('2262-01-01 00:00:00', 9) OR 1",
        'timestamp * 2 > 1',
      ];
      await expectSame(
        surface,
        'everybody',
        share(
          surface,
          part(
            'everybody',
            pairs(times, PLACES).map(([time, place]) => place('spans', time, 'name', 'duration_ns')),
            PLACES.length,
          ),
        ),
      );
    }, 120_000);

    it('from the system tables', async () => {
      await expectSame(surface, 'everybody', LOOKING);
    }, 120_000);

    it.each([
      'tenant_other.events',
      'tenant_other.spans',
      'glasshouse.spans',
      'glasshouse.api_keys',
      'glasshouse.tokens',
      'glasshouse_building.x',
      'tenant_nobody.x',
      '`tenant_other.events`',
      'system.tables_x',
      'system.parts',
    ])(
      'from any place where %s can be named',
      async (table) => {
        await expectSame(
          surface,
          'everybody',
          share(
            surface,
            READINGS.map((reading) => reading(table)),
          ),
          {},
          'refused',
        );
      },
      120_000,
    );
  });
});

it('nothing of this was a fault of the server', () => {
  expect(worlds.flatMap(({ stand }) => stand.faults)).toEqual([]);
});

/** Sends each statement in both worlds. Refused or not, the answers must be the same, and tell no secret. */
async function expectSame(
  surface: string,
  who: string,
  statements: readonly string[],
  extra: Fields = {},
  outcome?: 'refused',
): Promise<void> {
  const differences: unknown[] = [];
  const pending = [...statements];
  const work = async (): Promise<void> => {
    for (let sql = pending.pop(); sql !== undefined; sql = pending.pop()) {
      const one = sql;
      const [secret, plain] = await Promise.all(worlds.map((world) => ask(world, surface, who, one, extra)));
      const leaks = [SECRET, 'tenant_other', 'tenant=other'].filter(
        (mark) => secret?.text.includes(mark) === true && !`${sql}${JSON.stringify(extra)}`.includes(mark),
      );
      const refused = (secret?.status ?? 0) >= 400 && (secret?.status ?? 0) < 500;
      if (
        secret?.text !== plain?.text ||
        secret?.status !== plain?.status ||
        leaks.length > 0 ||
        (outcome === 'refused' && !refused)
      )
        differences.push({ sql, secret, plain, leaks });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  expect(differences).toEqual([]);
}

/** Fails on what is hidden, and on nothing else. */
function throwing(column: string): string {
  return `throwIf(${column} LIKE 'SECRET%') = 0`;
}

/** The harmless statement first, so that whatever is remembered of it is, then the harmful one twice. Different turns go on at once. */
async function expectSameTurns(
  surface: string,
  who: string,
  turns: readonly ReturnType<(typeof TURNS)[number]>[],
): Promise<void> {
  const pending = [...share(surface, turns)];
  const work = async (): Promise<void> => {
    for (let turn = pending.pop(); turn !== undefined; turn = pending.pop()) {
      const { sql, extra = [{}, {}] } = turn;
      for (const which of [0, 1, 1] as const) await expectSame(surface, who, [sql[which]], extra[which]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function share<Item>(surface: string, items: readonly Item[]): readonly Item[] {
  const which = Object.keys(SURFACES).indexOf(surface);
  return which === 0 ? items : items.filter((_, index) => index % SHARE === which % SHARE);
}

/** The attacks of a table with rows of this width that are for this credential: those of one colour of a board. */
function part<Item>(who: string, items: readonly Item[], width: number): readonly Item[] {
  const colour = CREDENTIALS.indexOf(who);
  return items.filter((_, index) => (Math.floor(index / width) + (index % width)) % CREDENTIALS.length === colour);
}

function pairs<A, B>(some: readonly A[], others: readonly B[]): (readonly [A, B])[] {
  return some.flatMap((one) => others.map((other) => [one, other] as const));
}

function at<Item>(items: readonly Item[], index: number): Item {
  return items[index % items.length] as Item;
}

/** Asks without comparing, to leave traces in whatever is remembered. */
async function expectEach(who: string, surface: string, statements: readonly string[]): Promise<void> {
  for (const sql of statements) {
    for (const world of worlds) expect((await ask(world, surface, who, sql)).status).toBe(200);
  }
}

async function ask(world: World, surface: string, who: string, sql: string, extra: Fields = {}): Promise<Reply> {
  const { status, text } = (await SURFACES[surface]?.(world, who, sql, extra)) ?? { status: 0, text: '' };
  return { status, text: steady(text) };
}

/** Without what is different every time: ids of tables, times, and the hashes by which the engine names sets. */
function steady(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gu, 'UUID')
    .replaceAll(/"elapsed":\s*[\d.e-]+/gu, 'ELAPSED')
    .replaceAll(/__set_\w+/gu, 'SET');
}

async function openWorld(hasSecrets: boolean): Promise<World> {
  const stand = await openStand('keys', LIMITS);
  const key = await stand.key('acme');
  const { store } = stand;
  for (const [table, storage] of Object.entries(TABLES)) {
    await store.command(`CREATE TABLE tenant_acme.${table} (${COLUMNS}) ${storage}`, {
      settings: { allow_suspicious_low_cardinality_types: 1 },
    });
    const hidden = hasSecrets
      ? ` UNION ALL SELECT if(number % 2 = 0, 'theirs', '${SECRET}'), number + 3, concat('${SECRET}', toString(number)), concat('${SECRET}', toString(number % 7)), map('x', concat('${SECRET}', toString(number))) FROM numbers(60)`
      : '';
    await store.command(`INSERT INTO tenant_acme.${table} (tenant_id, k, name, lc, m)
      SELECT 'mine', number, toString(number % 3 + 1), toString(number % 3 + 1), map('x', toString(number % 3 + 1)) FROM numbers(40)${hidden}`);
    await store.command(
      `CREATE TABLE tenant_acme.${table}_quarantine (name Nullable(String), k Nullable(String)) ENGINE = MergeTree ORDER BY tuple()`,
    );
  }
  for (const table of ['any_row', 'open', 'open_quarantine']) {
    await store.command(`CREATE TABLE tenant_acme.${table} (k UInt64, name String) ENGINE = MergeTree ORDER BY k`);
    await store.command(`INSERT INTO tenant_acme.${table} SELECT number, toString(number) FROM numbers(5)`);
  }
  const mine = Array.from({ length: 40 }, (_, index) => span('acme', visible(index)));
  const theirs = hasSecrets ? await plantSecrets(stand) : [];
  await store.insertRows('spans', [...mine, ...theirs]);
  const open = await Promise.all(
    [...Object.entries(FILTERED), ['everybody', { kind: 'all' }] as const].map(
      async ([who, reads]) => [who, await serve(stand, reads)] as const,
    ),
  );
  const bases = new Map(open.map(([who, { base }]) => [who, base]));
  return {
    stand,
    key,
    bases,
    close: async () => {
      await Promise.all(open.map(([, server]) => server.close()));
      await stand.close();
    },
  };
}

function visible(index: number): Readonly<Record<string, unknown>> {
  const text = String((index % 3) + 1);
  return {
    name: text,
    service_name: text,
    duration_ns: String(index),
    attributes_string: { x: text },
    timestamp: `2026-01-02 03:04:${String(index % 60).padStart(2, '0')}.000000000`,
  };
}

/** What is not there in the other world: rows of others in the same parts, tables, and names. Answers with the rows. */
async function plantSecrets(stand: Stand): Promise<object[]> {
  const { store } = stand;
  await stand.key('other');
  await stand.key('zeta');
  await store.command('CREATE TABLE tenant_acme.payroll_9f31c2 (n UInt64) ENGINE = MergeTree ORDER BY n');
  await store.command('INSERT INTO tenant_acme.payroll_9f31c2 SELECT number FROM numbers(5)');
  await store.command(`INSERT INTO tenant_acme.events_quarantine VALUES ('${SECRET}', '1')`);
  await store.command(
    `CREATE TABLE tenant_other.events (name String, \`${SECRET}\` UInt8) ENGINE = MergeTree ORDER BY name`,
  );
  await store.command(`CREATE TABLE tenant_other.\`${SECRET}\` (name String) ENGINE = MergeTree ORDER BY name`);
  await store.command(`INSERT INTO tenant_other.events SELECT '${SECRET}', 1`);
  return ['other', 'zeta', 'aaaa'].flatMap((tenant) =>
    Array.from({ length: 20 }, (_, index) =>
      span(tenant, {
        name: `${SECRET}${index}`,
        service_name: SECRET,
        duration_ns: String(index),
        attributes_string: { x: SECRET, [SECRET]: SECRET },
        timestamp:
          index % 2 === 0
            ? '2026-01-02 03:04:05.000000000'
            : index % 3 === 0
              ? '2026-03-04 00:00:00.000000000'
              : '2262-04-11 23:47:15.000000000',
      }),
    ),
  );
}

/** A door for credentials of these rights only, behind every surface. */
class NarrowDoor extends Door {
  private readonly reads: Reads;

  constructor(stand: Stand, reads: Reads) {
    super({ store: stand.store, limits: LIMITS, audit: () => undefined, now: Date.now });
    this.reads = reads;
  }

  override run(principal: Principal, sql: string, options: QueryOptions): Promise<Answer> {
    return super.run(principal, sql, { ...options, reads: this.reads });
  }
}

async function serve(stand: Stand, reads: Reads): Promise<{ base: string; close: () => Promise<void> }> {
  const door = new NarrowDoor(stand, reads);
  const routes = [...sqlRoutes(door, stand.access), ...clickhouseRoutes(door, stand.access)];
  const server = createServer(new Router(routes, (_, error) => stand.faults.push(error)).listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
