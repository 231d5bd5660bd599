/**
 * Tinybird's SDK for TypeScript, unmodified, against the built server: rows with and without waiting, queries, pipes with
 * lists, files, deletions and their jobs, tokens that expire, and deployments of definitions written in TypeScript.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { TinybirdClient } from '@tinybirdco/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Row, Server } from './support/server.ts';
import { showLogsOfFailures, startServer } from './support/server.ts';
import type { SdkProject } from './support/tinybird-sdk.ts';
import { sdkProject } from './support/tinybird-sdk.ts';
import type { Workspace } from './support/workspace.ts';
import { call, deployFolder, expectRows, localWorkspace } from './support/workspace.ts';

const JOB_MS = 30_000;
const EXPIRY_MS = 30_000;

let server: Server;
let workspace: Workspace;
let client: TinybirdClient;
let project: SdkProject;

beforeAll(async () => {
  server = await startServer();
  workspace = await localWorkspace(server);
  await deployFolder(workspace, 'ts-sdk');
  client = clientOf(workspace.token);
  project = await sdkProject(workspace.url, workspace.token);
});

afterAll(async () => {
  await project?.close();
  await server?.stop();
});
showLogsOfFailures(() => server);

const clientOf = (token: string): TinybirdClient => new TinybirdClient({ baseUrl: workspace.url, token });
const order = (shop: string, amount: bigint | number): Row => ({ at: '2026-01-01 00:00:00', shop, amount });
const ORDERS = 'SELECT at, toString(shop) AS shop, amount, tags FROM orders';
const stored = (shop: string, amount: bigint | number, tags = {}): Row => ({
  at: '2026-01-01 00:00:00',
  shop,
  amount,
  tags,
});

describe('rows', () => {
  it('can be read when the answer is there, if one waits', async () => {
    expect(await client.ingest('orders', order('waited', 1))).toEqual({ successful_rows: 1, quarantined_rows: 0 });
    const { data } = await client.sql(`${ORDERS} WHERE shop = 'waited'`);
    expect(data).toEqual([stored('waited', 1)]);
  });

  it('come also if nobody waits', async () => {
    const counts = await client.ingest('orders', order('passing', 2), { wait: false });
    expect(counts).toEqual({ successful_rows: 1, quarantined_rows: 0 });
    await expectRows(workspace, `${ORDERS} WHERE shop = 'passing'`, [stored('passing', 2)]);
  });

  it('keep integers that a number cannot hold, and maps', async () => {
    const tags = new Map([
      ['colour', 'blue'],
      ['size', 'XL'],
    ]);
    await client.ingest('orders', { ...order('large', 2n ** 64n - 1n), tags });
    const expected = stored('large', 2n ** 64n - 1n, { colour: 'blue', size: 'XL' });
    await expectRows(workspace, `${ORDERS} WHERE shop = 'large'`, [expected]);
  });

  it('of a batch are counted, those in quarantine too', async () => {
    const batch = [order('batch', 1), { shop: 'batch', amount: 2 }, order('batch', 3), order('batch', -4)];
    expect(await client.ingestBatch('orders', batch)).toEqual({ successful_rows: 2, quarantined_rows: 2 });
    await expectRows(workspace, `${ORDERS} WHERE shop = 'batch' ORDER BY amount`, [
      stored('batch', 1),
      stored('batch', 3),
    ]);
    const quarantined = 'SELECT shop, c__error_column FROM orders_quarantine ORDER BY c__error_column';
    await expectRows(workspace, quarantined, [
      { shop: 'batch', c__error_column: ['amount'] },
      { shop: 'batch', c__error_column: ['at'] },
    ]);
  });

  it('for a data source that is not there make it, since the token may create', async () => {
    await expect(client.ingest('nowhere', order('x', 1))).resolves.toMatchObject({ successful_rows: 1 });
  });
});

describe('queries', () => {
  it('answer JSON without being asked for it', async () => {
    const answer = await client.sql("SELECT 1 AS one, toUInt64(18446744073709551615) AS large, 'x' AS text");
    expect(answer.meta).toEqual([
      { name: 'one', type: 'UInt8' },
      { name: 'large', type: 'UInt64' },
      { name: 'text', type: 'String' },
    ]);
    expect(answer.rows).toBe(1);
    // The SDK reads it as a number, which rounds it; what counts is that it is not text.
    expect(answer.data).toEqual([{ one: 1, large: 2 ** 64, text: 'x' }]);
    expect(Object.keys(answer.statistics).toSorted()).toEqual(['bytes_read', 'elapsed', 'rows_read']);
  });

  it('that are wrong say so, with 400', async () => {
    await expect(client.sql('SELECT nothing FROM orders')).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringContaining('nothing') as unknown,
    });
  });

  it('with a token that does not exist are refused with 403', async () => {
    const stranger = clientOf('p.nobody');
    await expect(stranger.sql('SELECT 1')).rejects.toMatchObject({ statusCode: 403 });
  });
});

describe('pipes', () => {
  it('take numbers and lists', async () => {
    await client.ingestBatch('orders', [order('north', 10), order('south', 20), order('north', 5), order('east', 1)]);
    const lists = await client.query('shop_totals', { shops: ['north', 'east'] });
    expect(lists.data).toEqual([
      { shop: 'east', total: 1 },
      { shop: 'north', total: 15 },
    ]);
    const limited = await client.query('shop_totals', { shops: ['north', 'east', 'south'], limit: 1 });
    expect(limited.data).toEqual([{ shop: 'east', total: 1 }]);
  });

  it('that are not there are 404', async () => {
    await expect(client.query('nowhere')).rejects.toMatchObject({ statusCode: 404 });
  });
});

describe('files', () => {
  const rowsOfShop = (shop: string): string => `SELECT amount FROM orders WHERE shop = '${shop}' ORDER BY amount`;

  it('of NDJSON and of CSV are appended', async () => {
    const ndjson = join(project.folder, 'orders.ndjson');
    await writeFile(ndjson, [order('file', 1), order('file', 2)].map((row) => JSON.stringify(row)).join('\n'));
    await client.datasources.append('orders', { file: ndjson });
    const csv = join(project.folder, 'orders.csv');
    await writeFile(csv, 'at;shop;amount\n2026-01-01 00:00:00;file;3\n');
    await client.datasources.append('orders', { file: csv, csvDialect: { delimiter: ';' } });
    await expectRows(workspace, rowsOfShop('file'), [{ amount: 1 }, { amount: 2 }, { amount: 3 }]);
  });

  it('replace what is there', async () => {
    const ndjson = join(project.folder, 'replacement.ndjson');
    await writeFile(ndjson, JSON.stringify(order('replaced', 9)));
    await client.datasources.replace('orders', { file: ndjson });
    await expectRows(workspace, ORDERS, [stored('replaced', 9)]);
  });
});

describe('deletions', () => {
  async function ended(id: string): Promise<string> {
    const deadline = Date.now() + JOB_MS;
    for (;;) {
      const { text } = await call(workspace, `GET /v0/jobs/${id}`);
      const { status } = JSON.parse(text) as { status: string };
      if (!['waiting', 'working'].includes(status) || Date.now() > deadline) return status;
      await pause(50);
    }
  }

  it('are counted before they are done, and end with their job', async () => {
    await client.ingestBatch('orders', [order('gone', 1), order('gone', 2), order('kept', 3)]);
    const wish = { deleteCondition: "shop = 'gone'" };
    expect(await client.datasources.delete('orders', { ...wish, dryRun: true })).toMatchObject({
      rows_to_be_deleted: 2,
    });
    await expectRows(workspace, "SELECT count() AS rows FROM orders WHERE shop = 'gone'", [{ rows: 2 }]);
    const { id, job_id, job_url } = await client.datasources.delete('orders', wish);
    expect(job_url).toContain(job_id);
    expect(await ended(id ?? '')).toBe('done');
    await expectRows(workspace, `${ORDERS} WHERE shop IN ('gone', 'kept')`, [stored('kept', 3)]);
  });

  it('of everything leave nothing', async () => {
    await client.datasources.truncate('orders');
    await expectRows(workspace, 'SELECT count() AS rows FROM orders', [{ rows: 0 }]);
  });
});

describe('tokens that expire', () => {
  it('may read what they name, with parameters that nobody can change', async () => {
    await client.ingestBatch('orders', [order('north', 10), order('south', 20)]);
    const { token } = await client.tokens.createJWT({
      name: 'a guest',
      expiresAt: new Date(Date.now() + 3_600_000),
      scopes: [{ type: 'PIPES:READ', resource: 'shop_totals', fixed_params: { shops: 'south' } }],
    });
    expect(token).toMatch(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
    const guest = clientOf(token);
    expect((await guest.query('shop_totals', { limit: 5 })).data).toEqual([{ shop: 'south', total: 20 }]);
    // Whether it is refused or overridden, it must not get the other shop's.
    const tried = await guest.query('shop_totals', { shops: ['north'] }).then(
      ({ data }) => data,
      () => [],
    );
    expect(tried).not.toContainEqual(expect.objectContaining({ shop: 'north' }));
    await expect(guest.sql('SELECT 1 FROM orders')).rejects.toMatchObject({ statusCode: 403 });
    await expect(guest.ingest('orders', order('x', 1))).rejects.toMatchObject({ statusCode: 403 });
  });

  it('are worth nothing afterwards', async () => {
    const { token } = await client.tokens.createJWT({
      name: 'too late',
      expiresAt: new Date(Date.now() + 3000),
      scopes: [{ type: 'PIPES:READ', resource: 'shop_totals' }],
    });
    const guest = clientOf(token);
    const status = (): Promise<number> =>
      guest.query('shop_totals').then(
        () => 200,
        (error: unknown) => (error as { statusCode: number }).statusCode,
      );
    await expect.poll(status, { timeout: EXPIRY_MS, interval: 100 }).toBe(403);
  });
});

describe('a project', () => {
  const pipeText = (node: string, sql: string): string => `NODE ${node}_node\nSQL >\n    ${sql}\nTYPE endpoint\n`;
  const definitions = (extra = ''): string => `
    import { defineDatasource, defineEndpoint, defineMaterializedView, node, t, p, engine } from '@tinybirdco/sdk';
    export const clicks = defineDatasource('clicks', {
      description: 'Clicks',
      schema: { at: t.dateTime(), page: t.string(), weight: t.uint32().default(1)${extra} },
      engine: engine.mergeTree({ sortingKey: ['page', 'at'] }),
    });
    export const pageDays = defineDatasource('page_days', {
      jsonPaths: false,
      schema: { day: t.date(), page: t.string(), weight: t.uint64() },
      engine: engine.summingMergeTree({ sortingKey: ['day', 'page'], columns: ['weight'] }),
    });
    export const pageDaysView = defineMaterializedView('page_days_mv', {
      datasource: pageDays,
      nodes: [node({
        name: 'days',
        sql: 'SELECT toDate(at) AS day, page, toUInt64(sum(weight)) AS weight FROM clicks GROUP BY day, page',
      })],
    });
    export const topPages = defineEndpoint('top_pages', {
      params: { limit: p.int32().optional(5) },
      nodes: [node({
        name: 'endpoint',
        sql: 'SELECT page, sum(weight) AS weight FROM page_days GROUP BY page ORDER BY weight DESC LIMIT {{Int32(limit, 5)}}',
      })],
      output: { page: t.string(), weight: t.uint64() },
    });
  `;

  it('is checked, deployed and answers', async () => {
    await project.write('definitions.ts', definitions());
    await project.write('by_hand.pipe', pipeText('by_hand', 'SELECT page, weight FROM clicks ORDER BY weight'));
    // What was deployed before and is not in the project would go.
    await expect(project.tinybird('deploy', '--check')).rejects.toThrow('orders');
    expect(await project.tinybird('deploy', '--allow-destructive-operations')).toMatch(/Deployment #\d+ is live/);
    const clicks = [
      { at: '2026-01-01 10:00:00', page: 'a' },
      { at: '2026-01-01 11:00:00', page: 'a', weight: 4 },
      { at: '2026-01-02 00:00:00', page: 'b', weight: 2 },
    ];
    expect(await client.ingestBatch('clicks', clicks)).toEqual({ successful_rows: 3, quarantined_rows: 0 });
    const totals = 'SELECT day, page, sum(weight) AS weight FROM page_days GROUP BY day, page ORDER BY day';
    await expectRows(workspace, totals, [
      { day: '2026-01-01', page: 'a', weight: 5 },
      { day: '2026-01-02', page: 'b', weight: 2 },
    ]);
    const { data } = await client.query('top_pages', { limit: 1 });
    expect(data).toEqual([{ page: 'a', weight: 5 }]);
  });

  it('that did not change is not deployed again', async () => {
    expect(await project.tinybird('deploy')).toContain('No changes');
  });

  it('that changed keeps its rows', async () => {
    await project.write('definitions.ts', definitions(", origin: t.string().default('unknown')"));
    expect(await project.tinybird('deploy')).toMatch(/Deployment #\d+ is live/);
    await client.ingest('clicks', { at: '2026-01-03 00:00:00', page: 'c', origin: 'search' });
    await expectRows(workspace, 'SELECT page, weight, origin FROM clicks ORDER BY at', [
      { page: 'a', weight: 1, origin: 'unknown' },
      { page: 'a', weight: 4, origin: 'unknown' },
      { page: 'b', weight: 2, origin: 'unknown' },
      { page: 'c', weight: 1, origin: 'search' },
    ]);
  });

  it('with a mistake says where, and changes nothing', async () => {
    await project.write('broken.pipe', pipeText('broken', 'SELECT nothing FROM nowhere'));
    await expect(project.tinybird('deploy')).rejects.toThrow(/nowhere/);
    await expect(client.query('broken')).rejects.toMatchObject({ statusCode: 404 });
    await project.write('broken.pipe', pipeText('broken', 'SELECT count() AS clicks FROM clicks'));
    expect(await project.tinybird('deploy')).toMatch(/Deployment #\d+ is live/);
    expect((await client.query('broken')).data).toEqual([{ clicks: 4 }]);
  });

  it('is given back as data files', async () => {
    const written = await project.tinybird('pull', '--force', '--output-dir', 'pulled');
    expect(written).toContain('clicks.datasource');
    expect(await readFile(join(project.folder, 'pulled/clicks.datasource'), 'utf8')).toMatch(
      /SCHEMA >\s[^]*`?page`? String/,
    );
    expect(await readFile(join(project.folder, 'pulled/top_pages.pipe'), 'utf8')).toMatch(/TYPE endpoint/i);
  });
});
