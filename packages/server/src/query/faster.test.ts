import { describe, expect, it } from 'vitest';
import { fasterSettings, hasLargeParts } from './faster.ts';

describe('what makes a statement faster', () => {
  it('is asked of the engine only for groups by time', async () => {
    let asked = 0;
    const estimate = (): Promise<string> => {
      asked += 1;
      return Promise.resolve('tenant_a\tt\t2\t5000000\t611\n');
    };
    expect(await fasterSettings({ needsRows: true, byTime: false }, estimate)).toEqual({
      optimize_use_implicit_projections: '0',
    });
    expect(await fasterSettings({ needsRows: false, byTime: false }, estimate)).toEqual({});
    expect(asked).toBe(0);
    expect(await fasterSettings({ needsRows: false, byTime: true }, estimate)).toEqual({
      optimize_aggregation_in_order: '1',
    });
  });

  it.each(['db\tt\t1\t50000\t7\n', 'db\tt\t3\t400000\t52\ndb\tu\t1\t900000\t100\n'])(
    'finds groups one after the other in large parts: %j',
    (estimate) => {
      expect(hasLargeParts(estimate)).toBe(true);
    },
  );

  it.each([
    '',
    '\n',
    'db\tt\t60\t500000\t61\n',
    'db\tt\t0\t0\t0\n',
    'db\tt\t1\t900000\t9\ndb\tu\t9\t9\t9\n',
    'what',
    'a\tb\tc\td',
  ])('finds them in a table of groups in small parts, and where nothing is known: %j', (estimate) => {
    expect(hasLargeParts(estimate)).toBe(false);
  });
});
