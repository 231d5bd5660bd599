/**
 * OTLP/JSON as Automagik's clients send it, which is not quite OTLP/JSON: trace ids of 64 hex digits, enumerations by name,
 * numbers as text, a stray resource in each span. They take nothing but 200 for success.
 */

import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { histogramRow, logRow, numberRow, resourceColumns, spanRow, timeText } from './support/expected.ts';
import { postJson } from './support/http.ts';
import { recentNanos } from './support/payloads.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';

const TRACE_ID = `5b8efff798038103d269b633813fc60c${'0123456789abcdef'.repeat(2)}`;
const SPAN_ID = 'eee19b7ec3c1b174';
const SCOPE = { name: 'proj.telemetry', version: '1.2.3' };
const STORED_SCOPE = { scope_name: SCOPE.name, scope_version: SCOPE.version };

const text = (key: string, stringValue: string): object => ({ key, value: { stringValue } });

/** Attributes that these clients send with every event. */
const EVENT_ATTRIBUTES = [
  text('system.os', 'Linux'),
  { key: 'system.is_docker', value: { boolValue: true } },
  { key: 'feature.count', value: { doubleValue: 3 } },
];
const STORED_ATTRIBUTES = {
  attributes_string: { 'system.os': 'Linux' },
  attributes_double: { 'feature.count': 3 },
  attributes_bool: { 'system.is_docker': true },
};

const namesOf = (service: string): Readonly<Record<string, string>> => ({
  'service.name': service,
  'project.name': 'automagik',
  'user.id': 'u1',
  'session.id': 's1',
});

function resourceOf(service: string): object {
  return { attributes: Object.entries(namesOf(service)).map(([key, value]) => text(key, value)) };
}

function storedResource(service: string): Row {
  const names = Object.entries(namesOf(service)).map(([key, value]) => [key, JSON.stringify(value)] as const);
  return resourceColumns(Object.fromEntries(names));
}

let server: Server;
let start: bigint;

beforeAll(async () => {
  server = await startServer();
  start = recentNanos();
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

function spanOf(service: string, fields: object = {}): object {
  const resource = resourceOf(service);
  const span = {
    traceId: TRACE_ID,
    spanId: SPAN_ID,
    name: 'automagik.feature.used',
    kind: 'SPAN_KIND_INTERNAL',
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + 5_000_000n),
    attributes: EVENT_ATTRIBUTES,
    status: { code: 1 },
    resource,
    ...fields,
  };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: SCOPE, spans: [span] }] }] };
}

function expectedSpan(service: string, columns: Row = {}): Row {
  return spanRow({
    ...storedResource(service),
    ...STORED_SCOPE,
    timestamp: timeText(start),
    duration_ns: 5_000_000,
    trace_id: TRACE_ID.slice(0, 32),
    span_id: SPAN_ID,
    name: 'automagik.feature.used',
    status_code: 1,
    ...STORED_ATTRIBUTES,
    attributes_string: { ...STORED_ATTRIBUTES.attributes_string, 'otlp.original_trace_id': TRACE_ID },
    ...columns,
  });
}

describe.each(['otlpHttp', 'main'] as const)('on the port %s', (port) => {
  const url = (signal: string): string => `http://127.0.0.1:${server.ports[port]}/v1/${signal}`;
  const send = async (signal: string, body: object): Promise<void> => {
    const answer = await postJson(url(signal), JSON.stringify(body));
    expect([answer.status, answer.headers.get('content-type'), answer.text]).toEqual([200, 'application/json', '{}']);
  };
  const ask = (table: string, service: string): Promise<readonly Row[]> =>
    server.rows(`SELECT * FROM ${table} WHERE service_name = '${service}' ORDER BY timestamp`, 1);

  it('takes a span with a trace id of 64 digits, a named kind and a stray resource', async () => {
    const service = `lenient-span-${port}`;
    await send('traces', spanOf(service));
    expect(await ask('spans', service)).toEqual([expectedSpan(service)]);
  });

  it('takes it packed with gzip', async () => {
    const service = `lenient-gzip-${port}`;
    const body = gzipSync(JSON.stringify(spanOf(service)));
    const answer = await fetch(url('traces'), {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
    expect([answer.status, await answer.text()]).toEqual([200, '{}']);
    expect(await ask('spans', service)).toEqual([expectedSpan(service)]);
  });

  it.each([
    ['1', 1],
    ['2', 2],
    ['STATUS_CODE_ERROR', 2],
  ])('takes status code %j', async (code, stored) => {
    const service = `lenient-status-${code}-${port}`;
    await send('traces', spanOf(service, { status: { code } }));
    expect(await ask('spans', service)).toEqual([expectedSpan(service, { status_code: stored })]);
  });

  it('takes numbers as numbers and as text, and keys in snake_case', async () => {
    const service = `lenient-numbers-${port}`;
    const resource = resourceOf(service);
    const span = {
      trace_id: randomBytes(16).toString('hex').toUpperCase(),
      span_id: SPAN_ID.toUpperCase(),
      name: 'snake',
      kind: '3',
      start_time_unix_nano: Number(start / 1_000_000_000n) * 1e9,
      end_time_unix_nano: String(start),
      dropped_attributes_count: '4',
      attributes: [
        { key: 'as.text', value: { int_value: '9223372036854775807' } },
        { key: 'as.number', value: { intValue: -12 } },
        { key: 'double.text', value: { doubleValue: '1.5' } },
      ],
    };
    await send('traces', { resource_spans: [{ resource, scope_spans: [{ scope: SCOPE, spans: [span] }] }] });
    const whole = (start / 1_000_000_000n) * 1_000_000_000n;
    expect(await ask('spans', service)).toEqual([
      spanRow({
        ...storedResource(service),
        ...STORED_SCOPE,
        timestamp: timeText(whole),
        duration_ns: Number(start - whole),
        trace_id: span.trace_id.toLowerCase(),
        span_id: SPAN_ID,
        name: 'snake',
        kind: 3,
        attributes_int: { 'as.text': 2n ** 63n - 1n, 'as.number': -12 },
        attributes_double: { 'double.text': 1.5 },
        dropped_attributes_count: 4,
      }),
    ]);
  });

  it('takes metrics with a temporality by name', async () => {
    const service = `lenient-metrics-${port}`;
    const timeUnixNano = String(start);
    const aggregationTemporality = 'AGGREGATION_TEMPORALITY_CUMULATIVE';
    const point = { attributes: EVENT_ATTRIBUTES, timeUnixNano };
    const histogram = { ...point, count: 1, sum: 12.5, bucketCounts: [1], explicitBounds: [] };
    const metrics = [
      {
        name: 'm.count',
        unit: '',
        sum: { dataPoints: [{ ...point, asDouble: 2 }], aggregationTemporality, isMonotonic: true },
      },
      { name: 'm.gauge', unit: '', gauge: { dataPoints: [{ timeUnixNano, asDouble: 1.5 }] } },
      { name: 'm.histogram', unit: '', histogram: { dataPoints: [histogram], aggregationTemporality } },
    ];
    await send('metrics', {
      resourceMetrics: [{ resource: resourceOf(service), scopeMetrics: [{ scope: SCOPE, metrics }] }],
    });
    const stored = { ...storedResource(service), ...STORED_SCOPE, timestamp: timeText(start) };
    expect(await ask('metrics_sum', service)).toEqual([
      numberRow(2, 'double', {
        ...stored,
        name: 'm.count',
        ...STORED_ATTRIBUTES,
        temporality: 'cumulative',
        is_monotonic: true,
      }),
    ]);
    expect(await ask('metrics_gauge', service)).toEqual([numberRow(1.5, 'double', { ...stored, name: 'm.gauge' })]);
    expect(await ask('metrics_histogram', service)).toEqual([
      histogramRow({
        ...stored,
        name: 'm.histogram',
        ...STORED_ATTRIBUTES,
        temporality: 'cumulative',
        count: 1,
        sum: 12.5,
        min: null,
        max: null,
        bucket_counts: [1],
        explicit_bounds: [],
      }),
    ]);
  });

  it('takes a log record', async () => {
    const service = `lenient-logs-${port}`;
    const record = {
      timeUnixNano: String(start),
      severityNumber: 13,
      severityText: 'WARN',
      body: { stringValue: 'hello' },
      attributes: EVENT_ATTRIBUTES,
      traceId: TRACE_ID,
    };
    await send('logs', {
      resourceLogs: [{ resource: resourceOf(service), scopeLogs: [{ scope: SCOPE, logRecords: [record] }] }],
    });
    expect(await ask('logs', service)).toEqual([
      logRow({
        ...storedResource(service),
        ...STORED_SCOPE,
        timestamp: timeText(start),
        trace_id: TRACE_ID.slice(0, 32),
        severity_number: 13,
        severity_text: 'WARN',
        body: 'hello',
        body_type: 'string',
        ...STORED_ATTRIBUTES,
        attributes_string: { ...STORED_ATTRIBUTES.attributes_string, 'otlp.original_trace_id': TRACE_ID },
      }),
    ]);
  });
});
