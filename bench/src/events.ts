/** Section (e): JSON events through the Events API into a data source, and the same through a row-by-row mapping in JavaScript. */

import type { Context } from './context.ts';
import { CONNECTIONS, TEMPLATES, withDirectory } from './context.ts';
import { EVENTS_SCHEMA, EVENTS_TABLE } from './event-workload.ts';
import { spread, statuses } from './ingest.ts';
import { untilDrained } from './inserted.ts';
import type { LoadReport } from './job.ts';
import { runLoad, startLoad } from './job.ts';
import { startNaive } from './naive-process.ts';
import { usageOf } from './process-tree.ts';
import type { Table } from './report.ts';
import { decimals, thousands, times } from './report.ts';
import type { Server } from './server.ts';
import { startServer } from './server.ts';

const WARM_UP_SECONDS = 3;

interface Measured {
  readonly report: LoadReport;
  /** Rows in the table per second of the whole run, from the first request until all were there. */
  readonly rate: number;
  /** Processor seconds per row until then. */
  readonly cpuSeconds: number;
}

export async function measureEvents(context: Context): Promise<Table> {
  const product = await withDirectory(context, 'events', (directory) => throughProduct(context, directory));
  const naive = await withDirectory(context, 'events-naive', (directory) => throughNaive(context, directory));
  const row = (name: string, { report, rate, cpuSeconds }: Measured): string[] => [
    name,
    thousands(report.accepted / report.seconds),
    thousands(rate),
    spread(report),
    `${decimals(cpuSeconds * 1e6, 2)} s`,
    statuses(report),
  ];
  return {
    title: 'JSON events',
    text:
      `Events of about 600 bytes, 512 a request over ${CONNECTIONS} connections, into a data source of 15 columns, for ` +
      `${decimals(product.report.seconds, 0)} s; and through JSON.parse, one object per row, JSONEachRow into the same columns, ` +
      `acknowledged after the insert. The product puts ${times(product.rate / naive.rate)} as many rows per second into the table ` +
      `with ${times(naive.cpuSeconds / product.cpuSeconds)} less processor time for each.`,
    head: [
      '',
      'acknowledged rows/s',
      'rows/s until all are in the table',
      'ack p50 / p99 / max',
      'processor time per million',
      'answers',
    ],
    rows: [row('the product', product), row('row by row in JavaScript', naive)],
  };
}

async function throughProduct(context: Context, directory: string): Promise<Measured> {
  await using server = await startServer(directory, {
    GLASSHOUSE_EVENTS_REQUESTS_PER_SECOND: '100000',
    GLASSHOUSE_EVENTS_BYTES_PER_SECOND: '10GiB',
  });
  await createTable(server);
  const load = { port: server.port, signal: 'events', connections: CONNECTIONS, templates: TEMPLATES } as const;
  const warm = await runLoad({ ...load, seconds: WARM_UP_SECONDS, seed: 41 });
  await untilDrained(server);
  context.say(`events: ${context.options.seconds} s of as much as it takes`);
  const running = startLoad({ ...load, seconds: context.options.seconds, seed: 42 });
  await running.begun;
  const before = usageOf(server.pid).cpuSeconds;
  const report = await running.report;
  const drainSeconds = await untilDrained(server);
  const cpu = usageOf(server.pid).cpuSeconds - before;
  const [row] = await server.sql<{ rows: number }>(`SELECT count() AS rows FROM ${EVENTS_TABLE}`);
  const expected = warm.accepted + report.accepted;
  if (row?.rows !== expected) throw new Error(`cannot measure: ${row?.rows} of ${expected} events are in the table`);
  return { report, rate: report.accepted / (report.seconds + drainSeconds), cpuSeconds: cpu / report.accepted };
}

async function throughNaive(context: Context, directory: string): Promise<Measured> {
  const seconds = Math.max(5, Math.round(context.options.seconds / 3));
  await using naive = await startNaive(directory, 'events');
  const load = { port: naive.port, signal: 'events', connections: CONNECTIONS, templates: TEMPLATES } as const;
  await runLoad({ ...load, seconds: WARM_UP_SECONDS, seed: 43 });
  context.say(`events: row by row in JavaScript, ${seconds} s`);
  const running = startLoad({ ...load, seconds, seed: 44 });
  await running.begun;
  const before = usageOf(naive.pid).cpuSeconds;
  const report = await running.report;
  const cpu = usageOf(naive.pid).cpuSeconds - before;
  await naive.stop();
  return { report, rate: report.accepted / report.seconds, cpuSeconds: cpu / report.accepted };
}

async function createTable(server: Server): Promise<void> {
  const form = new URLSearchParams({
    name: EVENTS_TABLE,
    format: 'ndjson',
    schema: EVENTS_SCHEMA,
    engine: 'MergeTree',
    engine_sorting_key: 'event_type, timestamp',
    engine_partition_key: 'toYYYYMM(timestamp)',
  });
  const response = await fetch(`http://127.0.0.1:${server.port}/v0/datasources`, { method: 'POST', body: form });
  if (!response.ok) throw new Error(`cannot create the data source: ${response.status} ${await response.text()}`);
}
