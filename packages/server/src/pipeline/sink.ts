/**
 * The one narrow door behind every receiver. A receiver asks `ready` before it reads a body, hands the body over with
 * `accept`, and may answer 2xx only after that promise resolved: then the data is in the log and synced.
 */

import type { BodyFormat, ContentCoding, Placement, Signal } from '@glasshouse/model';
import type { CallsTarget } from './calls.ts';
import type { EventsTarget, LaterTarget } from './events.ts';

/** A request body in a buffer that the sink lends out, so that bodies are read where the decoder will find them. */
export interface BodyBuffer {
  readonly id: number;
  /** At least the asked number of bytes, followed by the decoder's slack. Not to be touched once it was handed over. */
  readonly buffer: SharedArrayBuffer;
  /** Bytes of the body in it. */
  length: number;
}

/** Telemetry of one OTLP signal. */
export interface SignalRequest {
  readonly signal: Signal;
  readonly format: BodyFormat;
  readonly coding: ContentCoding;
  readonly placement: Placement;
  readonly body: BodyBuffer;
}

/** JSON events for a data source. */
export interface EventsRequest extends EventsTarget {
  readonly signal: 'events';
  /** Events of the same body that go elsewhere, in the same commit; only of a body without a coding. */
  readonly later?: LaterTarget;
  readonly coding: ContentCoding;
  readonly body: BodyBuffer;
}

/** JSON events that report calls of models: what is kept of them is the generation that each is. */
export interface CallsRequest extends CallsTarget {
  readonly signal: 'calls';
  readonly coding: ContentCoding;
  readonly body: BodyBuffer;
}

export type IngestRequest = CallsRequest | EventsRequest | SignalRequest;

/** What became of a request. Everything that was not rejected is durable. */
export interface IngestResult {
  readonly accepted: number;
  readonly rejected: number;
  /** Of a request of calls: lines that are none, of which nothing is kept. */
  readonly unfit: number;
  /** For the sender: why items were rejected or changed; empty if nothing was. */
  readonly message: string;
  /** Segment of the log that the rows are in; undefined if there are none, or several segments. */
  readonly segment: bigint | undefined;
}

export interface Sink {
  /**
   * Resolves when a body of about `bytes` may be read. Rejects with a retryable AppError (`unavailable`) when the log is
   * full, the disk is full, or too much is in flight: then nothing of the body should be read.
   */
  ready(bytes: number): Promise<void>;
  /** Lends a buffer for a body of up to `bytes`. It comes back with `accept` or `giveBack`. */
  lend(bytes: number): BodyBuffer;
  /** Returns a buffer that `accept` will not get (the client went away). */
  giveBack(body: BodyBuffer): void;
  /**
   * Decodes the body, appends it to the log and syncs. Rejects with AppError: `bad_request` (malformed; nothing stored),
   * `too_large` (after decompression), or `unavailable` (not stored; the client should retry).
   */
  accept(request: IngestRequest): Promise<IngestResult>;
}
