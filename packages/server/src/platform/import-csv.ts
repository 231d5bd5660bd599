/**
 * CSV to events (RFC 4180, and what is called CSV elsewhere: other delimiters, quotes and line ends). With a header the columns
 * go by their names, without one by their order.
 *
 * Must stay true: an empty cell is no value.
 */

import { Readable } from 'node:stream';
import { AppError, messageOf } from '@glasshouse/model';
import { CsvError, parse } from 'csv-parse';
import type { ColumnTarget, RowShape } from './import-columns.ts';
import { isHeader, positionalShape, shapeOf } from './import-columns.ts';

/** How the file is written; what is left out is found out, or the common way. */
export interface CsvDialect {
  readonly delimiter?: string | undefined;
  readonly newLine?: string | undefined;
  readonly escape?: string | undefined;
  readonly quote?: string | undefined;
  /** Whether the first line has names; found out without it. */
  readonly header?: boolean | undefined;
}

const DELIMITERS = [',', ';', '\t', '|'] as const;
const MAX_CELLS = 10_000;
const HEAD_BYTES = 64 << 10;

/** Events of the file. Throws `bad_request` with the line for a file that is none, `too_large` for a row over the limit. */
export async function* csvRows(
  chunks: AsyncIterable<Buffer>,
  dialect: CsvDialect,
  targets: readonly ColumnTarget[],
  maxRowBytes: number,
): AsyncGenerator<object> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  const head = first.done === true ? Buffer.alloc(0) : first.value;
  const parser = parse({
    delimiter: dialect.delimiter ?? delimiterOf(head.toString('utf8', 0, HEAD_BYTES)),
    ...(dialect.newLine === undefined ? {} : { record_delimiter: dialect.newLine }),
    escape: dialect.escape ?? '"',
    quote: dialect.quote ?? '"',
    bom: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: maxRowBytes,
  });
  const source = Readable.from(joined(head, iterator), { objectMode: false });
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  let shape: RowShape | undefined;
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      if (record.length > MAX_CELLS)
        throw new AppError('bad_request', `cannot read the CSV: a row has more than ${MAX_CELLS} cells`);
      if (shape === undefined) {
        const isNamed = dialect.header ?? isHeader(record, targets);
        if (!isNamed && targets.length === 0)
          throw new AppError(
            'bad_request',
            'cannot read the CSV: its first line has no names, and no data source says what they are',
          );
        shape = isNamed ? shapeOf(record, targets) : positionalShape(targets);
        if (isNamed) continue;
      }
      yield shape(record);
    }
  } catch (error) {
    if (error instanceof CsvError) {
      throw new AppError(
        error.code === 'CSV_MAX_RECORD_SIZE' ? 'too_large' : 'bad_request',
        `cannot read the CSV: ${messageOf(error)}`,
        { cause: error },
      );
    }
    throw error;
  } finally {
    source.destroy();
    parser.destroy();
  }
}

/** The delimiter that the first line has most of, outside of quotes. */
function delimiterOf(head: string): string {
  const line = /^(?:\uFEFF)?((?:"(?:[^"]|"")*"|[^"\n])*)/u.exec(head)?.[1] ?? '';
  const bare = line.replaceAll(/"(?:[^"]|"")*"/gu, '');
  const counts = DELIMITERS.map((delimiter) => bare.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ',';
}

async function* joined(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value;
  }
}
