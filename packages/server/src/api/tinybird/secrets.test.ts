/** Secrets over their routes, on the whole server: what clients do with them, and what templates see of them. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(async () => server.close());

const form = (values: Readonly<Record<string, string>>): URLSearchParams => new URLSearchParams(values);

describe('a secret', () => {
  it('is made and listed without its value', async () => {
    expect((await server.call('/v0/variables')).json).toEqual({ variables: [] });
    expect((await server.call('/v0/variables/salt')).status).toBe(404);
    const made = await server.call('POST /v0/variables', { body: form({ name: 'salt', value: 'hush=1&2' }) });
    expect([made.status, made.json]).toMatchObject([200, { name: 'salt', type: 'secret' }]);
    const listed = await server.call('/v0/variables');
    expect(listed.json).toMatchObject({ variables: [{ name: 'salt', created_at: made.json['created_at'] }] });
    expect(made.text + listed.text + (await server.call('/v0/variables/salt')).text).not.toContain('hush');
  });

  it('is what templates of the workspace make of its name, for who may call them', async () => {
    const sql = "%\nSELECT {{ tb_secret('salt') }} AS salt, {{ tb_secret('other', 'none') }} AS other";
    expect((await server.call('POST /v0/pipes?name=salted', { body: sql })).status).toBe(200);
    expect((await server.call('POST /v0/pipes/salted/nodes/salted_0/endpoint')).status).toBe(200);
    const reader = await server.token('reader', 'PIPES:READ:salted');
    const rows = async (token?: string): Promise<unknown> =>
      (await server.call('/v0/pipes/salted.json', token === undefined ? {} : { token })).json['data'];
    expect(await rows()).toEqual([{ salt: 'hush=1&2', other: 'none' }]);
    expect(await rows(reader)).toEqual([{ salt: 'hush=1&2', other: 'none' }]);
    expect((await server.call('PUT /v0/variables/salt', { body: form({ value: 'second' }) })).status).toBe(200);
    expect(await rows(reader)).toEqual([{ salt: 'second', other: 'none' }]);
    expect((await server.call('/v0/variables', { token: reader })).status).toBe(403);
    const own = await server.call('POST /v0/sql', { body: "%\nSELECT {{ tb_secret('salt') }}", token: reader });
    expect([own.status, own.text.includes('second')]).toEqual([400, false]);
  });

  it('is gone when it was removed, and a template says which one it lacks', async () => {
    expect((await server.call('DELETE /v0/variables/salt')).json).toEqual({ ok: true });
    const answer = await server.call('/v0/pipes/salted.json');
    expect([answer.status, answer.json['error']]).toEqual([400, expect.stringContaining('salt') as unknown]);
  });

  it.each([
    ['POST /v0/variables', { name: 'a' }, 400],
    ['POST /v0/variables', { value: 'a' }, 400],
    ['POST /v0/variables', { name: 'a b', value: 'a' }, 400],
    ['POST /v0/variables', { name: 'a', value: 'a', type: 'file' }, 400],
    ['PUT /v0/variables/nothing', { value: 'a' }, 404],
    ['DELETE /v0/variables/nothing', {}, 404],
  ] as const)('%s %j is refused', async (request, values, status) => {
    const answer: Answer = await server.call(request, { body: form(values) });
    expect([answer.status, typeof answer.json['error']]).toEqual([status, 'string']);
  });

  it('needs a credential, also on a server that asks for none', async () => {
    for (const request of ['/v0/variables', '/v0/variables/x', 'DELETE /v0/variables/x'])
      expect((await server.call(request, { token: null })).status).toBe(403);
    const body = form({ name: 'page', value: 'x' });
    expect((await server.call('POST /v0/variables', { token: null, body })).status).toBe(403);
  });
});
