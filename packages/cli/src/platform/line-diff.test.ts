/** Differences of texts: the two texts can be had back from them, and they are as short as they can be. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diffLines, unifiedDiff } from './line-diff.ts';

const joined = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** Length of the longest common subsequence, the slow way. */
function common(a: readonly string[], b: readonly string[]): number {
  let above = b.map(() => 0);
  for (const line of a) {
    let before = 0;
    above = b.map((other, at) => {
      const here = line === other ? (above[at - 1] ?? 0) + 1 : Math.max(above[at] ?? 0, before);
      before = here;
      return here;
    });
  }
  return above.at(-1) ?? 0;
}

describe('diffLines', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 24 });

  test('keeps both texts and finds the least number of differences', () => {
    fc.assert(
      fc.property(lines, lines, (a, b) => {
        const diff = diffLines(joined(a), joined(b));
        expect(diff.filter(({ sign }) => sign !== '+').map(({ text }) => text)).toEqual(a);
        expect(diff.filter(({ sign }) => sign !== '-').map(({ text }) => text)).toEqual(b);
        expect(diff.filter(({ sign }) => sign === ' ')).toHaveLength(common(a, b));
      }),
      { seed: 7, numRuns: 500 },
    );
  });

  test('ends for texts that have nothing in common', () => {
    const [a, b] = [0, 1].map((kind) => Array.from({ length: 20_000 }, (_, at) => `${kind} ${at}`));
    expect(diffLines(joined(a ?? []), joined(b ?? []))).toHaveLength(40_000);
  });
});

describe('unifiedDiff', () => {
  test('shows nothing for equal texts', () => {
    expect(unifiedDiff('a\nb\n', 'a\nb\n')).toEqual([]);
  });

  test('shows three lines around a difference, and a head for each group', () => {
    const before = Array.from({ length: 20 }, (_, at) => `line ${at + 1}`);
    const after = before.map((line) => (line === 'line 3' || line === 'line 18' ? `${line}!` : line));
    expect(unifiedDiff(joined(before), joined(after))).toEqual([
      '@@ -1,6 +1,6 @@',
      ' line 1',
      ' line 2',
      '-line 3',
      '+line 3!',
      ' line 4',
      ' line 5',
      ' line 6',
      '@@ -15,6 +15,6 @@',
      ' line 15',
      ' line 16',
      ' line 17',
      '-line 18',
      '+line 18!',
      ' line 19',
      ' line 20',
    ]);
  });

  test('names an empty side as diff does', () => {
    expect(unifiedDiff('', 'a\nb\n')).toEqual(['@@ -0,0 +1,2 @@', '+a', '+b']);
    expect(unifiedDiff('a\n', '')).toEqual(['@@ -1 +0,0 @@', '-a']);
  });
});
