import { Instant } from '@glasshouse/generations';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { momentAt, momentOf } from './moment.ts';

function expected(ns: bigint): unknown {
  return { low: Number(ns & 0xffff_ffffn), high: Number(ns >> 32n), ms: Number(ns / 1_000_000n) };
}

function at(ns: bigint): Instant {
  return Object.assign(new Instant(), {
    seconds: Number(ns / 1_000_000_000n),
    nanoseconds: Number(ns % 1_000_000_000n),
  });
}

describe('a moment', () => {
  it('has the halves of the whole number', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 64n) - 1n), (ns) => {
        expect(momentOf(at(ns))).toEqual(expected(ns));
      }),
      { numRuns: 2000, seed: 7 },
    );
  });

  it.each([
    '0',
    '999999999999999999',
    '1000000000000000000',
    '1790000000000000000',
    '4294967295999999999',
    '9223372036854775807',
    '9999999999999999999',
  ])('has them at %s', (text) => {
    expect(momentOf(at(BigInt(text)))).toEqual(expected(BigInt(text)));
  });

  it('before 1970 has them of the digits', () => {
    const early = Object.assign(new Instant(), { seconds: -2, nanoseconds: 5 });
    expect(momentOf(early)).toEqual(expected(-2_000_000_005n));
  });

  it('is that of its milliseconds', () => {
    expect(momentAt(1_790_000_000_123)).toEqual(momentOf(at(1_790_000_000_123_000_000n)));
  });
});
