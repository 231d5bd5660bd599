/**
 * The price table: layers of rows, a tenant's own first, and the one way to find the row for a generation, with the reasons.
 *
 * Must stay true: a name as it came beats a rewritten one, a tenant's row beats ours, ours beats the library's. Whether a row
 * applies never depends on the order in which anything was loaded. Nothing found is a reason, not a price.
 */

import { createHash } from 'node:crypto';
import { AppError } from '@glasshouse/model';
import { KINDS, type Measure } from './kinds.ts';
import { nameCandidates, normaliseProvider, type NameCandidate } from './names.ts';
import { aliasOf, tenantPrices, type PriceOverride, type TenantPrices } from './overrides.ts';
import { matcher, type Matcher } from './pattern.ts';
import { checkRow, instantOf, measuresOf, minutesOf, normaliseSize, tierOf, type PriceRow, type Tier } from './row.ts';

/** Rows of one origin. */
export interface PriceLayer {
  /** What explanations call it. */
  readonly name: string;
  readonly rows: readonly PriceRow[];
}

/** What of a generation decides which rows may apply, whenever it was and however long. */
export interface PriceKey {
  readonly provider: string;
  readonly model: string;
  readonly measure: Measure;
  readonly tenant?: string;
  /** The provider's word for the tier; absent is `standard`. */
  readonly tier?: string;
  readonly size?: string;
  readonly quality?: string;
}

/** What decides which of those rows does. */
export interface PricePoint {
  /** When the request was made, in milliseconds since 1970. */
  readonly at: number;
  /** Tokens that went in. */
  readonly context: number;
}

/** A row that may apply, and why. */
export interface Alternative {
  readonly row: PriceRow;
  readonly layer: string;
  /** How the name was rewritten to match; empty if it was not. */
  readonly steps: readonly string[];
  readonly pattern: string;
  readonly from: number;
  readonly until: number;
  /** Minutes since midnight in UTC. */
  readonly hours: { readonly from: number; readonly until: number } | undefined;
  readonly contextAbove: number;
  readonly contextUpTo: number;
}

export type Found =
  { readonly found: true; readonly alternative: Alternative } | { readonly found: false; readonly reason: string };

export interface PriceTableOptions {
  readonly overrides?: readonly PriceOverride[];
  /** Which entries of the overrides' history count, in milliseconds since 1970; absent all of them. */
  readonly asOf?: number;
}

interface Indexed {
  readonly row: PriceRow;
  readonly layer: string;
  readonly matchers: readonly Matcher[];
  readonly measures: ReadonlySet<Measure>;
  readonly tier: Tier;
}

interface Ranked extends Alternative {
  readonly order: readonly number[];
}

export class PriceTable {
  /** Names the contents: tables of the same rows have the same version, and costs say which one they come from. */
  readonly version: string;
  readonly layers: readonly PriceLayer[];
  private readonly indexes: readonly ReadonlyMap<string, readonly Indexed[]>[];
  private readonly rows = new Map<string, PriceRow>();
  private readonly tenants = new Map<
    string,
    { prices: TenantPrices; index: ReadonlyMap<string, readonly Indexed[]> }
  >();

  constructor(layers: readonly PriceLayer[], options: PriceTableOptions = {}) {
    const { overrides = [], asOf = Number.MAX_SAFE_INTEGER } = options;
    this.layers = layers;
    this.indexes = layers.map(indexLayer);
    for (const row of layers.flatMap(({ rows }) => rows)) {
      if (this.rows.has(row.id))
        throw new AppError('bad_request', `cannot make a table of PRICE=${row.id}: it is there twice`);
      this.rows.set(row.id, row);
    }
    for (const tenant of new Set(overrides.map((entry) => entry.tenant))) {
      const prices = tenantPrices(overrides, tenant, asOf);
      this.tenants.set(tenant, { prices, index: indexLayer({ name: `tenant ${tenant}`, rows: prices.rows }) });
      for (const row of prices.rows) this.rows.set(row.id, row);
    }
    this.version = versionOf(
      layers,
      [...this.tenants].map(([tenant, { prices }]) => [tenant, prices] as const),
    );
  }

  /** The row of an id; of a tenant's rows too. */
  row(id: string): PriceRow | undefined {
    return this.rows.get(id);
  }

  /** Whether a tenant has prices or names of its own. */
  hasOwn(tenant: string): boolean {
    return this.tenants.has(tenant);
  }

  /** All rows that may apply, the preferred one first. The first that `applies` is the price. */
  alternatives(key: PriceKey): Alternative[] {
    const tier = tierOf(key.tier);
    if (tier === undefined) return [];
    return this.ranked(key, (row) => row.tier === tier && row.measures.has(key.measure));
  }

  /** The row that prices a generation, or why there is none. */
  find(key: PriceKey, point: PricePoint): Found {
    const alternatives = this.alternatives(key);
    const alternative = alternatives.find((candidate) => applies(candidate, point));
    if (alternative !== undefined) return { found: true, alternative };
    return { found: false, reason: this.reason(key, point, alternatives) };
  }

  /** All rows of a model, whatever their tier, measure, size and quality; the preferred one first. */
  rowsOf(provider: string, model: string, tenant?: string): Alternative[] {
    const key: PriceKey = { provider, model, measure: 'tokens', ...(tenant === undefined ? {} : { tenant }) };
    return this.ranked(key, () => true, true);
  }

  private ranked(key: PriceKey, fits: (row: Indexed) => boolean, anySize = false): Alternative[] {
    const own = key.tenant === undefined ? undefined : this.tenants.get(key.tenant);
    const size = key.size === undefined ? undefined : normaliseSize(key.size);
    const quality = key.quality === undefined ? undefined : key.quality.trim().toLowerCase();
    const indexes = own === undefined ? this.indexes : [own.index, ...this.indexes];
    const found: Ranked[] = [];
    for (const [position, candidate] of candidatesOf(key, own?.prices).entries()) {
      for (const [level, index] of indexes.entries()) {
        for (const indexed of index.get(candidate.provider) ?? []) {
          if (!fits(indexed)) continue;
          const when = indexed.row.when ?? {};
          if (!anySize && when.size !== undefined && when.size !== size) continue;
          if (!anySize && when.quality !== undefined && when.quality !== quality) continue;
          const match = bestMatch(indexed.matchers, candidate.model);
          if (match !== undefined) found.push(rank(indexed, match, candidate, [position, level]));
        }
      }
    }
    return found.toSorted((a, b) => compareOrders(a.order, b.order));
  }

  private reason(key: PriceKey, point: PricePoint, alternatives: readonly Alternative[]): string {
    const model = `model=${key.model} of provider=${key.provider === '' ? 'unknown' : key.provider}`;
    if (alternatives.length > 0)
      return `${model} has no price at ${new Date(point.at).toISOString()} with ${point.context} tokens of input`;
    const tier = tierOf(key.tier);
    if (tier === undefined) return `tier=${key.tier} has no prices here`;
    const any = this.ranked(key, () => true, true);
    if (any.length === 0) return `no price is known for ${model}`;
    const ofTier = this.ranked(key, (row) => row.tier === tier, true);
    if (ofTier.length === 0) return `no price is known for tier=${tier} of ${model}`;
    if (this.ranked(key, (row) => row.tier === tier && row.measures.has(key.measure), true).length === 0) {
      return `${model} is not priced by ${key.measure}, and nothing else was reported`;
    }
    return `no price is known for size=${key.size ?? 'unknown'} and quality=${key.quality ?? 'unknown'} of ${model}`;
  }
}

/** Makes a table of layers, the preferred one first. Throws if a row is wrong or an id is there twice. */
export function priceTable(layers: readonly PriceLayer[], options: PriceTableOptions = {}): PriceTable {
  return new PriceTable(layers, options);
}

/** Whether a row applies to a request of that time and length. */
export function applies(alternative: Alternative, point: PricePoint): boolean {
  const { at, context } = point;
  if (at < alternative.from || at >= alternative.until || context <= alternative.contextAbove) return false;
  if (context > alternative.contextUpTo) return false;
  const { hours } = alternative;
  if (hours === undefined) return true;
  const minute = Math.floor((((at % 86_400_000) + 86_400_000) % 86_400_000) / 60_000);
  return hours.from < hours.until
    ? minute >= hours.from && minute < hours.until
    : minute >= hours.from || minute < hours.until;
}

function candidatesOf(key: PriceKey, prices: TenantPrices | undefined): NameCandidate[] {
  const alias = prices === undefined ? undefined : aliasOf(prices.aliases, key.provider, key.model);
  if (alias === undefined) return nameCandidates(key.provider, key.model);
  const step = `the tenant's "${alias.name}" is ${alias.as.provider}'s ${alias.as.model}`;
  return nameCandidates(alias.as.provider, alias.as.model).map((candidate) => ({
    ...candidate,
    steps: [step, ...candidate.steps],
  }));
}

function indexLayer(layer: PriceLayer): Map<string, Indexed[]> {
  const index = new Map<string, Indexed[]>();
  for (const row of layer.rows) {
    checkRow(row);
    const provider = normaliseProvider(row.provider);
    const indexed: Indexed = {
      row: withPlainSize(row),
      layer: layer.name,
      matchers: row.models.map(matcher),
      measures: measuresOf(row),
      tier: row.when?.tier ?? 'standard',
    };
    const rows = index.get(provider);
    if (rows === undefined) index.set(provider, [indexed]);
    else rows.push(indexed);
  }
  return index;
}

function withPlainSize(row: PriceRow): PriceRow {
  if (row.when?.size === undefined && row.when?.quality === undefined) return row;
  const { size, quality } = row.when;
  return {
    ...row,
    when: {
      ...row.when,
      ...(size === undefined ? {} : { size: normaliseSize(size) }),
      ...(quality === undefined ? {} : { quality: quality.trim().toLowerCase() }),
    },
  };
}

function bestMatch(matchers: readonly Matcher[], model: string): Matcher | undefined {
  let best: Matcher | undefined;
  for (const candidate of matchers) {
    if ((best === undefined || candidate.rank < best.rank) && candidate.matches(model)) best = candidate;
  }
  return best;
}

function rank(indexed: Indexed, match: Matcher, candidate: NameCandidate, place: readonly number[]): Ranked {
  const { row, layer } = indexed;
  const when = row.when ?? {};
  const from = row.from === undefined ? Number.NEGATIVE_INFINITY : instantOf(row.from);
  const contextAbove = when.contextAbove ?? -1;
  const hours =
    when.hours === undefined ? undefined : { from: minutesOf(when.hours.from), until: minutesOf(when.hours.until) };
  const conditions = (when.size === undefined ? 0 : 1) + (when.quality === undefined ? 0 : 1);
  return {
    row,
    layer,
    steps: candidate.steps,
    pattern: match.pattern,
    from,
    until: row.until === undefined ? Number.POSITIVE_INFINITY : instantOf(row.until),
    hours,
    contextAbove,
    contextUpTo: when.contextUpTo ?? Number.POSITIVE_INFINITY,
    order: [...place, row.rank ?? match.rank, -conditions, -from, hours === undefined ? 1 : 0, -contextAbove],
  };
}

function compareOrders(a: readonly number[], b: readonly number[]): number {
  for (const [place, left] of a.entries()) {
    const right = b[place] ?? 0;
    // Two infinities are equal, although their difference is no number.
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

function versionOf(layers: readonly PriceLayer[], tenants: readonly (readonly [string, TenantPrices])[]): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify(KINDS));
  for (const { name, rows } of layers) {
    hash.update(`\n${name}`);
    for (const row of rows) hash.update(`\n${JSON.stringify(row)}`);
  }
  for (const [tenant, prices] of tenants) hash.update(`\n${tenant}\n${JSON.stringify(prices)}`);
  return hash.digest('hex').slice(0, 16);
}
