/** What deployments populate: materializations that are new by them, each row once, while events come in, whatever becomes of it. */

import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { live } from './testing/live.ts';
import type { Answer, TestServer } from './testing/server.ts';
import { startTestServer } from './testing/server.ts';

type Json = Readonly<Record<string, unknown>>;
type Files = Readonly<Record<string, string>>;

let server: TestServer;
let token: string;
let workspaces = 0;

beforeAll(async () => {
  server = await startTestServer({ GLASSHOUSE_AUTH: 'open', GLASSHOUSE_SEAL_MS: '30' });
}, 60_000);

afterAll(() => server?.close());

beforeEach(async () => {
  token = String((await server.call(`POST /v1/workspaces?name=populate_deployed_${++workspaces}`)).json['token']);
});

const { pipe, sending } = live(
  () => server,
  () => token,
);
const call = (request: string, body?: string | FormData): Promise<Answer> =>
  server.call(request, { token, ...(body === undefined ? {} : { body }) });
const rows = (sql: string): Promise<readonly Json[]> => server.rows(sql, token);

const MERGE_TREE = 'ENGINE "MergeTree"\nENGINE_SORTING_KEY "id"\n';
/** Many partitions, so that populating takes a while and segments come in between. */
const FROM = `SCHEMA >\n    \`id\` UInt64 \`json:$.id\`,\n    \`k\` String \`json:$.k\`\n\n${MERGE_TREE}ENGINE_PARTITION_KEY "id % 8"\n`;
const TO = `SCHEMA >\n    \`id\` UInt64,\n    \`k\` String\n\n${MERGE_TREE}`;
const SUMS = 'SCHEMA >\n    `k` String,\n    `n` UInt64\n\nENGINE "SummingMergeTree"\nENGINE_SORTING_KEY "k"\n';
const made = (sql: string, target: string): string =>
  `NODE step\nSQL >\n    ${sql}\nTYPE materialized\nDATASOURCE ${target}\n`;
const COPIED = made('SELECT id, k FROM source', 'target');

/** Deploys a project; resolves with the deployment when it is live. */
async function deploy(files: Files, query = ''): Promise<Json> {
  const body = new FormData();
  for (const [name, text] of Object.entries(files)) body.append('data_project://', new Blob([text]), name);
  const { status, text, json } = await call(`POST /v1/deploy?auto_promote=true&from=cli${query}`, body);
  expect(status, text).toBe(200);
  const { id } = json['deployment'] as Json;
  await expect.poll(async () => (await shown(String(id)))['live'], { timeout: 20_000 }).toBe(true);
  return shown(String(id));
}

const shown = async (id: string): Promise<Json> => (await call(`/v1/deployments/${id}`)).json['deployment'] as Json;
const jobs = async (): Promise<readonly Json[]> => (await call('/v0/jobs?kind=populateview')).json['jobs'] as Json[];

/** The populations that were begun, when they have ended. */
async function populated(count: number): Promise<readonly Json[]> {
  await expect
    .poll(async () => (await jobs()).filter(({ status }) => /done|error|cancelled/u.test(String(status))).length, {
      timeout: 30_000,
    })
    .toBe(count);
  return jobs();
}

const messages = async ({ id }: Json, level: string): Promise<readonly string[]> => {
  const feedback = (await shown(String(id)))['feedback'] as readonly { level: string; message: string }[];
  return feedback.filter((one) => one.level === level).map(({ message }) => message);
};

/** Rows, different ids, and what the source has of them. */
const counts = async (): Promise<unknown> =>
  (await rows('SELECT count() AS rows, uniqExact(id) AS ids, (SELECT count() FROM source) AS sent FROM target'))[0];
const same = (n: number): Json => ({ rows: n, ids: n, sent: n });

describe('a new materialization of a deployment', () => {
  it('makes something of every row once, of those before it as well, while events come in', async () => {
    await deploy({ 'source.datasource': FROM });
    const sender = sending('source');
    await pause(500);
    const files = { 'source.datasource': FROM, 'target.datasource': TO, 'made.pipe': COPIED };
    const deployed = await deploy(files);
    const [job] = await populated(1);
    expect(job).toMatchObject({
      status: 'done',
      pipe_name: 'made',
      targets: ['target'],
      deployment_id: deployed['id'],
      progress_percentage: 100,
    });
    expect(Number(job?.['rows_read'])).toBeGreaterThan(0);
    const sent = await sender.stop();
    expect(await counts()).toEqual(same(sent));
    await expect
      .poll(() => messages(deployed, 'INFO'))
      .toEqual(
        expect.arrayContaining([
          expect.stringContaining(`job ${String(job?.['id'])}`) as unknown,
          expect.stringContaining(`${String(job?.['rows_read'])} rows were read`) as unknown,
        ]),
      );
    const body = new FormData();
    for (const [name, text] of Object.entries(files)) body.append('data_project://', new Blob([text]), name);
    expect((await call('POST /v1/deploy?auto_promote=true&from=cli', body)).json['result']).toBe('no_changes');
    expect(await jobs()).toHaveLength(1);
  }, 120_000);

  it('begins with nothing over a source that is empty or new, and without a job', async () => {
    await deploy({ 'source.datasource': FROM, 'target.datasource': TO, 'made.pipe': COPIED });
    const sender = sending('source');
    await pause(100);
    const sent = await sender.stop();
    expect([await counts(), await jobs()]).toEqual([same(sent), []]);
  }, 60_000);

  it('of another that is new is populated by it, and of sums with what they had', async () => {
    const sums = { 'source.datasource': FROM, 'sums.datasource': SUMS };
    const one = { 'one.pipe': made('SELECT k, count() AS n FROM source GROUP BY k', 'sums') };
    await deploy({ 'source.datasource': FROM });
    const sender = sending('source');
    await pause(400);
    await deploy({
      ...sums,
      ...one,
      'more.datasource': SUMS,
      'two.pipe': made("SELECT 'all' AS k, sum(n) AS n FROM sums GROUP BY k", 'more'),
    });
    await populated(1);
    await deploy({
      ...sums,
      ...one,
      'more.datasource': SUMS,
      'two.pipe': made("SELECT 'all' AS k, sum(n) AS n FROM sums GROUP BY k", 'more'),
      'third.datasource': SUMS,
      'three.pipe': made('SELECT k, n FROM sums', 'third'),
    });
    expect((await populated(2)).map(({ status }) => status)).toEqual(['done', 'done']);
    const sent = await sender.stop();
    for (const table of ['sums', 'more', 'third'])
      expect([table, (await rows(`SELECT sum(n) AS n FROM ${table}`))[0]]).toEqual([table, { n: sent }]);
  }, 120_000);

  it('adds to a target what no pipe made for it before', async () => {
    const files = { 'source.datasource': FROM, 'other.datasource': FROM, 'target.datasource': TO };
    await deploy({ ...files, 'made.pipe': COPIED });
    const senders = [sending('source'), sending('other', 1_000_000)] as const;
    await pause(300);
    await deploy({ ...files, 'made.pipe': COPIED, 'also.pipe': made('SELECT id, k FROM other', 'target') });
    expect(await populated(1)).toMatchObject([{ pipe_name: 'also', status: 'done' }]);
    const sent = (await senders[0].stop()) + (await senders[1].stop()) - 1_000_000;
    expect(await counts()).toMatchObject({ rows: sent, ids: sent });
  }, 120_000);

  it('that is a former one under another name is not populated, which it says', async () => {
    const files = { 'source.datasource': FROM, 'target.datasource': TO };
    await deploy({ ...files, 'made.pipe': COPIED });
    const sender = sending('source');
    await pause(200);
    const deployed = await deploy({ ...files, 'renamed.pipe': COPIED }, '&allow_destructive_operations=true');
    expect(await messages(deployed, 'WARNING')).toEqual([expect.stringContaining('truncate=true')]);
    const sent = await sender.stop();
    expect([await counts(), await jobs()]).toEqual([same(sent), []]);
  }, 60_000);

  it('that a pipe was, until somebody edited it, is not populated either', async () => {
    const files = { 'source.datasource': FROM, 'target.datasource': TO, 'elsewhere.datasource': TO };
    await deploy({ ...files, 'made.pipe': COPIED });
    await call('POST /v0/events?name=source&wait=true', '{"id":1,"k":"a"}');
    const node = { name: 'step', sql: 'SELECT id, k FROM source', type: 'materialized', datasource: 'elsewhere' };
    await pipe('made', [node]);
    const deployed = await deploy({ ...files, 'made.pipe': COPIED });
    expect(await messages(deployed, 'WARNING')).toEqual([expect.stringContaining('truncate=true')]);
    expect([await rows('SELECT id FROM target'), await jobs()]).toEqual([[{ id: 1 }], []]);
  }, 60_000);

  it('leaves a target alone that says so', async () => {
    await deploy({ 'source.datasource': FROM });
    await call('POST /v0/events?name=source&wait=true', '{"id":1,"k":"a"}');
    await deploy({ 'source.datasource': FROM, 'target.datasource': `${TO}BACKFILL skip\n`, 'made.pipe': COPIED });
    await call('POST /v0/events?name=source&wait=true', '{"id":2,"k":"a"}');
    expect([await rows('SELECT id FROM target'), await jobs()]).toEqual([[{ id: 2 }], []]);
  }, 60_000);
});

describe('a population that fails', () => {
  it('leaves its deployment live, says why, and is there when it is asked for again', async () => {
    await deploy({ 'source.datasource': FROM });
    await call('POST /v0/events?name=source&wait=true', '{"id":1,"k":"bad"}\n{"id":2,"k":"7"}');
    const strict = made('SELECT toUInt64(k) AS id, k FROM source', 'target');
    const deployed = await deploy({ 'source.datasource': FROM, 'target.datasource': TO, 'made.pipe': strict });
    expect(await populated(1)).toMatchObject([{ status: 'error', error: expect.stringContaining('bad') as unknown }]);
    await expect
      .poll(() => messages(deployed, 'ERROR'))
      .toEqual([
        expect.stringMatching(
          /^cannot populate by pipe=made: .*bad.*POST \/v0\/pipes\/made\/nodes\/step\/population/su,
        ),
      ]);
    expect(await shown(String(deployed['id']))).toMatchObject({ live: true, errors: [] });
    await call('POST /v0/events?name=source&wait=true', '{"id":3,"k":"9"}');
    expect(await rows('SELECT id FROM target')).toEqual([{ id: 9 }]);
    const lenient = made('SELECT toUInt64OrZero(k) AS id, k FROM source', 'target');
    await deploy({ 'source.datasource': FROM, 'target.datasource': TO, 'made.pipe': lenient });
    const again = await call('POST /v0/pipes/made/nodes/step/population');
    expect(again.status, again.text).toBe(200);
    expect((await populated(2)).map(({ status }) => status).toSorted()).toEqual(['done', 'error']);
    expect(await rows('SELECT id FROM target ORDER BY id')).toEqual([{ id: 0 }, { id: 7 }, { id: 9 }]);
  }, 60_000);
});

it('logged no fault', () => {
  expect(server.faults).toEqual([]);
});
