/**
 * What a credential may read of its tenant's database: all of it, or some tables, and of these all rows or some. Turns that into
 * the policy of the judge and into the conditions that the engine puts on tables.
 *
 * Must stay true: a table that is not named here is refused in the same words whether it exists or not.
 */

import { createHash } from 'node:crypto';
import { tenantPolicy, TABLE_FUNCTIONS } from '@glasshouse/language';
import type { Policy } from '@glasshouse/language';
import { AppError, invariant, QUARANTINE_SUFFIX, SEGMENT } from '@glasshouse/model';
import { CATALOG, SHARED_DATABASE, tenantDatabase, VIEWS } from '@glasshouse/store';

/**
 * Row filters are conditions over the table's columns, by the table's name; they hold wherever the table is read. They may come
 * as they are: each is judged before it is used.
 */
export type Reads =
  | { readonly kind: 'all'; readonly filters?: ReadonlyMap<string, string> }
  | { readonly kind: 'some'; readonly tables: ReadonlyMap<string, string | undefined> };

export const READS_ALL: Reads = { kind: 'all' };

/**
 * What of a statement the caller wrote, where nodes of pipes were put in front of it: that part is held to what the credential
 * reads, the nodes run with the rights of the workspace.
 */
export interface Written {
  readonly sql: string;
  /** Names by which it may read nodes. None may be the name of a table. */
  readonly nodes: ReadonlySet<string>;
}

/** What follows from a credential's rights for one statement. */
export interface Rights {
  readonly tenant: string;
  readonly database: string;
  /** Of the whole statement. */
  readonly policy: Policy;
  /** Of the part that the caller wrote, where that is not all of it. */
  readonly writtenPolicy: Policy | undefined;
  /** Row filters by `database.table`. */
  readonly filters: ReadonlyMap<string, string>;
  /** Tables that the credential reads, where it does not read all. */
  readonly tables: ReadonlySet<string> | undefined;
  /** True if the credential reads less than its tenant has. */
  readonly isNarrow: boolean;
  /** Equal for equal rights. */
  readonly key: string;
}

/** Why a table is refused to a credential that does not read all. */
export const NO_RIGHT = 'the credential has no right to read it';

/** Longest value of the setting, as it stands in a URL: the engine's HTTP interface takes no more with all the others. */
const MAX_SETTING_LENGTH = 11_000;

/** What of a statement changes the rights that it has; see `StatementOptions`. */
export interface Text {
  readonly written: Written | undefined;
  readonly hidesRows: boolean;
  readonly isKept: boolean;
}

/** The rights that a credential's statement has. */
export function rightsOf(tenant: string, reads: Reads, text: Text): Rights {
  const { written, hidesRows, isKept } = text;
  const database = tenantDatabase(tenant);
  const given = reads.kind === 'all' ? (reads.filters ?? new Map<string, string>()) : reads.tables;
  const filters = new Map<string, string>();
  for (const [table, filter] of given) if (filter !== undefined) filters.set(`${database}.${table}`, filter);
  const isNarrow = reads.kind === 'some' || filters.size > 0;
  const narrow = {
    ...(isNarrow ? { tableRefusal: NO_RIGHT, allowedTableFunctions: NARROW_FUNCTIONS } : {}),
    hidesRows: filters.size > 0 || hidesRows,
    reservedAliases: new Set(filters.keys()),
  };
  const whole = tenantPolicy(database, {
    ...narrow,
    ownTables: (table) => !isHiddenQuarantine(table, given),
    sharedTables: (schema, table) =>
      !isKept && schema === SHARED_DATABASE && (Object.hasOwn(VIEWS, table) || isCatalog(table)),
  });
  const own =
    reads.kind === 'all'
      ? whole
      : tenantPolicy(database, {
          ...narrow,
          ownTables: (table) => isGranted(table, reads.tables),
          sharedTables: (schema, table) => schema === SHARED_DATABASE && isCatalog(table),
        });
  return {
    tenant,
    database,
    policy: written === undefined ? own : whole,
    writtenPolicy: written === undefined ? undefined : own,
    filters,
    tables:
      reads.kind === 'all'
        ? undefined
        : new Set([...reads.tables.keys()].flatMap((name) => withQuarantine(name, reads.tables))),
    isNarrow,
    key: keyOf(reads, given, text),
  };
}

/** A query in its place could name a table that a common table expression around it seems to hide. */
const NARROW_FUNCTIONS: ReadonlySet<string> = new Set([...TABLE_FUNCTIONS].filter((name) => name !== 'view'));

/** A quarantine belongs to its data source. Its rows did not fit, so a filter on the source cannot tell whose they are. */
function isHiddenQuarantine(table: string, given: ReadonlyMap<string, string | undefined>): boolean {
  if (!table.endsWith(QUARANTINE_SUFFIX) || given.has(table)) return false;
  return given.get(table.slice(0, -QUARANTINE_SUFFIX.length)) !== undefined;
}

function isGranted(table: string, tables: ReadonlyMap<string, string | undefined>): boolean {
  if (tables.has(table)) return true;
  const source = table.endsWith(QUARANTINE_SUFFIX) ? table.slice(0, -QUARANTINE_SUFFIX.length) : '';
  return tables.has(source) && tables.get(source) === undefined;
}

function withQuarantine(name: string, tables: ReadonlyMap<string, string | undefined>): string[] {
  return tables.get(name) === undefined ? [name, name + QUARANTINE_SUFFIX] : [name];
}

function isCatalog(table: string): boolean {
  return Object.hasOwn(CATALOG, table);
}

/** Conditions on the catalogue's views: what the credential reads, and nothing of the columns that are ours. */
export function catalogFilters({ database, tables }: Rights): Map<string, string> {
  const own =
    tables === undefined
      ? '1'
      : `database = '${database}' AND match(table, '^(?:${[...tables].map(plainName).join('|')})$')`;
  return new Map([
    [`${SHARED_DATABASE}.catalog_columns`, `${own} AND name != '${SEGMENT}'`],
    ...(tables === undefined
      ? []
      : [
          [`${SHARED_DATABASE}.catalog_tables`, own] as const,
          [`${SHARED_DATABASE}.catalog_databases`, `name = '${database}'`] as const,
        ]),
  ]);
}

/** Names as they stand in a pattern within a text; the tables of a workspace have no others. */
function plainName(name: string): string {
  invariant(/^[\w-]+$/u.test(name.replaceAll('.', '_')), `BUG: ${JSON.stringify(name)} is not the name of a table`);
  return name.replaceAll('.', '[.]');
}

/** The engine's setting that puts a condition on each of the tables. Throws `too_large` if it does not fit into a request. */
export function filterSetting(filters: ReadonlyMap<string, string>): Record<string, string> {
  if (filters.size === 0) return {};
  const text = `{${[...filters].map(([table, filter]) => `${quote(table)}:${quote(filter)}`).join(',')}}`;
  if (encodeURIComponent(text).length > MAX_SETTING_LENGTH) {
    throw new AppError(
      'too_large',
      'cannot run the query: the tables that the credential reads are too many to filter; give it fewer, or shorter row filters',
    );
  }
  return { additional_table_filters: text };
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function keyOf(
  reads: Reads,
  given: ReadonlyMap<string, string | undefined>,
  { written, hidesRows, isKept }: Text,
): string {
  if (reads.kind === 'all' && given.size === 0 && written === undefined && !hidesRows && !isKept) return '';
  const tables = [...given].map(([table, filter]) => [table, filter ?? null]);
  const parts = [reads.kind, tables, hidesRows, isKept, written?.sql, [...(written?.nodes ?? [])]];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}
