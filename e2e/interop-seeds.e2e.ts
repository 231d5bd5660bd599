/**
 * Tinybird's set-up guide for many tenants and the README of its SDK for Python, followed to the letter on a server that
 * nobody has set up: the same commands, data files and queries. What the clients do beyond that is in the other suites.
 */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LanguageModel } from './support/language-model.ts';
import { languageModel, MODEL_ANSWER } from './support/language-model.ts';
import { pythonEnvironment } from './support/python-environment.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import { INSTALL_MS, runProgram } from './support/toolbox.ts';
import type { ListedToken, Workspace } from './support/workspace.ts';
import { call, deployFolder, expectRows, localWorkspace, rowsOf } from './support/workspace.ts';

const PROGRAMS = join(import.meta.dirname, 'interop/python');

let server: Server;
let workspace: Workspace;
let model: LanguageModel;
let python: string;

beforeAll(async () => {
  [server, model, python] = await Promise.all([
    startServer(),
    languageModel(),
    pythonEnvironment('python-sdk').then((programs) => join(programs, 'python')),
  ]);
  workspace = await localWorkspace(server);
}, INSTALL_MS);

afterAll(async () => {
  await model?.close();
  await server?.stop();
});
showLogsOfFailures(() => server);

/** Runs curl and reads the JSON that it printed. */
async function curl<T>(...args: readonly string[]): Promise<T> {
  return JSON.parse(await runProgram('curl', ['-sS', '--max-time', '30', ...args])) as T;
}

describe('the set-up guide', () => {
  const TENANTS = ['acme', 'umbrella'] as const;
  type Tenant = (typeof TENANTS)[number];
  const tokens = new Map<string, string>();
  let at: Date;

  const trace = (tenant: Tenant, span: string, more: Row = {}): Row => ({
    tenant_id: tenant,
    project_id: 'chat',
    environment: 'prod',
    timestamp: at.toISOString(),
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    span_id: span,
    parent_span_id: null,
    query: 'What is it?',
    model: 'gpt-4o',
    metadata_json: '{"a":1}',
    response: 'This – "it".',
    response_length: 12,
    tokens_prompt: 10,
    tokens_completion: 5,
    tokens_total: 15,
    latency_ms: 1200,
    status: 200,
    headers_json: '{}',
    ...more,
  });

  /** The query with which the guide ends. */
  const verification = (tenant: string): string => `
SELECT
    tenant_id,
    project_id,
    count(*) as trace_count,
    avg(latency_ms) as avg_latency,
    sum(tokens_total) as total_tokens
FROM traces
WHERE tenant_id = '${tenant}'
  AND date >= today() - 1
GROUP BY tenant_id, project_id
`;
  const summary = (tenant: Tenant, traces: number, latency: number, total: number): Row => ({
    tenant_id: tenant,
    project_id: 'chat',
    trace_count: traces,
    avg_latency: latency,
    total_tokens: total,
  });
  const as = (token: string | undefined): Workspace => ({ url: workspace.url, token: token ?? '' });

  beforeAll(() => {
    at = new Date();
  });

  it.each(TENANTS)('gives tenant %s a token of its own', async (tenant) => {
    const made = await curl<ListedToken>(
      ...['-X', 'POST', `${server.url}/v0/tokens`, '-H', `Authorization: Bearer ${workspace.token}`],
      ...['-d', `name=tenant-${tenant}`, '-d', 'permission=write', '-d', `scope=tenant_id = '${tenant}'`],
    );
    expect(made.token).toMatch(/^p\./);
    tokens.set(tenant, made.token);
  });

  it('sees the traces that each tenant sends, and none that it sends in the name of another', async () => {
    const send = (tenant: Tenant, rows: readonly Row[]): Promise<unknown> =>
      curl(
        ...['-X', 'POST', `${server.url}/v0/events?name=traces&wait=true`],
        ...['-H', `Authorization: Bearer ${tokens.get(tenant)}`],
        ...['--data-binary', rows.map((row) => JSON.stringify(row)).join('\n')],
      );
    expect(
      await send('acme', [trace('acme', 'a1'), trace('acme', 'a2', { latency_ms: 800, tokens_total: null })]),
    ).toEqual({
      successful_rows: 2,
      quarantined_rows: 0,
    });
    expect(await send('umbrella', [trace('umbrella', 'u1', { latency_ms: 7 }), trace('acme', 'forged')])).toEqual({
      successful_rows: 1,
      quarantined_rows: 1,
    });
    await expectRows(workspace, verification('acme'), [summary('acme', 2, 1000, 15)]);
    await expectRows(workspace, verification('umbrella'), [summary('umbrella', 1, 7, 15)]);
  });

  it('lets a tenant whose token only writes read nothing', async () => {
    const { status, text } = await call(as(tokens.get('acme')), 'POST /v0/sql', { body: verification('acme') });
    expect(status).toBe(403);
    expect(JSON.parse(text)).toMatchObject({ error: expect.stringContaining('traces') as unknown });
  });

  it('lets a tenant whose token also reads see its own traces, whatever it asks', async () => {
    const { token } = await curl<ListedToken>(
      ...['-X', 'POST', `${server.url}/v0/tokens`, '-H', `Authorization: Bearer ${workspace.token}`],
      ...['-d', 'name=tenant-acme-reader', '-d', 'permission=read,write', '-d', "scope=tenant_id = 'acme'"],
    );
    expect(await rowsOf(as(token), verification('acme'))).toEqual([summary('acme', 2, 1000, 15)]);
    expect(await rowsOf(as(token), verification('umbrella'))).toEqual([]);
    expect(await rowsOf(as(token), 'SELECT DISTINCT tenant_id FROM traces')).toEqual([{ tenant_id: 'acme' }]);
  });

  it.each([
    ['statement', 'seeds-sql'],
    ['data file', 'seeds/000'],
  ])('may deploy its %s later: what was sent before stays', async (_, folder) => {
    await deployFolder(workspace, folder);
    await expectRows(workspace, verification('acme'), [summary('acme', 2, 1000, 15)]);
    const columns =
      'span_id, toString(environment) AS environment, response, date = toDate(timestamp) AS same, context';
    await expectRows(workspace, `SELECT ${columns} FROM traces ORDER BY span_id`, [
      ...['a1', 'a2', 'u1'].map((span) => ({
        span_id: span,
        environment: 'prod',
        response: 'This – "it".',
        same: 1,
        context: null,
      })),
    ]);
  });
});

describe('the README of the SDK for Python', () => {
  const run = (program: string, ...args: readonly string[]): Promise<string> =>
    // The handlers write local time without a zone.
    runProgram(python, [join(PROGRAMS, program), ...args], { env: { TZ: 'UTC' } });
  const LOGS = 'SELECT app_name, levelname, message, lineno > 0 AS placed FROM tb_logs ORDER BY created LIMIT 2';
  const CALLS =
    'SELECT chat_id, model, total_tokens, round(cost * 1e8) AS cost FROM litellm ORDER BY start_time, stream';
  const called = (chat: string): Row => ({
    chat_id: chat,
    model: 'gpt-4o-mini',
    total_tokens: MODEL_ANSWER.usage.total_tokens,
    cost: 585,
  });

  it('needs no data source to be made for what is logged', async () => {
    await run('logger.py', 'direct', server.url, workspace.token);
    await expectRows(workspace, 'SELECT count() AS rows FROM tb_logs', [{ rows: 4 }]);
    expect(await rowsOf(workspace, LOGS)).toEqual([
      { app_name: 'shop', levelname: 'INFO', message: 'hello wörld, 3', placed: 1 },
      { app_name: 'shop', levelname: 'WARNING', message: 'by name: a mapping', placed: 1 },
    ]);
  });

  it('needs none for the calls of language models either', async () => {
    await run('litellm_calls.py', 'sync', server.url, workspace.token, model.url);
    await expectRows(workspace, CALLS, [called('sync whole'), called('sync stream')]);
  });

  it('may have its data file deployed later: what was sent before stays', async () => {
    await deployFolder(workspace, 'seeds');
    await expectRows(workspace, CALLS, [called('sync whole'), called('sync stream')]);
    await run('litellm_calls.py', 'async', server.url, workspace.token, model.url);
    const all = ['sync whole', 'sync stream', 'async whole', 'async stream'].map(called);
    await expectRows(workspace, CALLS, all);
  });

  it('leaves nothing in quarantine', async () => {
    await expectRows(workspace, 'SELECT count() AS rows FROM tb_logs_quarantine', [{ rows: 0 }]);
    await expectRows(workspace, 'SELECT count() AS rows FROM litellm_quarantine', [{ rows: 0 }]);
  });
});
