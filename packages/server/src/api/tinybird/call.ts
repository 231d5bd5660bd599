/**
 * What every route of the data platform's interface does first and last: who asks, for which workspace, within which rate;
 * and how its answers and errors look (https://www.tinybird.co/docs/api-reference).
 *
 * Must stay true: every answer carries the rate in whole numbers, because clients fail on anything else. A credential that is
 * missing or no good is 403: the command line ends on 401. Pages of other origins may read an answer only if they brought the
 * token themselves: what an open server answers to nobody in particular is not theirs.
 */

import type { ServerResponse } from 'node:http';
import { DataFileError } from '../../platform/project.ts';
import type { Platform } from '../../platform/platform.ts';
import type { WorkspacePrincipal } from '../../platform/principal.ts';
import type { Admission } from '../../platform/rate.ts';
import { DEFAULT_LIMITS, RateError, rateHeaders } from '../../platform/rate.ts';
import { credentialOf } from '../../http/credential.ts';
import type { Exchange, Failure, Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';

/** A request of somebody who is known. */
export interface Call extends Exchange {
  readonly principal: WorkspacePrincipal;
}

export type CallHandler = (call: Call) => Promise<void> | void;

export type CallParts = Pick<Platform, 'credentials' | 'rates'>;

/** Names the tenant whose workspace an administrator of the server asks for. */
const TENANT_HEADER = 'x-glasshouse-tenant';
const EXPOSED = 'X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After';

/** A route that needs a credential, whatever it may do: the handler asks for its scopes. */
export function guarded(platform: CallParts, method: Route['method'], path: string, handle: CallHandler): Route {
  return {
    method,
    path,
    fail: failTinybird,
    handle: async (exchange) => handle({ ...exchange, principal: await admitted(platform, exchange) }),
  };
}

/** A route for everybody. */
export function open(method: Route['method'], path: string, handle: Route['handle']): Route {
  return {
    method,
    path,
    fail: failTinybird,
    handle: (exchange) => {
      limitHeaders(exchange.response, UNHURRIED);
      return handle(exchange);
    },
  };
}

/** Answers to browsers that ask first, one for each path of the routes. */
export function preflights(routes: readonly Route[]): Route[] {
  const paths = new Set(routes.map(({ path }) => path));
  return [...paths].map((path) => {
    const methods = [...new Set(routes.filter((route) => route.path === path).map(({ method }) => method))];
    const handle = ({ request, response }: Exchange): void => {
      response.writeHead(204, {
        'Access-Control-Allow-Origin': '*',
        'Access-Control-Allow-Methods': [...methods, 'OPTIONS'].join(', '),
        'Access-Control-Allow-Headers':
          request.headers['access-control-request-headers'] ?? 'content-type, authorization',
        'Access-Control-Max-Age': '86400',
      });
      response.end();
    };
    return { method: 'OPTIONS', path, handle, fail: failTinybird };
  });
}

/** Who asks, within their rate. Rejects with `unauthenticated`, `forbidden`, `unavailable`, or `rate_limited`. */
export async function admitted(platform: CallParts, exchange: Exchange): Promise<WorkspacePrincipal> {
  const { request, response, query } = exchange;
  const secret = credentialOf(request.headers, query);
  if (secret !== undefined) allowOrigin(response);
  const tenant = request.headers[TENANT_HEADER];
  const principal = await platform.credentials.resolve(secret, typeof tenant === 'string' ? { tenant } : {});
  const limited = [{ key: `token:${principal.tokenId}`, requestsPerSecond: principal.rps }];
  limitHeaders(response, platform.rates.admit(limited));
  return principal;
}

function allowOrigin(response: ServerResponse): void {
  response.setHeader('Access-Control-Allow-Origin', '*');
  response.setHeader('Access-Control-Expose-Headers', EXPOSED);
}

export function limitHeaders(response: ServerResponse, admission: Admission): void {
  for (const [name, value] of Object.entries(rateHeaders(admission))) response.setHeader(name, value);
}

const UNHURRIED: Admission = {
  limit: DEFAULT_LIMITS.requestsPerSecond,
  remaining: DEFAULT_LIMITS.requestsPerSecond,
  reset: 1,
};

/** Errors as `{"error": text}`. One about a data file also lists all that is wrong with it. */
export const failTinybird: Failure = ({ response }, error) => {
  if (error instanceof RateError) limitHeaders(response, error.admission);
  // A refusal for lack of room looks like one for the rate, so that every client backs off and none stops.
  else if (error.kind.retryable) {
    limitHeaders(response, { ...UNHURRIED, remaining: 0, reset: error.retryAfterSeconds ?? 1 });
  } else if (!response.hasHeader('X-RateLimit-Limit')) limitHeaders(response, UNHURRIED);
  const status = error.code === 'unauthenticated' ? 403 : error.kind.httpStatus;
  const errors =
    error instanceof DataFileError && error.problems.length > 1
      ? { errors: error.problems.map(({ line, message, hint }) => `line ${line}: ${message}; ${hint}`) }
      : {};
  sendJson(response, status, { error: error.message, ...errors });
};

/** Answers without a body. */
export function sendNothing(response: ServerResponse, status: 204 | 205 = 204): void {
  response.writeHead(status, { 'Content-Length': 0 });
  response.end();
}

/** The address by which the client knows this server, for links in answers: `https://host:port`. */
export function baseUrl({ request }: Pick<Exchange, 'request'>): string {
  const forwarded = request.headers['x-forwarded-proto'];
  const scheme = forwarded === 'https' ? 'https' : 'http';
  const host = request.headers.host ?? '';
  // What a header says goes into links; nothing but a name and a port may.
  return `${scheme}://${/^[\w.:[\]-]{1,255}$/u.test(host) ? host : 'localhost'}`;
}
