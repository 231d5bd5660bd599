/** Tokens over their routes, on the whole server: made in every way that clients have, and what they may do then. */

import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, TestServer } from './testing/server.ts';
import { ADMIN, startTestServer } from './testing/server.ts';

let server: TestServer;
/** Ids of workspaces. */
let own: string;
let foreign: { readonly id: string; readonly token: string };

beforeAll(async () => {
  server = await startTestServer();
  for (const name of ['traces_of', 'others']) {
    const schema = 'tenant_id String `json:$.tenant_id`, n UInt32 `json:$.n` DEFAULT 1';
    await server.call('POST /v0/datasources', {
      body: new URLSearchParams({ name, schema: name === 'others' ? 'a String' : schema }),
    });
  }
  await server.events('traces_of', { tenant_id: 'acme' }, { tenant_id: 'other' });
  own = String((await server.call('/v0/workspace')).json['id']);
  foreign = (await server.call('POST /v1/workspaces?name=foreign')).json as typeof foreign;
});

afterAll(() => server.close());

const post = (body: Readonly<Record<string, string>> | string, path = '/v0/tokens'): Promise<Answer> =>
  server.call(`POST ${path}`, { body: typeof body === 'string' ? body : new URLSearchParams(body) });

const may = async (token: string, request: string, body?: string): Promise<number> =>
  (await server.call(request, { token, ...(body === undefined ? {} : { body }) })).status;

describe('a static token', () => {
  it('is made as the setup guide for many tenants has it', async () => {
    // Word for word what curl -d sends.
    const answer = await server.call('POST /v0/tokens', {
      body: "name=tenant-acme&permission=write&scope=tenant_id = 'acme'",
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(answer.json).toMatchObject({
      name: 'tenant-acme',
      token: expect.stringMatching(/^p\./u) as unknown,
      scopes: [{ type: 'DATASOURCES:APPEND', resource: '*', filter: "tenant_id = 'acme'" }],
    });
    const token = String(answer.json['token']);
    const sent = await server.call('POST /v0/events?name=traces_of&wait=true', {
      token,
      body: '{"tenant_id":"acme","n":7}\n{"tenant_id":"other","n":8}',
    });
    expect(sent.json).toEqual({ successful_rows: 1, quarantined_rows: 1 });
    // A data source without the column has no rows that could be theirs.
    expect(await may(token, 'POST /v0/events?name=others', '{"a":"x"}')).toBe(403);
    expect(await may(token, 'POST /v0/sql', 'SELECT * FROM traces_of')).toBe(403);
  });

  it.each<[string, () => Promise<Answer>]>([
    [
      'in the query',
      () => server.call('POST /v0/tokens?name=t1&origin=C&scope=DATASOURCES:READ:traces_of&scope=PIPES:READ:p'),
    ],
    ['in a form', () => post('name=t2&scope=DATASOURCES%3AREAD%3Atraces_of&scope=PIPES:READ:p')],
    [
      'with a slash behind the path',
      () => server.call('POST /v0/tokens/?name=t3&scope=DATASOURCES:READ:traces_of&scope=PIPES:READ:p'),
    ],
    [
      'as JSON',
      () =>
        post(
          JSON.stringify({
            name: 't4',
            scopes: [
              { type: 'DATASOURCES:READ', resource: 'traces_of' },
              { type: 'PIPES:READ', resource: 'p' },
            ],
          }),
        ),
    ],
  ])('has its scopes %s', async (_, make) => {
    const { status, json } = await make();
    expect([status, json['scopes']]).toEqual([
      200,
      [
        { type: 'DATASOURCES:READ', resource: 'traces_of' },
        { type: 'PIPES:READ', resource: 'p' },
      ],
    ]);
  });

  it('is listed, shown by name, id and secret, changed, refreshed and ended', async () => {
    const token = await server.token('changing', 'DATASOURCES:READ:traces_of');
    const { json } = await server.call('/v0/tokens/changing');
    expect((await server.call(`/v0/tokens/${String(json['id'])}`)).json).toEqual(json);
    expect((await server.call(`/v0/tokens/${token}`, { token })).json).toEqual(json);
    expect((await server.call('/v0/tokens/changing.token')).text).toBe(
      'TOKEN "changing"\nSCOPE DATASOURCES:READ:traces_of\n',
    );
    const changed = await server.call(
      "PUT /v0/tokens/changing?scope=DATASOURCES:READ:traces_of:tenant_id = 'acme'&scope=PIPES:READ:p&description=D",
    );
    expect(changed.json).toMatchObject({
      description: 'D',
      scopes: [{ filter: "tenant_id = 'acme'" }, { resource: 'p' }],
      token,
    });
    expect(await server.rows('SELECT DISTINCT tenant_id FROM traces_of', token)).toEqual([{ tenant_id: 'acme' }]);
    const fresh = String((await server.call('POST /v0/tokens/changing/refresh')).json['token']);
    expect([await may(token, '/v0/datasources'), await may(fresh, '/v0/datasources')]).toEqual([403, 200]);
    expect((await server.call('DELETE /v0/tokens/changing')).status).toBe(200);
    expect([await may(fresh, '/v0/datasources'), (await server.call('/v0/tokens/changing')).status]).toEqual([
      403, 404,
    ]);
    expect((await server.call('DELETE /v0/tokens/changing')).status).toBe(404);
  });

  it.each<[string, Record<string, string> | string, number]>([
    ['no name', { scope: 'ADMIN' }, 400],
    ['no scope', { name: 'x' }, 400],
    ['an unknown scope', { name: 'x', scope: 'DATASOURCES:EXPLODE:a' }, 400],
    ['a scope without its resource', { name: 'x', scope: 'DATASOURCES:APPEND' }, 400],
    ['an unknown permission', { name: 'x', permission: 'everything' }, 400],
    ['a filter that is none', { name: 'x', permission: 'write', scope: "tenant_id = 'a" }, 400],
    ['a filter that reads elsewhere', { name: 'x', scope: 'DATASOURCES:READ:traces_of:n IN (SELECT 1)' }, 403],
    ['a filter that reads files', { name: 'x', scope: "DATASOURCES:READ:traces_of:file('/etc/passwd') = ''" }, 403],
    ['a filter that ends early', { name: 'x', scope: 'DATASOURCES:READ:traces_of:1) OR (1' }, 400],
    ['a name with control characters', { name: 'a\nb', scope: 'ADMIN' }, 400],
    ['JSON that breaks off', '{"name": "x", "scopes": [', 400],
    ['what is no UTF-8', { name: 'tenant-acme', scope: 'TOKENS' }, 409],
  ])('is not made of %s', async (_, body, status) => {
    const answer = await post(body);
    expect([answer.status, typeof answer.json['error']]).toEqual([status, 'string']);
  });

  it('is not made of bytes that are no text', async () => {
    const body = Buffer.from([...Buffer.from('name=x&scope=ADMIN&description='), 0xff, 0xfe]);
    expect((await server.call('POST /v0/tokens', { body })).status).toBe(400);
    expect((await server.call('POST /v0/tokens', { body: Buffer.alloc(3 << 20, 'a') })).status).toBe(413);
    expect((await server.call('POST /v0/tokens', { body: 'a', headers: { 'content-encoding': 'gzip' } })).status).toBe(
      400,
    );
  });

  it('gives nobody more than they have', async () => {
    const append = await server.token('only', 'DATASOURCES:APPEND:traces_of');
    const tokens = await server.token('keeper', 'TOKENS');
    for (const request of [
      '/v0/tokens',
      'POST /v0/tokens?name=y&scope=ADMIN',
      'DELETE /v0/tokens/keeper',
      '/v1/deployments',
      'POST /v1/deploy',
      '/v0/jobs',
      'POST /v1/workspaces?name=mine',
    ])
      expect([request, await may(append, request)]).toEqual([request, 403]);
    expect(await may(tokens, 'POST /v0/tokens?name=y&scope=ADMIN')).toBe(403);
    const { json } = await server.call('/v0/tokens', { token: tokens });
    const admin = (json['tokens'] as { name: string; token: string }[]).find(
      ({ name }) => name === 'workspace admin token',
    );
    expect(admin?.token).toBe('p.***');
    expect(await may(foreign.token, '/v0/datasources/traces_of')).toBe(404);
  });
});

describe('a JWT', () => {
  const soon = (): number => Math.floor(Date.now() / 1000) + 600;
  const payload = (more: object = {}): object => ({
    workspace_id: own,
    name: 'guest',
    exp: soon(),
    scopes: [{ type: 'DATASOURCES:READ', resource: 'traces_of', filter: "tenant_id = 'acme'" }],
    ...more,
  });
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const sign = (claims: object, secret: string, header: object = { alg: 'HS256', typ: 'JWT' }): string => {
    const text = `${encode(header)}.${encode(claims)}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };

  it.each([
    [
      'the command line',
      () =>
        server.call(`POST /v0/tokens?name=guest&expiration_time=${soon()}`, {
          body: JSON.stringify({ scopes: (payload() as { scopes: object[] }).scopes }),
        }),
    ],
    [
      'the SDK',
      () =>
        server.call(`POST /v0/tokens/?expiration_time=${soon()}&from=ts-sdk`, {
          body: JSON.stringify({
            name: 'guest',
            scopes: (payload() as { scopes: object[] }).scopes,
            limits: { rps: 10 },
          }),
          headers: { 'content-type': 'application/json' },
        }),
    ],
  ])('is made for %s, and reads what it names', async (_, make) => {
    const { status, json } = await make();
    expect([status, Object.keys(json)]).toEqual([200, ['token']]);
    const token = String(json['token']);
    expect(await server.rows('SELECT DISTINCT tenant_id FROM traces_of', token)).toEqual([{ tenant_id: 'acme' }]);
    expect(await may(token, 'POST /v0/sql', 'SELECT 1 FROM others')).toBe(403);
    expect(await may(token, 'POST /v0/events?name=traces_of', '{}')).toBe(403);
    expect(await may(token, '/v0/tokens')).toBe(403);
  });

  it('that a client signs itself is as good', async () => {
    expect(await server.rows('SELECT count() AS n FROM traces_of', sign(payload(), server.admin))).toEqual([{ n: 2 }]);
  });

  it.each<[string, () => string]>([
    ['nobody signed', () => `${encode({ alg: 'none' })}.${encode(payload())}.`],
    [
      'nobody signed, with something in the place',
      () => `${encode({ alg: 'none', typ: 'JWT' })}.${encode(payload())}.x`,
    ],
    ['somebody else signed', () => sign(payload(), 'another secret')],
    ["another workspace's administrator signed", () => sign(payload(), foreign.token)],
    [
      "this workspace's administrator signed for another",
      () => sign(payload({ workspace_id: foreign.id }), server.admin),
    ],
    [
      'is of an unknown workspace',
      () => sign(payload({ workspace_id: '00000000-0000-4000-8000-000000000000' }), server.admin),
    ],
    ['names another algorithm', () => sign(payload(), server.admin, { alg: 'HS512' })],
    ['names a key to use', () => sign(payload(), server.admin, { alg: 'HS256', crit: ['b64'], b64: false })],
    ['expired', () => sign(payload({ exp: Math.floor(Date.now() / 1000) - 60 }), server.admin)],
    ['never expires', () => sign(payload({ exp: undefined }), server.admin)],
    ['is not valid yet', () => sign(payload({ nbf: soon() }), server.admin)],
    ['gives more than reading', () => sign(payload({ scopes: [{ type: 'ADMIN' }] }), server.admin)],
    ['appends', () => sign(payload({ scopes: [{ type: 'DATASOURCES:APPEND', resource: 'traces_of' }] }), server.admin)],
    [
      'gives everything at once',
      () => sign(payload({ scopes: [{ type: 'DATASOURCES:READ', resource: '*' }] }), server.admin),
    ],
    [
      'filters by what may not be',
      () =>
        sign(
          payload({ scopes: [{ type: 'DATASOURCES:READ', resource: 'traces_of', filter: '1 IN (SELECT 1)' }] }),
          server.admin,
        ),
    ],
    [
      'was changed',
      () => {
        const [head, , proof] = sign(payload(), server.admin).split('.');
        return `${head}.${encode(payload({ scopes: [{ type: 'DATASOURCES:READ', resource: 'others' }] }))}.${proof}`;
      },
    ],
    ['is cut off', () => sign(payload(), server.admin).slice(0, -1)],
  ])('that %s is worth nothing', async (_, make) => {
    const token = make();
    expect(await may(token, 'POST /v0/sql', 'SELECT count() FROM traces_of')).toBe(403);
    expect((await server.call(`/v0/datasources?token=${encodeURIComponent(token)}`, { token: null })).status).toBe(403);
  });

  it.each<[string, string, object]>([
    ['an end that is past', '1000000000', payload()],
    ['an end that is none', 'tomorrow', payload()],
    ['no scopes', String(2_000_000_000), { name: 'x' }],
    ['scopes that it cannot have', String(2_000_000_000), { name: 'x', scopes: [{ type: 'ADMIN' }] }],
    ['no name', String(2_000_000_000), { scopes: (payload() as { scopes: object[] }).scopes }],
    ['a rate that is none', String(2_000_000_000), { ...payload(), limits: { rps: -1 } }],
  ])('is not made of %s', async (_, end, body) => {
    expect((await server.call(`POST /v0/tokens?expiration_time=${end}`, { body: JSON.stringify(body) })).status).toBe(
      400,
    );
  });

  it('has a rate of its own', async () => {
    const token = sign(payload({ name: 'slow', limits: { rps: 1 } }), server.admin);
    const answers = await Promise.all(Array.from({ length: 5 }, () => server.call('/v0/datasources', { token })));
    const refused = answers.find(({ status }) => status === 429);
    for (const name of ['x-ratelimit-limit', 'x-ratelimit-reset', 'retry-after'])
      expect(refused?.headers.get(name)).toMatch(/^[1-9]\d*$/u);
    expect(refused?.headers.get('x-ratelimit-remaining')).toBe('0');
  });
});

describe('other credentials', () => {
  it('of this server work too: its administrator, and keys for what they are', async () => {
    expect(await may(ADMIN, '/v0/tokens')).toBe(200);
    const key = async (scopes: string[]): Promise<string> => {
      const body = JSON.stringify({ name: 'k', tenant: 'default', project: 'p', environment: 'e', scopes });
      const answer = await server.call('POST /api/v1/admin/keys', {
        token: ADMIN,
        body,
        headers: { 'content-type': 'application/json' },
      });
      return String(answer.json['key']);
    };
    const ingest = await key(['ingest']);
    expect(await may(ingest, 'POST /v0/events?name=traces_of', '{"tenant_id":"k"}')).toBe(202);
    for (const request of [
      'POST /v0/datasources/traces_of/truncate',
      'DELETE /v0/datasources/traces_of',
      '/v0/tokens',
      'POST /v0/sql',
    ])
      expect([request, await may(ingest, request)]).toEqual([request, 403]);
    const query = await key(['query']);
    expect(await may(query, 'POST /v0/sql', 'SELECT 1')).toBe(200);
    expect(await may(query, 'POST /v0/events?name=traces_of', '{}')).toBe(403);
  });
});

it('has not logged an error of its own', () => {
  expect(server.faults).toEqual([]);
});
