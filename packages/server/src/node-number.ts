/** The number of this server among those that share a store. */

import { randomInt } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A 16-bit number of this data directory, which keeps its segment ids apart from those of other servers. */
export function nodeNumber(dataDir: string): number {
  const path = join(dataDir, 'node-number');
  if (!existsSync(path)) writeFileSync(path, String(randomInt(0x1_0000)), { mode: 0o600 });
  return Number(readFileSync(path, 'utf8'));
}
