/** What doctor looks at in a running server: its listeners, its store, what waits, and the clocks of those who send. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@glasshouse/model';
import type { Config } from '@glasshouse/server';
import type { Client } from '../client.ts';
import { textOf } from '../client.ts';
import { Metrics } from '../metrics.ts';
import { bytesText, countText, durationText } from '../output.ts';
import type { Probe } from '../probe.ts';
import type { Address } from '../process.ts';
import { printable } from '../width.ts';
import type { Check } from './check.ts';
import { fail, ok, warn } from './check.ts';
import { variableOf } from './machine.ts';

const SLOW_QUERY_MS = 1_000;
/** Clocks that are kept by NTP differ by less. */
const SKEW_MS = 10_000;
const CONVENIENCE = ['otlp-http', 'otlp-grpc', 'clickhouse', 'tinybird'] as const;

/** Every listener; `known` are all that the server has, so what is not among them is another's. */
export function checkListeners(probes: readonly Probe[], known: readonly Address[] | undefined): Check[] {
  const checks = probes.map(({ name, host, port, ok: good, ms, detail }) => {
    const title = `Listener ${name}`;
    const where = `${host}:${port}`;
    if (good) return ok(title, `${where}, ${detail} (${durationText(ms)})`);
    return fail(
      title,
      `${where} does not work: ${detail}`,
      'see `glasshouse logs`; `glasshouse stop` and `start` bring it back',
    );
  });
  for (const name of known === undefined ? [] : CONVENIENCE) {
    if (known?.some((address) => address.name === name) === true) continue;
    checks.push(
      warn(
        `Listener ${name}`,
        'not there: another process had its port at the start',
        `use the main port, or free the port, or set ${variableOf(name)}, and restart`,
      ),
    );
  }
  return checks;
}

export async function checkStore(client: Client, now: () => number): Promise<Check[]> {
  const startedMs = performance.now();
  try {
    const [row] = await client.rows('SELECT toUnixTimestamp64Milli(now64(3)) AS now');
    const ms = performance.now() - startedMs;
    const skewMs = Math.abs(Number(row?.['now']) - now()) - ms;
    const clock =
      skewMs > SKEW_MS
        ? [warn('Clock of the store', `differs from this machine's by ${durationText(skewMs)}`, 'let NTP set both')]
        : [];
    if (ms > SLOW_QUERY_MS) {
      return [
        warn(
          'Store',
          `answers, but took ${durationText(ms)} for the smallest query`,
          'look for heavy queries, memory and disk; GLASSHOUSE_QUERY_SLOTS limits queries at once',
        ),
        ...clock,
      ];
    }
    return [ok('Store', `answers in ${durationText(ms)}`), ...clock];
  } catch (error) {
    return [fail('Store', messageOf(error), 'see `glasshouse logs`; data is taken in meanwhile and waits in the log')];
  }
}

export async function checkBacklog(client: Client, config: Config | undefined): Promise<Check> {
  const metrics = await Metrics.read(client);
  const bytes = metrics.value('wal_backlog_bytes');
  const segments = metrics.value('wal_backlog_segments');
  const detail = `${countText(segments)} segments (${bytesText(bytes)}) wait for the store`;
  if (config !== undefined && bytes > 0.8 * config.walMaxBytes) {
    return fail(
      'Backlog',
      `${detail}; at ${bytesText(config.walMaxBytes)} senders are told to come again`,
      'find out why the store is behind: `glasshouse logs`; or raise GLASSHOUSE_WAL_MAX_SIZE',
    );
  }
  if (metrics.value('drain_healthy') === 0)
    return warn(
      'Backlog',
      `${detail}; the last hand-over failed`,
      'see `glasshouse logs` for the reason; it is tried again by itself',
    );
  if (segments > 8)
    return warn('Backlog', detail, 'the store is slower than the senders; look at its memory, disk and queries');
  return ok('Backlog', segments === 0 ? 'nothing waits for the store' : detail);
}

export function checkQuarantine(dataDir: string): Check {
  const folder = join(dataDir, 'wal', 'quarantine');
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch {
    // It is made with the first segment that is put aside.
  }
  if (names.length === 0) return ok('Quarantine', 'no segment was put aside');
  return warn(
    'Quarantine',
    `${names.length} segments are in ${folder}: the store refuses them`,
    'see `glasshouse logs` for the reasons; moved back to the folder above, they are tried again at the next start',
  );
}

/** Data from the future means a wrong clock at its sender. */
export async function checkSkew(client: Client, now: () => number): Promise<Check> {
  const name = 'Clocks of senders';
  const newest = (table: string): string =>
    `SELECT service_name AS service, toUnixTimestamp64Milli(max(timestamp)) AS newest FROM ${table} WHERE timestamp > now() - INTERVAL 1 HOUR GROUP BY service_name`;
  try {
    const rows = await client.rows(
      `SELECT service, max(newest) AS newest FROM (${newest('spans')} UNION ALL ${newest('logs')}) GROUP BY service ORDER BY newest DESC LIMIT 100`,
    );
    const nowMs = now();
    const ahead = rows
      .map(({ service, newest }) => ({ service: printable(textOf(service)), aheadMs: Number(newest) - nowMs }))
      .filter(({ aheadMs }) => aheadMs > SKEW_MS);
    if (ahead.length > 0) {
      const who = ahead.slice(0, 5).map(({ service, aheadMs }) => `${service} by ${durationText(aheadMs)}`);
      return warn(
        name,
        `ahead of this machine: ${who.join(', ')}${ahead.length > 5 ? ', …' : ''}`,
        'let NTP set the clocks of the machines that these run on, and of this one',
      );
    }
    if (rows.length === 0) return ok(name, 'nothing came in the last hour that could show it');
    return ok(
      name,
      `no service is ahead; the newest data is ${durationText(Math.max(0, nowMs - Number(rows[0]?.['newest'])))} old`,
    );
  } catch (error) {
    return warn(name, `could not be asked for: ${messageOf(error)}`, 'see the check of the store');
  }
}
