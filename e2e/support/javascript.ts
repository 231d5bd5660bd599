/**
 * The official OpenTelemetry JavaScript SDK as a sender: one program that records everything the API allows, and the three
 * families of exporters that carry it.
 *
 * Must stay true: whatever is recorded is also returned, so that the tests compare what came back with what was sent and
 * not with what somebody thought was sent.
 */

import { Metadata } from '@grpc/grpc-js';
import type { HrTime, SpanContext } from '@opentelemetry/api';
import {
  context,
  createTraceState,
  logs,
  metrics,
  propagation,
  ROOT_CONTEXT,
  SeverityNumber,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  ValueType,
} from '@opentelemetry/api';
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtoLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { LogRecordExporter } from '@opentelemetry/sdk-logs';
import { SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { AggregationTemporality, AggregationType, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { SimpleSpanProcessor } from '@opentelemetry/sdk-trace';

export type Protocol = 'proto' | 'json' | 'grpc';
export type Compression = 'none' | 'gzip';

/** Where and how an SDK sends. */
export interface Destination {
  readonly protocol: Protocol;
  readonly compression: Compression;
  /** `http://host:port`, of an HTTP or a gRPC listener. */
  readonly base: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What an export ended with, as the SDK tells its processors. */
export interface Outcome {
  readonly signal: 'traces' | 'logs' | 'metrics';
  readonly error: Error | undefined;
}

interface Exporters {
  readonly traces: SpanExporter;
  readonly logs: LogRecordExporter;
  readonly metrics: PushMetricExporter;
}

/** What was sent, as far as the SDK chose it. */
export interface Sent {
  readonly service: string;
  /** Of the span with everything, its parent and its child. */
  readonly span: SpanContext;
  readonly child: SpanContext;
  readonly remoteParent: SpanContext;
  readonly linked: SpanContext;
  readonly startedAt: HrTime;
  readonly metrics: readonly ResourceMetrics[];
  readonly outcomes: readonly Outcome[];
}

/** An hour ago, with a nanosecond part that a double could not hold. */
function recently(): HrTime {
  return [Math.floor(Date.now() / 1000) - 3600, 123_456_789];
}

/** `at` plus some nanoseconds. */
export function later([seconds, nanos]: HrTime, by: number): HrTime {
  const total = nanos + by;
  return [seconds + Math.floor(total / 1e9), total % 1e9];
}

function exportersOf(to: Destination, temporality: AggregationTemporality): Exporters {
  // The exporters' own enumeration of compressions is not exported where they can be reached; these are its values.
  const compression = to.compression as never;
  const headers = { ...to.headers };
  if (to.protocol === 'grpc') {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    const options = { url: to.base, compression, metadata };
    return {
      traces: new GrpcTraces(options),
      logs: new GrpcLogs(options),
      metrics: new GrpcMetrics({ ...options, temporalityPreference: temporality }),
    };
  }
  const options = (signal: string) => ({ url: `${to.base}/v1/${signal}`, compression, headers });
  const [Traces, Logs, Metrics] =
    to.protocol === 'proto' ? [ProtoTraces, ProtoLogs, ProtoMetrics] : [JsonTraces, JsonLogs, JsonMetrics];
  return {
    traces: new Traces(options('traces')),
    logs: new Logs(options('logs')),
    metrics: new Metrics({ ...options('metrics'), temporalityPreference: temporality }),
  };
}

/** Calls `seen` with each batch and the result of its export. */
function watch<Batch, Exporter extends { export(batch: Batch, done: (result: { error?: Error }) => void): void }>(
  exporter: Exporter,
  seen: (batch: Batch, error: Error | undefined) => void,
): Exporter {
  const send = exporter.export.bind(exporter);
  exporter.export = (batch, done) =>
    send(batch, (result) => {
      seen(batch, result.error);
      done(result);
    });
  return exporter;
}

/** Runs the SDK once: spans, log records and metrics of every kind, then a shutdown that flushes all of it. */
export async function sendEverything(
  service: string,
  to: Destination,
  temporality = AggregationTemporality.CUMULATIVE,
): Promise<Sent> {
  const outcomes: Outcome[] = [];
  const sentMetrics: ResourceMetrics[] = [];
  const exporters = exportersOf(to, temporality);
  watch(exporters.traces, (_, error) => outcomes.push({ signal: 'traces', error }));
  watch(exporters.logs, (_, error) => outcomes.push({ signal: 'logs', error }));
  watch(exporters.metrics, (batch: ResourceMetrics, error) => {
    sentMetrics.push(batch);
    outcomes.push({ signal: 'metrics', error });
  });
  const reader = new PeriodicExportingMetricReader({ exporter: exporters.metrics, exportIntervalMillis: 3_600_000 });
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource: resourceFromAttributes({
      'service.name': service,
      'service.version': '1.2.3',
      'host.cpus': 8,
      'host.load': 0.25,
      'host.virtual': true,
      'process.command_args': ['node', 'main.js'],
    }),
    spanProcessors: [new SimpleSpanProcessor({ exporter: exporters.traces })],
    logRecordProcessors: [new SimpleLogRecordProcessor({ exporter: exporters.logs })],
    metricReaders: [reader],
    views: [
      { instrumentName: 'sizes', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } },
      {
        instrumentName: 'latency',
        aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: [0.5, 10, 250.25] } },
      },
    ],
  });
  sdk.start();
  try {
    const startedAt = recently();
    const recorded = recordSpans(startedAt);
    recordLogs(startedAt, recorded.span);
    const recordMore = recordMetrics();
    await reader.forceFlush();
    recordMore();
    await sdk.shutdown();
    return { service, startedAt, ...recorded, metrics: sentMetrics, outcomes };
  } finally {
    for (const api of [trace, logs, metrics, context, propagation]) api.disable();
  }
}

function recordSpans(startedAt: HrTime): Pick<Sent, 'child' | 'linked' | 'remoteParent' | 'span'> {
  const tracer = trace.getTracer('e2e.tracer', '0.9.0');
  const remoteParent: SpanContext = {
    traceId: '5b8efff798038103d269b633813fc60c',
    spanId: 'eee19b7ec3c1b173',
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
    traceState: createTraceState('vendor=abc,other=1'),
  };
  const linked: SpanContext = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    traceFlags: TraceFlags.SAMPLED,
    traceState: createTraceState('link=yes'),
  };
  const parent = trace.setSpanContext(ROOT_CONTEXT, remoteParent);
  const span = tracer.startSpan(
    'GET /orders/{id}',
    {
      kind: SpanKind.SERVER,
      startTime: startedAt,
      attributes: SPAN_ATTRIBUTES,
      links: [{ context: linked, attributes: { reason: 'retry', attempt: 2 } }],
    },
    parent,
  );
  span.addEvent(
    'cache.miss',
    { key: 'order:7', size: 512, ratio: 0.75, cold: true, tags: ['a', 'b'] },
    later(startedAt, 1_001),
  );
  span.addEvent('done', later(startedAt, 2_002));
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'upstream said no: ünïcödé 🚨' });
  const child = tracer.startSpan(
    'child',
    { kind: SpanKind.CLIENT, startTime: later(startedAt, 10) },
    trace.setSpan(ROOT_CONTEXT, span),
  );
  child.setStatus({ code: SpanStatusCode.OK });
  child.end(later(startedAt, 11));
  for (const [name, kind] of Object.entries(OTHER_KINDS)) {
    const other = tracer.startSpan(name, { kind, startTime: startedAt }, ROOT_CONTEXT);
    other.end(later(startedAt, 3_600_000_000_001));
  }
  span.end(later(startedAt, 1_500_000_001));
  return { span: span.spanContext(), child: child.spanContext(), remoteParent, linked };
}

/** Every type of attribute that the API takes. */
const SPAN_ATTRIBUTES = {
  text: 'hello, wörld 🌍\n"quoted"\\',
  empty: '',
  int: 42,
  'int.negative': -7,
  'int.large': Number.MAX_SAFE_INTEGER,
  double: 0.1234567890123456,
  'double.tiny': 5e-324,
  yes: true,
  no: false,
  strings: ['a', '', 'ü'],
  ints: [1, -2, 3],
  doubles: [0.5, 1.25],
  bools: [true, false],
  'empty.list': [],
  bytes: new Uint8Array([0, 1, 254, 255]),
  nested: { level: { deep: [1, 'two'] } },
};

const OTHER_KINDS: Readonly<Record<string, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

function recordLogs(startedAt: HrTime, span: SpanContext): void {
  const logger = logs.getLogger('e2e.logger', '2.0.0');
  logger.emit({
    timestamp: startedAt,
    observedTimestamp: later(startedAt, 5),
    severityNumber: SeverityNumber.WARN2,
    severityText: 'WARN',
    body: 'disk is 91% full',
    attributes: { device: 'sda1', used: 91, ratio: 0.91, alarm: true, mounts: ['/', '/var'], extra: { a: 1, b: null } },
    context: trace.setSpanContext(ROOT_CONTEXT, span),
  });
  logger.emit({
    timestamp: later(startedAt, 1),
    observedTimestamp: later(startedAt, 6),
    severityNumber: SeverityNumber.INFO,
    body: { message: 'structured', code: 7, ratio: 0.5, ok: true, list: [1, 'x', null], nested: { a: 'b' } },
    eventName: 'order.placed',
    context: ROOT_CONTEXT,
  });
  logger.emit({ timestamp: later(startedAt, 2), observedTimestamp: later(startedAt, 7), context: ROOT_CONTEXT });
}

/** Records what the first collection finds; the function that it returns records what the second one finds. */
function recordMetrics(): () => void {
  const meter = metrics.getMeter('e2e.meter', '3.0.0');
  const requests = meter.createCounter('requests', { unit: '1', description: 'Requests', valueType: ValueType.INT });
  requests.add(3, { route: '/a', status: 200, cached: false, weight: 0.5 });
  requests.add(4, { route: '/a', status: 200, cached: false, weight: 0.5 });
  requests.add(1, { route: '/b' });
  meter.createCounter('bytes', { unit: 'By', valueType: ValueType.DOUBLE }).add(0.125);
  const active = meter.createUpDownCounter('active', { valueType: ValueType.INT });
  active.add(5);
  active.add(-8);
  const latency = meter.createHistogram('latency', { unit: 'ms', description: 'Latency' });
  for (const value of [0.25, 0.5, 9.75, 100, 1000]) latency.record(value, { route: '/a' });
  const sizes = meter.createHistogram('sizes', { unit: 'By' });
  for (const value of [0, 1, 2, 4, 1024, 0.001]) sizes.record(value);
  meter.createGauge('temperature', { unit: 'Cel' }).record(-3.5, { room: 'cellar' });
  meter
    .createObservableGauge('queue', { valueType: ValueType.INT })
    .addCallback((result) => result.observe(17, { q: 'in' }));
  meter.createObservableCounter('cpu', { unit: 's' }).addCallback((result) => result.observe(12.5));
  meter.createObservableUpDownCounter('pool').addCallback((result) => result.observe(-2));
  return () => requests.add(10, { route: '/b' });
}
