/** The ready-made answers of `sql --view`: the latest traces, and what is stored. Plain SQL over the documented views. */

import type { Client, SqlResult, Value } from './client.ts';
import type { Output } from './output.ts';
import { printRows } from './results.ts';

export const VIEW_NAMES = ['traces', 'stats'] as const;
export type ViewName = (typeof VIEW_NAMES)[number];

/** Traces of the newest spans; their spans are then looked up by trace id, so that duration and status are the whole trace's. */
const TRACES = `SELECT toDateTime(min(timestamp)) AS time, argMin(service_name, timestamp) AS service,
  argMin(name, timestamp) AS span, if(max(status_code = 2), 'ERROR', 'OK') AS status,
  round((max(toUnixTimestamp64Nano(timestamp) + duration_ns) - min(toUnixTimestamp64Nano(timestamp))) / 1e6, 3) AS duration_ms,
  count() AS spans, trace_id
FROM spans
WHERE trace_id IN (
  SELECT trace_id FROM (SELECT trace_id, timestamp FROM spans ORDER BY timestamp DESC LIMIT 5000)
  GROUP BY trace_id ORDER BY max(timestamp) DESC LIMIT 20)
GROUP BY trace_id
ORDER BY min(timestamp) DESC`;

const SERVICES = `SELECT service_name AS service, count() AS spans, countIf(status_code = 2) AS errors,
  round(quantilesTDigest(0.5, 0.95, 0.99)(duration_ns)[1] / 1e6, 3) AS p50_ms,
  round(quantilesTDigest(0.5, 0.95, 0.99)(duration_ns)[2] / 1e6, 3) AS p95_ms,
  round(quantilesTDigest(0.5, 0.95, 0.99)(duration_ns)[3] / 1e6, 3) AS p99_ms,
  toDateTime(min(timestamp)) AS first_seen, toDateTime(max(timestamp)) AS last_seen
FROM spans GROUP BY service_name ORDER BY spans DESC LIMIT 100`;

const SEVERITIES = `SELECT
  multiIf(severity_number = 0, 'unknown', severity_number < 5, 'TRACE', severity_number < 9, 'DEBUG', severity_number < 13, 'INFO',
    severity_number < 17, 'WARN', severity_number < 21, 'ERROR', 'FATAL') AS severity,
  count() AS records, uniq(service_name) AS services, toDateTime(max(timestamp)) AS last_seen
FROM logs GROUP BY severity ORDER BY max(severity_number) DESC`;

const KINDS = ['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary'];
const POINTS = `SELECT kind, points, metrics, last_seen FROM (${KINDS.map(
  (kind) =>
    `SELECT '${kind}' AS kind, count() AS points, uniq(name) AS metrics, toDateTime(max(timestamp)) AS last_seen FROM metrics_${kind}`,
).join(' UNION ALL ')}) WHERE points > 0 ORDER BY points DESC`;

const STATS = [
  { key: 'services', title: 'Spans by service', sql: SERVICES },
  { key: 'logs', title: 'Log records by severity', sql: SEVERITIES },
  { key: 'metrics', title: 'Metric points by kind', sql: POINTS },
] as const;

/** Shows a view. Times are UTC. */
export async function showView(client: Client, output: Output, view: ViewName, json: boolean): Promise<void> {
  if (view === 'traces') {
    const result = await client.sql(TRACES);
    if (json) output.json({ traces: asObjects(result) });
    else
      printSection(
        output,
        { ...result, meta: result.meta.map(shortTitle) },
        'No traces yet; `glasshouse send-test` sends some.',
      );
    return;
  }
  const results = await Promise.all(STATS.map(({ sql }) => client.sql(sql)));
  if (json) {
    output.json(Object.fromEntries(STATS.map(({ key }, index) => [key, asObjects(results[index])])));
    return;
  }
  STATS.forEach(({ title }, index) => {
    if (index > 0) output.line();
    output.line(output.paint('cyan', title));
    printSection(output, results[index], '  none yet');
  });
}

/** The trace ids need the room on a terminal. */
function shortTitle<T extends { readonly name: string }>(column: T): T {
  return column.name === 'duration_ms' ? { ...column, name: 'ms' } : column;
}

function printSection(output: Output, result: SqlResult | undefined, empty: string): void {
  if (result === undefined || result.data.length === 0) output.line(empty);
  else printRows(output, result);
}

function asObjects(result: SqlResult | undefined): Record<string, Value>[] {
  const { meta = [], data = [] } = result ?? {};
  return data.map((row) => Object.fromEntries(meta.map(({ name }, index) => [name, row[index] ?? null])));
}
