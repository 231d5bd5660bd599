/** `--dry-run`: the first rows as they would be sent, and a guess at which lines would not fit, from the columns that there are. */

import type { ColumnInfo } from '../platform/wire.ts';
import { rowOf } from './batches.ts';
import type { BatchOptions } from './batches.ts';
import { BadRecord } from './formats.ts';
import type { RawRecord } from './records.ts';
import { timeText } from './times.ts';

export interface Trial {
  readonly rows: readonly unknown[];
  readonly records: number;
  readonly rejected: number;
  readonly misfits: number;
  /** The most frequent reasons, of rejected lines and of rows that would be quarantined. */
  readonly reasons: readonly { readonly reason: string; readonly lines: number; readonly firstLine: number }[];
}

const SHOWN = 5;
const LOOKED_AT = 10_000;
const MAX_REASONS = 20;

/** Looks at the first 10,000 records. `columns` is undefined if they are not known. */
export async function tryOut(
  records: AsyncIterable<RawRecord>,
  how: Pick<BatchOptions, 'limit' | 'map' | 'reader'>,
  columns: readonly ColumnInfo[] | undefined,
): Promise<Trial> {
  const rows: unknown[] = [];
  const reasons = new Map<string, { lines: number; readonly firstLine: number }>();
  let [seen, rejected, misfits] = [0, 0, 0];
  const count = (reason: string, firstLine: number): void => {
    const known = reasons.get(reason);
    if (known !== undefined) known.lines++;
    else if (reasons.size < MAX_REASONS) reasons.set(reason, { lines: 1, firstLine });
  };
  for await (const record of records) {
    if (seen >= Math.min(LOOKED_AT, how.limit ?? LOOKED_AT)) break;
    seen++;
    try {
      const text = rowOf(record, how);
      if (text === undefined) continue;
      const row = JSON.parse(text) as Readonly<Record<string, unknown>>;
      if (rows.length < SHOWN) rows.push(row);
      const misfit = columns?.map((column) => misfitOf(column, row)).find((reason) => reason !== undefined);
      if (misfit === undefined) continue;
      misfits++;
      count(misfit, record.line);
    } catch (error) {
      if (!(error instanceof BadRecord)) throw error;
      rejected++;
      count(error.message, record.line);
    }
  }
  const listed = [...reasons].map(([reason, { lines, firstLine }]) => ({ reason, lines, firstLine }));
  return { rows, records: seen, rejected, misfits, reasons: listed.toSorted((a, b) => b.lines - a.lines) };
}

/** Why a row would be quarantined for this column, as far as it can be told here. */
function misfitOf(
  { name, type, nullable, jsonpath, default_value }: ColumnInfo,
  row: Readonly<Record<string, unknown>>,
): string | undefined {
  const key = /^\$\.(\w+)$/u.exec(jsonpath ?? `$.${name}`)?.[1];
  if (key === undefined) return undefined;
  const value = row[key];
  if (value === undefined || value === null) {
    const isOptional = nullable === true || (default_value ?? '') !== '' || /^(?:Array|Nullable|JSON|Map)/u.test(type);
    return isOptional ? undefined : `${name}: there is no $.${key}, and the column has no DEFAULT`;
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const inner = type.replace(/^(?:LowCardinality|Nullable)\((.*)\)$/u, '$1');
  if (/^U?Int\d+$/u.test(inner) && !/^[+-]?\d+$/u.test(text)) return `${name}: a value is not ${inner}`;
  if (/^Float\d+$/u.test(inner) && !Number.isFinite(Number(text))) return `${name}: a value is not ${inner}`;
  if (inner.startsWith('Date') && timeText(text) === undefined) return `${name}: a value is not ${inner}; try :time`;
  return undefined;
}
