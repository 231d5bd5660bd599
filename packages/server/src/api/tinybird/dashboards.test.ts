/** The endpoints of published dashboards, on the whole server: asked as they ask, over events and spans alike. */

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

type Row = Readonly<Record<string, unknown>>;

let server: TestServer;

const NOW = Date.now();
const HOUR = 3_600_000;
const at = (ago: number): string => new Date(NOW - ago).toISOString();
/** As dashboards write times. */
const sqlTime = (ago: number): string => at(ago).slice(0, 19).replace('T', ' ');
const today = at(0).slice(0, 10);

const text = {
  start_time: at(10_000),
  end_time: at(8_000),
  message_id: 'm-1',
  model: 'model-a',
  provider: 'azure',
  user: 'ann',
  referrer: 'site',
  messages: [{ role: 'user', content: 'Hello' }],
  response: {
    id: 'r-1',
    usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 },
    choices: [{ message: { role: 'assistant', content: 'Hi "there"' } }],
  },
  proxy_metadata: { organization: 'acme', project: 'chat', environment: 'prod', chat_id: 'c-1' },
  standard_logging_object_status: 'success',
  cost: 0.5,
  embedding: [0.25, -0.5, 1],
};
const image = {
  event_type: 'image_generation',
  timestamp: at(20_000),
  model: 'flux',
  provider: 'pool',
  user_id: 'bob',
  duration: 4_000,
  num_images: 1,
  status: 'error',
  error: 'no',
  cost: 0.25,
};
/** The parts are beside the totals. */
const exclusive = {
  start_time: at(30_000),
  end_time: at(29_000),
  id: 'b-1',
  model_requested: 'model-b',
  provider: 'azure',
  user: 'ann',
  standard_logging_object_status: 'success',
  token_count_prompt_text: 10,
  token_count_prompt_cached: 5,
  token_count_completion_text: 7,
  cost: 0.125,
};
const attribute = (key: string, value: number | string): object => ({
  key,
  value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
});
const spans = {
  resourceSpans: [
    {
      resource: { attributes: [attribute('service.name', 'agent')] },
      scopeSpans: [
        {
          spans: [
            {
              traceId: '0af7651916cd43dd8448eb211c80319c',
              spanId: 'b7ad6b7169203331',
              name: 'chat model-a',
              kind: 3,
              startTimeUnixNano: `${BigInt(NOW - 40_000) * 1_000_000n}`,
              endTimeUnixNano: `${BigInt(NOW - 39_000) * 1_000_000n}`,
              attributes: [
                attribute('gen_ai.operation.name', 'chat'),
                attribute('gen_ai.provider.name', 'azure'),
                attribute('gen_ai.request.model', 'model-a'),
                attribute('gen_ai.usage.input_tokens', 20),
                attribute('gen_ai.usage.output_tokens', 4),
                attribute('gen_ai.conversation.id', 'c-2'),
                attribute('user.id', 'cem'),
                attribute('gen_ai.input.messages', 'What now?'),
              ],
            },
          ],
        },
      ],
    },
  ],
};

beforeAll(async () => {
  server = await startTestServer();
  await server.events('llm_events', text, image);
  await server.events('text_events', exclusive);
  const headers = { 'content-type': 'application/json' };
  const sent = await server.call('POST /v1/traces', { body: JSON.stringify(spans), headers, token: null });
  expect(sent.status).toBe(200);
  await vi.waitFor(
    async () => expect(await server.rows('SELECT count() AS calls FROM generations')).toEqual([{ calls: 4 }]),
    { timeout: 20_000 },
  );
});

afterAll(() => server.close());

async function ask(pipe: string, parameters: Readonly<Record<string, string>> = {}): Promise<readonly Row[]> {
  const answer = await server.call(`/v0/pipes/${pipe}.json?${new URLSearchParams(parameters).toString()}`);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return answer.json['data'] as readonly Row[];
}

const refusal = async (pipe: string, parameters: Readonly<Record<string, string>>): Promise<unknown> => {
  const { status, json } = await server.call(`/v0/pipes/${pipe}.json?${new URLSearchParams(parameters).toString()}`);
  return [status, json['error']];
};

const sum = (rows: readonly Row[], name: string): number => rows.reduce((total, row) => total + Number(row[name]), 0);

describe('llm_usage', () => {
  it('sums by day', async () => {
    const rows = await ask('llm_usage');
    expect(Object.keys(rows[0] ?? {})).toEqual([
      'date',
      'total_requests',
      'total_errors',
      'total_tokens',
      'total_completion_tokens',
      'total_prompt_tokens',
      'total_cost',
      'avg_duration',
      'avg_response_time',
    ]);
    expect(['total_requests', 'total_errors', 'total_tokens', 'total_cost'].map((name) => sum(rows, name))).toEqual([
      4,
      1,
      150 + 22 + 24,
      0.875,
    ]);
  });

  it.each(['model', 'provider', 'organization', 'project', 'environment', 'user'])('groups by %s', async (name) => {
    const rows = await ask('llm_usage', { column_name: name });
    expect(sum(rows, 'total_requests')).toBe(4);
    expect(rows.every((row) => typeof row['category'] === 'string')).toBe(true);
  });

  it('groups by who called, events and spans alike', async () => {
    const rows = await ask('llm_usage', { column_name: 'user', start_date: sqlTime(HOUR), end_date: sqlTime(-60_000) });
    const known = rows.map((row) => [row['category'], row['total_requests'], row['total_tokens'], row['avg_duration']]);
    expect(known.toSorted()).toEqual([
      ['ann', 2, 172, 1500],
      ['bob', 1, 0, 4000],
      ['cem', 1, 24, 1000],
    ]);
  });

  it('filters by values with commas, by several, by none, and by times', async () => {
    expect(sum(await ask('llm_usage', { model: 'model-a,flux' }), 'total_requests')).toBe(3);
    expect(sum(await ask('llm_usage', { model: '', user: 'ann', organization: 'acme' }), 'total_requests')).toBe(1);
    expect(await ask('llm_usage', { user: "ann' OR 1 = 1 --" })).toEqual([]);
    expect(await ask('llm_usage', { end_date: sqlTime(HOUR) })).toEqual([]);
  });

  it('refuses a column that is none of its dimensions', async () => {
    expect(await refusal('llm_usage', { column_name: 'prompt' })).toEqual([
      400,
      'column_name must be one of model, provider, organization, project, environment, user',
    ]);
  });
});

describe('generic_counter', () => {
  it('counts by a dimension', async () => {
    expect(await ask('generic_counter', { dimension: 'provider' })).toEqual([
      { category: 'azure', count: 3, total_cost: 0.625 },
      { category: 'pool', count: 1, total_cost: 0.25 },
    ]);
    expect(
      await ask('generic_counter', {
        dimension: 'model',
        provider: 'azure',
        start_date: sqlTime(HOUR),
        end_date: sqlTime(-60_000),
      }),
    ).toEqual([
      { category: 'model-a', count: 2, total_cost: 0.5 },
      { category: 'model-b', count: 1, total_cost: 0.125 },
    ]);
  });

  it('needs one', async () => {
    expect((await refusal('generic_counter', {})) as unknown[]).toEqual([400, expect.stringContaining('dimension')]);
    expect((await refusal('generic_counter', { dimension: 'cost' })) as unknown[]).toEqual([
      400,
      expect.stringContaining('dimension'),
    ]);
  });
});

describe('llm_messages', () => {
  it('lists calls, newest first', async () => {
    const rows = await ask('llm_messages', { limit: '3' });
    expect(rows.map(({ model }) => model)).toEqual(['model-a', 'flux', 'model-b']);
    expect(rows[0]).toEqual({
      timestamp: sqlTime(10_000),
      organization: 'acme',
      project: 'chat',
      environment: 'prod',
      user: 'ann',
      chat_id: 'c-1',
      message_id: 'm-1',
      model: 'model-a',
      provider: 'azure',
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      duration: 2000,
      cost: 0.5,
      response_status: 'success',
      exception: '',
      similarity: 0,
      messages: [],
      response_choices: [],
    });
    expect(rows[1]).toMatchObject({ response_status: 'error', exception: 'no', duration: 4000, user: 'bob' });
  });

  it('shows what was said in a chat', async () => {
    const [event] = await ask('llm_messages', { chat_id: 'c-1' });
    expect(event?.['messages']).toEqual([{ role: 'user', content: 'Hello' }]);
    const [choice] = (event?.['response_choices'] ?? []) as string[];
    expect(JSON.parse(choice ?? '')).toEqual({ message: { role: 'assistant', content: 'Hi "there"' } });
    const [span] = await ask('llm_messages', { chat_id: 'c-2', user: 'cem' });
    expect([span?.['messages'], span?.['response_choices']]).toEqual([[{ role: 'user', content: 'What now?' }], []]);
  });

  it('finds what is near to an embedding, in a body of JSON or in the address', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ embedding: [0.25, -0.5, 1], similarity_threshold: '0.3', user: 'ann' });
    const posted = await server.call('POST /v0/pipes/llm_messages.json', { body, headers });
    expect(posted.status).toBe(200);
    expect(posted.json['data']).toMatchObject([{ message_id: 'm-1', similarity: 1, messages: [] }]);
    expect(Object.keys((posted.json['data'] as Row[])[0] ?? {})).toEqual(
      Object.keys((await ask('llm_messages', { limit: '1' }))[0] ?? {}),
    );
    const [found] = await ask('llm_messages', { embedding: '[0.25,-0.5,1]', chat_id: 'c-1' });
    expect(found?.['messages']).toEqual([{ role: 'user', content: 'Hello' }]);
    expect(await ask('llm_messages', { embedding: '-0.25,0.5,-1' })).toEqual([]);
    expect(await ask('llm_messages', { embedding: '1,2' })).toEqual([]);
  });
});

describe('llm_dimensions', () => {
  it('lists what there was in the last month', async () => {
    const [row] = await ask('llm_dimensions');
    const sorted = Object.entries(row ?? {}).map(([name, values]) => [name, (values as string[]).toSorted()]);
    expect(Object.fromEntries(sorted)).toEqual({
      organizations: ['', 'acme'],
      project: expect.arrayContaining(['chat']) as unknown,
      environment: expect.arrayContaining(['prod']) as unknown,
      model: ['flux', 'model-a', 'model-b'],
      provider: ['azure', 'pool'],
    });
    expect(await ask('llm_dimensions', { organization: 'acme' })).toEqual([
      { organizations: ['acme'], project: ['chat'], environment: ['prod'], model: ['model-a'], provider: ['azure'] },
    ]);
  });
});

describe('costs', () => {
  it('are those of all, or of one user', async () => {
    expect(await ask('get_llm_costs')).toEqual([{ total_cost: 0.875, request_count: 4 }]);
    expect(await ask('get_llm_costs', { username: 'ann' })).toEqual([{ total_cost: 0.625, request_count: 2 }]);
    expect(await ask('get_llm_costs', { username: "x' OR 'a' = 'a" })).toEqual([{ total_cost: 0, request_count: 0 }]);
  });

  it.each([
    ['cost_day', 'hour', 24, {}],
    ['cost_day', 'hour', 24, { date: '2026-02-03' }],
    ['cost_week', 'day', 7, {}],
    ['cost_month', 'day', undefined, {}],
    ['cost_month', 'day', 28, { ym: '2026-02' }],
    ['daily_cost_7d', 'day', 7, {}],
    ['hourly_cost_24h', 'hour', 24, {}],
  ] as const)('of %s have a row for each %s (%s), %j', async (pipe, unit, count, parameters) => {
    const rows = await ask(pipe, parameters);
    expect(rows.every((row) => Object.keys(row).join() === `${unit},total_cost`)).toBe(true);
    if (count !== undefined) expect(rows).toHaveLength(count);
    const starts = rows.map((row) => Date.parse(`${String(row[unit])}Z`));
    const step = unit === 'day' ? 24 * HOUR : HOUR;
    expect(starts.every((start, index) => index === 0 || start - (starts[index - 1] ?? 0) === step)).toBe(true);
  });

  it('begin when the day, the week or the month does', async () => {
    expect((await ask('cost_day', { date: '2026-02-03' }))[0]).toEqual({ hour: '2026-02-03 00:00:00', total_cost: 0 });
    expect((await ask('cost_week', { isoWeek: '2025-W31' }))[0]).toEqual({ day: '2025-07-28 00:00:00', total_cost: 0 });
    expect((await ask('cost_week', { isoWeek: '2026-W01' }))[0]?.['day']).toBe('2025-12-29 00:00:00');
    expect((await ask('cost_month', { ym: '2026-02' }))[0]?.['day']).toBe('2026-02-01 00:00:00');
  });

  it('are added up where they arose', async () => {
    expect(sum(await ask('hourly_cost_24h'), 'total_cost')).toBe(0.875);
    expect(sum(await ask('daily_cost_7d', { user: 'bob' }), 'total_cost')).toBe(0.25);
    // Near midnight a part of them is of the day before.
    if (at(60_000).slice(0, 10) === today)
      expect(sum(await ask('cost_day', { date: today }), 'total_cost')).toBe(0.875);
  });

  it('and tokens are told by hour and referrer', async () => {
    const rows = await ask('hourly_token_usage', { username: 'ann', referrer: 'site' });
    expect(rows).toEqual([
      {
        hour: `${sqlTime(10_000).slice(0, 13)}:00:00`,
        referrer: 'site',
        usage_prompt_tokens: 100,
        usage_completion_tokens: 50,
        total_tokens: 150,
        total_costs: 0.5,
        total_requests: 1,
      },
    ]);
    expect(sum(await ask('hourly_token_usage'), 'total_requests')).toBe(4);
  });

  it('of what is no week, month or day are refused', async () => {
    for (const [pipe, parameters] of [
      ['cost_week', { isoWeek: 'x' }],
      ['cost_month', { ym: "2026-02') --" }],
      ['cost_day', { date: 'yesterday' }],
    ] as const)
      expect(((await refusal(pipe, parameters)) as unknown[])[0], pipe).toBe(400);
  });
});

describe('the token of a dashboard', () => {
  it('reads what it has a scope for', async () => {
    const token = await server.token('dashboard', 'PIPES:READ:llm_usage', 'PIPES:READ:cost_day');
    const status = async (name: string): Promise<number> =>
      (await server.call(`/v0/pipes/${name}.json?token=${token}`, { token: null })).status;
    expect([await status('llm_usage'), await status('cost_day'), await status('llm_messages')]).toEqual([
      200, 200, 403,
    ]);
  });
});
