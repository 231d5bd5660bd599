import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DayCounter } from './partition.ts';

const DAY = 86_400_000_000_000n;

function add(days: DayCounter, time: bigint): void {
  days.add(Number(time & 0xffff_ffffn), Number(time >> 32n));
}

/** Times where mistakes are likely: the edges of days, and of the halves of 64 bits. */
const times: fc.Arbitrary<bigint> = fc
  .tuple(
    fc.oneof(
      { weight: 4, arbitrary: fc.bigInt({ min: 0n, max: 106_000n }).map((day) => day * DAY) },
      { weight: 2, arbitrary: fc.constantFrom(19_000n, 19_001n, 20_123n).map((day) => day * DAY) },
      { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 31n - 2n }).map((high) => high << 32n) },
    ),
    fc.oneof(fc.constantFrom(-2n, -1n, 0n, 1n, DAY - 1n), fc.bigInt({ min: 0n, max: DAY - 1n })),
  )
  .map(([base, offset]) => (base + offset < 0n ? 0n : base + offset));

type Step = bigint | 'mark' | 'rollback' | 'reset' | 'read';

describe('DayCounter', () => {
  it('counts by the day of the time in nanoseconds, after any mixture of mark, rollback and reset', () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 6, arbitrary: times },
        { weight: 1, arbitrary: fc.constantFrom<Step[]>('mark', 'rollback', 'reset', 'read') },
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (sequence) => {
        const days = new DayCounter();
        let model: bigint[] = [];
        let marked = 0;
        const check = (): void => {
          const expected = new Map<number, number>();
          for (const time of model) expected.set(Number(time / DAY), (expected.get(Number(time / DAY)) ?? 0) + 1);
          expect(new Map(days.byDay())).toEqual(expected);
        };
        for (const step of sequence) {
          if (typeof step === 'bigint') {
            add(days, step);
            model.push(step);
          } else if (step === 'mark') {
            days.mark();
            marked = model.length;
          } else if (step === 'rollback') {
            days.rollback();
            model = model.slice(0, marked);
          } else if (step === 'reset') {
            days.reset();
            [model, marked] = [[], 0];
          } else check();
        }
        check();
      }),
      { numRuns: 2000 },
    );
  });

  it('puts the last nanosecond of a day and the first of the next on different days', () => {
    const days = new DayCounter();
    for (const offset of [-1n, 0n, DAY - 1n, DAY]) add(days, 20_000n * DAY + offset);
    expect([...days.byDay()]).toEqual([
      [19_999, 1],
      [20_000, 2],
      [20_001, 1],
    ]);
  });
});
