/**
 * One tracker for the services of texts and of images, as the plan of seed 002 describes it: the migration, a publisher that sends
 * with a token and gives up after five seconds, the two views, and the dashboards. Nothing is deployed.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import type { Workspace } from './support/workspace.ts';
import { call, endpointRows, expectRows, localWorkspace, rowsOf } from './support/workspace.ts';

let server: Server;
let workspace: Workspace;
/** What a service knows: TINYBIRD_API_URL and TINYBIRD_API_KEY. */
let sender: Workspace;

beforeAll(async () => {
  server = await startServer();
  workspace = await localWorkspace(server);
  const made = await call(workspace, 'POST /v0/tokens?name=tracker&scope=DATASOURCES:APPEND:llm_events');
  sender = { ...workspace, token: (JSON.parse(made.text) as { token: string }).token };
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

const MIGRATION = `ALTER TABLE llm_events
    ADD COLUMN IF NOT EXISTS event_type String DEFAULT 'text_generation',
    ADD COLUMN IF NOT EXISTS image_width UInt16,
    ADD COLUMN IF NOT EXISTS image_height UInt16,
    ADD COLUMN IF NOT EXISTS num_images UInt8;`;

type EventType = 'image_generation' | 'text_generation';

/** Normalises, and publishes without waiting for the row. */
async function trackEvent(eventType: EventType, raw: Readonly<Record<string, unknown>>): Promise<number> {
  const { user, ...rest } = raw;
  const event = { event_type: eventType, ...rest, user_id: user, timestamp: new Date().toISOString() };
  const response = await fetch(`${sender.url}/v0/events?name=llm_events`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${sender.token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(event),
    signal: AbortSignal.timeout(5_000),
  });
  await response.text();
  return response.status;
}

const text = { model: 'openai', provider: 'azure', user: 'ann', tier: 'seed', status: 'success', cost: 0.5 };
const image = {
  model: 'gptimage',
  provider: 'azure',
  user: 'bob',
  tier: 'flower',
  cost: 0.25,
  image_width: 1024,
  image_height: 768,
  num_images: 1,
};

describe('the tracker', () => {
  it('finds its data source migrated', async () => {
    for (const body of [MIGRATION, new URLSearchParams({ sql: MIGRATION })]) {
      const { status, text: said } = await call(workspace, 'POST /v0/datasources/llm_events/alter', { body });
      expect([status, (JSON.parse(said) as { operations: unknown }).operations]).toEqual([200, []]);
    }
  });

  it('reports texts and images, successes and errors', async () => {
    const sent = await Promise.all([
      trackEvent('text_generation', { ...text, duration: 812.25, prompt_tokens: 70_000, completion_tokens: 80 }),
      trackEvent('text_generation', {
        ...text,
        duration: 30,
        status: 'error',
        error: { message: 'overloaded' },
        cost: 0,
      }),
      trackEvent('image_generation', { ...image, duration: 4310.25, status: 'success' }),
    ]);
    expect(sent).toEqual([202, 202, 202]);
    await expectRows(
      workspace,
      'SELECT event_type, status, user_id, tier, prompt_tokens, image_width, num_images, round(duration) AS ms FROM llm_events ORDER BY duration',
      [
        {
          event_type: 'text_generation',
          status: 'error',
          user_id: 'ann',
          tier: 'seed',
          prompt_tokens: 0,
          image_width: 0,
          num_images: 0,
          ms: 30,
        },
        {
          event_type: 'text_generation',
          status: 'success',
          user_id: 'ann',
          tier: 'seed',
          prompt_tokens: 70_000,
          image_width: 0,
          num_images: 0,
          ms: 812,
        },
        {
          event_type: 'image_generation',
          status: 'success',
          user_id: 'bob',
          tier: 'flower',
          prompt_tokens: 0,
          image_width: 1024,
          num_images: 1,
          ms: 4310,
        },
      ],
    );
    const quarantined = 'SELECT count() AS rows FROM llm_events_quarantine';
    expect(await rowsOf(workspace, quarantined).catch(() => [{ rows: 0 }])).toEqual([{ rows: 0 }]);
  });

  it('may read nothing', async () => {
    for (const path of ['/v0/pipes/text_events_mv.json', '/v0/pipes/llm_usage.json'])
      expect((await call(sender, `GET ${path}`)).status).toBe(403);
    expect((await call(sender, 'POST /v0/sql', { body: 'SELECT * FROM llm_events' })).status).toBe(403);
    expect((await call(sender, 'POST /v0/datasources/llm_events/alter', { body: MIGRATION })).status).toBe(403);
  });
});

describe('the views', () => {
  const NAMES = ['text_events_mv', 'image_events_mv'] as const;

  it.each([
    [NAMES[0], 2],
    [NAMES[1], 1],
  ])('%s has its rows, by SQL, as an endpoint and on port 8123', async (name, count) => {
    expect(await rowsOf(workspace, `SELECT count() AS rows FROM ${name}`)).toEqual([{ rows: count }]);
    expect(await endpointRows(workspace, name)).toHaveLength(count);
    const response = await fetch(`http://127.0.0.1:${server.ports.clickhouse}/`, {
      method: 'POST',
      body: `SELECT count(), uniq(event_type) FROM ${name} FORMAT CSV`,
    });
    expect(await response.text()).toBe(`${count},1\n`);
  });

  it('answer what the dashboards of the plan ask', async () => {
    const spend = `SELECT model, sum(cost) AS spent FROM (SELECT model, cost FROM text_events_mv UNION ALL
      SELECT model, cost FROM image_events_mv) GROUP BY model ORDER BY spent DESC`;
    expect(await rowsOf(workspace, spend)).toEqual([
      { model: 'openai', spent: 0.5 },
      { model: 'gptimage', spent: 0.25 },
    ]);
    const errors = `SELECT event_type, countIf(status = 'error') / count() AS rate FROM llm_events
      WHERE timestamp > now() - INTERVAL 5 MINUTE GROUP BY event_type ORDER BY event_type`;
    expect(await rowsOf(workspace, errors)).toEqual([
      { event_type: 'image_generation', rate: 0 },
      { event_type: 'text_generation', rate: 0.5 },
    ]);
  });
});

describe('dashboards', () => {
  it('count every event once, with its cost', async () => {
    await expectRows(workspace, 'SELECT count() AS calls FROM generations', [{ calls: 3 }]);
    const byUser = await endpointRows(workspace, 'llm_usage', { column_name: 'user', provider: 'azure,other' });
    const brief = byUser.map(({ category, total_requests, total_errors, total_tokens }: Row) => [
      category,
      total_requests,
      total_errors,
      total_tokens,
    ]);
    expect(brief.toSorted()).toEqual([
      ['ann', 2, 1, 70_080],
      ['bob', 1, 0, 0],
    ]);
    expect(await endpointRows(workspace, 'generic_counter', { dimension: 'model' })).toMatchObject([
      { category: 'openai', count: 2 },
      { category: 'gptimage', count: 1 },
    ]);
    expect(await endpointRows(workspace, 'get_llm_costs', { username: 'bob' })).toMatchObject([{ request_count: 1 }]);
    expect(await endpointRows(workspace, 'hourly_cost_24h')).toHaveLength(24);
  });
});
