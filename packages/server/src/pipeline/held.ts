/**
 * Requests with calls that came after a start before the calls of before it were known: they wait, because a second report of one of
 * those would count as a call of its own. What has no calls passes.
 *
 * Must stay true: they wait for a bounded time and take a bounded part of the room for bodies. Then what is known has to do.
 */

import type { RequestMessage } from './messages.ts';

/** Clients of OpenTelemetry give up after ten seconds. */
const LONGEST_MS = 5_000;

export class Held {
  private messages: RequestMessage[] = [];
  private bytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly maxBytes: number;
  private readonly onOverdue: () => void;

  /**
   * @param maxBytes buffers of those that wait may have in all
   * @param onOverdue the first of them has waited for as long as it may
   */
  constructor(maxBytes: number, onOverdue: () => void) {
    this.maxBytes = maxBytes;
    this.onOverdue = onOverdue;
  }

  /** Lets a request wait whose body's buffer has `bytes`. False if there is no room for it among those that do. */
  add(message: RequestMessage, bytes: number): boolean {
    if (this.bytes + bytes > this.maxBytes) return false;
    this.bytes += bytes;
    this.messages.push(message);
    this.timer ??= setTimeout(this.onOverdue, LONGEST_MS);
    return true;
  }

  /** Those that wait, in the order in which they came; none waits from now on. */
  take(): RequestMessage[] {
    clearTimeout(this.timer);
    this.bytes = 0;
    return this.messages.splice(0);
  }
}
