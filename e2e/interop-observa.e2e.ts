/**
 * Tinybird's set-up guide for many tenants to its last step, and the SDK that it is written for, unmodified: an administrator
 * makes a token and a key for a tenant, the SDK sends with the key, and the query of the guide finds what it sent.
 */

import { init } from 'observa-sdk';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import { runProgram } from './support/toolbox.ts';
import type { ListedToken, Workspace } from './support/workspace.ts';
import { expectRows, localWorkspace, rowsOf } from './support/workspace.ts';

const TENANT = 'your-tenant-id';

let server: Server;
let workspace: Workspace;

beforeAll(async () => {
  // The SDK reports every step of its own.
  for (const method of ['log', 'warn', 'error'] as const) vi.spyOn(console, method).mockImplementation(() => undefined);
  server = await startServer();
  workspace = await localWorkspace(server);
});

afterAll(async () => {
  vi.restoreAllMocks();
  await server?.stop();
});
showLogsOfFailures(() => server);

const curl = (...args: readonly string[]): Promise<string> =>
  runProgram('curl', ['-sS', '--max-time', '30', '-X', 'POST', ...args]);

/** Step 3 of the guide. */
function provision(fields: Readonly<Record<string, string>>): Promise<string> {
  const body = { tenantId: TENANT, projectId: 'your-project-id', environment: 'dev', ...fields };
  return curl(
    ...[`${server.url}/api/v1/auth/tokens`, '-H', 'Content-Type: application/json'],
    ...['-d', JSON.stringify(body, null, 2)],
  );
}

/** What scripts search the answer for. */
const keyIn = (answer: string): string => /"apiKey":"([^"]+)"/.exec(answer)?.[1] ?? `no key in ${answer}`;

/** Asks in a tenant's own workspace until the rows are as expected. */
async function expectRowsOf(tenant: string, sql: string, expected: readonly Row[]): Promise<void> {
  const headers = { authorization: `Bearer ${server.adminToken}`, 'x-glasshouse-tenant': tenant };
  const ask = async (): Promise<unknown> => {
    const answer = await fetch(`${server.url}/v0/sql`, { method: 'POST', headers, body: sql });
    return ((await answer.json()) as { readonly data?: unknown }).data;
  };
  await expect.poll(ask, { timeout: 30_000, interval: 100 }).toEqual(expected);
}

const VERIFICATION = `
SELECT
    tenant_id,
    project_id,
    count(*) as trace_count,
    avg(latency_ms) as avg_latency,
    sum(tokens_total) as total_tokens
FROM traces
WHERE tenant_id = '${TENANT}'
  AND date >= today() - 1
GROUP BY tenant_id, project_id
`;

const call = (latencyMs: number) => ({
  model: 'gpt-4o-mini',
  input: 'What is it?',
  output: 'It is "this" – or that.',
  inputTokens: 10,
  outputTokens: 5,
  totalTokens: 15,
  latencyMs,
});

describe('the set-up guide', () => {
  let apiKey: string;

  it('gives a tenant a token, and for this a key', async () => {
    const made = await curl(
      ...[`${server.url}/v0/tokens`, '-H', `Authorization: Bearer ${workspace.token}`],
      ...['-d', `name=tenant-${TENANT}`, '-d', 'permission=write', '-d', `scope=tenant_id = '${TENANT}'`],
    );
    const { token } = JSON.parse(made) as ListedToken;
    apiKey = keyIn(await provision({ tinybirdToken: token }));
    expect(apiKey).toMatch(/^eyJ/);
  });

  it('ends with traces that the SDK sent', async () => {
    const observa = init({ apiKey, apiUrl: server.url });
    observa.trackLLMCall(call(1200));
    observa.startTrace({ name: 'chat', sessionId: 's1' });
    observa.trackLLMCall(call(800));
    await observa.endTrace();
    await observa.end();
    const found = { tenant_id: TENANT, project_id: 'your-project-id', trace_count: 2 };
    await expectRows(workspace, VERIFICATION, [{ ...found, avg_latency: 1000, total_tokens: 30 }]);
  });
});

describe('the SDK', () => {
  it('has every kind of event taken', async () => {
    const observa = init({ apiKey: keyIn(await provision({ tenantId: 'kinds' })), apiUrl: server.url });
    observa.startTrace();
    observa.trackLLMCall(call(1));
    observa.trackToolCall({ toolName: 'search', resultStatus: 'success', latencyMs: 1 });
    observa.trackRetrieval({ latencyMs: 1, contextIds: ['a'] });
    observa.trackError({ errorType: 'E', errorMessage: 'no' });
    observa.trackFeedback({ type: 'like', sessionId: 's1' });
    observa.trackOutput({ finalOutput: 'done' });
    observa.trackEmbedding({ model: 'e', latencyMs: 1 });
    observa.trackVectorDbOperation({ operationType: 'vector_search', latencyMs: 1 });
    observa.trackCacheOperation({ hitStatus: 'hit', latencyMs: 1 });
    observa.trackAgentCreate({ agentName: 'a' });
    await observa.endTrace();
    await observa.end();
    const sql = 'SELECT arraySort(groupArray(event_type)) AS types FROM canonical_events';
    await expectRowsOf('kinds', sql, [
      {
        types: [
          ...['agent_create', 'cache_operation', 'embedding', 'error', 'feedback', 'llm_call', 'output', 'retrieval'],
          ...['tool_call', 'trace_end', 'trace_start', 'vector_db_operation'],
        ],
      },
    ]);
  });

  it('has an answer of a model taken that it watched', async () => {
    const observa = init({ apiKey: keyIn(await provision({ projectId: 'watched' })), apiUrl: server.url });
    const chunk = { model: 'gpt-4o', choices: [{ delta: { content: 'hello' } }], usage: { total_tokens: 3 } };
    const answer = () => Promise.resolve(new Response(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`));
    const watched = (await observa.track({ query: 'Say it' }, answer, { trackBlocking: true })) as Response;
    await watched.text();
    await observa.end();
    const columns = 'tenant_id, project_id, query, response, model, tokens_total';
    const sql = `SELECT DISTINCT ${columns} FROM traces WHERE project_id = 'watched'`;
    const row = { query: 'Say it', response: 'hello', model: 'gpt-4o', tokens_total: 3 };
    await expectRowsOf(TENANT, sql, [{ tenant_id: TENANT, project_id: 'watched', ...row }]);
    expect(await rowsOf(workspace, "SELECT count() AS rows FROM traces WHERE project_id = 'watched'")).toEqual([
      { rows: 0 },
    ]);
  });

  it('sends with a key that somebody made who signed up', async () => {
    const json = ['-H', 'Content-Type: application/json'];
    const account = { email: 'ada@example.com', password: 'a long password', companyName: 'Engines' };
    const signed = JSON.parse(
      await curl(`${server.url}/api/v1/auth/signup`, ...json, '-d', JSON.stringify(account)),
    ) as Readonly<Record<'apiKey' | 'projectId' | 'sessionToken' | 'tenantId', string>>;
    const { tenantId, projectId, sessionToken } = signed;
    const made = await curl(
      ...[`${server.url}/api/v1/tenants/${tenantId}/api-keys`, ...json, '-H', `Authorization: Bearer ${sessionToken}`],
      ...['-d', JSON.stringify({ name: 'backend' })],
    );
    for (const config of [{ apiKey: keyIn(made), tenantId, projectId }, { apiKey: signed.apiKey }]) {
      const observa = init({ ...config, apiUrl: server.url });
      observa.trackLLMCall(call(1));
      await observa.end();
    }
    const sql = 'SELECT project_id, environment, tokens_total FROM traces ORDER BY environment';
    await expectRowsOf(tenantId, sql, [
      { project_id: projectId, environment: 'dev', tokens_total: 15 },
      { project_id: projectId, environment: 'prod', tokens_total: 15 },
    ]);
  });
});
