/** The data source for the events of text and image services, on the whole server: what they send, what migrates it, what takes its place. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

let server: TestServer;
/** May append to `llm_events` and do nothing else. */
let sender: string;

beforeAll(async () => {
  server = await startTestServer();
  sender = await server.token('sender', 'DATASOURCES:APPEND:llm_events');
});

afterAll(() => server.close());

/** Now and then. */
const time = (secondsAgo: number): string => new Date(NOW - secondsAgo * 1_000).toISOString();
const NOW = Date.now();
const stored = (secondsAgo: number): string => time(secondsAgo).replace('T', ' ').replace('Z', '');

/** The migration of the plan for one tracker, as it is written there. */
const MIGRATION = `ALTER TABLE llm_events
    ADD COLUMN IF NOT EXISTS event_type String DEFAULT 'text_generation',
    ADD COLUMN IF NOT EXISTS image_width UInt16,
    ADD COLUMN IF NOT EXISTS image_height UInt16,
    ADD COLUMN IF NOT EXISTS num_images UInt8;`;

const alter = (sql: string): Promise<Answer> => server.call('POST /v0/datasources/llm_events/alter', { body: sql });

/** One object without a line end, as the services send it. */
async function report(event: object): Promise<void> {
  const body = JSON.stringify(event);
  const { status, json } = await server.call('POST /v0/events?name=llm_events&wait=true', { body, token: sender });
  expect([status, json]).toEqual([200, { successful_rows: 1, quarantined_rows: 0 }]);
}

describe('before anybody has sent anything', () => {
  it('takes the migration as it is written, and changes nothing', async () => {
    const { status, json } = await alter(MIGRATION);
    expect([status, json['operations']]).toEqual([200, []]);
    expect((await server.call('/v0/datasources')).json['datasources']).toEqual([]);
    expect((await server.call('/v0/datasources/llm_events')).status).toBe(404);
  });

  it('can be read', async () => {
    expect(await server.rows('SELECT count() AS rows FROM llm_events')).toEqual([{ rows: 0 }]);
  });

  it('is migrated by who may, and of the own workspace', async () => {
    const answer = await server.call('POST /v0/datasources/llm_events/alter', { body: MIGRATION, token: sender });
    expect(answer.status).toBe(403);
    const stranger = await server.token('stranger', 'DATASOURCES:APPEND:traces');
    const other = await server.call('POST /v0/datasources/llm_events/alter', { body: MIGRATION, token: stranger });
    expect(other.status).toBe(404);
  });
});

describe('an event', () => {
  it('has the columns of the plan', async () => {
    await report({
      event_type: 'image_generation',
      model: 'gptimage',
      provider: 'azure',
      duration: 1234.567,
      cost: 0.04,
      status: 'error',
      user: 'ann',
      tier: 'flower',
      timestamp: time(60),
      image_width: '1024',
      image_height: 768,
      num_images: 1,
      error: { message: 'no' },
    });
    const names = 'event_type, model, provider, duration, cost, status, user_id, tier, timestamp, prompt_tokens';
    expect(
      await server.rows(`SELECT ${names}, image_width, image_height, num_images FROM llm_events WHERE user = 'ann'`),
    ).toEqual([
      {
        event_type: 'image_generation',
        model: 'gptimage',
        provider: 'azure',
        duration: 1234.567,
        cost: 0.04,
        status: 'error',
        user_id: 'ann',
        tier: 'flower',
        timestamp: stored(60),
        prompt_tokens: 0,
        image_width: 1024,
        image_height: 768,
        num_images: 1,
      },
    ]);
    const columns = 'operation, modality, image_width, status, error_message, latency_ms, tier';
    const reported = (): Promise<unknown> => server.rows(`SELECT ${columns} FROM generations WHERE user_id = 'ann'`);
    // They are handed over by themselves, some moments later.
    await expect.poll(reported, { timeout: 20_000 }).toEqual([
      {
        operation: 'image_generation',
        modality: 'image',
        image_width: 1024,
        status: 'error',
        error_message: 'no',
        latency_ms: 1234.567,
        tier: 'flower',
      },
    ]);
  });

  it('has them also where it is one of the early tracker', async () => {
    await report({
      start_time: time(52.5),
      end_time: time(50),
      message_id: 'm1',
      id: 'm1',
      model: 'openai-large',
      provider: 'pollinations',
      response: {
        id: 'r1',
        object: 'chat.completion',
        usage: { prompt_tokens: 70_000, completion_tokens: 50, total_tokens: 70_050 },
        choices: [{ message: { role: 'assistant', content: 'Hi' } }],
      },
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
      proxy_metadata: { organization: 'o', project: 'p', environment: 'e', chat_id: 'c' },
      user: 'bob',
      standard_logging_object_status: 'success',
      stream: null,
    });
    const names = 'event_type, timestamp, duration, status, user_id, prompt_tokens, completion_tokens, total_tokens';
    expect(await server.rows(`SELECT ${names} FROM llm_events WHERE message_id = 'm1'`)).toEqual([
      {
        event_type: 'text_generation',
        timestamp: stored(50),
        duration: 2500,
        status: 'success',
        user_id: 'bob',
        prompt_tokens: 70_000,
        completion_tokens: 50,
        total_tokens: 70_050,
      },
    ]);
  });

  it('of an image is one also where only its call says so, and of an error where there is an exception', async () => {
    await report({
      start_time: time(44.5),
      end_time: time(40),
      id: 'i1',
      model: 'flux',
      call_type: 'image_generation',
      response: { id: 'i1', object: 'image.generation' },
      exception: 'upstream said 502',
      cost: 0.25,
    });
    expect(
      await server.rows("SELECT event_type, status, user, user_id, total_tokens FROM llm_events WHERE id = 'i1'"),
    ).toEqual([
      { event_type: 'image_generation', status: 'error', user: 'unknown', user_id: 'unknown', total_tokens: 0 },
    ]);
  });

  it('needs nothing', async () => {
    await report({ model: 'bare' });
    const [row] = await server.rows(
      "SELECT event_type, status, timestamp > now() - 60 AS isNew FROM llm_events WHERE model = 'bare'",
    );
    expect(row).toEqual({ event_type: 'text_generation', status: 'success', isNew: 1 });
  });
});

describe('text_events_mv and image_events_mv', () => {
  const kinds = (rows: readonly Readonly<Record<string, unknown>>[]): unknown[] => rows.map((row) => row['event_type']);

  it('are the rows of their event_type, by SQL', async () => {
    const texts = await server.rows('SELECT event_type, count() AS rows FROM text_events_mv GROUP BY event_type');
    const images = await server.rows(
      "SELECT user FROM image_events_mv WHERE event_type = 'image_generation' ORDER BY cost",
    );
    expect(texts).toEqual([{ event_type: 'text_generation', rows: 2 }]);
    expect(images).toEqual([{ user: 'ann' }, { user: 'unknown' }]);
  });

  it('have the rows as soon as these are there', async () => {
    await report({ model: 'fresh', event_type: 'image_generation' });
    expect(await server.rows("SELECT count() AS rows FROM image_events_mv WHERE model = 'fresh'")).toEqual([
      { rows: 1 },
    ]);
  });

  it('are endpoints, and can be read by the pipes of the workspace', async () => {
    const { status, json } = await server.call('/v0/pipes/image_events_mv.json');
    expect([status, new Set(kinds(json['data'] as Readonly<Record<string, unknown>>[]))]).toEqual([
      200,
      new Set(['image_generation']),
    ]);
    await server.call('POST /v0/pipes', {
      body: JSON.stringify({
        name: 'painted',
        nodes: [{ name: 'n', sql: 'SELECT sum(num_images) AS images FROM image_events_mv', type: 'endpoint' }],
      }),
      headers: { 'content-type': 'application/json' },
    });
    expect((await server.call('/v0/pipes/painted.json')).json['data']).toEqual([{ images: 1 }]);
  });

  it.each(['8123', 'the main port'])('answer on the interface of ClickHouse, on %s', async (port) => {
    const base = port === '8123' ? `http://127.0.0.1:${server.clickhousePort}` : server.base;
    const ask = async (query: string, parameters = ''): Promise<string> => {
      const response = await fetch(`${base}/?${parameters}`, { method: 'POST', body: query });
      return response.text();
    };
    expect(await ask('SELECT model FROM image_events_mv ORDER BY model FORMAT CSV')).toBe(
      '"flux"\n"fresh"\n"gptimage"\n',
    );
    expect(await ask('SELECT count() FROM image_events_mv WHERE model = {m:String}', 'param_m=flux')).toBe('1\n');
    expect(await ask('WITH image_events_mv AS (SELECT 7 AS x) SELECT x FROM image_events_mv')).toBe('7\n');
    expect(await ask('SELECT count() FROM nowhere_mv')).toContain('UNKNOWN_TABLE');
    expect(await ask('% SELECT {{ Int8(x, 1) }}')).toContain('Exception');
  });

  it.each(['8123', '/v0/sql'])('are found among the tables by who looks around, on %s', async (where) => {
    const ask = async (query: string): Promise<string> => {
      if (where === '8123') {
        const response = await fetch(`http://127.0.0.1:${server.clickhousePort}/`, { method: 'POST', body: query });
        return response.text();
      }
      return (await server.call('POST /v0/sql', { body: `${query} FORMAT TSV` })).text;
    };
    const both = 'image_events_mv\ntext_events_mv\n';
    const tables = (await ask('SHOW TABLES')).trim().split('\n');
    expect(tables.filter((name) => name.endsWith('_mv'))).toEqual(['image_events_mv', 'text_events_mv']);
    expect(tables).toContain('llm_events');
    expect(await ask("SHOW TABLES LIKE '%_mv'")).toBe(both);
    expect(await ask('SHOW TABLES FROM telemetry')).not.toContain('_mv');
    expect(await ask("SELECT name FROM system.tables WHERE name LIKE '%_mv' AND engine = 'View' ORDER BY name")).toBe(
      both,
    );
    const columns = (table: string): Promise<string> =>
      ask(`SELECT name, type FROM system.columns WHERE table = '${table}' ORDER BY position`);
    expect(await columns('text_events_mv')).toBe(await columns('llm_events'));
    expect(await columns('text_events_mv')).toMatch(/^call_type\tLowCardinality\(String\)\n/u);
    expect((await ask('DESCRIBE TABLE image_events_mv')).split('\n')[0]).toMatch(
      /^call_type\tLowCardinality\(String\)/u,
    );
    expect(await ask('EXISTS TABLE image_events_mv')).toBe('1\n');
    expect(await ask('EXISTS TABLE images_mv')).toBe('0\n');
    expect(await ask('SHOW CREATE TABLE image_events_mv')).toMatch(
      /^CREATE VIEW tenant_default\.image_events_mv AS SELECT \* FROM llm_events WHERE event_type = /u,
    );
  });

  it('are not found by who reads some data sources only', async () => {
    const reader = await server.token('one source', 'DATASOURCES:READ:llm_events', 'PIPES:READ:text_events_mv');
    const sql = async (query: string): Promise<unknown> =>
      (await server.call('POST /v0/sql', { body: query, token: reader })).json['data'];
    expect(await sql('SELECT DISTINCT table AS name FROM system.columns FORMAT JSON')).toEqual(
      expect.not.arrayContaining([{ name: 'text_events_mv' }]),
    );
    expect(await sql("SELECT name FROM system.tables WHERE name LIKE '%events%' ORDER BY name FORMAT JSON")).toEqual([
      { name: 'llm_events' },
      { name: 'llm_events_quarantine' },
    ]);
  });

  it('are read by who has a scope for them, and by nobody else', async () => {
    const reader = await server.token('reader', 'PIPES:READ:text_events_mv');
    const sql = (name: string): Promise<Answer> =>
      server.call('POST /v0/sql', { body: `SELECT count() AS rows FROM ${name}`, token: reader });
    expect((await sql('text_events_mv')).status).toBe(200);
    expect((await sql('image_events_mv')).status).toBe(403);
    expect((await sql('llm_events')).status).toBe(403);
    expect((await server.call('/v0/pipes/image_events_mv.json', { token: reader })).status).toBe(403);
    expect((await server.call('/v0/pipes/text_events_mv.json', { token: sender })).status).toBe(403);
  });
});

describe('a data source that the server brought', () => {
  it('is shown once it has rows, and a migration that finds its columns leaves it the server’s', async () => {
    expect((await alter(MIGRATION)).json['operations']).toEqual([]);
    expect((await server.call('/v0/datasources/llm_events')).json['name']).toBe('llm_events');
  });
});

describe('files of the workspace’s own', () => {
  /** A project with these files, deployed and live. */
  async function deploy(files: Readonly<Record<string, string>>): Promise<void> {
    const form = new FormData();
    for (const [name, text] of Object.entries(files)) form.append('data_project://', new Blob([text]), name);
    const path = 'POST /v1/deploy?auto_promote=true&allow_destructive_operations=true';
    const { json } = await server.call(path, { body: form });
    const { id } = json['deployment'] as { readonly id: string };
    const isLive = async (): Promise<unknown> =>
      ((await server.call(`/v1/deployments/${id}`)).json['deployment'] as { live?: unknown }).live;
    await expect.poll(isLive, { timeout: 20_000 }).toBe(true);
  }

  const TARGET = `SCHEMA >
    \`model\` String,
    \`images\` UInt64

ENGINE "MergeTree"
ENGINE_SORTING_KEY "model"
`;
  const pipeInto = (target: string): string => `NODE images
SQL >
    SELECT model, toUInt64(num_images) AS images FROM llm_events WHERE event_type = 'image_generation'

TYPE materialized
DATASOURCE ${target}
`;

  it('may be a pipe called image_events_mv that fills a data source', async () => {
    await deploy({ 'painted_images.datasource': TARGET, 'image_events_mv.pipe': pipeInto('painted_images') });
    await report({ model: 'own', event_type: 'image_generation', num_images: 3 });
    await report({ model: 'own' });
    expect(await server.rows("SELECT * FROM painted_images WHERE model = 'own'")).toEqual([
      { model: 'own', images: 3 },
    ]);
    expect((await server.call('/v0/pipes/image_events_mv.json')).status).toBe(404);
    // It is no table any more.
    expect(await server.rows("SELECT name FROM system.tables WHERE name LIKE '%_events_mv'")).toEqual([
      { name: 'text_events_mv' },
    ]);
  });

  it('may be a data source called image_events_mv, and a pipe that fills it', async () => {
    await deploy({ 'image_events_mv.datasource': TARGET, 'filling.pipe': pipeInto('image_events_mv') });
    await report({ model: 'second', event_type: 'image_generation', num_images: 2 });
    // What was there before is filled in behind the deployment.
    const images = (): Promise<unknown> => server.rows('SELECT model, images FROM image_events_mv ORDER BY model');
    await expect.poll(images, { timeout: 20_000 }).toEqual([
      { model: 'flux', images: 0 },
      { model: 'fresh', images: 0 },
      { model: 'gptimage', images: 1 },
      { model: 'own', images: 3 },
      { model: 'second', images: 2 },
    ]);
    expect(
      await server.rows("SELECT name, engine FROM system.tables WHERE name LIKE '%_events_mv' ORDER BY name"),
    ).toEqual([
      { name: 'image_events_mv', engine: 'MergeTree' },
      { name: 'text_events_mv', engine: 'View' },
    ]);
  });

  it('are made by a migration that adds a column, which keeps the rows', async () => {
    const before = await server.rows('SELECT count() AS rows FROM llm_events');
    const { status, json } = await alter('ALTER TABLE llm_events ADD COLUMN IF NOT EXISTS seed UInt32 DEFAULT 7');
    expect([status, json['operations']]).toEqual([200, ['adds column seed']]);
    await report({ model: 'sown', seed: 9 });
    await report({ model: 'unsown' });
    expect(await server.rows("SELECT model, seed FROM llm_events WHERE model LIKE '%sown' ORDER BY model")).toEqual([
      { model: 'sown', seed: 9 },
      { model: 'unsown', seed: 7 },
    ]);
    const [{ rows } = {}] = await server.rows("SELECT count() AS rows FROM llm_events WHERE model NOT LIKE '%sown'");
    expect(rows).toBe(before[0]?.['rows']);
  });

  it('may be an llm_events of other columns, which text_events_mv reads then', async () => {
    const file = `SCHEMA >
    \`at\` DateTime64(3) \`json:$.timestamp\` DEFAULT now64(3),
    \`event_type\` String \`json:$.event_type\` DEFAULT 'text_generation',
    \`words\` UInt32 \`json:$.words\`

FORWARD_QUERY >
    SELECT timestamp AS at, event_type, toUInt32(total_tokens) AS words

ENGINE "MergeTree"
ENGINE_SORTING_KEY "at"
`;
    await deploy({ 'llm_events.datasource': file });
    await report({ words: 12 });
    expect(await server.rows('SELECT event_type, words FROM text_events_mv WHERE words = 12')).toEqual([
      { event_type: 'text_generation', words: 12 },
    ]);
    expect(
      await server.rows("SELECT name FROM system.columns WHERE table = 'text_events_mv' ORDER BY position"),
    ).toEqual([{ name: 'at' }, { name: 'event_type' }, { name: 'words' }]);
    // What the project does not have is as it was before there was one.
    expect((await server.call('/v0/pipes/image_events_mv.json')).status).toBe(200);
  });
});
