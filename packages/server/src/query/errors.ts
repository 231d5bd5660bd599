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

/** A stretch of a statement that was put together of several texts; offsets in UTF-16 units. */
export interface TextPart {
  /** As a message names it, such as `node daily`. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Whose query it was, and what it said: what of it a message may repeat. */
export interface QueryContext {
  readonly database: string;
  readonly sql: string;
  readonly aborted: boolean;
  /** True if the caller reads less than the tenant has: then a message repeats nothing of what is around the statement's fault. */
  readonly isNarrow?: boolean;
  /** Tables whose absence may be told, where not all may be. */
  readonly tables?: ReadonlySet<string> | undefined;
  readonly parts?: readonly TextPart[];
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
  quota_exceeded: [201, 'QUOTA_EXCEEDED'],
  cancelled: [394, 'QUERY_WAS_CANCELLED'],
  internal: [1002, 'UNKNOWN_EXCEPTION'],
  unavailable: [210, 'NETWORK_ERROR'],
};

const RETRY_SECONDS = 2;

/** Turns anything thrown on the way of a query into a QueryError that its tenant may read. */
export function toQueryError(error: unknown, context: QueryContext): QueryError {
  const found = asQueryError(error, context);
  const message = inPart(found.message, context.parts ?? []);
  if (message === found.message) return found;
  const { code, number, type, retryAfterSeconds, cause } = found;
  return new QueryError(code, message, number, type, {
    cause,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

function asQueryError(error: unknown, context: QueryContext): QueryError {
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
  if (error.number === UNKNOWN_TABLE && !mayKnow(error.message, context.tables)) {
    return fromAppError(
      new AppError('forbidden', 'cannot read a table of this query: the credential has no right to read it', {
        cause: error,
      }),
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

/** That a table is missing may be told of those that the caller knows of. */
function mayKnow(message: string, tables: ReadonlySet<string> | undefined): boolean {
  if (tables === undefined) return true;
  const name = /(?:identifier|table)\s+[`'"]?(?:\w+\.)?([\w-]+)/iu.exec(message)?.[1];
  return name !== undefined && tables.has(name);
}

const POSITION = /\b(at position )(\d+)/u;

/** A position in the whole text becomes one in the part that it is in, and the part is named. */
function inPart(message: string, parts: readonly TextPart[]): string {
  const at = Number(POSITION.exec(message)?.[2]) - 1;
  const part = parts.find(({ start, end }) => at >= start && at < end);
  if (part === undefined) return message;
  return message
    .replace(POSITION, (_, before: string) => `${before}${at - part.start + 1} of ${part.name}`)
    .replace(/ \(line \d+, col \d+\)/u, '');
}

/** The error as it would be if the statement had not stood behind a prefix: the engine counts positions from the start. */
export function withoutPrefix(error: unknown, length: number): unknown {
  if (!(error instanceof StoreError)) return error;
  const message = error.message
    .replace(/(failed at position )(\d+)/, (_, before: string, at: string) => `${before}${Number(at) - length}`)
    .replace(/(\(line 1, col )(\d+)/, (_, before: string, column: string) => `${before}${Number(column) - length}`);
  return new StoreError(message, error.number, error.type, error.cause);
}

const UNKNOWN_TABLE = 60;
/** Where in the statement or in its execution it happened: text that the caller may not have written. */
const SURROUNDINGS = /(?::\s*|\s+)(?:while executing\b|In scope\b|While processing\b).*?(?=\s\([A-Z][A-Z_]+\)|$)/gisu;
const FOREIGN_DATABASE = /\btenant_\w+/gu;
const PATH = /(?:\/[\w.@+-]+){2,}\/?/gu;

/** Cuts out what the statement didn't say itself and a tenant need not know. */
function discreet(message: string, { database, sql, isNarrow }: QueryContext): string {
  return withoutHints(isNarrow === true ? message.replaceAll(SURROUNDINGS, '') : message)
    .replaceAll(FOREIGN_DATABASE, (name) => (name === database || sql.includes(name) ? name : '(another database)'))
    .replaceAll(PATH, (path) => (sql.includes(path) ? path : '(a file)'));
}
