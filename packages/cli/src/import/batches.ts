/**
 * Records to batches of rows.
 *
 * Must stay true: where a batch ends depends on the bytes from its beginning and on the options alone, because a batch that is sent
 * again under its name has to be the same.
 */

import type { Fields, Reader } from './formats.ts';
import { BadRecord } from './formats.ts';
import type { RawRecord } from './records.ts';

/** A record that is not sent. */
export interface Rejected {
  readonly line: number;
  readonly offset: number;
  readonly reason: string;
  readonly text: string;
}

export interface Batch {
  /** Offsets of the records in it. */
  readonly start: number;
  readonly end: number;
  /** Number of the line behind it. */
  readonly nextLine: number;
  readonly lines: number;
  readonly rows: readonly string[];
  readonly rejected: readonly Rejected[];
}

const MAX_RECORDS = 10_000;
const MAX_ROW_BYTES = 4 << 20;
const MAX_RAW_BYTES = 16 << 20;
const SHOWN_CHARACTERS = 2_000;

export interface BatchOptions {
  readonly reader: Reader;
  readonly map: (fields: Fields) => Fields;
  /** Most records; undefined for all. */
  readonly limit: number | undefined;
  /** Where the records begin. */
  readonly from: { readonly offset: number; readonly line: number; readonly records: number };
}

/** The row of a record as JSON; undefined for none. @throws BadRecord */
export function rowOf(record: RawRecord, { reader, map }: Pick<BatchOptions, 'map' | 'reader'>): string | undefined {
  if (record.text === undefined) throw new BadRecord('it is longer than 3 MiB');
  const fields = reader.read(record.text);
  return fields === undefined ? undefined : JSON.stringify(map(fields));
}

export async function* batchesOf(records: AsyncIterable<RawRecord>, options: BatchOptions): AsyncGenerator<Batch> {
  let { offset: start, line: nextLine } = options.from;
  let end = start;
  let lines = 0;
  let rows: string[] = [];
  let rejected: Rejected[] = [];
  let bytes = 0;
  let left = options.limit === undefined ? Infinity : options.limit - options.from.records;
  const cut = (): Batch => {
    const batch = { start, end, nextLine, lines, rows, rejected };
    [start, lines, bytes] = [end, 0, 0];
    [rows, rejected] = [[], []];
    return batch;
  };
  for await (const record of records) {
    if (left <= 0) break;
    left--;
    let row: string | undefined;
    let reason: string | undefined;
    try {
      row = rowOf(record, options);
    } catch (error) {
      if (!(error instanceof BadRecord)) throw error;
      reason = error.message;
    }
    const size = row === undefined ? 0 : Buffer.byteLength(row) + 1;
    const isFull = lines >= MAX_RECORDS || bytes + size > MAX_ROW_BYTES || record.end - start > MAX_RAW_BYTES;
    // The lines of a record are counted from where the next one begins.
    if (lines > 0) nextLine = record.line;
    if (isFull && lines > 0) yield cut();
    if (row !== undefined) rows.push(row);
    if (reason !== undefined)
      rejected.push({
        line: record.line,
        offset: record.start,
        reason,
        text: (record.text ?? '').slice(0, SHOWN_CHARACTERS),
      });
    end = record.end;
    nextLine = record.line + 1 + newlines(record.text ?? '');
    bytes += size;
    lines++;
  }
  if (lines > 0) yield cut();
}

function newlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
