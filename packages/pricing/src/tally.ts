/**
 * Sums over many generations: what is unknown, by model with its volume, and what a re-pricing changes. Kept apart from pricing
 * because both are about many, and run over batches that may stop and go on.
 *
 * Must stay true: adding the tallies of parts gives the tally of the whole, so that an interrupted run goes on where it was.
 */

import { formatMoney, type Money } from './money.ts';

/** Generations of one provider and model that have no cost, for one reason. */
export interface UnknownModel {
  readonly provider: string;
  readonly model: string;
  readonly reason: string;
  generations: number;
  tokens: number;
  images: number;
}

/** The models without a price, with their volume. */
export class UnknownModels {
  private readonly models = new Map<string, UnknownModel>();

  add(
    provider: string,
    model: string,
    reason: string,
    volume: { readonly generations?: number; readonly tokens?: number; readonly images?: number } = {},
  ): void {
    const { generations = 1, tokens = 0, images = 0 } = volume;
    const key = `${provider}\n${model}\n${reason}`;
    const known = this.models.get(key) ?? { provider, model, reason, generations: 0, tokens: 0, images: 0 };
    known.generations += generations;
    known.tokens += tokens;
    known.images += images;
    this.models.set(key, known);
  }

  /** All of them, those with the most generations first. */
  list(): UnknownModel[] {
    return [...this.models.values()].toSorted((a, b) => b.generations - a.generations || b.tokens - a.tokens);
  }
}

/** What a re-pricing changes, for one provider and model or for all. */
export interface Change {
  generations: number;
  changed: number;
  /** Had no cost and has one now. */
  found: number;
  /** Had a cost and has none now. */
  lost: number;
  before: Money;
  after: Money;
}

/** Adds up what a re-pricing changes. */
export class Repricing {
  readonly total: Change = nothing();
  private readonly models = new Map<string, Change>();

  /** Counts one generation, or several of equal costs; undefined where there is no cost. */
  add(provider: string, model: string, before: Money | undefined, after: Money | undefined, generations = 1): void {
    const key = `${provider}\n${model}`;
    const change = this.models.get(key) ?? nothing();
    this.models.set(key, change);
    for (const sum of [change, this.total]) {
      sum.generations += generations;
      if (before !== after) sum.changed += generations;
      if (before === undefined && after !== undefined) sum.found += generations;
      if (before !== undefined && after === undefined) sum.lost += generations;
      sum.before += (before ?? 0n) * BigInt(generations);
      sum.after += (after ?? 0n) * BigInt(generations);
    }
  }

  /** The models whose costs change, the greatest difference first. */
  changes(): { readonly provider: string; readonly model: string; readonly change: Change }[] {
    const size = ({ before, after }: Change): Money => (after > before ? after - before : before - after);
    return [...this.models]
      .filter(([, change]) => change.changed > 0)
      .toSorted(([, a], [, b]) => (size(b) > size(a) ? 1 : size(b) < size(a) ? -1 : 0))
      .map(([key, change]) => {
        const [provider = '', model = ''] = key.split('\n');
        return { provider, model, change };
      });
  }

  /** One line: what changed, from how much to how much. */
  summary(): string {
    const { generations, changed, found, lost, before, after } = this.total;
    return (
      `${changed} of ${generations} generations change, from $${formatMoney(before)} to $${formatMoney(after)}; ` +
      `${found} get a cost, ${lost} lose theirs`
    );
  }
}

function nothing(): Change {
  return { generations: 0, changed: 0, found: 0, lost: 0, before: 0n, after: 0n };
}
