import { describe, expect, it } from 'vitest';
import type { RateError } from './rate.ts';
import { rateHeaders, Rates } from './rate.ts';

const token = { key: 'token:a' };
const source = { key: 'datasource:t_1' };

describe('requests', () => {
  it('are admitted up to the limit, then as fast as it allows', () => {
    const { rates, clock } = open();
    const standings = Array.from({ length: 10 }, () => rates.admit([token, source]));
    expect(standings[0]).toEqual({ limit: 10, remaining: 9, reset: 1 });
    // Not 0 while it is no refusal.
    expect(standings[9]).toEqual({ limit: 10, remaining: 1, reset: 1 });
    expect(refusal(() => rates.admit([token, source]))).toMatchObject({
      code: 'rate_limited',
      retryAfterSeconds: 1,
      admission: { limit: 10, remaining: 0, reset: 1 },
    });
    clock.ms += 100;
    rates.admit([token]);
    expect(refusal(() => rates.admit([token]))).toBeDefined();
    clock.ms += 60_000;
    for (let count = 0; count < 10; count++) rates.admit([token]);
    expect(refusal(() => rates.admit([token]))).toBeDefined();
  });

  it('are limited by whoever has least left, and cost the others nothing when refused', () => {
    const { rates } = open();
    const other = { key: 'token:b' };
    for (let count = 0; count < 10; count++) rates.admit([other, source]);
    for (let count = 0; count < 5; count++) expect(refusal(() => rates.admit([token, source]))).toBeDefined();
    expect(rates.admit([token]).remaining).toBe(9);
  });

  it('of a credential with a limit of its own are held to that', () => {
    const { rates, clock } = open();
    const slow = { key: 'jwt:a', requestsPerSecond: 0.25 };
    expect(rates.admit([slow])).toEqual({ limit: 1, remaining: 1, reset: 4 });
    expect(refusal(() => rates.admit([slow])).admission).toEqual({ limit: 1, remaining: 0, reset: 4 });
    clock.ms += 4_000;
    rates.admit([slow]);
  });

  it('are not limited by a clock that goes back', () => {
    const { rates, clock } = open();
    rates.admit([token]);
    clock.ms -= 60_000;
    expect(rates.admit([token]).remaining).toBe(8);
  });
});

describe('bytes', () => {
  it('beyond the limit are taken once, and the next requests wait', () => {
    const { rates, clock } = open();
    rates.admit([token, source]);
    rates.charge([token, source], 3_500);
    expect(refusal(() => rates.admit([source])).admission).toEqual({ limit: 10, remaining: 0, reset: 3 });
    clock.ms += 2_400;
    expect(refusal(() => rates.admit([source])).admission.reset).toBe(1);
    clock.ms += 200;
    rates.admit([source]);
  });
});

describe('the headers', () => {
  it('are whole numbers, and Retry-After comes with a refusal only', () => {
    expect(rateHeaders({ limit: 100, remaining: 7, reset: 1 })).toEqual({
      'X-RateLimit-Limit': '100',
      'X-RateLimit-Remaining': '7',
      'X-RateLimit-Reset': '1',
    });
    expect(rateHeaders({ limit: 100, remaining: 0, reset: 2 })).toMatchObject({ 'Retry-After': '2' });
  });

  it('never make a client wait for long', () => {
    const { rates } = open();
    rates.admit([token]);
    rates.charge([token], 1e9);
    expect(refusal(() => rates.admit([token])).admission.reset).toBe(10);
  });
});

describe('buckets', () => {
  it('that are idle are forgotten, but not one in debt', () => {
    const { rates, clock } = open();
    for (let id = 0; id < 1_000; id++) rates.admit([{ key: `token:${id}` }]);
    rates.charge([token], 1_000_000);
    clock.ms += 61_000;
    for (let count = 0; count < 100; count++) rates.admit([{ key: `other:${count}` }]);
    expect(rates.size).toBeLessThan(200);
    expect(refusal(() => rates.admit([token]))).toBeDefined();
  });
});

function open() {
  const clock = { ms: 1_000_000 };
  const rates = new Rates({ now: () => clock.ms, requestsPerSecond: 10, bytesPerSecond: 1_000 });
  return { rates, clock };
}

function refusal(act: () => unknown): RateError {
  try {
    act();
  } catch (error) {
    return error as RateError;
  }
  throw new Error('it was admitted');
}
