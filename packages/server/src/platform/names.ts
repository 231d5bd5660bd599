/**
 * Names of resources. They become names of tables in the tenant's database, which has views of its own, and parts of routes
 * and scopes.
 *
 * Must stay true: no two tables of a workspace, quarantines and views included, differ in nothing but case: some file systems
 * would take them for one.
 */

import { AppError, QUARANTINE_SUFFIX, SEGMENT } from '@glasshouse/model';
import { VIEWS, YIELDING_VIEWS } from '@glasshouse/store';

const RESOURCE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,119}$/u;
const COLUMN_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,199}$/u;
/** What an id looks like: a name like it would be taken for one. */
const ID_PATTERN = /^t_[0-9a-f]{32}$/u;

/** Names that mean something else in a query: `_` is the result of a pipe. */
const RESERVED: ReadonlySet<string> = new Set(['_', 'system', 'information_schema', 'telemetry']);

/** Columns that the engine has in every table, and our own. */
const RESERVED_COLUMNS: ReadonlySet<string> = new Set([
  SEGMENT,
  '_part',
  '_part_index',
  '_part_offset',
  '_part_starting_offset',
  '_part_granule_offset',
  '_part_uuid',
  '_part_data_version',
  '_partition_id',
  '_partition_value',
  '_sample_factor',
  '_row_exists',
  '_block_number',
  '_block_offset',
  '_database',
  '_table',
]);

/** Throws `bad_request` unless the name can be a resource's. */
export function checkResourceName(kind: 'datasource' | 'pipe', name: string): void {
  const refuse = (why: string): never => {
    throw new AppError('bad_request', `cannot name a ${kind} ${JSON.stringify(name.slice(0, 130))}: ${why}`);
  };
  if (!RESOURCE_NAME.test(name)) refuse('letters, digits and _ only, no digit first, 120 at most');
  if (ID_PATTERN.test(name)) refuse('it looks like an id');
  if (RESERVED.has(name.toLowerCase())) refuse('it has another meaning in queries');
  if (kind === 'datasource' && name.toLowerCase().endsWith(QUARANTINE_SUFFIX))
    refuse(`names that end with ${QUARANTINE_SUFFIX} belong to the rows that do not fit a data source`);
  const lower = name.toLowerCase();
  if (Object.keys(VIEWS).some((view) => view.toLowerCase() === lower && !YIELDING_VIEWS.has(name)))
    refuse('a view of the workspace has this name');
}

/** Throws `conflict` if one of the names that are there differs from this one in nothing but case, or is its quarantine. */
export function checkClash(kind: 'datasource' | 'pipe', name: string, others: Iterable<string>): void {
  const lower = name.toLowerCase();
  for (const other of others) {
    const taken = other.toLowerCase();
    if (taken === lower || taken + QUARANTINE_SUFFIX === lower || taken === lower + QUARANTINE_SUFFIX) {
      throw new AppError('conflict', `cannot name a ${kind} ${name}: the workspace has ${other} already`);
    }
  }
}

/** Throws `bad_request` unless the name can be a column's. */
export function checkColumnName(dataSource: string, name: string): void {
  if (COLUMN_NAME.test(name) && !RESERVED_COLUMNS.has(name)) return;
  const why = RESERVED_COLUMNS.has(name)
    ? 'every table has a column of this name'
    : 'letters, digits and _ only, no digit first, 200 at most';
  throw new AppError(
    'bad_request',
    `cannot use column=${JSON.stringify(name.slice(0, 210))} in data source ${dataSource}: ${why}`,
  );
}
