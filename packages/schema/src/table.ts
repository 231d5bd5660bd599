/**
 * What a table is, as data. The write path builds Native blocks from it, the store derives DDL for both engines from it,
 * and the reference page is generated from it: a column is declared once.
 *
 * Must stay true: `columns` is exactly what a WAL segment carries, in this order; `derived` is computed by the engine.
 */

/** A column that arrives in the block. */
export interface Column {
  readonly name: string;
  /** ClickHouse type in the block, spelled as the engine spells it. */
  readonly type: string;
  /** Codec before the general compression, such as `Delta(8)`. */
  readonly codec?: string;
  /** Bytes that are compressed as one block, where the engine's 64 KiB to 1 MiB is not best. */
  readonly blockBytes?: { readonly min: number; readonly max: number };
  readonly comment: string;
}

/** A column that the engine computes from the others when it writes a part. */
export interface DerivedColumn extends Column {
  readonly kind: 'MATERIALIZED' | 'ALIAS';
  readonly expression: string;
}

export interface Index {
  readonly name: string;
  readonly expression: string;
  readonly type: string;
  readonly granularity: number;
}

export interface Projection {
  readonly name: string;
  readonly query: string;
}

export interface FactTable {
  readonly name: string;
  readonly comment: string;
  readonly columns: readonly Column[];
  readonly derived: readonly DerivedColumn[];
  readonly indexes: readonly Index[];
  readonly projections: readonly Projection[];
  /** Merges make the projections where the engine can do that, so that an insert costs nothing more. */
  readonly projectedByMerges?: true;
  readonly partitionBy: string;
  readonly orderBy: readonly string[];
  /** Expression of type Date or DateTime that retention counts from. */
  readonly ttlFrom: string;
  readonly settings: Readonly<Record<string, string | number>>;
}

/** The database that holds the fact tables. Nobody but the server names it. */
export const FACT_DATABASE = 'glasshouse';

/** The column that holds the id of the WAL segment a row came in; the table is the ledger of the hand-over. */
export const SEGMENT_COLUMN = '_segment';
