/** `text_events` and `image_events`: what their senders send fits from the start, and what a workspace made of the names stays. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

let server: TestServer;
/** May append to the two and do nothing else. */
let sender: string;

beforeAll(async () => {
  server = await startTestServer();
  sender = await server.token('sender', 'DATASOURCES:APPEND:text_events', 'DATASOURCES:APPEND:image_events');
});

afterAll(() => server.close());

const time = (secondsAgo: number): string => new Date(NOW - secondsAgo * 1_000).toISOString();
const NOW = Date.now();
const stored = (secondsAgo: number): string => time(secondsAgo).replace('T', ' ').replace('Z', '');

async function report(name: string, event: object): Promise<void> {
  const body = JSON.stringify(event);
  const { status, json } = await server.call(`POST /v0/events?name=${name}&wait=true`, { body, token: sender });
  expect([status, json]).toEqual([200, { successful_rows: 1, quarantined_rows: 0 }]);
}

/** The call that an event was, once it is there. */
async function callOf(where: string, columns: string): Promise<unknown> {
  const query = `SELECT ${columns} FROM generations WHERE ${where}`;
  await expect.poll(async () => (await server.rows(query)).length, { timeout: 20_000 }).toBe(1);
  return (await server.rows(query))[0];
}

describe('before anybody has sent anything', () => {
  it.each(['text_events', 'image_events'])('%s can be read, and is not shown', async (name) => {
    expect(await server.rows(`SELECT count() AS rows FROM ${name}`)).toEqual([{ rows: 0 }]);
    expect((await server.call('/v0/datasources')).json['datasources']).toEqual([]);
    expect((await server.call(`/v0/datasources/${name}`)).status).toBe(404);
  });
});

describe('text_events', () => {
  it('has the columns of the plan for one tracker', async () => {
    const event = {
      event_type: 'text_generation',
      model: 'openai',
      provider: 'azure',
      duration: 812.25,
      cost: 0.002,
      status: 'success',
      user_id: 'ann',
      tier: 'seed',
      timestamp: time(60),
      prompt_tokens: 120,
      completion_tokens: 80,
    };
    await report('text_events', event);
    expect(await server.rows(`SELECT ${Object.keys(event).join(', ')} FROM text_events WHERE user_id = 'ann'`)).toEqual(
      [{ ...event, timestamp: stored(60) }],
    );
    expect(await callOf("user_id = 'ann'", 'operation, model_requested, toInt64(input_tokens) AS input')).toEqual({
      operation: 'chat',
      model_requested: 'openai',
      input: 120,
    });
  });

  it('has them also of the tracker that counts tokens by their kinds', async () => {
    await report('text_events', {
      start_time: time(42.5),
      end_time: time(40),
      id: 'req_1',
      model_requested: 'openai-large',
      model_used: null,
      provider: 'azure',
      standard_logging_object_response_time: 2.5,
      token_count_prompt_text: 1000,
      token_count_prompt_audio: 5,
      token_count_prompt_cached: 100_000,
      token_count_completion_text: 500,
      token_price_prompt_text: 0.15,
      token_price_completion_text: 0.6,
      cost: 0.00045,
      user: 'bob',
      referrer: 'https://example.test/',
      standard_logging_object_status: 'success',
      cache_exact_hit: false,
      cache_similarity: null,
      stream: true,
      moderation_hate_severity: 'safe',
      proxy_metadata: { environment: 'staging' },
    });
    const names = `event_type, model, model_requested, model_used, timestamp, duration, status, user_id, prompt_tokens,
      completion_tokens, total_tokens, token_count_prompt_text, token_price_prompt_text, response_time, stream, environment`;
    expect(await server.rows(`SELECT ${names} FROM text_events WHERE id = 'req_1'`)).toEqual([
      {
        event_type: 'text_generation',
        model: 'openai-large',
        model_requested: 'openai-large',
        model_used: null,
        timestamp: stored(40),
        duration: 2500,
        status: 'success',
        user_id: 'bob',
        prompt_tokens: 101_005,
        completion_tokens: 500,
        total_tokens: 101_505,
        token_count_prompt_text: 1000,
        token_price_prompt_text: 0.15,
        response_time: 2.5,
        stream: true,
        environment: 'staging',
      },
    ]);
    expect(await callOf("call_id = 'req_1'", 'dialect, toInt64(cache_read_tokens) AS cached')).toEqual({
      dialect: 'text_events',
      cached: 100_000,
    });
  });

  it('has them also of the early tracker, where the answer counts', async () => {
    await report('text_events', {
      start_time: time(32),
      end_time: time(30),
      id: 'm1',
      model: 'openai',
      response: { id: 'r1', usage: { prompt_tokens: 70, completion_tokens: 5, total_tokens: 75 } },
      messages: [{ role: 'user', content: 'Hello' }],
      standard_logging_object_status: 'error',
    });
    const names = 'model, status, prompt_tokens, completion_tokens, total_tokens, response_id, messages';
    expect(await server.rows(`SELECT ${names} FROM text_events WHERE id = 'm1'`)).toEqual([
      {
        model: 'openai',
        status: 'error',
        prompt_tokens: 70,
        completion_tokens: 5,
        total_tokens: 75,
        response_id: 'r1',
        messages: [{ role: 'user', content: 'Hello' }],
      },
    ]);
  });
});

describe('image_events', () => {
  it('has the columns of the plan for one tracker', async () => {
    const event = {
      event_type: 'image_generation',
      model: 'gptimage',
      provider: 'azure',
      duration: 4310.5,
      cost: 0.04,
      status: 'error',
      user_id: 'cem',
      tier: 'flower',
      timestamp: time(20),
      image_width: 1024,
      image_height: 768,
      num_images: 1,
    };
    await report('image_events', { ...event, error: { message: 'no' } });
    expect(
      await server.rows(`SELECT ${Object.keys(event).join(', ')} FROM image_events WHERE user_id = 'cem'`),
    ).toEqual([{ ...event, timestamp: stored(20) }]);
    expect(await callOf("user_id = 'cem'", 'operation, modality, error_message')).toEqual({
      operation: 'image_generation',
      modality: 'image',
      error_message: 'no',
    });
  });

  it('needs nothing', async () => {
    await report('image_events', { model: 'bare' });
    const query = "SELECT event_type, status, timestamp > now() - 60 AS isNew FROM image_events WHERE model = 'bare'";
    expect(await server.rows(query)).toEqual([{ event_type: 'image_generation', status: 'success', isNew: 1 }]);
  });
});
