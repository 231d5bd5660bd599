/** Populations while rows come in by every way: whatever is done meanwhile, and however often, each row is made something of once. */

import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENT_SCHEMA, live } from './testing/live.ts';
import type { Answer, Elsewhere, TestServer } from './testing/server.ts';
import { elsewhere, startTestServer } from './testing/server.ts';

type Json = Readonly<Record<string, unknown>>;

let server: TestServer;
let other: Elsewhere;
const FILE_ROWS = 3_000;
const file = (from: number): string =>
  Array.from({ length: FILE_ROWS }, (_, index) => JSON.stringify({ id: from + index, k: 'file' })).join('\n');

beforeAll(async () => {
  other = await elsewhere((_, response) => response.end(file(2_000_000)));
  server = await startTestServer({
    GLASSHOUSE_AUTH: 'open',
    GLASSHOUSE_SEAL_MS: '30',
    GLASSHOUSE_IMPORT_ALLOW: other.host,
  });
}, 60_000);

afterAll(async () => {
  await server?.close();
  await other?.close();
});

const { source, pipe, ended, sending } = live(() => server);
/** Many partitions, so that populating takes a while and segments come in between. */
const SLOW = { engine: 'MergeTree', engine_sorting_key: 'id', engine_partition_key: 'id % 8' };
const SUMS = { engine: 'SummingMergeTree', engine_sorting_key: 'k' };
const into = (datasource: string, sql: string): Json => ({ name: 'made', type: 'materialized', datasource, sql });
const populate = (name: string, query = ''): Promise<Answer> =>
  server.call(`POST /v0/pipes/${name}/nodes/made/population?${query}`);
/** Rows, different ids, and what the source has of them. */
const counts = async (target: string, of: string): Promise<Json | undefined> => {
  const sql = `SELECT count() AS rows, uniqExact(id) AS ids, (SELECT count() FROM ${of}) AS sent FROM ${target}`;
  return (await server.rows(sql))[0];
};
const same = (rows: number): Json => ({ rows, ids: rows, sent: rows });

describe('a population while events come in', () => {
  it('runs once at a time, and not again unless everything is made anew', async () => {
    await source('twice_from', EVENT_SCHEMA, SLOW);
    await source('twice_to', EVENT_SCHEMA);
    const sender = sending('twice_from');
    await pause(500);
    const node = into('twice_to', 'SELECT id, k FROM twice_from');
    const first = await pipe('twice_mv', [node], '&populate=true');
    const second = await populate('twice_mv');
    expect(second.status).toBe(409);
    expect(await ended(first)).toMatchObject({ status: 'done' });
    const third = await populate('twice_mv');
    expect([third.status, third.json['error']]).toEqual([409, expect.stringContaining('truncate=true') as string]);
    expect(await ended(await pipe('twice_mv', [node], '&populate=true'))).toMatchObject({ status: 'done' });
    expect(await ended((await populate('twice_mv', 'truncate=true')).json)).toMatchObject({ status: 'done' });
    // A pipe that is made again finds the rows that it made before.
    expect((await server.call('DELETE /v0/pipes/twice_mv')).status).toBe(204);
    await pause(100);
    expect(await ended(await pipe('twice_mv', [node], '&populate=true'))).toMatchObject({ status: 'done' });
    const sent = await sender.stop();
    expect(await counts('twice_to', 'twice_from')).toEqual(same(sent));
  }, 120_000);

  it('goes on where it was cancelled', async () => {
    await source('cancelled_from', EVENT_SCHEMA, { ...SLOW, engine_partition_key: 'id % 40' });
    await source('cancelled_to', EVENT_SCHEMA);
    const sender = sending('cancelled_from');
    await pause(700);
    const node = into('cancelled_to', 'SELECT id, k FROM cancelled_from');
    const { job } = await pipe('cancelled_mv', [node], '&populate=true');
    await server.call(`POST /v0/jobs/${(job as Json)['id'] as string}/cancel`);
    expect(await ended({ job })).toMatchObject({ status: 'cancelled' });
    await pause(300);
    expect(await ended((await populate('cancelled_mv')).json)).toMatchObject({ status: 'done' });
    const sent = await sender.stop();
    expect(await counts('cancelled_to', 'cancelled_from')).toEqual(same(sent));
    expect((await populate('cancelled_mv')).status).toBe(409);
  }, 120_000);

  it('with a condition leaves out only rows of before', async () => {
    await source('some_from', EVENT_SCHEMA, SLOW);
    await source('some_to', EVENT_SCHEMA);
    const sender = sending('some_from');
    await pause(500);
    const node = into('some_to', 'SELECT id, k FROM some_from');
    const condition = encodeURIComponent('id % 2 = 0');
    const begun = await pipe('some_mv', [node], `&populate=true&populate_condition=${condition}`);
    expect(await ended(begun)).toMatchObject({ status: 'done' });
    await pause(200);
    const sent = await sender.stop();
    const [row] = await server.rows(`SELECT count() AS rows, uniqExact(id) AS ids, countIf(id % 2 = 0) AS even,
        countIf(id % 2 = 1) AS odd, minIf(id, id % 2 = 1) AS firstOdd FROM some_to`);
    const { rows, ids, even, odd, firstOdd } = row as Readonly<Record<string, number>>;
    expect(rows).toBe(ids);
    expect(even).toBe(Math.ceil(sent / 2));
    expect(odd).toBe(Math.floor((sent - (firstOdd ?? 0) + 1) / 2));
    expect(firstOdd).toBeGreaterThan(1);
  }, 120_000);

  it('and files are imported, and copies made', async () => {
    await source('files_from', EVENT_SCHEMA, SLOW);
    await source('files_to', EVENT_SCHEMA);
    const copied = "SELECT number + 3000000 AS id, 'copy' AS k FROM numbers(500)";
    await pipe('copy_before', [{ name: 'made', type: 'copy', target_datasource: 'files_from', sql: copied }]);
    await pipe('copy_after', [
      { name: 'made', type: 'copy', target_datasource: 'files_from', sql: copied.replace('3000000', '4000000') },
    ]);
    expect(await ended((await server.call('POST /v0/pipes/copy_before/copy')).json)).toMatchObject({ status: 'done' });
    const sender = sending('files_from');
    const append = (query: string, body?: string): Promise<Answer> =>
      server.call(
        `POST /v0/datasources?name=files_from&mode=append&format=ndjson${query}`,
        body === undefined ? {} : { body },
      );
    const importing = append('', file(1_000_000));
    await pause(300);
    const populating = pipe('files_mv', [into('files_to', 'SELECT id, k FROM files_from')], '&populate=true');
    const fetching = append(`&url=${encodeURIComponent(`http://${other.host}/rows.ndjson`)}`);
    expect(await ended(await populating)).toMatchObject({ status: 'done' });
    expect((await importing).status).toBe(200);
    const fetched = await fetching;
    expect(await server.ended(String(fetched.json['id'] ?? (fetched.json['job'] as Json)['id']))).toMatchObject({
      status: 'done',
    });
    expect(await ended((await server.call('POST /v0/pipes/copy_after/copy')).json)).toMatchObject({ status: 'done' });
    const sent = (await sender.stop()) + 2 * FILE_ROWS + 2 * 500;
    expect(await counts('files_to', 'files_from')).toEqual(same(sent));
  }, 120_000);
});

describe('what is made of the target of a population', () => {
  const SCHEMA = '`k` String, `n` UInt64';
  const sums = async (...tables: readonly string[]): Promise<readonly number[]> =>
    Promise.all(tables.map(async (name) => Number((await server.rows(`SELECT sum(n) AS n FROM ${name}`))[0]?.['n'])));

  it('is populated after it, from rows that add up', async () => {
    await source('steps_from', EVENT_SCHEMA, SLOW);
    await source('steps_one', SCHEMA, SUMS);
    await source('steps_two', SCHEMA, SUMS);
    const sender = sending('steps_from');
    await pause(500);
    const one = into('steps_one', 'SELECT k, count() AS n FROM steps_from GROUP BY k');
    expect(await ended(await pipe('steps_one_mv', [one], '&populate=true'))).toMatchObject({ status: 'done' });
    const two = into('steps_two', "SELECT 'all' AS k, sum(n) AS n FROM steps_one GROUP BY k");
    expect(await ended(await pipe('steps_two_mv', [two], '&populate=true'))).toMatchObject({ status: 'done' });
    await pause(200);
    expect(await ended((await populate('steps_two_mv', 'truncate=true')).json)).toMatchObject({ status: 'done' });
    const sent = await sender.stop();
    expect(await sums('steps_one', 'steps_two')).toEqual([sent, sent]);
  }, 120_000);

  it('may be populated by two at a time from rows that add up', async () => {
    await source('both_from', EVENT_SCHEMA);
    await source('both_sums', SCHEMA, SUMS);
    await source('both_one', SCHEMA, SUMS);
    await source('both_two', SCHEMA);
    await pipe('both_mv', [into('both_sums', 'SELECT k, count() AS n FROM both_from GROUP BY k')]);
    const sender = sending('both_from');
    await pause(500);
    const begun = await Promise.all([
      pipe('both_one_mv', [into('both_one', 'SELECT k, n FROM both_sums')], '&populate=true'),
      pipe('both_two_mv', [into('both_two', 'SELECT k, n FROM both_sums')], '&populate=true'),
    ]);
    for (const answer of begun) expect(await ended(answer)).toMatchObject({ status: 'done' });
    const sent = await sender.stop();
    expect(await sums('both_sums', 'both_one', 'both_two')).toEqual([sent, sent, sent]);
  }, 120_000);

  it('gets what is made of the rows that are added', async () => {
    await source('down_from', EVENT_SCHEMA, SLOW);
    await source('down_one', SCHEMA, SUMS);
    await source('down_two', SCHEMA);
    await source('down_three', SCHEMA, SUMS);
    const sender = sending('down_from');
    await pipe('down_three_mv', [into('down_three', 'SELECT k, n FROM down_two')]);
    await pipe('down_two_mv', [into('down_two', 'SELECT k, n FROM down_one')]);
    await pause(500);
    const one = into('down_one', 'SELECT k, count() AS n FROM down_from GROUP BY k');
    expect(await ended(await pipe('down_one_mv', [one], '&populate=true'))).toMatchObject({ status: 'done' });
    await pause(200);
    const sent = await sender.stop();
    expect(await sums('down_one', 'down_two', 'down_three')).toEqual([sent, sent, sent]);
  }, 120_000);
});

describe('a materialization whose beginning is no population', () => {
  it('keeps what came since when a copy replaces the rows of its target', async () => {
    await source('replaced_from', EVENT_SCHEMA);
    await source('replaced_to', EVENT_SCHEMA);
    await pipe('replaced_mv', [into('replaced_to', 'SELECT id, k FROM replaced_from')]);
    const sql = "SELECT number + 1000000 AS id, 'copy' AS k FROM numbers(1000)";
    await pipe('replaced_copy', [{ name: 'made', type: 'copy', target_datasource: 'replaced_to', sql }]);
    const sender = sending('replaced_from');
    await pause(300);
    const [before] = await server.rows('SELECT max(id) AS top FROM replaced_to');
    expect(await ended((await server.call('POST /v0/pipes/replaced_copy/copy?_mode=replace')).json)).toMatchObject({
      status: 'done',
    });
    await pause(200);
    const sent = await sender.stop();
    const [row] = await server.rows(`SELECT countIf(k = 'copy') AS copied, countIf(k != 'copy') AS rows,
        uniqExactIf(id, k != 'copy') AS ids, minIf(id, k != 'copy') AS first FROM replaced_to`);
    const { copied, rows, ids, first } = row as Readonly<Record<string, number>>;
    expect([copied, rows, ids]).toEqual([1_000, sent - (first ?? 0), sent - (first ?? 0)]);
    expect(first).toBeGreaterThanOrEqual(Number(before?.['top']) - 49);
  }, 120_000);
});

it('logged no fault', () => {
  expect(server.faults).toEqual([]);
});
