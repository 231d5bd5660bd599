/** `send-test`: sends a little of everything, and says so only when it can be queried. */

import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '@glasshouse/model';
import { SERVER_OPTIONS } from '../args.ts';
import type { Client } from '../client.ts';
import type { Command } from '../command.ts';
import { durationText } from '../output.ts';
import type { Sample } from '../sample.ts';
import { makeSample } from '../sample.ts';
import { clientOf } from '../target.ts';

const DEADLINE_MS = 30_000;
const POLL_MS = 50;

interface Counts {
  readonly spans: number;
  readonly logs: number;
  readonly points: number;
}

export const sendTest: Command = {
  name: 'send-test',
  summary: 'send test telemetry and wait until it can be queried',
  usage: '',
  description: [
    'Sends two traces (one with an error), log records and metrics as OTLP/JSON over HTTP, then asks by SQL until all of it has ' +
      'arrived. The services are called test-shop and test-payment.',
  ],
  options: SERVER_OPTIONS,
  positionals: 0,
  examples: [
    { command: 'glasshouse send-test', what: 'to the server of ./data' },
    {
      command: 'glasshouse send-test --url https://telemetry.example.com --token KEY',
      what: 'through a proxy, with a key',
    },
  ],
  more: '`glasshouse sql --help`, to look at it',
  run: async (context, args) => {
    const { output, now } = context;
    const client = clientOf(context, args);
    const run = randomUUID();
    const sample = makeSample(run, now(), (bytes) => randomBytes(bytes).toString('hex'));
    const startedMs = performance.now();
    await send(client, '/v1/traces', sample.traces);
    await send(client, '/v1/logs', sample.logs);
    await send(client, '/v1/metrics', sample.metrics);
    const sentMs = performance.now() - startedMs;
    const progress = output.progress(now);
    const found = await waitFor(client, sample, run, (counts) =>
      progress.update(`Sent; found ${words(counts)} so far …`),
    ).finally(() => progress.end());
    const queryableMs = performance.now() - startedMs;
    if (args.flag('json')) {
      output.json({ run, ...found, traceIds: sample.traceIds, sentMs, queryableMs });
      return 0;
    }
    output.line(
      `${output.paint('green', '✓')} Sent ${words(sample.counts)} to ${client.url} (${durationText(sentMs)}).`,
    );
    output.line(
      `${output.paint('green', '✓')} All of it can be queried (${durationText(queryableMs)} after the first request).`,
    );
    output.line();
    output.line(output.paint('bold', 'Next'));
    output.line('  npx glasshouse sql --view traces');
    output.line(
      `  npx glasshouse sql "SELECT service_name, name, duration_ns / 1e6 AS ms FROM spans WHERE trace_id = '${sample.traceIds[1]}' ORDER BY timestamp"`,
    );
    output.line('  npx glasshouse tail');
    return 0;
  },
};

/** Sends one request and refuses to call a partial success a success. */
async function send(client: Client, path: string, body: unknown): Promise<void> {
  const answer = await client.json<{ readonly partialSuccess?: { readonly errorMessage?: string } }>(
    'POST',
    path,
    body,
  );
  const message = answer.partialSuccess?.errorMessage;
  if (message) throw new AppError('internal', `cannot send to ${path}: the server rejected a part: ${message}`);
}

async function waitFor(
  client: Client,
  { counts: wanted }: Sample,
  run: string,
  onCounts: (counts: Counts) => void,
): Promise<Counts> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const counts = await count(client, run);
    if (counts.spans >= wanted.spans && counts.logs >= wanted.logs && counts.points >= wanted.points) return counts;
    if (performance.now() > deadline) {
      throw new AppError(
        'timeout',
        `cannot find all of it after ${durationText(DEADLINE_MS)}: sent ${words(wanted)}, found ${words(counts)}; see \`glasshouse doctor\``,
      );
    }
    onCounts(counts);
    await sleep(POLL_MS);
  }
}

async function count(client: Client, run: string): Promise<Counts> {
  const mine = `service_name IN ('test-shop', 'test-payment') AND timestamp > now() - INTERVAL 10 MINUTE AND attributes_string['glasshouse.test.run'] = {run:String}`;
  const points = ['gauge', 'sum', 'histogram']
    .map((kind) => `(SELECT count() FROM metrics_${kind} WHERE ${mine})`)
    .join(' + ');
  const [row] = await client.rows(
    `SELECT (SELECT count() FROM spans WHERE ${mine}) AS spans, (SELECT count() FROM logs WHERE ${mine}) AS logs, ${points} AS points`,
    { params: { run } },
  );
  return { spans: Number(row?.['spans']), logs: Number(row?.['logs']), points: Number(row?.['points']) };
}

function words({ spans, logs, points }: Counts): string {
  return `${spans} spans, ${logs} log records and ${points} metric points`;
}
