/** What the server's log says about its parts: one place, so that a message means one thing. */

import type { PlatformEvent } from './platform/platform.ts';
import type { EngineEvent } from '@glasshouse/engine';
import type { Logger } from 'pino';
import type { MirrorEvent } from './mirror/mirroring.ts';
import type { DrainEvent } from './wal/drain.ts';
import type { Recovered } from './wal/recover.ts';

export function logRecovered(log: Logger, { torn, damaged, failed }: Recovered): void {
  for (const { path, bytes } of torn) log.warn({ path, bytes }, 'cut the torn tail of a segment');
  for (const damage of damaged) log.error(damage, 'a segment is damaged: acknowledged rows may be lost');
  for (const { path, error } of failed)
    log.error({ path, err: error }, 'cannot recover a segment, will try at the next start');
}

export function logDrain(log: Logger, event: DrainEvent): void {
  const { table, path, rows } = event.segment;
  switch (event.type) {
    case 'failed':
      log.warn(
        { table, path, attempt: event.attempt, err: event.error },
        'the store did not take a segment, will try again',
      );
      return;
    case 'quarantined':
      log.error({ table, path: event.path, rows, reason: event.error }, 'put a segment aside that the store refuses');
      return;
    case 'vanished':
      log.error({ table, path, rows, err: event.error }, 'a segment is gone that was not handed over');
      return;
    case 'replayed':
      log.info({ table, path, rows, missing: event.missing }, 'handed over a segment whose state was unknown');
      return;
  }
}

export function logEngine(log: Logger, event: EngineEvent): void {
  if (event.type === 'ready') log.info(event, 'the engine is ready');
  else if (event.type === 'exited' && event.code === 0) log.info(event, 'the engine ended');
  else log.warn(event, 'the engine is not well');
}

/** Calls `report` at most once in an interval, so that a fault that hits every request does not fill the log. */
export function onceIn(intervalMs: number, report: (reason: string) => void): (reason: string) => void {
  let quietUntilMs = 0;
  return (reason) => {
    if (Date.now() < quietUntilMs) return;
    quietUntilMs = Date.now() + intervalMs;
    report(reason);
  };
}

/** Logs what the data platform reports. */
export function logPlatform(log: Logger, event: PlatformEvent): void {
  switch (event.type) {
    case 'store':
      if (event.up) log.info('the data platform reads from the store again');
      else log.warn({ reason: event.reason }, 'the data platform cannot read from the store');
      return;
    case 'repaired':
      log.warn({ tenant: event.tenant, name: event.name }, 'put the table of a data source back into its place');
      return;
    case 'lost':
      log.error({ tenant: event.tenant, name: event.name }, 'cannot find the table of a data source');
      return;
    case 'swept':
      log.info({ tables: event.tables }, 'removed what interrupted changes left behind');
      return;
    case 'unprepared':
      log.error({ tenant: event.tenant, err: event.error }, 'cannot make the built-in data sources of a workspace');
      return;
  }
}

/** What hits every segment is logged at once, and then at most this often. */
const MIRROR_LOG_MS = 60_000;

/** Logs what goes wrong with mirrors; what is sent is counted only. */
export function mirrorLog(log: Logger): (event: MirrorEvent) => void {
  const lost = onceIn(MIRROR_LOG_MS, (cause) =>
    log.error({ reason: cause }, 'the mirror does not run, will start it again'),
  );
  let reason = '';
  const missed = sumIn(MIRROR_LOG_MS, (segments) => log.error({ segments, reason }, 'segments are not mirrored'));
  const dropped = sumIn(MIRROR_LOG_MS, (lines, tenant) =>
    log.error({ tenant, lines }, 'dropped events that waited for a mirror: its room is full'),
  );
  return (event) => {
    switch (event.kind) {
      case 'dead':
        log.error(
          { tenant: event.tenant, dataSource: event.source, status: event.fault.status, reason: event.fault.reason },
          'put events aside that the destination of a mirror refuses',
        );
        return;
      case 'dropped':
        dropped(event.lines, event.tenant);
        return;
      case 'unread':
      case 'missed':
        // It names the segment, so that each has another.
        ({ reason } = event);
        missed(1, '');
        return;
      case 'lost':
        lost(event.reason);
        return;
      case 'locked':
        log.error({ tenant: event.tenant }, 'cannot open the token of a mirror: give it again');
        return;
    }
  };
}

/** Calls `report` at most once in an interval for each subject, with the sum of all that came since it was called last. */
function sumIn(
  intervalMs: number,
  report: (sum: number, subject: string) => void,
): (count: number, subject: string) => void {
  const open = new Map<string, { sum: number; quietUntilMs: number }>();
  return (count, subject) => {
    const one = open.get(subject) ?? { sum: 0, quietUntilMs: 0 };
    open.set(subject, one);
    one.sum += count;
    if (Date.now() < one.quietUntilMs) return;
    report(one.sum, subject);
    one.sum = 0;
    one.quietUntilMs = Date.now() + intervalMs;
  };
}
