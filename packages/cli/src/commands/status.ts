/** `status`: whether the server runs, where, since when, and how it does. */

import { opendir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { SERVER_OPTIONS } from '../args.ts';
import { Client } from '../client.ts';
import type { Command } from '../command.ts';
import { EXIT_CODES } from '../errors.ts';
import { Metrics } from '../metrics.ts';
import { bytesText, countText, durationText } from '../output.ts';
import type { Probe } from '../probe.ts';
import { probeAll } from '../probe.ts';
import type { Address, PidRecord } from '../process.ts';
import { readPidFile, treeMemory } from '../process.ts';
import type { Target } from '../target.ts';
import { dataDirOf, targetOf } from '../target.ts';

interface Report {
  readonly running: boolean;
  readonly url: string;
  readonly pid: number | undefined;
  readonly version: string | undefined;
  readonly uptimeSeconds: number | undefined;
  readonly listeners: readonly Probe[];
  readonly acceptedItems: number;
  readonly rejectedItems: number;
  readonly refusedRequests: number;
  readonly storedRows: number;
  readonly backlog: { readonly openRows: number; readonly segments: number; readonly bytes: number };
  readonly quarantinedSegments: number;
  readonly storeHealthy: boolean;
  readonly memoryBytes: number | undefined;
  readonly disk: { readonly usedBytes: number; readonly freeBytes: number; readonly totalBytes: number } | undefined;
}

export const status: Command = {
  name: 'status',
  summary: 'say whether the server runs, where, and how it does',
  usage: '',
  description: [
    'Shows process, listeners (each one tried), what was taken in since the start, what waits for the store, memory of the ' +
      'whole process tree, and disk. Exit code 3 says that nothing runs.',
  ],
  options: SERVER_OPTIONS,
  positionals: 0,
  examples: [
    { command: 'glasshouse status', what: 'the server of ./data' },
    { command: 'glasshouse status --json | jq .backlog', what: 'for a script' },
    { command: 'glasshouse status --url http://10.0.0.5:3000', what: 'a server elsewhere' },
  ],
  more: '`glasshouse doctor`, which also says what to do',
  run: async ({ env, output, now, ...rest }, args) => {
    const target = targetOf({ env, output, now, ...rest }, args);
    const { record } = target;
    const dataDir = args.text('url') === undefined ? dataDirOf(env, args) : undefined;
    const listeners = await probeAll(addressesOf(target));
    if (listeners.every(({ ok }) => !ok)) {
      const crashed = record === undefined && dataDir !== undefined ? readPidFile(dataDir)?.pid : undefined;
      if (args.flag('json'))
        output.json({
          running: record !== undefined,
          ready: false,
          url: target.url,
          pid: record?.pid,
          crashed,
          dataDir,
          listeners,
        });
      else output.line(whyNot(target, dataDir, crashed, listeners));
      return EXIT_CODES.unreachable;
    }
    const report = await gather(new Client(target), record, listeners, dataDir, now());
    if (args.flag('json')) output.json({ ...report, dataDir });
    else {
      output.line(
        `${output.paint('green', 'Running')}${record === undefined ? `, not started by \`glasshouse start\` here` : ''}`,
      );
      output.pairs(describe(report, dataDir));
      output.line();
      output.table(
        [{ title: 'Listener' }, { title: 'Address' }, { title: 'State' }, { title: 'Time', align: 'right' }],
        listeners.map(({ name, ok, ms, detail, ...address }) => [
          name,
          `${address.host}:${address.port}`,
          { text: detail, paint: (text) => output.paint(ok ? 'green' : 'red', text) },
          durationText(ms),
        ]),
      );
    }
    return EXIT_CODES.ok;
  },
};

function whyNot(
  { record, url }: Target,
  dataDir: string | undefined,
  crashed: number | undefined,
  [main]: readonly Probe[],
): string {
  if (record !== undefined) return `Process ${record.pid} lives, but does not answer at ${url}: ${main?.detail}`;
  if (crashed !== undefined)
    return `Not running: process ${crashed} ended without being stopped; \`glasshouse logs\` may say why.`;
  return `Not running: nobody answers at ${url}${dataDir === undefined ? '' : `, and no server runs on ${dataDir}`}.`;
}

/** The listeners that the server has; of a server that we didn't start only the main one is known. */
export function addressesOf({ record, url }: Target): readonly Address[] {
  if (record !== undefined && record.listeners.length > 0) return record.listeners;
  const { hostname, port, protocol } = new URL(url);
  return [
    { name: 'main', host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) },
  ];
}

async function gather(
  client: Client,
  record: PidRecord | undefined,
  listeners: readonly Probe[],
  dataDir: string | undefined,
  nowMs: number,
): Promise<Report> {
  const metrics = await Metrics.read(client);
  const tree = record === undefined ? undefined : treeMemory(record.pid);
  return {
    running: true,
    url: client.url,
    pid: record?.pid,
    version: record?.version,
    uptimeSeconds: record === undefined ? undefined : Math.floor((nowMs - Date.parse(record.startedAt)) / 1000),
    listeners,
    acceptedItems: metrics.value('ingest_accepted_total'),
    rejectedItems: metrics.value('ingest_rejected_total'),
    refusedRequests: metrics.value('ingest_refused_total'),
    storedRows: metrics.value('drain_inserted_rows_total'),
    backlog: {
      openRows: metrics.value('wal_open_rows'),
      segments: metrics.value('wal_backlog_segments'),
      bytes: metrics.value('wal_backlog_bytes'),
    },
    quarantinedSegments: metrics.value('drain_quarantined_segments_total'),
    storeHealthy: metrics.value('drain_healthy') === 1,
    memoryBytes: tree ?? metrics.value('process_resident_memory_bytes'),
    disk: record === undefined || dataDir === undefined ? undefined : await diskOf(dataDir),
  };
}

function describe(report: Report, dataDir: string | undefined): (readonly [string, string])[] {
  const { acceptedItems, rejectedItems, refusedRequests, storedRows, backlog, quarantinedSegments, disk } = report;
  const rejected = rejectedItems === 0 ? '' : `, ${countText(rejectedItems)} rejected`;
  const refused = refusedRequests === 0 ? '' : `, ${countText(refusedRequests)} requests told to come again`;
  const quarantined = quarantinedSegments === 0 ? '' : `, ${countText(quarantinedSegments)} segments quarantined`;
  return [
    ...(report.pid === undefined ? [] : ([['Process', String(report.pid)]] as const)),
    ...(report.version === undefined ? [] : ([['Version', report.version]] as const)),
    ...(report.uptimeSeconds === undefined ? [] : ([['Uptime', durationText(report.uptimeSeconds * 1000)]] as const)),
    ['Web page', report.url],
    ['Taken in', `${countText(acceptedItems)} items since the start${rejected}${refused}`],
    ['Stored', `${countText(storedRows)} rows since the start${quarantined}`],
    [
      'Waiting',
      `${countText(backlog.openRows)} rows in the log, ${countText(backlog.segments)} segments (${bytesText(backlog.bytes)}) for the store`,
    ],
    ['Store', report.storeHealthy ? 'healthy' : 'does not take data at the moment; it waits in the log'],
    ...(report.memoryBytes === undefined ? [] : ([['Memory', bytesText(report.memoryBytes)]] as const)),
    ...(disk === undefined
      ? []
      : ([
          [
            'Disk',
            `${bytesText(disk.usedBytes)} used by ${dataDir}, ${bytesText(disk.freeBytes)} of ${bytesText(disk.totalBytes)} free`,
          ],
        ] as const)),
  ];
}

async function diskOf(dataDir: string): Promise<Report['disk']> {
  try {
    const { bavail, blocks, bsize } = await statfs(dataDir);
    return { usedBytes: await directoryBytes(dataDir), freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    return undefined;
  }
}

/** Bytes of all files below; what disappears meanwhile counts nothing. */
async function directoryBytes(path: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const entry of await opendir(path)) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) bytes += await directoryBytes(child);
      // The same data may have two names: an admin token's draft, a part's link in a backup.
      else if (entry.isFile())
        bytes += await stat(child).then(({ blocks, nlink }) => (blocks * 512) / Math.max(nlink, 1));
    }
  } catch {
    // The engine removes what it has merged while we look.
  }
  return Math.round(bytes);
}
