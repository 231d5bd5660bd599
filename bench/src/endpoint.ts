/**
 * Section (f): how long callers of an endpoint wait that aggregates an hour out of ten million rows. Two data sources are loaded
 * through the Events API, one with an hour's share of its rows in any hour, and one with all of them in one; then each question is
 * asked over one connection as soon as the last answer is there, and a hundred times a second whatever the answers do.
 *
 * Must stay true: every request has other parameters, so that no cache of answers or conditions serves it, and every answer counts
 * all the rows that it should. What the engine keeps are blocks of columns, unpacked, as for whoever asks again for these days.
 */

import type { Context } from './context.ts';
import { withDirectory } from './context.ts';
import type { Asking, Span } from './endpoint-workload.ts';
import {
  around,
  DAY,
  endpointPaths,
  HOUR,
  hoursWithin,
  materializingPipe,
  minutesPipe,
  minutesSource,
  requestBodies,
  requestsPipe,
  requestsSource,
} from './endpoint-workload.ts';
import { untilDrained } from './inserted.ts';
import type { LoadReport } from './job.ts';
import { runLoad } from './job.ts';
import { usageOf } from './process-tree.ts';
import type { Table } from './report.ts';
import { decimals, milliseconds, thousands } from './report.ts';
import type { Server } from './server.ts';
import { pause, startServer } from './server.ts';

const RATE = 100;
const OPEN_SECONDS = 30;
const CLOSED_SECONDS = 10;
const WARM_UPS = 50;
/** As many as may wait in an open loop; the server has its own limit on what runs and waits. */
const OPEN_CONNECTIONS = 64;
const ROWS_PER_BODY = 40_000;
const SENDERS = 3;
/** The server does next to nothing for so long when its merges are done. */
const QUIET_MS = 3_000;
const QUIET_CORES = 0.1;
const QUIET_DEADLINE_MS = 120_000;

/** By the day and by the hour: where the rows are. */
const BY_DAY = 'bench_day';
const BY_HOUR = 'bench_hour';
const MINUTES = 'bench_minutes';
const PIPES = { day: 'bench_of_day', hour: 'bench_of_hour', minutes: 'bench_of_minutes' } as const;

type Question = Omit<Asking, 'count' | 'seed' | 'token'> & { readonly name: string };

export function measureEndpoint(context: Context): Promise<Table> {
  return withDirectory(context, 'endpoint', async (directory) => {
    const { endpointRows: rows } = context.options;
    await using server = await startServer(directory, {
      GLASSHOUSE_EVENTS_REQUESTS_PER_SECOND: '100000',
      GLASSHOUSE_EVENTS_BYTES_PER_SECOND: '10GiB',
    });
    const token = await prepare(server);
    await load(context, server, BY_DAY, DAY, rows);
    await load(context, server, BY_HOUR, HOUR, rows);
    await untilQuiet(server);
    const measured: string[][] = [];
    for (const question of questions()) measured.push(await measure(context, server, question, token));
    await server.stop();
    return {
      title: 'Endpoints',
      text:
        `Data sources of ${thousands(rows)} rows, sorted by time, and endpoints that aggregate an hour of them by the ` +
        `minute, with other parameters in every request. First one connection that asks as soon as it is answered, then ` +
        `${RATE} requests/s for ${OPEN_SECONDS} s, with latency from the time at which a request was to be sent. The generator shares the processors. ` +
        `Nothing keeps answers; the engine keeps unpacked blocks of columns, in a 32nd of its memory.`,
      head: [
        'an hour of',
        'rows aggregated',
        'alone p50 / p99',
        'processor time',
        `at ${RATE}/s p50 / p99 / max`,
        'processor time',
        'sent late',
        'answers',
      ],
      rows: measured,
    };
  });
}

function questions(): Question[] {
  const day = { pipe: PIPES.day, starts: hoursWithin(DAY) } as const;
  const hour = { pipe: PIPES.hour, ...around(HOUR, 5_000) } as const;
  const minutes = { pipe: PIPES.minutes, ...around(HOUR, 600_000), wholeSeconds: true } as const;
  return [
    { name: '24 hours, one service', ...day, oneService: true },
    { name: '24 hours, all services', ...day, oneService: false },
    { name: 'one hour, one service', ...hour, oneService: true },
    { name: 'one hour, all services', ...hour, oneService: false },
    { name: 'one hour, all services, materialized by the minute', ...minutes, oneService: false },
  ];
}

async function measure(context: Context, server: Server, question: Question, token: string): Promise<string[]> {
  context.say(`endpoint: ${question.name}`);
  const paths = (count: number, seed: number): string[] => endpointPaths({ ...question, token, count, seed });
  const asked = { port: server.port, signal: 'endpoint', seed: 0, templates: 1 } as const;
  const aggregated = await rowsOf(server, paths(20, 71));
  await runLoad({ ...asked, connections: 1, paths: paths(WARM_UPS, 72), requests: WARM_UPS });
  const closed = { ...asked, connections: 1, paths: paths(5_000, 73), seconds: CLOSED_SECONDS };
  const alone = await withUsage(server, () => runLoad(closed));
  const open = {
    ...asked,
    connections: OPEN_CONNECTIONS,
    paths: paths(RATE * OPEN_SECONDS, 74),
    seconds: OPEN_SECONDS,
  };
  const busy = await withUsage(server, () => runLoad({ ...open, rate: RATE }));
  const { p50, p99 } = alone.report.latency;
  const { latency } = busy.report;
  return [
    question.name,
    thousands(aggregated),
    `${milliseconds(p50)} / ${milliseconds(p99)}`,
    milliseconds(alone.cpuMs),
    `${milliseconds(latency.p50)} / ${milliseconds(latency.p99)} / ${milliseconds(latency.max)}`,
    milliseconds(busy.cpuMs),
    thousands(busy.report.late),
    Object.entries(busy.report.statuses)
      .map(([status, count]) => `${status}: ${thousands(count)}`)
      .join(', '),
  ];
}

interface Measured {
  readonly report: LoadReport;
  /** Processor milliseconds of the server, with the engine, for each request. */
  readonly cpuMs: number;
}

async function withUsage(server: Server, run: () => Promise<LoadReport>): Promise<Measured> {
  const before = usageOf(server.pid).cpuSeconds;
  const report = await run();
  const cpuSeconds = usageOf(server.pid).cpuSeconds - before;
  return { report, cpuMs: (cpuSeconds * 1000) / Math.max(1, report.requests) };
}

interface EndpointAnswer {
  readonly data: readonly { readonly requests: number }[];
}

/** Rows that an answer sums up, on average. Throws if one has none. */
async function rowsOf(server: Server, paths: readonly string[]): Promise<number> {
  let total = 0;
  for (const path of paths) {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`cannot ask the endpoint: ${response.status} ${text.slice(0, 300)}`);
    const { data } = JSON.parse(text) as EndpointAnswer;
    const rows = data.reduce((sum, { requests }) => sum + requests, 0);
    if (rows === 0) throw new Error(`cannot measure the endpoint: ${path} has no rows`);
    total += rows;
  }
  return total / paths.length;
}

/** Makes data sources and pipes; resolves with a token that may call the endpoints. */
async function prepare(server: Server): Promise<string> {
  const tokens = await fetch(`http://127.0.0.1:${server.port}/tokens`);
  const { workspace_admin_token: admin } = (await tokens.json()) as { readonly workspace_admin_token: string };
  const authorization = `Bearer ${admin}`;
  const headers = { authorization, 'Content-Type': 'application/json' };
  for (const source of [requestsSource(BY_DAY), requestsSource(BY_HOUR), minutesSource(MINUTES)]) {
    await post(server, '/v0/datasources', { headers: { authorization }, body: new URLSearchParams(source) });
  }
  const pipes = [
    requestsPipe(PIPES.day, BY_DAY),
    requestsPipe(PIPES.hour, BY_HOUR),
    materializingPipe('bench_to_minutes', BY_HOUR, MINUTES),
    minutesPipe(PIPES.minutes, MINUTES),
  ];
  for (const pipe of pipes) await post(server, '/v0/pipes', { headers, body: JSON.stringify(pipe) });
  const scopes = Object.values(PIPES).map((pipe): [string, string] => ['scope', `PIPES:READ:${pipe}`]);
  const body = new URLSearchParams([['name', 'bench_reader'], ...scopes]);
  const { token } = (await post(server, '/v0/tokens', { headers: { authorization }, body })) as {
    readonly token: string;
  };
  return token;
}

async function load(context: Context, server: Server, name: string, span: Span, rows: number): Promise<void> {
  context.say(`endpoint: loading ${thousands(rows)} rows into ${name}`);
  const bodies = requestBodies(span, rows, ROWS_PER_BODY, name === BY_DAY ? 81 : 82);
  const send = async (): Promise<void> => {
    for (const body of bodies) await append(server, name, body);
  };
  await Promise.all(Array.from({ length: SENDERS }, send));
  const seconds = await untilDrained(server);
  const [row] = await server.sql<{ rows: number }>(`SELECT count() AS rows FROM ${name}`);
  if (row?.rows !== rows) throw new Error(`cannot measure: ${row?.rows} of ${rows} rows are in ${name}`);
  context.say(`endpoint: in the table ${decimals(seconds, 1)} s after the last was taken`);
}

/** Sends the same again while the server says that it has no room. */
async function append(server: Server, name: string, body: string): Promise<void> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${server.port}/v0/events?name=${name}`, { method: 'POST', body });
    const text = await response.text();
    if (response.ok) return;
    if (response.status !== 503 && response.status !== 429)
      throw new Error(`cannot append: ${response.status} ${text}`);
    await pause(500);
  }
}

async function post(server: Server, path: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method: 'POST', ...init });
  const text = await response.text();
  if (!response.ok) throw new Error(`cannot prepare ${path}: ${response.status} ${text.slice(0, 300)}`);
  return JSON.parse(text);
}

/** Waits until merges have come to an end, or for a while. */
async function untilQuiet(server: Server): Promise<void> {
  const deadline = performance.now() + QUIET_DEADLINE_MS;
  for (let before = usageOf(server.pid).cpuSeconds; performance.now() < deadline;) {
    await pause(QUIET_MS);
    const now = usageOf(server.pid).cpuSeconds;
    if ((now - before) / (QUIET_MS / 1000) < QUIET_CORES) return;
    before = now;
  }
}
