/** Populations that an earlier process left: found by what it wrote, gone on with once, or ended with the reason. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Job, JobFields } from '../../platform/jobs.ts';
import { POPULATE_JOB } from '../../platform/populate-run.ts';
import type { PendingPopulation, PipeEntry } from '../../platform/resource-row.ts';
import { column, dataSource } from '../../platform/testing/stand.ts';
import type { PipeStand } from './testing/pipes.ts';
import { openPipes, TENANT } from './testing/pipes.ts';

let stand: PipeStand;
let round = 0;
let pipe: PipeEntry;
const name = (kind: string): string => `${kind}_${round}`;

beforeAll(async () => {
  stand = await openPipes(() => []);
}, 60_000);

afterAll(() => stand?.close());

beforeEach(async () => {
  round++;
  await make('MergeTree');
});

/** A source with rows, a target without, and the pipe between them. */
async function make(engine: 'MergeTree' | 'SummingMergeTree'): Promise<void> {
  const { registry } = stand.platform;
  const columns = [column('k', 'String'), column('n', 'UInt64')];
  const source = { columns, engine: { name: engine, sortingKey: 'k' } } as const;
  await registry.createDataSource(TENANT, dataSource(name(`${engine}_source`), source));
  await registry.createDataSource(TENANT, dataSource(name(`${engine}_target`), { columns }));
  await stand.rows(name(`${engine}_source`), "(k, n) VALUES ('a', 1), ('b', 2)");
  const settings = { DATASOURCE: name(`${engine}_target`) };
  const sql = `SELECT k, n FROM ${name(`${engine}_source`)}`;
  const nodes = [{ name: 'step', sql, type: 'materialized' as const, settings }];
  pipe = await registry.putPipe(TENANT, { kind: 'pipe', name: name(`${engine}_mv`), nodes, tokens: [], tags: [] });
}

/** Writes a cut into the row of the target, as whoever was killed after it. */
async function cut(job: string, engine = 'MergeTree', more: Partial<PendingPopulation> = {}): Promise<void> {
  const { catalog, registry } = stand.platform;
  const target = registry.dataSource(TENANT, name(`${engine}_target`));
  const source = registry.dataSource(TENANT, name(`${engine}_source`)).id;
  const at: PendingPopulation = { pipe: pipe.id, node: 'step', source, log: '0', copies: '0', job, ...more };
  await catalog.save([{ ...target, pending: [at], version: target.version + 1, deleted: false }]);
}

/** Writes the job of a process that was killed while it was at it, and reads it as a start does. */
async function left(id: string, details: JobFields = {}): Promise<Job> {
  const target = pipe.definition.nodes[0]?.settings['DATASOURCE'] ?? '';
  const named = { pipe_id: pipe.id, pipe_name: pipe.name, nodes: ['step'], targets: [target], condition: null };
  const at = '2026-01-01 00:00:00.000';
  await stand.stand.store.insertRows('jobs', [
    {
      ...{ tenant: TENANT, id, kind: POPULATE_JOB, node: 7, status: 'working', progress: 3, error: '', result: '{}' },
      ...{ details: JSON.stringify({ ...named, ...details }), created_at: at, updated_at: at, version: '1' },
    },
  ]);
  await stand.platform.jobs.recover(true);
  return stand.platform.jobs.ended(TENANT, id);
}

const id = (): string => `00000000-0000-4000-8000-${String(round).padStart(12, '0')}`;
const rows = (engine = 'MergeTree'): Promise<unknown> =>
  stand.ask(`SELECT k, n FROM ${name(`${engine}_target`)} ORDER BY k`);
const BOTH = [
  { k: 'a', n: 1 },
  { k: 'b', n: 2 },
];
const pendingNow = (engine = 'MergeTree'): unknown =>
  stand.platform.registry.dataSource(TENANT, name(`${engine}_target`)).pending;
const ended = async (): Promise<Job> => {
  const isThere = async (): Promise<boolean> => (await stand.platform.jobs.list(TENANT)).some((job) => job.id === id());
  await expect.poll(isThere, { timeout: 10_000 }).toBe(true);
  return stand.platform.jobs.ended(TENANT, id());
};

describe('a population that was under way', () => {
  it('goes on as the same job, and once', async () => {
    await cut(id());
    expect(await left(id())).toMatchObject({ status: 'done', result: { rows_read: 2 } });
    expect([await rows(), pendingNow()]).toEqual([BOTH, undefined]);
    await stand.platform.jobs.recover(true);
    expect(await rows()).toEqual(BOTH);
  });

  it('is done if it was shown before the end', async () => {
    expect(await left(id())).toMatchObject({ status: 'done', result: { rows_read: 0 } });
    expect(await rows()).toEqual([]);
  });

  it('keeps to its condition', async () => {
    await cut(id());
    expect(await left(id(), { condition: 'n > 1' })).toMatchObject({ status: 'done' });
    expect(await rows()).toEqual([{ k: 'b', n: 2 }]);
  });

  it('makes rows anew unless that was shown', async () => {
    await stand.rows(name('MergeTree_target'), "(k, n) VALUES ('former', 1)");
    const { tableVersion } = stand.platform.registry.dataSource(TENANT, name('MergeTree_target'));
    const details = { made_anew: { [name('MergeTree_target')]: tableVersion } };
    expect(await left(id(), details)).toMatchObject({ status: 'done' });
    expect(await rows()).toEqual(BOTH);
    await stand.rows(name('MergeTree_target'), "(k, n) VALUES ('later', 1)");
    round += 100;
    const again = id();
    round -= 100;
    expect(await left(again, details)).toMatchObject({ status: 'done' });
    expect(await rows()).toEqual([...BOTH, { k: 'later', n: 1 }]);
  });

  it('ends if its pipe is gone', async () => {
    await cut(id());
    await stand.platform.registry.dropPipe(TENANT, pipe.name, true);
    expect(await left(id())).toMatchObject({
      status: 'error',
      error: expect.stringContaining('it is gone') as unknown,
    });
  });

  it('ends if rows may have merged since, and says what helps', async () => {
    await make('SummingMergeTree');
    await cut(id(), 'SummingMergeTree');
    expect(await left(id())).toMatchObject({
      status: 'error',
      error: expect.stringContaining('truncate=true') as unknown,
    });
    expect(await rows('SummingMergeTree')).toEqual([]);
    const job = await stand.populations.start(pipe, 'step', { truncate: true });
    expect(await stand.platform.jobs.ended(TENANT, job.id)).toMatchObject({ status: 'done' });
    expect([await rows('SummingMergeTree'), pendingNow('SummingMergeTree')]).toEqual([BOTH, undefined]);
  });
});

describe('a cut whose job was never written', () => {
  it('is populated, with its condition, and once', async () => {
    await cut(id(), 'MergeTree', { condition: 'n < 2' });
    stand.populations.resume();
    stand.populations.resume();
    expect(await ended()).toMatchObject({ status: 'done', details: { pipe_name: pipe.name, condition: 'n < 2' } });
    stand.populations.resume();
    expect([await rows(), pendingNow()]).toEqual([[{ k: 'a', n: 1 }], undefined]);
  });

  it('is left alone if there was one and somebody cancelled it', async () => {
    await cut(id());
    const { jobs } = stand.platform;
    await jobs.announce(TENANT, POPULATE_JOB, {}, id());
    await jobs.cancel(TENANT, id());
    stand.populations.resume();
    const job = await stand.populations.start(pipe, 'step');
    expect(await jobs.ended(TENANT, job.id)).toMatchObject({ status: 'done' });
    expect([(await jobs.get(TENANT, id())).status, await rows()]).toEqual(['cancelled', BOTH]);
  });
});
