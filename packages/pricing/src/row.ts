/**
 * A row of the price table: what one unit of each kind costs, of which model at which provider, from when until when, and under
 * which conditions. Plain data, so that it can be shipped, stored, shown, overridden and sent to the engine.
 *
 * Must stay true: a row says where its prices were read and when. A row without a price for what was used yields no cost, never 0.
 */

import { AppError } from '@glasshouse/model';
import { isKind, MEASURE_OF, pricedAs, type Kind, type Measure, type Prices } from './kinds.ts';
import { parseDecimal, UNIT_SCALE } from './money.ts';
import { patternFault } from './pattern.ts';

/** How a request is served, as its price goes by. */
export const TIERS = ['standard', 'batch', 'flex', 'priority'] as const;
export type Tier = (typeof TIERS)[number];

/** Where prices were read. */
export interface Source {
  /** The public page that states them, if it has an address. */
  readonly url?: string;
  /** The package and version that carries them, if they were not read on the page itself. */
  readonly via?: string;
  /** Day on which they were read, `YYYY-MM-DD`. */
  readonly date: string;
}

/** Under which conditions a row applies; what is absent is no condition. */
export interface Conditions {
  /** Absent means `standard`. */
  readonly tier?: Tier;
  /** Applies to requests with more tokens of input than this; then to all of their tokens. */
  readonly contextAbove?: number;
  /** Applies to requests with this many tokens of input at most; for lists that say nothing of longer ones. */
  readonly contextUpTo?: number;
  /** Size of an image, `1024x1024`, or the name of a resolution, `1080p`. */
  readonly size?: string;
  readonly quality?: string;
  /** Times of day in UTC, `HH:MM`, from (inclusive) until (exclusive); may pass midnight. */
  readonly hours?: { readonly from: string; readonly until: string };
}

/** Kinds of which a provider bills some at least. */
export const MINIMUM_KINDS = ['audioMs'] as const;
export type MinimumKind = (typeof MINIMUM_KINDS)[number];

export interface PriceRow {
  /** Names the row in costs, explanations and audits; unique in a table. */
  readonly id: string;
  /** Provider as `names.ts` calls them. */
  readonly provider: string;
  /** Patterns of model names, as in `pattern.ts`; one of them has to match. */
  readonly models: readonly string[];
  /** First instant at which the row applies, as an ISO date or time in UTC; absent since ever. */
  readonly from?: string;
  /** First instant at which it applies no more; absent for ever. */
  readonly until?: string;
  readonly when?: Conditions;
  readonly prices: Prices;
  /** Kinds that have no price here, although others would stand in: the list prices them apart elsewhere, but not here. */
  readonly unpriced?: readonly Kind[];
  /** Quantities below these are billed as these. */
  readonly minimum?: Readonly<Partial<Record<MinimumKind, number>>>;
  readonly currency: 'USD';
  readonly source: Source;
  /**
   * Place among rows of one layer that match a name, the lowest wins: for sources whose order decides. Absent ranks by how exact
   * the pattern is.
   */
  readonly rank?: number;
}

/** The kind whose price of a row `kind` has; undefined if there is none. */
export function priceKind(kind: Kind, row: PriceRow): Kind | undefined {
  return row.unpriced?.includes(kind) === true ? undefined : pricedAs(kind, row.prices);
}

/** What is billed of a quantity, which is not 0. */
export function billedQuantity(kind: Kind, quantity: number, row: PriceRow): number {
  return kind === 'audioMs' ? Math.max(quantity, row.minimum?.audioMs ?? 0) : quantity;
}

/** The measures by which a row bills. */
export function measuresOf(row: PriceRow): ReadonlySet<Measure> {
  const measures = new Set<Measure>();
  for (const kind of Object.keys(row.prices) as Kind[]) {
    const measure = MEASURE_OF[kind];
    if (measure !== undefined) measures.add(measure);
  }
  return measures;
}

/** An ISO date or time as milliseconds since 1970; throws if it is none. */
export function instantOf(text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new AppError('bad_request', `cannot read DATE=${text}: write it as 2026-01-31 or 2026-01-31T12:00:00Z`);
  }
  return ms;
}

/** A time of day as minutes since midnight, of `HH:MM`; throws if it is none. */
export function minutesOf(text: string): number {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  if (match === null) throw new AppError('bad_request', `cannot read TIME=${text}: write it as HH:MM in UTC`);
  return Number(match[1]) * 60 + Number(match[2]);
}

/** Names of a size or quality that mean the same are written the same: `1024-x-1024`, `1024 X 1024`, `HD`. */
export function normaliseSize(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replaceAll(/\s+/g, '')
    .replace(/^(\d+)[-*×]?x?[-*×]?(\d+)$/, '$1x$2');
}

const TIER_NAMES: Readonly<Record<string, Tier>> = {
  '': 'standard',
  auto: 'standard',
  default: 'standard',
  standard: 'standard',
  standard_only: 'standard',
  on_demand: 'standard',
  ondemand: 'standard',
  batch: 'batch',
  batches: 'batch',
  flex: 'flex',
  on_demand_flex: 'flex',
  priority: 'priority',
  on_demand_priority: 'priority',
};

/** The tier that a provider's word for it means; undefined for a word that has no price here, such as `scale`. */
export function tierOf(text: string | undefined): Tier | undefined {
  const word = (text ?? '').trim().toLowerCase();
  return Object.hasOwn(TIER_NAMES, word) ? TIER_NAMES[word] : undefined;
}

/** Checks a row that came from outside. Throws with what is wrong and where. */
export function checkRow(row: PriceRow): PriceRow {
  const fail = (what: string): never => {
    throw new AppError('bad_request', `cannot take PRICE=${row.id}: ${what}`);
  };
  if (typeof row.id !== 'string' || row.id === '' || row.id.length > 300)
    fail('it needs an id of 300 characters at most');
  if (typeof row.provider !== 'string' || row.provider === '') fail('it names no provider');
  if (!Array.isArray(row.models) || row.models.length === 0) fail('it names no models');
  for (const pattern of row.models) {
    const fault = patternFault(pattern);
    if (fault !== undefined) fail(fault);
  }
  if (row.currency !== 'USD') fail(`currency=${String(row.currency)} is not known; prices are in USD`);
  const from = row.from === undefined ? Number.NEGATIVE_INFINITY : instantOf(row.from);
  const until = row.until === undefined ? Number.POSITIVE_INFINITY : instantOf(row.until);
  if (from >= until) fail(`it ends at ${row.until} before it begins at ${row.from}`);
  const { tier, contextAbove, hours } = row.when ?? {};
  if (tier !== undefined && !TIERS.includes(tier)) fail(`tier=${tier} is none of ${TIERS.join(', ')}`);
  if (contextAbove !== undefined && (!Number.isSafeInteger(contextAbove) || contextAbove < 0)) {
    fail(`contextAbove=${contextAbove} is no number of tokens`);
  }
  const { contextUpTo } = row.when ?? {};
  if (contextUpTo !== undefined && (!Number.isSafeInteger(contextUpTo) || contextUpTo <= (contextAbove ?? -1))) {
    fail(`contextUpTo=${contextUpTo} leaves no room for a request`);
  }
  if (hours !== undefined && minutesOf(hours.from) === minutesOf(hours.until)) fail('its hours are empty');
  for (const [kind, price] of Object.entries(row.prices) as [string, unknown][]) {
    if (!isKind(kind)) fail(`nothing of the kind ${kind} is priced here`);
    const value = typeof price === 'string' ? parseDecimal(price, UNIT_SCALE) : undefined;
    if (value === undefined || value < 0n) fail(`${kind}=${String(price)} is no price; write "0.15"`);
  }
  for (const [kind, least] of Object.entries(row.minimum ?? {}) as [string, unknown][]) {
    const known = MINIMUM_KINDS.some((name) => name === kind);
    if (!known || !Number.isSafeInteger(least)) fail(`minimum ${kind}=${String(least)} is none`);
  }
  if (Object.keys(row.prices).length === 0) fail('it has no price');
  return row;
}
