/**
 * The OTLP trace and log messages for protobufjs, as reflection data (opentelemetry-proto v1). It serves two purposes: the
 * straightforward pipeline decodes with it, and the workload is checked against a decoder that is not ours.
 */

import protobuf from 'protobufjs';

type Field = [name: string, type: string, id: number, repeated?: 'repeated'];

const MESSAGES: Readonly<Record<string, readonly Field[]>> = {
  TracesRequest: [['resourceSpans', 'ResourceSpans', 1, 'repeated']],
  LogsRequest: [['resourceLogs', 'ResourceLogs', 1, 'repeated']],
  ResourceSpans: [
    ['resource', 'Resource', 1],
    ['scopeSpans', 'ScopeSpans', 2, 'repeated'],
    ['schemaUrl', 'string', 3],
  ],
  ScopeSpans: [
    ['scope', 'Scope', 1],
    ['spans', 'Span', 2, 'repeated'],
    ['schemaUrl', 'string', 3],
  ],
  ResourceLogs: [
    ['resource', 'Resource', 1],
    ['scopeLogs', 'ScopeLogs', 2, 'repeated'],
  ],
  ScopeLogs: [
    ['scope', 'Scope', 1],
    ['logRecords', 'LogRecord', 2, 'repeated'],
  ],
  Resource: [['attributes', 'KeyValue', 1, 'repeated']],
  Scope: [
    ['name', 'string', 1],
    ['version', 'string', 2],
  ],
  KeyValue: [
    ['key', 'string', 1],
    ['value', 'AnyValue', 2],
  ],
  AnyValue: [
    ['stringValue', 'string', 1],
    ['boolValue', 'bool', 2],
    ['intValue', 'int64', 3],
    ['doubleValue', 'double', 4],
  ],
  Span: [
    ['traceId', 'bytes', 1],
    ['spanId', 'bytes', 2],
    ['traceState', 'string', 3],
    ['parentSpanId', 'bytes', 4],
    ['name', 'string', 5],
    ['kind', 'int32', 6],
    ['startTimeUnixNano', 'fixed64', 7],
    ['endTimeUnixNano', 'fixed64', 8],
    ['attributes', 'KeyValue', 9, 'repeated'],
    ['events', 'Event', 11, 'repeated'],
    ['status', 'Status', 15],
    ['flags', 'fixed32', 16],
  ],
  Event: [
    ['timeUnixNano', 'fixed64', 1],
    ['name', 'string', 2],
    ['attributes', 'KeyValue', 3, 'repeated'],
  ],
  Status: [
    ['message', 'string', 2],
    ['code', 'int32', 3],
  ],
  LogRecord: [
    ['timeUnixNano', 'fixed64', 1],
    ['severityNumber', 'int32', 2],
    ['severityText', 'string', 3],
    ['body', 'AnyValue', 5],
    ['attributes', 'KeyValue', 6, 'repeated'],
    ['traceId', 'bytes', 9],
    ['spanId', 'bytes', 10],
    ['observedTimeUnixNano', 'fixed64', 11],
  ],
};

/** Members of AnyValue that are there, as protobufjs decodes them: with the oneof, presence survives. */
export interface AnyValue {
  readonly value?: 'stringValue' | 'boolValue' | 'intValue' | 'doubleValue';
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: Long;
  readonly doubleValue?: number;
}

export interface Long {
  readonly low: number;
  readonly high: number;
  toNumber(): number;
}

export interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

export interface Span {
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly traceState: string;
  readonly parentSpanId: Uint8Array;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: Long;
  readonly endTimeUnixNano: Long;
  readonly attributes: readonly KeyValue[];
  readonly events: readonly { timeUnixNano: Long; name: string; attributes: readonly KeyValue[] }[];
  readonly status: { message: string; code: number } | null;
  readonly flags: number;
}

export interface Resource {
  readonly attributes: readonly KeyValue[];
}

export interface TracesRequest {
  readonly resourceSpans: readonly {
    readonly resource: Resource;
    readonly schemaUrl: string;
    readonly scopeSpans: readonly {
      readonly scope: { name: string; version: string };
      readonly spans: readonly Span[];
      readonly schemaUrl: string;
    }[];
  }[];
}

export interface LogsRequest {
  readonly resourceLogs: readonly {
    readonly scopeLogs: readonly { readonly logRecords: readonly { readonly body: AnyValue; timeUnixNano: Long }[] }[];
  }[];
}

export interface Decoders {
  traces(body: Uint8Array): TracesRequest;
  logs(body: Uint8Array): LogsRequest;
}

/** Decoders that protobufjs compiles from the reflection data. */
export function makeDecoders(): Decoders {
  const nested = Object.fromEntries(
    Object.entries(MESSAGES).map(([name, fields]) => {
      const entries = fields.map(([field, type, id, rule]) => [
        field,
        { type, id, ...(rule === undefined ? {} : { rule }) },
      ]);
      const oneofs = name === 'AnyValue' ? { oneofs: { value: { oneof: fields.map(([field]) => field) } } } : {};
      return [name, { fields: Object.fromEntries(entries) as Record<string, protobuf.IField>, ...oneofs }];
    }),
  );
  const root = protobuf.Root.fromJSON({ nested });
  const [traces, logs] = [root.lookupType('TracesRequest'), root.lookupType('LogsRequest')];
  return {
    traces: (body) => traces.decode(body) as unknown as TracesRequest,
    logs: (body) => logs.decode(body) as unknown as LogsRequest,
  };
}
