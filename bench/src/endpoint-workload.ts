/**
 * Requests of a web service as events, a data source and its endpoints over them, and the addresses that ask for an hour. Two
 * data sources: one whose rows fall evenly on a day, and one whose rows all fall within an hour.
 *
 * Must stay true: no two addresses of a run are the same, so that no cache of answers or conditions serves them.
 */

import { SERVICES } from './catalog.ts';
import { Random } from './random.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Within one month, which is one partition. */
const MIDNIGHT_MS = Date.UTC(2026, 0, 15);

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export const DAY: Span = { fromMs: MIDNIGHT_MS, toMs: MIDNIGHT_MS + DAY_MS };
export const HOUR: Span = { fromMs: MIDNIGHT_MS + 12 * HOUR_MS, toMs: MIDNIGHT_MS + 13 * HOUR_MS };

/** What `POST /v0/datasources` takes. */
export function requestsSource(name: string): Readonly<Record<string, string>> {
  return {
    name,
    format: 'ndjson',
    schema: [
      'timestamp DateTime64(3) `json:$.timestamp`',
      'service LowCardinality(String) `json:$.service`',
      'route LowCardinality(String) `json:$.route`',
      'status UInt16 `json:$.status`',
      'duration_ms UInt32 `json:$.duration_ms`',
      'bytes UInt32 `json:$.bytes`',
      'user_id String `json:$.user_id`',
    ].join(', '),
    engine: 'MergeTree',
    engine_partition_key: 'toYYYYMM(timestamp)',
    engine_sorting_key: 'timestamp',
  };
}

/** What a materialization of that source by minute and service is kept in. */
export function minutesSource(name: string): Readonly<Record<string, string>> {
  return {
    name,
    format: 'ndjson',
    schema: [
      'minute DateTime',
      'service LowCardinality(String)',
      'requests SimpleAggregateFunction(sum, UInt64)',
      'errors SimpleAggregateFunction(sum, UInt64)',
      'bytes SimpleAggregateFunction(sum, UInt64)',
      'mean_ms AggregateFunction(avg, UInt32)',
      'p95_ms AggregateFunction(quantileBFloat16(0.95), UInt32)',
    ].join(', '),
    engine: 'AggregatingMergeTree',
    engine_partition_key: 'toYYYYMM(minute)',
    engine_sorting_key: 'minute, service',
  };
}

/** A pipe as `POST /v0/pipes` takes it. */
export interface PipeForm {
  readonly name: string;
  readonly nodes: readonly { readonly name: string; readonly sql: string; readonly type: string }[];
}

/** The endpoint: what happened per minute between `start` and `end`, of one service or of all. */
export function requestsPipe(name: string, source: string): PipeForm {
  const sql = `%
    SELECT toStartOfMinute(timestamp) AS minute, count() AS requests, countIf(status >= 500) AS errors, sum(bytes) AS bytes,
      avg(duration_ms) AS mean_ms, quantile(0.95)(duration_ms) AS p95_ms
    FROM ${source}
    WHERE timestamp >= {{ DateTime64(start) }} AND timestamp < {{ DateTime64(end) }}
    {% if defined(service) %} AND service = {{ String(service) }} {% end %}
    GROUP BY minute ORDER BY minute`;
  return { name, nodes: [{ name: 'per_minute', sql, type: 'endpoint' }] };
}

/** Fills `target`, which is a {@link minutesSource}, with what comes into `source`. */
export function materializingPipe(name: string, source: string, target: string): PipeForm {
  const sql = `SELECT toDateTime(toStartOfMinute(timestamp)) AS minute, service, count() AS requests,
      countIf(status >= 500) AS errors, sum(bytes) AS bytes, avgState(duration_ms) AS mean_ms,
      quantileBFloat16State(0.95)(duration_ms) AS p95_ms
    FROM ${source} GROUP BY minute, service`;
  const node = { name: 'states', sql, type: 'materialized', datasource: target };
  return { name, nodes: [node] };
}

/** The same endpoint over what was materialized. */
export function minutesPipe(name: string, source: string): PipeForm {
  const sql = `%
    SELECT minute, sum(requests) AS requests, sum(errors) AS errors, sum(bytes) AS bytes,
      avgMerge(mean_ms) AS mean_ms, quantileBFloat16Merge(0.95)(p95_ms) AS p95_ms
    FROM ${source}
    WHERE minute >= {{ DateTime(start) }} AND minute < {{ DateTime(end) }}
    {% if defined(service) %} AND service = {{ String(service) }} {% end %}
    GROUP BY minute ORDER BY minute`;
  return { name, nodes: [{ name: 'per_minute', sql, type: 'endpoint' }] };
}

/** Bodies of NDJSON, `perBody` rows each, whose times go evenly from one end of the span to the other. */
export function* requestBodies({ fromMs, toMs }: Span, rows: number, perBody: number, seed: number): Generator<string> {
  const random = new Random(seed);
  const digits = (count: number): string => String(random.below(10 ** count)).padStart(count, '0');
  const stepMs = (toMs - fromMs) / rows;
  for (let row = 0; row < rows;) {
    let body = '';
    for (const end = Math.min(rows, row + perBody); row < end; row++) {
      const { name, nouns } = random.pick(SERVICES);
      const status = random.below(50) === 0 ? 503 : 200;
      // Most are fast, and some very slow.
      const durationMs = Math.floor(4 + 40 * random.fraction() ** 3 + (random.below(100) === 0 ? 2_000 : 0));
      body +=
        `{"timestamp":"${new Date(fromMs + row * stepMs).toISOString()}","service":"${name}",` +
        `"route":"/api/v2/${random.pick(nouns)}/{id}","status":${status},"duration_ms":${durationMs},` +
        `"bytes":${200 + random.below(20_000)},"user_id":"u-${digits(6)}"}\n`;
    }
    yield body;
  }
}

/** How the times of a run are chosen. */
export interface Asking {
  readonly pipe: string;
  readonly token: string;
  readonly count: number;
  readonly seed: number;
  /** One service, another in every request; all if false. */
  readonly oneService: boolean;
  /** Between which times what is asked for begins. */
  readonly starts: Span;
  /** Between which times it ends; an hour after its beginning if left out. */
  readonly ends?: Span;
  /** Without milliseconds, for times that are kept by the second. */
  readonly wholeSeconds?: boolean;
}

/** Addresses that ask for a time and perhaps a service, each another one. */
export function endpointPaths({ pipe, token, count, seed, oneService, starts, ends, wholeSeconds }: Asking): string[] {
  const random = new Random(seed);
  const within = ({ fromMs, toMs }: Span): number => fromMs + random.below(toMs - fromMs);
  const text = (ms: number): string => {
    const iso = new Date(ms).toISOString().replace('T', ' ');
    return iso.slice(0, wholeSeconds === true ? 19 : 23);
  };
  const paths = new Set<string>();
  while (paths.size < count) {
    const fromMs = within(starts);
    const toMs = ends === undefined ? fromMs + HOUR_MS : within(ends);
    const parameters = new URLSearchParams({ token, start: text(fromMs), end: text(toMs) });
    if (oneService) parameters.set('service', random.pick(SERVICES).name);
    paths.add(`/v0/pipes/${pipe}.json?${parameters.toString()}`);
  }
  return [...paths];
}

/** Hours that lie wholly within a span. */
export function hoursWithin({ fromMs, toMs }: Span): Span {
  return { fromMs, toMs: toMs - HOUR_MS };
}

/** Times up to so long before a span, and up to so long after it: what lies between always has all of it. */
export function around({ fromMs, toMs }: Span, ms: number): { readonly starts: Span; readonly ends: Span } {
  return { starts: { fromMs: fromMs - ms, toMs: fromMs }, ends: { fromMs: toMs, toMs: toMs + ms } };
}
