/**
 * Usages of text alone, which most are: input, some of it cached, and output. Separate from `usage.ts` because their quantities are three
 * numbers, for which nothing has to be made.
 *
 * Must stay true: a usage that is read here has the quantities and the measure that `splitUsage` says; any other isn't.
 */

import type { Containment, Usage, UsageField } from './usage.ts';

/** More than any request has; sums of such counts are exact as doubles. */
export const MAX_COUNT = 1e14;

export class Tokens {
  input = 0;
  cacheRead = 0;
  output = 0;

  /** Tokens that went in. */
  get context(): number {
    return this.input + this.cacheRead;
  }

  /** Takes the quantities of a usage. False if it has others, or contradicts the rule. */
  read(usage: Usage, rule: Containment): boolean {
    let [input, cached, output, total, count] = [-1, 0, -1, -1, 0];
    // Not by name: of fields that are not there nothing is asked.
    for (const field in usage) {
      const value = usage[field as UsageField];
      if (value === undefined) continue;
      if (!(Number.isInteger(value) && value >= 0 && value <= MAX_COUNT)) return false;
      count++;
      if (field === 'inputTokens') input = value;
      else if (field === 'cacheReadTokens') cached = value;
      else if (field === 'outputTokens') output = value;
      else if (field === 'totalTokens') total = value;
      else return false;
    }
    // A sum of the client's that is larger may disprove the rule.
    if (count === 0 || (total >= 0 && input >= 0 && output >= 0 && total > input + output)) return false;
    this.input = Math.max(input, 0) - (rule.cacheRead ? cached : 0);
    this.cacheRead = cached;
    this.output = Math.max(output, 0);
    return this.input >= 0;
  }
}
