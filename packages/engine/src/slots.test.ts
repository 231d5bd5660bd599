import { describe, expect, it } from 'vitest';
import { Slots } from './slots.ts';

const never = new AbortController().signal;

describe('slots', () => {
  it('gives places in order of arrival', async () => {
    const slots = new Slots('test', ['a'], 10, () => 0);
    const first = await slots.acquire(never);
    const order: number[] = [];
    const waiting = [1, 2].map(async (number) => {
      const slot = await slots.acquire(never);
      order.push(number);
      slot.release();
    });
    first.release();
    first.release();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2]);
    expect(slots.busy).toBe(0);
  });

  it('refuses with 202 when the queue is full', async () => {
    const slots = new Slots('test', ['a'], 0, () => 0);
    const slot = await slots.acquire(never);
    await expect(slots.acquire(never)).rejects.toMatchObject({ number: 202 });
    slot.release();
  });

  it('forgets a waiter that gave up', async () => {
    const slots = new Slots('test', ['a'], 1, () => 0);
    const slot = await slots.acquire(never);
    const controller = new AbortController();
    const waiter = slots.acquire(controller.signal);
    controller.abort();
    await expect(waiter).rejects.toMatchObject({ number: 394 });
    expect(slots.waiting).toBe(0);
    slot.release();
    expect((await slots.acquire(never)).fifo).toBe('a');
  });

  it('reckons with those who are there, and with those who were until a moment ago', async () => {
    const clock = { now: 0 };
    const slots = new Slots('test', ['a', 'b'], 1, () => clock.now);
    const first = await slots.acquire(never);
    clock.now = 5_000;
    expect(slots.expected).toBe(1);
    const second = await slots.acquire(never);
    const third = slots.acquire(never);
    expect(slots.expected).toBe(3);
    clock.now = 10_000;
    first.release();
    second.release();
    (await third).release();
    expect(slots.expected).toBe(3);
    clock.now = 20_000;
    expect(slots.expected).toBe(1);
  });
});
