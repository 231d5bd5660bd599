/**
 * Clients that send more than the server allows: each must see 429 with the headers that it reads, wait as they say, and get
 * everything through in the end. The limit is low, so that few requests are over it.
 */

import { join } from 'node:path';
import { TinybirdClient } from '@tinybirdco/sdk';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { pythonEnvironment } from './support/python-environment.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import { INSTALL_MS, runProgram } from './support/toolbox.ts';
import type { Workspace } from './support/workspace.ts';
import { call, localWorkspace, rowsOf } from './support/workspace.ts';

const PROGRAM = join(import.meta.dirname, 'interop/python/rates.py');
/** Requests per second; also how many may follow at once. */
const LIMIT = 3;
const COUNT = 10;
const VISIBLE_MS = 30_000;
/** The tests' own questions are limited too. */
const POLL_MS = 1_000;

let server: Server;
let workspace: Workspace;
let python: string;

beforeAll(async () => {
  [server, python] = await Promise.all([
    startServer({ env: { GLASSHOUSE_EVENTS_REQUESTS_PER_SECOND: String(LIMIT) } }),
    pythonEnvironment('python-sdk').then((programs) => join(programs, 'python')),
  ]);
  workspace = await localWorkspace(server);
  const made = await patiently('POST /v0/datasources?name=rated&format=ndjson', {
    body: new URLSearchParams({ schema: 'kind String `json:$.kind`, n UInt32 `json:$.n`' }),
  });
  if (made.status !== 200) throw new Error(`cannot make the data source: ${made.status} ${made.text}`);
}, INSTALL_MS);

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

/** Asks again while the rate is too high. */
async function patiently(...wish: readonly [string, RequestInit?]): ReturnType<typeof call> {
  const [request, init] = wish;
  return vi.waitFor(
    async () => {
      const answer = await call(workspace, request, init);
      if (answer.status === 429) throw new Error(`cannot ${request}: ${answer.text}`);
      return answer;
    },
    { timeout: VISIBLE_MS, interval: POLL_MS },
  );
}

/** A token that is used for nothing else, so that the limit of its requests is too. */
async function tokenFor(name: string): Promise<string> {
  const scopes = 'scope=DATASOURCES:APPEND:rated&scope=DATASOURCES:READ:rated';
  const { text } = await patiently(`POST /v0/tokens?name=${name}&${scopes}`);
  return (JSON.parse(text) as { token: string }).token;
}

/** The numbers of the rows of a kind, in order, when there are as many as expected. */
async function expectAll(kind: string, count = COUNT): Promise<void> {
  const query = `SELECT n FROM rated WHERE kind = '${kind}' ORDER BY n`;
  const expected: readonly Row[] = Array.from({ length: count }, (_, n) => ({ n }));
  await expect.poll(() => rowsOf(workspace, query), { timeout: VISIBLE_MS, interval: POLL_MS }).toEqual(expected);
}

describe('the SDK for Python', () => {
  /** Limit, remaining, reset and retry-after, as the SDK read them. */
  type Refusal = readonly [number, number, number, number];

  async function run<T>(command: string): Promise<T> {
    const args = [PROGRAM, command, server.url, await tokenFor(command), String(COUNT)];
    return JSON.parse(await runProgram(python, args)) as T;
  }

  function expectTold(refusals: readonly Refusal[]): void {
    expect(refusals.length).toBeGreaterThan(0);
    for (const [limit, remaining, reset, retryAfter] of refusals) {
      expect([limit, remaining]).toEqual([LIMIT, 0]);
      expect(reset).toBeGreaterThanOrEqual(1);
      expect(retryAfter).toBe(reset);
    }
  }

  it('waits and brings every row, once', async () => {
    const { refusals } = await run<{ refusals: readonly Refusal[] }>('datasource');
    expectTold(refusals);
    // After each it waits for two seconds, and all of the limit is there again.
    expect(refusals.length).toBeLessThanOrEqual(COUNT / LIMIT + 1);
    await expectAll('sync');
  });

  it('gets answers to all that it reads', async () => {
    const { statuses } = await run<{ statuses: readonly number[] }>('get');
    expect(statuses).toEqual(Array.from({ length: COUNT }, () => 200));
  });

  it('asynchronously, tells its caller what was refused, and that was not taken', async () => {
    const { refusals, lost } = await run<{ refusals: readonly Refusal[]; lost: number }>('async-once');
    expectTold(refusals);
    expect(lost).toBe(refusals.length);
    const rows = async (): Promise<unknown> =>
      (
        await rowsOf(workspace, "SELECT count() AS rows, uniqExact(n) AS different FROM rated WHERE kind = 'async 1'")
      )[0];
    const taken = { rows: COUNT - lost, different: COUNT - lost };
    await expect.poll(rows, { timeout: VISIBLE_MS, interval: POLL_MS }).toEqual(taken);
  });

  it('asynchronously, brings every row, once, if it may try again', async () => {
    const { refusals, lost } = await run<{ refusals: readonly Refusal[]; lost: number }>('async-again');
    expectTold(refusals);
    expect(lost).toBe(0);
    await expectAll('async 10');
  });
});

describe('the SDK for TypeScript', () => {
  /** A client, and the answers that it got. */
  async function observed(name: string): Promise<{ client: TinybirdClient; answers: Response[] }> {
    const answers: Response[] = [];
    const watch: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      answers.push(answer);
      return answer;
    };
    const token = await tokenFor(name);
    return { client: new TinybirdClient({ baseUrl: workspace.url, token, fetch: watch }), answers };
  }

  const rows = (kind: string): readonly Row[] => Array.from({ length: COUNT }, (_, n) => ({ kind, n }));

  it('waits and brings every row, once', async () => {
    const { client, answers } = await observed('ts-again');
    const counts = await Promise.all(rows('ts').map((row) => client.ingest('rated', row, { maxRetries: COUNT })));
    expect(counts).toEqual(rows('ts').map(() => ({ successful_rows: 1, quarantined_rows: 0 })));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const { headers } of refused) {
      expect(headers.get('x-ratelimit-limit')).toBe(String(LIMIT));
      expect(headers.get('x-ratelimit-remaining')).toBe('0');
      expect(headers.get('x-ratelimit-reset')).toMatch(/^\d+$/);
      expect(headers.get('retry-after')).toBe(headers.get('x-ratelimit-reset'));
    }
    await expectAll('ts');
  });

  it('tells its caller what was refused, unless it may try again', async () => {
    const { client } = await observed('ts-once');
    const ended = await Promise.allSettled(rows('ts once').map((row) => client.ingest('rated', row)));
    const refused = ended.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) {
      expect(error).toMatchObject({ statusCode: 429, message: expect.stringContaining('per second') as unknown });
    }
  });
});
