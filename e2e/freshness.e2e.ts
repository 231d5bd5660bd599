/**
 * How soon a row can be read after it was acknowledged. The limit here is generous: the time is printed, and judged by the
 * benchmark, where nothing else runs.
 */

import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { post } from './support/http.ts';
import { gauge, logRecord, request, span } from './support/payloads.ts';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';

const ROUNDS = 8;
const DEADLINE_MS = 15_000;
/** Light load: a batch of 20 spans every 50 ms. */
const LOAD_EVERY_MS = 50;
const LOAD_SPANS = 20;

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

/** Milliseconds from the answer to the send until the query finds a row; undefined if it never did. */
async function visibleAfter(signal: string, body: Uint8Array, query: string): Promise<number | undefined> {
  const answer = await post(`${server.url}/v1/${signal}`, body);
  expect(answer.status).toBe(200);
  const ackedAt = performance.now();
  while (performance.now() - ackedAt < DEADLINE_MS) {
    const askedAt = performance.now();
    // What a query sees is settled when it starts, so its own time does not count.
    if ((await server.sql(query)).length > 0) return askedAt - ackedAt;
    await pause(10);
  }
  return undefined;
}

it('a row can be read soon after its acknowledgement, under light load', async () => {
  const stop = new AbortController();
  const load = (async () => {
    while (!stop.signal.aborted) {
      await post(
        `${server.url}/v1/traces`,
        request(
          'load',
          Array.from({ length: LOAD_SPANS }, () => span()),
        ),
      );
      await pause(LOAD_EVERY_MS);
    }
  })();
  const times: number[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const name = randomBytes(8).toString('hex');
      for (const [signal, item, query] of [
        ['traces', span({ name }), `SELECT 1 FROM spans WHERE name = '${name}'`],
        ['logs', logRecord(name), `SELECT 1 FROM logs WHERE body = '${name}'`],
        ['metrics', gauge(name, 1), `SELECT 1 FROM metrics_gauge WHERE name = '${name}'`],
      ] as const) {
        const time = await visibleAfter(signal, request('fresh', [item]), query);
        expect(time, `the ${signal} of round ${round} became visible`).toBeDefined();
        times.push(time as number);
      }
    }
  } finally {
    stop.abort();
    await load;
  }
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => `${Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0)} ms`;
  process.stdout.write(
    `visible after the acknowledgement: p50 ${at(0.5)}, p90 ${at(0.9)}, most ${at(1)}, ${times.length} rows\n`,
  );
});
