import { describe, expect, it } from 'vitest';
import { Gate } from './gate.ts';

const LIMITS = { concurrent: 2, waiting: 1, waitMs: 60_000 };

describe('Gate', () => {
  it('lets in as many as run at once, and the next when one leaves', async () => {
    const gate = new Gate(LIMITS);
    const order: string[] = [];
    const first = await gate.enter('a', undefined);
    const second = await gate.enter('a', undefined);
    const third = gate.enter('a', undefined).then((leave) => {
      order.push('third');
      return leave;
    });
    await Promise.resolve();
    order.push('before');
    first();
    (await third)();
    second();
    expect(order).toEqual(['before', 'third']);
  });

  it('refuses who would wait behind too many, and says to try again', async () => {
    const gate = new Gate(LIMITS);
    const leaves = [await gate.enter('a', undefined), await gate.enter('a', undefined)];
    const waiting = gate.enter('a', undefined);
    await expect(gate.enter('a', undefined)).rejects.toMatchObject({ code: 'rate_limited', retryAfterSeconds: 2 });
    for (const leave of leaves) leave();
    (await waiting)();
  });

  it('does not let one tenant keep another waiting', async () => {
    const gate = new Gate({ ...LIMITS, concurrent: 1, waiting: 0 });
    const leave = await gate.enter('a', undefined);
    (await gate.enter('b', undefined))();
    await expect(gate.enter('a', undefined)).rejects.toMatchObject({ code: 'rate_limited' });
    leave();
  });

  it('gives a place back once, however often it is said', async () => {
    const gate = new Gate({ ...LIMITS, concurrent: 1, waiting: 0 });
    const leave = await gate.enter('a', undefined);
    leave();
    leave();
    await gate.enter('a', undefined);
    await expect(gate.enter('a', undefined)).rejects.toMatchObject({ code: 'rate_limited' });
  });

  it('forgets who was cancelled while waiting', async () => {
    const gate = new Gate({ ...LIMITS, concurrent: 1 });
    const leave = await gate.enter('a', undefined);
    const controller = new AbortController();
    const waiting = gate.enter('a', controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    const next = gate.enter('a', undefined);
    leave();
    (await next)();
  });

  it('lets nobody wait who was cancelled before', async () => {
    const gate = new Gate({ ...LIMITS, concurrent: 1 });
    const leave = await gate.enter('a', undefined);
    await expect(gate.enter('a', AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    leave();
  });

  it('ends a wait that takes too long', async () => {
    const gate = new Gate({ ...LIMITS, concurrent: 1, waitMs: 1 });
    const leave = await gate.enter('a', undefined);
    await expect(gate.enter('a', undefined)).rejects.toMatchObject({ code: 'rate_limited' });
    leave();
    (await gate.enter('a', undefined))();
  });
});
