/** The audit log of a whole server: every route that may change something leaves a row, and no row has a secret. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUDIT_ACTIONS } from '../control/audit-actions.ts';
import { listedAction } from './audit-table.ts';
import type { Answer, TestServer } from './tinybird/testing/server.ts';
import { ADMIN, startTestServer } from './tinybird/testing/server.ts';

interface Entry {
  readonly action: string;
  readonly outcome: string;
  readonly message?: string;
  readonly actor: Readonly<Record<string, string>>;
  readonly tenant: string;
  readonly project: string;
  readonly environment: string;
  readonly target: string;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
  readonly remoteAddress: string;
  readonly userAgent: string;
  readonly requestId: string;
}

let server: TestServer;
/** Secrets that were handed out, none of which may be in the log. */
const secrets: string[] = [];

beforeAll(async () => {
  server = await startTestServer({ GLASSHOUSE_AUTH: 'keys' });
}, 60_000);

afterAll(() => server?.close());

const entries = async (query = '', token = ADMIN): Promise<readonly Entry[]> => {
  const { status, json, text } = await server.call(`/api/v1/audit?limit=1000&${query}`, { token });
  if (status !== 200) throw new Error(text);
  return json['entries'] as readonly Entry[];
};

const ofRequest = async (id: string): Promise<readonly Entry[]> =>
  (await entries()).filter(({ requestId }) => requestId === id);

const json = (body: object): { readonly body: string; readonly headers: Readonly<Record<string, string>> } => ({
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});

/** A change, and what the log has of it. */
async function changed(
  request: string,
  options: Parameters<TestServer['call']>[1] = {},
): Promise<{ readonly answer: Answer; readonly rows: readonly Entry[] }> {
  const answer = await server.call(request, options);
  for (const name of ['key', 'token', 'apiKey']) {
    const secret = answer.json[name];
    if (typeof secret === 'string') secrets.push(secret);
  }
  return { answer, rows: await ofRequest(answer.headers.get('x-request-id') ?? '') };
}

describe('every route that may change something', () => {
  it('is listed with its action, and no route is listed that is not there', () => {
    const changing = server.routes.filter(({ method }) => !['GET', 'HEAD', 'OPTIONS'].includes(method));
    expect(changing.length).toBeGreaterThan(60);
    const unlisted = changing.filter((route) => listedAction(route) === undefined);
    expect(unlisted.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  });

  it('leaves a row, whatever comes of it', async () => {
    const missing: string[] = [];
    for (const [number, { method, path }] of server.routes.entries()) {
      const action = listedAction({ method, path });
      if (action === 'reads' || action === 'takes data') continue;
      const id = `every-${number}`;
      const address = path.replaceAll(/:[A-Za-z]\w*/gu, 'nothing');
      const options = json({ path: 5 });
      await server.call(`${method} ${address}`, { ...options, headers: { ...options.headers, 'x-request-id': id } });
      const rows = await ofRequest(id);
      const isGood =
        rows.length > 0 &&
        rows.every(
          (row) => (AUDIT_ACTIONS as readonly string[]).includes(row.action) && row.actor['id'] === 'admin-token',
        );
      if (!isGood || rows.every((row) => row.action === 'control.change')) missing.push(`${method} ${path}`);
    }
    expect(missing).toEqual([]);
  }, 120_000);

  it('leaves one that says that it was refused, for whoever has no good credential', async () => {
    for (const token of [null, 'gh_aaaaaaaaaaaa_0123456789012345678901234567890123456789012']) {
      const { answer, rows } = await changed('POST /api/v1/admin/keys', { token, ...json({ name: 'x' }) });
      expect(answer.status).toBe(401);
      expect(rows).toMatchObject([
        { action: 'key.create', outcome: 'refused', actor: { id: 'unknown' }, before: null },
      ]);
    }
  });
});

describe('a change', () => {
  it('of keys and tenants says who, what and from where', async () => {
    const { answer, rows } = await changed('POST /api/v1/admin/keys', {
      ...json({ name: 'laptop', tenant: 'acme', project: 'shop', environment: 'prod', scopes: ['ingest'] }),
      headers: { 'user-agent': 'the tests', 'content-type': 'application/json' },
    });
    const id = String(answer.json['id']);
    expect(rows.map(({ action }) => action).toSorted()).toEqual(['key.create', 'tenant.create']);
    expect(rows.find(({ action }) => action === 'key.create')).toMatchObject({
      outcome: 'ok',
      actor: { id: 'admin-token', name: 'admin-token', kind: 'admin', tenant: 'default' },
      ...{ tenant: 'acme', project: 'shop', environment: 'prod', target: id, before: null },
      after: { id, name: 'laptop', scopes: ['ingest'] },
      userAgent: 'the tests',
      remoteAddress: expect.stringContaining('127.0.0.1') as unknown,
    });
    const revoked = await changed(`DELETE /api/v1/admin/keys?id=${id}`);
    expect(revoked.rows).toMatchObject([
      { action: 'key.revoke', target: id, before: { id }, after: { id, revokedAt: expect.any(String) as unknown } },
    ]);
  });

  it('of tokens shows their scopes, and not their secrets', async () => {
    const made = await changed('POST /v0/tokens?name=reader&scope=WORKSPACE:READ_ALL');
    expect(made.rows).toMatchObject([
      { action: 'token.create', target: 'reader', before: null, after: { scopes: [{ type: 'WORKSPACE:READ_ALL' }] } },
    ]);
    const secret = String(made.answer.json['token']);
    const refreshed = await changed(`POST /v0/tokens/${secret}/refresh`);
    expect(refreshed.rows).toMatchObject([
      { action: 'token.refresh', target: 'reader', before: { generation: 1 }, after: { generation: 2 } },
    ]);
    const gone = await changed(`DELETE /v0/tokens/${secret}`);
    expect(gone.rows).toMatchObject([{ action: 'token.delete', outcome: 'refused', target: 'p.***' }]);
    const removed = await changed('DELETE /v0/tokens/reader');
    expect(removed.rows).toMatchObject([{ action: 'token.delete', target: 'reader', after: null }]);
  });

  it('of secrets never shows a value', async () => {
    secrets.push('value-of-the-secret', 'another-value');
    const made = await changed('POST /v0/variables', {
      body: new URLSearchParams({ name: 'pass', value: 'value-of-the-secret' }),
    });
    expect(made.rows).toMatchObject([
      { action: 'secret.create', target: 'pass', before: null, after: { name: 'pass' } },
    ]);
    const next = await changed('PUT /v0/variables/pass', { body: new URLSearchParams({ value: 'another-value' }) });
    expect(next.rows).toMatchObject([{ action: 'secret.change', target: 'pass', before: { name: 'pass' } }]);
    const gone = await changed('DELETE /v0/variables/pass');
    expect(gone.rows).toMatchObject([{ action: 'secret.delete', target: 'pass', after: null }]);
  });

  it('of data sources and pipes has both definitions', async () => {
    const made = await changed('POST /v0/datasources?name=sales&schema=n+Int32');
    expect(made.rows).toMatchObject([
      { action: 'datasource.create', target: 'sales', tenant: 'default', before: null, after: { kind: 'datasource' } },
    ]);
    const altered = await changed('POST /v0/datasources/sales/alter', {
      body: new URLSearchParams({ schema: 'n Int32, m Nullable(Int32)' }),
    });
    expect(altered.answer.status).toBe(200);
    const [row] = altered.rows;
    expect(row).toMatchObject({ action: 'datasource.change', target: 'sales' });
    expect([JSON.stringify(row?.before).includes('"m"'), JSON.stringify(row?.after).includes('"m"')]).toEqual([
      false,
      true,
    ]);
    const pipe = await changed('POST /v0/pipes', {
      body: JSON.stringify({ name: 'total', nodes: [{ name: 'all', sql: 'SELECT sum(n) AS s FROM sales' }] }),
      headers: { 'content-type': 'application/json' },
    });
    expect(pipe.rows).toMatchObject([{ action: 'pipe.create', target: 'total', before: null }]);
    const endpoint = await changed('POST /v0/pipes/total/nodes/all/endpoint');
    expect(endpoint.rows).toMatchObject([{ action: 'pipe.deploy', target: 'total', before: {}, after: {} }]);
    expect((await changed('DELETE /v0/pipes/total')).rows).toMatchObject([{ action: 'pipe.drop', after: null }]);
    expect((await changed('POST /v0/datasources/sales/truncate')).rows).toMatchObject([
      { action: 'datasource.truncate' },
    ]);
    expect((await changed('DELETE /v0/datasources/sales')).rows).toMatchObject([
      { action: 'datasource.drop', target: 'sales', after: null, outcome: 'ok' },
    ]);
  });

  it('of a deployment has a row of each thing that it changed', async () => {
    const body = new FormData();
    body.append('data_project://', new Blob(['SCHEMA >\n  n Int32\n']), 'counts.datasource');
    const { answer } = await changed('POST /v1/deploy?auto_promote=true', { body });
    expect(answer.status).toBeLessThan(300);
    await expect
      .poll(async () => (await entries('action=datasource.create')).some(({ target }) => target === 'counts'))
      .toBe(true);
    const [row] = (await entries('action=datasource.create')).filter(({ target }) => target === 'counts');
    expect(row).toMatchObject({ actor: { id: 'admin-token' }, requestId: answer.headers.get('x-request-id') });
  });

  it('of maintenance says how it ended', async () => {
    const { answer, rows } = await changed('POST /api/v1/admin/backup', json({}));
    expect(answer.text).toContain('"result"');
    expect(rows).toMatchObject([{ action: 'backup.create', outcome: 'ok' }]);
    const path = (JSON.parse(answer.text.trim().split('\n').at(-1) ?? '') as { result: { path: string } }).result.path;
    const reset = await changed('POST /api/v1/admin/reset', json({}));
    expect(reset.rows).toMatchObject([{ action: 'data.reset', outcome: 'ok' }]);
    const before = (await entries()).length;
    const restored = await changed('POST /api/v1/admin/restore', json({ path }));
    expect(restored.answer.text).toContain('"result"');
    expect(restored.rows).toMatchObject([{ action: 'backup.restore', outcome: 'ok' }]);
    // Nothing of the log is replaced.
    expect((await entries()).length).toBeGreaterThanOrEqual(before);
    expect((await entries('action=data')).length).toBe((await entries('action=data.reset')).length);
  }, 60_000);
});

describe('an administrator who reads', () => {
  it.each([
    ['SQL', 'POST /v0/sql', 'SELECT 1'],
    ['ClickHouse’s interface', 'POST /', 'SELECT 1'],
    ['a list of data sources', 'GET /v0/datasources', undefined],
    ['an endpoint', 'GET /v0/pipes/nothing.json', undefined],
  ])('of another tenant by %s leaves a row', async (_, request, body) => {
    const { rows } = await changed(request, {
      headers: { 'x-glasshouse-tenant': 'acme' },
      ...(body === undefined ? {} : { body }),
    });
    expect(rows).toMatchObject([
      { action: 'read.other_tenant', tenant: 'acme', target: request, actor: { id: 'admin-token', tenant: 'default' } },
    ]);
    if (body !== undefined) expect(rows[0]?.after).toEqual({ query: 'SELECT 1' });
  });

  it('of the own tenant leaves none', async () => {
    const { answer, rows } = await changed('POST /v0/sql', { body: 'SELECT 1', headers: { 'x-request-id': 'own' } });
    expect([answer.status, answer.headers.get('x-request-id')]).toEqual([200, null]);
    expect(rows.filter(({ actor }) => actor['kind'] !== 'system')).toEqual([]);
    expect(await ofRequest('own')).toEqual([]);
  });
});

describe('the log', () => {
  it('is shown of the own tenant only to who administers a workspace', async () => {
    const headers = { 'x-glasshouse-tenant': 'acme' };
    const { json: list } = await server.call('/v0/tokens', { headers });
    const tokens = list['tokens'] as readonly { readonly name: string; readonly token: string }[];
    const admin = tokens.find(({ name }) => name === 'workspace admin token')?.token ?? '';
    secrets.push(...tokens.map(({ token }) => token));
    await server.call('POST /v0/tokens?name=own&scope=WORKSPACE:READ_ALL', { token: admin });
    const rows = await entries('', admin);
    expect(new Set(rows.map(({ tenant }) => tenant))).toEqual(new Set(['acme']));
    expect(rows.some(({ action, actor }) => action === 'token.create' && actor['tenant'] === 'acme')).toBe(true);
    expect((await server.call('/api/v1/audit?tenant=default', { token: admin })).status).toBe(403);
    expect(new Set((await entries('tenant=acme')).map(({ tenant }) => tenant))).toEqual(new Set(['acme']));
  });

  it('is not shown to anybody else', async () => {
    const made = await changed('POST /api/v1/admin/keys', json({ name: 'q', tenant: 'acme', scopes: ['query'] }));
    const reader = await server.token('all', 'WORKSPACE:READ_ALL');
    secrets.push(reader);
    for (const token of [String(made.answer.json['key']), reader])
      expect((await server.call('/api/v1/audit', { token })).status).toBe(403);
    expect((await server.call('/api/v1/audit', { token: null })).status).toBe(401);
  });

  it('is searched by action and time, newest first', async () => {
    const all = await entries();
    expect(new Set((await entries('action=key')).map(({ action }) => action.split('.')[0]))).toEqual(new Set(['key']));
    expect((await entries('since=1h')).length).toBeGreaterThanOrEqual(all.length);
    expect(await entries('until=1h')).toEqual([]);
    expect(await entries(`since=${new Date(Date.now() + 60_000).toISOString()}`)).toEqual([]);
    const { json: few } = await server.call('/api/v1/audit?limit=2');
    expect(few['entries']).toHaveLength(2);
  });

  it.each(['since=yesterday', 'limit=0', 'limit=x', 'until=-5', 'tenant=A%20b', 'since=99999999999d'])(
    'refuses %s',
    async (query) => {
      expect((await server.call(`/api/v1/audit?${query}`)).status).toBe(400);
    },
  );

  it('has no secret that was handed out', async () => {
    expect(secrets.length).toBeGreaterThan(5);
    const text = JSON.stringify(await entries('limit=10000'));
    expect([...secrets, ADMIN].filter((secret) => text.includes(secret))).toEqual([]);
  });
});

it('nothing went wrong on the side', () => {
  expect(server.faults.filter((line) => line.includes('audit'))).toEqual([]);
});
