/** What the server's main thread and the ingest worker say to each other. Bodies lie in shared buffers. */

import type { ErrorCode } from '@glasshouse/model';
import type { PolicySet } from '@glasshouse/redaction';
import type { Spent } from '../generations/spending.ts';
import type { KnownPrices } from '../generations/prices.ts';
import type { StoredCall } from '../generations/stored-calls.ts';
import type { SegmentInfo } from '../wal/segment.ts';
import type { CallsRequest, EventsRequest, SignalRequest } from './sink.ts';

/** Limits and places, given to the worker when it starts. */
export interface WorkerOptions {
  readonly directory: string;
  /** 16-bit number that makes segment ids unique among servers of one store. */
  readonly node: number;
  /** Bodies may not be larger than this after decompression. */
  readonly maxBodyBytes: number;
  /** The same for JSON, which takes several times its size in memory and far longer to decode. */
  readonly maxJsonBytes: number;
  /** A segment is sealed at this many rows. */
  readonly maxSegmentRows: number;
  readonly maxSegmentBytes: number;
  /** Older items are refused; undefined keeps everything. */
  readonly retentionMs: number | undefined;
  /** Items whose time is further ahead of the server's clock are refused. */
  readonly maxAheadMs: number;
  /** Bodies of requests with calls that wait until `calls` are told may take this much memory in all. */
  readonly maxHeldBytes: number;
}

export type ToWorker =
  | {
      readonly kind: 'request';
      readonly id: number;
      readonly request: Omit<CallsRequest, 'body'> | Omit<EventsRequest, 'body'> | Omit<SignalRequest, 'body'>;
      /** Id of the buffer that the body is in. */
      readonly body: number;
      /** The buffer, the first time that the worker hears of it. */
      readonly buffer?: SharedArrayBuffer;
      readonly length: number;
    }
  | { readonly kind: 'forget'; readonly body: number }
  /** Policies that hold for the requests behind this message. */
  | { readonly kind: 'policies'; readonly redaction: PolicySet }
  | { readonly kind: 'prices'; readonly known: KnownPrices }
  /** Calls that were stored before the worker was started. Requests with calls wait for the last of these messages. */
  | { readonly kind: 'calls'; readonly calls: readonly StoredCall[]; readonly areAll: boolean }
  | { readonly kind: 'seal' }
  /** Seals everything and gives no id up to this one any more; answered by `settled`. */
  | { readonly kind: 'settle'; readonly skipTo: bigint | undefined }
  | { readonly kind: 'stop' };

export type RequestMessage = Extract<ToWorker, { kind: 'request' }>;

/** The outcome of one request. */
export interface Answer {
  readonly id: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly unfit?: number;
  readonly reasons: readonly (readonly [string, number])[];
  readonly message: string;
  /** Segment of the rows, if they are in one. */
  readonly segment?: bigint;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

export type FromWorker =
  | {
      readonly kind: 'committed';
      readonly answers: readonly Answer[];
      /** Rows in segments that are still open. */
      readonly openRows: number;
      readonly bytes: number;
      readonly syncMs: number;
      /** What the generations that were committed cost. */
      readonly spent: readonly Spent[];
      /** Why a table could not be written, if one could not. */
      readonly failure?: string;
    }
  /** What was sealed was announced. `skipped` if ids would have been given up to the one that was named. */
  | { readonly kind: 'settled'; readonly skipped: boolean; readonly error?: string }
  | { readonly kind: 'sealed'; readonly segments: readonly SegmentInfo[]; readonly openRows: number }
  /** Requests with calls did not wait longer for the calls of before the start. */
  | { readonly kind: 'overdue'; readonly why: string }
  | { readonly kind: 'stopped' };
