/** Why a line became no generation, and how its sender is told. */

import { REJECT_REASONS } from '../otlp/reject.ts';

/** The reasons, with what the sender is told. Also the label of the counter of refused items. */
export const LINE_REASONS = {
  not_json: 'no JSON object',
  no_call: 'no call of a model in a form that is known',
  filtered: 'outside of what the token may write',
  time_old: REJECT_REASONS.time_old,
  time_future: REJECT_REASONS.time_future,
} as const;

export type LineReason = keyof typeof LINE_REASONS;

/** How many lines of a request became no generation, and why. */
export class Unfit {
  readonly counts = new Map<LineReason, number>();
  total = 0;

  add(reason: LineReason): void {
    this.total++;
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
  }

  /** What the sender is told; empty if nothing was left out. */
  get message(): string {
    if (this.total === 0) return '';
    const parts = [...this.counts].map(([reason, count]) => `${count} ${LINE_REASONS[reason]}`);
    return `left out events that are no generations: ${parts.join('; ')}`;
  }
}
