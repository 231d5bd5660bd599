import { describe, expect, it } from 'vitest';
import { AnswerCache } from './endpoints-cache.ts';

const answer = (text: string) => ({ body: Buffer.from(text), format: 'JSON', contentType: undefined, rows: 1 });

describe('the cache of answers', () => {
  it('keeps an answer for its seconds and not longer', () => {
    const clock = { now: 0 };
    const cache = new AnswerCache({ now: () => clock.now });
    cache.put('a', answer('x'), 5);
    clock.now = 4_999;
    expect(cache.get('a')?.body.toString()).toBe('x');
    clock.now = 5_000;
    expect(cache.get('a')).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it('keeps no answer that is too large, or for no time', () => {
    const cache = new AnswerCache({ now: () => 0, maxAnswerBytes: 3 });
    cache.put('a', answer('four'), 5);
    cache.put('b', answer('x'), 0);
    expect(cache.get('a')).toBeUndefined();
    expect(cache.get('b')).toBeUndefined();
  });

  it('forgets what was not used for the longest time, and never holds more than it may', () => {
    const cache = new AnswerCache({ now: () => 0, maxBytes: 2_000 });
    for (const key of ['a', 'b', 'c']) cache.put(key, answer('x'.repeat(100)), 5);
    expect(cache.get('a')).toBeDefined();
    cache.put('d', answer('x'.repeat(100)), 5);
    expect(['a', 'b', 'c', 'd'].filter((key) => cache.get(key) !== undefined)).toEqual(['a', 'c', 'd']);
    for (let index = 0; index < 1_000; index++) cache.put(`k${index % 37}`, answer('y'.repeat(index % 300)), 5);
    expect(cache.size).toBeLessThanOrEqual(2_000);
  });

  it('tells tenants, statements and what is around them apart', () => {
    const cache = new AnswerCache({ now: () => 0 });
    const keys = [
      cache.keyOf('a', 'SELECT 1', ['JSON']),
      cache.keyOf('b', 'SELECT 1', ['JSON']),
      cache.keyOf('a', 'SELECT 2', ['JSON']),
      cache.keyOf('a', 'SELECT 1', ['CSV']),
      cache.keyOf('a', 'SELECT 1', ['JSON', { s: 'x' }]),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });
});
