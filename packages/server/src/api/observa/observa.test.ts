import { createHmac, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, TestServer } from '../tinybird/testing/server.ts';
import { startTestServer } from '../tinybird/testing/server.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ GLASSHOUSE_AUTH: 'keys' });
}, 60_000);

afterAll(() => server?.close());

/** Of now, because old traces are dropped. */
const AT = new Date().toISOString();

type Body = Readonly<Record<string, unknown>>;

const post = (path: string, token: string | null, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  server.call(`POST /api/v1/${path}`, {
    token,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', ...headers },
  });

/** A key of project p in dev. */
async function made(tenantId: string, more: Body = {}): Promise<{ readonly apiKey: string; readonly keyId: string }> {
  const answer = await post('auth/tokens', server.admin, { tenantId, projectId: 'p', environment: 'dev', ...more });
  expect(answer.status, answer.text).toBe(201);
  return answer.json as { apiKey: string; keyId: string };
}

const ingest = (key: string | null, body: unknown): Promise<Answer> => post('events/ingest', key, body);

function event(tenant: string, more: Body = {}): Body {
  return {
    tenant_id: tenant,
    project_id: 'p',
    environment: 'dev',
    trace_id: randomUUID(),
    span_id: randomUUID(),
    parent_span_id: null,
    timestamp: AT,
    event_type: 'llm_call',
    conversation_id: null,
    session_id: 's1',
    user_id: null,
    agent_name: null,
    version: null,
    route: null,
    attributes: {
      llm_call: { model: 'gpt-4o', input: 'Why?', output: 'Because.', total_tokens: 12, latency_ms: 20.6 },
    },
    ...more,
  };
}

const trace = (more: Body = {}): Body => ({
  traceId: 't1',
  spanId: 's1',
  timestamp: AT,
  tenantId: 'old',
  projectId: 'p',
  environment: 'dev',
  query: 'Why?',
  response: 'Because.',
  responseLength: 8,
  latencyMs: 7,
  ...more,
});

/** The first row that a query of a workspace's administrator gives, when it does. */
async function eventually(tenant: string, sql: string, expected: readonly Body[]): Promise<void> {
  await expect.poll(() => query(tenant, sql), { timeout: 15_000, interval: 100 }).toEqual(expected);
}

async function query(tenant: string, sql: string): Promise<unknown> {
  const answer = await server.call('POST /v0/sql', {
    body: `${sql} FORMAT JSON`,
    headers: { 'X-Glasshouse-Tenant': tenant },
  });
  return answer.json['data'] ?? answer.text;
}

const payloadOf = (jwt: string): Body =>
  JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Body;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('provisioning', () => {
  it('makes tenant, project and a JWT that says whose it is', async () => {
    const wanted = { tenantId: 'new-tenant', projectId: 'chat', environment: 'prod' };
    const answer = await post('auth/tokens', server.admin, wanted);
    expect(answer.status).toBe(201);
    expect(answer.text).toMatch(/"apiKey":"eyJ[\w-]+\.[\w-]+\.[\w-]+"/);
    const { apiKey, keyId } = answer.json as { apiKey: string; keyId: string };
    const claims = payloadOf(apiKey);
    expect(claims).toMatchObject({ ...wanted, jti: keyId });
    expect(Number(claims['exp']) - Number(claims['iat'])).toBe(365 * 86_400);
    const { text } = await server.call('/api/v1/admin/tenants');
    expect(text).toContain('"new-tenant"');
  });

  it.each([
    ['nobody', null, 401],
    ['a key that may not', 'gh_aaaaaaaaaaaa_0123456789012345678901234567890123456789012', 401],
  ])('refuses %s', async (_, token, status) => {
    const answer = await post('auth/tokens', token, { tenantId: 'a', projectId: 'b', environment: 'dev' });
    expect(answer.status).toBe(status);
    expect((await server.call('/api/v1/auth/tokens', { token })).status).toBe(status);
  });

  it('refuses a key of the SDK, and a key of a tenant', async () => {
    const { apiKey } = await made('small');
    const { json } = await post('admin/keys', server.admin, { name: 'k', tenant: 'small' });
    for (const [token, status] of [
      [apiKey, 401],
      [String(json['key']), 403],
    ] as const) {
      const answer = await post('auth/tokens', token, { tenantId: 'other', projectId: 'b', environment: 'dev' });
      expect(answer.status).toBe(status);
    }
  });

  it.each([
    [{ projectId: 'p', environment: 'dev' }, 'tenantId'],
    [{ tenantId: 'a', environment: 'dev' }, 'projectId'],
    [{ tenantId: 'a', projectId: 'p' }, 'environment'],
    [{ tenantId: 'a', projectId: 'p', environment: 'staging' }, 'environment'],
    [{ tenantId: '../a', projectId: 'p', environment: 'dev' }, 'tenant'],
    [{ tenantId: 'a', projectId: 'p', environment: 'dev', expiresInDays: -1 }, 'expiresInDays'],
    [{ tenantId: 'a', projectId: 'p', environment: 'dev', tinybirdToken: 7 }, 'tinybirdToken'],
    [{ tenantId: 'a', projectId: 'p', environment: 'dev', tinybirdToken: 'p.none' }, 'tinybirdToken'],
    ['[]', 'object'],
    ['{', 'JSON'],
  ])('refuses %j', async (body, what) => {
    const answer = await post('auth/tokens', server.admin, body);
    expect(answer.status).toBe(400);
    expect(answer.json['error']).toContain(what);
  });

  it('lists keys without their secrets', async () => {
    const { apiKey, keyId } = await made('listed');
    const { text, json } = await server.call('/api/v1/auth/tokens?tenantId=listed');
    expect(json['tokens']).toMatchObject([
      { keyId, tenantId: 'listed', projectId: 'p', environment: 'dev', revokedAt: null },
    ]);
    expect(text).not.toContain(apiKey.split('.')[2]);
  });

  it('rotates with an overlap, and without one', async () => {
    const first = await made('rotating');
    const second = await post(`auth/tokens/${first.keyId}/rotate`, server.admin, { overlapSeconds: 600 });
    expect(second.status).toBe(201);
    const { apiKey, keyId } = second.json as { apiKey: string; keyId: string };
    expect(keyId).not.toBe(first.keyId);
    for (const key of [first.apiKey, apiKey]) expect((await ingest(key, [event('rotating')])).status).toBe(200);
    const third = await post(`auth/tokens/${keyId}/rotate`, server.admin, { overlapSeconds: 0 });
    expect((await ingest(apiKey, [event('rotating')])).status).toBe(401);
    expect((await ingest(String(third.json['apiKey']), [event('rotating')])).status).toBe(200);
    const again = await post(`auth/tokens/${keyId}/rotate`, server.admin, {});
    expect(again.status).toBe(409);
  });

  it('revokes one key at once, and all of a tenant', async () => {
    const [one, two, other] = [await made('ended'), await made('ended'), await made('going-on')];
    const answer = await server.call(`DELETE /api/v1/auth/tokens/${one.keyId}`);
    expect(answer.json['revokedAt']).toEqual(expect.any(String));
    expect((await ingest(one.apiKey, [event('ended')])).status).toBe(401);
    expect((await ingest(two.apiKey, [event('ended')])).status).toBe(200);
    const all = await server.call('DELETE /api/v1/tenants/ended/tokens');
    expect(all.json).toMatchObject({ tenantId: 'ended' });
    expect((await ingest(two.apiKey, [event('ended')])).status).toBe(401);
    expect((await ingest(other.apiKey, [event('going-on')])).status).toBe(200);
    expect((await server.call('DELETE /api/v1/auth/tokens/nothing')).status).toBe(404);
  });
});

describe('a key', () => {
  it.each([
    ['unsigned', (jwt: string) => `${encode({ alg: 'none', typ: 'JWT' })}.${jwt.split('.')[1]}.`],
    ['unsigned, with a signature', (jwt: string) => [encode({ alg: 'none' }), ...jwt.split('.').slice(1)].join('.')],
    ['of another tenant', (jwt: string) => forged(jwt, { tenantId: 'victim' })],
    ['of another project', (jwt: string) => forged(jwt, { projectId: 'q' })],
    ['with a longer life', (jwt: string) => forged(jwt, { exp: 9e9 })],
    ['of another id', (jwt: string) => forged(jwt, { jti: 'aaaaaaaaaaaa' })],
    ['signed with another secret', (jwt: string) => signed(payloadOf(jwt), 'secret')],
    ['of nobody', () => signed({ tenantId: 'nobody', projectId: 'p', environment: 'dev', jti: 'x' }, 'secret')],
    ['which is no JWT', () => 'sk_abc'],
    ['which is missing', () => null],
  ])('is refused that is %s', async (_, change) => {
    await made('victim');
    const { apiKey } = await made('attacker');
    const answer = await ingest(change(apiKey), [event('attacker')]);
    expect(answer.status, answer.text).toBe(401);
    expect(answer.json).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
  });

  it('is refused that the workspace signed, but nobody made', async () => {
    const { apiKey } = await made('signer');
    const { json } = await server.call('/v0/tokens/workspace%20admin%20token', {
      headers: { 'X-Glasshouse-Tenant': 'signer' },
    });
    const secret = String(json['token']);
    const longer = signed({ ...payloadOf(apiKey), exp: 9e9 }, secret);
    expect((await ingest(longer, [event('signer')])).status).toBe(401);
  });

  it('is refused that has expired', async () => {
    const { apiKey } = await made('late', { expiresInDays: 1e-6 });
    await expect.poll(async () => (await ingest(apiKey, [event('late')])).status).toBe(401);
  });

  it('opens no other route', async () => {
    const { apiKey } = await made('closed');
    for (const request of ['/v0/sql?q=SELECT%201', '/v0/datasources', '/v0/tokens', '/api/v1/admin/keys'])
      expect([401, 403], request).toContain((await server.call(request, { token: apiKey })).status);
    const events = await server.call('POST /v0/events?name=traces', { token: apiKey, body: '{}' });
    expect(events.status).toBe(403);
  });
});

describe('events', () => {
  it('of a call of a model are in canonical_events, and in traces', async () => {
    const { apiKey } = await made('acme');
    const call = event('acme', { parent_span_id: randomUUID() });
    const answer = await ingest(apiKey, [call, event('acme', { event_type: 'trace_end', attributes: { a: 1 } })]);
    expect(answer.json).toEqual({ success: true, event_count: 2, message: 'Events ingested successfully' });
    expect(answer.headers.get('x-ratelimit-limit')).toBe('1000');
    expect(answer.headers.get('x-ratelimit-remaining')).toBe('999');
    expect(answer.headers.get('x-ratelimit-reset')).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    await eventually('acme', 'SELECT event_type, session_id, user_id FROM canonical_events ORDER BY event_type', [
      { event_type: 'llm_call', session_id: 's1', user_id: '' },
      { event_type: 'trace_end', session_id: 's1', user_id: '' },
    ]);
    await eventually(
      'acme',
      'SELECT tenant_id, project_id, environment, timestamp, trace_id, query, response, response_length, tokens_total, latency_ms, metadata_json FROM traces',
      [
        {
          tenant_id: 'acme',
          project_id: 'p',
          environment: 'dev',
          timestamp: AT.replace('T', ' ').replace('Z', ''),
          trace_id: call['trace_id'],
          query: 'Why?',
          response: 'Because.',
          response_length: 8,
          tokens_total: 12,
          latency_ms: 21,
          metadata_json: '{"session_id":"s1"}',
        },
      ],
    );
    for (const name of ['traces', 'canonical_events'])
      await eventually('acme', `SELECT toUInt8(count()) AS n FROM ${name}_quarantine`, [{ n: 0 }]);
  });

  it('come as NDJSON too', async () => {
    const { apiKey } = await made('lines');
    const body = [event('lines'), event('lines')].map((each) => JSON.stringify(each)).join('\n');
    const answer = await post('events/ingest', apiKey, `${body}\n`, { 'Content-Type': 'application/x-ndjson' });
    expect(answer.json).toMatchObject({ event_count: 2 });
    await eventually('lines', 'SELECT toUInt8(count()) AS n FROM canonical_events', [{ n: 2 }]);
  });

  it.each([
    ['tenant_id', 'other'],
    ['project_id', 'other'],
    ['environment', 'prod'],
  ])('of another %s are refused, with the whole batch', async (field, value) => {
    const { apiKey } = await made('strict');
    const answer = await ingest(apiKey, [event('strict'), event('strict', { [field]: value })]);
    expect(answer.status).toBe(403);
    expect(answer.json).toMatchObject({ error: { code: 'FORBIDDEN' } });
  });

  it.each([
    ['trace_id', 'abc'],
    ['span_id', '00000000-0000-1000-8000-000000000000'],
    ['parent_span_id', 'abc'],
    ['timestamp', 'yesterday'],
    ['timestamp', '2026-13-01T00:00:00Z'],
    ['event_type', 'dance'],
    ['attributes', null],
    ['attributes', []],
    ['session_id', 7],
    ['tenant_id', undefined],
  ])('whose %s is %j are not valid', async (field, value) => {
    const { apiKey } = await made('strict');
    const answer = await ingest(apiKey, [event('strict'), event('strict', { [field]: value })]);
    expect(answer.status).toBe(422);
    expect(answer.json).toMatchObject({
      error: { code: 'VALIDATION_ERROR', details: { validation_errors: [{ field: `1.${field}` }] } },
    });
  });

  it.each(['', '[]', '[', '{"a":', 'null', '"a"', '['.repeat(2_000)])('are refused that are %j', async (body) => {
    const { apiKey } = await made('strict');
    const answer = await ingest(apiKey, body);
    expect([400, 422]).toContain(answer.status);
  });

  it('are left out by a data source that is switched off, and answered as taken', async () => {
    const { apiKey } = await made('paused');
    const set = (body: object): Promise<Answer> =>
      server.call('PUT /api/v1/sources', { token: server.admin, body: JSON.stringify({ tenant: 'paused', ...body }) });
    await set({ name: 'canonical_events', enabled: false });
    await set({ name: 'traces', percent: 0 });
    const answer = await ingest(apiKey, [event('paused')]);
    expect([answer.status, answer.json]).toMatchObject([200, { success: true, event_count: 1 }]);
    await set({ name: 'canonical_events', enabled: true });
    await ingest(apiKey, [event('paused')]);
    await eventually('paused', 'SELECT toUInt32(count()) AS n FROM canonical_events', [{ n: 1 }]);
    expect(await query('paused', 'SELECT toUInt32(count()) AS n FROM traces')).toEqual([{ n: 0 }]);
  });

  it('are refused that are too many, or too large', async () => {
    const { apiKey } = await made('strict');
    const many = await ingest(
      apiKey,
      Array.from({ length: 1_001 }, () => ({})),
    );
    expect([many.status, many.json]).toMatchObject([413, { error: { code: 'PAYLOAD_TOO_LARGE' } }]);
    const large = await ingest(apiKey, [event('strict', { route: 'x'.repeat(1 << 20) })]);
    expect([large.status, large.json]).toMatchObject([413, { code: 'PAYLOAD_TOO_LARGE' }]);
    const batch = await ingest(apiKey, ' '.repeat((5 << 20) + 1));
    expect([batch.status, batch.json]).toMatchObject([413, { error: { code: 'PAYLOAD_TOO_LARGE' } }]);
  });
});

describe('the rate of a key', () => {
  it('is refused above 1000 requests a minute, with a date', async () => {
    const { apiKey } = await made('busy');
    let answer = await ingest(apiKey, '[]');
    // A window may end on the way, and the next one begin with nothing.
    for (let batch = 0; batch < 60 && answer.status !== 429; batch++) {
      await Promise.all(Array.from({ length: 49 }, () => ingest(apiKey, '[]')));
      answer = await ingest(apiKey, '[]');
    }
    expect(answer.status).toBe(429);
    expect(answer.json).toMatchObject({
      error: { code: 'RATE_LIMIT_EXCEEDED', details: { limit: 1_000, window_seconds: 60 } },
    });
    expect(answer.headers.get('x-ratelimit-remaining')).toBe('0');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

describe('a trace of an older SDK', () => {
  it('is a row of traces', async () => {
    const { apiKey } = await made('old');
    const answer = await post('traces/ingest', apiKey, trace({ metadata: { a: 1 }, headers: { h: 'x' }, status: 200 }));
    expect(answer.json).toEqual({ success: true, traceId: 't1', message: 'Trace ingested successfully' });
    await eventually(
      'old',
      'SELECT tenant_id, trace_id, response_length, latency_ms, status, metadata_json, headers_json FROM traces',
      [
        {
          tenant_id: 'old',
          trace_id: 't1',
          response_length: 8,
          latency_ms: 7,
          status: 200,
          metadata_json: '{"a":1}',
          headers_json: '{"h":"x"}',
        },
      ],
    );
  });

  it.each([
    [trace({ traceId: undefined }), 400],
    [trace({ timestamp: 1 }), 400],
    [trace({ latencyMs: -1 }), 400],
    [trace({ metadata: [] }), 400],
    ['[]', 400],
    [trace({ tenantId: 'other' }), 403],
    [trace({ projectId: 'other' }), 403],
    [trace({ environment: 'prod' }), 403],
  ])('is refused that is %j', async (body, status) => {
    const { apiKey } = await made('old');
    const answer = await post('traces/ingest', apiKey, body);
    expect(answer.status).toBe(status);
    expect(answer.json['error']).toEqual(expect.any(String));
    if (status === 400) expect(answer.json['details']).toEqual(expect.any(Array));
  });

  it('is refused without a key', async () => {
    const answer = await post('traces/ingest', null, trace());
    expect([answer.status, answer.json]).toMatchObject([401, { error: expect.any(String) as unknown }]);
  });
});

describe('a token of a shared workspace', () => {
  it('takes the rows of its tenant, and ends with it', async () => {
    const tinybirdToken = await server.token('tenant-shared', "DATASOURCES:APPEND:*:tenant_id = 'shared'");
    const { apiKey } = await made('shared', { tinybirdToken });
    expect((await ingest(apiKey, [event('shared')])).status).toBe(200);
    const sql =
      "SELECT tenant_id, project_id, toUInt8(count()) AS n FROM traces WHERE tenant_id = 'shared' GROUP BY tenant_id, project_id";
    await eventually('default', sql, [{ tenant_id: 'shared', project_id: 'p', n: 1 }]);
    await eventually('shared', 'SELECT toUInt8(count()) AS n FROM traces', [{ n: 0 }]);
    await server.call('DELETE /v0/tokens/tenant-shared');
    const answer = await ingest(apiKey, [event('shared')]);
    expect([answer.status, answer.json]).toMatchObject([403, { error: { code: 'FORBIDDEN' } }]);
  });

  it.each([
    ['of another tenant', "DATASOURCES:APPEND:traces:tenant_id = 'somebody'", 'lets no rows'],
    ['of everybody', "DATASOURCES:APPEND:traces:tenant_id != 'x'", 'other tenants'],
    ['without a filter', 'DATASOURCES:APPEND:traces', 'not limited'],
    ['that only reads', "DATASOURCES:READ:traces:tenant_id = 'bound'", 'may not append'],
    ['about other columns', "DATASOURCES:APPEND:traces:query = 'bound'", 'more than'],
  ])('is refused that is one %s', async (name, scope, why) => {
    const tinybirdToken = await server.token(name, scope);
    const wanted = { tenantId: 'bound', projectId: 'p', environment: 'dev', tinybirdToken };
    const answer = await post('auth/tokens', server.admin, wanted);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.json['error']).toContain(why);
  });
});

/** The JWT with other claims and its own signature. */
function forged(jwt: string, change: Body): string {
  const [header, , signature] = jwt.split('.');
  return [header, encode({ ...payloadOf(jwt), ...change }), signature].join('.');
}

function signed(claims: Body, secret: string): string {
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
