/** How prices and runs look in answers: plain fields, amounts as decimal texts. */

import { AppError } from '@glasshouse/model';
import type { Alternative } from '@glasshouse/pricing';
import type { PriceListHead } from '../control/price-lists.ts';
import type { RepricedSum, RepricingRecord } from '../control/repricings.ts';

const PICO_DIGITS = 12;

/** A row of a model, and whether it is in force at an instant. */
export function modelJson({ row, layer, steps, pattern, from, until }: Alternative, at: number): object {
  return { ...row, layer, pattern, steps, isInForce: from <= at && at < until };
}

export function listJson({ recordedAt, ...head }: PriceListHead & { readonly isInForce: boolean }): object {
  return { ...head, importedAt: recordedAt };
}

/** A run of a re-pricing, without what only the server needs. */
export function repricingJson(record: RepricingRecord): object {
  const { state, sum, tenant, ...rest } = record;
  const models = Object.entries(state.models).map(([name, of]) => {
    const [provider = '', model = ''] = name.split('\n');
    return { provider, model, ...sumJson(of) };
  });
  const size = ({ before, after }: { before: string; after: string }): number =>
    Math.abs(Number(after) - Number(before));
  return {
    ...rest,
    tenant: tenant === '' ? null : tenant,
    ...sumJson(sum),
    models: models.toSorted((a, b) => size(b) - size(a)),
  };
}

function sumJson({ before, after, ...counts }: RepricedSum): RepricedSum {
  return { ...counts, before: dollars(before), after: dollars(after) };
}

/** Whole 1e-12 dollars as a decimal text. */
function dollars(pico: string): string {
  const text = pico.padStart(PICO_DIGITS + 1, '0');
  const fraction = text.slice(-PICO_DIGITS).replace(/0+$/, '');
  return `${text.slice(0, -PICO_DIGITS)}${fraction === '' ? '' : `.${fraction}`}`;
}

/** A day or time in UTC; undefined if there is none. Throws `bad_request` for anything else. */
export function instant(value: unknown, name: string): Date | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const text = typeof value === 'string' ? value : '';
  const ms = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new AppError(
      'bad_request',
      `cannot read ${name}=${text.slice(0, 40)}: write it as 2026-01-31 or 2026-01-31T12:00:00Z`,
    );
  return new Date(ms);
}
