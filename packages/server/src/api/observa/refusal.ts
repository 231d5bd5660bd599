/** Refusals in the shapes that Observa's SDK reads, and what our own errors are called there. */

import { AppError } from '@glasshouse/model';
import type { ErrorCode } from '@glasshouse/model';
import { LIMIT, WINDOW_SECONDS } from './window.ts';

/** What is wrong with a field of a body. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** A refusal that says more than its message. */
export class Refusal extends AppError {
  readonly status: number;
  /** As in `UNAUTHORIZED`. */
  readonly reason: string;
  readonly details: object;
  /** The body is the description itself, and not an object with it as `error`. */
  readonly isFlat: boolean;

  constructor(status: 400 | 413 | 422, reason: string, message: string, details: object, isFlat = false) {
    super(status === 413 ? 'too_large' : 'bad_request', message);
    this.status = status;
    this.reason = reason;
    this.details = details;
    this.isFlat = isFlat;
  }
}

/** Errors that have no name there are the server's. */
const REASONS: Readonly<Partial<Record<ErrorCode, string>>> = {
  bad_request: 'INVALID_PAYLOAD',
  unsupported_media: 'INVALID_PAYLOAD',
  unauthenticated: 'UNAUTHORIZED',
  forbidden: 'FORBIDDEN',
  too_large: 'PAYLOAD_TOO_LARGE',
  rate_limited: 'RATE_LIMIT_EXCEEDED',
  quota_exceeded: 'RATE_LIMIT_EXCEEDED',
};

/** The status and the body of an error, as `events/ingest` answers. */
export function describe(error: AppError): { readonly status: number; readonly body: object } {
  const { message } = error;
  if (error instanceof Refusal) {
    const description = { code: error.reason, message, details: error.details };
    return { status: error.status, body: error.isFlat ? description : { error: description } };
  }
  const wait = error.retryAfterSeconds === undefined ? {} : { retry_after: error.retryAfterSeconds };
  const details = error.code === 'rate_limited' ? { limit: LIMIT, window_seconds: WINDOW_SECONDS, ...wait } : wait;
  const code = REASONS[error.code] ?? 'INTERNAL_ERROR';
  return { status: error.kind.httpStatus, body: { error: { code, message, details } } };
}
