/**
 * Which of the store's errors are about a segment's data. Separate because the drain's patience hangs on it: such a segment
 * waits behind the others and is put aside in the end, while for every other error the drain waits for the store.
 *
 * Must stay true: an error that a better moment may cure (no memory, no disk, too many parts, shutting down) is never here.
 */

import { AppError } from '@glasshouse/model';

/** ClickHouse's codes for data that does not fit its table, by number. */
const REFUSALS: ReadonlyMap<number, string> = new Map([
  [6, 'CANNOT_PARSE_TEXT'],
  [8, 'THERE_IS_NO_COLUMN'],
  [9, 'SIZES_OF_COLUMNS_DOESNT_MATCH'],
  [10, 'NOT_FOUND_COLUMN_IN_BLOCK'],
  [16, 'NO_SUCH_COLUMN_IN_TABLE'],
  [20, 'NUMBER_OF_COLUMNS_DOESNT_MATCH'],
  [32, 'ATTEMPT_TO_READ_AFTER_EOF'],
  [33, 'CANNOT_READ_ALL_DATA'],
  [41, 'CANNOT_PARSE_DATETIME'],
  [43, 'ILLEGAL_TYPE_OF_ARGUMENT'],
  [44, 'ILLEGAL_COLUMN'],
  [47, 'UNKNOWN_IDENTIFIER'],
  [50, 'UNKNOWN_TYPE'],
  [53, 'TYPE_MISMATCH'],
  [69, 'ARGUMENT_OUT_OF_BOUND'],
  [70, 'CANNOT_CONVERT_TYPE'],
  [117, 'INCORRECT_DATA'],
  [128, 'TOO_LARGE_ARRAY_SIZE'],
  [131, 'TOO_LARGE_STRING_SIZE'],
  [190, 'SIZES_OF_ARRAYS_DONT_MATCH'],
  [246, 'CORRUPTED_DATA'],
  [261, 'UNKNOWN_BLOCK_INFO_FIELD'],
  [271, 'CANNOT_DECOMPRESS'],
  [321, 'VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE'],
  [349, 'CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN'],
  [354, 'ZLIB_INFLATE_FAILED'],
  [407, 'DECIMAL_OVERFLOW'],
  [469, 'VIOLATED_CONSTRAINT'],
  [691, 'UNKNOWN_ELEMENT_OF_ENUM'],
]);

/** True if the error is about the data of the segment; false if it is about the store's state, or not known. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  // The ledger's own finding that the table holds a part of a day, which no waiting changes.
  if (error.code === 'internal') return true;
  const number = (error as { number?: unknown }).number;
  return typeof number === 'number' && REFUSALS.has(number);
}
