/**
 * Test support: what the tables must hold of an export request, computed in the most obvious way from its plain object; and
 * the reader for the rows that the engine gives back. Separate because several tests use it; never imported by the server.
 */

import type { Placement, Signal } from '@glasshouse/model';
import type { FactTable } from '@glasshouse/schema';
import type { Plain } from '../otlp/message-reference.ts';
import { BAD_TEXT, METRIC_KINDS } from '../otlp/message-reference.ts';

/** A value of a column: 64-bit integers as bigint, FixedString in hex, maps as lists of pairs. */
export type Value = string | number | bigint | null | readonly Value[];
export type Row = Record<string, Value>;

export interface Expected {
  /** Rows by table, in the order of the request. */
  readonly rows: Map<string, Row[]>;
  readonly rejected: Map<string, number>;
}

/** Times that are taken, in nanoseconds; the tests keep away from the edges, which are not exact. */
export interface Limits {
  readonly oldestNs: bigint;
  readonly newestNs: bigint;
}

type Attribute = { key?: string; value?: Plain };

const text = (value: unknown): string => ((value as string | undefined) ?? '').replaceAll(BAD_TEXT, '\ufffd'.repeat(4));
const wide = (value: unknown): bigint => BigInt((value as string | undefined) ?? 0);
const time = (value: unknown): bigint => BigInt.asIntN(64, wide(value));
const count = (value: unknown): number => (value as number | undefined) ?? 0;
const list = (value: unknown): Plain[] => (value as Plain[] | undefined) ?? [];
const upTo = (value: unknown, most: number): number => (count(value) <= most ? count(value) : 0);

function id(value: unknown, length: number): string {
  const bytes = value as Buffer | undefined;
  return bytes?.length === length ? bytes.toString('hex') : '00'.repeat(length);
}

/** The text of a value that has no column of its own type. */
function jsonOf(value: Plain | undefined): string {
  const [[name, content] = ['', undefined]] = Object.entries(value ?? {});
  switch (name) {
    case 'stringValue':
      return JSON.stringify(text(content));
    case 'boolValue':
    case 'intValue':
      return String(content);
    case 'doubleValue':
      return doubleText(content as number);
    case 'bytesValue':
      return `{"bytes":"${(content as Buffer).toString('base64')}"}`;
    case 'arrayValue':
      return `[${list((content as Plain)['values'])
        .map(jsonOf)
        .join(',')}]`;
    case 'kvlistValue': {
      const members = list((content as Plain)['values']) as Attribute[];
      return `{${members.map(({ key, value: inner }) => `${JSON.stringify(text(key))}:${jsonOf(inner)}`).join(',')}}`;
    }
    default:
      return 'null';
  }
}

function doubleText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  if (Object.is(value, -0)) return '-0.0';
  return Number.isInteger(value) && !String(value).includes('e') ? `${value}.0` : String(value);
}

function ofType(attributes: readonly Attribute[], name: string, convert: (value: unknown) => Value): Value[] {
  return attributes
    .filter(({ value }) => value?.[name] !== undefined)
    .map(({ key, value }) => [text(key), convert(value?.[name])]);
}

function except(attributes: readonly Attribute[], names: readonly string[]): Value[] {
  return attributes
    .filter(({ value }) => !names.some((name) => value?.[name] !== undefined))
    .map(({ key, value }) => [text(key), jsonOf(value)]);
}

function typed(value: unknown): Row {
  const attributes = list(value) as Attribute[];
  return {
    attributes_string: ofType(attributes, 'stringValue', text),
    attributes_int: ofType(attributes, 'intValue', time),
    attributes_double: ofType(attributes, 'doubleValue', count),
    attributes_bool: ofType(attributes, 'boolValue', Number),
    attributes_json: except(attributes, ['stringValue', 'intValue', 'doubleValue', 'boolValue']),
  };
}

/** Attributes as one JSON object. */
function object(attributes: unknown): string {
  return jsonOf({ kvlistValue: { values: attributes } });
}

/** Columns of an array of children, `prefix.column`. */
function children(prefix: string, value: unknown, columns: readonly string[], row: (child: Plain) => Row): Row {
  const rows = list(value).map(row);
  return Object.fromEntries(columns.map((column) => [`${prefix}.${column}`, rows.map((one) => one[column] ?? null)]));
}

function shared(resource: Plain, scope: Plain, placement: Placement, segment: bigint): Row {
  const of = (resource['resource'] ?? {}) as Plain;
  const by = (scope['scope'] ?? {}) as Plain;
  const named = (name: string): string =>
    text(
      (list(of['attributes']) as Attribute[]).findLast(
        ({ key, value }) => key === name && value?.['stringValue'] !== undefined,
      )?.value?.['stringValue'],
    );
  return {
    _segment: segment,
    tenant_id: placement.tenant,
    project_id: placement.project,
    environment: placement.environment,
    service_name: named('service.name'),
    project_name: named('project.name') || named('service.namespace') || named('service.name'),
    resource_attributes: object(of['attributes']),
    resource_dropped_attributes_count: count(of['droppedAttributesCount']),
    resource_schema_url: text(resource['schemaUrl']),
    scope_name: text(by['name']),
    scope_version: text(by['version']),
    scope_attributes: object(by['attributes']),
    scope_dropped_attributes_count: count(by['droppedAttributesCount']),
    scope_schema_url: text(scope['schemaUrl']),
  };
}

const CHILD = ['attributes', 'dropped_attributes_count'];

function spanRow(span: Plain): Row {
  const [start, end] = [wide(span['startTimeUnixNano']), wide(span['endTimeUnixNano'])];
  const status = (span['status'] ?? {}) as Plain;
  const dropped = (of: Plain): Row => ({ dropped_attributes_count: count(of['droppedAttributesCount']) });
  return {
    timestamp: start,
    duration_ns: end > start ? end - start : 0n,
    trace_id: id(span['traceId'], 16),
    span_id: id(span['spanId'], 8),
    parent_span_id: id(span['parentSpanId'], 8),
    trace_state: text(span['traceState']),
    flags: count(span['flags']),
    name: text(span['name']),
    kind: upTo(span['kind'], 5),
    status_code: upTo(status['code'], 2),
    status_message: text(status['message']),
    ...typed(span['attributes']),
    ...dropped(span),
    ...promoted(span['attributes']),
    ...children('events', span['events'], ['timestamp', 'name', ...CHILD], (event) => ({
      timestamp: time(event['timeUnixNano']),
      name: text(event['name']),
      attributes: object(event['attributes']),
      ...dropped(event),
    })),
    dropped_events_count: count(span['droppedEventsCount']),
    ...children('links', span['links'], ['trace_id', 'span_id', 'trace_state', 'flags', ...CHILD], (link) => ({
      trace_id: id(link['traceId'], 16),
      span_id: id(link['spanId'], 8),
      trace_state: text(link['traceState']),
      flags: count(link['flags']),
      attributes: object(link['attributes']),
      ...dropped(link),
    })),
    dropped_links_count: count(span['droppedLinksCount']),
  };
}

/** The attributes that have a column of their own: the first of a name that has the right type. */
function promoted(value: unknown): Row {
  const attributes = list(value) as Attribute[];
  const first = (type: string, ...names: string[]): unknown =>
    attributes.find(({ key, value }) => names.includes(key ?? '') && value?.[type] !== undefined)?.value?.[type];
  const status = wide(first('intValue', 'http.response.status_code', 'http.status_code'));
  return {
    http_status_code: status > 0n && status <= 0xffffn ? Number(status) : 0,
    http_route: text(first('stringValue', 'http.route')),
    gen_ai_model: text(first('stringValue', 'gen_ai.request.model')),
  };
}

function logRow(record: Plain): Row {
  const body = record['body'] as Plain | undefined;
  const isEmpty = body === undefined || Object.keys(body).length === 0;
  const isText = body?.['stringValue'] !== undefined;
  return {
    timestamp: wide(record['timeUnixNano']) || wide(record['observedTimeUnixNano']),
    observed_timestamp: time(record['observedTimeUnixNano']),
    trace_id: id(record['traceId'], 16),
    span_id: id(record['spanId'], 8),
    flags: count(record['flags']),
    severity_number: upTo(record['severityNumber'], 24),
    severity_text: text(record['severityText']),
    event_name: text(record['eventName']),
    body: isEmpty ? '' : isText ? text(body['stringValue']) : jsonOf(body),
    body_type: isEmpty ? 0 : isText ? 1 : 2,
    ...typed(record['attributes']),
    dropped_attributes_count: count(record['droppedAttributesCount']),
  };
}

function numberOf(plain: Plain): Row {
  if (plain['asDouble'] !== undefined) return { value_type: 1, value: count(plain['asDouble']), value_int: 0n };
  if (plain['asInt'] !== undefined)
    return { value_type: 2, value: Number(wide(plain['asInt'])), value_int: wide(plain['asInt']) };
  return { value_type: 0, value: 0, value_int: 0n };
}

const EXEMPLAR = ['timestamp', 'value_type', 'value', 'value_int', 'trace_id', 'span_id', 'attributes'];

function exemplars(point: Plain): Row {
  return children('exemplars', point['exemplars'], EXEMPLAR, (exemplar) => ({
    timestamp: time(exemplar['timeUnixNano']),
    ...numberOf(exemplar),
    trace_id: id(exemplar['traceId'], 16),
    span_id: id(exemplar['spanId'], 8),
    attributes: object(exemplar['filteredAttributes']),
  }));
}

const optional = (value: unknown): Value => (value as number | undefined) ?? null;
const wides = (value: unknown): bigint[] => ((value as string[] | undefined) ?? []).map(BigInt);

/** The columns of each kind of point, by the name of its field in Metric. */
const POINT_ROWS: Readonly<Record<(typeof METRIC_KINDS)[number], (point: Plain, data: Plain) => Row>> = {
  gauge: (point) => ({ ...numberOf(point), ...exemplars(point) }),
  sum: (point, data) => ({
    ...temporality(data),
    is_monotonic: Number(data['isMonotonic'] ?? false),
    ...numberOf(point),
    ...exemplars(point),
  }),
  histogram: (point, data) => ({
    ...temporality(data),
    count: wide(point['count']),
    sum: optional(point['sum']),
    min: optional(point['min']),
    max: optional(point['max']),
    bucket_counts: wides(point['bucketCounts']),
    explicit_bounds: (point['explicitBounds'] as number[] | undefined) ?? [],
    ...exemplars(point),
  }),
  exponentialHistogram: (point, data) => ({
    ...temporality(data),
    count: wide(point['count']),
    sum: optional(point['sum']),
    min: optional(point['min']),
    max: optional(point['max']),
    scale: count(point['scale']),
    zero_count: wide(point['zeroCount']),
    zero_threshold: count(point['zeroThreshold']),
    ...buckets('positive', point),
    ...buckets('negative', point),
    ...exemplars(point),
  }),
  summary: (point) => ({
    count: wide(point['count']),
    sum: count(point['sum']),
    quantiles: list(point['quantileValues']).map((pair) => count(pair['quantile'])),
    quantile_values: list(point['quantileValues']).map((pair) => count(pair['value'])),
  }),
};

function temporality(data: Plain): Row {
  return { temporality: upTo(data['aggregationTemporality'], 2) };
}

function buckets(side: 'positive' | 'negative', point: Plain): Row {
  const of = (point[side] ?? {}) as Plain;
  return { [`${side}_offset`]: count(of['offset']), [`${side}_bucket_counts`]: wides(of['bucketCounts']) };
}

const METRIC_TABLE = {
  gauge: 'metrics_gauge',
  sum: 'metrics_sum',
  histogram: 'metrics_histogram',
  exponentialHistogram: 'metrics_exponential_histogram',
  summary: 'metrics_summary',
} as const;

/** What is to be stored of the request, and what is to be refused, by reason. */
export function expectedRows(
  signal: Signal,
  request: Plain,
  placement: Placement,
  segment: bigint,
  limits: Limits,
): Expected {
  const out: Expected = { rows: new Map(), rejected: new Map() };
  const take = (table: string, at: unknown, row: () => Row, refusal?: string): void => {
    const reason = refusal ?? timeRefusal(wide(at), limits);
    if (reason !== undefined) out.rejected.set(reason, (out.rejected.get(reason) ?? 0) + 1);
    else out.rows.set(table, [...(out.rows.get(table) ?? []), row()]);
  };
  const item: Record<Signal, (plain: Plain, common: Row) => void> = {
    traces: (span, common) =>
      take('spans', span['startTimeUnixNano'], () => ({ ...common, ...spanRow(span) }), spanRefusal(span)),
    logs: (record, common) => {
      const row = logRow(record);
      take('logs', row['timestamp'], () => ({ ...common, ...row }));
    },
    metrics: (metric, common) => {
      const kind = METRIC_KINDS.find((name) => metric[name] !== undefined);
      if (kind === undefined) return;
      const data = metric[kind] as Plain;
      for (const point of list(data['dataPoints'])) {
        take(METRIC_TABLE[kind], point['timeUnixNano'], () => ({
          ...common,
          timestamp: wide(point['timeUnixNano']),
          start_timestamp: time(point['startTimeUnixNano']),
          name: text(metric['name']),
          description: text(metric['description']),
          unit: text(metric['unit']),
          metadata: object(metric['metadata']),
          flags: count(point['flags']),
          ...typed(point['attributes']),
          ...POINT_ROWS[kind](point, data),
        }));
      }
    },
  };
  const names = {
    traces: ['resourceSpans', 'scopeSpans', 'spans'],
    logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
    metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
  } as const;
  const [outer, middle, inner] = names[signal];
  for (const resource of list(request[outer])) {
    for (const scope of list(resource[middle])) {
      for (const plain of list(scope[inner])) item[signal](plain, shared(resource, scope, placement, segment));
    }
  }
  return out;
}

function spanRefusal(span: Plain): string | undefined {
  const wrong = (value: unknown, length: number): boolean => /^0*$/.test(id(value, length));
  return wrong(span['traceId'], 16) ? 'trace_id' : wrong(span['spanId'], 8) ? 'span_id' : undefined;
}

function timeRefusal(at: bigint, { oldestNs, newestNs }: Limits): string | undefined {
  if (at === 0n) return 'time_missing';
  return at < oldestNs ? 'time_old' : at > newestNs ? 'time_future' : undefined;
}

/** Reads a row of all columns of the table in RowBinary format. */
export function readRow(table: FactTable, bytes: Buffer): Row {
  let pos = 0;
  const take = (length: number): Buffer => bytes.subarray(pos, (pos += length));
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = take(1).readUInt8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  const read = (type: string): Value => {
    const [, kind = type, inside = ''] = /^(\w+)\((.*)\)$/s.exec(type) ?? [];
    const many = (one: () => Value): Value[] => Array.from({ length: varint() }, one);
    switch (kind) {
      case 'LowCardinality':
        return read(inside);
      case 'Array':
        return many(() => read(inside));
      case 'Map': {
        const comma = inside.indexOf(', ');
        return many(() => [read(inside.slice(0, comma)), read(inside.slice(comma + 2))]);
      }
      case 'Nullable':
        return take(1).readUInt8() === 1 ? null : read(inside);
      case 'FixedString':
        return take(Number(inside)).toString('hex');
      case 'String':
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(take(varint()));
      case 'UInt8':
      case 'Bool':
      case 'Enum8':
        return take(1).readUInt8();
      case 'UInt16':
        return take(2).readUInt16LE();
      case 'Int32':
        return take(4).readInt32LE();
      case 'UInt32':
        return take(4).readUInt32LE();
      case 'UInt64':
        return take(8).readBigUInt64LE();
      case 'Int64':
      case 'DateTime64':
        return take(8).readBigInt64LE();
      case 'Float64':
        return take(8).readDoubleLE();
      case 'Decimal': {
        const low = take(8).readBigUInt64LE();
        return (take(8).readBigInt64LE() << 64n) | low;
      }
      case 'UUID':
        return [take(8), take(8)].map((half) => half.readBigUInt64LE().toString(16).padStart(16, '0')).join('');
      default:
        throw new Error(`unknown type ${type}`);
    }
  };
  const row = Object.fromEntries(table.columns.map(({ name, type }) => [name, read(type)]));
  if (pos !== bytes.length) throw new Error('the row has another length than its types');
  return row;
}
