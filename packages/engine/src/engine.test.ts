/**
 * Runs the store contract on the embedded engine, or on the server that GLASSHOUSE_STORE_URL names.
 * Separate from `embedded.test.ts`, which holds what only the embedded engine promises.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { createAgent } from './agent.ts';
import { describeStore } from './engine.suite.ts';
import { startEngine, type Engine } from './supervisor.ts';

const given = process.env['GLASSHOUSE_STORE_URL'];

if (given !== undefined && given !== '') {
  const url = new URL(given);
  describeStore(url.host, () =>
    Promise.resolve({
      url: `${url.protocol}//${url.host}`,
      username: decodeURIComponent(url.username) || 'default',
      password: decodeURIComponent(url.password),
    }),
  );
} else {
  let engine: Engine | undefined;
  const dir = mkdtempSync(join(tmpdir(), 'glasshouse-contract-'));
  describeStore('embedded', async () => {
    engine = await startEngine({
      dataDir: join(dir, 'engine'),
      backupDir: join(dir, 'backup'),
      maxMemoryBytes: 2 * 1024 ** 3,
    });
    const { user, password } = engine.credentials.writer;
    const { url, socketPath } = engine;
    return { url, username: user, password, agent: () => createAgent({ socketPath }) };
  });
  afterAll(async () => {
    await engine?.stop();
    rmSync(dir, { recursive: true, force: true });
  });
}
