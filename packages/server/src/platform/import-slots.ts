/** How many imports run at once, and how many wait for one that ends. */

import { AppError } from '@glasshouse/model';

export class Slots {
  private readonly most: number;
  private readonly mostWaiting: number;
  private readonly waiting = new Set<() => void>();
  private taken = 0;

  constructor(most: number, mostWaiting: number) {
    this.most = most;
    this.mostWaiting = mostWaiting;
  }

  /** Runs when there is a slot. Rejects with `rate_limited` if too many wait, `cancelled` when the signal aborts before. */
  async within<T>(signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
    if (this.taken >= this.most) await this.turn(signal);
    else this.taken++;
    try {
      return await act();
    } finally {
      // The slot is handed on, not given back: nobody overtakes who waits.
      const [next] = this.waiting;
      if (next === undefined) this.taken--;
      else next();
    }
  }

  private turn(signal: AbortSignal | undefined): Promise<void> {
    if (this.waiting.size >= this.mostWaiting) {
      return Promise.reject(
        new AppError('rate_limited', `cannot start the import: ${this.mostWaiting} are waiting`, {
          retryAfterSeconds: 5,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      const take = (): void => {
        this.waiting.delete(take);
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.waiting.delete(take);
        reject(new AppError('cancelled', 'cannot start the import: it was cancelled'));
      };
      this.waiting.add(take);
      signal?.addEventListener('abort', leave, { once: true });
      if (signal?.aborted === true) leave();
    });
  }
}
