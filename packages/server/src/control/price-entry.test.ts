/** What a request may record, and what a list may be: anything else is refused, whatever it is. */

import { AppError } from '@glasshouse/model';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { overrideOf } from './price-entry.ts';
import { inForce, LIST_FORMATS, readList } from './price-lists.ts';
import type { PriceListHead } from './price-lists.ts';

const PLACE = { tenant: 'acme', id: 'x', by: 'test', at: Date.parse('2026-11-22') };
const WORDS = [
  'provider',
  'models',
  'prices',
  'from',
  'when',
  'alias',
  'as',
  'model',
  'input',
  'tier',
  'name',
  'pricing',
];

const value = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('a', '', 'gpt-4o*', '0.5', '2026-01-01', 'batch', null, 0, -1, 1e300, true),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...WORDS, 'litellm_provider', '__proto__'), tie('tree'), { maxKeys: 5 }),
  ),
})).tree;
const fields = fc.dictionary(fc.constantFrom(...WORDS), value, { maxKeys: 6 });

it('any object becomes an entry or an error of ours', () => {
  fc.assert(
    fc.property(fields, (given) => {
      try {
        const { row, alias } = overrideOf(given, PLACE);
        expect([row, alias].filter((part) => part !== undefined)).toHaveLength(1);
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
      }
    }),
    { seed: 23, numRuns: 3_000 },
  );
});

it('any JSON becomes a list with ids that are there once, or an error of ours', async () => {
  await fc.assert(
    fc.asyncProperty(value, fc.constantFrom('auto' as const, ...LIST_FORMATS), async (content, format) => {
      try {
        const { rows } = await readList({ name: 'l', format, content, provider: 'acme', date: '2026-11-22' });
        expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
      }
    }),
    { seed: 24, numRuns: 2_000 },
  );
});

it('of lists of one name the newest counts, and none after it was taken out', () => {
  const head = (name: string, recordedAt: string, rows: number): PriceListHead => ({
    id: recordedAt,
    name,
    format: 'litellm',
    recordedAt,
    by: 'test',
    source: { date: '2026-11-22' },
    rows,
    skipped: 0,
  });
  const heads = [head('a', '1', 5), head('b', '2', 5), head('a', '3', 7), head('b', '4', 0)];
  expect(inForce(heads).map(({ id }) => id)).toEqual(['3']);
});
