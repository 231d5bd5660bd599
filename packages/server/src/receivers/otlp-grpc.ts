/**
 * OTLP over gRPC (opentelemetry-proto docs/specification.md, "OTLP/gRPC"): the Export methods of the three collector
 * services. Messages are taken as bytes; the ingest worker decodes them like those of HTTP.
 *
 * Throttling is UNAVAILABLE with RetryInfo, as the specification asks, and a quota RESOURCE_EXHAUSTED with RetryInfo; a malformed
 * message is INVALID_ARGUMENT.
 */

import type {
  Server,
  ServerUnaryCall,
  sendUnaryData,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import * as grpc from '@grpc/grpc-js';
import type { AppError, Signal } from '@glasshouse/model';
import { SIGNALS, toAppError } from '@glasshouse/model';
import type { Principals } from '../control/principals.ts';
import type { Quotas } from '../control/quotas.ts';
import { credentialOf } from '../http/credential.ts';
import { encodeExportResponse, encodeRetryStatus } from '../otlp/response.ts';
import type { Sink } from '../pipeline/sink.ts';

export interface OtlpGrpcOptions {
  readonly sink: Sink;
  readonly principals: Principals;
  readonly quotas: Pick<Quotas, 'admit' | 'count'>;
  readonly maxBodyBytes: number;
}

const SERVICES: Readonly<Record<Signal, string>> = {
  traces: 'opentelemetry.proto.collector.trace.v1.TraceService',
  logs: 'opentelemetry.proto.collector.logs.v1.LogsService',
  metrics: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
};

/** A gRPC server with the three services, not listening yet. */
export function otlpGrpcServer(options: OtlpGrpcOptions): Server {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': options.maxBodyBytes });
  for (const signal of SIGNALS) server.addService(serviceOf(signal), implementationOf(signal, options));
  return server;
}

function serviceOf(signal: Signal): ServiceDefinition {
  return {
    Export: {
      path: `/${SERVICES[signal]}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
    },
  };
}

function implementationOf(signal: Signal, options: OtlpGrpcOptions): UntypedServiceImplementation {
  return {
    Export: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
      receive(call, signal, options).then(
        (answer) => callback(null, answer),
        (error: unknown) => callback(statusOf(toAppError(error))),
      );
    },
  };
}

async function receive(
  call: ServerUnaryCall<Buffer, Buffer>,
  signal: Signal,
  options: OtlpGrpcOptions,
): Promise<Buffer> {
  const { sink, principals, quotas } = options;
  const { placement } = await principals.resolve(credentialOf(headersOf(call)), 'ingest');
  quotas.admit(placement.tenant, placement.project);
  await sink.ready(call.request.length);
  const body = sink.lend(call.request.length);
  new Uint8Array(body.buffer).set(call.request);
  body.length = call.request.length;
  const { accepted, rejected, message } = await sink.accept({
    signal,
    format: 'protobuf',
    coding: 'identity',
    placement,
    body,
  });
  quotas.count(placement, accepted, call.request.length);
  const partial = rejected > 0 || message !== '' ? { rejected, message } : undefined;
  return Buffer.from(encodeExportResponse(signal, 'protobuf', partial));
}

/** The metadata as headers, so that credentials are found in the same way. */
function headersOf(call: ServerUnaryCall<Buffer, Buffer>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(call.metadata.getMap())) headers[name] = String(value);
  return headers;
}

function statusOf(error: AppError): { code: number; details: string; metadata: grpc.Metadata } {
  const metadata = new grpc.Metadata();
  if (error.retryAfterSeconds !== undefined) {
    const details = encodeRetryStatus(error.kind.grpcCode, error.message, error.retryAfterSeconds);
    metadata.set('grpc-status-details-bin', Buffer.from(details));
  }
  return { code: error.kind.grpcCode, details: error.message, metadata };
}
