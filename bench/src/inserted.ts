/** How much of what was acknowledged is in the table: what separates ingest from buffering. */

import type { Server } from './server.ts';
import { pause } from './server.ts';

const DRAIN_DEADLINE_MS = 300_000;

/** Rows of a fact table that the store has, counted in the table itself. */
export async function countRows(server: Server, table: 'spans' | 'logs'): Promise<number> {
  const [row] = await server.sql<{ rows: number | string }>(`SELECT count() AS rows FROM ${table}`);
  return Number(row?.rows ?? 0);
}

/** Waits until nothing is left in the write-ahead log; resolves with the seconds that took. */
export async function untilDrained(server: Server): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const [open, backlog] = await Promise.all([
      server.metric('glasshouse_wal_open_rows'),
      server.metric('glasshouse_wal_backlog_segments'),
    ]);
    const elapsedMs = performance.now() - startedAt;
    if (open === 0 && backlog === 0) return elapsedMs / 1000;
    if (elapsedMs > DRAIN_DEADLINE_MS)
      throw new Error(`cannot drain: ${open} open rows and ${backlog} segments are left`);
    await pause(20);
  }
}
