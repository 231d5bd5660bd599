/**
 * OTLP over HTTP (opentelemetry-proto docs/specification.md, "OTLP/HTTP"): POST /v1/{traces,logs,metrics}, protobuf or JSON.
 *
 * Must stay true: whether there is room is asked before the body is read; 200 is answered only for what is durable; the
 * answer has the request's encoding, also for errors.
 */

import type { IncomingMessage } from 'node:http';
import type { BodyFormat, ContentCoding, Signal } from '@glasshouse/model';
import { AppError, CONTENT_CODINGS, SIGNALS } from '@glasshouse/model';
import type { Principals } from '../control/principals.ts';
import { chunksOf, declaredLength, readError, tooLarge } from '../http/body.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Failure, Route } from '../http/router.ts';
import { encodeExportResponse, encodeStatus } from '../otlp/response.ts';
import { BODY_SLACK } from '../otlp/wire.ts';
import type { BodyBuffer, Sink } from '../pipeline/sink.ts';

export interface OtlpHttpOptions {
  readonly sink: Sink;
  readonly principals: Principals;
  /** Largest body as it comes over the wire. */
  readonly maxBodyBytes: number;
  /** Largest JSON body: it is parsed as a whole, which takes several times its size in memory. */
  readonly maxJsonBytes: number;
}

const CONTENT_TYPES: Readonly<Record<BodyFormat, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** Length assumed for a chunked body until it has ended. */
const CHUNKED_GUESS_BYTES = 64 << 10;

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
  const length = declaredLength(request, limit) ?? CHUNKED_GUESS_BYTES;
  await options.sink.ready(length);
  const body = await readInto(request, options.sink, length, limit);
  const { placement } = principal;
  const { rejected, message } = await options.sink.accept({ signal, format, coding, placement, body });
  const partial = rejected > 0 || message !== '' ? { rejected, message } : undefined;
  const answer = encodeExportResponse(signal, format, partial);
  response.writeHead(200, { 'Content-Type': CONTENT_TYPES[format], 'Content-Length': answer.length });
  response.end(answer);
}

/** Reads the body into a buffer of the sink, a larger one if it turns out to be longer than was said. */
async function readInto(request: IncomingMessage, sink: Sink, length: number, maxBytes: number): Promise<BodyBuffer> {
  let body = sink.lend(length);
  let target = new Uint8Array(body.buffer);
  try {
    for await (const chunk of chunksOf(request)) {
      const end = body.length + chunk.length;
      if (end > maxBytes) throw tooLarge(maxBytes);
      if (end > target.length - BODY_SLACK) {
        const larger = sink.lend(end * 2);
        new Uint8Array(larger.buffer).set(target.subarray(0, body.length));
        larger.length = body.length;
        sink.giveBack(body);
        body = larger;
        target = new Uint8Array(body.buffer);
      }
      target.set(chunk, body.length);
      body.length = end;
    }
  } catch (error) {
    sink.giveBack(body);
    throw readError(error);
  }
  return body;
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

function codingOf(request: IncomingMessage): ContentCoding {
  const coding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase() || 'identity';
  const known = CONTENT_CODINGS.find((candidate) => candidate === coding);
  if (known !== undefined) return known;
  throw new AppError('unsupported_media', `cannot read Content-Encoding=${coding}: send ${CONTENT_CODINGS.join(', ')}`);
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
