/**
 * Backup of everything that is stored, with the engine's own BACKUP: parts never change, so a backup is a list of files that
 * is consistent by itself while inserts and merges go on. Beside the engine's files lies a list of the tables that are in it.
 *
 * Must stay true: all tables of a backup are of one moment, at which nothing was handed over and no table changed its place.
 * The list is written last: a directory without it is no complete backup of workspaces.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, messageOf } from '@glasshouse/model';
import { FACT_TABLES } from '@glasshouse/schema';
import type { Client } from './client.ts';
import { quoteName, quoteText } from './ddl.ts';
import { MIGRATIONS } from './migrations.ts';

/** How far a backup or a restore is. */
export interface BackupProgress {
  readonly done: number;
  readonly total: number;
}

export interface BackupResult {
  readonly files: number;
  readonly bytes: number;
}

export interface BackupOptions {
  /** Where the engine may write; must not exist. */
  readonly path: string;
  /** Comments (`id:version`) of tables that are out of sight and belong to it all the same. */
  readonly kept: ReadonlySet<string>;
  /** Keeps tables as they are and where they are, until the returned function is called. */
  readonly hold: () => Promise<() => void>;
  readonly onProgress: (progress: BackupProgress) => void;
}

/** A table of a data source, as a backup has it. */
export interface SavedTable {
  readonly database: string;
  readonly name: string;
  /** `id:version`. */
  readonly comment: string;
}

/** What is written beside the engine's files. */
export interface BackupContents {
  readonly format: 1;
  /** How many migrations the schema had seen. */
  readonly migrations: number;
  /** The tables of data sources, which are restored one by one. */
  readonly tables: readonly SavedTable[];
}

interface Row {
  readonly status: string;
  readonly error: string;
  readonly num_files: string;
  readonly total_size: string;
  readonly bytes_read: string;
  readonly files_read: string;
}

const CONTENTS_FILE = 'glasshouse.json';
const POLL_MS = 200;
/** While hand-overs wait for it. */
const FAST_POLL_MS = 10;
const SETTINGS = {
  allow_suspicious_low_cardinality_types: 1,
  // A statement names each table of each workspace.
  max_query_size: 1 << 30,
};

/** Database of what is being made and of what was replaced by a change. */
export function buildingDatabase(database: string): string {
  return `${database}_building`;
}

/** Copies the database and all tables of data sources to `path`. */
export async function backupAll(client: Client, database: string, options: BackupOptions): Promise<BackupResult> {
  const { path, kept, hold, onProgress } = options;
  const release = await hold();
  let id: string;
  let tables: readonly SavedTable[];
  try {
    tables = await dataSourceTables(client, buildingDatabase(database), kept);
    const elements = [`DATABASE ${quoteName(database)}`, ...tables.map((table) => `TABLE ${nameOf(table)}`)];
    id = await begin(client, `BACKUP ${elements.join(', ')} TO File(${quoteText(path)}) ASYNC`);
    // Its parts are chosen before the first file is written.
    await follow(client, id, undefined, ({ num_files }) => Number(num_files) > 0);
  } finally {
    release();
  }
  const result = await follow(client, id, onProgress);
  const contents: BackupContents = { format: 1, migrations: MIGRATIONS.length, tables };
  writeFileSync(join(path, CONTENTS_FILE), JSON.stringify(contents), { mode: 0o600, flush: true });
  return result;
}

/** What a backup says that it has; undefined if it is one of telemetry only. Throws `bad_request` for one that does not fit. */
export function readContents(path: string): BackupContents | undefined {
  const file = join(path, CONTENTS_FILE);
  let contents: BackupContents;
  try {
    contents = JSON.parse(readFileSync(file, 'utf8')) as BackupContents;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new AppError('bad_request', `cannot restore: ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  if (contents.format !== 1)
    throw new AppError('bad_request', `cannot restore: ${file} is of a newer server; update this one first`);
  const { migrations } = contents;
  if (migrations !== MIGRATIONS.length) {
    throw new AppError(
      'bad_request',
      `cannot restore: the backup is of schema ${migrations}, this server has ${MIGRATIONS.length}; ` +
        'restore it with the version of the server that made it, then update',
    );
  }
  return contents;
}

/** The tables of data sources that are there, and those out of sight that are kept. */
async function dataSourceTables(client: Client, building: string, kept: ReadonlySet<string>): Promise<SavedTable[]> {
  const rows = await client.rows<SavedTable>(
    `SELECT database, name, comment FROM system.tables
     WHERE engine != 'View' AND match(comment, '^\\\\w+:\\\\w+$') AND (database LIKE 'tenant\\_%' OR database = {building:String})
     ORDER BY database, name`,
    { params: { building } },
  );
  return rows.filter(({ database, comment }) => database !== building || kept.has(comment));
}

/** True for the comment of a data source's table, `id:version`. */
export function isVersion(comment: string): boolean {
  return /^\w+:\w+$/u.test(comment);
}

export function nameOf({ database, name }: Pick<SavedTable, 'database' | 'name'>): string {
  return `${quoteName(database)}.${quoteName(name)}`;
}

/** Starts a BACKUP or RESTORE; resolves with its id. */
export async function begin(client: Client, sql: string): Promise<string> {
  const [started] = await client.rows<{ id: string }>(sql, { settings: SETTINGS });
  if (started === undefined)
    throw new AppError('internal', 'cannot back up or restore: the engine did not say under which id');
  return started.id;
}

/** Follows a BACKUP or RESTORE to its end, or until it is `enough`. */
export async function follow(
  client: Client,
  id: string,
  onProgress: ((progress: BackupProgress) => void) | undefined,
  enough: (row: Row) => boolean = () => false,
): Promise<BackupResult> {
  for (;;) {
    const [row] = await client.rows<Row>(
      'SELECT status, error, num_files, total_size, bytes_read, files_read FROM system.backups WHERE id = {id:String}',
      { params: { id } },
    );
    if (row === undefined)
      throw new AppError('unavailable', 'cannot finish: the engine was restarted meanwhile; start again');
    if (/FAILED|CANCELLED/.test(row.status)) {
      throw new AppError('bad_request', `cannot back up or restore: ${row.error || row.status}`);
    }
    if (row.status === 'BACKUP_CREATED' || row.status === 'RESTORED' || enough(row)) {
      return { files: Number(row.num_files), bytes: Number(row.total_size) };
    }
    onProgress?.({ done: Number(row.bytes_read), total: Number(row.total_size) });
    await new Promise((resolve) => setTimeout(resolve, onProgress === undefined ? FAST_POLL_MS : POLL_MS));
  }
}

/** Deletes all facts. Tenants and keys stay. */
export async function truncateFacts(client: Client, database: string, onCluster: string, local: string): Promise<void> {
  for (const table of FACT_TABLES) {
    await client.command(`TRUNCATE TABLE ${quoteName(database)}.${quoteName(table.name + local)}${onCluster} SYNC`);
  }
}
