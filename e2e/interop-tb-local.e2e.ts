/**
 * Tinybird's command line for Forward against the built server as if it were Tinybird Local: no token is given, each
 * project gets a workspace of its own, and `build` brings its fixtures along.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import type { TinybirdCli } from './support/tinybird-cli.ts';
import { tinybirdCli } from './support/tinybird-cli.ts';
import { INSTALL_MS } from './support/toolbox.ts';

/** The command line can be told another one, other tools cannot. */
const USUAL_PORT = 7181;

let server: Server;
let tb: TinybirdCli;
let other: TinybirdCli;

beforeAll(async () => {
  server = await startServer();
  const env = { TB_LOCAL_HOST: '127.0.0.1', TB_LOCAL_PORT: String(server.ports.tinybird) };
  tb = await tinybirdCli({ client: 'tb-forward', project: 'forward', env });
  other = await tinybirdCli({ client: 'tb-forward', project: 'forward', env });
}, INSTALL_MS);

afterAll(async () => {
  await tb?.close();
  await other?.close();
  await server?.stop();
});
showLogsOfFailures(() => server);

const rowsOf = async (cli: TinybirdCli, query: string): Promise<unknown> =>
  (JSON.parse(await cli.run('--local', '--output', 'json', 'sql', query)) as { data: unknown }).data;
const TOTAL = 'SELECT count() AS rows, sum(n) AS total FROM hits';

describe('build', () => {
  it('makes the project and loads its fixtures', async () => {
    const output = await tb.run('build');
    expect(output).toContain('datasources/hits.datasource created');
    expect(output).toContain('endpoints/top_hits.pipe created');
    await expect.poll(() => rowsOf(tb, TOTAL), { timeout: 30_000 }).toEqual([{ rows: 2, total: 4 }]);
  });

  it('does nothing if nothing changed, and loads no fixture twice', async () => {
    expect(await tb.run('build')).toContain('No changes. Build skipped.');
    const path = join(tb.folder, 'endpoints/top_hits.pipe');
    await writeFile(path, (await readFile(path, 'utf8')).replace('ORDER BY page', 'ORDER BY page DESC'));
    expect(await tb.run('build')).toContain('endpoints/top_hits.pipe changed');
    expect(await rowsOf(tb, TOTAL)).toEqual([{ rows: 2, total: 4 }]);
  });

  it('brings the secrets of the folder along', async () => {
    await writeFile(join(tb.folder, '.env.local'), 'salt=hush-hush\n');
    const sql = "%\n    SELECT {{ tb_secret('salt') }} AS salt";
    const path = join(tb.folder, 'endpoints/salted.pipe');
    await writeFile(path, `NODE salted_node\nSQL >\n    ${sql}\nTYPE endpoint\n`);
    await tb.run('build');
    expect(await tb.run('--local', 'endpoint', 'data', 'salted', '--format', 'csv')).toContain('"hush-hush"');
  });

  it('says what is wrong', async () => {
    const path = join(tb.folder, 'endpoints/wrong.pipe');
    await writeFile(path, 'NODE wrong_node\nSQL >\n    SELECT nothing FROM nowhere\nTYPE endpoint\n');
    const { code, output } = await tb.outcome('build');
    expect(code).not.toBe(0);
    expect(output).toContain('nowhere');
  });
});

it('gives every project a workspace of its own', async () => {
  const { code, output } = await other.outcome('--local', 'sql', TOTAL);
  expect(code).not.toBe(0);
  expect(output).toContain('hits');
  await other.run('build');
  await other.run('datasource', 'append', 'hits', '--events', '{"ts":"2026-03-01 00:00:00","page":"mine","n":10}');
  await expect.poll(() => rowsOf(other, TOTAL), { timeout: 30_000 }).toEqual([{ rows: 3, total: 14 }]);
  expect(await rowsOf(tb, TOTAL)).toEqual([{ rows: 2, total: 4 }]);
});

it('deploys what was built as no change', async () => {
  expect(await other.run('--local', 'deploy')).toContain('No changes');
});

it('runs tests in a workspace that goes away', async () => {
  expect(await other.run('test', 'run')).toContain('No tests to run');
  expect(await rowsOf(other, TOTAL)).toEqual([{ rows: 3, total: 14 }]);
});

it('is found without being told where, on the port that such tools expect', async () => {
  const usual = await startServer({ env: { GLASSHOUSE_TINYBIRD_PORT: String(USUAL_PORT) } });
  const plain = await tinybirdCli({ client: 'tb-forward', project: 'forward' });
  try {
    if (usual.ports.tinybird !== USUAL_PORT)
      throw new Error(`cannot listen on port ${USUAL_PORT}: another process does; end it and run the test again`);
    expect(await plain.run('build')).toContain('datasources/hits.datasource created');
  } finally {
    await plain.close();
    await usual.stop();
  }
});
