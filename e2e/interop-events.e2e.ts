/**
 * Applications that report with nothing but `fetch`, in the manner of pollinations' services: one JSON object without a
 * line end, nobody reads the answer. And the dashboard that reads it back: filters with commas, embeddings in a body of JSON.
 */

import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from './support/http.ts';
import { answerOf } from './support/http.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import type { Workspace } from './support/workspace.ts';
import {
  call,
  deployFolder,
  endpointRows,
  expectRows,
  localWorkspace,
  rowsOf,
  tokenNamed,
} from './support/workspace.ts';

let server: Server;
let workspace: Workspace;
/** May append to `llm_events` and do nothing else. */
let sender: Workspace;

beforeAll(async () => {
  server = await startServer();
  workspace = await localWorkspace(server);
  await deployFolder(workspace, 'events');
  sender = { ...workspace, token: (await tokenNamed(workspace, 'events_append')).token };
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

/** As a service sends it: aborted after a while, the answer read as text at most. */
async function report(name: string, event: unknown, from = sender): Promise<Answer> {
  const response = await fetch(`${from.url}/v0/events?name=${name}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${from.token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(event),
    signal: AbortSignal.timeout(5000),
  });
  return answerOf(response);
}

const base = {
  provider: 'pollinations',
  proxy_metadata: { organization: 'pollinations', project: 'text.example', environment: 'production', chat_id: '' },
  cache_hit: false,
};
const success = {
  ...base,
  start_time: '2026-03-01T10:00:00.123Z',
  end_time: '2026-03-01T10:00:02.456Z',
  message_id: 'pllns_1',
  id: 'pllns_1',
  model: 'openai-large',
  duration: 2.333,
  llm_api_duration_ms: 2333,
  response: {
    id: 'pllns_1',
    object: 'chat.completion',
    usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 },
  },
  user: 'somebody',
  standard_logging_object_status: 'success',
  standard_logging_object_response_time: 2333,
  log_event_type: 'chat_completion',
  call_type: 'completion',
};
const image = {
  ...base,
  proxy_metadata: { ...base.proxy_metadata, organization: 'partner', project: 'image.example' },
  start_time: '2026-03-01T10:00:05.000Z',
  end_time: '2026-03-01T10:00:09.500Z',
  message_id: 'img_1',
  id: 'img_1',
  model: 'flux',
  duration: 4.5,
  llm_api_duration_ms: 4500,
  response: { id: 'img_1', object: 'image.generation', generation_time_ms: 4400 },
  user: 'painter',
  username: 'painter',
  cost: 0.25,
  standard_logging_object_status: 'success',
  standard_logging_object_response_time: 4500,
  log_event_type: 'image_generation',
  call_type: 'image_generation',
};
const { response: _response, ...withoutResponse } = success;
const failure = {
  ...withoutResponse,
  id: 'pllns_2',
  message_id: 'pllns_2',
  start_time: '2026-03-01T10:01:00.000Z',
  end_time: '2026-03-01T10:01:00.250Z',
  standard_logging_object_status: 'error',
  exception: 'upstream said 502',
  traceback: 'Error: upstream said 502\n    at send',
};

describe('an event of llm_events', () => {
  it('is taken whole, without a line end', async () => {
    const answer = await report('llm_events', success);
    expect(answer.status).toBe(202);
    expect(JSON.parse(answer.text)).toEqual({ successful_rows: 1, quarantined_rows: 0 });
    await expectRows(workspace, "SELECT * FROM llm_events WHERE id = 'pllns_1'", [
      {
        timestamp: '2026-03-01 10:00:00',
        organization: 'pollinations',
        project: 'text.example',
        environment: 'production',
        chat_id: '',
        user: 'somebody',
        message_id: 'pllns_1',
        model: 'openai-large',
        prompt_tokens: 100,
        completion_tokens: 50,
        total_tokens: 150,
        response_time: 2333,
        duration: 2.333,
        cost: 0,
        llm_api_duration_ms: 2333,
        exception: '',
        traceback: '',
        response_status: 'success',
        messages: [],
        response_choices: [],
        proxy_metadata: expect.any(String) as unknown,
        provider: 'pollinations',
        call_type: 'completion',
        log_event_type: 'chat_completion',
        end_time: '2026-03-01 10:00:02',
        id: 'pllns_1',
        api_key: '',
        stream: false,
        cache_hit: false,
        response: expect.any(String) as unknown,
        response_id: 'pllns_1',
        response_object: 'chat.completion',
        embedding: [],
      },
    ]);
    const [row] = await rowsOf(workspace, "SELECT proxy_metadata, response FROM llm_events WHERE id = 'pllns_1'");
    expect(JSON.parse(row?.['proxy_metadata'] as string)).toEqual(success.proxy_metadata);
    expect(JSON.parse(row?.['response'] as string)).toEqual(success.response);
  });

  it('may be about an image: no tokens, a cost, keys that have no column', async () => {
    await report('llm_events', image);
    const columns = 'model, user, cost, total_tokens, response_object, call_type, organization';
    await expectRows(workspace, `SELECT ${columns} FROM llm_events WHERE id = 'img_1'`, [
      {
        model: 'flux',
        user: 'painter',
        cost: 0.25,
        total_tokens: 0,
        response_object: 'image.generation',
        call_type: 'image_generation',
        organization: 'partner',
      },
    ]);
  });

  it('that failed, without a response, is in one place and not lost', async () => {
    const answer = await report('llm_events', failure);
    expect(answer.status).toBe(202);
    // `response_id` has no default: whether that quarantines the row is not documented; that it is kept is.
    const columns = 'id, toString(response_status) AS status, exception, traceback, user';
    const both = ['llm_events', 'llm_events_quarantine'].map((table) => `SELECT ${columns} FROM ${table}`);
    await expectRows(workspace, `SELECT * FROM (${both.join(' UNION ALL ')}) WHERE id = 'pllns_2'`, [
      {
        id: 'pllns_2',
        status: 'error',
        exception: 'upstream said 502',
        traceback: 'Error: upstream said 502\n    at send',
        user: 'somebody',
      },
    ]);
  });

  it('brings messages and an embedding', async () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Wörld?', name: 'ann' },
    ];
    const choices = [{ index: 0, message: { role: 'assistant', content: 'Yes.' } }];
    await report('llm_events', {
      ...success,
      id: 'pllns_3',
      model: 'mistral',
      messages,
      response: { ...success.response, choices },
      embedding: [0.25, -0.5, 1],
    });
    const query = "SELECT messages, response_choices, embedding FROM llm_events WHERE id = 'pllns_3'";
    await expectRows(workspace, `SELECT count() AS rows FROM (${query})`, [{ rows: 1 }]);
    const [row] = await rowsOf(workspace, query);
    expect(row).toMatchObject({ messages, embedding: [0.25, -0.5, 1] });
    const texts = row?.['response_choices'] as readonly string[];
    expect(texts.map((text) => JSON.parse(text) as unknown)).toEqual(choices);
  });

  it('is refused with a token that may not append', async () => {
    const token = (await tokenNamed(workspace, 'read_pipes')).token;
    expect((await report('llm_events', success, { ...workspace, token })).status).toBe(403);
    expect((await report('llm_events', success, { ...workspace, token: 'p.nobody' })).status).toBe(403);
    expect((await report('text_events', success)).status).toBe(403);
  });
});

it('takes an event of text_events, with a model that is not known', async () => {
  await report(
    'text_events',
    {
      start_time: '2026-03-02T00:00:00.001Z',
      end_time: '2026-03-02T00:00:01.002Z',
      id: 'req_1',
      model_requested: 'openai',
      model_used: null,
      provider: 'azure',
      token_count_prompt_text: 1000,
      token_count_completion_text: 500,
      token_price_prompt_text: 0.15,
      token_price_completion_text: 0.6,
      cost: 0.00045,
      user: 'u1',
      referrer: 'https://example.test/',
      standard_logging_object_status: 'success',
      stream: true,
      moderation_hate_severity: 'safe',
      proxy_metadata: { environment: 'staging' },
    },
    workspace,
  );
  const cost = '(prompt_text * price_prompt_text + completion_text * price_completion_text) / 1e6';
  await expectRows(workspace, `SELECT *, round(${cost}, 8) AS computed FROM text_events`, [
    {
      start_time: '2026-03-02 00:00:00.001',
      end_time: '2026-03-02 00:00:01.002',
      id: 'req_1',
      model_requested: 'openai',
      model_used: null,
      provider: 'azure',
      prompt_text: 1000,
      completion_text: 500,
      price_prompt_text: 0.15,
      price_completion_text: 0.6,
      cost: 0.00045,
      user: 'u1',
      referrer: 'https://example.test/',
      status: 'success',
      stream: true,
      moderation_hate_severity: 'safe',
      environment: 'staging',
      computed: 0.00045,
    },
  ]);
});

describe('rows that do not fit', () => {
  const post = (body: RequestInit['body'], headers: Record<string, string> = {}): Promise<Answer> =>
    call(workspace, 'POST /v0/events?name=strict&wait=true', { body: body ?? null, headers });
  const counts = (successful: number, quarantined: number): object => ({
    successful_rows: successful,
    quarantined_rows: quarantined,
  });

  it('go to the quarantine with the column and the reason; the others are stored', async () => {
    const lines = [
      { at: '2026-01-01T00:00:00Z', amount: 1.5 },
      { at: '2026-01-01 00:00:01', note: 'has no amount' },
      { at: '2026-01-01T00:00:02.250', amount: 2, small: null, note: 'null takes the default' },
      { at: 'yesterday', amount: 3 },
    ];
    const answer = await post(lines.map((line) => JSON.stringify(line)).join('\n'));
    expect([answer.status, JSON.parse(answer.text)]).toEqual([200, counts(2, 2)]);
    await expectRows(workspace, 'SELECT * FROM strict ORDER BY at', [
      { at: '2026-01-01 00:00:00', amount: 1.5, small: 7, note: null },
      { at: '2026-01-01 00:00:02', amount: 2, small: 7, note: 'null takes the default' },
    ]);
    const columns = 'at, amount, note, c__error_column, length(c__error) AS reasons';
    const quarantined = await rowsOf(workspace, `SELECT ${columns} FROM strict_quarantine ORDER BY at`);
    expect(quarantined).toMatchObject([
      { at: '2026-01-01 00:00:01', note: 'has no amount', c__error_column: ['amount'], reasons: 1 },
      { at: 'yesterday', amount: '3', c__error_column: ['at'], reasons: 1 },
    ]);
  });

  it.each<[string, RequestInit['body'], Record<string, string>]>([
    ['packed', gzipSync('{"at":"2026-02-01 00:00:00","amount":1}\n'), { 'content-encoding': 'gzip' }],
    ['as NDJSON with empty lines and CRLF', '\n\r\n{"at":"2026-02-01 00:00:00","amount":1}\r\n\n', {}],
    ['with keys in any order and more of them', '{"x":[1],"amount":1,"at":"2026-02-01 00:00:00","y":{"z":null}}', {}],
  ])('are not these: %s', async (_name, body, headers) => {
    await call(workspace, 'POST /v0/datasources/strict/truncate');
    expect(JSON.parse((await post(body, headers)).text)).toEqual(counts(1, 0));
    await expectRows(workspace, 'SELECT at, amount FROM strict', [{ at: '2026-02-01 00:00:00', amount: 1 }]);
  });

  it('are told apart from a mistake in the request', async () => {
    const missing = await call(workspace, 'POST /v0/events', { body: '{}' });
    expect(missing.status).toBe(400);
    // The token may create: there is nothing in this event to make a data source of.
    const unknown = await call(workspace, 'POST /v0/events?name=nowhere', { body: '{}' });
    expect(unknown.status).toBe(400);
    for (const { text } of [missing, unknown]) {
      expect(JSON.parse(text)).toMatchObject({ error: expect.any(String) as unknown });
    }
  });
});

describe('the dashboard', () => {
  const usage = (category: string, requests: number, tokens: number): Row => ({
    category,
    requests,
    tokens,
    errors: 0,
  });

  it('filters by values with commas, repeated values, and by nothing', async () => {
    const known = "SELECT count() AS rows FROM llm_events WHERE id IN ('pllns_1', 'img_1', 'pllns_3')";
    await expectRows(workspace, known, [{ rows: 3 }]);
    const reader = { ...workspace, token: (await tokenNamed(workspace, 'read_pipes')).token };
    const models = { model: 'flux,mistral' };
    expect(await endpointRows(reader, 'llm_usage', models)).toEqual([usage('flux', 1, 0), usage('mistral', 1, 150)]);
    const repeated = await call(reader, 'GET /v0/pipes/llm_usage.json?model=flux&model=mistral');
    expect((JSON.parse(repeated.text) as { data: unknown }).data).toEqual([
      usage('flux', 1, 0),
      usage('mistral', 1, 150),
    ]);
    const nothing = { organization: '', model: 'flux', start_date: '2026-03-01 10:00:05' };
    expect(await endpointRows(reader, 'llm_usage', nothing)).toEqual([usage('flux', 1, 0)]);
    const byOrganization = { dimension: 'organization', model: 'flux,mistral,openai-large', organization: 'partner' };
    expect(await endpointRows(reader, 'llm_usage', byOrganization)).toEqual([usage('partner', 1, 0)]);
  });

  it('finds the nearest by an embedding in a body of JSON, or in the address', async () => {
    const near = [{ id: 'pllns_3', similarity: 1 }];
    const body = JSON.stringify({ embedding: [0.25, -0.5, 1], limit: '5' });
    const headers = { 'content-type': 'application/json' };
    const posted = await call(workspace, 'POST /v0/pipes/llm_similar.json', { body, headers });
    expect(JSON.parse(posted.text)).toMatchObject({ data: near, rows: 1 });
    expect(await endpointRows(workspace, 'llm_similar', { embedding: '0.25,-0.5,1' })).toEqual(near);
    expect(await endpointRows(workspace, 'llm_similar', { embedding: '[0.25,-0.5,1]' })).toEqual(near);
  });

  it('may not be read with the token of the sender', async () => {
    expect((await call(sender, 'GET /v0/pipes/llm_usage.json')).status).toBe(403);
  });
});
