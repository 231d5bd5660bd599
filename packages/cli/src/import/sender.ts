/**
 * Sends batches to the Events API, each under its name, again and again until the server says that it has it.
 *
 * Must stay true: what was tried may have arrived, whatever was answered; only 2xx says that it did, and only a name makes
 * trying again harmless. So a server that does not know about names is not sent anything twice.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { AppError, messageOf } from '@glasshouse/model';
import type { Client } from '../client.ts';
import { UnreachableError } from '../errors.ts';

export interface SenderOptions {
  readonly client: Pick<Client, 'refuse' | 'request'>;
  readonly dataSource: string;
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** Between 0 and 1. */
  readonly random: () => number;
  /** Longest time without any answer that is good, in ms. */
  readonly patienceMs: number;
  /** Told why it waits; undefined when it goes on. */
  readonly onWait: (why: string | undefined) => void;
}

const FIRST_PAUSE_MS = 250;
const LAST_PAUSE_MS = 15_000;
const LONGEST_ANSWER_MS = 120_000;
const pack = promisify(gzip);

export class Sender {
  private readonly options: SenderOptions;
  private lastGoodMs: number;
  /** No request is begun before this time: the server's limit is reached. */
  private notBeforeMs = 0;

  constructor(options: SenderOptions) {
    this.options = options;
    this.lastGoodMs = options.now();
  }

  /** Resolves when the server has the rows; with `waits`, when they are in the table too, or it took them long. */
  async send(name: string, rows: readonly string[], waits = false): Promise<void> {
    const { client, dataSource, signal, now, patienceMs, onWait } = this.options;
    const body = await pack(`${rows.join('\n')}\n`, { level: 1 });
    const path = `/v0/events?${new URLSearchParams({ name: dataSource, wait: String(waits) }).toString()}`;
    const headers = {
      'Content-Type': 'application/x-ndjson',
      'Content-Encoding': 'gzip',
      'X-Glasshouse-Batch': name,
    };
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LAST_PAUSE_MS, pauseMs * 2)) {
      if (this.notBeforeMs > now()) await this.rest(this.notBeforeMs - now());
      signal.throwIfAborted();
      let why: string;
      let askedMs = 0;
      try {
        const limit = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_ANSWER_MS)]);
        const response = await client.request(path, { method: 'POST', body, headers, signal: limit });
        const text = await response.text();
        if (response.ok) return this.good(response);
        if (response.status !== 429 && response.status < 500) client.refuse(response.status, text);
        why = response.status === 429 ? limitIn(text) : `the server answered ${response.status}`;
        askedMs = secondsOf(response, 'retry-after') * 1000;
      } catch (error) {
        if (signal.aborted) throw error;
        const isAway = error instanceof UnreachableError || !(error instanceof AppError) || error.code === 'cancelled';
        if (!isAway) throw error;
        why = messageOf(error);
        if (now() - this.lastGoodMs > patienceMs) throw error;
      }
      if (now() - this.lastGoodMs > patienceMs)
        throw new AppError('unavailable', `cannot send to data source=${dataSource}: ${why}`);
      onWait(why);
      await this.rest(Math.max(askedMs, pauseMs * (0.5 + this.options.random() / 2)));
    }
  }

  private good(response: Response): void {
    const { dataSource, now, onWait } = this.options;
    if (response.headers.get('x-glasshouse-batch') === null)
      throw new AppError(
        'internal',
        `cannot import into data source=${dataSource}: the server does not know about batches; use a newer one`,
      );
    this.lastGoodMs = now();
    onWait(undefined);
    if (response.headers.get('x-ratelimit-remaining') === '0')
      this.notBeforeMs = now() + secondsOf(response, 'x-ratelimit-reset') * 1000;
  }

  private async rest(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.options.signal });
  }
}

/** What the server says of a limit, such as a quota of the tenant. */
function limitIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown };
    if (typeof error === 'string') return error.slice(0, 300);
  } catch {
    // Something on the way answered.
  }
  return 'the limit of the server is reached';
}

/** Seconds that a header says; 0 for none, and no more than a minute. */
function secondsOf(response: Response, header: string): number {
  const seconds = Number(response.headers.get(header) ?? 0);
  return Number.isFinite(seconds) ? Math.min(60, Math.max(0, seconds)) : 0;
}
