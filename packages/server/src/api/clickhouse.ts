/**
 * ClickHouse's HTTP interface for reading (https://clickhouse.com/docs/interfaces/http), as its clients and Grafana's plugin
 * speak it: port 8123, and `/` of the main port. Credentials are this server's API keys, sent as the password.
 *
 * Must stay true: an error has ClickHouse's form and number, and `X-ClickHouse-Exception-Code` is sent with errors only.
 */

import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '@glasshouse/model';
import { SHARED_DATABASE, tenantDatabase } from '../query/names.ts';
import type { Principals } from '../control/principals.ts';
import type { Exchange, Failure, Route } from '../http/router.ts';
import { send } from '../http/router.ts';
import type { Answer, Door, QueryOptions } from '../query/door.ts';
import { isWrite } from '../query/door.ts';
import { fromAppError, QueryError } from '../query/errors.ts';
import { callerOf } from './caller.ts';
import { acceptedCoding, deliver, signalOf } from './deliver.ts';
import { encodeHello, isHelloRequest } from './hello.ts';
import { overviewOr } from './overview.ts';
import { readUnpacked } from './unpack.ts';

/** What a statement of a tenant comes to, which may name pipes like tables. */
export type WithPipes = (tenant: string, sql: string) => Composed;

interface Composed {
  readonly sql: string;
  /** Values that the text was put together with. */
  readonly bound: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  /** What the tenant finds among its tables besides. */
  readonly views: NonNullable<QueryOptions['views']>;
}

const MAX_SQL_BYTES = 1 << 20;
const DISPLAY_NAME = 'glasshouse';

/** `withPipes` is for servers with a data platform. */
export function clickhouseRoutes(door: Door, principals: Principals, withPipes: WithPipes = asWritten): Route[] {
  const handle = (exchange: Exchange): Promise<void> => answerQuery(door, principals, withPipes, exchange);
  const ok = ({ response }: Exchange): void => send(response, 200, 'text/html; charset=UTF-8', 'Ok.\n');
  const welcome = (exchange: Exchange): Promise<void> | void =>
    exchange.query.has('query') ? handle(exchange) : ok(exchange);
  return [
    { method: 'GET', path: '/ping', handle: ok, fail: failClickhouse },
    { method: 'GET', path: '/replicas_status', handle: ok, fail: failClickhouse },
    { method: 'HEAD', path: '/ping', handle: ok, fail: failClickhouse },
    { method: 'GET', path: '/', handle: overviewOr(welcome), fail: failClickhouse },
    { method: 'POST', path: '/', handle, fail: failClickhouse },
  ];
}

const asWritten: WithPipes = (_, sql) => ({ sql, bound: {}, settings: {}, views: [] });

async function answerQuery(
  door: Door,
  principals: Principals,
  withPipes: WithPipes,
  exchange: Exchange,
): Promise<void> {
  const { request, response, query } = exchange;
  const signal = signalOf(response);
  const principal = await callerOf(principals, exchange, 'query');
  refuseUnsupported(query);
  checkDatabase(
    query.get('database') ?? headerOf(request.headers, 'x-clickhouse-database'),
    principal.placement.tenant,
  );
  const sql = await readSql(exchange);
  const queryId = query.get('query_id') || undefined;
  const options = {
    format: query.get('default_format') ?? headerOf(request.headers, 'x-clickhouse-format') ?? 'TabSeparated',
    settings: Object.fromEntries(query),
    params: queryParams(query),
    paramsEscaped: true,
    signal,
    ...(queryId === undefined ? {} : { queryId }),
  };
  if (isHelloRequest(sql, query)) {
    const answer = await door.run(principal, sql, { ...options, format: 'JSONCompactEachRow' });
    const body = await encodeHello(answer);
    response
      .writeHead(200, { ...answerHeaders(answer, 'Native'), 'Content-Type': 'application/octet-stream' })
      .end(body);
    return;
  }
  const composed = withPipes(principal.placement.tenant, sql);
  const answer = await door.run(principal, composed.sql, {
    ...options,
    bound: composed.bound,
    views: composed.views,
    settings: { ...options.settings, ...composed.settings },
  });
  const packs = ['1', 'true'].includes(query.get('enable_http_compression') ?? '');
  await deliver(
    response,
    answer,
    answerHeaders(answer, answer.format),
    packs ? acceptedCoding(exchange) : undefined,
    signal,
  );
}

function answerHeaders({ queryId, headers }: Answer, format: string): Record<string, string> {
  return {
    ...headers,
    'X-ClickHouse-Query-Id': queryId,
    'X-ClickHouse-Format': format,
    'X-ClickHouse-Server-Display-Name': DISPLAY_NAME,
  };
}

/** The `query` parameter, then the body, with a line break between them. A statement that writes is not read on. */
async function readSql({ request, query }: Exchange): Promise<string> {
  const given = query.get('query') ?? '';
  if (request.method !== 'POST' || isWrite(given)) return given;
  const body = (await readUnpacked(request, MAX_SQL_BYTES)).toString('utf8');
  return given !== '' && body !== '' ? `${given}\n${body}` : given + body;
}

/** What a client would take for granted if it went unanswered. */
function refuseUnsupported(query: URLSearchParams): void {
  for (const name of ['compress', 'decompress']) {
    if (query.get(name) === '1') {
      throw new QueryError(
        'bad_request',
        `cannot use ${name}=1: use Accept-Encoding with enable_http_compression=1, and Content-Encoding`,
        48,
        'NOT_IMPLEMENTED',
      );
    }
  }
}

/** The tenant's database is the session's whatever is asked for: the shared views are in it too. */
function checkDatabase(name: string | undefined, tenant: string): void {
  if (name === undefined || ['', 'default', SHARED_DATABASE, tenantDatabase(tenant)].includes(name)) return;
  throw new QueryError(
    'not_found',
    `cannot use database ${name.slice(0, 80)}: there is no such database`,
    81,
    'UNKNOWN_DATABASE',
  );
}

/** The values of `param_x`. */
function queryParams(query: URLSearchParams): Record<string, string> {
  const params = [...query].filter(([name]) => name.startsWith('param_'));
  return Object.fromEntries(params.map(([name, value]) => [name.slice('param_'.length), value]));
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** `Code: 60. DB::Exception: text. (UNKNOWN_TABLE)`: clients read the number and the name from this text. */
const failClickhouse: Failure = ({ request, response, query }, thrown) => {
  const error = fromAppError(
    thrown instanceof AppError ? thrown : new AppError('internal', 'cannot finish the request'),
  );
  const body = `Code: ${error.number}. DB::Exception: ${error.message.replace(/\.?\s*$/u, '.')} (${error.type})\n`;
  response.setHeader('X-ClickHouse-Exception-Code', String(error.number));
  response.setHeader('X-ClickHouse-Server-Display-Name', DISPLAY_NAME);
  const queryId = query.get('query_id');
  if (queryId !== null && /^[\x20-\x7e]{1,200}$/u.test(queryId)) response.setHeader('X-ClickHouse-Query-Id', queryId);
  if (error.code === 'unauthenticated' && request.headers.authorization === undefined) {
    response.setHeader('WWW-Authenticate', 'Basic realm="glasshouse"');
  }
  send(response, error.kind.httpStatus, 'text/plain; charset=UTF-8', body);
};
