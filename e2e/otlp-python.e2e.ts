/**
 * The official OpenTelemetry SDK for Python, over HTTP with gzip and over gRPC, against the built server. It sends what
 * JavaScript cannot: integers of 64 bits, doubles without a fraction, exemplars, schema URLs and scope attributes.
 */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { histogramRow, logRow, numberRow, resourceColumns, spanRow, timeText } from './support/expected.ts';
import { parseExact } from './support/json.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import { INSTALL_MS, python, runProgram } from './support/toolbox.ts';

const PROGRAM = join(import.meta.dirname, 'python/send.py');

type Nanos = bigint | number;

/** A data point as the Python SDK describes it. */
interface Point {
  readonly start_time_unix_nano: Nanos | null;
  readonly time_unix_nano: Nanos;
  readonly exemplars: readonly { time_unix_nano: Nanos; trace_id: Nanos; span_id: Nanos }[];
  readonly count: number;
  readonly sum: number;
  readonly scale: number;
  readonly zero_count: number;
  readonly positive: { offset: number; bucket_counts: readonly number[] };
  readonly negative: { offset: number; bucket_counts: readonly number[] };
}

interface Sent {
  readonly started: Nanos;
  readonly ids: { readonly trace_id: string; readonly root: string; readonly child: string };
  readonly points: Readonly<Record<'jobs' | 'latency' | 'level' | 'open' | 'sizes', Point>>;
}

const hexId = (id: Nanos, bytes: number): string =>
  BigInt(id)
    .toString(16)
    .padStart(bytes * 2, '0');

let server: Server;
let interpreter: string;

beforeAll(async () => {
  [server, interpreter] = await Promise.all([startServer(), python()]);
}, INSTALL_MS);

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

describe.each(['http', 'grpc'] as const)('Python SDK over %s', (protocol) => {
  const service = `python-${protocol}`;
  let sent: Sent;
  const at = (offset: number): string => timeText(BigInt(sent.started) + BigInt(offset));
  const ask = (table: string, count: number, columns = '*'): Promise<readonly Row[]> =>
    server.rows(`SELECT ${columns} FROM ${table} WHERE service_name = '${service}' ORDER BY timestamp, name`, count);
  const resource = {
    ...resourceColumns({
      'service.name': `"${service}"`,
      replicas: '3',
      weight: '0.5',
      canary: 'false',
      zones: '["a","b"]',
    }),
    resource_schema_url: 'https://example.test/resource/1',
  };

  beforeAll(async () => {
    const endpoint = `http://127.0.0.1:${protocol === 'http' ? server.ports.otlpHttp : server.ports.otlpGrpc}`;
    sent = parseExact(await runProgram(interpreter, [PROGRAM, protocol, endpoint, service])) as Sent;
  });

  it('brings spans with attributes of every type, in full width', async () => {
    const common = {
      ...resource,
      scope_name: 'e2e.python',
      scope_version: '1.0',
      scope_attributes: '{"team":"core","tier":1}',
      scope_schema_url: 'https://example.test/scope/1',
      trace_id: sent.ids.trace_id,
      flags: expect.any(Number) as unknown,
    };
    expect(await ask('spans', 2)).toEqual([
      spanRow({
        ...common,
        timestamp: at(0),
        duration_ns: 1_000_000_007,
        span_id: sent.ids.root,
        name: 'python root',
        kind: 5,
        status_code: 2,
        status_message: 'boom',
        attributes_string: { text: 'wörld 🌍' },
        attributes_int: { int: -(2n ** 63n), 'int.max': 2n ** 63n - 1n },
        // JSON has no other number for these two; the next test looks at them in SQL.
        attributes_double: { double: 1, 'double.small': 1e-300, 'double.nan': null, 'double.inf': null },
        attributes_bool: { yes: true },
        attributes_json: {
          bytes: '{"bytes":"AP8="}',
          strings: '["x","y"]',
          ints: '[1,4611686018427387904]',
          doubles: '[0.1,2.0]',
          bools: '[true,false]',
        },
        'events.timestamp': [at(7)],
        'events.name': ['exception'],
        'events.attributes': ['{"exception.type":"ValueError","exception.escaped":false}'],
        'events.dropped_attributes_count': [0],
        'links.trace_id': ['0af7651916cd43dd8448eb211c80319c'],
        'links.span_id': ['b7ad6b7169203331'],
        // This SDK does not send the trace state of a link.
        'links.trace_state': [''],
        'links.flags': [0x300],
        'links.attributes': ['{"why":"because","times":3}'],
        'links.dropped_attributes_count': [0],
      }),
      spanRow({
        ...common,
        timestamp: at(1),
        duration_ns: 1,
        span_id: sent.ids.child,
        parent_span_id: sent.ids.root,
        name: 'python child',
      }),
    ]);
  });

  it('brings doubles that are not finite', async () => {
    const columns =
      "toString(attributes_double['double.nan']) AS nan, toString(attributes_double['double.inf']) AS inf";
    expect((await ask('spans', 2, columns))[0]).toEqual({ nan: 'nan', inf: '-inf' });
  });

  it('brings log records with text and with structure', async () => {
    const common = { ...resource, scope_name: 'e2e.python.logs', scope_version: '1.1' };
    const query = `SELECT * FROM logs WHERE service_name = '${service}' ORDER BY timestamp`;
    expect(await server.rows(query, 2)).toEqual([
      logRow({
        ...common,
        timestamp: at(0),
        observed_timestamp: at(1),
        trace_id: sent.ids.trace_id,
        span_id: sent.ids.root,
        flags: 1,
        severity_number: 21,
        severity_text: 'CRITICAL',
        body: 'it is over',
        body_type: 'string',
        attributes_int: { code: 137 },
        attributes_double: { ratio: 2 },
        attributes_bool: { final: true },
        attributes_json: { raw: '{"bytes":"AQI="}', tags: '["a","b"]', deep: '{"n":1}' },
      }),
      logRow({
        ...common,
        timestamp: at(1),
        observed_timestamp: at(2),
        severity_number: 5,
        event_name: 'e2e.event',
        body: '{"list":[1,2.0,"three",null,true],"bytes":{"bytes":"/w=="}}',
        body_type: 'json',
      }),
    ]);
  });

  it('brings metrics of every kind, with exemplars', async () => {
    const { jobs, open, level, latency, sizes } = sent.points;
    const point = (name: string, { start_time_unix_nano: start, time_unix_nano: time }: Point): Row => ({
      ...resource,
      scope_name: 'e2e.python.metrics',
      scope_version: '1.2',
      name,
      timestamp: timeText(BigInt(time)),
      start_timestamp: timeText(BigInt(start ?? 0)),
    });
    const value = 2n ** 53n + 1n;
    const [exemplar] = jobs.exemplars;
    if (exemplar === undefined) throw new Error('cannot compare exemplars: the SDK sent none');
    expect(await ask('metrics_sum', 2)).toEqual([
      numberRow(2 ** 53, 'int', {
        ...point('jobs', jobs),
        unit: '1',
        description: 'Jobs done',
        attributes_string: { queue: 'a' },
        attributes_int: { shard: 4 },
        attributes_bool: { hot: true },
        temporality: 'cumulative',
        is_monotonic: true,
        // The double is the nearest one; the integer is exact.
        value: 2n ** 53n,
        value_int: value,
        'exemplars.timestamp': [timeText(BigInt(exemplar.time_unix_nano))],
        'exemplars.value_type': ['int'],
        'exemplars.value': [2n ** 53n],
        'exemplars.value_int': [value],
        'exemplars.trace_id': [hexId(exemplar.trace_id, 16)],
        'exemplars.span_id': [hexId(exemplar.span_id, 8)],
        'exemplars.attributes': ['{}'],
      }),
      numberRow(-5, 'int', { ...point('open', open), temporality: 'cumulative', is_monotonic: false }),
    ]);
    expect(await ask('metrics_gauge', 1)).toEqual([numberRow(0.125, 'double', point('level', level))]);
    expect(await ask('metrics_histogram', 1)).toEqual([
      histogramRow({
        ...point('latency', latency),
        unit: 's',
        description: 'Latency',
        temporality: 'cumulative',
        count: 3,
        sum: latency.sum,
        min: 0.05,
        max: 5,
        bucket_counts: [2, 0, 1],
        explicit_bounds: [0.1, 1],
      }),
    ]);
    expect(await ask('metrics_exponential_histogram', 1)).toEqual([
      histogramRow({
        ...point('sizes', sizes),
        unit: 'By',
        temporality: 'cumulative',
        count: 4,
        sum: 704,
        min: 0,
        max: 700,
        scale: sizes.scale,
        zero_count: 1,
        zero_threshold: 0,
        positive_offset: sizes.positive.offset,
        positive_bucket_counts: sizes.positive.bucket_counts,
        negative_offset: sizes.negative.offset,
        negative_bucket_counts: sizes.negative.bucket_counts,
      }),
    ]);
  });
});
