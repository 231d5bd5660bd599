/** Tags of resources over their routes, on the whole server: as a command line sets them after it pushed a file. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

let server: TestServer;

type Tag = { readonly name: string; readonly resources: readonly { readonly name: string; readonly type: string }[] };

beforeAll(async () => {
  server = await startTestServer();
  const schema = encodeURIComponent('`n` UInt32 `json:$.n`');
  expect((await server.call(`POST /v0/datasources?name=visits&schema=${schema}`)).status).toBe(200);
  expect((await server.call('POST /v0/pipes?name=top', { body: 'SELECT n FROM visits' })).status).toBe(200);
});

afterAll(async () => server.close());

const send = (request: string, body: object, token?: string): ReturnType<TestServer['call']> =>
  server.call(request, {
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
    ...(token === undefined ? {} : { token }),
  });

async function tags(token?: string): Promise<Record<string, readonly string[]>> {
  const { json } = await server.call('/v0/tags', token === undefined ? {} : { token });
  const list = json['tags'] as readonly Tag[];
  return Object.fromEntries(
    list.map(({ name, resources }) => [name, resources.map((one) => `${one.type} ${one.name}`)]),
  );
}

const fileOf = async (path: string): Promise<string> => (await server.call(path)).text;

describe('a tag', () => {
  it('is set on resources, and then part of their files', async () => {
    expect(await tags()).toEqual({});
    const visits = { id: '', name: 'visits', type: 'datasource' };
    const { status, json } = await send('POST /v0/tags', { name: 'web', resources: [visits] });
    expect([status, json]).toMatchObject([200, { name: 'web', resources: [{ name: 'visits', type: 'datasource' }] }]);
    const both = [visits, { name: 'top', type: 'pipe' }];
    expect((await send('PUT /v0/tags/web', { resources: both })).status).toBe(200);
    expect((await send('POST /v0/tags', { name: 'of the team', resources: [visits] })).status).toBe(200);
    expect(await tags()).toEqual({ web: ['pipe top', 'datasource visits'], 'of the team': ['datasource visits'] });
    expect(await fileOf('/v0/datasources/visits.datasource')).toContain('TAGS "web, of the team"');
    expect(await fileOf('/v0/pipes/top.pipe')).toContain('TAGS "web"');
  });

  it('is shown with what one may see', async () => {
    const reader = await server.token('reader', 'PIPES:READ:top');
    expect(await tags(reader)).toEqual({ web: ['pipe top'] });
    expect((await send('PUT /v0/tags/web', { resources: [] }, reader)).status).toBe(403);
    expect((await server.call('DELETE /v0/tags/web', { token: reader })).status).toBe(403);
  });

  it('is taken from what is not named, renamed, and removed', async () => {
    expect((await send('PUT /v0/tags/web', { resources: [{ name: 'top' }] })).status).toBe(200);
    expect((await send('PUT /v0/tags/web', { name: 'site' })).status).toBe(200);
    expect(await tags()).toEqual({ site: ['pipe top'], 'of the team': ['datasource visits'] });
    expect((await server.call('DELETE /v0/tags/of%20the%20team')).status).toBe(204);
    expect((await server.call('DELETE /v0/tags/site')).status).toBe(204);
    expect(await tags()).toEqual({});
    expect(await fileOf('/v0/datasources/visits.datasource')).not.toContain('TAGS');
  });

  it.each([
    ['POST /v0/tags', { name: 'lonely' }, 400],
    ['POST /v0/tags', { resources: [{ name: 'top' }] }, 400],
    ['POST /v0/tags', { name: 'a, b', resources: [{ name: 'top' }] }, 400],
    ['POST /v0/tags', { name: 'a"b', resources: [{ name: 'top' }] }, 400],
    ['POST /v0/tags', { name: 'x'.repeat(101), resources: [{ name: 'top' }] }, 400],
    ['POST /v0/tags', { name: 'a', resources: [{ name: 'nowhere' }] }, 404],
    ['POST /v0/tags', { name: 'a', resources: [null] }, 404],
    ['PUT /v0/tags/nothing', { resources: [{ name: 'top' }] }, 404],
    ['DELETE /v0/tags/nothing', {}, 404],
  ])('%s %j is refused', async (request, body, status) => {
    const answer = await send(request, body);
    expect([answer.status, typeof answer.json['error']]).toEqual([status, 'string']);
    expect(await tags()).toEqual({});
  });
});
