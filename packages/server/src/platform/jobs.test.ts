/** Jobs on a real store: their states, their order, and what a restart makes of them. */

import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JobContext, JobRun } from './jobs.ts';
import { Jobs } from './jobs.ts';
import type { Stand } from './testing/stand.ts';
import { failure, openStand } from './testing/stand.ts';

let stand: Stand;
const opened: Jobs[] = [];

beforeAll(async () => {
  stand = await openStand();
});

afterAll(() => stand.close());

afterEach(async () => {
  for (const jobs of opened.splice(0)) await jobs.close();
});

describe('a job', () => {
  it('goes from waiting to done, and is found by its id and in the list', async () => {
    const jobs = open();
    const seen: string[] = [];
    const started = await jobs.start('acme', 'import', { url: 'x' }, async ({ job, progress }) => {
      seen.push(job.status);
      progress(40);
      progress(20);
      seen.push(String((await jobs.get('acme', job.id)).progress));
      return { rows: 5 };
    });
    expect(started).toMatchObject({ kind: 'import', status: 'waiting', progress: 0, details: { url: 'x' } });
    const ended = await jobs.ended('acme', started.id);
    expect(ended).toMatchObject({ status: 'done', progress: 100, result: { rows: 5 }, error: '' });
    expect(seen).toEqual(['working', '40']);
    const elsewhere = open(9);
    expect(await elsewhere.get('acme', started.id)).toEqual(ended);
    expect((await elsewhere.list('acme')).map(({ id }) => id)).toContain(started.id);
    expect(await elsewhere.list('other')).toEqual([]);
    expect(await failure(() => elsewhere.get('other', started.id))).toMatchObject({ code: 'not_found' });
  });

  it('that fails says why', async () => {
    const jobs = open();
    const { id } = await jobs.start('acme', 'copy', {}, () => Promise.reject(new Error('no such column')));
    expect(await jobs.ended('acme', id)).toMatchObject({ status: 'error', error: 'no such column' });
  });

  it('waits while others run, and they begin in order', async () => {
    const jobs = open(7, 1);
    const order: number[] = [];
    const gate = Promise.withResolvers<void>();
    const ids: string[] = [];
    for (const number of [1, 2, 3]) {
      const run: JobRun = async () => {
        order.push(number);
        await gate.promise;
      };
      ids.push((await jobs.start('acme', 'copy', { number }, run)).id);
    }
    await until(() => order.length === 1);
    expect((await jobs.get('acme', ids[1] as string)).status).toBe('waiting');
    gate.resolve();
    await jobs.ended('acme', ids[2] as string);
    expect(order).toEqual([1, 2, 3]);
  });

  it('ends when it is cancelled, waiting or running', async () => {
    const jobs = open(7, 1);
    const running = await jobs.start('acme', 'copy', {}, aborted);
    const waiting = await jobs.start('acme', 'copy', {}, aborted);
    expect(await jobs.cancel('acme', waiting.id)).toMatchObject({ status: 'cancelled' });
    expect(await jobs.cancel('acme', running.id)).toMatchObject({ status: 'cancelled' });
    expect(await failure(() => jobs.cancel('acme', running.id))).toMatchObject({ code: 'conflict' });
    expect(await failure(() => jobs.cancel('acme', 'nope'))).toMatchObject({ code: 'not_found' });
    expect((await open(9).get('acme', running.id)).status).toBe('cancelled');
  });

  it('has ended for its client although the store cannot be told', async () => {
    let up = true;
    const jobs = open(7, 1, () => up);
    const { id } = await jobs.start('acme', 'copy', {}, () => {
      up = false;
      return Promise.resolve({ rows: 1 });
    });
    await jobs.ended('acme', id);
    expect(await jobs.get('acme', id)).toMatchObject({ status: 'done', result: { rows: 1 } });
  });
});

describe('after a restart', () => {
  it('a job that was under way is an error, or goes on if it can', async () => {
    const before = open(3, 1);
    const running = await before.start('acme', 'copy', { number: 1 }, aborted);
    const waiting = await before.start('acme', 'import', { number: 2 }, aborted);
    const other = await open(4).start('acme', 'copy', {}, aborted);
    // As if it had been killed: nothing more comes of it.
    const after = open(3);
    const told: string[] = [];
    after.resumes('import', {
      takeUp: ({ id, details }) => {
        told.push(id);
        after.begin(id, () => Promise.resolve({ again: details['number'] }));
      },
      recovered: () => told.push('recovered'),
    });
    await after.recover();
    expect(told).toEqual([waiting.id, 'recovered']);
    expect(await after.get('acme', running.id)).toMatchObject({
      status: 'error',
      error: expect.stringContaining('restarted') as unknown,
    });
    expect(await after.ended('acme', waiting.id)).toMatchObject({ status: 'done', result: { again: 2 } });
    expect((await after.get('acme', other.id)).status).toBe('working');
  });

  it('a job that goes on waits for whoever takes it up, and can be cancelled until then', async () => {
    const before = open(5, 1);
    const first = await before.start('acme', 'import', { number: 1 }, aborted);
    const second = await before.start('acme', 'import', { number: 2 }, aborted);
    await until(() => before.isClosed || !before.isAnnounced(first.id));
    await before.close();
    expect((await open(9).get('acme', first.id)).status).toMatch(/working|waiting/u);
    const after = open(5);
    await after.recover();
    expect((await after.get('acme', first.id)).status).toBe('waiting');
    expect((await after.cancel('acme', second.id)).status).toBe('cancelled');
    after.resumes('import', {
      takeUp: ({ id }) => after.begin(id, () => Promise.resolve({ rows: 1 })),
      recovered: () => undefined,
    });
    expect(await after.ended('acme', first.id)).toMatchObject({ status: 'done', result: { rows: 1 } });
    expect((await open(9).get('acme', second.id)).status).toBe('cancelled');
  });

  it('a job that was only announced is as it was', async () => {
    const before = open(6);
    const { id } = await before.announce('acme', 'import', {}, before.newId());
    expect([before.isAnnounced(id), (await before.get('acme', id)).status]).toEqual([true, 'waiting']);
    before.begin(id, () => Promise.resolve({}));
    expect((await before.ended('acme', id)).status).toBe('done');
    before.begin(id, () => Promise.reject(new Error('twice')));
  });
});

function open(node = 7, concurrent = 2, up = (): boolean => true): Jobs {
  const jobs = new Jobs({
    store: stand.failing(() => !up()),
    now: Date.now,
    random: randomBytes,
    node,
    concurrent,
    resumable: ['import'],
  });
  opened.push(jobs);
  return jobs;
}

/** Runs until it is told to stop. */
function aborted({ signal }: JobContext): Promise<void> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
