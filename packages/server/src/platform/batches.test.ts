/** Batches are taken once: at once, after failures, after a start. */

import { AppError } from '@glasshouse/model';
import { describe, expect, test } from 'vitest';
import { Batches, batchImportId } from './batches.ts';

const ID = batchImportId('import-1.0', 'acme', 't_1');

function stand(stored = new Set<string>(), flush = (): Promise<void> => Promise.resolve()) {
  const batches = new Batches({ isStored: (id) => Promise.resolve(stored.has(id)), flush, maxWaitMs: 20 });
  let calls = 0;
  const accept = async (): Promise<{ accepted: number }> => {
    calls++;
    await Promise.resolve();
    return { accepted: 1 };
  };
  return { batches, stored, accept, calls: () => calls };
}

describe('a batch', () => {
  test('is taken once, also when it is sent twice at a time', async () => {
    const { batches, accept, calls } = stand();
    const answers = await Promise.all([batches.once(ID, accept), batches.once(ID, accept)]);
    expect(answers).toEqual([{ accepted: 1 }, undefined]);
    expect(await batches.once(ID, accept)).toBeUndefined();
    expect(calls()).toBe(1);
  });

  test('that the store has is known, also after it was forgotten here', async () => {
    const { batches, stored, accept, calls } = stand();
    await batches.once(ID, accept);
    stored.add(ID);
    batches.stored([ID]);
    expect(await batches.once(ID, accept)).toBeUndefined();
    expect(calls()).toBe(1);
  });

  test('that was refused may be sent again, and who waits for it tries', async () => {
    const { batches, accept, calls } = stand();
    const refuse = (): Promise<never> => Promise.reject(new AppError('bad_request', 'no'));
    const [first, second] = await Promise.allSettled([batches.once(ID, refuse), batches.once(ID, accept)]);
    expect([first.status, second.status]).toEqual(['rejected', 'fulfilled']);
    expect(calls()).toBe(1);
  });

  test('is not taken as new while the log may have it', async () => {
    let flushes = 0;
    const { batches, stored, accept, calls } = stand(new Set(), () => {
      flushes++;
      // The hand-over of what a failed request left in the log.
      if (flushes === 2) stored.add(ID);
      return Promise.resolve();
    });
    const lose = (): Promise<never> => Promise.reject(new AppError('unavailable', 'the worker ended'));
    await expect(batches.once(ID, lose)).rejects.toThrow('the worker ended');
    expect(await batches.once(ID, accept)).toBeUndefined();
    expect([flushes, calls()]).toEqual([2, 0]);
  });

  test('has to come again when the log is not handed over in time', async () => {
    const { batches, accept, calls } = stand(new Set(), () => new Promise(() => undefined));
    await expect(batches.once(ID, accept)).rejects.toMatchObject({ code: 'unavailable' });
    expect(calls()).toBe(0);
  });

  test('without rows leaves nothing behind', async () => {
    const { batches, accept } = stand();
    expect(await batches.once(ID, () => Promise.resolve({ accepted: 0 }))).toEqual({ accepted: 0 });
    expect(await batches.once(ID, accept)).toEqual({ accepted: 1 });
  });
});

describe('the name of a batch', () => {
  test('is of a tenant and a data source', () => {
    const ids = [ID, batchImportId('import-1.0', 'other', 't_1'), batchImportId('import-1.0', 'acme', 't_2')];
    expect(new Set(ids).size).toBe(3);
    expect(ids.every((id) => id.startsWith('batch-import-1.0-'))).toBe(true);
  });

  test.each(['', 'a b', "a'b", 'x'.repeat(129)])('is not %j', (name) => {
    expect(() => batchImportId(name, 'acme', 't_1')).toThrow('X-Glasshouse-Batch takes');
  });
});
