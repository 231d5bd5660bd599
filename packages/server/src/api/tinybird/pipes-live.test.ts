/** Pipes of a whole server: while events come in, over SQL, and what is recorded of their use. */

import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

type Json = Readonly<Record<string, unknown>>;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ GLASSHOUSE_AUTH: 'open', GLASSHOUSE_SEAL_MS: '30' });
}, 60_000);

afterAll(() => server?.close());

const source = async (name: string, schema: string, engine: Readonly<Record<string, string>> = {}): Promise<void> => {
  const body = new URLSearchParams({ name, schema, format: 'ndjson', ...engine });
  const answer = await server.call('POST /v0/datasources', { body });
  if (answer.status !== 200) throw new Error(`cannot make ${name}: ${answer.text}`);
};
const pipe = async (name: string, nodes: readonly Json[], query = ''): Promise<Json> => {
  const answer = await server.call(`POST /v0/pipes?force=true${query}`, {
    body: JSON.stringify({ name, nodes }),
    headers: { 'content-type': 'application/json' },
  });
  if (answer.status !== 200) throw new Error(`cannot make ${name}: ${answer.text}`);
  return answer.json;
};
const publish = async (name: string, sql: string): Promise<void> => {
  await pipe(name, [{ name: 'answer', sql, type: 'endpoint' }]);
};
const ended = (answer: Json): Promise<Json> => server.ended(String((answer['job'] as Json)['id']));

/** Sends events until it is told to stop; each has the next id. Then resolves with the id behind the last. */
function sending(name: string, from = 0): { stop(): Promise<number> } {
  const sender = { on: true };
  let sent = from;
  const run = async (): Promise<void> => {
    while (sender.on) {
      const first = sent;
      sent += 50;
      const body = Array.from({ length: 50 }, (_, index) =>
        JSON.stringify({ id: first + index, k: `k${index % 7}` }),
      ).join('\n');
      const { status, text } = await server.call(`POST /v0/events?name=${name}`, { body });
      if (status !== 202) throw new Error(`cannot send: ${status} ${text}`);
      await pause(5);
    }
  };
  const running = run();
  return {
    stop: async () => {
      sender.on = false;
      await running;
      // One more that waits for the table: what came before is there then.
      await server.events(name, { id: sent, k: 'last' });
      return sent + 1;
    },
  };
}

const SCHEMA = '`id` UInt64 `json:$.id`, `k` String `json:$.k`';

describe('a copy while events come in', () => {
  it('keeps every acknowledged row of its target, appending and replacing', async () => {
    await source('copied', SCHEMA);
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

  it('is in no list of pipes', async () => {
    const { json } = await server.call('/v0/pipes');
    expect((json['pipes'] as Json[]).map(({ name }) => name)).not.toContain('pipe_stats_by_minute');
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
