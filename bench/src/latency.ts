/** Section (a), second half: how long a sender waits at a fixed rate, with what memory, alone and beside heavy queries. */

import type { Context } from './context.ts';
import { CONNECTIONS, TEMPLATES, withDirectory } from './context.ts';
import { untilDrained } from './inserted.ts';
import { spread, statuses } from './ingest.ts';
import type { LoadJob, LoadReport } from './job.ts';
import { runLoad, startLoad } from './job.ts';
import { machineCpuSeconds, usageOf, watchPeak } from './process-tree.ts';
import type { Table } from './report.ts';
import { decimals, megabytes, thousands } from './report.ts';
import type { Server } from './server.ts';
import { pause, startServer } from './server.ts';

const IDLE_MS = 10_000;
const HEAVY_QUERIES = 4;
/** A query door that only fails is not worth asking on. */
const MAX_FAILED = 100;
/** More than a closed loop has, so that a short stall is not mistaken for a late sender. */
const OPEN_CONNECTIONS = 32;

/** Reads most of the table: quantiles, distinct values, and the attribute map of every span. */
const HEAVY_SQL = `SELECT service_name, count(), quantiles(0.5, 0.9, 0.99)(duration_ns), uniq(user_id),
  sum(length(attributes_string)), uniq(trace_id) FROM spans GROUP BY service_name`;

export function measureLatency(context: Context): Promise<Table> {
  return withDirectory(context, 'latency', async (directory) => {
    const seconds = Math.max(5, Math.round(context.options.seconds / 3));
    await using server = await startServer(directory);
    await pause(IDLE_MS);
    const base = {
      port: server.otlpPort,
      signal: 'traces',
      connections: OPEN_CONNECTIONS,
      templates: TEMPLATES,
    } as const;
    const rows: string[][] = [];
    const measure = async (
      label: string,
      job: LoadJob,
      during?: () => Promise<() => Promise<string>>,
    ): Promise<void> => {
      context.say(`latency: ${label}, ${seconds} s`);
      await untilDrained(server);
      const finish = await during?.();
      const running = startLoad(job);
      await running.begun;
      const before = { ...usageOf(server.pid), machine: machineCpuSeconds() };
      const peak = watchPeak(server.pid);
      const report = await running.report;
      const peakBytes = peak.stop();
      const machine = machineCpuSeconds() - before.machine - report.cpuSeconds;
      const own = usageOf(server.pid).cpuSeconds - before.cpuSeconds;
      const cores = `${decimals(own / report.seconds, 2)} / ${decimals((machine - own) / report.seconds, 2)}`;
      const note = (await finish?.()) ?? '';
      rows.push(line(label, report, cores, peakBytes, note));
    };

    // In this order: memory that an allocator once took does not come back.
    const idle = usageOf(server.pid);
    await measure('50,000 spans/s', { ...base, rate: 50_000, seconds, seed: 21 });
    await measure('100,000 spans/s', { ...base, rate: 100_000, seconds, seed: 22 });
    await runLoad({ ...base, connections: CONNECTIONS, requests: 2_000, seed: 23 });
    await measure(
      `100,000 spans/s beside ${HEAVY_QUERIES} heavy queries`,
      { ...base, rate: 100_000, seconds, seed: 24 },
      () => startHeavyQueries(server),
    );
    await server.stop();
    return {
      title: 'Ack latency and memory, open loop',
      text:
        `Requests of 512 spans at fixed times for ${seconds} s each, latency from the time at which a request was to be sent. ` +
        `Memory is resident, of the whole process tree; idle it was ${megabytes(idle.rssBytes)}.`,
      head: ['load', 'spans/s acked', 'p50 / p99 / max', 'late', 'cores / of others', 'peak memory', 'answers', ''],
      rows,
    };
  });
}

function line(label: string, report: LoadReport, cores: string, peakBytes: number, note: string): string[] {
  return [
    label,
    thousands(report.accepted / report.seconds),
    spread(report),
    String(report.late),
    cores,
    megabytes(peakBytes),
    statuses(report),
    note,
  ];
}

/** Keeps four heavy queries running; the function that it resolves with stops them and says how many ended. */
async function startHeavyQueries(server: Server): Promise<() => Promise<string>> {
  const state = { running: true, finished: 0, failed: 0 };
  const loop = async (nth: number): Promise<void> => {
    for (let round = 0; state.running; round++) {
      // A constant that differs, so that nothing remembers the answer.
      const query = HEAVY_SQL.replace('GROUP BY', `WHERE duration_ns >= ${nth * 1_000 + round} GROUP BY`);
      await server.sql(query).then(
        () => state.finished++,
        () => state.failed++,
      );
      if (state.failed > MAX_FAILED) return;
    }
  };
  const loops = Array.from({ length: HEAVY_QUERIES }, (_, nth) => loop(nth));
  await pause(500);
  return async () => {
    state.running = false;
    await Promise.all(loops);
    return `${state.finished} queries done${state.failed > 0 ? `, ${state.failed} failed` : ''}`;
  };
}
