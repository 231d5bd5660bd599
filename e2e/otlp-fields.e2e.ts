/**
 * The fields of OTLP that no SDK of the other suites sends: summaries, exemplars with attributes of every type, points
 * without a value, metric metadata, counts of what was dropped, schema URLs. Hand-written, as OTLP/JSON.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { histogramRow, logRow, numberRow, resourceColumns, spanRow, summaryRow, timeText } from './support/expected.ts';
import { postJson } from './support/http.ts';
import { recentNanos } from './support/payloads.ts';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';

const SERVICE = 'fields';
const TRACE_ID = '5b8efff798038103d269b633813fc60c';
const SPAN_ID = 'eee19b7ec3c1b174';
const text = (key: string, stringValue: string): object => ({ key, value: { stringValue } });

const RESOURCE = { attributes: [text('service.name', SERVICE)], droppedAttributesCount: 1 };
const SCOPE = { name: 'scope', version: '9', attributes: [text('a', 'b')], droppedAttributesCount: 2 };
const URLS = { resource: 'https://example.test/r', scope: 'https://example.test/s' };
const ENVELOPE = {
  ...resourceColumns({ 'service.name': `"${SERVICE}"` }),
  resource_dropped_attributes_count: 1,
  resource_schema_url: URLS.resource,
  scope_name: 'scope',
  scope_version: '9',
  scope_attributes: '{"a":"b"}',
  scope_dropped_attributes_count: 2,
  scope_schema_url: URLS.scope,
};

let server: Server;
let time: bigint;

beforeAll(async () => {
  server = await startServer();
  time = recentNanos() + 7n;
});

afterAll(() => server?.stop());
showLogsOfFailures(() => server);

/** Sends items in the envelope above and returns the rows of a table, of which there are as many. */
async function roundTrip(
  signal: 'Logs' | 'Metrics' | 'Spans',
  items: readonly object[],
  table: string,
): Promise<readonly Row[]> {
  const list = { Logs: 'logRecords', Metrics: 'metrics', Spans: 'spans' }[signal];
  const scoped = { scope: SCOPE, [list]: items, schemaUrl: URLS.scope };
  const body = {
    [`resource${signal}`]: [{ resource: RESOURCE, [`scope${signal}`]: [scoped], schemaUrl: URLS.resource }],
  };
  const path = signal === 'Spans' ? 'traces' : signal.toLowerCase();
  const answer = await postJson(`${server.url}/v1/${path}`, JSON.stringify(body));
  expect([answer.status, answer.text]).toEqual([200, '{}']);
  return server.rows(`SELECT * FROM ${table}`, items.length);
}

it('a span with counts of what was dropped, flags, and events and links without anything', async () => {
  const span = {
    traceId: TRACE_ID,
    spanId: SPAN_ID,
    traceState: 'a=b',
    flags: 0x1ff,
    name: 'full',
    startTimeUnixNano: String(time),
    endTimeUnixNano: String(time),
    droppedAttributesCount: 3,
    events: [{ droppedAttributesCount: 4 }, { name: 'e', timeUnixNano: String(time) }],
    droppedEventsCount: 5,
    links: [{ traceId: TRACE_ID, spanId: SPAN_ID, traceState: 'c=d', droppedAttributesCount: 6, flags: 256 }, {}],
    droppedLinksCount: 4_294_967_295,
    status: { message: 'neither good nor bad' },
    attributes: [
      { key: 'none', value: {} },
      { key: 'list', value: { arrayValue: { values: [{ doubleValue: 1 }, { bytesValue: 'AAE=' }, {}] } } },
      { key: 'map', value: { kvlistValue: { values: [{ key: 'n', value: { intValue: '-9223372036854775808' } }] } } },
    ],
  };
  expect(await roundTrip('Spans', [span], 'spans')).toEqual([
    spanRow({
      ...ENVELOPE,
      timestamp: timeText(time),
      duration_ns: 0,
      trace_id: TRACE_ID,
      span_id: SPAN_ID,
      trace_state: 'a=b',
      flags: 0x1ff,
      name: 'full',
      kind: 0,
      status_message: 'neither good nor bad',
      attributes_json: {
        none: 'null',
        list: '[1.0,{"bytes":"AAE="},null]',
        map: '{"n":-9223372036854775808}',
      },
      dropped_attributes_count: 3,
      'events.timestamp': [timeText(0n), timeText(time)],
      'events.name': ['', 'e'],
      'events.attributes': ['{}', '{}'],
      'events.dropped_attributes_count': [4, 0],
      dropped_events_count: 5,
      'links.trace_id': [TRACE_ID, '0'.repeat(32)],
      'links.span_id': [SPAN_ID, '0'.repeat(16)],
      'links.trace_state': ['c=d', ''],
      'links.flags': [256, 0],
      'links.attributes': ['{}', '{}'],
      'links.dropped_attributes_count': [6, 0],
      dropped_links_count: 4_294_967_295,
    }),
  ]);
});

it('a log record with nothing but the time it was observed', async () => {
  const record = {
    observedTimeUnixNano: String(time),
    body: { bytesValue: '/w==' },
    droppedAttributesCount: 2,
    flags: 1,
  };
  expect(await roundTrip('Logs', [record], 'logs')).toEqual([
    logRow({
      ...ENVELOPE,
      timestamp: timeText(time),
      observed_timestamp: timeText(time),
      flags: 1,
      body: '{"bytes":"/w=="}',
      body_type: 'json',
      dropped_attributes_count: 2,
    }),
  ]);
});

describe('a data point', () => {
  const metric = { metadata: [text('origin', 'scrape')], description: 'd', unit: 'By' };
  const stored = (name: string): Row => ({
    ...ENVELOPE,
    name,
    description: 'd',
    unit: 'By',
    metadata: '{"origin":"scrape"}',
    timestamp: timeText(time),
  });
  const exemplars = [
    {
      timeUnixNano: '1',
      asInt: '-5',
      filteredAttributes: [
        text('s', 't'),
        { key: 'n', value: { intValue: 7 } },
        { key: 'd', value: { doubleValue: 2 } },
      ],
    },
    { timeUnixNano: '2', asDouble: 0.5, traceId: TRACE_ID, spanId: SPAN_ID },
  ];
  const storedExemplars = {
    'exemplars.timestamp': [timeText(1n), timeText(2n)],
    'exemplars.value_type': ['int', 'double'],
    'exemplars.value': [-5, 0.5],
    'exemplars.value_int': [-5, 0],
    'exemplars.trace_id': ['0'.repeat(32), TRACE_ID],
    'exemplars.span_id': ['0'.repeat(16), SPAN_ID],
    'exemplars.attributes': ['{"s":"t","n":7,"d":2.0}', '{}'],
  };

  it('of a summary', async () => {
    const values = {
      count: '3',
      sum: 1.5,
      quantileValues: [
        { quantile: 0.5, value: 0.25 },
        { quantile: 1, value: -1 },
      ],
    };
    const item = { ...metric, name: 'summary', summary: { dataPoints: [{ timeUnixNano: String(time), ...values }] } };
    expect(await roundTrip('Metrics', [item], 'metrics_summary')).toEqual([
      summaryRow({ ...stored('summary'), count: 3, sum: 1.5, quantiles: [0.5, 1], quantile_values: [0.25, -1] }),
    ]);
  });

  it('of a gauge without a recorded value, with exemplars', async () => {
    const item = {
      ...metric,
      name: 'gauge',
      gauge: { dataPoints: [{ timeUnixNano: String(time), flags: 1, exemplars }] },
    };
    expect(await roundTrip('Metrics', [item], 'metrics_gauge')).toEqual([
      numberRow(0, 'double', { ...stored('gauge'), flags: 1, value_type: 'none', ...storedExemplars }),
    ]);
  });

  it('of a sum of no known temporality', async () => {
    const value = { timeUnixNano: String(time), startTimeUnixNano: String(time - 1n), asInt: '9223372036854775807' };
    const item = { ...metric, name: 'sum', sum: { dataPoints: [value] } };
    expect(await roundTrip('Metrics', [item], 'metrics_sum')).toEqual([
      numberRow(0, 'int', {
        ...stored('sum'),
        start_timestamp: timeText(time - 1n),
        temporality: 'unspecified',
        is_monotonic: false,
        // The nearest double is 2^63; this is its shortest text.
        value: 9_223_372_036_854_776_000n,
        value_int: 2n ** 63n - 1n,
      }),
    ]);
  });

  it('of a histogram without sum and extremes', async () => {
    const values = {
      timeUnixNano: String(time),
      count: '18446744073709551615',
      bucketCounts: ['18446744073709551615'],
      exemplars,
    };
    const item = { ...metric, name: 'histogram', histogram: { dataPoints: [values], aggregationTemporality: 1 } };
    expect(await roundTrip('Metrics', [item], 'metrics_histogram')).toEqual([
      histogramRow({
        ...stored('histogram'),
        temporality: 'delta',
        count: 2n ** 64n - 1n,
        sum: null,
        min: null,
        max: null,
        bucket_counts: [2n ** 64n - 1n],
        explicit_bounds: [],
        ...storedExemplars,
      }),
    ]);
  });

  it('of an exponential histogram with negative buckets', async () => {
    const values = {
      timeUnixNano: String(time),
      count: 6,
      sum: -1,
      min: -8,
      max: 4,
      scale: -2,
      zeroCount: '1',
      zeroThreshold: 0.125,
      positive: { offset: -3, bucketCounts: ['1', '0', '1'] },
      negative: { offset: 2, bucketCounts: [3] },
      exemplars,
    };
    const item = {
      ...metric,
      name: 'exponential',
      exponentialHistogram: { dataPoints: [values], aggregationTemporality: 2 },
    };
    expect(await roundTrip('Metrics', [item], 'metrics_exponential_histogram')).toEqual([
      histogramRow({
        ...stored('exponential'),
        temporality: 'cumulative',
        count: 6,
        sum: -1,
        min: -8,
        max: 4,
        scale: -2,
        zero_count: 1,
        zero_threshold: 0.125,
        positive_offset: -3,
        positive_bucket_counts: [1, 0, 1],
        negative_offset: 2,
        negative_bucket_counts: [3],
        ...storedExemplars,
      }),
    ]);
  });
});
