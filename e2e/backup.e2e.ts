/**
 * Backup and restore of the built server as an administrator does it: over HTTP, while events and spans come in, with kills in
 * the middle of it. After a kill everything is as before the restore, or as the backup has it; nothing is in between.
 *
 * GLASSHOUSE_KILL_ROUNDS sets the number of kills; a few by default.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { postJson } from './support/http.ts';
import { recentNanos } from './support/payloads.ts';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';

const ROUNDS = Number(process.env['GLASSHOUSE_KILL_ROUNDS'] ?? 5);
const SOURCE = 'backed_up';
let dataDir: string;
let server: Server;
let next = 1;

showLogsOfFailures(() => server);

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'glasshouse-backup-'));
  server = await startServer({ dataDir });
  const definition = {
    name: SOURCE,
    format: 'ndjson',
    schema: 'n UInt32 `json:$.n`',
    engine: 'MergeTree',
    engine_sorting_key: 'n',
  };
  const made = await fetch(`${server.url}/v0/datasources`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.adminToken}` },
    body: new URLSearchParams(definition),
  });
  expect(made.status, await made.text()).toBe(200);
});

afterAll(async () => {
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
});

/** Sends as many numbers as events and as names of spans; answers with those that were acknowledged, which are all. */
async function send(count: number): Promise<number[]> {
  const numbers = Array.from({ length: count }, () => next++);
  const events = numbers.map((n) => JSON.stringify({ n: n % 10 === 0 ? `no ${n}` : n })).join('\n');
  const answer = await postJson(`${server.url}/v0/events?name=${SOURCE}`, events);
  expect(answer.status, answer.text).toBeLessThan(300);
  const time = recentNanos().toString();
  const spans = numbers.map((n) => ({
    traceId: n.toString(16).padStart(32, '0'),
    spanId: n.toString(16).padStart(16, '0'),
    name: `${SOURCE} ${n}`,
    startTimeUnixNano: time,
    endTimeUnixNano: time,
  }));
  const spanAnswer = await postJson(
    `${server.url}/v1/traces`,
    JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }),
  );
  expect(spanAnswer.status, spanAnswer.text).toBe(200);
  return numbers;
}

async function numbersOf(sql: string): Promise<number[]> {
  return (await server.sql(sql)).map(({ n }) => Number(n)).toSorted((a, b) => a - b);
}

/** What is stored, once nothing waits in the log. */
async function stored(): Promise<{ events: number[]; spans: number[] }> {
  await expect
    .poll(
      async () =>
        (await server.metric('glasshouse_wal_open_rows')) + (await server.metric('glasshouse_wal_backlog_segments')),
      {
        timeout: 30_000,
      },
    )
    .toBe(0);
  const events = await numbersOf(
    `SELECT toUInt32(n) AS n FROM ${SOURCE} UNION ALL SELECT toUInt32(substring(JSONExtractString(c__line, 'n'), 4)) AS n FROM ${SOURCE}_quarantine`,
  );
  const spans = await numbersOf(
    `SELECT toUInt32(extract(name, '^${SOURCE} (.*)$')) AS n FROM telemetry.spans WHERE startsWith(name, '${SOURCE} ')`,
  );
  return { events, spans };
}

/** Starts a long job and answers with its last line. */
async function job(name: string, body: unknown): Promise<Readonly<Record<string, unknown>>> {
  const { text } = await postJson(`${server.url}/api/v1/admin/${name}`, JSON.stringify(body), {
    authorization: `Bearer ${server.adminToken}`,
  });
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
}

async function backUp(): Promise<string> {
  const { result } = (await job('backup', {})) as { result: { path: string } };
  return result.path;
}

test('a restore brings back events, quarantine and spans, exactly', async () => {
  const before = await send(50);
  const path = await backUp();
  await send(50);
  await stored();
  expect(await job('restore', { path })).toMatchObject({ result: { tokens: 'as in the backup' } });
  const after = await send(20);
  const { events, spans } = await stored();
  expect(events).toEqual([...before, ...after]);
  expect(spans).toEqual([...before, ...after]);
}, 60_000);

test(
  `a restore that is killed happens or does not, ${ROUNDS} times`,
  { timeout: 30_000 + ROUNDS * 60_000 },
  async ({ annotate }) => {
    const tally = { before: 0, after: 0, finishedByStart: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const kept = await stored();
      const path = await backUp();
      const since = await send(30);
      await stored();
      const restoring = job('restore', { path }).catch(() => undefined);
      // How long one takes differs from machine to machine; later rounds come later.
      await pause(50 + (Math.random() * 6_000 * (round + 1)) / ROUNDS);
      const during = await send(10).catch(() => []);
      await server.kill();
      await restoring;
      server = await startServer({ dataDir });
      const there = await stored();
      const where = `round ${round + 1}\n${server.logs()}`;
      const isAsBefore = there.events.includes(since[0] ?? 0);
      tally[isAsBefore ? 'before' : 'after']++;
      if (server.logs().includes('the restore was interrupted')) tally.finishedByStart++;
      for (const kind of ['events', 'spans'] as const) {
        const numbers = there[kind];
        expect(new Set(numbers).size, where).toBe(numbers.length);
        expect(
          kept[kind].filter((n) => !numbers.includes(n)),
          where,
        ).toEqual([]);
        // All that came since the backup, or nothing of it.
        expect(since.filter((n) => numbers.includes(n)).length, where).toBe(isAsBefore ? since.length : 0);
      }
      // Sent while it read or placed: gone with what was replaced, or there; there for sure if nothing was restored.
      if (isAsBefore)
        expect(
          during.filter((n) => !there.events.includes(n)),
          where,
        ).toEqual([]);
      const more = await send(10);
      const { events, spans } = await stored();
      expect(
        more.filter((n) => !events.includes(n) || !spans.includes(n)),
        where,
      ).toEqual([]);
    }
    await annotate(JSON.stringify(tally));
  },
);
