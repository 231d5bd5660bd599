/**
 * Endpoints: `GET|POST /v0/pipes/NAME.FORMAT` runs a published pipe with the caller's parameters
 * (https://www.tinybird.co/docs/api-reference/pipe-api/api-endpoints).
 *
 * Must stay true: the statement goes through the query door like any other. Every request of somebody known to a pipe that is there
 * is recorded once, whatever became of it, and no secret is in the record.
 */

import type { ServerResponse } from 'node:http';
import type { AppError } from '@glasshouse/model';
import { toAppError } from '@glasshouse/model';
import type { AnswerCache } from '../../platform/endpoints-cache.ts';
import type { ComposedQuery, Endpoints } from '../../platform/endpoints.ts';
import { queryPrincipal } from '../../platform/endpoints-reads.ts';
import { EndpointRefusal } from '../../platform/endpoints-templates.ts';
import type { WorkspacePrincipal } from '../../platform/principal.ts';
import type { PipeEntry } from '../../platform/resource-row.ts';
import type { UsageLog } from '../../platform/usage.ts';
import { credentialOf } from '../../http/credential.ts';
import type { Exchange, Failure, Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';
import type { Answer, Door } from '../../query/door.ts';
import { fromAppError } from '../../query/errors.ts';
import { acceptedCoding, deliver, signalOf } from '../deliver.ts';
import type { CallParts } from './call.ts';
import { failTinybird, limitHeaders, preflights } from './call.ts';
import type { EndpointCall } from './endpoint-call.ts';
import { readCall } from './endpoint-call.ts';
import type { EndpointFormat } from './endpoint-formats.ts';
import { contentTypeOf, ENDPOINT_FORMATS, ENDPOINT_SETTINGS } from './endpoint-formats.ts';
import { Measured } from './endpoint-measure.ts';

export interface EndpointParts {
  readonly platform: CallParts;
  readonly endpoints: Endpoints;
  readonly door: Pick<Door, 'run'>;
  readonly cache: AnswerCache;
  readonly usage: UsageLog;
  readonly now: () => number;
}

/** Requests per second of one token, unless it says otherwise itself. */
const REQUESTS_PER_SECOND = 1_000;
/** Less than this fits into one packet anyway. */
const MIN_PACKED_BYTES = 1_024;
const ANY_ORIGIN = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers':
    'X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, X-Request-Id',
};
/** Names the tenant whose workspace an administrator of the server asks for. */
const TENANT_HEADER = 'x-glasshouse-tenant';

export function endpointRoutes(parts: EndpointParts): Route[] {
  const routes = Object.entries(ENDPOINT_FORMATS).flatMap(([ending, format]) => {
    const handle = (exchange: Exchange): Promise<void> => new EndpointRequest(exchange, format, parts).answer();
    const path = `/v0/pipes/:name.${ending}`;
    return (['GET', 'POST'] as const).map((method): Route => ({ method, path, handle, fail: failEndpoint }));
  });
  return [...routes, ...preflights(routes)];
}

/** A refusal of the pipe's own making has the pipe's status and body. */
export const failEndpoint: Failure = (exchange, error) => {
  // The message of an internal error stays here.
  if (error.code === 'internal') return failTinybird(exchange, fromAppError(error));
  if (!(error instanceof EndpointRefusal)) return failTinybird(exchange, error);
  sendJson(exchange.response, error.status, typeof error.body === 'string' ? { error: error.body } : error.body);
};

class EndpointRequest {
  private readonly exchange: Exchange;
  private readonly format: EndpointFormat;
  private readonly parts: EndpointParts;
  private readonly measured = new Measured();
  private readonly startedAt: number;

  constructor(exchange: Exchange, format: EndpointFormat, parts: EndpointParts) {
    this.exchange = exchange;
    this.format = format;
    this.parts = parts;
    this.startedAt = parts.now();
  }

  async answer(): Promise<void> {
    const { endpoints } = this.parts;
    const signal = signalOf(this.exchange.response);
    const principal = await this.admitted();
    const entry = endpoints.find(principal, this.exchange.params['name'] ?? '');
    let call: EndpointCall | undefined;
    try {
      call = await readCall(this.exchange);
      const query = endpoints.query(principal, entry, call, call.over);
      await this.send(principal, query, signal);
      this.record(principal, entry, call, this.measured.broke ? BROKEN : undefined);
    } catch (thrown) {
      this.record(principal, entry, call, toAppError(thrown));
      throw thrown;
    }
  }

  private async admitted(): Promise<WorkspacePrincipal> {
    const { request, response, query } = this.exchange;
    const { credentials, rates } = this.parts.platform;
    const secret = credentialOf(request.headers, query);
    // A page of another origin that brought the token may read the answer.
    if (secret !== undefined) for (const [name, value] of Object.entries(ANY_ORIGIN)) response.setHeader(name, value);
    const tenant = request.headers[TENANT_HEADER];
    const principal = await credentials.resolve(secret, typeof tenant === 'string' ? { tenant } : {});
    const { tokenId, rps } = principal;
    const limited =
      rps === undefined
        ? { key: `endpoint:${tokenId}`, requestsPerSecond: REQUESTS_PER_SECOND }
        : { key: `token:${tokenId}`, requestsPerSecond: rps };
    limitHeaders(response, rates.admit([limited]));
    return principal;
  }

  private async send(principal: WorkspacePrincipal, query: ComposedQuery, signal: AbortSignal): Promise<void> {
    const { cache, door } = this.parts;
    const { sql, options, settings, cacheSeconds = 0 } = query;
    // What the caller wrote is judged for the caller.
    const key =
      cacheSeconds > 0 && options.written === undefined
        ? cache.keyOf(principal.tenant, sql, [this.format.name, options.params, options.hidesRows])
        : undefined;
    const kept = key === undefined ? undefined : cache.get(key);
    if (kept !== undefined) {
      this.measured.rows = kept.rows;
      this.measured.bytes = kept.body.length;
      sendWhole(this.exchange.response, contentTypeOf(this.format, kept.format, kept.contentType), kept.body);
      return;
    }
    const answer = await door.run(queryPrincipal(principal), sql, {
      ...options,
      format: this.format.name,
      settings: { ...ENDPOINT_SETTINGS, ...settings },
      signal,
    });
    const given = answer.headers['content-type'];
    this.measured.watch(answer, key === undefined ? 0 : cache.maxAnswerBytes, (body, rows) => {
      if (key !== undefined) cache.put(key, { body, format: answer.format, contentType: given, rows }, cacheSeconds);
    });
    await this.deliver(answer, contentTypeOf(this.format, answer.format, given), signal);
  }

  private deliver(answer: Answer, contentType: string, signal: AbortSignal): Promise<void> {
    const isSmall = (answer.length ?? Infinity) < MIN_PACKED_BYTES;
    const coding = isSmall ? undefined : acceptedCoding(this.exchange);
    const headers = { 'Content-Type': contentType, 'X-Request-Id': answer.queryId };
    return deliver(this.exchange.response, answer, headers, coding, signal);
  }

  private record(
    principal: WorkspacePrincipal,
    entry: PipeEntry,
    call: EndpointCall | undefined,
    error: Pick<AppError, 'message'> | undefined,
  ): void {
    const { request } = this.exchange;
    const { measured, startedAt } = this;
    this.parts.usage.record({
      tenant: principal.tenant,
      pipe: entry,
      startedAt,
      durationMs: this.parts.now() - startedAt,
      method: request.method ?? 'GET',
      url: request.url ?? '',
      status: error === undefined ? 200 : statusOf(error),
      error: error?.message,
      rows: measured.rows,
      bytes: measured.bytes,
      readRows: measured.readRows,
      readBytes: measured.readBytes,
      tokenId: principal.tokenId,
      tokenName: principal.name,
      parameters: call?.values ?? new Map<string, unknown>(),
      userAgent: request.headers['user-agent'],
    });
  }
}

const BROKEN = { message: 'the result broke off' };

function statusOf(error: Pick<AppError, 'message'>): number {
  if (error instanceof EndpointRefusal) return error.status;
  return error === BROKEN ? 500 : (error as AppError).kind.httpStatus;
}

function sendWhole(response: ServerResponse, contentType: string, body: Buffer): void {
  response.writeHead(200, { 'Content-Type': contentType, 'Content-Length': body.length });
  response.end(body);
}
