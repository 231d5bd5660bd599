/** Section (a), first half: how much the server takes for as long as it lasts, and what that costs. */

import type { Context } from './context.ts';
import { CONNECTIONS, TEMPLATES, withDirectory } from './context.ts';
import type { Summary } from './histogram.ts';
import { countRows, untilDrained } from './inserted.ts';
import type { LoadJob, LoadReport } from './job.ts';
import { runLoad, startLoad } from './job.ts';
import { measureVisibility } from './marker.ts';
import { machineCpuSeconds, usageOf, watchPeak } from './process-tree.ts';
import type { Table } from './report.ts';
import { decimals, megabytes, milliseconds, thousands } from './report.ts';
import type { Server } from './server.ts';
import { pause, startServer } from './server.ts';
import { columnSizes, mergeAll, openStore, sizeOf } from './store.ts';

const IDLE_MS = 10_000;
const IDLE_MARKERS = 10;
const WARM_UP_SECONDS = 3;

/** What the other sections compare with. */
export interface Ingested {
  /** Spans in the table per second of the whole run, from the first request until the log was empty. */
  readonly rate: number;
  /** Processor seconds per span until it was in the table. */
  readonly cpuSeconds: number;
}

export interface IngestResult {
  readonly ingested: Ingested;
  readonly table: Table;
}

export function measureIngest(context: Context): Promise<IngestResult> {
  return withDirectory(context, 'ingest', async (directory) => {
    const { seconds } = context.options;
    await using server = await startServer(directory);
    await pause(IDLE_MS);
    const idle = usageOf(server.pid);
    const visibleIdle = await measureVisibility(server, 1, (sent) => sent < IDLE_MARKERS);
    const load = { port: server.otlpPort, signal: 'traces', connections: CONNECTIONS, templates: TEMPLATES } as const;
    const warm = await runLoad({ ...load, seconds: WARM_UP_SECONDS, seed: 11 });
    await untilDrained(server);

    context.say(`ingest: ${seconds} s of as much as it takes`);
    const rowsBefore = await countRows(server, 'spans');
    const running = startLoad({ ...load, seconds, seed: 12 });
    // The generator makes its requests first, which is no part of the measurement.
    await running.begun;
    const before = { usage: usageOf(server.pid), machine: machineCpuSeconds() };
    const peak = watchPeak(server.pid);
    const report = await running.report;
    const atEnd = { usage: usageOf(server.pid), machine: machineCpuSeconds(), rows: await countRows(server, 'spans') };
    const drainSeconds = await untilDrained(server);
    const drained = usageOf(server.pid);
    const peakBytes = peak.stop();
    const busy = await visibilityUnderLoad(server, {
      ...load,
      seconds: Math.max(5, Math.round(seconds / 4)),
      seed: 13,
    });
    await server.stop();

    context.say('ingest: merging what was inserted');
    await using open = await openStore(directory);
    const written = await sizeOf(open, 'spans');
    const merged = await mergeAll(open, 'spans');
    const columns = await columnSizes(open, 'spans', merged.rows);
    await open.close();

    const markers = visibleIdle.count + busy.visible.count;
    const expected = warm.accepted + report.accepted + busy.report.accepted + markers;
    const serverSeconds = atEnd.usage.cpuSeconds - before.usage.cpuSeconds;
    const others = atEnd.machine - before.machine - serverSeconds - report.cpuSeconds;
    const sustained = report.accepted / (report.seconds + drainSeconds);
    const perMillion = (usage: { cpuSeconds: number }): string =>
      `${decimals(((usage.cpuSeconds - before.usage.cpuSeconds) / report.accepted) * 1e6, 2)} s`;
    const table: Table = {
      title: 'Ingest, closed loop',
      text:
        `${CONNECTIONS} connections over OTLP/HTTP protobuf, 512 spans a request, each sends as soon as it is answered, ` +
        `for ${decimals(report.seconds, 1)} s. Inserted is counted in the table.`,
      head: ['', 'value'],
      rows: [
        ['acknowledged spans/s', thousands(report.accepted / report.seconds)],
        ['inserted spans/s, during the load', thousands((atEnd.rows - rowsBefore) / report.seconds)],
        ['inserted spans/s, until all are in the table', thousands(sustained)],
        ['seconds from the last ack until all are in the table', decimals(drainSeconds, 1)],
        ['MB/s on the wire', thousands(report.bytes / report.seconds / 1e6)],
        ['ack latency p50 / p99 / max', spread(report)],
        ['answers by status', statuses(report)],
        ['spans acknowledged / in the table', `${thousands(expected)} / ${thousands(written.rows)}`],
        ['processor time per million spans, during the load', perMillion(atEnd.usage)],
        ['processor time per million spans, until inserted', perMillion(drained)],
        ['load generator, cores', decimals(report.cpuSeconds / report.seconds, 2)],
        ['the server, cores during the load', decimals(serverSeconds / report.seconds, 2)],
        ['everything else on the machine, cores', decimals(others / report.seconds, 2)],
        ['resident memory, idle (anonymous part)', `${megabytes(idle.rssBytes)} (${megabytes(idle.anonymousBytes)})`],
        ['resident memory, peak', megabytes(peakBytes)],
        ['bytes per span on disk, as inserted', decimals(written.bytes / written.rows, 1)],
        ['bytes per span on disk, after merges', decimals(merged.bytes / merged.rows, 1)],
        ['largest columns, bytes per span', columns.map(([name, bytes]) => `${name} ${decimals(bytes, 1)}`).join(', ')],
        [
          'time until queryable, idle, p50 / max',
          `${milliseconds(visibleIdle.p50)} / ${milliseconds(visibleIdle.max)}`,
        ],
        [
          'time until queryable, at this load, p50 / max',
          `${milliseconds(busy.visible.p50)} / ${milliseconds(busy.visible.max)}`,
        ],
        ['ready after the start of the process', milliseconds(server.readyMs)],
      ],
    };
    return {
      ingested: { rate: sustained, cpuSeconds: (drained.cpuSeconds - before.usage.cpuSeconds) / report.accepted },
      table,
    };
  });
}

/** A load of its own, so that the markers' queries do not disturb the measurement of the first. */
async function visibilityUnderLoad(server: Server, job: LoadJob): Promise<{ report: LoadReport; visible: Summary }> {
  const running = startLoad(job);
  await running.begun;
  let loading = true;
  const visibility = measureVisibility(server, 2, () => loading);
  // Its failure is met below; if the load fails first, that is the one to tell.
  visibility.catch(() => undefined);
  const report = await running.report;
  loading = false;
  const visible = await visibility;
  await untilDrained(server);
  return { report, visible };
}

export function spread({ latency }: LoadReport): string {
  return [latency.p50, latency.p99, latency.max].map(milliseconds).join(' / ');
}

export function statuses({ statuses }: LoadReport): string {
  return Object.entries(statuses)
    .map(([status, count]) => `${status}: ${thousands(count)}`)
    .join(', ');
}
