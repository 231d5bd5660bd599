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
      timestamp: '2026-03-01T10:00:02.456Z',
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
        timestamp: '2026-03-01 10:00:02.456',
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
      start_time: '2026-03-01T10:00:00.000Z',
      end_time: '2026-03-01T10:00:02.500Z',
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
        timestamp: '2026-03-01 10:00:02.500',
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
      start_time: '2026-03-01T10:00:05.000Z',
      end_time: '2026-03-01T10:00:09.500Z',
      id: 'i1',
      model: 'flux',
      call_type: 'image_generation',
      response: { id: 'i1', object: 'image.generation' },
      exception: 'upstream said 502',
      cost: 0.25,
    });
    expect(
      await server.rows("SELECT event_type, status, user, user_id, total_tokens FROM llm_events WHERE id = 'i1'"),
    ).toEqual([{ event_type: 'image_generation', status: 'error', user: 'unknown', user_id: 'unknown', total_tokens: 0 }]);
  });

  it('needs nothing', async () => {
    await report({ model: 'bare' });
    const [row] = await server.rows("SELECT event_type, status, timestamp > now() - 60 AS isNew FROM llm_events WHERE model = 'bare'");
    expect(row).toEqual({ event_type: 'text_generation', status: 'success', isNew: 1 });
  });
});

describe('a data source that the server brought', () => {
  it('is shown once it has rows, and a migration that finds its columns leaves it the server’s', async () => {
    expect((await alter(MIGRATION)).json['operations']).toEqual([]);
    expect((await server.call('/v0/datasources/llm_events')).json['name']).toBe('llm_events');
  });

  it('becomes the workspace’s own by one that adds a column, and keeps its rows', async () => {
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
});
