/**
 * The one error class and the one table of error codes. Every protocol derives its own shape (OTLP Status, ClickHouse
 * exception, Tinybird JSON) from the same row, so a condition has the same status and the same retryability everywhere.
 *
 * Must stay true: a code that is retryable promises that nothing of the request was stored.
 */

/** One row of the table: what the condition is on HTTP and on gRPC, and whether a client should send the same again. */
export interface ErrorKind {
  readonly httpStatus: number;
  /** Number of `google.rpc.Code` (grpc/status.proto). */
  readonly grpcCode: number;
  readonly retryable: boolean;
}

export const ERROR_KINDS = {
  bad_request: { httpStatus: 400, grpcCode: 3, retryable: false },
  unauthenticated: { httpStatus: 401, grpcCode: 16, retryable: false },
  forbidden: { httpStatus: 403, grpcCode: 7, retryable: false },
  not_found: { httpStatus: 404, grpcCode: 5, retryable: false },
  method_not_allowed: { httpStatus: 405, grpcCode: 12, retryable: false },
  timeout: { httpStatus: 408, grpcCode: 4, retryable: false },
  conflict: { httpStatus: 409, grpcCode: 6, retryable: false },
  too_large: { httpStatus: 413, grpcCode: 8, retryable: false },
  unsupported_media: { httpStatus: 415, grpcCode: 12, retryable: false },
  rate_limited: { httpStatus: 429, grpcCode: 14, retryable: true },
  // OTLP's clients come again after RESOURCE_EXHAUSTED only if RetryInfo says when.
  quota_exceeded: { httpStatus: 429, grpcCode: 8, retryable: true },
  cancelled: { httpStatus: 499, grpcCode: 1, retryable: false },
  internal: { httpStatus: 500, grpcCode: 13, retryable: false },
  unavailable: { httpStatus: 503, grpcCode: 14, retryable: true },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

export interface AppErrorOptions {
  readonly cause?: unknown;
  /** When a retryable condition is likely to be over, in seconds; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

/** An error that a client may see. The message reads: cannot VERB WHAT=VALUE: WHY. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get kind(): ErrorKind {
    return ERROR_KINDS[this.code];
  }
}

/** Turns anything thrown into an AppError; what is not one already becomes `internal` and keeps its cause. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError('internal', `cannot finish the request: ${messageOf(error)}`, { cause: error });
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Throws when our own code broke its promise. The message says BUG, so that nobody looks for the fault in their data. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`BUG: ${message}`);
}
