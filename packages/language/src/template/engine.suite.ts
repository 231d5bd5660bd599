/** The real engine in the test's own process, for tests that ask it what a text means. */

import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Engine {
  /** The answer to one statement as text of the format. */
  query(sql: string, format: string): string;
  close(): void;
}

/** Opens an engine on a directory of its own. A process has one at most. */
export function openEngine(): Engine {
  const chdb: unknown = createRequire(import.meta.url)('chdb');
  if (typeof chdb !== 'object' || chdb === null || !('Session' in chdb) || typeof chdb.Session !== 'function')
    throw new Error('no engine');
  const directory = mkdtempSync(path.join(tmpdir(), 'template-'));
  const session = Reflect.construct(chdb.Session, [directory]) as {
    query(sql: string, format: string): string;
    cleanup(): void;
  };
  return {
    query: (sql, format) => session.query(sql, format),
    close: () => {
      session.cleanup();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The value of the first column of the first row. */
export function askEngine(engine: Engine, sql: string): unknown {
  const [first = '[]'] = engine.query(sql, 'JSONCompactEachRow').split('\n');
  return (JSON.parse(first) as unknown[])[0];
}
