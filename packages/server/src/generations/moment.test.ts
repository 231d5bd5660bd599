import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { momentAt, momentOf } from './moment.ts';

function expected(ns: bigint): unknown {
  return { low: Number(ns & 0xffff_ffffn), high: Number(ns >> 32n), ms: Number(ns / 1_000_000n) };
}

describe('a moment', () => {
  it('has the halves of the whole number', () => {
    fc.assert(
      fc.property(fc.bigInt(-(1n << 62n), (1n << 64n) - 1n), (ns) => {
        expect(momentOf(ns.toString())).toEqual(expected(ns));
      }),
      { numRuns: 2000, seed: 7 },
    );
  });

  it.each([
    '0',
    '-1',
    '999999999999999999',
    '1000000000000000000',
    '1790000000000000000',
    '4294967295999999999',
    '9223372036854775807',
    '9999999999999999999',
  ])('has them at %s', (text) => {
    expect(momentOf(text)).toEqual(expected(BigInt(text)));
  });

  it('is that of its milliseconds', () => {
    expect(momentAt(1_790_000_000_123)).toEqual(momentOf('1790000000123000000'));
  });
});
