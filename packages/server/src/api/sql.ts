/**
 * `/v0/sql`: SQL over HTTP in Tinybird's shape (https://www.tinybird.co/docs/api-reference/query-api). JSON unless the
 * statement or `format` says otherwise; 64-bit integers are JSON numbers; errors are `{"error": text}`.
 *
 * Must stay true: parameters that aren't known here are ignored, because clients send many.
 */

import type { Principal } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Principals } from '../control/principals.ts';
import { readBody } from '../http/body.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Failure, Route } from '../http/router.ts';
import { sendJson } from '../http/router.ts';
import { EndpointRefusal } from '../platform/endpoints-templates.ts';
import { RateError, rateHeaders } from '../platform/rate.ts';
import type { Door, QueryOptions } from '../query/door.ts';
import { fromAppError } from '../query/errors.ts';
import { callerOf } from './caller.ts';
import { acceptedCoding, deliver, signalOf } from './deliver.ts';
import { checkJsonDepth } from './json-depth.ts';

const MAX_SQL_BYTES = 1 << 20;
/** Less than this fits into one packet anyway. */
const MIN_PACKED_BYTES = 1024;

/** `format=` in the short forms that clients send. */
const SHORT_FORMATS: Readonly<Record<string, string>> = {
  json: 'JSON',
  csv: 'CSVWithNames',
  tsv: 'TSVWithNames',
  ndjson: 'JSONEachRow',
  jsonl: 'JSONEachRow',
};

/** Who asks, and what their text comes to as a statement for the door. */
export interface Asked {
  readonly principal: Principal;
  readonly sql: string;
  readonly options: Omit<QueryOptions, 'format' | 'signal'>;
}

/** Finds out who sent a request, whose parameters are in `fields`. Rejects with what the door or the credentials say. */
export type WhoAsks = (exchange: Exchange, fields: URLSearchParams, sql: string) => Promise<Asked>;

/** `workspaces` is for servers with a data platform, whose tokens may read less than all, and whose pipes are tables too. */
export function sqlRoutes(door: Door, principals: Principals, workspaces?: WhoAsks): Route[] {
  const who = workspaces ?? byKey(principals);
  const handle = (exchange: Exchange): Promise<void> => answerSql(door, who, exchange);
  return [
    { method: 'GET', path: '/v0/sql', handle, fail: failSql },
    { method: 'POST', path: '/v0/sql', handle, fail: failSql },
  ];
}

function byKey(principals: Principals): WhoAsks {
  return async (exchange, fields, sql) => ({
    principal: await callerOf(principals, { ...exchange, query: fields }, 'query'),
    sql,
    options: {},
  });
}

async function answerSql(door: Door, who: WhoAsks, exchange: Exchange): Promise<void> {
  const signal = signalOf(exchange.response);
  const fields = await readFields(exchange);
  const { principal, sql, options } = await who(exchange, fields, fields.get('q') ?? '');
  if (sql.trim() === '') {
    throw new AppError('bad_request', 'cannot run the query: there is none; send it as q=SELECT… or as the body');
  }
  const format = fields.get('format') || 'JSON';
  const answer = await door.run(principal, sql, {
    ...options,
    format: SHORT_FORMATS[format.toLowerCase()] ?? format,
    settings: {
      ...options.settings,
      output_format_json_quote_64bit_integers: '0',
      output_format_json_quote_64bit_floats: '0',
    },
    params: { ...Object.fromEntries(fields), ...options.params },
    signal,
  });
  await deliver(
    exchange.response,
    answer,
    { 'Content-Type': contentType(answer.format, answer.headers['content-type']), 'X-Query-Id': answer.queryId },
    (answer.length ?? Infinity) < MIN_PACKED_BYTES ? undefined : acceptedCoding(exchange),
    signal,
  );
}

/** The parameters of the URL, and on POST those of a form or the statement as the plain body. */
async function readFields({ request, query }: Exchange): Promise<URLSearchParams> {
  if (request.method !== 'POST') return query;
  const fields = new URLSearchParams(query);
  const body = (await readBody(request, MAX_SQL_BYTES)).toString('utf8');
  if (body === '') return fields;
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('application/x-www-form-urlencoded') && /^[\w.-]+=/u.test(body)) {
    for (const [name, value] of new URLSearchParams(body)) fields.set(name, value);
    return fields;
  }
  if (type.startsWith('application/json')) {
    for (const [name, value] of jsonFields(body)) fields.set(name, value);
    return fields;
  }
  if (!fields.has('q')) fields.set('q', body);
  return fields;
}

function jsonFields(body: string): [string, string][] {
  checkJsonDepth(body);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new AppError('bad_request', 'cannot read the body: it is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('bad_request', 'cannot read the body: it must be an object such as {"q": "SELECT 1"}');
  }
  return Object.entries(value).map(([name, field]) => [
    name,
    typeof field === 'string' ? field : JSON.stringify(field),
  ]);
}

/** Clients compare these two exactly. */
function contentType(format: string, given: string | undefined): string {
  if (format.startsWith('CSV')) return 'text/csv';
  if (format === 'JSON') return 'application/json';
  return given ?? 'text/plain';
}

const failSql: Failure = ({ request, response, query }, thrown) => {
  if (thrown instanceof RateError) {
    for (const [name, value] of Object.entries(rateHeaders(thrown.admission))) response.setHeader(name, value);
  }
  // A template says itself how its refusal looks.
  if (thrown instanceof EndpointRefusal) {
    sendJson(response, thrown.status, typeof thrown.body === 'string' ? { error: thrown.body } : thrown.body);
    return;
  }
  const error = fromAppError(thrown);
  // Tinybird's clients take 403 for a token that is wrong, and only that.
  const refused = error.code === 'unauthenticated' && credentialOf(request.headers, query) !== undefined;
  sendJson(response, refused ? 403 : error.kind.httpStatus, { error: error.message, code: error.type });
};
