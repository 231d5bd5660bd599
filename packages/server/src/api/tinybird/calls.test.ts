/** Events that are kept as calls of models only, on the whole server: what is answered, who may send them, and where they are. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, CallOptions, TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

let server: TestServer;
/** May append to `generations` and do nothing else. */
let sender: string;

beforeAll(async () => {
  server = await startTestServer({ GLASSHOUSE_AUTH: 'keys' });
  sender = await server.token('sender', 'DATASOURCES:APPEND:generations');
});

afterAll(() => server.close());

const PATH = 'POST /v0/events?name=generations';

const call = (id: string, more: object = {}): string =>
  JSON.stringify({
    start_time: new Date(Date.now() - 60_000).toISOString(),
    provider: 'openai',
    model: 'gpt-5',
    prompt_tokens: 1_000,
    completion_tokens: 100,
    message_id: id,
    ...more,
  });

const send = (body: string, options: CallOptions = {}, query = '&wait=true'): Promise<Answer> =>
  server.call(`${PATH}${query}`, { body, token: sender, ...options });

/** Rows of a tenant, as its administrator sees them. */
async function found(tenant: string, id: string): Promise<readonly object[]> {
  const columns = 'project_id, environment, dialect, toString(cost) AS cost';
  const body = `SELECT ${columns} FROM generations WHERE call_id = '${id}'`;
  const answer = await server.call('POST /v0/sql', { body, headers: { 'x-glasshouse-tenant': tenant } });
  expect(answer.status).toBe(200);
  return answer.json['data'] as readonly object[];
}

async function keyOf(tenant: string, scopes: readonly string[] = ['ingest']): Promise<string> {
  const body = JSON.stringify({ name: 'k', tenant, project: 'shop', environment: 'test', scopes });
  const headers = { 'content-type': 'application/json' };
  return String((await server.call('POST /api/v1/admin/keys', { body, headers })).json['key']);
}

const HERE = { project_id: 'default', environment: 'dev', dialect: 'llm_events', cost: '0.00225' };

describe('a call', () => {
  it('is in the table when its sender, who waits for that, is answered', async () => {
    const { status, json, headers } = await send(call('waited'));
    expect([status, json]).toEqual([200, { successful_rows: 1, quarantined_rows: 0 }]);
    expect(headers.get('x-ratelimit-limit')).toMatch(/^\d+$/u);
    expect(await found('default', 'waited')).toEqual([HERE]);
  });

  it('is durable when its sender, who does not wait, is answered', async () => {
    const { status, json } = await send(call('taken'), {}, '');
    expect([status, json]).toEqual([202, { successful_rows: 1, quarantined_rows: 0 }]);
    await expect.poll(() => found('default', 'taken'), { timeout: 15_000 }).toEqual([HERE]);
  });

  it('is in no data source, and there is none of the name', async () => {
    await send(call('nowhere else'));
    for (const name of ['llm_events', 'traces', 'litellm'])
      expect(await server.rows(`SELECT count() AS rows FROM ${name}`)).toEqual([{ rows: 0 }]);
    const { json } = await server.call('/v0/datasources?attrs=name');
    expect(JSON.stringify(json)).not.toContain('generations');
    expect((await server.call('/v0/datasources/generations')).status).toBe(404);
  });

  it('counts for the quota and the spend of the project of its key', async () => {
    const key = await keyOf('default');
    await send(call('spent'), { token: key });
    const { json } = await server.call('/api/v1/quotas?tenant=default');
    expect(JSON.stringify(json)).toContain('"project":"shop"');
    expect(await found('default', 'spent')).toEqual([{ ...HERE, project_id: 'shop', environment: 'test' }]);
  });

  it('comes by the port of this interface too', async () => {
    const url = `http://127.0.0.1:${server.port}/v0/events?name=generations&wait=true`;
    const headers = { authorization: `Bearer ${sender}` };
    const answer = await fetch(url, { method: 'POST', body: call('other port'), headers });
    expect([answer.status, await answer.json()]).toEqual([200, { successful_rows: 1, quarantined_rows: 0 }]);
  });
});

describe('what is no call', () => {
  it('is counted in the answer, with why, and the others are taken', async () => {
    const { status, json } = await send([call('between'), '{"a":1}', 'no JSON', '[1]'].join('\n'));
    const why = '1 no call of a model in a form that is known; 2 no JSON object';
    expect([status, json]).toEqual([
      200,
      { successful_rows: 1, quarantined_rows: 3, warning: `left out events that are no generations: ${why}` },
    ]);
    expect(await found('default', 'between')).toEqual([HERE]);
  });

  it.each([
    ['', 202],
    ['&wait=true', 200],
  ])('alone is answered at once (%j)', async (query, wanted) => {
    const { status, json } = await send('no JSON', {}, query);
    expect([status, json['successful_rows'], json['quarantined_rows']]).toEqual([wanted, 0, 1]);
  });

  it('is counted by reason', async () => {
    await send('no JSON');
    expect((await server.call('/metrics', { token: null })).text).toMatch(
      /glasshouse_ingest_rejected_total\{reason="not_json"\} [1-9]/u,
    );
  });
});

describe('a request', () => {
  it.each<[string, string, CallOptions, number]>([
    ['in another format', '&format=csv', {}, 400],
    ['in a coding that is none', '', { headers: { 'content-encoding': 'gzip' } }, 400],
    ['in a coding that nobody knows', '', { headers: { 'content-encoding': 'br' } }, 415],
    ['of a named batch', '', { headers: { 'x-glasshouse-batch': 'one' } }, 400],
    ['without a credential', '', { token: null }, 403],
    ['with a token that is none', '', { token: 'p.none' }, 403],
  ])('%s is refused, and leaves nothing', async (_, query, options, wanted) => {
    const { status, json } = await send(call('refused'), options, `&wait=true${query}`);
    expect([status, typeof json['error']]).toEqual([wanted, 'string']);
    expect(await found('default', 'refused')).toEqual([]);
  });

  it('of a source that is switched off is answered, and nothing is kept', async () => {
    const body = JSON.stringify({ name: 'generations', enabled: false });
    const headers = { 'content-type': 'application/json' };
    expect((await server.call('PUT /api/v1/sources', { body, headers })).status).toBe(200);
    const off = { successful_rows: 0, quarantined_rows: 0, warning: 'data source generations is switched off' };
    expect((await send(call('off'))).json).toEqual(off);
    expect((await server.call('DELETE /api/v1/sources?name=generations')).status).toBeLessThan(300);
    expect(await found('default', 'off')).toEqual([]);
  });
});

describe('a file', () => {
  const file = (): FormData => {
    const form = new FormData();
    form.set('ndjson', new Blob([call('in a file')]), 'calls.ndjson');
    return form;
  };

  it.each([
    ['POST /v0/datasources?name=generations&mode=append&format=ndjson'],
    ['POST /v0/datasources?name=generations&mode=create&format=ndjson'],
    ['POST /v0/datasources?name=generations&mode=replace&format=ndjson'],
    ['POST /v1/datasources/generations/append?format=ndjson'],
  ])('%s is refused, with what to do', async (request) => {
    const { status, json } = await server.call(request, { body: file() });
    expect([status, json['error']]).toEqual([400, expect.stringContaining('POST /v0/events?name=generations')]);
  });

  it('cannot be had from a URL either', async () => {
    const body = new URLSearchParams({ name: 'generations', mode: 'append', url: 'http://127.0.0.1:9/calls.ndjson' });
    expect((await server.call('POST /v0/datasources', { body })).status).toBe(400);
  });
});

describe('who may', () => {
  it.each([
    ['has a scope for another', ['DATASOURCES:APPEND:llm_events']],
    ['may only read', ['DATASOURCES:READ:generations', 'WORKSPACE:READ_ALL']],
    ['may write only some rows', ["DATASOURCES:APPEND:generations:user_id = 'ann'"]],
    ['may write only some rows of any', ["DATASOURCES:APPEND:*:user_id = 'ann'"]],
  ])('not: a token that %s', async (name, scopes) => {
    const { status } = await send(call('forbidden'), { token: await server.token(name, ...scopes) });
    expect(status).toBe(403);
    expect(await found('default', 'forbidden')).toEqual([]);
  });

  it.each([
    ['a scope for all', ['DATASOURCES:APPEND:*']],
    ['leave to make data sources', ['DATASOURCES:CREATE']],
    ['all scopes', ['ADMIN']],
  ])('a token with %s', async (name, scopes) => {
    const { status } = await send(call(name), { token: await server.token(name, ...scopes) });
    expect(status).toBe(200);
  });

  it('not a key that may only read', async () => {
    expect((await send(call('forbidden'), { token: await keyOf('default', ['query']) })).status).toBe(403);
  });

  it('writes into the own workspace, whatever is asked for', async () => {
    await keyOf('victim');
    const attacker = await keyOf('attacker');
    const claims = {
      tenant_id: 'victim',
      tenant: 'victim',
      proxy_metadata: { project: 'victim', organization: 'victim' },
    };
    const attempts: readonly [string, CallOptions][] = [
      ['by what the line says', {}],
      ['by a header', { headers: { 'x-glasshouse-tenant': 'victim' } }],
    ];
    for (const [id, options] of attempts) {
      const { status } = await send(call(id, claims), { token: attacker, ...options });
      expect([200, 403]).toContain(status);
      expect(await found('victim', id)).toEqual([]);
    }
    const by = { ...HERE, project_id: 'shop', environment: 'test' };
    expect(await found('attacker', 'by what the line says')).toEqual([by]);
    await send(call('by a parameter'), { token: attacker }, '&wait=true&tenant=victim&workspace=victim');
    expect(await found('victim', 'by a parameter')).toEqual([]);
    // The name is nobody's resource: a scope for it in one workspace is none in another.
    expect((await send(call('by a token of another'))).status).toBe(200);
    expect(await found('victim', 'by a token of another')).toEqual([]);
  });
});

it('has not logged an error of its own', () => {
  expect(server.faults).toEqual([]);
});
