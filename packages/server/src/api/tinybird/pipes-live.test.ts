/** Pipes of a whole server: while events come in, over SQL, and what is recorded of their use. */

import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENT_SCHEMA, live } from './testing/live.ts';
import type { TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

type Json = Readonly<Record<string, unknown>>;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ GLASSHOUSE_AUTH: 'open', GLASSHOUSE_SEAL_MS: '30' });
}, 60_000);

afterAll(() => server?.close());

const { source, pipe, ended, sending } = live(() => server);
const publish = async (name: string, sql: string): Promise<void> => {
  await pipe(name, [{ name: 'answer', sql, type: 'endpoint' }]);
};

describe('a population while events come in', () => {
  it.each([
    ['MergeTree', 'SELECT id, k FROM SOURCE', '`id` UInt64, `k` String', 'count()', 'uniqExact(id)'],
    ['SummingMergeTree', 'SELECT k, count() AS n FROM SOURCE GROUP BY k', '`k` String, `n` UInt64', 'sum(n)', 'sum(n)'],
    [
      'AggregatingMergeTree',
      'SELECT k, countState() AS n, uniqExactState(id) AS ids FROM SOURCE GROUP BY k',
      '`k` String, `n` AggregateFunction(count), `ids` AggregateFunction(uniqExact, UInt64)',
      'countMerge(n)',
      'uniqExactMerge(ids)',
    ],
  ])(
    'into a %s neither loses nor doubles a row',
    async (engine, sql, schema, total, distinct) => {
      const name = `from_${engine.toLowerCase()}`;
      const target = `to_${engine.toLowerCase()}`;
      // Many partitions, so that populating takes a while and segments come in between.
      await source(name, EVENT_SCHEMA, {
        engine: 'MergeTree',
        engine_sorting_key: 'id',
        engine_partition_key: 'id % 16',
      });
      await source(target, schema, { engine, engine_sorting_key: 'k' });
      const rows = async (): Promise<Json | undefined> => {
        const query = `SELECT ${total} AS total, ${distinct} AS ids, (SELECT uniqExact(id) FROM ${name}) AS sent FROM ${target}`;
        return (await server.rows(query))[0];
      };
      const node = { name: 'made', type: 'materialized', datasource: target, sql: sql.replace('SOURCE', name) };
      const first = sending(name);
      await pause(700);
      expect(await ended(await pipe(`${target}_mv`, [node], '&populate=true'))).toMatchObject({ status: 'done' });
      await pause(200);
      const sent = await first.stop();
      expect(await rows()).toEqual({ total: sent, ids: sent, sent });
      const second = sending(name, sent);
      await pause(300);
      const again = await server.call(`POST /v0/pipes/${target}_mv/nodes/made/population?truncate=true`);
      expect(await ended(again.json)).toMatchObject({ status: 'done' });
      await pause(200);
      const all = await second.stop();
      expect(await rows()).toEqual({ total: all, ids: all, sent: all });
    },
    120_000,
  );
});

describe('a copy into a target that a pipe fills', () => {
  it('is passed on to what is made of the target', async () => {
    await source('chain_from', EVENT_SCHEMA);
    const sums = { engine: 'SummingMergeTree', engine_sorting_key: 'k' };
    await source('chain_mid', '`k` String, `n` UInt64', sums);
    await source('chain_end', '`k` String, `n` UInt64', sums);
    const made = { name: 'made', type: 'materialized' };
    const first = 'SELECT k, count() AS n FROM chain_from GROUP BY k';
    await pipe('chain_first', [{ ...made, datasource: 'chain_mid', sql: first }]);
    await pipe('chain_second', [{ ...made, datasource: 'chain_end', sql: 'SELECT k, n * 10 AS n FROM chain_mid' }]);
    const sql = "SELECT 'copy' AS k, toUInt64(number) AS n FROM numbers(5)";
    await pipe('chain_copy', [{ name: 'made', type: 'copy', target_datasource: 'chain_mid', sql }]);
    for (const times of [1, 2]) {
      expect(await ended((await server.call('POST /v0/pipes/chain_copy/copy')).json)).toMatchObject({ status: 'done' });
      expect(await server.rows('SELECT sum(n) AS n FROM chain_mid')).toEqual([{ n: 10 * times }]);
      expect(await server.rows('SELECT sum(n) AS n FROM chain_end')).toEqual([{ n: 100 * times }]);
    }
  });
});

describe('a copy while events come in', () => {
  it('keeps every acknowledged row of its target, appending and replacing', async () => {
    await source('copied', EVENT_SCHEMA);
    const copy = {
      name: 'made',
      type: 'copy',
      target_datasource: 'copied',
      sql: "SELECT number + 1000000 AS id, 'copy' AS k FROM numbers(1000)",
    };
    await pipe('copy_in', [copy]);
    const sender = sending('copied');
    await pause(300);
    expect(await ended((await server.call('POST /v0/pipes/copy_in/copy')).json)).toMatchObject({
      status: 'done',
      rows: 1000,
    });
    await pause(200);
    const [before] = await server.rows("SELECT max(id) AS top FROM copied WHERE k != 'copy'");
    expect(await ended((await server.call('POST /v0/pipes/copy_in/copy?_mode=replace')).json)).toMatchObject({
      status: 'done',
    });
    await pause(200);
    const sent = await sender.stop();
    const [after] = await server.rows(
      "SELECT countIf(k = 'copy') AS copied, countIf(k != 'copy') AS events, uniqExactIf(id, k != 'copy') AS ids, minIf(id, k != 'copy') AS first FROM copied",
    );
    expect(after?.['copied']).toBe(1000);
    // What was replaced are the first rows; everything behind the first that is left is there once.
    expect(after?.['events']).toBe(after?.['ids']);
    expect(after?.['events']).toBe(sent - Number(after?.['first']));
    expect(Number(after?.['first'])).toBeGreaterThanOrEqual(Number(before?.['top']) - 50);
  }, 60_000);
});

describe('SQL over pipes', () => {
  beforeAll(async () => {
    await source('visits', '`page` String `json:$.page`, `n` UInt32 `json:$.n`');
    await source('hidden', '`secret` String `json:$.secret`');
    await server.events('visits', { page: 'a', n: 1 }, { page: 'b', n: 2 });
    await server.events('hidden', { secret: 'password' });
    await pipe('top', [
      { name: 'all_of', sql: 'SELECT page, n FROM visits', type: 'standard' },
      {
        name: 'best',
        sql: '%\nSELECT page, n FROM all_of WHERE n >= {{ UInt32(least, 0) }} ORDER BY page',
        type: 'endpoint',
      },
    ]);
    await pipe('plain', [{ name: 'only', sql: 'SELECT secret FROM hidden', type: 'standard' }]);
  });

  it('names pipes like tables, with their parameters and the nodes of one', async () => {
    expect(await server.rows('SELECT sum(n) AS n FROM top')).toEqual([{ n: 3 }]);
    expect(await server.rows('SELECT count() AS c FROM top AS t JOIN visits AS v ON t.page = v.page')).toEqual([
      { c: 2 },
    ]);
    const q = encodeURIComponent('SELECT sum(n) AS n FROM top');
    expect((await server.call(`/v0/sql?q=${q}&least=2`)).json['data']).toEqual([{ n: 2 }]);
    const node = encodeURIComponent('SELECT count() AS c FROM all_of');
    expect((await server.call(`/v0/sql?q=${node}&pipeline=top`)).json['data']).toEqual([{ c: 2 }]);
    expect((await server.call(`/v0/sql?q=${node}`)).status).toBe(404);
  });

  it('may be a template itself', async () => {
    const q = encodeURIComponent("%\nSELECT {{ String(word, 'none') }} AS word, (SELECT count() FROM top) AS c");
    expect((await server.call(`/v0/sql?q=${q}&word=it's`)).json['data']).toEqual([{ word: "it's", c: 2 }]);
  });

  it('reads with a token what its scopes say, of pipes too', async () => {
    const token = await server.token('reader', 'PIPES:READ:top');
    expect(await server.rows('SELECT sum(n) AS n FROM top', token)).toEqual([{ n: 3 }]);
    const filtered = await server.token('one page', "PIPES:READ:top:page = 'a'");
    expect(await server.rows('SELECT sum(n) AS n FROM top', filtered)).toEqual([{ n: 1 }]);
    for (const sql of [
      'SELECT * FROM plain',
      'SELECT * FROM visits',
      'SELECT * FROM top, hidden',
      'SELECT secret FROM hidden',
    ]) {
      const answer = await server.call('POST /v0/sql', { body: sql, token });
      expect([sql, answer.status]).toEqual([sql, 403]);
      expect(answer.text).not.toContain('password');
    }
  });
});

describe('the use of endpoints', () => {
  it('is recorded durably, request by request and added up, without tokens', async () => {
    await publish('watched', '%\nSELECT number AS n FROM numbers({{ UInt32(count, 3) }})');
    const { admin } = server;
    const since = Date.now();
    for (let index = 0; index < 5; index++)
      await server.call(`/v0/pipes/watched.json?count=2&token=${admin}`, { token: null });
    await server.call('/v0/pipes/watched.json?count=many');
    const query = `SELECT pipe_name, status_code, error, result_rows, method, url, parameters, token_name, toUnixTimestamp64Milli(start_datetime) AS at
      FROM tinybird.pipe_stats_rt WHERE pipe_name = 'watched' ORDER BY start_datetime, status_code`;
    await expect
      .poll(async () => (await server.call('POST /v0/sql', { body: query })).json['rows'], { timeout: 20_000 })
      .toBe(6);
    const rows = await server.rows(query);
    expect(rows[0]).toMatchObject({
      status_code: 200,
      error: 0,
      result_rows: 2,
      method: 'GET',
      url: '/v0/pipes/watched.json?count=2&token=***',
      parameters: { count: '2' },
    });
    expect(rows.at(-1)).toMatchObject({ status_code: 400, error: 1, parameters: { count: 'many' } });
    expect(Math.abs(Number(rows[0]?.['at']) - since)).toBeLessThan(60_000);
    expect(JSON.stringify(rows)).not.toContain(admin);
    const sums = `SELECT sum(view_count) AS requests, sum(error_count) AS errors, sum(result_rows_sum) AS rows,
        quantilesTimingMerge(0.9, 0.95, 0.99)(quantile_timing_state) AS q, avgMerge(avg_duration_state) AS mean
      FROM tinybird.pipe_stats WHERE pipe_name = 'watched'`;
    await expect
      .poll(async () => (await server.rows(sums))[0], { timeout: 20_000 })
      .toMatchObject({ requests: 6, errors: 1, rows: 10 });
    const [one] = await server.rows(
      "SELECT requests, p50_ms, p99_ms FROM pipe_stats WHERE pipe_name = 'watched' LIMIT 1",
    );
    expect(Number(one?.['p99_ms'])).toBeGreaterThanOrEqual(Number(one?.['p50_ms']));
  }, 60_000);

  it('is in no list of pipes or data sources', async () => {
    const { json } = await server.call('/v0/pipes');
    expect((json['pipes'] as Json[]).map(({ name }) => name)).not.toContain('pipe_stats_by_minute');
    const { datasources } = (await server.call('/v0/datasources')).json;
    expect((datasources as Json[]).map(({ name }) => name)).not.toContain('pipe_stats_rt');
  });

  it('has copies and populations in the log of operations', async () => {
    const query = 'SELECT event_type, datasource_name, rows FROM tinybird.datasources_ops_log ORDER BY timestamp';
    await expect
      .poll(async () => (await server.call('POST /v0/sql', { body: query })).json['data'], { timeout: 20_000 })
      .toEqual(
        expect.arrayContaining([
          expect.objectContaining({ event_type: 'copy', datasource_name: 'copied', rows: 1000 }),
        ]),
      );
  }, 30_000);
});

it('logged no fault', () => {
  expect(server.faults).toEqual([]);
});
