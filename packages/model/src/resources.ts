/**
 * The vocabulary of a workspace: what its data files describe. A workspace is a tenant. These are plain data, so that the
 * grammar (`language`), the DDL (`store`), the registry and the wire shapes (`server`) speak of the same things.
 */

/** How a column gets its value when a row doesn't bring one. */
export type ColumnKind = 'DEFAULT' | 'MATERIALIZED' | 'ALIAS' | 'EPHEMERAL';

/** A column of a data source. */
export interface DataSourceColumn {
  readonly name: string;
  /** ClickHouse type, as written, with whitespace normalised. */
  readonly type: string;
  /** Path into the JSON of a row, such as `$.a.b`, `$.a[:]` or `$`; undefined takes the key of the column's name. */
  readonly jsonPath?: string;
  readonly kind?: ColumnKind;
  /** Expression of `kind`, as written. */
  readonly expression?: string;
  readonly codec?: string;
  /** What the column means, in prose; never empty. */
  readonly comment?: string;
}

/** Storage of a data source; expressions as written, without quotes around them. */
export interface DataSourceEngine {
  /** `MergeTree` and its family, or `Null`. */
  readonly name: string;
  readonly sortingKey?: string;
  readonly partitionKey?: string;
  readonly primaryKey?: string;
  readonly ttl?: string;
  readonly version?: string;
  readonly sign?: string;
  readonly isDeleted?: string;
  readonly summingColumns?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

export interface DataSourceIndex {
  readonly name: string;
  readonly expression: string;
  readonly type: string;
  readonly granularity: number;
}

/** A token that a data file grants, made when the file is deployed. */
export interface GrantedToken {
  readonly name: string;
  readonly scope: 'READ' | 'APPEND';
}

export interface DataSource {
  readonly kind: 'datasource';
  readonly name: string;
  readonly description?: string;
  readonly columns: readonly DataSourceColumn[];
  readonly engine: DataSourceEngine;
  readonly indexes: readonly DataSourceIndex[];
  readonly tokens: readonly GrantedToken[];
  readonly tags: readonly string[];
  readonly sharedWith: readonly string[];
  /** SELECT list by which rows move to this schema from the one before it. */
  readonly forwardQuery?: string;
  /** `skip` leaves the rows of the former schema out of the migration of a materialized target. */
  readonly backfill?: 'skip';
}

export type PipeType = 'default' | 'endpoint' | 'materialized' | 'copy' | 'sink';

export interface PipeNode {
  readonly name: string;
  readonly description?: string;
  /** As written; a first line of `%` makes it a template. */
  readonly sql: string;
  readonly type: PipeType;
  /** Settings of the node's type: `DATASOURCE`, `TARGET_DATASOURCE`, `COPY_MODE`, `COPY_SCHEDULE`, `EXPORT_…`. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface Pipe {
  readonly kind: 'pipe';
  readonly name: string;
  readonly description?: string;
  readonly nodes: readonly PipeNode[];
  readonly tokens: readonly GrantedToken[];
  readonly tags: readonly string[];
  /** Seconds that an endpoint's answer may be kept. */
  readonly cacheSeconds?: number;
}

export type Resource = DataSource | Pipe;

/** The hidden column that names the log segment which brought a row. */
export const SEGMENT = '_segment';
/** Suffix of the table that takes the rows of a data source which do not fit it. */
export const QUARANTINE_SUFFIX = '_quarantine';
