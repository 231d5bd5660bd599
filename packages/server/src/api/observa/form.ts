/** Reading fields of Observa's bodies: what is wrong is collected, so that an answer names all of it. */

import type { FieldError } from './refusal.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Whose rows a key may bring. */
export interface Owner {
  readonly tenant: string;
  readonly project: string;
  /** Undefined if each event says which of the two it is of. */
  readonly environment: string | undefined;
}

/** A row on its way into a data source. */
export type Row = Readonly<Record<string, unknown>>;

export const ENVIRONMENTS: readonly unknown[] = ['dev', 'prod'];

/** Field errors that an answer names; a batch with more is as wrong. */
const MAX_ERRORS = 100;
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?<zone>Z|[+-]\d\d:?\d\d)?$/u;
/** Of `DateTime64(3)`. */
const [FIRST_YEAR, LAST_YEAR] = [1900, 2299];
const MAX_UINT32 = 0xffff_ffff;

export class Findings {
  readonly errors: FieldError[] = [];

  add(field: string, message: string): void {
    if (this.errors.length < MAX_ERRORS) this.errors.push({ field, message });
  }

  get isClean(): boolean {
    return this.errors.length === 0;
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An ISO 8601 time as one in UTC with milliseconds; without a zone it is UTC already. Undefined for anything else. */
export function timeOf(value: unknown): string | undefined {
  const match = typeof value === 'string' ? ISO_TIME.exec(value) : null;
  if (match === null) return undefined;
  const time = new Date(match.groups?.['zone'] === undefined ? `${match[0]}Z` : match[0]);
  const year = time.getUTCFullYear();
  return year >= FIRST_YEAR && year <= LAST_YEAR ? time.toISOString() : undefined;
}

/** A text as it is, nothing as an empty one, and anything else as JSON. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/** The same, but nothing is null. */
export function optionalText(value: unknown): string | null {
  return value === undefined || value === null ? null : textOf(value);
}

/** A count or milliseconds, rounded; null for what is neither. */
export function countOf(value: unknown, max = MAX_UINT32): number | null {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return null;
  return Math.min(Math.round(value), max);
}
