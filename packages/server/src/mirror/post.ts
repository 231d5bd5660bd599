/**
 * Sends a batch to the Events API of a destination, through the same door as everything that goes to a URL of a user: the name is resolved
 * for each request, its addresses are looked at, and the connection goes to one of these.
 *
 * Must stay true: the token is in the request and in no error. Redirects are not followed. It ends, whatever the other side does.
 */

import type { IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { AppError, nodeHttp } from '@glasshouse/model';
import type { Reach } from '../platform/fetch-guard.ts';
import { addressOf, hostOf, portOf } from '../platform/fetch-guard.ts';
import type { Batch } from './chosen.ts';

/** Where a tenant's events go. */
export interface Target {
  readonly url: string;
  readonly token: string;
}

/** What the other side said. */
export interface Posted {
  readonly status: number;
  /** How long it wants to be left alone, in ms. */
  readonly retryAfterMs: number | undefined;
  /** The beginning of what it said. */
  readonly text: string;
  /** True if it tells batches by their names, hence takes each once. */
  readonly knowsNames: boolean;
}

export type Post = (target: Target, batch: Batch, name: string, signal: AbortSignal) => Promise<Posted>;

export interface PosterOptions {
  readonly reach: Reach;
  /** Longest time for a batch and its answer. */
  readonly maxMs: number;
  readonly now: () => number;
}

const MAX_ANSWER_BYTES = 16 << 10;
const MAX_RETRY_AFTER_MS = 3_600_000;
const BATCH_HEADER = 'x-glasshouse-batch';
const AGENT = { keepAlive: true, keepAliveMsecs: 5_000, maxFreeSockets: 4, timeout: 60_000 };

export class Poster {
  private readonly options: PosterOptions;
  private readonly http = new nodeHttp.Agent(AGENT);
  private readonly https = new HttpsAgent(AGENT);

  constructor(options: PosterOptions) {
    this.options = options;
  }

  /** Sends a batch and resolves with the answer, whatever it is. Rejects with AppError if there is none. */
  readonly post: Post = async ({ url: base, token }, { source, body }, name, stop) => {
    const url = new URL(`${base}/v0/events?name=${encodeURIComponent(source)}`);
    const signal = AbortSignal.any([AbortSignal.timeout(this.options.maxMs), stop]);
    const { address, family } = await addressOf(url, this.options.reach, signal);
    const isSecure = url.protocol === 'https:';
    const { promise, resolve, reject } = Promise.withResolvers<Posted>();
    const fail = (cause: unknown): void => {
      const isLate = signal.aborted && !stop.aborted;
      const why = isLate ? `no answer within ${this.options.maxMs} ms` : reasonOf(cause);
      reject(new AppError('unavailable', `cannot send to ${url.origin}: ${why}`));
    };
    const request = (isSecure ? httpsRequest : nodeHttp.request)({
      // The agent keeps connections by their address, so one that is used again leads to where this one would.
      agent: isSecure ? this.https : this.http,
      host: address,
      family,
      port: portOf(url),
      path: `${url.pathname}${url.search}`,
      method: 'POST',
      setHost: false,
      headers: {
        host: url.host,
        authorization: `Bearer ${token}`,
        'content-type': 'application/x-ndjson',
        'content-length': body.length,
        'user-agent': 'glasshouse-mirror',
        [BATCH_HEADER]: name,
      },
      maxHeaderSize: 32 << 10,
      signal,
      ...(isSecure && isIP(hostOf(url)) === 0 ? { servername: url.hostname } : {}),
    });
    request.once('error', fail);
    request.once('response', (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        if (bytes < MAX_ANSWER_BYTES) parts.push(part.subarray(0, MAX_ANSWER_BYTES - bytes));
        bytes += part.length;
      });
      response.once('error', fail);
      response.once('aborted', () => fail(new Error('it broke off')));
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          retryAfterMs: retryAfterMs(response.headers, this.options.now()),
          text: Buffer.concat(parts).toString('utf8'),
          knowsNames: response.headers[BATCH_HEADER] !== undefined,
        }),
      );
    });
    request.end(body);
    return promise;
  };

  close(): void {
    this.http.destroy();
    this.https.destroy();
  }
}

/** `Retry-After` (RFC 9110, section 10.2.3): seconds or a date. */
export function retryAfterMs(headers: IncomingHttpHeaders, now: number): number | undefined {
  const text = headers['retry-after']?.trim() ?? '';
  const wait = /^\d{1,9}$/u.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), MAX_RETRY_AFTER_MS);
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code ?? message ?? 'it broke off';
}
