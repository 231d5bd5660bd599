/**
 * What is kept of a query and what is sent of it: the audit line, and the answer as a stream that ends the query when it ends.
 *
 * Must stay true: every query that came in leaves exactly one audit line, and its place in the gate is given back when its last
 * byte is sent or its stream destroyed.
 */

import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream';
import type { RawResult } from '@glasshouse/store';
import type { QueryError } from './errors.ts';

/** The result of a query, as the engine sends it. Destroying the stream ends the query. */
export interface Answer {
  readonly stream: Readable;
  readonly format: string;
  readonly queryId: string;
  /** What the engine says about the result, such as `x-clickhouse-summary`; no header of the transport. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the whole result, where it was complete before the first was sent. */
  readonly length: number | undefined;
}

/** One query, for the record. */
export interface AuditLine {
  readonly keyId: string;
  readonly tenant: string;
  readonly queryId: string;
  /** SHA-256 of the text, 16 hex digits, and its first 500 characters. */
  readonly sqlHash: string;
  readonly sql: string;
  readonly durationMs: number;
  /** Rows of the result, where the engine said it. */
  readonly rows: number | undefined;
  readonly bytes: number;
  readonly status: 'ok' | 'refused' | 'failed' | 'cancelled';
  readonly error: string | undefined;
}

/** How a query ended. */
export type Outcome = Pick<AuditLine, 'bytes' | 'error' | 'rows' | 'status'>;

const AUDIT_CHARACTERS = 500;

/** The parts of an audit line that are known of the text alone. */
export function auditedText(sql: string): Pick<AuditLine, 'sql' | 'sqlHash'> {
  return {
    sqlHash: createHash('sha256').update(sql).digest('hex').slice(0, 16),
    sql: sql.slice(0, AUDIT_CHARACTERS),
  };
}

/** A query whose result is on its way. */
export interface Running {
  readonly queryId: string;
  readonly format: string;
  readonly leave: () => void;
  readonly record: (outcome: Outcome) => void;
  readonly signal: AbortSignal | undefined;
  /** Whether how much was read must not be told. */
  readonly hidesRows: boolean;
}

/** The answer to send; writes the audit line when it has been sent. */
export function answerOf(result: RawResult, run: Running): Answer {
  const said = engineHeaders(result.headers);
  const rows = rowsOf(said);
  let bytes = 0;
  result.stream.on('data', (chunk: Buffer) => (bytes += chunk.length)).pause();
  finished(result.stream, { writable: false }, (error) => {
    run.leave();
    if (error === null || error === undefined) run.record({ bytes, rows, status: 'ok', error: undefined });
    else if (run.signal?.aborted === true) run.record({ bytes, rows, status: 'cancelled', error: undefined });
    else run.record({ bytes, rows, status: 'failed', error: 'the result broke off' });
  });
  const length = result.headers['content-length'];
  const { [SUMMARY]: _, ...others } = said;
  return {
    stream: result.stream,
    format: run.format,
    queryId: run.queryId,
    headers: run.hidesRows ? others : said,
    length: typeof length === 'string' ? Number(length) : undefined,
  };
}

/** What an error says about how its query ended. */
export function statusOf(error: QueryError): AuditLine['status'] {
  if (error.code === 'cancelled') return 'cancelled';
  return error.code === 'forbidden' || error.code === 'bad_request' || error.code === 'rate_limited'
    ? 'refused'
    : 'failed';
}

const SUMMARY = 'x-clickhouse-summary';

function engineHeaders(headers: RawResult['headers']): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of [SUMMARY, 'x-clickhouse-timezone', 'x-clickhouse-exception-tag', 'content-type']) {
    const value = headers[name];
    if (typeof value === 'string') kept[name] = value;
  }
  return kept;
}

function rowsOf(headers: Readonly<Record<string, string>>): number | undefined {
  const summary = headers[SUMMARY];
  if (summary === undefined) return undefined;
  const { result_rows: rows } = JSON.parse(summary) as { readonly result_rows?: string };
  return rows === undefined ? undefined : Number(rows);
}
