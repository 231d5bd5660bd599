/**
 * A copy of the keys' hashes in a file, so that a server that starts while the store is away can still tell who sends data.
 *
 * Must stay true: the file holds no secret, only its owner may read it, and a broken file is no file.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { StoredKey } from './keys.ts';

/** The keys of the file; none if it is absent or cannot be read. */
export function loadKeys(path: string): StoredKey[] {
  try {
    const keys = JSON.parse(readFileSync(path, 'utf8')) as readonly Record<string, never>[];
    return keys.map((key) => ({
      ...(key as unknown as StoredKey),
      hash: Buffer.from(key['hash'] as unknown as string, 'hex'),
      createdAt: new Date(key['createdAt'] as unknown as string),
      expiresAt: date(key['expiresAt']),
      revokedAt: date(key['revokedAt']),
    }));
  } catch {
    return [];
  }
}

/** Writes the keys unless they are what was `saved` last; returns what is in the file now. */
export function saveKeys(path: string, keys: readonly StoredKey[], saved: string): string {
  const text = JSON.stringify(keys.map((key) => ({ ...key, hash: key.hash.toString('hex') })));
  if (text === saved) return saved;
  const draft = `${path}.tmp`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
  return text;
}

function date(value: unknown): Date | undefined {
  return typeof value === 'string' ? new Date(value) : undefined;
}
