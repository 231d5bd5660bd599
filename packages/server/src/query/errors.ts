/**
 * What can go wrong with a query, in both languages that clients understand: our codes and ClickHouse's numbers.
 *
 * Must stay true: a message tells a tenant about its own statement only. Names of other tenants' databases, paths of the
 * server and the engine's guesses never leave.
 */

import type { ErrorCode } from '@glasshouse/model';
import { AppError, toAppError } from '@glasshouse/model';
import { withoutHints } from '@glasshouse/language';
import { StoreError } from '@glasshouse/store';

/** An error of a query, with ClickHouse's number and name of it. */
export class QueryError extends AppError {
  readonly number: number;
  readonly type: string;

  constructor(
    code: ErrorCode,
    message: string,
    number: number,
    type: string,
    options: { cause?: unknown; retryAfterSeconds?: number } = {},
  ) {
    super(code, message, options);
    this.name = 'QueryError';
    this.number = number;
    this.type = type;
  }
}

/** Whose query it was, and what it said: what of it a message may repeat. */
export interface QueryContext {
  readonly database: string;
  readonly sql: string;
  readonly aborted: boolean;
}

/** The engine's numbers that aren't the statement's fault or have a status of their own; all others are `bad_request`. */
const CODES: Readonly<Partial<Record<ErrorCode, readonly number[]>>> = {
  timeout: [159, 160],
  too_large: [158, 191, 241, 307, 396],
  not_found: [60, 81],
  forbidden: [164, 291, 497],
  rate_limited: [202],
  cancelled: [394],
  unavailable: [209, 210, 242, 279, 999],
  internal: [49, 74, 76, 226, 246, 271, 1000, 1001, 1002],
};

/** ClickHouse's number and name for our codes, where the engine wasn't asked. */
const NUMBERS: Readonly<Record<ErrorCode, readonly [number, string]>> = {
  bad_request: [62, 'SYNTAX_ERROR'],
  unauthenticated: [516, 'AUTHENTICATION_FAILED'],
  forbidden: [497, 'ACCESS_DENIED'],
  not_found: [60, 'UNKNOWN_TABLE'],
  method_not_allowed: [164, 'READONLY'],
  timeout: [159, 'TIMEOUT_EXCEEDED'],
  conflict: [216, 'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING'],
  too_large: [396, 'TOO_MANY_ROWS_OR_BYTES'],
  unsupported_media: [48, 'NOT_IMPLEMENTED'],
  rate_limited: [202, 'TOO_MANY_SIMULTANEOUS_QUERIES'],
  cancelled: [394, 'QUERY_WAS_CANCELLED'],
  internal: [1002, 'UNKNOWN_EXCEPTION'],
  unavailable: [210, 'NETWORK_ERROR'],
};

const RETRY_SECONDS = 2;

/** Turns anything thrown on the way of a query into a QueryError that its tenant may read. */
export function toQueryError(error: unknown, context: QueryContext): QueryError {
  if (error instanceof QueryError) return error;
  if (context.aborted) {
    return new QueryError('cancelled', 'cannot finish the query: it was cancelled', ...NUMBERS.cancelled, {
      cause: error,
    });
  }
  if (!(error instanceof StoreError)) return fromAppError(toAppError(error));
  if (error.number === 0) {
    return new QueryError(
      'unavailable',
      'cannot run the query: the store does not answer; try again',
      ...NUMBERS.unavailable,
      {
        cause: error,
        retryAfterSeconds: RETRY_SECONDS,
      },
    );
  }
  const code = codeOf(error.number);
  const text = code === 'internal' ? 'the engine failed' : discreet(error.message, context).replace(/[.\s]+$/u, '');
  return new QueryError(code, `cannot run the query: ${text}`, error.number, error.type, {
    cause: error,
    ...(code === 'rate_limited' || code === 'unavailable' ? { retryAfterSeconds: RETRY_SECONDS } : {}),
  });
}

/** An error of ours with ClickHouse's number. The message of an internal one stays here. */
export function fromAppError(error: AppError): QueryError {
  if (error instanceof QueryError) return error;
  const message = error.code === 'internal' ? 'cannot finish the query: the server failed' : error.message;
  const { retryAfterSeconds } = error;
  return new QueryError(error.code, message, ...NUMBERS[error.code], {
    cause: error,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

function codeOf(number: number): ErrorCode {
  for (const [code, numbers] of Object.entries(CODES)) if (numbers.includes(number)) return code as ErrorCode;
  return 'bad_request';
}

/** The error as it would be if the statement had not stood behind a prefix: the engine counts positions from the start. */
export function withoutPrefix(error: unknown, length: number): unknown {
  if (!(error instanceof StoreError)) return error;
  const message = error.message
    .replace(/(failed at position )(\d+)/, (_, before: string, at: string) => `${before}${Number(at) - length}`)
    .replace(/(\(line 1, col )(\d+)/, (_, before: string, column: string) => `${before}${Number(column) - length}`);
  return new StoreError(message, error.number, error.type, error.cause);
}

const FOREIGN_DATABASE = /\btenant_\w+/gu;
const PATH = /(?:\/[\w.@+-]+){2,}\/?/gu;

/** Cuts out what the statement didn't say itself and a tenant need not know. */
function discreet(message: string, { database, sql }: QueryContext): string {
  return withoutHints(message)
    .replaceAll(FOREIGN_DATABASE, (name) => (name === database || sql.includes(name) ? name : '(another database)'))
    .replaceAll(PATH, (path) => (sql.includes(path) ? path : '(a file)'));
}
