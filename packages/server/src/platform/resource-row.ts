/** A resource as it is cached, and as it is stored: in the table, and in the copy for starts without the store. */

import type { DataSource, Pipe, Resource } from '@glasshouse/model';
import type { TablePlace } from '@glasshouse/store';
import { dateTime } from './rows.ts';

interface Entry {
  readonly tenant: string;
  /** `t_` and 32 hex digits. Never given again. */
  readonly id: string;
  readonly name: string;
  /** True as long as nobody but the server has had a say in it. */
  readonly builtIn: boolean;
  /** Id of the deployment that brought the definition; empty if none did. */
  readonly deployment: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Grows with every change of the row. */
  readonly version: number;
}

/**
 * A population that is yet to come: what a node of a pipe makes of those rows of a data source that were there before the
 * hand-over began to see to it. Kept in the row of the data source that it fills, so that it ends with the change of tables.
 */
export interface PendingPopulation {
  /** Id of the pipe, and name of its node. */
  readonly pipe: string;
  readonly node: string;
  /** Id of the data source that is read. */
  readonly source: string;
  /** The last segment of the log, and of the copies, whose rows are populated; in digits. */
  readonly log: string;
  readonly copies: string;
  /** Id of the job that was to see to it, which is announced after this is written; and what that has to know. */
  readonly job?: string;
  readonly condition?: string;
  /** Id of the deployment that brought it. */
  readonly deployment?: string;
}

export interface DataSourceEntry extends Entry {
  readonly kind: 'datasource';
  readonly definition: DataSource;
  readonly pending?: readonly PendingPopulation[];
  /** Which of its tables is the live one. */
  readonly tableVersion: number;
  /** Names of its columns. */
  readonly columns: readonly string[];
}

export interface PipeEntry extends Entry {
  readonly kind: 'pipe';
  readonly definition: Pipe;
  /** Names of data sources that former definitions of it materialized into, and the present one does not. */
  readonly filled?: readonly string[];
}

export type ResourceEntry = DataSourceEntry | PipeEntry;

/** A row of a resource, deleted ones included. */
export type StoredResource = ResourceEntry & { readonly deleted: boolean };

/** Times are milliseconds since 1970, as text, when they are read. */
export interface ResourceRow {
  readonly tenant: string;
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly definition: string;
  readonly table_version: number;
  readonly built_in: boolean;
  readonly deployment: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly deleted: boolean;
  readonly version: string;
}

/** Where the live table of a data source is. */
export function placeOf({ tenant, name, id, tableVersion }: DataSourceEntry): TablePlace {
  return { tenant, name, id, version: tableVersion };
}

/** Puts an entry together. */
export function entryOf(
  rest: Entry,
  definition: Resource,
  tableVersion: number,
  pending: readonly PendingPopulation[] = [],
): ResourceEntry {
  if (definition.kind === 'pipe') return { ...rest, kind: 'pipe', definition };
  const columns = definition.columns.map(({ name }) => name);
  return {
    ...rest,
    kind: 'datasource',
    definition,
    tableVersion,
    columns,
    ...(pending.length === 0 ? {} : { pending }),
  };
}

export function fromRow(row: ResourceRow): StoredResource {
  const { tenant, id, name, built_in: builtIn, deployment, deleted } = row;
  const rest = {
    tenant,
    id,
    name,
    builtIn,
    deployment,
    createdAt: new Date(Number(row.created_at)),
    updatedAt: new Date(Number(row.updated_at)),
    version: Number(row.version),
  };
  const { pending, filled, ...definition } = JSON.parse(row.definition) as Resource &
    Pick<DataSourceEntry, 'pending'> &
    Pick<PipeEntry, 'filled'>;
  const entry = entryOf(rest, definition, row.table_version, pending);
  return { ...entry, ...(filled === undefined || entry.kind !== 'pipe' ? {} : { filled }), deleted };
}

export function toRow(entry: StoredResource): ResourceRow {
  const { tenant, id, kind, name, builtIn, deployment, deleted } = entry;
  return {
    tenant,
    id,
    kind,
    name,
    // In one text with the definition: what is to be done for it, or was done, is part of it, and no other reader needs a column of it.
    definition: JSON.stringify(
      entry.kind === 'pipe'
        ? { ...entry.definition, filled: entry.filled }
        : { ...entry.definition, pending: entry.pending },
    ),
    table_version: entry.kind === 'datasource' ? entry.tableVersion : 0,
    built_in: builtIn,
    deployment,
    created_at: dateTime(entry.createdAt),
    updated_at: dateTime(entry.updatedAt),
    deleted,
    version: String(entry.version),
  };
}
