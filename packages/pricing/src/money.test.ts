import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDecimal, formatMoney, moneyOf, multiply, parseDecimal, unitPrice } from './money.ts';

describe('parseDecimal', () => {
  it.each([
    ['2.50', 2, 250n],
    ['1e-7', 12, 100_000n],
    ['2.5E+3', 0, 2_500n],
    ['-0.1', 1, -1n],
    ['0.0000005', 6, 1n],
    ['0.0000004', 6, 0n],
    [' 7 ', 0, 7n],
  ])('reads %s with %i digits', (text, scale, value) => {
    expect(parseDecimal(text, scale)).toBe(value);
  });

  it.each([
    '',
    'x',
    '1,5',
    '.5',
    '1.',
    '0x10',
    'NaN',
    'Infinity',
    '1e400',
    '1'.repeat(40),
    '99999999999999999999999999999e20',
  ])('refuses %s', (text) => {
    expect(parseDecimal(text, 12)).toBeUndefined();
  });

  it('reads back what formatDecimal writes', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 37n), max: 10n ** 37n }),
        fc.integer({ min: 0, max: 18 }),
        (value, scale) => {
          expect(parseDecimal(formatDecimal(value, scale), scale)).toBe(value);
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });

  it('returns a number or undefined for any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(['bigint', 'undefined']).toContain(typeof parseDecimal(text, 12));
      }),
      { seed: 2, numRuns: 500 },
    );
  });
});

describe('moneyOf', () => {
  it('takes a number for the decimal that was written, not for its binary fraction', () => {
    expect(moneyOf(0.1)).toBe(100_000_000_000n);
    expect((moneyOf(0.1) ?? 0n) + (moneyOf(0.2) ?? 0n)).toBe(moneyOf(0.3));
    expect(moneyOf(5.85e-6)).toBe(5_850_000n);
    expect(moneyOf('0.0123')).toBe(12_300_000_000n);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '', 'free', null, undefined, {}])('refuses %s', (value) => {
    expect(moneyOf(value)).toBeUndefined();
  });
});

describe('unit prices', () => {
  it('are exact for every price of tokens with twelve digits behind the point', () => {
    expect(unitPrice('0.003625', 1_000_000)).toBe(3_625_000_000n);
    expect(unitPrice('0.000000000001', 1_000_000)).toBe(1n);
  });

  it('multiply to dollars that are rounded half up', () => {
    expect(multiply(435_033_856, unitPrice('0.0028', 1_000_000))).toBe(1_218_094_796_800n);
    expect(multiply(1, 1_499_999n)).toBe(1n);
    expect(multiply(1, 1_500_000n)).toBe(2n);
    expect(formatMoney(multiply(90_500, unitPrice('0.36', 3_600_000)))).toBe('0.00905');
  });

  it('refuse what is no price', () => {
    expect(() => unitPrice('free', 1)).toThrow('cannot read PRICE=free');
    expect(() => unitPrice('-1', 1)).toThrow('cannot read PRICE=-1');
  });
});
