/**
 * The table in a form that the engine can join with: names are resolved here, because there are few of them and the rules are
 * many; what is left to the engine is equality of a key, the comparison of a time and a length, and whole-number products.
 *
 * Must stay true: the engine's cost is that of `costOf`, to the last digit, also where it is unknown. A test runs every case
 * through both.
 */

import { onBill } from './cost.ts';
import { KINDS, PER, type Kind } from './kinds.ts';
import { unitPrice } from './money.ts';
import { MINIMUM_KINDS, priceKind, type MinimumKind, type PriceRow } from './row.ts';
import type { Alternative, PriceKey, PriceTable } from './table.ts';

/** Times before and after all others, in milliseconds. */
const EVER = 9_000_000_000_000_000;

/** The key of a generation, as the engine compares it; what is absent is empty. */
const KEY = ['tenant', 'provider', 'model', 'measure', 'tier', 'size', 'quality'] as const;

/** A row of the engine's table: one key, with its alternatives in the order of preference, as arrays of one length. */
export type CompiledPrice = Readonly<Record<string, string | readonly (string | null)[]>>;

/** Columns of the engine's table, with their types. Unit prices are in 1e-18 dollars. */
export const COMPILED_COLUMNS: readonly (readonly [name: string, type: string])[] = [
  ...KEY.map((name) => [name, 'String'] as const),
  ['row_ids', 'Array(String)'],
  ['since', 'Array(Int64)'],
  ['until', 'Array(Int64)'],
  ['minute_since', 'Array(Int16)'],
  ['minute_until', 'Array(Int16)'],
  ['above', 'Array(Int64)'],
  ['up_to', 'Array(Int64)'],
  ...MINIMUM_KINDS.map((kind) => [minimumColumn(kind), 'Array(Int64)'] as const),
  ...KINDS.map((kind) => [priceColumn(kind), 'Array(Nullable(Int128))'] as const),
];

/** The rows of the engine's table for the keys of a batch, which the caller has made distinct. Keys without a price have none. */
export function compilePrices(table: PriceTable, keys: Iterable<PriceKey>): CompiledPrice[] {
  const rows: CompiledPrice[] = [];
  for (const key of keys) {
    const alternatives = table.alternatives(key);
    if (alternatives.length > 0) rows.push(compiled(key, alternatives));
  }
  return rows;
}

function compiled(key: PriceKey, alternatives: readonly Alternative[]): CompiledPrice {
  const column = (value: (alternative: Alternative) => string | number | null): (string | null)[] =>
    alternatives.map((alternative) => {
      const cell = value(alternative);
      return cell === null ? null : String(cell);
    });
  const finite = (value: number): number => Math.max(-EVER, Math.min(EVER, value));
  const row: Record<string, string | (string | null)[]> = {
    ...Object.fromEntries(KEY.map((name) => [name, key[name] ?? ''])),
    row_ids: column((alternative) => alternative.row.id),
    since: column(({ from }) => finite(from)),
    until: column(({ until }) => finite(until)),
    minute_since: column(({ hours }) => hours?.from ?? -1),
    minute_until: column(({ hours }) => hours?.until ?? -1),
    above: column(({ contextAbove }) => contextAbove),
    up_to: column(({ contextUpTo }) => finite(contextUpTo)),
  };
  for (const kind of KINDS) {
    row[priceColumn(kind)] = column((alternative) => unitOf(kind, key, alternative.row));
  }
  for (const kind of MINIMUM_KINDS) {
    row[minimumColumn(kind)] = column((alternative) => alternative.row.minimum?.[kind] ?? 0);
  }
  return row;
}

/** The price of a unit: null if it is unknown, 0 if it isn't on the bill. */
function unitOf(kind: Kind, key: PriceKey, row: PriceRow): string | null {
  if (!onBill(kind, key.measure, row)) return '0';
  const priced = priceKind(kind, row);
  const price = priced === undefined ? undefined : row.prices[priced];
  return priced === undefined || price === undefined ? null : unitPrice(price, PER[priced]).toString();
}

/** Expressions of a query over generations. All are SQL; the caller writes no user's text into them. */
export interface CostQuery {
  /** Name of the joined table of prices. */
  readonly prices: string;
  /** When the request was made: milliseconds since 1970, as Int64. */
  readonly at: string;
  /** Tokens that went in, as Int64. */
  readonly context: string;
  /** Quantities, as UInt64; those of kinds that are left out are 0. */
  readonly quantities: Readonly<Partial<Record<Kind, string>>>;
}

export interface CostExpressions {
  /** Place of the alternative that applies, 0 for none; to be selected `AS price_place`. */
  readonly place: string;
  /** Id of the row, empty for none. */
  readonly rowId: string;
  /** The cost, as Nullable(Decimal(38, 12)): NULL if it is unknown. */
  readonly cost: string;
}

/** Condition of a join on the key; both sides are names of tables with the columns of the key. */
export function joinOn(generations: string, prices: string): string {
  return KEY.map((name) => `${generations}.${name} = ${prices}.${name}`).join(' AND ');
}

/** The expressions that price a generation which is joined, ANY LEFT, with its compiled prices. */
export function costExpressions({ prices, at, context, quantities }: CostQuery): CostExpressions {
  const minute = `intDiv(positiveModulo(${at}, 86400000), 60000)`;
  const place =
    `arrayFirstIndex((s, u, ms, mu, a, t) -> ${at} >= s AND ${at} < u AND ${context} > a AND ${context} <= t AND ` +
    `multiIf(ms < 0, 1, ms < mu, ${minute} >= ms AND ${minute} < mu, ${minute} >= ms OR ${minute} < mu), ` +
    ['since', 'until', 'minute_since', 'minute_until', 'above', 'up_to'].map((name) => `${prices}.${name}`).join(', ') +
    `)`;
  const parts = KINDS.flatMap((kind) => {
    const unit = `${prices}.${priceColumn(kind)}[price_place]`;
    // A request is billed wherever a row has a price for it, and is not counted by clients.
    if (kind === 'requests') return [`ifNull(intDiv(${unit} + 500000, 1000000), 0)`];
    const quantity = quantities[kind];
    if (quantity === undefined) return [];
    const least = MINIMUM_KINDS.find((name) => name === kind);
    const billed =
      least === undefined
        ? `toInt128(${quantity})`
        : `greatest(toInt128(${quantity}), toInt128(${prices}.${minimumColumn(least)}[price_place]))`;
    return [`if(${quantity} = 0, toInt128(0), intDiv(${billed} * ${unit} + 500000, 1000000))`];
  });
  const pico = parts.join(' + ');
  return {
    place,
    rowId: `${prices}.row_ids[price_place]`,
    cost: `if(price_place = 0, NULL, toDecimal128(${pico}, 0) * toDecimal128('0.000000000001', 12))`,
  };
}

function priceColumn(kind: Kind): string {
  return `price_${kind}`;
}

function minimumColumn(kind: MinimumKind): string {
  return `minimum_${kind}`;
}
