/**
 * The store without the server: opens the data directory of a stopped server, or an empty one, through the same code that the
 * server uses. For what only the owner of the database may ask (parts, merges) and for loading without the server.
 */

import { mkdirSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import { embeddedTarget, Store } from '@glasshouse/store';

/** Closes with its scope. */
export interface OpenStore extends AsyncDisposable {
  readonly store: Store;
  readonly engine: Engine;
  close(): Promise<void>;
}

/** Opens the store in the data directory of a server that is not running. */
export async function openStore(dataDir: string): Promise<OpenStore> {
  mkdirSync(dataDir, { recursive: true });
  const engine = await startEngine({
    dataDir: join(dataDir, 'engine'),
    backupDir: join(dataDir, 'backup'),
    maxMemoryBytes: Math.floor(totalmem() / 2),
  });
  const store = await Store.open({ target: embeddedTarget(engine), retentionDays: 90 });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= store.close().then(() => engine.stop()));
  return { store, engine, close, [Symbol.asyncDispose]: close };
}

/** Size of a table. */
export interface TableSize {
  readonly rows: number;
  readonly bytes: number;
  readonly parts: number;
}

export async function sizeOf({ store }: OpenStore, table: string): Promise<TableSize> {
  const [size] = await store.rows<{ rows: string; bytes: string; parts: string }>(
    `SELECT sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts
     FROM system.parts WHERE active AND database = 'glasshouse' AND table = {table:String}`,
    { params: { table } },
  );
  return { rows: Number(size?.rows ?? 0), bytes: Number(size?.bytes ?? 0), parts: Number(size?.parts ?? 0) };
}

/** Merges every partition of a table into one part, and returns the size then. */
export async function mergeAll(open: OpenStore, table: string): Promise<TableSize> {
  await open.store.command(`OPTIMIZE TABLE glasshouse.${table} FINAL`);
  return sizeOf(open, table);
}

/** Compressed bytes per row of the largest columns, largest first. */
export async function columnSizes({ store }: OpenStore, table: string, rows: number): Promise<[string, number][]> {
  const columns = await store.rows<{ name: string; bytes: string }>(
    `SELECT name, data_compressed_bytes AS bytes FROM system.columns
     WHERE database = 'glasshouse' AND table = {table:String} ORDER BY bytes DESC LIMIT 8`,
    { params: { table } },
  );
  return columns.map(({ name, bytes }) => [name, Number(bytes) / rows]);
}
