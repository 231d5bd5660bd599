/**
 * The bodies that an OTLP endpoint answers with: export responses and `google.rpc.Status`, in both encodings.
 * Separate from the receivers, because HTTP and gRPC answer with the same messages.
 *
 * Must stay true: on full success `partial_success` is unset (OTLP specification, "Full Success").
 */
import { type BodyFormat, invariant, type Signal } from '@glasshouse/model';
import { WIRE_BYTES, WIRE_VARINT, wireTag } from './json-plan.ts';
import { BackwardWriter } from './json-writer.ts';

/** What was not accepted. With `rejected` 0 the message is a warning. */
export interface PartialSuccess {
  /** Number of spans, log records or data points. */
  readonly rejected: number;
  readonly message: string;
}

const REJECTED_KEYS = {
  traces: 'rejectedSpans',
  logs: 'rejectedLogRecords',
  metrics: 'rejectedDataPoints',
} as const satisfies Record<Signal, string>;

const TWO_32 = 0x1_0000_0000;

/**
 * `Export{Trace,Logs,Metrics}ServiceResponse` (opentelemetry-proto, collector services). Without `partial`, or with
 * neither rejections nor a message, it is the full success: no bytes in protobuf, `{}` in JSON.
 */
export function encodeExportResponse(signal: Signal, format: BodyFormat, partial?: PartialSuccess): Uint8Array {
  const rejected = partial?.rejected ?? 0;
  const message = partial?.message.toWellFormed() ?? '';
  invariant(Number.isSafeInteger(rejected) && rejected >= 0, `rejected=${rejected} is not a count`);
  const isPartial = rejected > 0 || message !== '';
  if (format === 'json') {
    if (!isPartial) return jsonBytes({});
    // An int64 is a decimal string in JSON, and a zero is left out.
    const count = rejected > 0 ? { [REJECTED_KEYS[signal]]: String(rejected) } : {};
    return jsonBytes({ partialSuccess: { ...count, ...(message === '' ? {} : { errorMessage: message }) } });
  }
  if (!isPartial) return new Uint8Array(0);
  const writer = new BackwardWriter(0);
  writeText(writer, 2, message);
  if (rejected > 0) {
    writer.varint64(rejected % TWO_32, Math.floor(rejected / TWO_32));
    writer.varint32(wireTag(1, WIRE_VARINT));
  }
  writer.varint32(writer.length);
  writer.varint32(wireTag(1, WIRE_BYTES));
  return writer.finish();
}

/** `google.rpc.Status` without details, the body of every OTLP/HTTP error; `grpcCode` is a number of `google.rpc.Code`. */
export function encodeStatus(format: BodyFormat, grpcCode: number, message: string): Uint8Array {
  invariant(Number.isInteger(grpcCode) && grpcCode >= 0 && grpcCode <= 16, `grpcCode=${grpcCode} is no gRPC code`);
  const text = message.toWellFormed();
  if (format === 'json') return jsonBytes({ code: grpcCode, message: text });
  const writer = new BackwardWriter(0);
  writeText(writer, 2, text);
  if (grpcCode > 0) {
    writer.varint32(grpcCode);
    writer.varint32(wireTag(1, WIRE_VARINT));
  }
  return writer.finish();
}

function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

function writeText(writer: BackwardWriter, number: number, text: string): void {
  if (text === '') return;
  const before = writer.length;
  writer.text(text);
  writer.varint32(writer.length - before);
  writer.varint32(wireTag(number, WIRE_BYTES));
}

/** `google.rpc.Status` with a RetryInfo detail, which tells a gRPC client when to come again. */
export function encodeRetryStatus(grpcCode: number, message: string, retryAfterSeconds: number): Uint8Array {
  const writer = new BackwardWriter(0);
  const nested = (number: number, write: () => void): void => {
    const before = writer.length;
    write();
    writer.varint32(writer.length - before);
    writer.varint32(wireTag(number, WIRE_BYTES));
  };
  // The writer fills from the end: details (Any) after message after code, each written last field first.
  nested(3, () => {
    nested(2, () =>
      nested(1, () => {
        writer.varint32(Math.ceil(retryAfterSeconds));
        writer.varint32(wireTag(1, WIRE_VARINT));
      }),
    );
    writeText(writer, 1, 'type.googleapis.com/google.rpc.RetryInfo');
  });
  writeText(writer, 2, message.toWellFormed());
  writer.varint32(grpcCode);
  writer.varint32(wireTag(1, WIRE_VARINT));
  return writer.finish();
}
