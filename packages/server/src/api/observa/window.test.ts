import { expect, it } from 'vitest';
import { LIMIT, windowHeaders, Windows } from './window.ts';

it('counts a window for each key, and begins anew with the next', () => {
  let now = 1_000_000;
  const windows = new Windows(() => now);
  const first = windows.take('a');
  expect(windowHeaders(first)).toEqual({
    'X-RateLimit-Limit': '1000',
    'X-RateLimit-Remaining': '999',
    'X-RateLimit-Reset': new Date(1_060_000).toISOString(),
  });
  for (let count = 2; count <= LIMIT; count++) expect(windows.take('a').isOver).toBe(false);
  expect(windows.take('a')).toMatchObject({ isOver: true, remaining: 0 });
  expect(windows.take('b')).toMatchObject({ isOver: false, remaining: 999 });
  now += 60_000;
  expect(windows.take('a')).toMatchObject({ isOver: false, remaining: 999, resetAt: 1_120_000 });
});
