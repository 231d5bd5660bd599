/** What operators and probes ask on every HTTP listener: /health (the process lives), /ready (it takes data), /metrics. */

import type { Route } from '../http/router.ts';
import { failJson, send, sendJson } from '../http/router.ts';
import type { Metric, Sample } from './metrics.ts';
import { renderMetrics } from './metrics.ts';

/** Where the numbers come from. */
export interface StatusSources {
  readonly ingest: {
    readonly openRows: number;
    readonly counts: {
      readonly accepted: number;
      readonly rejected: ReadonlyMap<string, number>;
      readonly commits: number;
      readonly failedCommits: number;
      readonly committedBytes: number;
      readonly syncSeconds: number;
    };
  };
  readonly drain: {
    readonly backlogBytes: number;
    readonly backlogSegments: number;
    readonly healthy: boolean;
    readonly counts: {
      readonly insertedRows: number;
      readonly insertedSegments: number;
      readonly failedAttempts: number;
      readonly replayedSegments: number;
      readonly completedSegments: number;
      readonly quarantinedSegments: number;
      readonly vanishedSegments: number;
      readonly tornSegments: number;
      readonly damagedSegments: number;
      readonly lostRows: number;
      readonly insertSeconds: number;
    };
  };
  readonly events: {
    readonly counts: { readonly inserted: number; readonly quarantined: number; readonly dropped: number };
  };
  readonly rollOut: {
    readonly switches: { readonly counts: { readonly requests: number; readonly events: number } };
    readonly mirroring: { readonly missedSegments: number; statuses(): readonly MirrorNumbers[] };
  };
  readonly room: { readonly refused: Readonly<Record<string, number>>; full(): string | undefined };
  readonly store: { ping(): Promise<boolean> };
}

/** What is counted of a tenant's mirror. */
interface MirrorNumbers {
  readonly sentLines: number;
  readonly deadLines: number;
  readonly retries: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly queuedBytes: number;
  readonly oldestAt: number | undefined;
}

export function statusRoutes(sources: StatusSources): Route[] {
  const metrics = metricsOf(sources);
  return [
    {
      method: 'GET',
      path: '/health',
      fail: failJson,
      handle: ({ response }) => sendJson(response, 200, { status: 'ok' }),
    },
    {
      method: 'GET',
      path: '/ready',
      fail: failJson,
      handle: async ({ response }) => {
        const full = sources.room.full();
        const store = await sources.store.ping();
        const isReady = full === undefined && store;
        const { backlogSegments } = sources.drain;
        sendJson(response, isReady ? 200 : 503, { ingest: full ?? true, store, backlogSegments });
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      fail: failJson,
      handle: ({ response }) => send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', renderMetrics(metrics)),
    },
  ];
}

function metricsOf({ ingest, drain, events, room, rollOut: { switches, mirroring } }: StatusSources): Metric[] {
  const counter = (name: string, help: string, read: Metric['read']): Metric => ({
    name: `glasshouse_${name}`,
    help,
    type: 'counter',
    read,
  });
  const gauge = (name: string, help: string, read: Metric['read']): Metric => ({
    name: `glasshouse_${name}`,
    help,
    type: 'gauge',
    read,
  });
  const byReason = (entries: Iterable<readonly [string, number]>): Sample[] =>
    [...entries].map(([reason, value]) => ({ labels: { reason }, value }));
  const overMirrors = (read: (numbers: MirrorNumbers) => number): number =>
    mirroring.statuses().reduce((sum, numbers) => sum + read(numbers), 0);
  const droppedLines = ({ dropped }: MirrorNumbers): number => Object.values(dropped).reduce((a, b) => a + b, 0);
  return [
    counter('ingest_accepted_total', 'Items made durable.', () => ingest.counts.accepted),
    counter('ingest_rejected_total', 'Items refused, by reason.', () => byReason(ingest.counts.rejected)),
    counter('ingest_refused_total', 'Requests refused before their body was read, by reason.', () =>
      byReason(Object.entries(room.refused)),
    ),
    counter('wal_commits_total', 'Group commits of the write-ahead log.', () => ingest.counts.commits),
    counter(
      'wal_failed_commits_total',
      'Group commits of which a table could not be written.',
      () => ingest.counts.failedCommits,
    ),
    counter('wal_committed_bytes_total', 'Bytes committed to the write-ahead log.', () => ingest.counts.committedBytes),
    counter(
      'wal_sync_seconds_total',
      'Time spent writing and syncing the write-ahead log.',
      () => ingest.counts.syncSeconds,
    ),
    gauge('wal_open_rows', 'Durable rows in segments that are still open.', () => ingest.openRows),
    gauge('wal_backlog_bytes', 'Bytes of segments that wait for the store.', () => drain.backlogBytes),
    gauge('wal_backlog_segments', 'Segments that wait for the store.', () => drain.backlogSegments),
    counter('drain_inserted_rows_total', 'Rows handed over to the store.', () => drain.counts.insertedRows),
    counter('drain_inserted_segments_total', 'Segments handed over to the store.', () => drain.counts.insertedSegments),
    counter(
      'drain_failed_attempts_total',
      'Hand-overs that failed and are tried again.',
      () => drain.counts.failedAttempts,
    ),
    counter(
      'drain_replayed_segments_total',
      'Segments whose state had to be looked up in the table.',
      () => drain.counts.replayedSegments,
    ),
    counter(
      'drain_completed_segments_total',
      'Replayed segments of which the table held some days but not all.',
      () => drain.counts.completedSegments,
    ),
    counter(
      'drain_quarantined_segments_total',
      'Segments put aside because the store refuses them.',
      () => drain.counts.quarantinedSegments,
    ),
    counter(
      'drain_vanished_segments_total',
      'Segments that somebody removed before they were handed over.',
      () => drain.counts.vanishedSegments,
    ),
    counter(
      'wal_torn_segments_total',
      'Segments found with an unfinished end, which was never acknowledged.',
      () => drain.counts.tornSegments,
    ),
    counter('wal_damaged_segments_total', 'Segments found damaged.', () => drain.counts.damagedSegments),
    counter(
      'wal_lost_rows_total',
      'Acknowledged rows known to be lost in damaged segments.',
      () => drain.counts.lostRows,
    ),
    counter('drain_insert_seconds_total', 'Time spent handing over.', () => drain.counts.insertSeconds),
    counter('events_inserted_total', 'Events put into their data source.', () => events.counts.inserted),
    counter('events_quarantined_total', 'Events put into a quarantine.', () => events.counts.quarantined),
    counter('events_dropped_total', 'Events whose data source was deleted.', () => events.counts.dropped),
    counter('events_left_out_total', 'Events outside of the share of their data source.', () => switches.counts.events),
    counter(
      'events_switched_off_requests_total',
      'Requests for data sources that are switched off.',
      () => switches.counts.requests,
    ),
    counter('mirror_lines_total', 'Events for mirrors, by what became of them.', () =>
      Object.entries({
        sent: overMirrors(({ sentLines }) => sentLines),
        dead: overMirrors(({ deadLines }) => deadLines),
        dropped: overMirrors(droppedLines),
      }).map(([outcome, value]) => ({ labels: { outcome }, value })),
    ),
    counter('mirror_retries_total', 'Batches that mirrors have to send again.', () =>
      overMirrors(({ retries }) => retries),
    ),
    counter(
      'mirror_missed_segments_total',
      'Segments that could not be read for mirrors.',
      () => mirroring.missedSegments,
    ),
    gauge('mirror_queue_bytes', 'Bytes that wait for the destinations of mirrors.', () =>
      overMirrors(({ queuedBytes }) => queuedBytes),
    ),
    gauge('mirror_lag_seconds', 'Age of the oldest event that waits for a mirror.', () => {
      const oldest = mirroring.statuses().map(({ oldestAt }) => oldestAt ?? Number.POSITIVE_INFINITY);
      return Math.max(0, (Date.now() - Math.min(Date.now(), ...oldest)) / 1000);
    }),
    gauge('drain_healthy', 'Whether the last hand-over worked.', () => (drain.healthy ? 1 : 0)),
    gauge('process_resident_memory_bytes', 'Resident memory of the server process.', () => process.memoryUsage.rss()),
  ];
}
