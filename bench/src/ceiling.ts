/**
 * Section (c): what the store alone takes. A server fills its log; its sealed segments are kept by a second name each; then
 * the store loads these files again and again, with nothing beside it, exactly as the drain does.
 */

import { linkSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SegmentFile } from '@glasshouse/store';
import type { Context } from './context.ts';
import { CONNECTIONS, TEMPLATES, withDirectory } from './context.ts';
import { untilDrained } from './inserted.ts';
import type { Ingested } from './ingest.ts';
import { startLoad } from './job.ts';
import { usageOf } from './process-tree.ts';
import type { Table } from './report.ts';
import { decimals, megabytes, thousands, times } from './report.ts';
import { startServer } from './server.ts';
import { openStore, sizeOf } from './store.ts';

const CAPTURE_REQUESTS = 3_000;
const LOOK_MS = 10;
const SEGMENT = /^spans\.([0-9a-f]{16})\.gz$/;

export function measureCeiling(context: Context, ingested: Ingested | undefined): Promise<Table> {
  return withDirectory(context, 'ceiling', async (directory) => {
    const segments = await captureSegments(context, directory);
    const seconds = Math.max(5, Math.round(context.options.seconds / 3));
    const rows: string[][] = [];
    for (const streams of [1, 2]) {
      context.say(`ceiling: ${streams} at a time, ${seconds} s`);
      const { rate, bytes, cpu } = await load(join(directory, `store-${streams}`), segments, streams, seconds);
      rows.push([
        streams === 1 ? 'one segment at a time, as the drain does' : `${streams} segments at a time`,
        thousands(rate),
        megabytes(bytes),
        `${decimals(cpu * 1e6, 2)} s`,
        ingested === undefined ? 'run ingest too' : times(ingested.rate / rate),
      ]);
    }
    return {
      title: "The store's own ceiling",
      text:
        `${segments.length} segments of a server's log, loaded into an empty table again and again for ${seconds} s each, ` +
        'while the engine merges. The ratio is that of the sustained ingest to it.',
      head: ['load', 'rows/s', 'a second', 'processor time per million', 'ingest reaches'],
      rows,
    };
  });
}

/** Runs a server under load and keeps the segments that it seals. */
async function captureSegments(context: Context, directory: string): Promise<string[]> {
  context.say('ceiling: filling the log of a server');
  const kept = join(directory, 'segments');
  mkdirSync(kept);
  await using server = await startServer(join(directory, 'server'));
  const wal = join(directory, 'server', 'wal');
  const running = startLoad({
    port: server.otlpPort,
    signal: 'traces',
    connections: CONNECTIONS,
    requests: CAPTURE_REQUESTS,
    seed: 41,
    templates: TEMPLATES,
  });
  await running.begun;
  const looking = setInterval(() => keepAll(wal, kept), LOOK_MS);
  await running.report.finally(() => clearInterval(looking));
  keepAll(wal, kept);
  await untilDrained(server);
  await server.stop();
  // The last ones are small: sealed because the store was idle.
  const paths = readdirSync(kept).map((name) => join(kept, name));
  const largest = Math.max(...paths.map((path) => statSync(path).size));
  return paths.filter((path) => statSync(path).size > largest / 2);
}

/** Gives every segment a second name: a link keeps what is written to the file and survives the removal of the first. */
function keepAll(wal: string, kept: string): void {
  const known = new Set(readdirSync(kept));
  for (const name of readdirSync(wal)) {
    if (!SEGMENT.test(name) || known.has(name)) continue;
    try {
      linkSync(join(wal, name), join(kept, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

async function load(
  dataDir: string,
  segments: readonly string[],
  streams: number,
  seconds: number,
): Promise<{ rate: number; bytes: number; cpu: number }> {
  await using open = await openStore(dataDir);
  const engine = open.engine.pid() ?? 0;
  const before = usageOf(engine);
  const startedAt = performance.now();
  let [next, bytes] = [0, 0];
  const stream = async (): Promise<void> => {
    while (performance.now() - startedAt < seconds * 1000) {
      const path = segments[next++ % segments.length];
      if (path === undefined) throw new Error('cannot load segments: none was captured');
      await open.store.insertSegment(segmentFile(path));
      bytes += statSync(path).size;
    }
  };
  await Promise.all(Array.from({ length: streams }, stream));
  const elapsed = (performance.now() - startedAt) / 1000;
  const { rows } = await sizeOf(open, 'spans');
  const cpu = (usageOf(engine).cpuSeconds - before.cpuSeconds) / rows;
  await open.close();
  return { rate: rows / elapsed, bytes: bytes / elapsed, cpu };
}

/** The ledger is not asked here, so the days do not matter. */
function segmentFile(path: string): SegmentFile {
  const id = /([0-9a-f]{16})\.gz$/.exec(path)?.[1] ?? '0';
  return { table: 'spans', id: BigInt(`0x${id}`), path, days: new Map() };
}
