import { describe, expect, it } from 'vitest';
import { CASES, generationOf } from './cases.suite.ts';
import { formatMoney, MONEY_SCALE, parseDecimal } from './money.ts';
import { Pricer } from './pricer.ts';
import { shippedTable } from './tables.ts';

const pricer = new Pricer(shippedTable());

/** The sum of a case, in 1e-12 dollars, worked out with whole numbers and none of the code that is tested. */
function workedOut(work: string): bigint {
  const match = /^\((.*)\) \/ ([\d_]+)$/.exec(work);
  const [sum, units] = match === null ? [work, '1'] : [match[1] ?? '', match[2] ?? '1'];
  const digits = 30;
  let total = 0n;
  for (const term of sum.split(' + ')) {
    let product = 1n;
    let places = 0;
    for (const factor of term.split(' * ')) {
      const [whole = '', fraction = ''] = factor.split('.');
      product *= BigInt(whole + fraction);
      places += fraction.length;
    }
    total += product * 10n ** BigInt(digits - places);
  }
  const divisor = BigInt(units.replaceAll('_', '')) * 10n ** BigInt(digits - MONEY_SCALE);
  return (total * 2n + divisor) / (divisor * 2n);
}

describe('costs that were checked by hand', () => {
  it('are more than a hundred, each with its source and date', () => {
    expect(CASES().length).toBeGreaterThanOrEqual(100);
    for (const { source } of CASES()) {
      expect(source.url ?? source.via).toBeTruthy();
      expect(source.date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    }
  });

  it.each(CASES().map((given) => [`${given.provider} ${given.model}: ${given.name}`, given] as const))(
    '%s',
    (_, given) => {
      const { cost } = pricer.price(generationOf(given));
      expect(cost.missing).toEqual([]);
      expect(cost.total === undefined ? undefined : formatMoney(cost.total)).toBe(given.expect);
      expect(parseDecimal(given.expect, MONEY_SCALE)).toBe(workedOut(given.work));
      const fast = pricer.total(generationOf(given));
      expect(fast.money).toBe(cost.total);
    },
  );
});

describe('the reported double count', () => {
  // A month of an agent on Opus 4.5: $6,467 shown, because what was read from the cache was billed as fresh input too.
  const calls = 1_000;
  const usage = {
    inputTokens: 2_400 + 1_110_600,
    cacheReadTokens: 1_110_600,
    outputTokens: 13_868,
  };

  it('comes out at about $914', () => {
    const { cost } = pricer.price({
      at: Date.parse('2026-04-01'),
      provider: 'anthropic',
      model: 'claude-opus-4-5',
      dialect: 'otel',
      usage,
    });
    const total = (cost.total ?? 0n) * BigInt(calls);
    // 1000 * (2400 * 5.00 + 1110600 * 0.50 + 13868 * 25.00) / 1_000_000
    expect(formatMoney(total)).toBe('914');
    const twice = total + BigInt(calls * usage.cacheReadTokens) * 5_000_000n;
    expect(formatMoney(twice)).toBe('6467');
  });
});
