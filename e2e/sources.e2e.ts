/**
 * Switches of data sources: off, or a share of the events, chosen by a hash. Whoever sends is answered as if all were taken, and the
 * change is recorded.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey } from './support/admin.ts';
import { control } from './support/mirror.ts';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import type { Workspace } from './support/workspace.ts';
import { call, localWorkspace, rowsOf } from './support/workspace.ts';

interface Answered {
  readonly successful_rows: number;
  readonly quarantined_rows: number;
  readonly warning?: string;
}

interface Source {
  readonly tenant: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly percent: number;
  readonly leftOut: { readonly requests: number; readonly events: number };
}

let server: Server;
let workspace: Workspace;

beforeAll(async () => {
  server = await startServer();
  workspace = await localWorkspace(server);
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

const set = (body: object): Promise<Source> =>
  control<Source>(server.url, 'PUT /api/v1/sources', { body, token: server.adminToken });

async function send(
  name: string,
  rows: readonly object[],
  wait = true,
): Promise<Answered & { readonly status: number }> {
  const body = rows.map((row) => JSON.stringify(row)).join('\n');
  const { status, text } = await call(workspace, `POST /v0/events?name=${name}${wait ? '&wait=true' : ''}`, { body });
  return { status, ...(JSON.parse(text) as Answered) };
}

async function sourceNamed(name: string): Promise<Source | undefined> {
  const { sources } = await control<{ sources: readonly Source[] }>(server.url, 'GET /api/v1/sources', {
    token: server.adminToken,
  });
  return sources.find((one) => one.name === name);
}

const rows = (users: number, each: number): object[] =>
  Array.from({ length: users * each }, (_, number) => ({ user: `u${number % users}`, n: number }));

describe('a data source that is off', () => {
  it('answers as if it took the events, and takes none', async () => {
    await send('switched', rows(1, 3));
    await set({ name: 'switched', enabled: false });
    expect(await send('switched', rows(2, 2))).toMatchObject({
      status: 200,
      successful_rows: 0,
      quarantined_rows: 0,
      warning: 'data source switched is switched off',
    });
    expect(await send('switched', rows(2, 2), false)).toMatchObject({ status: 202, successful_rows: 0 });
    // The connection can be used again, although nobody read what was sent.
    expect(await send('switched', rows(100, 500), false)).toMatchObject({ status: 202 });
    await set({ name: 'switched', enabled: true });
    expect(await send('switched', rows(1, 1))).toMatchObject({ status: 200, successful_rows: 1 });
    expect(await rowsOf(workspace, 'SELECT toUInt32(count()) AS n FROM switched FORMAT JSON')).toEqual([{ n: 4 }]);
    expect(await sourceNamed('switched')).toMatchObject({ enabled: true, leftOut: { requests: 3, events: 0 } });
  });

  it('is not made while it is off', async () => {
    await set({ name: 'not_yet', enabled: false });
    expect(await send('not_yet', rows(1, 1))).toMatchObject({ status: 200, successful_rows: 0 });
    const { status } = await call(workspace, 'GET /v0/datasources/not_yet');
    expect(status).toBe(404);
  });

  it('still refuses who may not send', async () => {
    await set({ name: 'switched', enabled: false });
    const answer = await fetch(`${server.url}/v0/events?name=switched`, {
      method: 'POST',
      headers: { authorization: 'Bearer p.none.of-them' },
      body: '{}',
    });
    expect(answer.status).toBe(403);
    await set({ name: 'switched', enabled: true });
  });
});

describe('a share', () => {
  it('takes all events of the chosen keys and none of the others, the same each time', async () => {
    await set({ name: 'shared', percent: 30, key: 'user' });
    const answer = await send('shared', rows(50, 4));
    expect(answer.status).toBe(200);
    expect(answer.successful_rows % 4).toBe(0);
    expect(answer.successful_rows).toBeGreaterThan(0);
    expect(answer.successful_rows).toBeLessThan(200);
    expect(answer.warning).toMatch(/^left out \d+ of 200 events: /u);
    await send('shared', rows(50, 4));
    const users = await rowsOf(workspace, 'SELECT user, toUInt32(count()) AS n FROM shared GROUP BY user FORMAT JSON');
    expect(users.map(({ n }) => n)).toEqual(users.map(() => 8));
    expect(users.length * 4).toBe(answer.successful_rows);
    expect(await sourceNamed('shared')).toMatchObject({ leftOut: { events: 2 * (200 - answer.successful_rows) } });

    await set({ name: 'shared', percent: 60 });
    await send('shared', rows(50, 4));
    const counts = await rowsOf(workspace, 'SELECT user, toUInt32(count()) AS n FROM shared GROUP BY user FORMAT JSON');
    expect(counts.length).toBeGreaterThan(users.length);
    // Who was in stays in.
    expect(counts.filter(({ n }) => n === 12)).toHaveLength(users.length);
    expect(counts.filter(({ n }) => n === 4)).toHaveLength(counts.length - users.length);
  });

  it('of nothing takes nothing, and is no fault of a batch with a name', async () => {
    await set({ name: 'none', percent: 0 });
    for (const expected of ['new', 'new']) {
      const answer = await fetch(`${server.url}/v0/events?name=none`, {
        method: 'POST',
        headers: { authorization: `Bearer ${workspace.token}`, 'x-glasshouse-batch': 'batch-1' },
        body: '{"a":1}',
      });
      expect([answer.status, answer.headers.get('x-glasshouse-batch')]).toEqual([202, expected]);
    }
  });
});

describe('the settings', () => {
  it('are recorded with what was before and after', async () => {
    await set({ name: 'recorded', percent: 10, key: 'user' });
    await set({ name: 'recorded', enabled: false });
    await control(server.url, 'DELETE /api/v1/sources?name=recorded', { token: server.adminToken });
    const { entries } = await control<{ entries: readonly { target: string }[] }>(server.url, 'GET /api/v1/audit', {
      token: server.adminToken,
    });
    expect(entries.filter(({ target }) => target === 'recorded')).toMatchObject([
      { action: 'source.remove', before: { enabled: false, percent: 10 }, after: null },
      {
        action: 'source.set',
        before: { enabled: true, percent: 10, key: 'user' },
        after: { enabled: false, percent: 10 },
      },
      { action: 'source.set', before: null, after: { enabled: true, percent: 10, key: 'user' } },
    ]);
  });

  it('are shown to the own tenant only, and changed by the administrator only', async () => {
    const { key } = await createKey(server, { name: 'other', tenant: 'other', scopes: ['query'] });
    await set({ tenant: 'other', name: 'theirs', percent: 1 });
    const { sources } = await control<{ sources: readonly Source[] }>(server.url, 'GET /api/v1/sources', {
      token: key,
    });
    expect(sources.map(({ name }) => name)).toEqual(['theirs']);
    for (const request of ['GET /api/v1/sources?tenant=default', 'GET /api/v1/mirror?tenant=default'])
      await expect(control(server.url, request, { token: key })).rejects.toThrow(/403/u);
    for (const path of ['sources', 'mirror'])
      await expect(
        control(server.url, `PUT /api/v1/${path}`, { body: { tenant: 'other', name: 'theirs' }, token: key }),
      ).rejects.toThrow(/403/u);
  });

  it.each([
    ['sources', { name: 'a b' }],
    ['sources', { name: 'a', percent: 101 }],
    ['sources', { name: 'a', percent: '10' }],
    ['sources', { name: 'a', enabled: 'no' }],
    ['sources', { name: 'a', key: 7 }],
    ['sources', { name: 'a', other: 1 }],
    ['sources', {}],
    ['mirror', {}],
    ['mirror', { url: 'https://example.com' }],
    ['mirror', { url: 'ftp://example.com', token: 't' }],
    ['mirror', { url: 'https://u:p@example.com', token: 't' }],
    ['mirror', { url: 'https://example.com?x=1', token: 't' }],
    ['mirror', { url: 'https://example.com', token: 'two words' }],
    ['mirror', { url: 'https://example.com', token: 't', percent: -1 }],
    ['mirror', { url: 'https://example.com', token: 't', sources: 'all' }],
    ['mirror', { url: 'https://example.com', token: 't', limitBytes: 5 }],
    ['mirror', { url: 'https://example.com', token: 't', paused: 1 }],
  ])('of %s refuse %j', async (path, body) => {
    await expect(control(server.url, `PUT /api/v1/${path}`, { body, token: server.adminToken })).rejects.toThrow(
      /400 .*cannot /u,
    );
  });
});
