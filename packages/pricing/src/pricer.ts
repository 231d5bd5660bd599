/**
 * Pricing at the rate of ingestion. Which rows may apply depends on names, tier and size only, of which there are few: they are
 * looked up once and kept; for each generation only the time, the length and the multiplication are left.
 *
 * Must stay true: the result is that of `costOf`, to the last digit. Products of whole numbers below 2^53 are exact as doubles,
 * and that is what prices of tokens come to; every other product is made of big integers.
 */

import { costOfSplit, onBill, type Cost } from './cost.ts';
import { KINDS, PER, type Kind, type Measure } from './kinds.ts';
import { multiply, unitPrice, type Money } from './money.ts';
import { normaliseProvider, providerOfModel } from './names.ts';
import { normaliseSize, priceKind, type PriceRow } from './row.ts';
import { usageRule, type Dialect, type UsageRule } from './rules.ts';
import { applies, type Alternative, type Found, type PriceKey, type PriceTable } from './table.ts';
import { Tokens } from './tokens.ts';
import { faultOf, splitUsage, type Split, type Usage } from './usage.ts';

/** A generation, as far as its price goes. */
export interface Generation {
  /** When the request was made, in milliseconds since 1970. */
  readonly at: number;
  /** As the client writes it; empty if it names none. */
  readonly provider: string;
  readonly model: string;
  readonly usage: Usage;
  /** How the usage is reported; absent means as the provider itself does. */
  readonly dialect?: Dialect | undefined;
  readonly tenant?: string | undefined;
  /** The provider's word for how the request was served; absent is standard. */
  readonly tier?: string | undefined;
  /** Of images and videos, as `1024x1024` or `1080p`. */
  readonly size?: string | undefined;
  readonly quality?: string | undefined;
}

/** What a generation costs, and why. */
export interface Priced {
  readonly cost: Cost;
  readonly found: Found;
  readonly rule: UsageRule;
  readonly split: Split | undefined;
}

/** The total alone, as it is stored: the cost, the row that it is of, or why there is none. */
export type Total =
  | {
      readonly money: Money;
      /** The same as a number, where that is exact. */
      readonly exact: number | undefined;
      readonly row: string;
      readonly parts: readonly TotalPart[];
    }
  | { readonly money: undefined; readonly row: string | undefined; readonly reason: string };

/** A part of a total: its kind and its money, as a number where that is exact. */
export type TotalPart = readonly [kind: Kind, money: number | bigint];

/** The last instant that a Date can be. */
const MAX_TIME = 8.64e15;
/** Names that are kept; beyond, all are forgotten, because only an attacker or a bug has as many. */
const MAX_KEYS = 20_000;
/** Of one model those used lately, which are looked through before a name is made. */
const MAX_RECENT = 4;

/** In the order of quantities. */
const TOKEN_KINDS = ['input', 'cacheRead', 'output'] as const;

/** A row with its prices multiplied out. */
interface ReadyRow {
  readonly alternative: Alternative;
  readonly row: PriceRow;
  /** By kind: 1e-12 dollars a unit; NaN where that is no whole number, or there is no price. */
  readonly pico: Readonly<Record<Kind, number>>;
  /** By kind: 1e-18 dollars a unit; undefined where there is no price. */
  readonly atto: Readonly<Partial<Record<Kind, bigint>>>;
  readonly plain: boolean;
}

interface Entry {
  readonly key: PriceKey;
  readonly dialect: Dialect | undefined;
  readonly rule: UsageRule;
  readonly rows: readonly ReadyRow[];
  /** Why there is no row, of a key that has none at any time. */
  reason: string | undefined;
}

export class Pricer {
  readonly table: PriceTable;
  private readonly entries = new Map<string, Entry>();
  /** Those used lately, by the model's name. */
  private readonly recent = new Map<string, Entry[]>();
  private readonly tokens = new Tokens();

  constructor(table: PriceTable) {
    this.table = table;
  }

  /** What a generation costs, with the parts: what is shown and explained. */
  price(generation: Generation): Priced {
    const rule = ruleOf(generation);
    const reason = faultIn(generation);
    if (reason !== undefined) {
      const cost: Cost = { total: undefined, parts: [], missing: [reason], unbilled: [], notes: [] };
      return { cost, found: { found: false, reason }, rule, split: undefined };
    }
    const split = splitUsage(withPixels(generation), rule);
    const found = this.table.find(keyOf(generation, split), { at: generation.at, context: split.context });
    if (!found.found) {
      const cost: Cost = { total: undefined, parts: [], missing: [found.reason], unbilled: [], notes: split.notes };
      return { cost, found, rule, split };
    }
    return { cost: costOfSplit(split, found.alternative.row), found, rule, split };
  }

  /** The same total, fast: what is stored for every generation. */
  total(generation: Generation): Total {
    return this.totalOfTokens(generation) ?? this.totalOfAny(generation);
  }

  /** The total of a usage of text alone; undefined if it is another, or its price is unusual. */
  private totalOfTokens(generation: Generation): Total | undefined {
    const { tokens } = this;
    const { at } = generation;
    if (!(at >= -MAX_TIME && at <= MAX_TIME)) return undefined;
    const { rule, rows } = this.entry(generation);
    if (!tokens.read(generation.usage, rule)) return undefined;
    const point = { at, context: tokens.context };
    for (const { alternative, row, pico, plain } of rows) {
      if (!applies(alternative, point)) continue;
      if (!plain) return undefined;
      const parts: TotalPart[] = [];
      let exact = 0;
      for (const kind of TOKEN_KINDS) {
        const quantity = tokens[kind];
        if (quantity === 0) continue;
        const product = quantity * pico[kind];
        // Also false for NaN. Both factors are whole, so a product that is small enough is exact.
        if (!(product <= Number.MAX_SAFE_INTEGER - exact)) return undefined;
        exact += product;
        parts.push([kind, product]);
      }
      return { money: BigInt(exact), exact, row: row.id, parts };
    }
    return undefined;
  }

  private totalOfAny(generation: Generation): Total {
    const fault = faultIn(generation);
    if (fault !== undefined) return { money: undefined, row: undefined, reason: fault };
    const named = this.entry(generation);
    const split = splitUsage(withPixels(generation), named.rule);
    const entry = split.measure === named.key.measure ? named : this.entry(generation, split);
    const { rows } = entry;
    const point = { at: generation.at, context: split.context };
    for (const ready of rows) {
      if (applies(ready.alternative, point)) return totalOf(split, ready);
    }
    if (rows.length > 0 || entry.reason === undefined) {
      const found = this.table.find(keyOf(generation, split), point);
      const reason = found.found ? '' : found.reason;
      if (rows.length > 0) return { money: undefined, row: undefined, reason };
      entry.reason = reason;
    }
    return { money: undefined, row: undefined, reason: entry.reason };
  }

  private entry(generation: Generation, split?: Split): Entry {
    const measure = split?.measure ?? 'tokens';
    const tenant =
      generation.tenant !== undefined && this.table.hasOwn(generation.tenant) ? generation.tenant : undefined;
    const { provider, model, dialect, tier, size, quality } = generation;
    const recent = this.recent.get(model) ?? [];
    // Compared field by field: a text of all of them would have to be made and hashed for every generation.
    for (const entry of recent) {
      const { key } = entry;
      if (key.provider !== provider || key.measure !== measure || entry.dialect !== dialect) continue;
      if (key.tenant !== tenant || key.tier !== tier || key.size !== size || key.quality !== quality) continue;
      return entry;
    }
    const name = `${provider}\n${model}\n${measure}\n${dialect ?? ''}\n${tenant ?? ''}\n${tier ?? ''}\n${size ?? ''}\n${quality ?? ''}`;
    const known = this.entries.get(name);
    if (this.entries.size >= MAX_KEYS && known === undefined) {
      this.entries.clear();
      this.recent.clear();
    }
    const entry = known ?? this.newEntry(generation, measure, tenant);
    if (known === undefined) this.entries.set(name, entry);
    this.recent.set(model, [entry, ...recent].slice(0, MAX_RECENT));
    return entry;
  }

  private newEntry(generation: Generation, measure: Measure, tenant: string | undefined): Entry {
    const { provider, model, dialect, tier, size, quality } = generation;
    const key: PriceKey = {
      provider,
      model,
      measure,
      ...(tenant === undefined ? {} : { tenant }),
      ...(tier === undefined ? {} : { tier }),
      ...(size === undefined ? {} : { size }),
      ...(quality === undefined ? {} : { quality }),
    };
    const rows = this.table.alternatives(key).map(readyRow);
    return { key, dialect, rule: ruleOf(generation), rows, reason: undefined };
  }
}

function readyRow(alternative: Alternative): ReadyRow {
  const { row } = alternative;
  const atto: Partial<Record<Kind, bigint>> = {};
  const pico = {} as Record<Kind, number>;
  for (const kind of KINDS) {
    const priced = priceKind(kind, row);
    const price = priced === undefined ? undefined : row.prices[priced];
    pico[kind] = Number.NaN;
    if (priced === undefined || price === undefined) continue;
    const unit = unitPrice(price, PER[priced]);
    atto[kind] = unit;
    if (unit % 1_000_000n === 0n) pico[kind] = Number(unit / 1_000_000n);
  }
  const plain = row.minimum === undefined && row.prices.requests === undefined;
  return { alternative, row, pico, atto, plain };
}

function totalOf(split: Split, ready: ReadyRow): Total {
  const { row, pico, atto } = ready;
  if (!split.reported || !ready.plain) return slowly(split, row);
  const parts: TotalPart[] = [];
  let small = 0;
  let large = 0n;
  const { quantities } = split;
  for (const name in quantities) {
    const kind = name as Kind;
    const quantity = quantities[kind] as number;
    if (!onBill(kind, split.measure, row)) continue;
    const product = quantity * pico[kind];
    // Also false for NaN. Both factors are whole, so a product that is small enough is exact.
    if (product <= Number.MAX_SAFE_INTEGER - small) {
      small += product;
      parts.push([kind, product]);
      continue;
    }
    const unit = atto[kind];
    if (unit === undefined) return slowly(split, row);
    const money = multiply(quantity, unit);
    large += money;
    parts.push([kind, money]);
  }
  const exact = large === 0n ? small : undefined;
  return { money: large + BigInt(small), exact, row: row.id, parts };
}

function slowly(split: Split, row: PriceRow): Total {
  const cost = costOfSplit(split, row);
  return cost.total === undefined
    ? { money: undefined, row: row.id, reason: cost.missing.join('; ') }
    : {
        money: cost.total,
        exact: undefined,
        row: row.id,
        parts: cost.parts.map(({ kind, money }) => [kind, money]),
      };
}

function faultIn({ at, usage }: Generation): string | undefined {
  if (!(at >= -MAX_TIME && at <= MAX_TIME)) return `at=${at} is no time`;
  return faultOf(usage);
}

function ruleOf(generation: Generation): UsageRule {
  const named = normaliseProvider(generation.provider);
  return usageRule(generation.dialect, named === '' ? (providerOfModel(generation.model) ?? '') : named);
}

function keyOf(generation: Generation, split: Split): PriceKey {
  const { provider, model, tenant, tier, size, quality } = generation;
  return {
    provider,
    model,
    measure: split.measure,
    ...(tenant === undefined ? {} : { tenant }),
    ...(tier === undefined ? {} : { tier }),
    ...(size === undefined ? {} : { size }),
    ...(quality === undefined ? {} : { quality }),
  };
}

/** The usage with the pixels of its images, for those who bill by them, if the size tells. */
function withPixels(generation: Generation): Usage {
  const { usage, size } = generation;
  if (size === undefined || usage.images === undefined || usage.pixels !== undefined) return usage;
  const match = /^(\d{1,6})x(\d{1,6})$/.exec(normaliseSize(size));
  if (match === null) return usage;
  return { ...usage, pixels: usage.images * Number(match[1]) * Number(match[2]) };
}
