/** Whose a scope is: of the resource that it was given for, and of no later one that has its name. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

type Json = Readonly<Record<string, unknown>>;
type Files = Readonly<Record<string, string>>;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
}, 60_000);

afterAll(() => server?.close());

const make = async (name: string, note: string): Promise<void> => {
  const body = new URLSearchParams({ name, schema: 'note String `json:$.note`' });
  const { status, text } = await server.call('POST /v0/datasources', { body });
  expect(status, text).toBe(200);
  await server.events(name, { note });
};
const drop = async (path: string): Promise<void> =>
  expect((await server.call(`DELETE ${path}?force=true`)).status).toBeLessThan(300);
const ask = (token: string, request: string, body?: string): Promise<Answer> =>
  server.call(request, { token, ...(body === undefined ? {} : { body }) });
const read = async (token: string, name: string): Promise<unknown> => {
  const { status, json } = await ask(token, 'POST /v0/sql', `SELECT note FROM ${name} FORMAT JSON`);
  return status === 200 ? (json['data'] as readonly { note: string }[]).map(({ note }) => note) : status;
};
const scopesOf = async (name: string): Promise<unknown> => (await server.call(`/v0/tokens/${name}`)).json['scopes'];

describe('a scope for a data source', () => {
  it('is not for another one of that name, whatever it lets do', async () => {
    await make('reborn', 'old');
    const scopes = ['READ', 'APPEND', 'DROP'].map((action) => `DATASOURCES:${action}:reborn`);
    const token = await server.token('reader_of_reborn', ...scopes);
    expect(await read(token, 'reborn')).toEqual(['old']);
    await drop('/v0/datasources/reborn');
    expect(await scopesOf('reader_of_reborn')).toEqual([]);
    expect((await ask(token, 'POST /v0/events?name=reborn', '{"note":"theirs"}')).status).toBe(403);
    await make('reborn', 'secret');
    expect(await read(token, 'reborn')).toBe(403);
    expect((await ask(token, 'POST /v0/events?name=reborn&wait=true', '{"note":"theirs"}')).status).toBe(403);
    expect((await ask(token, '/v0/datasources/reborn')).status).toBeGreaterThanOrEqual(400);
    expect((await ask(token, 'DELETE /v0/datasources/reborn')).status).toBeGreaterThanOrEqual(400);
    expect((await ask(token, '/v0/datasources')).json['datasources']).toEqual([]);
    expect(await scopesOf('reader_of_reborn')).toEqual([]);
    expect(await server.rows('SELECT note FROM reborn')).toEqual([{ note: 'secret' }]);
    // Whoever gives it again means the new one.
    await server.call('PUT /v0/tokens/reader_of_reborn?scope=DATASOURCES:READ:reborn');
    expect(await read(token, 'reborn')).toEqual(['secret']);
  });

  it('that was given before there was one is for the first that came', async () => {
    const token = await server.token('early', 'DATASOURCES:READ:awaited');
    expect(await read(token, 'awaited')).toBeGreaterThanOrEqual(400);
    await make('awaited', 'first');
    expect(await read(token, 'awaited')).toEqual(['first']);
    await drop('/v0/datasources/awaited');
    await make('awaited', 'second');
    expect(await read(token, 'awaited')).toBe(403);
  });

  it('goes with it to another name', async () => {
    await make('moving', 'mine');
    const token = await server.token('mover', 'DATASOURCES:READ:moving');
    expect((await server.call('PUT /v0/datasources/moving?name=moved')).status).toBe(200);
    await make('moving', 'secret');
    expect([await read(token, 'moved'), await read(token, 'moving')]).toEqual([['mine'], 403]);
    expect(await scopesOf('mover')).toEqual([{ type: 'DATASOURCES:READ', resource: 'moved' }]);
  });
});

describe('a scope for a pipe', () => {
  const put = async (sql: string): Promise<void> => {
    const body = JSON.stringify({ name: 'page', nodes: [{ name: 'n', sql, type: 'endpoint' }] });
    const { status, text } = await server.call('POST /v0/pipes', {
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(status, text).toBe(200);
  };

  it('is not for another one of that name', async () => {
    await put('SELECT 1 AS n');
    const token = await server.token('reader_of_page', 'PIPES:READ:page');
    expect((await ask(token, '/v0/pipes/page.json')).json['data']).toEqual([{ n: 1 }]);
    await drop('/v0/pipes/page');
    await put('SELECT 2 AS n');
    expect((await ask(token, '/v0/pipes/page.json')).status).toBe(403);
    expect((await ask(token, 'POST /v0/sql', 'SELECT * FROM page')).status).toBeGreaterThanOrEqual(400);
  });
});

describe('a deployment', () => {
  const SOURCE = (column: string): string =>
    `SCHEMA >\n    \`note\` String \`json:$.note\`,\n    \`${column}\` String DEFAULT ''\n\nENGINE "MergeTree"\nENGINE_SORTING_KEY "note"\n`;
  const PAGE = 'NODE n\nSQL >\n    SELECT note FROM kept\nTYPE endpoint\n';

  it('takes a scope away with what it drops, and a rollback gives it back', async () => {
    const { json } = await server.call('POST /v1/workspaces?name=tokens_deployed');
    const admin = String(json['token']);
    const call = (request: string, body?: string | FormData): Promise<Answer> =>
      server.call(request, { token: admin, ...(body === undefined ? {} : { body }) });
    const deploy = async (files: Files): Promise<string> => {
      const body = new FormData();
      for (const [name, text] of Object.entries(files)) body.append('data_project://', new Blob([text]), name);
      const answer = await call('POST /v1/deploy?allow_destructive_operations=true&from=cli', body);
      const id = String((answer.json['deployment'] as Json)['id']);
      const status = async (): Promise<unknown> =>
        ((await call(`/v1/deployments/${id}`)).json['deployment'] as Json)['status'];
      await expect.poll(status, { timeout: 20_000 }).toBe('data_ready');
      await call(`POST /v1/deployments/${id}/set-live`);
      return id;
    };
    const first = await deploy({ 'kept.datasource': SOURCE('a'), 'page.pipe': PAGE });
    await call('POST /v0/events?name=kept&wait=true', '{"note":"old"}');
    const made = await call('POST /v0/tokens?name=t&scope=DATASOURCES:READ:kept&scope=PIPES:READ:page');
    const token = String(made.json['token']);
    const pages = async (): Promise<unknown> => {
      const { status, json: page } = await ask(token, '/v0/pipes/page.json');
      return status === 200 ? page['data'] : status;
    };
    expect([await read(token, 'kept'), await pages()]).toEqual([['old'], [{ note: 'old' }]]);
    const second = await deploy({ 'one.pipe': 'NODE n\nSQL >\n    SELECT 1\nTYPE endpoint\n' });
    await call(`POST /v1/deployments/${first}/set-live`);
    expect([await read(token, 'kept'), await pages()]).toEqual([['old'], [{ note: 'old' }]]);
    await call(`DELETE /v1/deployments/${second}`);
    await deploy({ 'one.pipe': 'NODE n\nSQL >\n    SELECT 1\nTYPE endpoint\n' });
    await call(`DELETE /v1/deployments/${first}`);
    await deploy({ 'kept.datasource': SOURCE('b'), 'page.pipe': PAGE.replace('note', "note, 'x' AS x") });
    await call('POST /v0/events?name=kept&wait=true', '{"note":"secret"}');
    expect([await read(token, 'kept'), await pages()]).toEqual([403, 403]);
  }, 60_000);
});

it('logged no fault', () => {
  expect(server.faults).toEqual([]);
});
