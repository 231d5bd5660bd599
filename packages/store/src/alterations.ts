/**
 * Changes of tables that are there already, towards their descriptions.
 *
 * Must stay true: every statement can run twice.
 */

import { invariant } from '@glasshouse/model';
import type { FactTable } from '@glasshouse/schema';
import type { DdlOptions } from './ddl.ts';
import { columnDdl, onCluster, projectionDdl, projectionSettings, quoteName } from './ddl.ts';

/** Sets the sizes of blocks to those that are declared, for parts that will be written. */
export function changeBlocks(table: FactTable, options: DdlOptions): string[] {
  return table.columns.flatMap(({ name, blockBytes }) =>
    blockBytes === undefined
      ? []
      : [
          `ALTER TABLE ${storageOf(table, options)} MODIFY COLUMN ${quoteName(name)} MODIFY SETTING ` +
            `min_compress_block_size = ${blockBytes.min}, max_compress_block_size = ${blockBytes.max}`,
        ],
  );
}

/** Adds a column that is declared behind the one that it is declared behind, and where the table is spread over servers to both. */
export function addColumn(table: FactTable, name: string, options: DdlOptions): string[] {
  const at = table.columns.findIndex((column) => column.name === name);
  const [before, column] = [table.columns[at - 1], table.columns[at]];
  invariant(before !== undefined && column !== undefined, `BUG: ${table.name} has no column ${name} behind another`);
  const { database, cluster } = options;
  const whole = `${quoteName(database)}.${quoteName(table.name)}${onCluster(cluster)}`;
  const add = `ADD COLUMN IF NOT EXISTS ${columnDdl(column, options)} AFTER ${quoteName(before.name)}`;
  return [...new Set([storageOf(table, options), whole])].map((target) => `ALTER TABLE ${target} ${add}`);
}

/** Steps that add the projections to parts that will be written, in the order of the table. */
export function addProjections(table: FactTable, options: DdlOptions): string[][] {
  const storage = storageOf(table, options);
  const settings = Object.entries(projectionSettings(table, options)).map(([name, value]) => `${name} = ${value}`);
  return [
    settings.length === 0 ? [] : [`ALTER TABLE ${storage} MODIFY SETTING ${settings.join(', ')}`],
    // The last one first: each goes before those that are there.
    ...table.projections
      .toReversed()
      .map((one) => [`ALTER TABLE ${storage} ADD ${projectionDdl(one, options, 'IF NOT EXISTS ')} FIRST`]),
  ];
}

/** Adds the projections to parts that are there, in the background; questions are answered from the rows until then. */
export function materializeProjections(table: FactTable, names: readonly string[], options: DdlOptions): string[] {
  return names.map(
    (name) =>
      `ALTER TABLE ${storageOf(table, options)} MATERIALIZE PROJECTION ${quoteName(name)} SETTINGS mutations_sync = 0`,
  );
}

/** The table that has the rows, in a statement that changes it everywhere. */
export function storageOf(table: FactTable, { database, cluster }: DdlOptions): string {
  const name = cluster === undefined ? table.name : `${table.name}_local`;
  return `${quoteName(database)}.${quoteName(name)}${onCluster(cluster)}`;
}
