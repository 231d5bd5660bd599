/**
 * Section (g): calls of models. How many a second become rows with a cost through the Events API; and what spans cost that report
 * calls of models, beside the same spans under names that nobody knows.
 */

import type { Context } from './context.ts';
import { CONNECTIONS, TEMPLATES, withDirectory } from './context.ts';
import { GENERATIONS_TABLE } from './generation-workload.ts';
import { spread, statuses } from './ingest.ts';
import { untilDrained } from './inserted.ts';
import type { LoadReport } from './job.ts';
import { startLoad } from './job.ts';
import { usageOf } from './process-tree.ts';
import type { Table } from './report.ts';
import { decimals, thousands } from './report.ts';
import type { Server } from './server.ts';
import { startServer } from './server.ts';
import { MODEL_CALLS_PER_REQUEST } from './workload.ts';

const WARM_UP_SECONDS = 3;
/**
 * Plain spans and calls take turns this often, because the machine is not the same from minute to minute; every other time the calls
 * come first, because merges of what one loads are still under way while the next does.
 */
const TURNS = 4;

interface Measured {
  readonly report: LoadReport;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export async function measureGenerations(context: Context): Promise<Table> {
  const { alone, events } = await measureEvents(context);
  const turns = await measureSpans(context);
  const perSpan = (which: keyof Turn): number =>
    sum(turns.map((turn) => turn[which].cpuSeconds)) / sum(turns.map((turn) => turn[which].report.accepted));
  const share = perSpan('calls') / perSpan('plain') - 1;
  const row = (name: string, { report, seconds, cpuSeconds }: Measured): string[] => [
    name,
    thousands(report.accepted / report.seconds),
    thousands(report.accepted / seconds),
    spread(report),
    `${decimals((cpuSeconds / report.accepted) * 1e6, 2)} s`,
    statuses(report),
  ];
  return {
    title: 'Generations',
    text:
      `Events of about 900 bytes, each of which becomes a row of \`generations\` with a cost: sent to \`generations\`, and to \`llm_events\`, ` +
      `where each is a row besides (all rows are counted, and their costs); and, with an empty store, spans of ` +
      `which ${decimals((MODEL_CALLS_PER_REQUEST / 512) * 100, 0)} % report a call with a prompt of 1 KB, under the names of OpenTelemetry and ` +
      `under names that nobody knows, in turns. Those with calls take ${decimals(share * 100, 0)} % more processor time for a span.`,
    head: [
      '',
      'acknowledged/s',
      'per second until all are in the tables',
      'ack p50 / p99 / max',
      'processor time per million',
      'answers',
    ],
    rows: [
      row('events to generations', alone),
      row('events to llm_events', events),
      ...turns.flatMap(({ plain, calls }) => [row('plain spans', plain), row('spans with calls', calls)]),
    ],
  };
}

function measureEvents(context: Context): Promise<{ alone: Measured; events: Measured }> {
  return withDirectory(context, 'generations', async (directory) => {
    await using server = await startServer(directory, {
      GLASSHOUSE_EVENTS_REQUESTS_PER_SECOND: '100000',
      GLASSHOUSE_EVENTS_BYTES_PER_SECOND: '10GiB',
    });
    context.say('generations: warming up');
    const sent = { alone: 0, generations: 0 };
    const counted = async (signal: keyof typeof sent, seconds: number, seed: number): Promise<Measured> => {
      const measured = await run(server, signal, seconds, seed);
      sent[signal] += measured.report.accepted;
      await check(server, sent);
      return measured;
    };
    await counted('alone', WARM_UP_SECONDS, 60);
    await counted('generations', WARM_UP_SECONDS, 61);
    context.say(`generations: calls alone for ${context.options.seconds / 2} s`);
    const alone = await counted('alone', context.options.seconds / 2, 64);
    context.say(`generations: events for ${context.options.seconds / 2} s`);
    const events = await counted('generations', context.options.seconds / 2, 62);
    return { alone, events };
  });
}

interface Turn {
  readonly plain: Measured;
  readonly calls: Measured;
}

/** With a store of their own: merges of millions of events would go on beside them for minutes. */
function measureSpans(context: Context): Promise<Turn[]> {
  return withDirectory(context, 'generations-spans', async (directory) => {
    await using server = await startServer(directory);
    const seconds = Math.max(3, context.options.seconds / 8);
    const plain = (seed: number): Promise<Measured> => run(server, 'traces', seconds, 63 + seed);
    const calls = (seed: number): Promise<Measured> => run(server, 'calls', seconds, 83 + seed);
    context.say('generations: spans, warming up');
    await plain(TURNS);
    await calls(TURNS);
    const turns: Turn[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      context.say(`generations: spans, turn ${turn + 1} of ${TURNS}`);
      if (turn % 2 === 0) turns.push({ plain: await plain(turn), calls: await calls(turn) });
      else {
        const first = await calls(turn);
        turns.push({ plain: await plain(turn), calls: first });
      }
    }
    return turns;
  });
}

async function run(
  server: Server,
  signal: 'alone' | 'calls' | 'generations' | 'traces',
  seconds: number,
  seed: number,
): Promise<Measured> {
  const port = signal === 'generations' || signal === 'alone' ? server.port : server.otlpPort;
  const running = startLoad({ port, signal, connections: CONNECTIONS, templates: TEMPLATES, seconds, seed });
  await running.begun;
  const before = usageOf(server.pid).cpuSeconds;
  const report = await running.report;
  const drainSeconds = await untilDrained(server);
  return { report, seconds: report.seconds + drainSeconds, cpuSeconds: usageOf(server.pid).cpuSeconds - before };
}

/** Every event is a row with a cost, and those to the data source are rows of that besides. */
async function check(server: Server, sent: { readonly alone: number; readonly generations: number }): Promise<void> {
  const [row] = await server.sql<{ rows: number; priced: number; events: number }>(
    `SELECT count() AS rows, countIf(cost > 0) AS priced, (SELECT count() FROM ${GENERATIONS_TABLE}) AS events FROM generations`,
  );
  const all = sent.alone + sent.generations;
  if (row?.rows !== all || row.events !== sent.generations || row.priced !== all)
    throw new Error(`cannot measure: of ${JSON.stringify(sent)} events the tables have ${JSON.stringify(row)}`);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
