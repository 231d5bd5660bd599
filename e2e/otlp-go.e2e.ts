/**
 * `telemetrygen`, the load generator of the OpenTelemetry Collector (the Go SDK and exporters), against the built server,
 * over gRPC and HTTP: nothing is lost or doubled, and the fields are those that were asked for.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logRow, resourceColumns } from './support/expected.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import { INSTALL_MS, runProgram, telemetrygen } from './support/toolbox.ts';

const TRACE_ID = 'ae87dadd90e9935a4bc9660628efd569';
const SPAN_ID = '5828fa4960140870';
const ATTRIBUTES = ['http.route="/cart"', 'http.response.status_code=503', 'retried=true', 'tags=["a", "b"]'];
const STORED_ATTRIBUTES = {
  attributes_string: { 'http.route': '/cart' },
  attributes_int: { 'http.response.status_code': 503 },
  attributes_bool: { retried: true },
  attributes_json: { tags: '["a","b"]' },
};

/** Arguments without blanks in them. */
const words = (text: string): string[] => text.trim().split(/\s+/);

const resourceOf = (service: string): Row =>
  resourceColumns({ region: '"eu"', 'service.name': `"${service}"`, zone: '7' });

let server: Server;
let program: string;

beforeAll(async () => {
  [server, program] = await Promise.all([startServer(), telemetrygen()]);
}, INSTALL_MS);

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

type Signal = 'logs' | 'metrics' | 'traces';

/** Runs telemetrygen as fast as it goes. */
async function generate(
  protocol: 'grpc' | 'http',
  signal: Signal,
  service: string,
  args: readonly string[],
): Promise<void> {
  const port = protocol === 'grpc' ? server.ports.otlpGrpc : server.ports.otlpHttp;
  const way = protocol === 'grpc' ? '' : `--otlp-http --otlp-http-url-path /v1/${signal}`;
  await runProgram(program, [
    signal,
    ...words(`--otlp-insecure --otlp-endpoint 127.0.0.1:${port} --service ${service} --rate 0 ${way}`),
    ...words('--otlp-attributes region="eu" --otlp-attributes zone=7'),
    ...ATTRIBUTES.flatMap((attribute) => ['--telemetry-attributes', attribute]),
    ...args,
  ]);
}

/** One row of totals, asked for until its column `n` has the wanted number. */
async function totals(query: string, n: number): Promise<Row | undefined> {
  await server.rows(`SELECT n FROM (${query}) WHERE n >= ${n}`, 1);
  return (await server.sql(query))[0];
}

describe.each(['grpc', 'http'] as const)('telemetrygen over %s', (protocol) => {
  it('has all its spans stored, once', async () => {
    const service = `go-traces-${protocol}`;
    await generate(protocol, 'traces', service, [
      ...words('--traces 200 --workers 2 --child-spans 3 --span-links 2 --status-code Error'),
      ...words('--span-duration 4567us'),
    ]);
    const spans = 2 * 200 * 4;
    const query = `
      SELECT count() AS n, uniqExact(span_id) AS spans, uniqExact(trace_id) AS traces,
        countIf(name = 'lets-go' AND parent_span_id = '' AND kind = 3) AS roots,
        countIf(match(name, '^okey-dokey-[012]$') AND parent_span_id != '' AND kind = 2) AS children,
        countIf(status_code = 2) AS errors, 
        countIf(duration_ns = if(parent_span_id = '', 3 * 4567000, 4567000)) AS exact, countIf(flags = 257) AS sampled,
        countIf(length(links.trace_id) = 2 AND links.attributes =
          ['{"link.type":"random","link.index":0}', '{"link.type":"random","link.index":1}']) AS linked,
        countIf(resource['region'] = 'eu' AND JSONExtractInt(resource_attributes, 'zone') = 7) AS regional,
        countIf(http_route = '/cart' AND http_status_code = 503 AND attributes_bool['retried']) AS attributed,
        countIf(attributes_json['tags'] = '["a","b"]' AND attributes_string['network.peer.address'] = '1.2.3.4') AS addressed,
        uniqExact(scope_name) AS scopes
      FROM spans WHERE service_name = '${service}'`;
    expect(await totals(query, spans)).toEqual({
      n: spans,
      spans,
      traces: 400,
      roots: 400,
      children: 1200,
      errors: spans,
      exact: spans,
      sampled: spans,
      // The first span of each worker has nothing to link to.
      linked: spans - 2,
      regional: spans,
      attributed: spans,
      addressed: spans,
      scopes: 1,
    });
    const orphans = `SELECT count() AS n FROM spans WHERE service_name = '${service}' AND parent_span_id != ''
      AND (trace_id, parent_span_id) NOT IN (SELECT trace_id, span_id FROM spans WHERE service_name = '${service}')`;
    expect(await server.sql(orphans)).toEqual([{ n: 0 }]);
  });

  it('has all its log records stored, once', async () => {
    const service = `go-logs-${protocol}`;
    await generate(protocol, 'logs', service, [
      ...words(`--logs 500 --severity-number 17 --severity-text Error --trace-id ${TRACE_ID} --span-id ${SPAN_ID}`),
      '--body',
      'cart is empty: ünïcödé',
    ]);
    const query = `SELECT count() AS n, * EXCEPT (timestamp, observed_timestamp) FROM logs
      WHERE service_name = '${service}' GROUP BY ALL`;
    const expected = logRow({
      n: 500,
      trace_id: TRACE_ID,
      span_id: SPAN_ID,
      severity_number: 17,
      severity_text: 'Error',
      body: 'cart is empty: ünïcödé',
      body_type: 'string',
      ...resourceOf(service),
      ...STORED_ATTRIBUTES,
      attributes_string: { app: 'server', ...STORED_ATTRIBUTES.attributes_string },
      // telemetrygen says so in every record.
      dropped_attributes_count: 1,
      resource_schema_url: expect.stringMatching(/^https:\/\/opentelemetry\.io\/schemas\/1\./) as unknown,
    });
    const { observed_timestamp: _, ...columns } = expected;
    expect(await totals(query, 500)).toEqual(columns);
  });

  it.each([
    ['Gauge', 'metrics_gauge', [], {}],
    ['Sum', 'metrics_sum', ['--aggregation-temporality', 'delta'], { temporality: 'delta', is_monotonic: true }],
    [
      'Sum',
      'metrics_sum',
      ['--aggregation-temporality', 'cumulative'],
      { temporality: 'cumulative', is_monotonic: true },
    ],
    ['Histogram', 'metrics_histogram', [], { temporality: 'cumulative' }],
    ['ExponentialHistogram', 'metrics_exponential_histogram', [], { temporality: 'cumulative' }],
  ])('has all points of a %s stored, once, with their exemplars (%s %j)', async (type, table, args, fields) => {
    const service = `go-${type}-${args.at(-1) ?? 'plain'}-${protocol}`;
    await generate(protocol, 'metrics', service, [
      ...words(`--metrics 50 --metric-type ${type} --trace-id ${TRACE_ID} --span-id ${SPAN_ID}`),
      ...args,
    ]);
    const rows = await server.rows(`SELECT * FROM ${table} WHERE service_name = '${service}' ORDER BY timestamp`, 50);
    expect(rows).toHaveLength(50);
    for (const row of rows) {
      expect(row).toMatchObject({
        ...fields,
        ...resourceOf(service),
        ...STORED_ATTRIBUTES,
        'exemplars.trace_id': [TRACE_ID],
        'exemplars.span_id': [SPAN_ID],
      });
    }
    if (type === 'Gauge' || type === 'Sum') {
      expect(rows.map((row) => row['value_int'])).toEqual(rows.map((row) => Number(row['value'])));
      expect(rows.every((row) => row['value_type'] === 'int')).toBe(true);
      return;
    }
    const buckets = type === 'Histogram' ? ['bucket_counts'] : ['positive_bucket_counts', 'negative_bucket_counts'];
    for (const row of rows) {
      const counted = buckets.flatMap((name) => row[name] as number[]).reduce((sum, count) => sum + count, 0);
      expect(counted + Number(row['zero_count'] ?? 0)).toBe(row['count']);
    }
  });
});
