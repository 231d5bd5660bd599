/**
 * The official OpenTelemetry JavaScript SDK, with each of its exporters, against the built server: what an application
 * recorded is compared with what SQL answers, whole rows at a time.
 */

import type { HrTime } from '@opentelemetry/api';
import { AggregationTemporality } from '@opentelemetry/sdk-metrics';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey, revokeKey } from './support/admin.ts';
import { histogramRow, logRow, numberRow, resourceColumns, spanRow, timeText } from './support/expected.ts';
import type { Compression, Destination, Protocol, Sent } from './support/javascript.ts';
import { later, sendEverything } from './support/javascript.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';

const TRACER = { scope_name: 'e2e.tracer', scope_version: '0.9.0' };
const LOGGER = { scope_name: 'e2e.logger', scope_version: '2.0.0' };
const METER = { scope_name: 'e2e.meter', scope_version: '3.0.0' };
const SPANS = 5;
const LOGS = 3;
const SUMS = 12;

const timeOf = ([seconds, nanos]: HrTime): string => timeText(BigInt(seconds) * 1_000_000_000n + BigInt(nanos));

/** Plain exports go to the port that is made for them, packed ones to the main port, which takes everything. */
function destination(server: Server, protocol: Protocol, compression: Compression): Destination {
  const own = protocol === 'grpc' ? server.ports.otlpGrpc : server.ports.otlpHttp;
  const port = compression === 'none' ? own : server.ports.main;
  return { protocol, compression, base: `http://127.0.0.1:${port}` };
}

function resourceOf({ service }: Sent): Row {
  return resourceColumns({
    'service.name': `"${service}"`,
    'service.version': '"1.2.3"',
    'host.cpus': '8',
    'host.load': '0.25',
    'host.virtual': 'true',
    'process.command_args': '["node","main.js"]',
  });
}

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

const WAYS: readonly [Protocol, Compression][] = [
  ['proto', 'none'],
  ['proto', 'gzip'],
  ['json', 'none'],
  ['json', 'gzip'],
  ['grpc', 'none'],
  ['grpc', 'gzip'],
];

describe.each(WAYS)('%s exporters, compression %s', (protocol, compression) => {
  let sent: Sent;
  const ask = (table: string, count: number): Promise<readonly Row[]> =>
    server.rows(
      `SELECT * FROM ${table} WHERE service_name = '${sent.service}' ORDER BY timestamp, name, attributes_string['route']`,
      count,
    );

  beforeAll(async () => {
    sent = await sendEverything(`js-${protocol}-${compression}`, destination(server, protocol, compression));
  });

  it('are told that everything was taken', () => {
    expect(sent.outcomes.map(({ signal }) => signal).toSorted()).toEqual([
      ...Array<string>(LOGS).fill('logs'),
      ...Array<string>(2).fill('metrics'),
      ...Array<string>(SPANS).fill('traces'),
    ]);
    expect(sent.outcomes.filter(({ error }) => error !== undefined)).toEqual([]);
  });

  it('bring spans with every kind of attribute, event, link, status and trace state', async () => {
    const { startedAt, span, child, remoteParent, linked } = sent;
    const common = { ...resourceOf(sent), ...TRACER, timestamp: timeOf(startedAt), flags: 0x101 };
    const long = { duration_ns: 3_600_000_000_001, trace_id: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown };
    const other = { ...common, ...long, span_id: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown };
    expect(await ask('spans', SPANS)).toEqual([
      spanRow({
        ...common,
        trace_id: remoteParent.traceId,
        span_id: span.spanId,
        parent_span_id: remoteParent.spanId,
        trace_state: 'vendor=abc,other=1',
        flags: 0x301,
        name: 'GET /orders/{id}',
        kind: 2,
        duration_ns: 1_500_000_001,
        status_code: 2,
        status_message: 'upstream said no: ünïcödé 🚨',
        attributes_string: { text: 'hello, wörld 🌍\n"quoted"\\', empty: '' },
        attributes_int: { int: 42, 'int.negative': -7, 'int.large': 9_007_199_254_740_991 },
        attributes_double: { double: 0.1234567890123456, 'double.tiny': 5e-324 },
        attributes_bool: { yes: true, no: false },
        attributes_json: {
          strings: '["a","","ü"]',
          ints: '[1,-2,3]',
          doubles: '[0.5,1.25]',
          bools: '[true,false]',
          'empty.list': '[]',
          bytes: '{"bytes":"AAH+/w=="}',
          nested: '{"level":{"deep":[1,"two"]}}',
        },
        'events.timestamp': [timeOf(later(startedAt, 1_001)), timeOf(later(startedAt, 2_002))],
        'events.name': ['cache.miss', 'done'],
        'events.attributes': ['{"key":"order:7","size":512,"ratio":0.75,"cold":true,"tags":["a","b"]}', '{}'],
        'events.dropped_attributes_count': [0, 0],
        'links.trace_id': [linked.traceId],
        'links.span_id': [linked.spanId],
        'links.trace_state': ['link=yes'],
        'links.flags': [0x101],
        'links.attributes': ['{"reason":"retry","attempt":2}'],
        'links.dropped_attributes_count': [0],
      }),
      spanRow({ ...other, name: 'consumer', kind: 5 }),
      spanRow({ ...other, name: 'internal', kind: 1 }),
      spanRow({ ...other, name: 'producer', kind: 4 }),
      spanRow({
        ...common,
        trace_id: remoteParent.traceId,
        span_id: child.spanId,
        parent_span_id: span.spanId,
        trace_state: 'vendor=abc,other=1',
        timestamp: timeOf(later(startedAt, 10)),
        name: 'child',
        kind: 3,
        duration_ns: 1,
        status_code: 1,
      }),
    ]);
  });

  it('bring log records with text, structure or nothing in the body', async () => {
    const { startedAt, span } = sent;
    const common = { ...resourceOf(sent), ...LOGGER };
    const query = `SELECT * FROM logs WHERE service_name = '${sent.service}' ORDER BY timestamp`;
    expect(await server.rows(query, LOGS)).toEqual([
      logRow({
        ...common,
        timestamp: timeOf(startedAt),
        observed_timestamp: timeOf(later(startedAt, 5)),
        trace_id: span.traceId,
        span_id: span.spanId,
        flags: 1,
        severity_number: 14,
        severity_text: 'WARN',
        body: 'disk is 91% full',
        body_type: 'string',
        attributes_string: { device: 'sda1' },
        attributes_int: { used: 91 },
        attributes_double: { ratio: 0.91 },
        attributes_bool: { alarm: true },
        attributes_json: { mounts: '["/","/var"]', extra: '{"a":1,"b":null}' },
      }),
      logRow({
        ...common,
        timestamp: timeOf(later(startedAt, 1)),
        observed_timestamp: timeOf(later(startedAt, 6)),
        severity_number: 9,
        event_name: 'order.placed',
        body: '{"message":"structured","code":7,"ratio":0.5,"ok":true,"list":[1,"x",null],"nested":{"a":"b"}}',
        body_type: 'json',
      }),
      logRow({
        ...common,
        timestamp: timeOf(later(startedAt, 2)),
        observed_timestamp: timeOf(later(startedAt, 7)),
      }),
    ]);
  });

  it('bring metrics of every kind, cumulative', async () => {
    expect(await ask('metrics_sum', SUMS)).toEqual(sums(sent, 'cumulative', [1, 11]));
    expect(await ask('metrics_gauge', 4)).toEqual([0, 1].flatMap((round) => gauges(sent, round)));
    expect(await ask('metrics_histogram', 2)).toEqual([0, 1].map((round) => latency(sent, 'cumulative', round)));
    expect(await ask('metrics_exponential_histogram', 2)).toEqual(
      [0, 1].map((round) => sizes(sent, 'cumulative', round)),
    );
  });
});

describe.each(['proto', 'json', 'grpc'] as const)('%s exporters that send deltas', (protocol) => {
  it('bring what was recorded since the last export', async () => {
    const to = destination(server, protocol, 'none');
    const sent = await sendEverything(`js-delta-${protocol}`, to, AggregationTemporality.DELTA);
    const where = `WHERE service_name = '${sent.service}' ORDER BY timestamp, name`;
    // Synchronous instruments that recorded nothing in the second interval have no point in it; observed ones do.
    const query =
      'SELECT name, value, temporality, is_monotonic, start_timestamp, timestamp FROM metrics_sum ' +
      `WHERE name IN ('requests', 'cpu') AND service_name = '${sent.service}' ORDER BY timestamp, name, value DESC`;
    const points = await server.rows(query, pointsOf(sent, 'requests') + pointsOf(sent, 'cpu'));
    expect(points.filter(({ name }) => name === 'requests')).toEqual([
      expectedDelta(sent, 0, 7, '/a'),
      expectedDelta(sent, 0, 1, '/b'),
      expectedDelta(sent, 1, 10, '/b'),
    ]);
    expect(points.filter(({ name }) => name === 'cpu').map(({ value }) => value)).toEqual([12.5, 0]);
    const histograms = await server.rows(`SELECT * FROM metrics_histogram ${where}`, 1);
    expect(histograms).toEqual([latency(sent, 'delta', 0)]);
    const exponential = await server.rows(`SELECT * FROM metrics_exponential_histogram ${where}`, 1);
    expect(exponential).toEqual([sizes(sent, 'delta', 0)]);
  });
});

/** How many points of an instrument the SDK sent. */
function pointsOf(sent: Sent, name: string): number {
  const metrics = sent.metrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return metrics
    .filter(({ descriptor }) => descriptor.name === name)
    .flatMap(({ dataPoints }) => dataPoints as object[]).length;
}

function expectedDelta(sent: Sent, round: number, value: number, route: string): Row {
  return {
    ...times(sent, 'requests', round, route),
    name: 'requests',
    value,
    temporality: 'delta',
    is_monotonic: true,
  };
}

/** Start and end that the SDK gave to the point of an instrument, the one with the route if it has several, in one of the two collections. */
function times(sent: Sent, name: string, round: number, route?: string): Row {
  const metrics = sent.metrics[round]?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  const points: readonly { attributes: Row; startTime: HrTime; endTime: HrTime }[] =
    metrics.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
  const point = points.find(({ attributes }) => route === undefined || attributes['route'] === route);
  if (point === undefined) throw new Error(`cannot find the points of ${name} in collection ${round}`);
  return { start_timestamp: timeOf(point.startTime), timestamp: timeOf(point.endTime) };
}

function point(sent: Sent, name: string, round: number): Row {
  return { ...resourceOf(sent), ...METER, ...times(sent, name, round), name };
}

function sums(sent: Sent, temporality: string, requestsToB: readonly [number, number]): Row[] {
  const sum = (name: string, round: number, value: number, type: 'double' | 'int', columns: Row): Row =>
    numberRow(value, type, { ...point(sent, name, round), temporality, is_monotonic: true, ...columns });
  const requests = { unit: '1', description: 'Requests' };
  const toA = {
    attributes_string: { route: '/a' },
    attributes_int: { status: 200 },
    attributes_double: { weight: 0.5 },
    attributes_bool: { cached: false },
  };
  return [0, 1].flatMap((round) => [
    sum('active', round, -3, 'int', { is_monotonic: false }),
    sum('bytes', round, 0.125, 'double', { unit: 'By' }),
    sum('cpu', round, 12.5, 'double', { unit: 's' }),
    sum('pool', round, -2, 'double', { is_monotonic: false }),
    sum('requests', round, 7, 'int', { ...requests, ...toA, ...times(sent, 'requests', round, '/a') }),
    sum('requests', round, requestsToB[round] as number, 'int', {
      ...requests,
      attributes_string: { route: '/b' },
      ...times(sent, 'requests', round, '/b'),
    }),
  ]);
}

function gauges(sent: Sent, round: number): Row[] {
  return [
    numberRow(17, 'int', { ...point(sent, 'queue', round), attributes_string: { q: 'in' } }),
    numberRow(-3.5, 'double', {
      ...point(sent, 'temperature', round),
      unit: 'Cel',
      attributes_string: { room: 'cellar' },
    }),
  ];
}

function latency(sent: Sent, temporality: string, round: number): Row {
  return histogramRow({
    ...point(sent, 'latency', round),
    unit: 'ms',
    description: 'Latency',
    attributes_string: { route: '/a' },
    temporality,
    count: 5,
    sum: 1110.5,
    min: 0.25,
    max: 1000,
    bucket_counts: [2, 1, 1, 1],
    explicit_bounds: [0.5, 10, 250.25],
  });
}

/** Values 0, 0.001, 1, 2, 4 and 1024 at scale 3: eight buckets for each power of two, whose upper bound belongs to it. */
function sizes(sent: Sent, temporality: string, round: number): Row {
  const indexes = [0.001, 1, 2, 4, 1024].map((value) => Math.ceil(Math.log2(value) * 8) - 1);
  const offset = indexes[0] as number;
  const counts = Array<number>((indexes.at(-1) as number) - offset + 1).fill(0);
  for (const index of indexes) counts[index - offset] = 1;
  return histogramRow({
    ...point(sent, 'sizes', round),
    unit: 'By',
    temporality,
    count: 6,
    sum: 1031.001,
    min: 0,
    max: 1024,
    scale: 3,
    zero_count: 1,
    zero_threshold: 0,
    positive_offset: offset,
    positive_bucket_counts: counts,
    negative_offset: 0,
    negative_bucket_counts: [],
  });
}

describe('with keys', () => {
  let guarded: Server;
  const stored = async (): Promise<unknown> => {
    const query =
      'SELECT (SELECT count() FROM spans) + (SELECT count() FROM logs) + (SELECT count() FROM metrics_sum) AS n';
    return (await guarded.sql(query, guarded.adminToken))[0]?.['n'];
  };

  beforeAll(async () => {
    guarded = await startServer({ env: { GLASSHOUSE_AUTH: 'keys' } });
  });

  afterAll(() => guarded?.stop());
  showLogsOfFailures(() => guarded);

  it.each<[Protocol, string, (key: string) => string]>([
    ['proto', 'authorization', (key) => `Bearer ${key}`],
    ['json', 'x-api-key', (key) => key],
    ['grpc', 'authorization', (key) => `Basic ${Buffer.from(`anyone:${key}`).toString('base64')}`],
    ['grpc', 'x-api-key', (key) => key],
  ])('%s exporters with the key in %s store under the placement of the key', async (protocol, header, value) => {
    const placement = { tenant: 'acme', project: `shop-${protocol}-${header.length}`, environment: 'prod' };
    const { key } = await createKey(guarded, { name: 'sdk', ...placement });
    const service = `js-${placement.project}`;
    const sent = await sendEverything(service, {
      ...destination(guarded, protocol, 'none'),
      headers: { [header]: value(key) },
    });
    expect(sent.outcomes.filter(({ error }) => error !== undefined)).toEqual([]);
    const query = `SELECT project_id, environment, count() AS n FROM spans WHERE service_name = '${service}' GROUP BY ALL`;
    const counted = `SELECT count() AS n FROM spans WHERE service_name = '${service}' HAVING n = ${SPANS}`;
    await guarded.rows(counted, 1, key);
    expect(await guarded.sql(query, key)).toEqual([{ project_id: placement.project, environment: 'prod', n: SPANS }]);
  });

  it.each<[Protocol, number]>([
    ['proto', 401],
    ['json', 401],
    ['grpc', 16],
  ])(
    '%s exporters without a key, with a wrong or a revoked one get %i, and nothing is stored',
    async (protocol, code) => {
      const created = await createKey(guarded, { name: 'short-lived' });
      await revokeKey(guarded, created.id);
      const before = await stored();
      for (const headers of [{}, { authorization: 'Bearer gh_wrong' }, { 'x-api-key': created.key }]) {
        const sent = await sendEverything('js-refused', { ...destination(guarded, protocol, 'none'), headers });
        expect(sent.outcomes.map(({ error }) => (error as { code?: number } | undefined)?.code)).toEqual(
          Array<number>(SPANS + LOGS + 2).fill(code),
        );
      }
      expect(await guarded.metric('glasshouse_wal_open_rows')).toBe(0);
      expect(await stored()).toBe(before);
    },
  );
});
