/** What pages of stored generations come to by the present prices: which rows change, and sums of what changes. Nothing is read or written. */

import type { Pricer } from '@glasshouse/pricing';
import { totalOf } from '../generations/priceable.ts';
import type { NewCost, ReadGeneration } from './reprice-facts.ts';
import { addSums, NO_SUM } from './repricings.ts';
import type { RepricedSum, RepricingRecord } from './repricings.ts';
import { priceableOf } from './stored-generation.ts';

type Pricing = typeof import('@glasshouse/pricing');

/** Models of which a record keeps the sums. */
const MAX_MODELS = 200;

/** What a page or several come to. */
export interface Batch {
  readonly costs: NewCost[];
  sum: RepricedSum;
  readonly models: Map<string, RepricedSum>;
  readonly versions: Set<string>;
}

export function emptyBatch(): Batch {
  return { costs: [], sum: NO_SUM, models: new Map(), versions: new Set() };
}

/** Prices the rows of a page and adds what changes. */
export function addPage(
  batch: Batch,
  rows: readonly ReadGeneration[],
  { pricer, pricing }: { readonly pricer: Pricer; readonly pricing: Pricing },
): void {
  const { moneyOf, formatMoney, Repricing } = pricing;
  const tally = new Repricing();
  for (const row of rows) {
    const total = totalOf(pricer, priceableOf(row, row.tenant_id, pricing));
    const before = row.stored_cost === null ? undefined : moneyOf(row.stored_cost);
    const parts: Record<string, string> = {};
    if (total.money !== undefined) for (const [kind, money] of total.parts) parts[kind] = formatMoney(BigInt(money));
    const priceRow = total.row ?? '';
    const changes = before !== total.money || row.price_row !== priceRow || !sameParts(row.stored_parts, parts);
    if (changes) {
      const cost = total.money === undefined ? null : formatMoney(total.money);
      batch.costs.push({ id: row.id, cost, parts, priceRow });
      batch.versions.add(row.price_version);
    }
    // A second report of a call has a cost of its own, which is in no sum.
    if (row.duplicate) continue;
    tally.add(String(row['provider']), String(row['model_used'] || row['model_requested']), before, total.money);
  }
  batch.sum = addSums(batch.sum, plain(tally.total));
  for (const { provider, model, change } of tally.changes()) {
    const name = `${provider}\n${model}`;
    batch.models.set(name, addSums(batch.models.get(name) ?? NO_SUM, plain(change)));
  }
}

function sameParts(stored: Readonly<Record<string, string>>, parts: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(parts);
  return names.length === Object.keys(stored).length && names.every((name) => stored[name] === parts[name]);
}

function plain({
  before,
  after,
  ...counts
}: { before: bigint; after: bigint } & Omit<RepricedSum, 'after' | 'before'>): RepricedSum {
  return { ...counts, before: String(before), after: String(after) };
}

/** The record with the sums of a batch. */
export function withBatch(record: RepricingRecord, batch: Batch): RepricingRecord {
  const models: Record<string, RepricedSum> = { ...record.state.models };
  for (const [name, sum] of batch.models) {
    const known = Object.hasOwn(models, name) ? models[name] : undefined;
    if (known !== undefined || Object.keys(models).length < MAX_MODELS) models[name] = addSums(known ?? NO_SUM, sum);
  }
  return {
    ...record,
    sum: addSums(record.sum, batch.sum),
    fromVersions: [...new Set([...record.fromVersions, ...batch.versions])].toSorted().slice(0, MAX_MODELS),
    state: { ...record.state, models },
  };
}
