/** The first events of a data source, when many senders begin at the same time. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

const SENDERS = 40;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

/** Sends an event to either port, and gives the status with what was wrong. */
async function send(name: string, n: number, body = `{"n":${n}}`): Promise<string> {
  const base = n % 2 === 0 ? server.base : `http://127.0.0.1:${server.port}`;
  const headers = { authorization: `Bearer ${server.admin}` };
  const response = await fetch(`${base}/v0/events?name=${name}`, { method: 'POST', headers, body });
  const text = await response.text();
  return response.status === 202 ? '202' : `${response.status} ${text}`;
}

const numbers = Array.from({ length: SENDERS }, (_, n) => n);

async function arrived(name: string): Promise<void> {
  await expect
    .poll(async () => server.rows(`SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(n)) AS items FROM ${name}`), {
      timeout: 20_000,
    })
    .toEqual([{ rows: SENDERS, items: SENDERS }]);
}

it('are all taken, and make one data source', async () => {
  const answers = await Promise.all(numbers.map((n) => send('begun', n)));
  expect(new Set(answers)).toEqual(new Set(['202']));
  await arrived('begun');
});

it('are all taken while somebody describes the data source', async () => {
  const form = new URLSearchParams({
    name: 'described',
    format: 'ndjson',
    schema: 'n UInt32 `json:$.n`',
    engine: 'MergeTree',
    engine_sorting_key: 'n',
  });
  const made = server.call('POST /v0/datasources', { body: form });
  const answers = await Promise.all(numbers.map((n) => send('described', n)));
  expect([200, 409]).toContain((await made).status);
  expect(new Set(answers)).toEqual(new Set(['202']));
  await arrived('described');
});

it('that cannot make one do not keep the others from it', async () => {
  const bad = numbers.map(() => send('mixed', 0, '[]'));
  const good = numbers.map((n) => send('mixed', n));
  for (const answer of await Promise.all(bad)) expect(answer).toMatch(/^(?:202|400 )/u);
  expect(new Set(await Promise.all(good))).toEqual(new Set(['202']));
});
