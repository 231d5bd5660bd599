/** Text on a terminal: cells, cuts, and the escape sequences of strangers. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fit, pad, printable, textWidth } from './width.ts';

describe('textWidth', () => {
  test.each([
    ['', 0],
    ['checkout', 8],
    ['naïve', 5],
    ['e\u0301te\u0301', 3],
    ['漢字', 4],
    ['한국', 4],
    ['ｆｕｌｌ', 8],
    ['🚀', 2],
    ['👩‍👩‍👧', 2],
    ['🇩🇪', 2],
    ['✓ ok', 4],
    ['a\u200bb', 2],
  ])('counts %j as %d cells', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });
});

describe('printable', () => {
  test('shows what a terminal would act on', () => {
    expect(printable('a\u001b[31mred\u0007\nb\tc\u009b2J\u202e')).toBe(String.raw`a\x1b[31mred\x07\nb\tc\x9b2J\u202e`);
  });

  test('leaves no control character in any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/\p{Cc}/u);
      }),
    );
  });
});

describe('fit', () => {
  test('cuts whole characters and says so', () => {
    expect(fit('漢字漢字', 5)).toBe('漢字…');
    expect(fit('checkout', 5)).toBe('chec…');
    expect(fit('check', 5)).toBe('check');
  });

  test('never takes more cells than it was given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (text, width) => {
        expect(textWidth(fit(printable(text), width))).toBeLessThanOrEqual(width);
      }),
    );
  });
});

test('pad counts cells, not characters', () => {
  expect(pad('漢', 4)).toBe('漢  ');
  expect(pad('7', 3, 'right')).toBe('  7');
});
