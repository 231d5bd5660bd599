/** Accounts and API keys of Observa's interface, on a whole server that asks for keys. */

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { claimed } from '../../platform/jwt.ts';
import type { Answer, TestServer } from '../tinybird/testing/server.ts';
import { startTestServer } from '../tinybird/testing/server.ts';
import { Sessions } from './sessions.ts';

let closed: TestServer;
let open: TestServer;

beforeAll(async () => {
  [closed, open] = await Promise.all([
    startTestServer({ GLASSHOUSE_AUTH: 'keys' }),
    startTestServer({ GLASSHOUSE_AUTH: 'keys', GLASSHOUSE_SIGNUP: 'open' }),
  ]);
}, 120_000);

afterAll(() => Promise.all([closed?.close(), open?.close()]));

type Body = Readonly<Record<string, unknown>>;
const PASSWORD = 'correct horse battery';

function send(
  server: TestServer,
  request: string,
  token: string | null,
  body?: unknown,
  more: Body = {},
): Promise<Answer> {
  const headers = { 'content-type': 'application/json', ...(more as Record<string, string>) };
  return server.call(request, { token, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

interface Account {
  readonly email: string;
  readonly apiKey: string;
  readonly sessionToken: string;
  readonly tenantId: string;
  readonly projectId: string;
}

async function account(server: TestServer = closed, more: Body = {}): Promise<Account> {
  const email = `${randomUUID()}@example.com`;
  const wanted = { email, password: PASSWORD, companyName: 'Acme Café', ...more };
  const answer = await send(server, 'POST /api/v1/auth/signup', server.admin, wanted);
  expect(answer.status, answer.text).toBe(201);
  return { email, ...(answer.json as unknown as Omit<Account, 'email'>) };
}

/** One that a test may share with others. */
let shared: Promise<Account> | undefined;
const anyAccount = (): Promise<Account> => (shared ??= account());

const logIn = (email: string, password: string, server = closed): Promise<Answer> =>
  send(server, 'POST /api/v1/auth/login', null, { email, password });

const keysOf = (tenant: string): string => `/api/v1/tenants/${tenant}/api-keys`;

async function apiKey(
  { tenantId, sessionToken }: Account,
  more: Body = {},
): Promise<{ readonly apiKey: string; readonly keyRecord: Readonly<Record<string, unknown>> }> {
  const answer = await send(closed, `POST ${keysOf(tenantId)}`, sessionToken, { name: 'mine', ...more });
  expect(answer.status, answer.text).toBe(201);
  return answer.json as unknown as { apiKey: string; keyRecord: Record<string, unknown> };
}

const eventOf = ({ tenantId, projectId }: Account, more: Body = {}): Body => ({
  ...{ tenant_id: tenantId, project_id: projectId, environment: 'dev', event_type: 'output' },
  ...{ trace_id: randomUUID(), span_id: randomUUID(), timestamp: new Date().toISOString() },
  attributes: { output: { final_output: 'x' } },
  ...more,
});

const ingest = (key: string, events: readonly Body[], headers: Body = {}): Promise<Answer> =>
  send(closed, 'POST /api/v1/events/ingest', key, events, headers);

async function audited(action: string, server = closed): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { json } = await server.call(`/api/v1/audit?limit=500&action=${action}`);
  return json['entries'] as readonly Readonly<Record<string, unknown>>[];
}

describe('signing up', () => {
  const wanted = { email: 'a@example.com', password: PASSWORD, companyName: 'Acme' };

  it('is refused to everybody but the administrator, and the answer says what would change that', async () => {
    const answer = await send(closed, 'POST /api/v1/auth/signup', null, wanted);
    expect(answer.status).toBe(403);
    expect(answer.json['error']).toMatch(/admin token.*GLASSHOUSE_SIGNUP=open/u);
    for (const token of ['no-such-token', (await account()).sessionToken, (await account()).apiKey])
      expect((await send(closed, 'POST /api/v1/auth/signup', token, wanted)).status).toBe(401);
  });

  it('makes a tenant of its own, whose key sends', async () => {
    const made = await account();
    expect(made.tenantId).toMatch(/^acme-cafe-[0-9a-f]{12}$/u);
    expect(claimed(made.apiKey, 'tenantId')).toBe(made.tenantId);
    const sent = await ingest(made.apiKey, [eventOf(made, { environment: 'prod' })]);
    expect(sent.status, sent.text).toBe(200);
    const me = await send(closed, '/api/v1/auth/me', made.sessionToken);
    expect(me.json).toMatchObject({ success: true, user: { email: made.email, tenantId: made.tenantId } });
  });

  it('never takes a tenant that is there', async () => {
    const [one, two] = [await account(), await account()];
    expect(one.tenantId).not.toBe(two.tenantId);
    expect((await account(closed, { companyName: 'default' })).tenantId).not.toBe('default');
  });

  it('is open to everybody where the administrator says so, a few times', async () => {
    const statuses = new Map<number, number>();
    for (let time = 0; time < 11; time++) {
      const body = { ...wanted, email: `b${time}@example.com`, password: time === 0 ? PASSWORD : 'short' };
      const { status } = await send(open, 'POST /api/v1/auth/signup', null, body);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect(Object.fromEntries(statuses)).toEqual({ 201: 1, 400: 9, 429: 1 });
    const [row] = (await audited('user.create', open)).filter(({ outcome }) => outcome === 'ok');
    expect(row).toMatchObject({ actor: { name: 'b0@example.com', kind: 'user' }, after: { email: 'b0@example.com' } });
    expect((await audited('tenant.create', open))[0]).toMatchObject({ actor: { name: 'b0@example.com' } });
  });

  it('is refused to a page of another site', async () => {
    const options = { token: null, body: JSON.stringify(wanted), headers: { 'content-type': 'text/plain' } };
    expect((await open.call('POST /api/v1/auth/signup', options)).status).toBe(415);
  });

  it('is refused for an address that has an account, whatever its letters', async () => {
    const { email } = await account();
    const again = { ...wanted, email: email.toUpperCase() };
    expect((await send(closed, 'POST /api/v1/auth/signup', closed.admin, again)).status).toBe(409);
    const at = `${randomUUID()}@example.com`;
    const both = await Promise.all(
      [1, 2].map(() => send(closed, 'POST /api/v1/auth/signup', closed.admin, { ...wanted, email: at })),
    );
    expect(both.map(({ status }) => status).toSorted()).toEqual([201, 409]);
  });

  it.each([
    [{ email: 'nobody' }, 'email'],
    [{ email: `${'a'.repeat(300)}@example.com` }, 'email'],
    [{ email: 'a b@example.com' }, 'email'],
    [{ email: ['a@example.com'] }, 'email'],
    [{ password: 'short' }, 'password'],
    [{ password: 'x'.repeat(2_000) }, 'password'],
    [{ password: 12_345_678 }, 'password'],
    [{ companyName: ' ' }, 'companyName'],
    [{ plan: 'gold' }, 'plan'],
  ])('is refused with %j', async (more, field) => {
    const answer = await send(closed, 'POST /api/v1/auth/signup', closed.admin, { ...wanted, ...more });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ error: 'Validation failed', details: [{ path: [field] }] });
  });
});

describe('a password', () => {
  it('is kept as scrypt made it, and is in no answer and no log', async () => {
    const { email } = await account();
    await logIn(email, PASSWORD);
    await logIn(email, `${PASSWORD}?`);
    const all = await Promise.all([closed.call('/api/v1/admin/users'), closed.call('/api/v1/audit?limit=1000')]);
    expect(all.map(({ text }) => text).join()).not.toMatch(/correct horse|scrypt/u);
    expect(closed.faults.join()).not.toContain('correct horse');
  });
});

describe('logging in', () => {
  it('gives a session, and the key that is there', async () => {
    const made = await account();
    const answer = await logIn(` ${made.email.toUpperCase()}`, PASSWORD);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.json['apiKey']).toBe(made.apiKey);
    const me = await send(closed, '/api/v1/auth/account', String(answer.json['sessionToken']));
    expect(me.json).toMatchObject({ account: { user: { email: made.email }, tenant: { id: made.tenantId } } });
    const [row] = (await audited('user.login')).filter(({ outcome }) => outcome === 'ok');
    expect(row).toMatchObject({ actor: { name: made.email, kind: 'user', tenant: made.tenantId } });
  });

  it('gives another key when there is none any more', async () => {
    const made = await account();
    await send(closed, `DELETE /api/v1/tenants/${made.tenantId}/tokens`, closed.admin);
    expect((await ingest(made.apiKey, [eventOf(made)])).status).toBe(401);
    const { json } = await logIn(made.email, PASSWORD);
    expect(json['apiKey']).not.toBe(made.apiKey);
    expect((await ingest(String(json['apiKey']), [eventOf(made, { environment: 'prod' })])).status).toBe(200);
  });

  it('says the same of a wrong password and of an unknown address', async () => {
    const { email } = await account();
    const [wrong, unknown] = [await logIn(email, 'wrong password'), await logIn('nobody@example.com', PASSWORD)];
    expect([wrong.status, wrong.text]).toEqual([401, unknown.text]);
    expect(unknown.status).toBe(401);
  });

  it('is refused after too many wrong ones, also with the right password, and not to others', async () => {
    const { email } = await account();
    const other = await account();
    const wrong = await Promise.all(Array.from({ length: 12 }, () => logIn(email, 'wrong password')));
    expect(wrong.filter(({ status }) => status === 401)).toHaveLength(10);
    const right = await logIn(email, PASSWORD);
    expect(right.status).toBe(429);
    expect(Number(right.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await logIn(other.email, PASSWORD)).status).toBe(200);
  });
});

describe('a session', () => {
  it('ends with the logout, and with it all others of the account', async () => {
    const made = await account();
    const second = String((await logIn(made.email, PASSWORD)).json['sessionToken']);
    expect((await send(closed, 'POST /api/v1/auth/logout', made.sessionToken)).status).toBe(200);
    for (const session of [made.sessionToken, second])
      expect((await send(closed, '/api/v1/auth/me', session)).status).toBe(401);
    const third = await logIn(made.email, PASSWORD);
    expect((await send(closed, '/api/v1/auth/me', String(third.json['sessionToken']))).status).toBe(200);
    expect((await audited('user.logout'))[0]).toMatchObject({ actor: { name: made.email }, outcome: 'ok' });
  });

  it('ends with its account, which an administrator removes', async () => {
    const made = await account();
    const { json } = await closed.call(`/api/v1/admin/users?tenant=${made.tenantId}`);
    const [user] = json['users'] as readonly { readonly id: string }[];
    expect((await send(closed, `DELETE /api/v1/admin/users?id=${user?.id}`, made.sessionToken)).status).toBe(401);
    expect((await closed.call(`DELETE /api/v1/admin/users?id=${user?.id}`)).status).toBe(200);
    expect((await send(closed, '/api/v1/auth/me', made.sessionToken)).status).toBe(401);
    expect((await logIn(made.email, PASSWORD)).status).toBe(401);
  });

  it('does not bring back a tenant that is gone, as after the restore of an older backup', async () => {
    const user = {
      ...{ id: 'u', email: 'a@example.com', placement: { tenant: 't', project: 'p', environment: 'prod' }, session: 1 },
      ...{ createdAt: new Date(0), lastLoginAt: undefined, password: '' },
    };
    const present = new Set(['t']);
    const sessions = new Sessions({
      users: { byId: () => Promise.resolve(user) },
      tenants: present,
      secret: () => 'secret',
      now: () => 0,
    });
    const session = sessions.begin(user);
    expect((await sessions.resolve(session)).id).toBe('u');
    present.clear();
    await expect(sessions.resolve(session)).rejects.toThrow('its tenant was removed');
  });

  it('is no credential of anything else', async () => {
    const { sessionToken, tenantId } = await account();
    for (const request of ['/v0/sql?q=SELECT%201', '/v0/datasources', '/api/v1/admin/keys', '/api/v1/auth/tokens'])
      expect([401, 403], request).toContain((await send(closed, request, sessionToken)).status);
    expect((await ingest(sessionToken, [{ tenant_id: tenantId }])).status).toBe(401);
  });

  it('is not believed that somebody else made', async () => {
    const { sessionToken, apiKey: key } = await account();
    const [head, payload, signature] = sessionToken.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Body;
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const forged of [
      `${head}.${encode({ ...claims, session: 2 })}.${signature}`,
      `${encode({ alg: 'none' })}.${payload}.`,
      key,
    ])
      expect((await send(closed, '/api/v1/auth/me', forged)).status).toBe(401);
  });
});

describe('an API key', () => {
  it.each(['sk_', 'pk_'])('that begins with %s sends, and is resolved, listed and ended', async (keyPrefix) => {
    const made = await account();
    const page = { origin: 'https://www.example.com' };
    const { apiKey: key, keyRecord } = await apiKey(made, { keyPrefix, allowedOrigins: ['https://example.com/'] });
    expect(key).toMatch(new RegExp(`^${keyPrefix}[a-z0-9]{12}_[\\w-]{43}$`, 'u'));
    expect(keyRecord).toMatchObject({ tenantId: made.tenantId, projectId: made.projectId, name: 'mine', keyPrefix });
    for (const environment of ['dev', 'prod']) {
      const sent = await ingest(key, [eventOf(made, { environment })], page);
      expect(sent.status, sent.text).toBe(200);
    }
    const resolved = await send(closed, 'POST /api/v1/api-keys/resolve', null, { apiKey: key });
    const { tenantId, projectId } = made;
    expect(resolved.json).toEqual({
      success: true,
      tenantId,
      projectId,
      keyPrefix,
      scopes: { ingest: true, query: false },
    });
    const listed = await send(closed, keysOf(made.tenantId), made.sessionToken);
    expect(listed.json).toMatchObject({ count: 1, apiKeys: [{ id: keyRecord['id'], revoked: false }] });
    expect(listed.text).not.toContain(key);
    const ended = await send(closed, `DELETE ${keysOf(made.tenantId)}/${String(keyRecord['id'])}`, made.sessionToken);
    expect(ended.json).toMatchObject({ keyRecord: { revoked: true } });
    expect((await ingest(key, [eventOf(made)], page)).status).toBe(401);
    const [row] = (await audited('key.create')).filter(({ target }) => target === keyRecord['id']);
    expect(row).toMatchObject({ actor: { name: made.email, kind: 'user' }, tenant: made.tenantId });
  });

  it('of both environments has calls of models in that which the event says', async () => {
    const made = await account();
    const { apiKey: key } = await apiKey(made);
    const attributes = { llm_call: { model: 'gpt-4o', input_tokens: 1, output_tokens: 1, latency_ms: 1 } };
    const events = ['dev', 'prod'].map((environment) =>
      eventOf(made, { event_type: 'llm_call', environment, attributes }),
    );
    expect((await ingest(key, events)).status).toBe(200);
    const body = 'SELECT project_id, environment FROM generations ORDER BY environment';
    const headers = { 'x-glasshouse-tenant': made.tenantId };
    await expect
      .poll(async () => (await closed.call('POST /v0/sql', { body, headers })).json['data'], { timeout: 15_000 })
      .toEqual(['dev', 'prod'].map((environment) => ({ project_id: made.projectId, environment })));
  });

  it('is rotated with an overlap, and without one', async () => {
    const made = await anyAccount();
    const first = await apiKey(made, { environment: 'dev' });
    const rotate = (id: unknown, body: Body): Promise<Answer> =>
      send(closed, `POST ${keysOf(made.tenantId)}/${String(id)}/rotate`, made.sessionToken, body);
    const second = await rotate(first.keyRecord['id'], { overlapSeconds: 600 });
    expect(second.json).toMatchObject({ keyRecord: { name: 'mine', environment: 'dev', expiresAt: null } });
    for (const key of [first.apiKey, String(second.json['apiKey'])])
      expect((await ingest(key, [eventOf(made)])).status).toBe(200);
    const third = await rotate((second.json['keyRecord'] as Body)['id'], { overlapSeconds: 0 });
    expect((await ingest(String(second.json['apiKey']), [eventOf(made)])).status).toBe(401);
    expect((await ingest(String(third.json['apiKey']), [eventOf(made)])).status).toBe(200);
  });

  it.each([
    ['another tenant', { tenant_id: 'default' }],
    ['another project', { project_id: 'other' }],
  ])('takes no event of %s', async (_, more) => {
    const made = await anyAccount();
    const { apiKey: key } = await apiKey(made);
    expect((await ingest(key, [eventOf(made, more)])).status).toBe(403);
  });

  it('takes only events of an environment there is, or of its own', async () => {
    const made = await anyAccount();
    const [any, own] = [await apiKey(made), await apiKey(made, { environment: 'prod' })];
    expect((await ingest(any.apiKey, [eventOf(made, { environment: 'staging' })])).status).toBe(422);
    expect((await ingest(own.apiKey, [eventOf(made, { environment: 'dev' })])).status).toBe(403);
  });

  it('that stands in pages sends from those that it is for', async () => {
    const made = await anyAccount();
    const { apiKey: key } = await apiKey(made, {
      keyPrefix: 'pk_',
      allowedOrigins: ['https://app.example.com', 'localhost:5173'],
    });
    const from = async (headers: Body): Promise<number> => (await ingest(key, [eventOf(made)], headers)).status;
    for (const origin of ['https://app.example.com', 'https://a.app.example.com', 'http://localhost:5173'])
      expect([origin, await from({ origin })]).toEqual([origin, 200]);
    expect(await from({ referer: 'https://app.example.com/page?x=1' })).toBe(200);
    for (const origin of [
      ...[
        'https://example.com',
        'https://evil-app.example.com',
        'https://app.example.com.evil.com',
        'null',
        'app.example.com',
      ],
      ...['https://app.example.com:444', 'https://evil.com/app.example.com', 'https://app.example.com@evil.com', ''],
    ])
      expect([origin, await from({ origin })]).toEqual([origin, 403]);
    expect(await from({})).toBe(403);
    expect(await from({ origin: 'https://evil.com', referer: 'https://app.example.com' })).toBe(403);
    const asked = await closed.call('OPTIONS /api/v1/events/ingest', { token: null });
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([204, '*']);
  });

  it('without the scope ingest sends nothing, and none opens another route', async () => {
    const made = await anyAccount();
    const { apiKey: key } = await apiKey(made, { scopes: { ingest: false, query: true } });
    expect((await ingest(key, [eventOf(made)])).status).toBe(403);
    const { apiKey: all } = await apiKey(made, { scopes: { ingest: true, query: true } });
    for (const request of ['/v0/sql?q=SELECT%201', '/v0/datasources', '/api/v1/admin/keys', keysOf(made.tenantId)])
      expect([401, 403], request).toContain((await send(closed, request, all)).status);
  });

  it.each([
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(101) }, 'name'],
    [{ name: 'a\nb' }, 'name'],
    [{ keyPrefix: 'gh_' }, 'keyPrefix'],
    [{ keyPrefix: 'pk_' }, 'allowedOrigins'],
    [{ keyPrefix: 'pk_', allowedOrigins: ['*'] }, 'allowedOrigins'],
    [{ keyPrefix: 'pk_', allowedOrigins: ['a.com b.com'] }, 'allowedOrigins'],
    [{ keyPrefix: 'pk_', allowedOrigins: ['https://a.com'], scopes: { query: true } }, 'query'],
    [{ allowedOrigins: 'https://a.com' }, 'allowedOrigins'],
    [{ scopes: ['ingest'] }, 'scopes'],
    [{ scopes: { ingest: false } }, 'scopes'],
    [{ environment: 'staging' }, 'environment'],
    [{ projectId: '../x' }, 'project'],
    [{ expiresInDays: -1 }, 'expiresInDays'],
  ])('is not made of %j', async (more, what) => {
    const { tenantId, sessionToken } = await anyAccount();
    const answer = await send(closed, `POST ${keysOf(tenantId)}`, sessionToken, { name: 'k', ...more });
    expect(answer.status).toBe(400);
    expect(answer.json['error']).toContain(what);
  });

  it('of another tenant is out of reach', async () => {
    const [mine, theirs] = [await account(), await account()];
    const { keyRecord, apiKey: key } = await apiKey(theirs);
    const id = String(keyRecord['id']);
    for (const token of [mine.sessionToken, mine.apiKey, theirs.apiKey, key])
      for (const [request, body] of [
        [keysOf(theirs.tenantId)],
        [`POST ${keysOf(theirs.tenantId)}`, { name: 'x' }],
        [`POST ${keysOf(theirs.tenantId)}/${id}/rotate`, {}],
        [`DELETE ${keysOf(theirs.tenantId)}/${id}`],
      ] as const)
        expect([401, 403], request).toContain((await send(closed, request, token, body)).status);
    // By the address of one's own tenant.
    for (const request of [`POST ${keysOf(mine.tenantId)}/${id}/rotate`, `DELETE ${keysOf(mine.tenantId)}/${id}`])
      expect((await send(closed, request, mine.sessionToken, {})).status).toBe(404);
    expect((await ingest(key, [eventOf(theirs)])).status).toBe(200);
  });

  it('that is none is not resolved', async () => {
    for (const key of ['sk_', `sk_aaaaaaaaaaaa_${'x'.repeat(43)}`, (await account()).apiKey, 'gh_x'])
      expect((await send(closed, 'POST /api/v1/api-keys/resolve', null, { apiKey: key })).status).toBe(401);
    expect((await send(closed, 'POST /api/v1/api-keys/resolve', null, {})).status).toBe(400);
  });
});
