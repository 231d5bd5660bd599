/**
 * A copy of the data platform's control rows in a file, so that a server that starts while the store is away still knows whose
 * token it is and which data source is meant.
 *
 * Must stay true: there is no secret in the file, only its owner may read it, and a broken file is no file.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { StoredResource } from './resource-row.ts';
import type { StoredToken } from './token-row.ts';

export interface Snapshot {
  readonly tenants: readonly string[];
  readonly resources: readonly StoredResource[];
  readonly tokens: readonly StoredToken[];
}

const NOTHING: Snapshot = { tenants: [], resources: [], tokens: [] };

/** What the file holds; nothing if it is absent or cannot be read. */
export function loadSnapshot(path: string): Snapshot {
  try {
    const { tenants, resources, tokens } = JSON.parse(readFileSync(path, 'utf8')) as Snapshot;
    return { tenants: tenants.map(String), resources: resources.map(withDates), tokens: tokens.map(withDates) };
  } catch {
    return NOTHING;
  }
}

/** Writes the file; the former one is there until the new one is complete. */
export function saveSnapshot(path: string, snapshot: Snapshot): void {
  const draft = `${path}.tmp`;
  writeFileSync(draft, JSON.stringify(snapshot), { mode: 0o600 });
  renameSync(draft, path);
}

function withDates<T extends { readonly createdAt: Date; readonly updatedAt: Date }>(row: T): T {
  return { ...row, createdAt: new Date(row.createdAt), updatedAt: new Date(row.updatedAt) };
}
