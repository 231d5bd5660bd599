/**
 * Which items of a request are refused, why, and how that is told to the sender: OTLP's partial success
 * (opentelemetry-proto docs/specification.md, "Partial Success"). The rest of the request is stored.
 */

/** The reasons, with what the sender is told. Also the label of the counter of refused items. */
export const REJECT_REASONS = {
  trace_id: 'with a trace_id that is not 16 bytes or is all zeros',
  span_id: 'with a span_id that is not 8 bytes or is all zeros',
  time_missing: 'without a time',
  time_old: 'older than the retention, which would be deleted at once',
  time_future: "too far in the future (check the sender's clock)",
} as const;

export type RejectReason = keyof typeof REJECT_REASONS;

/** Times that are taken, as the upper halves of Unix nanoseconds (a step is 4.3 s). */
export interface TimeWindow {
  readonly oldestHigh: number;
  readonly newestHigh: number;
}

/** The window that ends `aheadMs` after `nowMs` and starts `retentionMs` before it (or at 1970 plus a day, without a retention). */
export function timeWindow(nowMs: number, retentionMs: number | undefined, aheadMs: number): TimeWindow {
  const high = (ms: number): number => Math.floor((Math.max(ms, 0) * 1e6) / 2 ** 32);
  return {
    oldestHigh: high(retentionMs === undefined ? 86_400_000 : nowMs - retentionMs) + 1,
    newestHigh: high(nowMs + aheadMs),
  };
}

export class Rejections {
  readonly counts = new Map<RejectReason, number>();
  total = 0;

  add(reason: RejectReason): void {
    this.total++;
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
  }

  /** Judges a time given as the halves of Unix nanoseconds. */
  time(low: number, high: number, window: TimeWindow): RejectReason | undefined {
    if (high >= window.oldestHigh && high <= window.newestHigh) return undefined;
    if ((low | high) === 0) return 'time_missing';
    return high < window.oldestHigh ? 'time_old' : 'time_future';
  }

  clear(): void {
    this.counts.clear();
    this.total = 0;
  }

  /** What the sender is told, or an empty string if nothing was refused. */
  message(noun: string): string {
    const parts = [...this.counts].map(([reason, count]) => `${count} ${noun} ${REJECT_REASONS[reason]}`);
    return parts.length === 0 ? '' : `refused: ${parts.join('; ')}`;
  }
}
