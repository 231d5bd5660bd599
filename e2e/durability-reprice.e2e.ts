/**
 * Pricing again under `kill -9`: each round sets another price, asks what would change, begins, and kills the server or its engine in
 * the middle. The run goes on by itself, and its sums are those of the run that was not interrupted; so are the rows'.
 *
 * GLASSHOUSE_KILL_ROUNDS sets the number of rounds; a few run by default.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KillableServer } from './support/durability-server.ts';

const ROUNDS = Number(process.env['GLASSHOUSE_KILL_ROUNDS'] ?? 4);
const ADMIN = 'admin-token-of-the-tests';
const ENV = { GLASSHOUSE_AUTH: 'open', GLASSHOUSE_ADMIN_TOKEN: ADMIN, GLASSHOUSE_LOG_LEVEL: 'info' };
const CALLS = 60_000;
const BATCH = 2_000;
const MODELS = ['gpt-4o', 'gpt-4o-mini', 'o3-mini'];
const RUN_MS = 90_000;

interface Run {
  readonly id: string;
  readonly status: string;
  readonly error: string;
  readonly generations: number;
  readonly changed: number;
  readonly before: string;
  readonly after: string;
  readonly models: readonly Readonly<Record<string, unknown>>[];
}

let dataDir: string;
let server: KillableServer;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'glasshouse-kill-reprice-'));
  server = await KillableServer.start(dataDir, ENV);
  const now = Date.now();
  for (let first = 0; first < CALLS; first += BATCH) {
    const lines = Array.from({ length: BATCH }, (_, index) => JSON.stringify(callOf(first + index, now)));
    const answer = await fetch(`${server.url}/v0/events?name=traces`, { method: 'POST', body: lines.join('\n') });
    expect(answer.status, await answer.text()).toBe(202);
  }
  await server.drained();
});

afterAll(async () => {
  await server?.end();
  await rm(dataDir, { recursive: true, force: true });
});

/** A row of `traces`, at some second of the last two days. */
function callOf(number: number, now: number): object {
  const [prompt, completion] = [100 + (number % 977), 10 + (number % 89)];
  return {
    ...{ tenant_id: 'default', project_id: 'p', environment: 'dev', trace_id: `t${number}`, span_id: `s${number}` },
    timestamp: new Date(now - (number % 172_000) * 1000).toISOString(),
    ...{ query: 'q', response: 'r', response_length: 1, latency_ms: 5, metadata_json: '{}', headers_json: '{}' },
    ...{ model: MODELS[number % MODELS.length], tokens_prompt: prompt, tokens_completion: completion },
  };
}

async function ask(method: string, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`${server.url}/api/v1/prices/${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (answer.status >= 300) throw new Error(`cannot ask for ${path}: ${answer.status} ${text}\n${server.logs()}`);
  return JSON.parse(text);
}

const since = (): string => new Date(Date.now() - 5 * 86_400_000).toISOString().slice(0, 10);
const begin = (dryRun: boolean): Promise<Run> => ask('POST', 'repricings', { since: since(), dryRun }) as Promise<Run>;

/** The run when it has ended. */
async function ended(id: string): Promise<Run> {
  for (const until = Date.now() + RUN_MS; ; await pause(25)) {
    // While the engine is away nobody is answered.
    const run = await (ask('GET', `repricings?id=${id}`) as Promise<Run>).catch(() => undefined);
    if (run !== undefined && run.status !== 'working') return run;
    if (Date.now() > until)
      throw new Error(`cannot see the end of run=${id}: ${JSON.stringify(run)}\n${server.logs()}`);
  }
}

async function stored(): Promise<{ readonly rows: string; readonly cost: string }> {
  const sql = 'SELECT toString(count()) AS rows, toString(sum(cost)) AS cost FROM generations';
  const [row] = await server.sql<{ rows: string; cost: string }>(sql);
  return row ?? { rows: '', cost: '' };
}

const sumsOf = ({ generations, changed, before, after, models }: Run): object => ({
  ...{ generations, changed, before, after },
  models: models.toSorted((a, b) => String(a['model']).localeCompare(String(b['model']))),
});

test(`is exact over ${ROUNDS} kills`, { timeout: 120_000 + ROUNDS * 180_000 }, async ({ annotate }) => {
  expect((await stored()).rows).toBe(String(CALLS));
  const told: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const model of MODELS)
      await ask('POST', 'overrides', {
        ...{ provider: 'openai', models: [model] },
        prices: { input: `${round + 3}.000001`, output: `${round + 7}.5` },
      });
    const startedMs = Date.now();
    const expected = await ended((await begin(true)).id);
    const tookMs = Date.now() - startedMs;
    expect([expected.status, expected.changed], expected.error).toEqual(['done', CALLS]);
    const { id } = await begin(false);
    await pause(Math.random() * tookMs * 1.5);
    const victim = round % 3 === 2 ? 'engine' : 'server';
    server.signal(victim, 'SIGKILL');
    if (victim === 'server') {
      await server.exited();
      server = await KillableServer.start(dataDir, ENV);
    }
    const run = await ended(id);
    told.push(`${victim}: ${run.status}`);
    expect(run.status, `${run.error}\n${server.logs()}`).toBe('done');
    expect(sumsOf(run)).toEqual(sumsOf(expected));
    expect(await stored()).toEqual({ rows: String(CALLS), cost: expected.after });
    const nothing = await ended((await begin(true)).id);
    expect([nothing.status, nothing.changed, nothing.before]).toEqual(['done', 0, expected.after]);
  }
  await annotate(told.join(', '));
});
