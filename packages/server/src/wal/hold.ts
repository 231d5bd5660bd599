/**
 * Keeping the drain still: for changes of tables that no hand-over may meet half-way. Separate from the drain because it is
 * about who has to wait for whom, and knows of segments only which one is in the way.
 *
 * Must stay true: one holder at a time, in the order in which they asked. While one waits, what is half in the store is handed
 * over to its end; nothing new begins that could be half there when the wait is over. Nobody waits for ever.
 */

import { basename } from 'node:path';
import { AppError } from '@glasshouse/model';
import type { SegmentInfo } from './segment.ts';

/** What a holder waits for. */
export interface Held {
  /** A segment of a table in order that is on its way into the store, or there in part. */
  half(): SegmentInfo | undefined;
  /** The segment that is being handed over. */
  current(): SegmentInfo | undefined;
  /** Resolves after the next segment was handed over or failed. */
  progress(): Promise<void>;
  /** Tries at once what may go on: the state is another one. */
  changed(): void;
}

/**
 * `free`: everything is handed over. `finishing`: of tables in order only what is half in the store. `held`: nothing.
 */
export type HoldState = 'free' | 'finishing' | 'held';

export class Hold {
  state: HoldState = 'free';
  private readonly drain: Held;
  private readonly waitMs: number;
  /** Resolves when the last holder has let go. */
  private last: Promise<void> = Promise.resolve();

  constructor(drain: Held, waitMs: number) {
    this.drain = drain;
    this.waitMs = waitMs;
  }

  /** Resolves when the drain stands still, with what lets it go on. Rejects with `unavailable` if it does not in time. */
  async take(): Promise<() => void> {
    const before = this.last;
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    this.last = before.then(() => released);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), this.waitMs);
    });
    let isMine = false;
    const letGo = (): void => {
      if (isMine) this.enter('free');
      isMine = false;
      release();
    };
    try {
      if ((await Promise.race([before, late])) === 'late') throw this.tooLong('another change has not ended');
      isMine = true;
      this.enter('finishing');
      await this.until(() => this.drain.half(), late, 'is in the store in part, and the rest was not taken');
      this.enter('held');
      await this.until(() => this.drain.current(), late, 'is still being handed over');
      return letGo;
    } catch (error) {
      letGo();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  private enter(state: HoldState): void {
    this.state = state;
    this.drain.changed();
  }

  private async until(inTheWay: () => SegmentInfo | undefined, late: Promise<'late'>, why: string): Promise<void> {
    for (let segment = inTheWay(); segment !== undefined; segment = inTheWay()) {
      if ((await Promise.race([this.drain.progress(), late])) === 'late')
        throw this.tooLong(`segment=${basename(segment.path)} ${why}`);
    }
  }

  private tooLong(why: string): AppError {
    return new AppError(
      'unavailable',
      `cannot hold the hand-over to the store: ${why} within ${this.waitMs / 1000} s; try again later`,
      { retryAfterSeconds: 5 },
    );
  }
}
