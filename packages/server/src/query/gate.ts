/**
 * Room for a number of queries at once, per tenant, so that one tenant's dashboards cannot keep all others waiting.
 *
 * Must stay true: every place that was given is given back exactly once, and a waiting query that is cancelled leaves.
 */

import { AppError } from '@glasshouse/model';

export interface GateLimits {
  /** Queries of one tenant that run at once. */
  readonly concurrent: number;
  /** Queries of one tenant that may wait; the next is refused. */
  readonly waiting: number;
  /** Longest wait, in ms. */
  readonly waitMs: number;
}

interface Line {
  running: number;
  readonly waiting: Set<() => void>;
}

export class Gate {
  private readonly limits: GateLimits;
  private readonly lines = new Map<string, Line>();

  constructor(limits: GateLimits) {
    this.limits = limits;
  }

  /** Waits for a place; resolves with the way to give it back. Rejects with `rate_limited` when there is no room. */
  async enter(tenant: string, signal: AbortSignal | undefined): Promise<() => void> {
    if (signal?.aborted === true) throw cancelled();
    const line = this.lineOf(tenant);
    if (line.running < this.limits.concurrent) line.running += 1;
    else await this.wait(tenant, line, signal);
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.leave(tenant, line);
    };
  }

  private lineOf(tenant: string): Line {
    const present = this.lines.get(tenant);
    if (present !== undefined) return present;
    const line: Line = { running: 0, waiting: new Set() };
    this.lines.set(tenant, line);
    return line;
  }

  /** The place is handed over by whoever leaves, so nobody can slip in between. */
  private leave(tenant: string, line: Line): void {
    const next = line.waiting.values().next().value;
    if (next !== undefined) {
      line.waiting.delete(next);
      next();
      return;
    }
    line.running -= 1;
    if (line.running === 0) this.lines.delete(tenant);
  }

  private wait(tenant: string, line: Line, signal: AbortSignal | undefined): Promise<void> {
    const { concurrent, waiting, waitMs } = this.limits;
    const refusal = (why: string): AppError =>
      new AppError(
        'rate_limited',
        `cannot run the query: ${concurrent} queries of tenant ${tenant} are running and ${why}`,
        {
          retryAfterSeconds: 2,
        },
      );
    if (line.waiting.size >= waiting) throw refusal(`${waiting} are waiting; try again`);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        line.waiting.delete(admit);
        act();
      };
      const admit = (): void => settle(resolve);
      const onAbort = (): void => settle(() => reject(cancelled()));
      const timer = setTimeout(
        () => settle(() => reject(refusal(`none ended within ${waitMs} ms; try again`))),
        waitMs,
      );
      line.waiting.add(admit);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

function cancelled(): AppError {
  return new AppError('cancelled', 'cannot run the query: it was cancelled');
}
