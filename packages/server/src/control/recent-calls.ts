/**
 * What a new worker has to know of calls that are stored: those of the last day, the newest first to be remembered, read in the
 * background after a start.
 *
 * Must stay true: only requests with calls wait for it, and these not for long; nothing but one count is asked where there are no
 * calls. Rows in segments that were left over are told too, once they are handed over.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '@glasshouse/model';
import { quoteName } from '@glasshouse/store';
import type { Store } from '@glasshouse/store';
import { HALF } from '../generations/seen.ts';
import { CALL_COLUMNS } from '../generations/stored-calls.ts';
import type { StoredCall } from '../generations/stored-calls.ts';

export interface RecentCallsOptions {
  readonly store: Pick<Store, 'pieces' | 'rows' | 'target'>;
  readonly now: () => number;
  /** Lets these calls be taken for seen; `areAll` with the last of them, also if there are none. */
  readonly tell: (calls: readonly StoredCall[], areAll: boolean) => void;
  /** Segments of generations that are not handed over yet. */
  readonly leftOver: () => readonly bigint[];
  /** Resolves when something more was handed over, or could not be. */
  readonly progress: () => Promise<void>;
  /** A start knows these many calls again. */
  readonly onLoaded: (calls: number) => void;
  /** The store did not answer; it is asked again. */
  readonly onFault: (reason: string) => void;
  /** Calls to tell of at most; by default as many as are sure to be remembered. */
  readonly limit?: number;
}

const DAY_MS = 86_400_000;
/** A call has up to three keys. */
const LIMIT = Math.floor(HALF / 3);
/** Between two pieces, so that what comes in is not held up. */
const PIECE_MS = 1;
const AGAIN_MS = 2_000;
/** Little memory of the engine, and one thread. */
const GENTLE = { max_threads: 1, max_block_size: 8_192, priority: 10 };

export class RecentCalls {
  private readonly options: RecentCallsOptions;
  private readonly limit: number;
  private readonly closing = new AbortController();

  constructor(options: RecentCallsOptions) {
    this.options = options;
    this.limit = options.limit ?? LIMIT;
  }

  /** Tells the worker of the calls that are stored, and of those that were left over when they are. Never rejects. */
  async load(): Promise<void> {
    const { leftOver, progress, tell, onLoaded } = this.options;
    const late = leftOver();
    let calls = await this.persist(() => this.newest());
    // A segment is removed after its rows are in the table.
    while (!this.isClosed && late.some((id) => leftOver().includes(id))) await progress();
    if (late.length > 0) calls += await this.persist(() => this.tell(`_segment IN (${late.join(', ')})`));
    if (this.isClosed) return;
    tell([], true);
    if (calls > 0) onLoaded(calls);
  }

  close(): void {
    this.closing.abort();
  }

  private get isClosed(): boolean {
    return this.closing.signal.aborted;
  }

  /** Asks again and again until the store answers. Resolves with the number of calls. */
  private async persist(ask: () => Promise<number>): Promise<number> {
    while (!this.isClosed) {
      try {
        return await ask();
      } catch (error) {
        if (this.isClosed) break;
        this.options.onFault(messageOf(error));
        await pause(AGAIN_MS, undefined, { ref: false, signal: this.closing.signal }).catch(() => undefined);
      }
    }
    return 0;
  }

  private async newest(): Promise<number> {
    const { store } = this.options;
    const { signal } = this.closing;
    // The engine knows this number without reading anything.
    const [stored] = await store.rows<{ rows: string }>(`SELECT toString(count()) AS rows FROM ${this.table}`, {
      signal,
    });
    if (stored === undefined || stored.rows === '0') return 0;
    const [first] = await store.rows<{ segment: string }>(
      `SELECT toString(min(_segment)) AS segment FROM (
         SELECT _segment, sum(count()) OVER (ORDER BY _segment DESC) AS until FROM ${this.table}
         WHERE ${this.lastDay} GROUP BY _segment
       ) WHERE until <= {limit:UInt32}`,
      { params: { limit: this.limit }, settings: GENTLE, signal },
    );
    return first === undefined || first.segment === '0' ? 0 : this.tell(`_segment >= ${first.segment}`);
  }

  private async tell(where: string): Promise<number> {
    const { store, tell } = this.options;
    const { signal } = this.closing;
    const columns = ['tenant_id', ...CALL_COLUMNS].map(quoteName).join(', ');
    let calls = 0;
    const pieces = store.pieces<StoredCall>(`SELECT ${columns} FROM ${this.table} WHERE ${this.lastDay} AND ${where}`, {
      settings: GENTLE,
      signal,
    });
    for await (const piece of pieces) {
      if (this.isClosed || calls >= this.limit) break;
      tell(piece, false);
      calls += piece.length;
      await pause(PIECE_MS);
    }
    return calls;
  }

  private get lastDay(): string {
    return `time >= fromUnixTimestamp64Milli(toInt64(${this.options.now() - DAY_MS}), 'UTC')`;
  }

  private get table(): string {
    return `${quoteName(this.options.store.target.database)}.generations`;
  }
}
