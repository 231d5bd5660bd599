import { describe, expect, it } from 'vitest';
import { Verdicts } from './verdicts.ts';

describe('Verdicts', () => {
  it('remembers for its time and no longer', () => {
    let now = 0;
    const verdicts = new Verdicts<number>(10, 100, () => now);
    verdicts.add('a', 1);
    now = 99;
    expect(verdicts.get('a')).toBe(1);
    now = 100;
    expect(verdicts.get('a')).toBeUndefined();
  });

  it('forgets what was used the longest ago when it is full', () => {
    const verdicts = new Verdicts<number>(2, 100, () => 0);
    verdicts.add('a', 1);
    verdicts.add('b', 2);
    expect(verdicts.get('a')).toBe(1);
    verdicts.add('c', 3);
    expect(['a', 'b', 'c'].map((key) => verdicts.get(key))).toEqual([1, undefined, 3]);
  });
});
