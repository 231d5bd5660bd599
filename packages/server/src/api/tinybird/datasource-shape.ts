/** Data sources as clients read them (https://www.tinybird.co/docs/api-reference/datasource-api). */

import type { DataSource, DataSourceColumn } from '@glasshouse/model';
import { QUARANTINE_SUFFIX } from '@glasshouse/model';
import { isUsed } from '../../platform/built-in.ts';
import { hasPaths, schemaText } from '../../platform/definition-form.ts';
import type { Platform } from '../../platform/platform.ts';
import type { WorkspacePrincipal } from '../../platform/principal.ts';
import type { DataSourceEntry } from '../../platform/resource-row.ts';
import { isServiceSource } from '../../platform/usage-names.ts';
import { timeText } from './times.ts';

/** Rows and bytes of tables, by name. */
export type Sizes = ReadonlyMap<string, { readonly rows: number; readonly bytes: number }>;

/** What a scope has to reach to be about the data source. */
export function refOf({ name, id, columns }: DataSourceEntry): {
  name: string;
  id: string;
  columns: readonly string[];
} {
  return { name, id, columns };
}

/**
 * Data sources that the principal may know of. One that came with the server is there as soon as it has rows, but for those
 * about the use of the workspace: whoever lists data sources wants those of a project, and would pull the others into it.
 */
export function visibleOf(platform: Platform, principal: WorkspacePrincipal, sizes: Sizes): DataSourceEntry[] {
  const entries = platform.catalog.dataSources(principal.tenant);
  return entries.filter(
    (entry) => !(entry.builtIn && isServiceSource(entry.name)) && isUsed(entry, sizes) && maySee(principal, entry),
  );
}

export function maySee(principal: WorkspacePrincipal, entry: DataSourceEntry): boolean {
  const ref = refOf(entry);
  return (
    principal.may('DATASOURCES:READ', ref) ||
    principal.may('DATASOURCES:APPEND', ref) ||
    principal.may('DATASOURCES:DROP', ref)
  );
}

/** True if the principal may do what loses rows or changes the schema. An API key that only sends may not. */
export function mayChange(principal: WorkspacePrincipal, entry: DataSourceEntry): boolean {
  if (principal.isAdmin || principal.may('DATASOURCES:DROP', refOf(entry))) return true;
  return principal.kind === 'token' && principal.may('DATASOURCES:CREATE');
}

/** A data source, with its sizes for who may read all of it. */
export function shownDataSource(
  entry: DataSourceEntry,
  platform: Platform,
  principal: WorkspacePrincipal,
  sizes: Sizes,
): Readonly<Record<string, unknown>> {
  const { id, name, definition, tenant } = entry;
  const ref = refOf(entry);
  const readsAll = principal.may('DATASOURCES:READ', ref) && principal.readFilter(ref) === undefined;
  const size = readsAll ? sizes.get(name) : undefined;
  const columns = definition.columns.map(shownColumn);
  return {
    id,
    name,
    description: definition.description ?? '',
    type: hasPaths(definition) ? 'ndjson' : 'csv',
    cluster: 'glasshouse',
    tags: {},
    created_at: timeText(entry.createdAt),
    updated_at: timeText(entry.updatedAt),
    replicated: false,
    version: 0,
    project: null,
    headers: {},
    shared_with: definition.sharedWith,
    engine: shownEngine(definition),
    columns,
    schema: { columns, sql_schema: schemaText(definition) },
    indexes: definition.indexes.map(({ name: index, expression, type, granularity }) => ({
      name: index,
      expr: expression,
      type_full: type,
      granularity,
    })),
    ...(definition.engine.ttl === undefined ? {} : { ttl: definition.engine.ttl }),
    ...(definition.forwardQuery === undefined ? {} : { forward_query: definition.forwardQuery }),
    statistics: { row_count: size?.rows ?? 0, bytes: size?.bytes ?? 0 },
    quarantine_rows: readsAll ? (sizes.get(name + QUARANTINE_SUFFIX)?.rows ?? 0) : 0,
    new_columns_detected: {},
    kafka_topic: null,
    used_by: platform.registry
      .dependents(tenant, name)
      .filter((pipe) => principal.may('PIPES:READ', pipe))
      .map((pipe) => ({ id: pipe.id, name: pipe.name })),
  };
}

function shownColumn({ name, type, jsonPath, kind, expression, codec, comment }: DataSourceColumn): object {
  const inner = /^Nullable\((.*)\)$/su.exec(type)?.[1];
  return {
    name,
    type: inner ?? type,
    nullable: inner !== undefined,
    normalized_name: name,
    jsonpath: jsonPath ?? null,
    default_value: expression === undefined ? null : `${kind ?? 'DEFAULT'} ${expression}`,
    codec: codec === undefined ? null : `CODEC(${codec})`,
    description: comment ?? null,
  };
}

function shownEngine({ engine }: DataSource): object {
  const { name, sortingKey, partitionKey, primaryKey, ttl, version, sign, isDeleted, summingColumns } = engine;
  const parts = {
    sorting_key: sortingKey,
    partition_key: partitionKey,
    primary_key: primaryKey,
    ttl,
    ver: version,
    sign,
    is_deleted: isDeleted,
    columns: summingColumns,
  };
  const given = Object.entries(parts).filter(([, value]) => value !== undefined && value !== '');
  // Under both names that clients look for.
  return {
    engine: name,
    ...Object.fromEntries(
      given.flatMap(([key, value]) => [
        [key, value],
        [`engine_${key}`, value],
      ]),
    ),
  };
}
