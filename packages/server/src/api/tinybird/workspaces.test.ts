/** Workspaces over their routes, on the whole server: what command lines ask first, and workspaces by name. */

import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestServer } from './testing/server.ts';
import { ADMIN, startTestServer } from './testing/server.ts';

let server: TestServer;
let guarded: TestServer;

beforeAll(async () => {
  [server, guarded] = await Promise.all([startTestServer(), startTestServer({ GLASSHOUSE_AUTH: 'keys' })]);
});

afterAll(async () => {
  await server.close();
  await guarded.close();
});

describe('who one is', () => {
  it.each(['/v0/workspace?cli_version=6.5.5&cli_version=6.5.5', '/v1/workspace?cli_version=5.0.2 (rev 1)'])(
    '%s needs a token, and says',
    async (path) => {
      for (const one of [server, guarded]) {
        const refused = await one.call(path, { token: null });
        expect([refused.status, typeof refused.json['error']]).toEqual([403, 'string']);
        expect((await one.call(path, { token: 'p.nobody' })).status).toBe(403);
      }
      const { json } = await server.call(path);
      expect(json).toMatchObject({
        name: 'default',
        scope: 'admin',
        role: 'admin',
        plan: 'free',
        limits: {},
        is_branch: false,
        token: server.admin,
      });
      expect(json).toHaveProperty('user_id');
      const token = await server.token(`reader ${path}`, 'PIPES:READ:x');
      const seen = (await server.call(path, { token })).json;
      expect([seen['scope'], seen['token']]).toEqual(['user', undefined]);
    },
  );

  it('is the same by parameter and by header, and with both', async () => {
    const { id } = (await server.call('/v0/workspace')).json;
    expect((await server.call(`/v0/workspace?&token=${server.admin}`, { token: null })).json['id']).toBe(id);
    expect((await server.call(`/v0/workspace?token=${server.admin}`)).json['id']).toBe(id);
  });

  it('needs no token for the region and the example', async () => {
    const { json } = await server.call('/v0/regions', { token: null });
    expect(json['regions']).toEqual([
      { name: 'local', api_host: server.base, host: server.base, provider: 'glasshouse' },
    ]);
    const example = await server.call('/examples/query.http?format=json&pipe=top&q=&token=p.x', { token: null });
    expect([example.headers.get('content-type'), example.text]).toEqual([
      'text/plain',
      `${server.base}/v0/pipes/top.json?token=p.x`,
    ]);
    const odd = await server.call('/examples/query.http?format=../x&pipe=a%2Fb%0D%0AX:%20y', { token: null });
    expect(odd.text).toBe(`${server.base}/v0/pipes/a%2Fb%0D%0AX%3A%20y.json`);
  });

  it.each(['/v1/environments', '/v0/connectors', '/v0/tags', '/v0/jobs', '/v0/dependencies'])(
    '%s is empty and no error',
    async (path) => {
      const { status, json } = await server.call(path);
      expect([status, Object.values(json)[0]]).toEqual([200, path === '/v0/dependencies' ? {} : []]);
    },
  );
});

describe('local tokens', () => {
  it('are for programs on this machine, on a server that asks nobody', async () => {
    const { json, headers } = await server.call('/tokens', { token: null });
    expect(Object.keys(json)).toEqual(['user_token', 'admin_token', 'workspace_admin_token']);
    expect(headers.get('access-control-allow-origin')).toBeNull();
    for (const token of Object.values(json))
      expect((await server.call('/v0/workspace', { token: String(token) })).status).toBe(200);
    expect((await guarded.call('/tokens', { token: null })).status).toBe(404);
  });

  it.each<[string, Record<string, string>]>([
    ['a page of another origin', { origin: 'https://evil.example' }],
    ['a page of this origin', { origin: 'http://localhost:3000' }],
    ['a page that hides its origin', { 'sec-fetch-site': 'cross-site' }],
    ['whoever a proxy passes on', { 'x-forwarded-for': '203.0.113.9' }],
    ['another name of this machine', { host: 'evil.example' }],
  ])('are not for %s', async (_, headers) => {
    const { hostname, port } = new URL(server.base);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      httpRequest({ hostname, port, path: '/tokens', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect([404, 421]).toContain(status);
  });
});

describe('a workspace of its own', () => {
  const name = `Tinybird_Local_Build_${'0123456789abcdef'.repeat(4)}`;
  const names = async (token?: string): Promise<unknown[]> => {
    const { json } = await server.call(
      '/v1/user/workspaces?with_organization=true',
      token === undefined ? {} : { token },
    );
    return (json['workspaces'] as { name: string }[]).map((one) => one.name);
  };

  it('is made by name, has a token, and nothing of the others', async () => {
    const made = await server.call(`POST /v1/workspaces?name=${name}`);
    expect([made.status, made.json['name']]).toEqual([200, name]);
    expect(await names()).toEqual(expect.arrayContaining([name, 'default']));
    const token = String(made.json['token']);
    expect(await names(token)).toEqual([name]);
    expect((await server.call('/v0/workspace', { token })).json['id']).toBe(made.json['id']);
    const schema = new URLSearchParams({ name: 'mine', schema: 'a String' });
    expect((await server.call('POST /v0/datasources', { body: schema, token })).status).toBe(200);
    expect((await server.call('POST /v0/events?name=mine&wait=true', { body: '{"a":"x"}', token })).json).toMatchObject(
      { successful_rows: 1 },
    );
    expect(await server.rows('SELECT a FROM mine', token)).toEqual([{ a: 'x' }]);
    expect((await server.call('/v0/datasources/mine')).status).toBe(404);
    expect((await server.call('POST /v0/sql', { body: 'SELECT a FROM mine' })).status).toBe(404);
  });

  it('is made once, and by who administers the server', async () => {
    expect((await server.call(`POST /v1/workspaces?name=${name}`)).status).toBe(409);
    const made = await server.call('POST /v1/workspaces', { body: new URLSearchParams({ name: 'second' }) });
    expect(made.status).toBe(200);
    expect((await server.call('POST /v1/workspaces?name=third', { token: String(made.json['token']) })).status).toBe(
      403,
    );
    expect((await guarded.call('POST /v1/workspaces?name=here')).status).toBe(200);
    for (const bad of ['', 'a'.repeat(200), '../x', 'a\nb', '<b>']) {
      expect([
        bad,
        (await server.call('POST /v1/workspaces', { body: new URLSearchParams({ name: bad }) })).status,
      ]).toEqual([bad, 400]);
    }
    const own = await guarded.call('/v0/tokens');
    const admin = (own.json['tokens'] as { token: string }[])[0]?.token ?? '';
    expect((await guarded.call('POST /v1/workspaces?name=there', { token: admin })).status).toBe(403);
  });

  it('is removed with everything in it, and its name can come back', async () => {
    const { json } = await server.call(`POST /v1/workspaces?name=Gone Soon`);
    const token = String(json['token']);
    await server.call('POST /v0/datasources', {
      body: new URLSearchParams({ name: 'mine', schema: 'a String' }),
      token,
    });
    await server.call('POST /v0/events?name=mine&wait=true', { body: '{"a":"x"}', token });
    expect((await server.call('DELETE /v1/workspaces/Gone Soon', { token, body: 'confirmation=yes' })).status).toBe(
      403,
    );
    expect((await server.call(`DELETE /v1/workspaces/${String(json['id'])}?hard_delete_confirmation=yes`)).status).toBe(
      200,
    );
    expect(await names()).not.toContain('Gone Soon');
    expect((await server.call('/v0/datasources', { token })).status).toBe(403);
    expect((await server.call('POST /v0/events?name=mine', { body: '{}', token })).status).toBe(403);
    const again = await server.call('POST /v1/workspaces?name=Gone Soon');
    expect([again.status, (await server.call('/v0/datasources', { token: String(again.json['token']) })).json]).toEqual(
      [200, { datasources: [] }],
    );
  });

  it('that was not made so is not removed so', async () => {
    expect((await server.call('DELETE /v1/workspaces/default')).status).toBe(403);
    expect((await server.call('DELETE /v1/workspaces/nowhere')).status).toBe(404);
    expect((await guarded.call('DELETE /v1/workspaces/default', { token: ADMIN })).status).toBe(403);
  });
});

describe('statements', () => {
  it.each([
    [
      'SELECT * FROM a JOIN b USING x',
      [
        ['', 'a'],
        ['', 'b'],
      ],
    ],
    [
      'WITH c AS (SELECT 1 FROM d) SELECT * FROM c, e',
      [
        ['', 'd'],
        ['', 'e'],
      ],
    ],
    [
      'SELECT * FROM db.t WHERE x IN (SELECT y FROM u)',
      [
        ['', 'u'],
        ['db', 't'],
      ],
    ],
    ['SELECT * FROM numbers(10)', []],
    ['SELECT 1 -- FROM comment', []],
    ['this is { no SQL', []],
  ])('%s names its tables', async (q, tables) => {
    const { json } = await server.call('POST /v0/sql_tables', {
      body: new URLSearchParams({ q, raising: 'false', is_copy: 'false' }),
    });
    expect((json['tables'] as string[][]).toSorted()).toEqual(tables);
  });

  it('are formatted and rewritten', async () => {
    const formatted = await server.call('/v0/sql_format?q=select 1 as a,2 from t&with_clickhouse_format=true');
    expect(formatted.json['q']).toBe('SELECT\n    1 AS a,\n    2\nFROM t');
    expect((await server.call('/v0/sql_format?q=select {{Int32(a)}}')).json['q']).toBe('select {{Int32(a)}}');
    expect((await server.call('/v0/sql_format?q=select ((&with_clickhouse_format=true')).status).toBe(400);
    const replaced = await server.call('POST /v0/sql_replace', {
      body: new URLSearchParams({
        q: "SELECT a FROM a, b JOIN x.y WHERE 'FROM a' = ''",
        replacements: '{"a":"(SELECT 1)","x.y":"z"}',
      }),
    });
    expect(replaced.json['query']).toBe("SELECT a FROM (SELECT 1), b JOIN z WHERE 'FROM a' = ''");
    expect(
      (await server.call('POST /v0/sql_replace', { body: new URLSearchParams({ q: 'SELECT 1', replacements: '[' }) }))
        .status,
    ).toBe(400);
  });
});

it('has not logged an error of its own', () => {
  expect([...server.faults, ...guarded.faults]).toEqual([]);
});
