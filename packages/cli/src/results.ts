/** Showing results of SQL: as a table on a terminal, as the bytes that came elsewhere. */

import { AppError, messageOf } from '@glasshouse/model';
import type { Client, SqlOptions, SqlResult, Value } from './client.ts';
import { bodyOf, brokenOff, textOf } from './client.ts';
import type { Output } from './output.ts';
import { bytesText, countText, durationText } from './output.ts';
import { errorPlace } from './statements.ts';
import type { Cell } from './table.ts';

/** More rows than this help nobody on a terminal. */
const MOST_ROWS = 1_000;
const TIME = /^(?:Nullable\()?Date/;
const NUMERIC = /^(?:Nullable\()?(?:LowCardinality\()?(?:Nullable\()?(?:U?Int|Float|BFloat|Decimal)/;

/** Runs a statement and passes its result on unchanged, in `format` unless it names one itself. */
export async function pipeResult(
  client: Client,
  output: Output,
  sql: string,
  format: string,
  options: SqlOptions,
): Promise<void> {
  const response = await client.query(sql, format, options).catch((error: unknown) => {
    throw withPlace(error, sql);
  });
  try {
    for await (const chunk of bodyOf(response)) await output.raw(chunk);
  } catch (error) {
    throw brokenOff(error, options.signal);
  }
}

/** Runs a statement and shows its result as a table, with what it took. */
export async function showResult(client: Client, output: Output, sql: string, options: SqlOptions): Promise<void> {
  const startedMs = performance.now();
  const result = await client.sql(sql, options).catch((error: unknown) => {
    throw withPlace(error, sql);
  });
  const tookMs = performance.now() - startedMs;
  printRows(output, result);
  output.note(summary(result, tookMs), 'dim');
}

/** Prints the rows; a terminal gets at most a thousand. */
export function printRows(output: Output, { meta, data }: SqlResult): void {
  const shown = output.isTerminal ? data.slice(0, MOST_ROWS) : data;
  output.table(
    meta.map(({ name, type }) => {
      const numeric = NUMERIC.test(type);
      return { title: name, align: numeric ? 'right' : 'left', keep: numeric || TIME.test(type) };
    }),
    shown.map((row) => row.map(cellOf)),
  );
  if (shown.length < data.length)
    output.note(
      `… ${countText(data.length - shown.length)} more rows are not shown; use LIMIT, or --format CSVWithNames`,
      'yellow',
    );
}

function summary({ data, statistics }: SqlResult, tookMs: number): string {
  const rows = data.length === 1 ? '1 row' : `${countText(data.length)} rows`;
  const read =
    statistics === undefined
      ? ''
      : ` (read ${countText(statistics.rows_read)} rows, ${bytesText(statistics.bytes_read)})`;
  return `${rows} in ${durationText(tookMs)}${read}`;
}

function cellOf(value: Value): Cell {
  return value === null ? null : textOf(value);
}

/** The error with the line of the statement that it is about, if it says which. */
function withPlace(error: unknown, sql: string): unknown {
  const place = error instanceof AppError && error.code !== 'unavailable' ? errorPlace(sql, error.message) : undefined;
  return place === undefined || !(error instanceof AppError)
    ? error
    : new AppError(error.code, `${messageOf(error)}\n${place}`, { cause: error });
}
