import { describe, expect, it } from 'vitest';
import { Verdicts } from './verdicts.ts';

describe('Verdicts', () => {
  it('remembers for its time and no longer', () => {
    let now = 0;
    const verdicts = new Verdicts(10, 100, () => now);
    verdicts.add('a');
    now = 99;
    expect(verdicts.has('a')).toBe(true);
    now = 100;
    expect(verdicts.has('a')).toBe(false);
  });

  it('forgets what was used the longest ago when it is full', () => {
    const verdicts = new Verdicts(2, 100, () => 0);
    verdicts.add('a');
    verdicts.add('b');
    expect(verdicts.has('a')).toBe(true);
    verdicts.add('c');
    expect(['a', 'b', 'c'].map((key) => verdicts.has(key))).toEqual([true, false, true]);
  });
});
