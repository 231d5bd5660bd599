import type { Pipe } from '@glasshouse/model';
import { SHARED_DATABASE } from '@glasshouse/store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtInPipes } from '../../platform/built-in-pipes.ts';
import { readResource } from '../../platform/project.ts';
import { dataSource } from '../../platform/testing/stand.ts';
import { pipeRoutes } from './pipe-routes.ts';
import type { PipeStand } from './testing/pipes.ts';
import { openPipes, TENANT } from './testing/pipes.ts';

type Json = Readonly<Record<string, unknown>>;

const FILE = `DESCRIPTION >
    Numbers up to a limit.

NODE endpoint
SQL >
    %
    SELECT number FROM numbers({{ UInt8(limit, 3, description='How many') }})

TYPE endpoint
`;

const named = (name: string): Pipe => readResource(name, 'pipe', FILE) as Pipe;
const NAMES = ['everywhere', 'taken_by_pipe', 'taken_by_source', 'for_a_while'];

let stand: PipeStand;

beforeAll(async () => {
  stand = await openPipes(pipeRoutes, { builtIn: NAMES.map(named) });
  await stand.put('taken_by_pipe', "SELECT 'own' AS whose");
  await stand.platform.registry.createDataSource(TENANT, dataSource('taken_by_source'));
});

afterAll(() => stand.close());

const ask = async (
  path: string,
  init: Parameters<PipeStand['call']>[1] = {},
): Promise<{ status: number; json: Json; text: string }> => {
  const { status, text } = await stand.call(path, init);
  return { status, text, json: text.startsWith('{') ? (JSON.parse(text) as Json) : {} };
};
const rows = async (path: string): Promise<unknown> => (await ask(path)).json['data'];
const listed = async (path: string): Promise<string[]> =>
  ((await ask(path)).json['pipes'] as { name: string }[]).map(({ name }) => name);

describe('a pipe that every workspace has', () => {
  it('answers like an endpoint that was deployed, with parameters', async () => {
    expect(await rows('/v0/pipes/everywhere.json?limit=2')).toEqual([{ number: 0 }, { number: 1 }]);
    expect((await ask('/v0/pipes/everywhere.ndjson?limit=1')).text).toBe('{"number":0}\n');
    expect(await rows('/v0/pipes/everywhere.json?q=SELECT%20count()%20AS%20n%20FROM%20everywhere')).toEqual([{ n: 3 }]);
  });

  it('answers a token with a scope for it, and no other', async () => {
    const reader = await stand.token('reader', 'PIPES:READ:everywhere');
    const other = await stand.token('other', 'PIPES:READ:taken_by_pipe');
    expect((await ask('/v0/pipes/everywhere.json', { token: reader })).status).toBe(200);
    expect((await ask('/v0/pipes/everywhere.json', { token: other })).status).toBe(403);
    expect((await ask('/v0/pipes/everywhere.json', { token: null })).status).toBe(403);
  });

  it('is recorded under an id that stays the same', async () => {
    await ask('/v0/pipes/everywhere.json');
    const { id, name } = stand.uses.at(-1)?.pipe ?? { id: '', name: '' };
    expect(name).toBe('everywhere');
    expect(await rows(`/v0/pipes/${id}.json?limit=1`)).toEqual([{ number: 0 }]);
  });

  it('is listed and shown on request only, and always described', async () => {
    expect(await listed('/v0/pipes')).toEqual(['taken_by_pipe']);
    expect(await listed('/v0/pipes?built_in=true')).toEqual(['taken_by_pipe', 'everywhere', 'for_a_while']);
    expect((await ask('/v0/pipes/everywhere')).status).toBe(404);
    const { json } = await ask('/v0/pipes/everywhere?built_in=true');
    expect(json).toMatchObject({ name: 'everywhere', type: 'endpoint', description: 'Numbers up to a limit.' });
    const { paths } = (await ask('/v0/pipes/openapi.json')).json as { paths: Record<string, unknown> };
    expect(paths['/v0/pipes/everywhere.json']).toMatchObject({
      get: {
        parameters: [
          { name: 'limit', required: false, description: 'How many', schema: { type: 'integer', default: 3 } },
          { name: 'q' },
        ],
      },
    });
    expect((await ask('/v0/pipes/everywhere.pipe')).text).toContain('NODE endpoint');
  });

  it.each([
    ['PUT', '/v0/pipes/everywhere?description=x'],
    ['DELETE', '/v0/pipes/everywhere'],
    ['POST', '/v0/pipes/everywhere/nodes?name=more'],
    ['PUT', '/v0/pipes/everywhere/nodes/endpoint'],
    ['DELETE', '/v0/pipes/everywhere/nodes/endpoint'],
    ['DELETE', '/v0/pipes/everywhere/endpoint'],
  ])('is not changed by %s %s', async (method, path) => {
    const { status, json } = await ask(path, { method, body: method === 'DELETE' ? null : 'SELECT 1' });
    expect(status).toBe(409);
    expect(json['error']).toMatch(/every workspace has it; a pipe of your own with this name takes its place$/u);
  });

  it('gives way to a pipe of the workspace, and comes back when that is gone', async () => {
    expect(await rows('/v0/pipes/taken_by_pipe.json')).toEqual([{ whose: 'own' }]);
    const nodes = [{ name: 'n', sql: "SELECT 'mine' AS whose", type: 'endpoint' }];
    const { status } = await ask('/v0/pipes', {
      method: 'POST',
      body: JSON.stringify({ name: 'for_a_while', nodes }),
      headers: { 'content-type': 'application/json' },
    });
    expect(status).toBe(200);
    expect(await rows('/v0/pipes/for_a_while.json')).toEqual([{ whose: 'mine' }]);
    expect((await ask('/v0/pipes/for_a_while', { method: 'DELETE' })).status).toBe(204);
    expect(await rows('/v0/pipes/for_a_while.json?limit=1')).toEqual([{ number: 0 }]);
  });

  it('gives way to a data source of the workspace', async () => {
    expect((await ask('/v0/pipes/taken_by_source.json')).status).toBe(404);
  });

  it('can be read by other pipes', async () => {
    await stand.put('reading', 'SELECT sum(number) AS total FROM everywhere');
    expect(await rows('/v0/pipes/reading.json')).toEqual([{ total: 3 }]);
  });

  it('is no part of a deployment', async () => {
    const { deployments } = stand.platform;
    const { result, deployment } = await deployments.deploy(TENANT, [], { check: true, allowDestructive: true });
    expect([result, deployment.deletedPipes]).toEqual(['success', ['reading', 'taken_by_pipe']]);
  });
});

describe('the built-in pipes', () => {
  it('read the views that every workspace has by their full names, or its events, and no pipe', () => {
    for (const pipe of builtInPipes()) {
      const names = new Set(pipe.nodes.map(({ name }) => name));
      for (const { sql } of pipe.nodes)
        for (const [, table = ''] of sql.matchAll(/\b(?:FROM|JOIN)\s+([\w.]+)(?![\w.(])/gu)) {
          const isRead = names.has(table) || table === 'llm_events' || table.startsWith(`${SHARED_DATABASE}.`);
          expect(isRead, `${pipe.name}: ${table}`).toBe(true);
        }
    }
  });

  it('are described, and so are their parameters', () => {
    for (const pipe of builtInPipes()) {
      expect(pipe.description, pipe.name).toBeTruthy();
      for (const { name, description } of stand.endpoints.parametersOf(TENANT, pipe))
        expect(description, `${pipe.name} ${name}`).toBeTruthy();
    }
  });
});
