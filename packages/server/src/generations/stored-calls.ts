/**
 * A call that is stored already, as it is told to the worker after a start: the few values of its row by which it is known again.
 *
 * Must stay true: it becomes a row in the form of one that comes in, so that one rule says what the keys of a call are.
 */

import { MAPPED_COLUMNS, placeOf } from '@glasshouse/generations';
import type { GenerationValues, RowValue } from '@glasshouse/generations';

/** The columns that are needed, in the order in which a stored call has them. */
export const CALL_COLUMNS = ['response_id', 'cache_hit', 'trace_id', 'span_id', 'dialect', 'call_id'] as const;

const PLACES = CALL_COLUMNS.map(placeOf);

/** The tenant, then a value for each of `CALL_COLUMNS`. */
export type StoredCall = readonly [tenant: string, ...values: RowValue[]];

/** The values of its row, of which only those of `CALL_COLUMNS` are there. */
export function storedRow([, ...values]: StoredCall): GenerationValues {
  const row: RowValue[] = MAPPED_COLUMNS.map(() => null);
  for (const [index, place] of PLACES.entries()) row[place] = values[index] ?? null;
  return row;
}
