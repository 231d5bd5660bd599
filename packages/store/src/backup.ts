/**
 * Backup and restore of the facts and the control plane with the engine's own BACKUP: parts never change, so a backup is a
 * list of files that is consistent by itself while inserts and merges go on.
 *
 * Must stay true: a restore puts nothing in place before all of it was read, and what it replaces stays until the next one.
 */

import { AppError } from '@glasshouse/model';
import { FACT_TABLES } from '@glasshouse/schema';
import type { Client } from './client.ts';
import { quoteName, quoteText } from './ddl.ts';

/** How far a backup or a restore is. */
export interface BackupProgress {
  readonly done: number;
  readonly total: number;
}

export interface BackupResult {
  readonly files: number;
  readonly bytes: number;
}

interface Row {
  readonly status: string;
  readonly error: string;
  readonly num_files: string;
  readonly total_size: string;
  readonly bytes_read: string;
  readonly files_read: string;
}

const POLL_MS = 200;
const SETTINGS = { allow_suspicious_low_cardinality_types: 1 };
const CONTROL_TABLES = ['tenants', 'api_keys'] as const;

/** Tables that a restore puts in place. */
function tables(): string[] {
  return [...FACT_TABLES.map((table) => table.name), ...CONTROL_TABLES];
}

/** Copies the database to `path`, which must be where the engine may write and must not exist. */
export async function backupDatabase(
  client: Client,
  database: string,
  path: string,
  onProgress: (progress: BackupProgress) => void,
): Promise<BackupResult> {
  return follow(client, `BACKUP DATABASE ${quoteName(database)} TO File(${quoteText(path)}) ASYNC`, onProgress);
}

/** Name of the database that keeps what a restore replaced. */
export function replacedDatabase(database: string): string {
  return `${database}_replaced`;
}

/**
 * Reads the backup at `path` beside the database, then calls `exclusively` to put it in place while nothing is inserted.
 * What was there before is kept in `replacedDatabase`.
 */
export async function restoreDatabase(
  client: Client,
  database: string,
  path: string,
  exclusively: (exchange: () => Promise<void>) => Promise<void>,
  onProgress: (progress: BackupProgress) => void,
): Promise<BackupResult> {
  const beside = replacedDatabase(database);
  await client.command(`DROP DATABASE IF EXISTS ${quoteName(beside)} SYNC`);
  const from = `RESTORE DATABASE ${quoteName(database)} AS ${quoteName(beside)} FROM File(${quoteText(path)}) ASYNC`;
  const result = await follow(client, from, onProgress);
  await exclusively(async () => {
    for (const table of tables()) {
      await client.command(
        `EXCHANGE TABLES ${quoteName(database)}.${quoteName(table)} AND ${quoteName(beside)}.${quoteName(table)}`,
      );
    }
  });
  return result;
}

/** Deletes all facts. Tenants and keys stay. */
export async function truncateFacts(client: Client, database: string, onCluster: string, local: string): Promise<void> {
  for (const table of FACT_TABLES) {
    await client.command(`TRUNCATE TABLE ${quoteName(database)}.${quoteName(table.name + local)}${onCluster} SYNC`);
  }
}

/** Starts a BACKUP or RESTORE and follows it to its end. */
async function follow(
  client: Client,
  sql: string,
  onProgress: (progress: BackupProgress) => void,
): Promise<BackupResult> {
  const [started] = await client.rows<{ id: string }>(sql, { settings: SETTINGS });
  if (started === undefined)
    throw new AppError('internal', 'cannot back up or restore: the engine did not say under which id');
  for (;;) {
    const [row] = await client.rows<Row>(
      'SELECT status, error, num_files, total_size, bytes_read, files_read FROM system.backups WHERE id = {id:String}',
      { params: { id: started.id } },
    );
    if (row === undefined)
      throw new AppError('unavailable', 'cannot finish: the engine was restarted meanwhile; start again');
    if (/FAILED|CANCELLED/.test(row.status)) {
      throw new AppError('bad_request', `cannot back up or restore: ${row.error || row.status}`);
    }
    if (row.status === 'BACKUP_CREATED' || row.status === 'RESTORED') {
      return { files: Number(row.num_files), bytes: Number(row.total_size) };
    }
    onProgress({ done: Number(row.bytes_read), total: Number(row.total_size) });
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
