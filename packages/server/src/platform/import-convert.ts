/**
 * A file, of whatever format, as pieces of NDJSON. Runs in a thread of its own (`import-worker.ts`), because a large file keeps
 * a processor busy and a hostile one may take it down. Readers are loaded when they are needed: most imports need one.
 */

import type { Readable } from 'node:stream';
import type { ColumnTarget } from './import-columns.ts';
import { jsonText } from './import-columns.ts';
import type { CsvDialect } from './import-csv.ts';
import { codingOfFile, decoded } from './import-decode.ts';
import { jsonPieces } from './import-lines.ts';
import type { SealedFile } from './import-sealed.ts';
import { headOf, readSealed } from './import-sealed.ts';

export type ImportFormat = 'csv' | 'ndjson' | 'parquet';

/** What to convert, and how. Plain data, because it goes to another thread. */
export interface Conversion {
  readonly file: SealedFile;
  readonly format: ImportFormat;
  readonly dialect: CsvDialect;
  /** Columns of the data source; none if there is none yet. */
  readonly targets: readonly ColumnTarget[];
  readonly pieceBytes: number;
  readonly rowBytes: number;
  /** Largest file after unpacking. */
  readonly maxBytes: number;
  /** So many rows are enough, of formats that are not passed on as they are. */
  readonly mostRows?: number;
}

/** Enough to tell how a file is packed. */
const HEAD_BYTES = 4;

/** Pieces of NDJSON, each of whole lines. Throws AppError. */
export async function* convert(conversion: Conversion): AsyncGenerator<Buffer> {
  const { file, format, dialect, targets, pieceBytes, rowBytes, maxBytes, mostRows = Infinity } = conversion;
  if (format === 'parquet') {
    const { parquetRows } = await import('./import-parquet.ts');
    yield* gathered(parquetRows(file, targets, mostRows), pieceBytes, mostRows);
    return;
  }
  const stream = decoded(readSealed(file), codingOfFile(await headOf(file, HEAD_BYTES)), maxBytes);
  try {
    if (format === 'csv') {
      const { csvRows } = await import('./import-csv.ts');
      yield* gathered(csvRows(chunksOf(stream), dialect, targets, rowBytes), pieceBytes, mostRows);
    } else yield* jsonPieces(chunksOf(stream), { pieceBytes, lineBytes: rowBytes });
  } finally {
    stream.destroy();
  }
}

function chunksOf(stream: Readable): AsyncIterable<Buffer> {
  return stream as AsyncIterable<Buffer>;
}

/** Rows as lines, gathered into pieces. */
async function* gathered(rows: AsyncIterable<object>, pieceBytes: number, mostRows: number): AsyncGenerator<Buffer> {
  let lines: string[] = [];
  let length = 0;
  let count = 0;
  for await (const row of rows) {
    const line = `${jsonText(row)}\n`;
    lines.push(line);
    // In UTF-8 a character takes three bytes at most of each unit that it has here.
    length += line.length * 3;
    count++;
    if (count >= mostRows) break;
    if (length < pieceBytes) continue;
    yield Buffer.from(lines.join(''));
    lines = [];
    length = 0;
  }
  if (lines.length > 0) yield Buffer.from(lines.join(''));
}
