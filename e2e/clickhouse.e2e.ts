/**
 * The official ClickHouse client against the port that speaks ClickHouse's HTTP interface: formats, parameters, compression,
 * errors, refusal to write, and the views in the layouts that existing dashboards query.
 */

import type { ClickHouseClient, DataFormat } from '@clickhouse/client';
import { ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey } from './support/admin.ts';
import { post, postJson } from './support/http.ts';
import { gauge, jsonSpan, jsonTraces, logRecord, request } from './support/payloads.ts';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';

const words = (text: string): string[] => text.split(' ');
const TRACE_ID = '5b8efff798038103d269b633813fc60c';

let server: Server;
let key: string;
let client: ClickHouseClient;

beforeAll(async () => {
  server = await startServer({ env: { GLASSHOUSE_AUTH: 'keys' } });
  ({ key } = await createKey(server, { name: 'grafana', tenant: 'acme' }));
  client = connect();
  const authorization = `Bearer ${key}`;
  const spans = [
    jsonSpan({ traceId: TRACE_ID, name: 'checkout', status: { code: 1 }, attributes: ATTRIBUTES, events: EVENTS }),
    jsonSpan({ name: 'checkout' }),
    jsonSpan({ name: 'checkout', status: { code: 2, message: 'declined' } }),
    jsonSpan({ name: 'browse', kind: 3 }),
  ];
  await postJson(`${server.url}/v1/traces`, jsonTraces('shop', spans), { authorization });
  await post(`${server.url}/v1/logs`, request('shop', [logRecord('hello')]), { authorization });
  await post(`${server.url}/v1/metrics`, request('shop', [gauge('load', 0.5)]), { authorization });
  await server.rows('SELECT 1 FROM spans', spans.length, key);
  await server.rows('SELECT 1 FROM logs', 1, key);
  await server.rows('SELECT 1 FROM metrics_gauge', 1, key);
});

afterAll(async () => {
  await client?.close();
  await server?.stop();
});
showLogsOfFailures(() => server);

const ATTRIBUTES = [
  { key: 'cart.items', value: { intValue: '3' } },
  { key: 'user.id', value: { stringValue: 'u7' } },
  { key: 'vip', value: { boolValue: true } },
];
const EVENTS = [{ name: 'paid', timeUnixNano: '1', attributes: [{ key: 'amount', value: { doubleValue: 9.5 } }] }];

function connect(
  options: { username?: string; password?: string; compression?: boolean; database?: string } = {},
): ClickHouseClient {
  return createClient({
    url: `http://127.0.0.1:${server.ports.clickhouse}`,
    username: options.username ?? 'default',
    password: options.password ?? key,
    // The tests look at the errors themselves.
    log: { level: ClickHouseLogLevel.OFF },
    compression: { response: options.compression ?? false, request: options.compression ?? false },
    ...(options.database === undefined ? {} : { database: options.database }),
  });
}

/** The rows of a query. */
async function rows(query: string, from = client): Promise<unknown[]> {
  const result = await from.query({ query, format: 'JSONEachRow' });
  return result.json();
}

describe('the official client', () => {
  it('pings', async () => {
    expect(await client.ping()).toMatchObject({ success: true });
    expect(await client.ping({ select: true })).toMatchObject({ success: true });
  });

  it.each<[DataFormat, unknown]>([
    ['JSON', expect.objectContaining({ rows: 1, data: [{ a: '18446744073709551615', b: 'x' }] })],
    ['JSONEachRow', [{ a: '18446744073709551615', b: 'x' }]],
    ['JSONCompact', expect.objectContaining({ data: [['18446744073709551615', 'x']] })],
    ['JSONStringsEachRow', [{ a: '18446744073709551615', b: 'x' }]],
    ['JSONColumnsWithMetadata', expect.objectContaining({ data: { a: ['18446744073709551615'], b: ['x'] } })],
  ])('reads %s', async (format, expected) => {
    const query = "SELECT toUInt64(18446744073709551615) AS a, 'x' AS b";
    const settings = { output_format_json_quote_64bit_integers: 1 } as const;
    const result = await client.query({ query, format, clickhouse_settings: settings });
    expect(await result.json()).toEqual(expected);
  });

  it.each<[DataFormat, string]>([
    ['CSV', '1,"x"\n'],
    ['TabSeparatedWithNames', 'a\tb\n1\tx\n'],
    ['CSVWithNamesAndTypes', '"a","b"\n"UInt8","String"\n1,"x"\n'],
  ])('reads %s', async (format, text) => {
    const result = await client.query({ query: "SELECT 1 AS a, 'x' AS b", format });
    expect(await result.text()).toBe(text);
  });

  it('binds parameters, whatever is in them', async () => {
    const text = "'; DROP TABLE spans; --\\\t\nü";
    const result = await client.query({
      query: 'SELECT {text:String} AS text, {list:Array(UInt8)} AS list, {none:Nullable(String)} AS none',
      query_params: { text, list: [1, 2], none: null },
      format: 'JSONEachRow',
    });
    expect(await result.json()).toEqual([{ text, list: [1, 2], none: null }]);
  });

  it('streams a result of a million rows, packed', async () => {
    const packed = connect({ compression: true });
    try {
      const result = await packed.query({ query: 'SELECT number AS n FROM numbers(1000000)', format: 'JSONEachRow' });
      let count = 0;
      for await (const batch of result.stream<{ n: string }>()) count += batch.length;
      expect(count).toBe(1_000_000);
    } finally {
      await packed.close();
    }
  });

  it('is told the id of its query and the size of the result', async () => {
    const result = await client.query({ query: 'SELECT count() FROM spans', query_id: 'my-query' });
    expect(result.query_id).toBe('my-query');
    expect(result.response_headers['x-clickhouse-summary']).toMatch(/"result_rows":"1"/);
  });

  it.each([
    ['SELEC 1', { code: '62', type: 'SYNTAX_ERROR' }],
    ['SELECT nope FROM spans', { code: '47', type: 'UNKNOWN_IDENTIFIER' }],
    ['SELECT * FROM nowhere', { code: '60', type: 'UNKNOWN_TABLE' }],
    ['SELECT throwIf(1)', { code: '395', type: 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO' }],
  ])('understands the error of %s', async (query, expected) => {
    const error: unknown = await client.query({ query }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ClickHouseError);
    expect(error).toMatchObject(expected);
  });

  it('is refused when it writes', async () => {
    const attempts = [
      client.insert({ table: 'spans', values: [{ name: 'x' }], format: 'JSONEachRow' }),
      client.insert({ table: 'telemetry.traces', values: [{ span_name: 'x' }], format: 'JSONEachRow' }),
      client.command({ query: 'CREATE TABLE t (x UInt8) ENGINE = Memory' }),
      client.command({ query: 'DROP TABLE spans' }),
      client.exec({ query: 'TRUNCATE TABLE spans' }),
    ];
    for (const { status, reason } of (await Promise.allSettled(attempts)) as PromiseRejectedResult[]) {
      expect(status).toBe('rejected');
      expect(reason).toBeInstanceOf(ClickHouseError);
      expect(reason).toMatchObject({ code: '164', type: 'READONLY' });
    }
    expect(await rows('SELECT toUInt32(count()) AS n FROM spans')).toEqual([{ n: 4 }]);
  });

  it('is refused without a good key', async () => {
    const stranger = connect({ password: 'wrong' });
    try {
      await expect(stranger.query({ query: 'SELECT 1' })).rejects.toMatchObject({
        code: '516',
        type: 'AUTHENTICATION_FAILED',
      });
    } finally {
      await stranger.close();
    }
  });

  it.each(['default', 'telemetry', 'tenant_acme'])('may name the database %s', async (database) => {
    const other = connect({ database });
    try {
      expect(await rows('SELECT toUInt32(count()) AS n FROM spans', other)).toEqual([{ n: 4 }]);
      // Whichever it names, the tenant's own is the default one, where a data source has the name of this view.
      expect(await rows('SELECT toUInt32(count()) AS n FROM traces', other)).toEqual([{ n: 0 }]);
      expect(await rows('SELECT toUInt32(count()) AS n FROM telemetry.traces', other)).toEqual([{ n: 4 }]);
    } finally {
      await other.close();
    }
  });
});

describe('the example queries of telemetry.traces', () => {
  /** As Grafana's plugin expands `$__timeFilter(timestamp)`. */
  const now = Math.floor(Date.now() / 1000);
  const filter = `timestamp >= toDateTime(${now - 3600}) AND timestamp <= toDateTime(${now + 3600})`;

  it('count events over time', async () => {
    const result = await rows(`SELECT
        toStartOfInterval(timestamp, INTERVAL 1 minute) as time,
        count() as events
      FROM telemetry.traces
      WHERE ${filter}
      GROUP BY time
      ORDER BY time`);
    expect(result.reduce<number>((sum, row) => sum + Number((row as { events: string }).events), 0)).toBe(4);
    expect((result[0] as { time: string }).time).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:00/);
  });

  it('find the top events', async () => {
    const result = await rows(`SELECT
        span_name,
        count() as count
      FROM telemetry.traces
      WHERE ${filter}
      GROUP BY span_name
      ORDER BY count DESC
      LIMIT 10`);
    expect(result.map((row) => Object.values(row as object).map(String))).toEqual([
      ['checkout', '3'],
      ['browse', '1'],
    ]);
  });

  it('compute the rate of success', async () => {
    const result = await rows(`SELECT
        toStartOfHour(timestamp) as time,
        countIf(status_code = 'OK') / count() * 100 as success_rate
      FROM telemetry.traces
      WHERE ${filter}
      GROUP BY time
      ORDER BY time`);
    const rates = result.map((row) => (row as { success_rate: number }).success_rate);
    // The four spans may lie on both sides of a full hour.
    expect(rates.length === 1 ? rates : [75]).toEqual([75]);
  });

  it('find the columns that telemetry.traces and telemetry.metrics_hourly have', async () => {
    const [span] = (await rows(`SELECT * FROM telemetry.traces WHERE trace_id = '${TRACE_ID}'`)) as Record<
      string,
      unknown
    >[];
    expect(span).toMatchObject({
      trace_id: TRACE_ID,
      service_name: 'shop',
      span_name: 'checkout',
      span_kind: 'SPAN_KIND_SERVER',
      status_code: 'OK',
      duration_ms: 1,
      project_name: 'shop',
      environment: 'dev',
      attributes: { 'cart.items': '3', 'user.id': 'u7', vip: 'true' },
      user_id: 'u7',
    });
    const hourly =
      await rows(`SELECT service_name, toUInt32(sum(total_count)) AS total, toUInt32(sum(error_count)) AS errors,
      max(p50_duration_ms) AS p50, max(p95_duration_ms) AS p95, max(p99_duration_ms) AS p99
      FROM telemetry.metrics_hourly GROUP BY service_name`);
    expect(hourly).toEqual([{ service_name: 'shop', total: 4, errors: 1, p50: 1, p95: 1, p99: 1 }]);
  });
});

describe('the layout of the OpenTelemetry Collector', () => {
  const columnsOf = async (table: string): Promise<string[]> => {
    const described = (await rows(`DESCRIBE TABLE ${table}`)) as { name: string; type: string }[];
    return described
      .map(({ name, type }) => `${name} ${type.replaceAll(/DateTime64\(9, 'UTC'\)/g, 'DateTime64(9)')}`)
      .toSorted();
  };
  const LC = 'LowCardinality(String)';
  const MAP = `Map(${LC}, String)`;
  const point = [
    ...words('ResourceAttributes ScopeAttributes Attributes'),
    ...words('ResourceSchemaUrl ScopeName ScopeVersion ScopeSchemaUrl ServiceName MetricName'),
    ...words('MetricDescription MetricUnit ScopeDroppedAttrCount StartTimeUnix TimeUnix Flags'),
  ];
  const exemplars = ['FilteredAttributes', 'TimeUnix', 'Value', 'SpanId', 'TraceId'].map((name) => `Exemplars.${name}`);
  const totals = ['Count', 'Sum', 'Min', 'Max', 'AggregationTemporality'];

  it('is that of otel_traces', async () => {
    expect(await columnsOf('otel_traces')).toEqual(
      [
        'Timestamp DateTime64(9)',
        ...['TraceId', 'SpanId', 'ParentSpanId'].map((name) => `${name} String`),
        ...['TraceState', 'SpanName', 'ServiceName', 'ScopeName', 'ScopeVersion', 'StatusMessage'].map(
          (name) => `${name} ${LC}`,
        ),
        ...['SpanKind', 'StatusCode'].map((name) => `${name} String`),
        `ResourceAttributes ${MAP}`,
        `SpanAttributes ${MAP}`,
        'Duration UInt64',
        'Events.Timestamp Array(DateTime64(9))',
        `Events.Name Array(${LC})`,
        `Events.Attributes Array(${MAP})`,
        ...['TraceId', 'SpanId', 'TraceState'].map((name) => `Links.${name} Array(String)`),
        `Links.Attributes Array(${MAP})`,
      ].toSorted(),
    );
    const [span] = await rows(`SELECT * FROM otel_traces WHERE TraceId = '${TRACE_ID}'`);
    expect(span).toMatchObject({
      SpanKind: 'Server',
      StatusCode: 'Ok',
      ServiceName: 'shop',
      ScopeName: 'e2e',
      SpanAttributes: { 'cart.items': '3', 'user.id': 'u7', vip: 'true' },
      ResourceAttributes: { 'service.name': 'shop' },
      'Events.Name': ['paid'],
      'Events.Attributes': [{ amount: '9.5' }],
    });
  });

  it('is that of otel_logs', async () => {
    const names = (await columnsOf('otel_logs')).map((column) => column.split(' ')[0]);
    expect(names).toEqual(
      [
        ...words('Timestamp TimestampTime TraceId SpanId TraceFlags SeverityText SeverityNumber ServiceName'),
        ...words('Body ResourceSchemaUrl ScopeSchemaUrl ScopeVersion ScopeName ResourceAttributes'),
        ...words('ScopeAttributes LogAttributes EventName'),
      ].toSorted(),
    );
    expect(await rows('SELECT Body, ServiceName, SeverityNumber, TraceId FROM otel_logs')).toEqual([
      { Body: 'hello', ServiceName: 'shop', SeverityNumber: 9, TraceId: '' },
    ]);
  });

  it.each([
    ['otel_metrics_gauge', ['Value', ...exemplars]],
    ['otel_metrics_sum', ['Value', 'AggregationTemporality', 'IsMonotonic', ...exemplars]],
    ['otel_metrics_histogram', [...totals, 'BucketCounts', 'ExplicitBounds', ...exemplars]],
    [
      'otel_metrics_exponential_histogram',
      [
        ...totals,
        ...words('Scale ZeroCount PositiveOffset PositiveBucketCounts NegativeOffset NegativeBucketCounts'),
        ...exemplars,
      ],
    ],
    ['otel_metrics_summary', ['Count', 'Sum', 'ValueAtQuantiles.Quantile', 'ValueAtQuantiles.Value']],
  ])('is that of %s', async (table, values) => {
    const names = (await columnsOf(table)).map((column) => column.split(' ')[0]);
    expect(names).toEqual([...point, ...values].toSorted());
  });

  it('answers what a dashboard asks of otel_metrics_gauge and otel_traces_trace_id_ts', async () => {
    const metrics =
      'SELECT MetricName, Value, ServiceName FROM otel_metrics_gauge WHERE TimeUnix > now() - INTERVAL 1 HOUR';
    expect(await rows(metrics)).toEqual([{ MetricName: 'load', Value: 0.5, ServiceName: 'shop' }]);
    const byId = `WITH '${TRACE_ID}' AS id,
        (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId = id) AS start,
        (SELECT max(End) + 1 FROM otel_traces_trace_id_ts WHERE TraceId = id) AS end
      SELECT SpanName FROM otel_traces WHERE TraceId = id AND Timestamp >= start AND Timestamp <= end`;
    expect(await rows(byId)).toEqual([{ SpanName: 'checkout' }]);
  });
});
