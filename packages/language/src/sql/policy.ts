/**
 * What a tenant may name: the policy that the caller fills in, and the one place that decides whether a table is within it. Both the
 * judge of the syntax tree and the check of the resolved tree ask here, so they cannot disagree.
 *
 * Must stay true: a refusal reads the same whether or not the table exists.
 */

import { AppError, invariant } from '@glasshouse/model';
import { allowedFunctions, TABLE_FUNCTIONS } from './functions.ts';

export interface TableName {
  readonly database: string;
  readonly table: string;
}

export interface Policy {
  /** The tenant's database. It must be the session's default when the query runs: unqualified names are judged as names in it. */
  readonly database: string;
  /** Whether a table of the tenant's database may be read; all may unless a credential reads some only. Decide by name only. */
  readonly ownTables: (table: string) => boolean;
  /** Whether a table outside of the tenant's database may be read by every tenant. Decide by name only, never by looking it up. */
  readonly sharedTables: (database: string, table: string) => boolean;
  /** In lower case; see `allowedFunctions`. */
  readonly allowedFunctions: ReadonlySet<string>;
  /** In lower case; see `TABLE_FUNCTIONS`. */
  readonly allowedTableFunctions: ReadonlySet<string>;
  /** Whether `database.view(x = 1)` is a parameterised view that the tenant may read; asked only for names within the policy. */
  readonly parameterisedViews: (database: string, table: string) => boolean;
  /** True where a row filter hides rows of what may be read; see `judgeBesideFilters` for what is refused then. */
  readonly hidesRows: boolean;
  /** Aliases that no table may get: the engine would take them for the name of a table that has a row filter. */
  readonly reservedAliases: ReadonlySet<string>;
  /** Why a table outside of the policy is refused; the same whatever its name is. */
  readonly tableRefusal: string;
}

/**
 * Columns that the engine makes up for a table of the MergeTree family (a test compares them with the engine's). They tell of parts and
 * positions, hence of rows that a row filter hides, and conditions on them are evaluated before any filter.
 */
export const VIRTUAL_COLUMNS: ReadonlySet<string> = new Set(
  `_part _part_index _part_starting_offset _part_uuid _partition_id _partition_value _sample_factor _part_offset _part_granule_offset
   _part_data_version _disk_name _distance _table _database _row_exists _block_number _block_offset`
    .trim()
    .split(/\s+/u),
);

/**
 * Databases that are no tenant's. In the embedded engine `default` reads files: a table name in it is taken for a path (measured with
 * chdb 3.4.0), so it must be neither a tenant's database nor the session's default.
 */
const RESERVED_DATABASES: ReadonlySet<string> = new Set([
  'default',
  'system',
  'information_schema',
  '_temporary_and_external_tables',
]);

/** What the engine reads for a SELECT without FROM, and its counter. They hold no data. */
const DATALESS_TABLES: ReadonlySet<string> = new Set(['system.one', 'system.numbers']);

/** A policy with the curated functions, no shared tables and no parameterised views, and with what is given here. */
export function tenantPolicy(database: string, given: Partial<Omit<Policy, 'database'>> = {}): Policy {
  invariant(/^\w+$/u.test(database), `BUG: the tenant database ${database} is not a plain name`);
  invariant(!RESERVED_DATABASES.has(database.toLowerCase()), `BUG: ${database} cannot be a tenant's database`);
  return {
    database,
    ownTables: () => true,
    sharedTables: () => false,
    allowedFunctions: allowedFunctions(),
    allowedTableFunctions: TABLE_FUNCTIONS,
    parameterisedViews: () => false,
    hidesRows: false,
    reservedAliases: new Set(),
    tableRefusal: `a query may name tables of database ${database} only`,
    ...given,
  };
}

/** Whether the policy lets a table be read. Names are compared exactly, as the engine does. */
export function isReadable(policy: Policy, { database, table }: TableName): boolean {
  if (database === policy.database) return policy.ownTables(table);
  return DATALESS_TABLES.has(`${database}.${table}`) || policy.sharedTables(database, table);
}

/**
 * Splits a printed table name. The engine prints `a.b` for a table b of a and for a table "a.b" of the default database; both readings of
 * a name that starts with the tenant's database are the tenant's own, and all others are refused.
 *
 * Throws `forbidden` for a table outside of the policy and for a name that could be a path.
 */
export function readableTable(policy: Policy, printed: string): TableName {
  const parts = printed.split('.');
  const [first = '', second] = parts;
  const name = second === undefined ? { database: policy.database, table: first } : { database: first, table: second };
  // A path is refused even in the tenant's database: it is a file in any database of another engine kind.
  if (parts.length > 2 || /[\p{Cc}/\\:]/u.test(printed) || !isReadable(policy, name))
    throw tableRefusal(policy, printed);
  return name;
}

export function tableRefusal(policy: Policy, printed: string): AppError {
  return new AppError('forbidden', `cannot read table ${shorten(printed)}: ${policy.tableRefusal}`);
}

export function functionRefusal(name: string): AppError {
  return new AppError('forbidden', `cannot use function ${shorten(name)}: it is not among the allowed functions`);
}

export function tableFunctionRefusal(name: string): AppError {
  const fix = "read a table instead (a parameterised view needs its database's name)";
  return new AppError(
    'forbidden',
    `cannot use table function ${shorten(name)}: it is not among the allowed ones; ${fix}`,
  );
}

/** A name for a message: bounded, and without what could break a log line. */
export function shorten(name: string): string {
  const clean = name.replaceAll(/\p{Cc}/gu, '?');
  return clean.length > 80 ? `${clean.slice(0, 80)}…` : clean;
}

/**
 * Cuts the engine's guesses ("Maybe you meant other_db.table?") out of an error message: they name tables of other databases. Every engine
 * message that goes to a tenant has to pass through here.
 */
export function withoutHints(message: string): string {
  return message.replaceAll(/(?:[.,:;]\s?)?\bMaybe you meant\b.*?(?=\s\([A-Z][A-Z_]+\)|$)/gsu, '.');
}
