import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Held } from './held.ts';
import type { RequestMessage } from './messages.ts';

function message(id: number): RequestMessage {
  const request = { signal: 'calls', coding: 'identity', tenant: 'acme' } as const;
  return { kind: 'request', id, request, body: id, length: 1 };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('requests that wait', () => {
  it('come back in their order, once', () => {
    const held = new Held(100, () => expect.unreachable());
    expect([1, 2, 3].map((id) => held.add(message(id), 10))).toEqual([true, true, true]);
    expect(held.take().map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(held.take()).toEqual([]);
    vi.advanceTimersByTime(60_000);
  });

  it('take no more room than they may', () => {
    const held = new Held(100, () => undefined);
    expect([60, 40, 1].map((bytes, id) => held.add(message(id), bytes))).toEqual([true, true, false]);
    expect(held.take().map(({ id }) => id)).toEqual([0, 1]);
  });

  it('wait for five seconds from the first of them', () => {
    const overdue = vi.fn<() => void>();
    const held = new Held(100, overdue);
    vi.advanceTimersByTime(60_000);
    held.add(message(1), 1);
    vi.advanceTimersByTime(4_000);
    held.add(message(2), 1);
    expect(overdue).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000);
    expect(overdue).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(60_000);
    expect(overdue).toHaveBeenCalledOnce();
  });
});
