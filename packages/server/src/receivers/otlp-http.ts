/**
 * OTLP over HTTP (opentelemetry-proto docs/specification.md, "OTLP/HTTP"): POST /v1/{traces,logs,metrics}, protobuf or JSON.
 *
 * Must stay true: whether there is room is asked before the body is read; 200 is answered only for what is durable; the
 * answer has the request's encoding, also for errors.
 */

import type { IncomingMessage } from 'node:http';
import type { BodyFormat, Signal } from '@glasshouse/model';
import { AppError, SIGNALS } from '@glasshouse/model';
import type { Principals } from '../control/principals.ts';
import type { Quotas } from '../control/quotas.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Failure, Route } from '../http/router.ts';
import { encodeExportResponse, encodeStatus } from '../otlp/response.ts';
import type { Sink } from '../pipeline/sink.ts';
import { codingOf, receiveBody } from './body.ts';
import { QUOTA_HEADER } from '../http/quota-header.ts';

export interface OtlpHttpOptions {
  readonly sink: Sink;
  readonly principals: Principals;
  readonly quotas: Pick<Quotas, 'admit' | 'count'>;
  /** Largest body as it comes over the wire. */
  readonly maxBodyBytes: number;
  /** Largest JSON body: it is parsed as a whole, which takes several times its size in memory. */
  readonly maxJsonBytes: number;
}

const CONTENT_TYPES: Readonly<Record<BodyFormat, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** The routes of the three signals, and their CORS preflights. */
export function otlpHttpRoutes(options: OtlpHttpOptions): Route[] {
  return SIGNALS.flatMap((signal): Route[] => {
    const path = `/v1/${signal}`;
    return [
      { method: 'POST', path, handle: (exchange) => receive(exchange, signal, options), fail },
      { method: 'OPTIONS', path, handle: preflight, fail },
    ];
  });
}

async function receive(exchange: Exchange, signal: Signal, options: OtlpHttpOptions): Promise<void> {
  const { request, response, query } = exchange;
  response.setHeader('Access-Control-Allow-Origin', '*');
  const format = formatOf(request);
  const coding = codingOf(request);
  const limit = format === 'json' ? options.maxJsonBytes : options.maxBodyBytes;
  const resolved = options.principals.resolve(credentialOf(request.headers, query), 'ingest');
  const principal = resolved instanceof Promise ? await resolved : resolved;
  const { placement } = principal;
  const warning = options.quotas.admit(placement.tenant, placement.project);
  if (warning !== undefined) response.setHeader(QUOTA_HEADER, warning);
  const body = await receiveBody(request, options.sink, limit);
  const { length } = body;
  const { accepted, rejected, message } = await options.sink.accept({ signal, format, coding, placement, body });
  options.quotas.count(placement, accepted, length);
  const partial = rejected > 0 || message !== '' ? { rejected, message } : undefined;
  const answer = encodeExportResponse(signal, format, partial);
  response.writeHead(200, { 'Content-Type': CONTENT_TYPES[format], 'Content-Length': answer.length });
  response.end(answer);
}

/** The body's encoding. A missing Content-Type is taken for protobuf, OTLP's default. */
function formatOf(request: IncomingMessage): BodyFormat {
  const type = (request.headers['content-type'] ?? CONTENT_TYPES.protobuf).split(';', 1)[0]?.trim().toLowerCase();
  if (type === 'application/x-protobuf' || type === 'application/protobuf') return 'protobuf';
  if (type === 'application/json') return 'json';
  throw new AppError(
    'unsupported_media',
    `cannot read Content-Type=${type}: send application/x-protobuf or application/json`,
  );
}

/** google.rpc.Status in the encoding of the request; protobuf where the request's is unknown. */
const fail: Failure = ({ request, response }, error) => {
  const format: BodyFormat = /json/i.test(request.headers['content-type'] ?? '') ? 'json' : 'protobuf';
  const body = encodeStatus(format, error.kind.grpcCode, error.message);
  response.writeHead(error.kind.httpStatus, { 'Content-Type': CONTENT_TYPES[format], 'Content-Length': body.length });
  response.end(body);
};

/** Answers a browser that asks whether it may send telemetry here: it may, a key is still needed where keys are. */
function preflight({ request, response }: Exchange): void {
  response.writeHead(204, {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': 'POST, OPTIONS',
    'Access-Control-Allow-Headers': request.headers['access-control-request-headers'] ?? 'content-type, authorization',
    'Access-Control-Max-Age': '86400',
  });
  response.end();
}
