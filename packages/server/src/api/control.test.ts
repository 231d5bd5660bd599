/** The administrator's routes, over HTTP, with a real store. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stand } from './testing/stand.ts';
import { ADMIN, openStand } from './testing/stand.ts';

type Json = Readonly<Record<string, unknown>>;

let stand: Stand;

beforeAll(async () => {
  stand = await openStand('open');
});

afterAll(() => stand.close());

it('makes a key, which works at once, lists it without its secret, and revokes it, which works at once', async () => {
  const made = await ask('POST', 'keys', {
    name: 'laptop',
    tenant: 'shop',
    project: 'web',
    environment: 'prod',
    expiresInDays: 2,
  });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({
    name: 'laptop',
    tenant: 'shop',
    project: 'web',
    environment: 'prod',
    scopes: ['ingest', 'query'],
  });
  const { id, key } = made.body as { id: string; key: string };
  expect((await stand.sql('SELECT currentDatabase() FORMAT TSV', key)).text).toBe('tenant_shop\n');

  const listed = await ask('GET', 'keys?tenant=shop');
  expect(listed.body['keys']).toEqual([
    expect.objectContaining({ id, revokedAt: null, expiresAt: expect.any(String) as unknown }),
  ]);
  expect(JSON.stringify(listed.body)).not.toMatch(new RegExp(`hash|${key.slice(16)}`, 'u'));

  const revoked = await ask('DELETE', `keys?id=${id}`);
  expect(revoked).toMatchObject({ status: 200, body: { id, revokedAt: expect.any(String) as unknown } });
  expect((await stand.sql('SELECT 1', key)).status).toBe(403);
});

it('rotates a key with an overlap, and without one', async () => {
  const first = (await ask('POST', 'keys', { name: 'turning', tenant: 'shop', scopes: ['query'] })).body;
  const rotate = (id: unknown, body: object) => ask('POST', `keys/${String(id)}/rotate`, body);
  const second = await rotate(first['id'], { overlapSeconds: 600 });
  expect(second).toMatchObject({
    status: 201,
    body: { name: 'turning', tenant: 'shop', scopes: ['query'], expiresAt: null },
  });
  const works = async (key: unknown): Promise<boolean> => (await stand.sql('SELECT 1', String(key))).status === 200;
  expect([await works(first['key']), await works(second.body['key'])]).toEqual([true, true]);
  const third = await rotate(second.body['id'], { overlapSeconds: 0, expiresInDays: 1 });
  expect(third.body['expiresAt']).toEqual(expect.any(String));
  expect([await works(second.body['key']), await works(third.body['key'])]).toEqual([false, true]);
  expect(await rotate(second.body['id'], {})).toMatchObject({ status: 409 });
  expect(await rotate('gone', {})).toMatchObject({ status: 404 });
  for (const body of [{ overlapSeconds: -1 }, { overlapSeconds: 'soon' }, { expiresInDays: 0 }])
    expect(await rotate(third.body['id'], body)).toMatchObject({ status: 400 });
});

it('makes and lists tenants', async () => {
  expect(await ask('POST', 'tenants', { name: 'new-one' })).toMatchObject({ status: 201, body: { name: 'new-one' } });
  expect(await ask('POST', 'tenants', { name: 'new-one' })).toMatchObject({ status: 201 });
  const { body } = await ask('GET', 'tenants');
  expect(body['tenants']).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'new-one' })]));
});

it('lets an administrator ask for the data of any tenant, and nobody else', async () => {
  await ask('POST', 'tenants', { name: 'new-one' });
  const key = await stand.key('shop');
  const asked = async (secret: string): Promise<Response> =>
    fetch(`${stand.base}/v0/sql?q=SELECT+currentDatabase()+FORMAT+TSV`, {
      headers: { authorization: `Bearer ${secret}`, 'x-glasshouse-tenant': 'new-one' },
    });
  expect(await (await asked(ADMIN)).text()).toBe('tenant__new__one\n');
  expect((await asked(key)).status).toBe(403);
});

describe('is refused', () => {
  it.each([
    ['without a credential', '', 403],
    ['with a wrong token', 'wrong-token-wrong-token', 401],
  ])('%s', async (_, token, status) => {
    expect((await ask('GET', 'keys', undefined, token)).status).toBe(status);
  });

  it('with a key that is no administrator’s', async () => {
    expect((await ask('GET', 'tenants', undefined, await stand.key('shop', ['ingest', 'query']))).status).toBe(403);
  });

  it.each([
    [{}],
    [{ name: '' }],
    [{ name: 'x', tenant: 'Not A Name' }],
    [{ name: 'x', scopes: ['root'] }],
    [{ name: 'x', scopes: [] }],
    [{ name: 'x', scopes: 'admin' }],
    [{ name: 'x', expiresInDays: -1 }],
    [{ name: 'x', expiresInDays: '3' }],
    [['x']],
    [7],
  ])('a key of %j', async (body) => {
    const answer = await ask('POST', 'keys', body);
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringMatching(/^cannot /u) as unknown } });
  });

  it('to revoke what is not there', async () => {
    expect(await ask('DELETE', 'keys?id=gone')).toMatchObject({ status: 404 });
    expect(await ask('DELETE', 'keys')).toMatchObject({ status: 400 });
  });
});

async function ask(
  method: string,
  path: string,
  body?: unknown,
  token = ADMIN,
): Promise<{ status: number; body: Json }> {
  const response = await fetch(`${stand.base}/api/v1/admin/${path}`, {
    method,
    headers: token === '' ? {} : { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Json };
}
