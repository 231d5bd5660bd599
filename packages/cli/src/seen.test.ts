/** Overlapping looks show everything once. */

import { expect, test } from 'vitest';
import { Seen } from './seen.ts';

test('shows each row of overlapping looks once, and equal rows as often as they are there', () => {
  const seen = new Seen(1000);
  const [a, b] = [{ body: 'a' }, { body: 'b' }];
  expect(seen.fresh([a, a], 0)).toEqual([a, a]);
  expect(seen.fresh([a, a, b], 500)).toEqual([b]);
  expect(seen.fresh([a, a, a, b], 900)).toEqual([a]);
});

test('forgets what can no longer be met', () => {
  const seen = new Seen(1000);
  seen.fresh([{ body: 'a' }], 0);
  seen.fresh([], 2000);
  expect(seen.fresh([{ body: 'a' }], 2001)).toHaveLength(1);
});
