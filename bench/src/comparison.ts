/** Section (b): the same load through the straightforward pipeline of `naive.ts`, and how many times faster the product is. */

import type { Context } from './context.ts';
import { CONNECTIONS, TEMPLATES, withDirectory } from './context.ts';
import { spread, statuses } from './ingest.ts';
import type { Ingested } from './ingest.ts';
import { runLoad, startLoad } from './job.ts';
import { startNaive } from './naive-process.ts';
import { usageOf } from './process-tree.ts';
import type { Table } from './report.ts';
import { decimals, thousands, times } from './report.ts';

const WARM_UP_SECONDS = 2;
/** Its batches are what waits while an insert runs: more connections give it larger ones. */
const CONNECTION_COUNTS = [CONNECTIONS, 64] as const;

export function compareNaive(context: Context, ingested: Ingested | undefined): Promise<Table> {
  return withDirectory(context, 'naive', async (directory) => {
    const seconds = Math.max(5, Math.round(context.options.seconds / 3));
    await using naive = await startNaive(directory, 'traces');
    const load = { port: naive.port, signal: 'traces', templates: TEMPLATES } as const;
    const rows: string[][] = [];
    let accepted = (await runLoad({ ...load, connections: CONNECTIONS, seconds: WARM_UP_SECONDS, seed: 31 })).accepted;
    for (const connections of CONNECTION_COUNTS) {
      context.say(`naive: ${connections} connections, ${seconds} s`);
      const running = startLoad({ ...load, connections, seconds, seed: 31 + connections });
      await running.begun;
      const before = usageOf(naive.pid);
      const report = await running.report;
      const cpu = usageOf(naive.pid).cpuSeconds - before.cpuSeconds;
      const rate = report.accepted / report.seconds;
      accepted += report.accepted;
      rows.push([
        `${connections} connections`,
        thousands(rate),
        spread(report),
        `${decimals((cpu / report.accepted) * 1e6, 1)} s`,
        ingested === undefined ? 'run ingest too' : times(ingested.rate / rate),
        ingested === undefined ? 'run ingest too' : times(cpu / report.accepted / ingested.cpuSeconds),
        statuses(report),
      ]);
    }
    const stored = await naive.stop();
    if (stored !== accepted)
      throw new Error(`cannot compare: the naive pipeline stored ${stored} of ${accepted} spans`);
    return {
      title: 'The straightforward pipeline',
      text:
        `protobufjs decodes, one object per span, JSONEachRow into the same table in the same engine; acknowledged after ` +
        `the insert, no write-ahead log. ${seconds} s each; the ratios are of spans in the table per second and of processor time until then.`,
      head: [
        'load',
        'spans/s',
        'ack p50 / p99 / max',
        'processor time per million',
        'the product is faster by',
        'and needs less processor time by',
        'answers',
      ],
      rows,
    };
  });
}
