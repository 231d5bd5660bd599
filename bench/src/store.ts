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
  readonly partitions: number;
}

export async function sizeOf({ store }: OpenStore, table: string): Promise<TableSize> {
  const [size] = await store.rows<{ rows: string; bytes: string; parts: string; partitions: string }>(
    `SELECT sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts, uniqExact(partition_id) AS partitions
     FROM system.parts WHERE active AND database = 'glasshouse' AND table = {table:String}`,
    { params: { table } },
  );
  const { rows = 0, bytes = 0, parts = 0, partitions = 0 } = size ?? {};
  return { rows: Number(rows), bytes: Number(bytes), parts: Number(parts), partitions: Number(partitions) };
}

/** More than a start's own merges take, which the engine waits for two minutes each time, and then says nothing. */
const MERGE_TRIES = 10;

/** Merges every partition of a table into one part, and returns the size then. */
export async function mergeAll(open: OpenStore, table: string): Promise<TableSize> {
  for (let tries = 0; tries < MERGE_TRIES; tries++) {
    await open.store.command(`OPTIMIZE TABLE glasshouse.${table} FINAL`);
    const size = await sizeOf(open, table);
    if (size.parts <= size.partitions) return size;
  }
  throw new Error(`cannot measure: the engine does not merge all of ${table}`);
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
