/**
 * Whether there is room for more data, asked before a body is read.
 *
 * Two regimes. While the store takes data but slower than it arrives, senders are made to wait a little, so that what is
 * acknowledged stays within seconds of what can be queried. While the store is away, data is acknowledged into the log at
 * full speed until the log has its limit or the disk is nearly full; then senders are told to come again.
 */

import { statfs } from 'node:fs/promises';
import { AppError } from '@glasshouse/model';

export interface RoomOptions {
  readonly directory: string;
  /** The log may take this many bytes in all. */
  readonly maxBytes: number;
  /** Free bytes that are left to the store and everything else on the disk. */
  readonly reserveBytes: number;
  /** While the store is healthy, senders wait when more segments than this are behind. */
  readonly maxBehindSegments: number;
  /** Longest wait for the store to catch up, before the sender is told to come again. */
  readonly maxWaitMs: number;
}

/** What is behind the log. */
export interface Backlog {
  readonly backlogBytes: number;
  /** Segments that the store has yet to take; without those that only wait because of themselves. */
  readonly behindSegments: number;
  readonly healthy: boolean;
  progress(): Promise<void>;
}

const DISK_CHECK_MS = 1_000;

export class LogRoom {
  /** Times that senders were refused, by reason. */
  readonly refused: Record<'log_full' | 'disk_full' | 'behind', number> = { log_full: 0, disk_full: 0, behind: 0 };
  private readonly options: RoomOptions;
  private readonly backlog: Backlog;
  private readonly timer: NodeJS.Timeout;
  private freeBytes = Number.POSITIVE_INFINITY;

  constructor(options: RoomOptions, backlog: Backlog) {
    this.options = options;
    this.backlog = backlog;
    this.timer = setInterval(() => void this.checkDisk(), DISK_CHECK_MS);
    this.timer.unref();
    void this.checkDisk();
  }

  /** Reads the free space of the log's file system. */
  async checkDisk(): Promise<void> {
    try {
      const { bavail, bsize } = await statfs(this.options.directory);
      this.freeBytes = bavail * bsize;
    } catch {
      // Where the file system can't tell, a failing write will.
      this.freeBytes = Number.POSITIVE_INFINITY;
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Why the log can take nothing at present, if so. For probes: it neither waits nor counts. */
  full(): 'log_full' | 'disk_full' | undefined {
    if (this.backlog.backlogBytes >= this.options.maxBytes) return 'log_full';
    return this.freeBytes < this.options.reserveBytes ? 'disk_full' : undefined;
  }

  async ready(): Promise<void> {
    const { maxBytes, reserveBytes, maxBehindSegments } = this.options;
    const full = this.full();
    if (full === 'log_full') this.refuse(full, `the write-ahead log has its limit of ${maxBytes} bytes`);
    if (full === 'disk_full') this.refuse(full, `less than ${reserveBytes} bytes of disk are free`);
    if (this.backlog.healthy && this.backlog.behindSegments > maxBehindSegments) await this.waitForStore();
  }

  private async waitForStore(): Promise<void> {
    const { maxBehindSegments, maxWaitMs } = this.options;
    const deadline = AbortSignal.timeout(maxWaitMs);
    const late = new Promise<void>((resolve) => deadline.addEventListener('abort', () => resolve(), { once: true }));
    while (this.backlog.healthy && this.backlog.behindSegments > maxBehindSegments) {
      if (deadline.aborted) this.refuse('behind', 'the store is behind');
      await Promise.race([this.backlog.progress(), late]);
    }
  }

  private refuse(reason: keyof LogRoom['refused'], why: string): never {
    this.refused[reason]++;
    throw new AppError('unavailable', `cannot take data now: ${why}; send it again later`, { retryAfterSeconds: 5 });
  }
}
