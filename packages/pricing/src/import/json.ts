/** Reading JSON of others: what is expected or an AppError, never a guess. Shared by the importers, which differ in shapes only. */

import { AppError } from '@glasshouse/model';
import { parseDecimal, UNIT_SCALE } from '../money.ts';
import type { PriceRow } from '../row.ts';

/** What an import yields: rows, and what could not become one, with the reason. */
export interface Imported {
  readonly rows: PriceRow[];
  readonly skipped: string[];
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function record(value: unknown, what: string): Record<string, unknown> {
  if (!isRecord(value)) throw new AppError('bad_request', `cannot read ${what}: it is no object`);
  return value;
}

export function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new AppError('bad_request', `cannot read ${what}: it is no list`);
  return value;
}

export function text(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '')
    throw new AppError('bad_request', `cannot read ${what}: it is no text`);
  return value;
}

export function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A price of JSON as a decimal text: of a number the shortest decimal that denotes it, which is what the file says. */
export function decimalText(value: unknown, what: string): string {
  const written = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  const parsed = parseDecimal(written, UNIT_SCALE);
  if (parsed === undefined || parsed < 0n)
    throw new AppError('bad_request', `cannot read ${what}=${written}: it is no price`);
  return written;
}
