/**
 * Parquet to events, row group by row group. Times are written as the mapping reads them, with all their digits.
 *
 * Must stay true: a file says how large its parts are, and may lie: nothing is allocated beyond the limits on its word.
 */

import { AppError, messageOf } from '@glasshouse/model';
import type { AsyncBuffer, ColumnData, Compressors, FileMetaData, ParquetParsers, RowGroup } from 'hyparquet';
import { parquetMetadataAsync, parquetRead, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { ColumnTarget } from './import-columns.ts';
import { shapeOf } from './import-columns.ts';
import type { SealedFile } from './import-sealed.ts';
import { OpenSealed } from './import-sealed.ts';

/** Of a row group, unpacked. They are read whole. */
const MAX_GROUP_BYTES = 512 << 20;
const MAX_PAGE_BYTES = 256 << 20;
const MAX_COLUMNS = 5_000;
const MAX_GROUPS = 100_000;

/** The first `mostRows` events of the file. Throws `bad_request` for a file that is none, or whose row groups are too large. */
export async function* parquetRows(
  sealed: SealedFile,
  targets: readonly ColumnTarget[],
  mostRows: number = Infinity,
): AsyncGenerator<object> {
  const opened = await OpenSealed.open(sealed);
  try {
    const file = await bufferOf(opened);
    const { metadata, order } = await explained(async () => {
      const read = await parquetMetadataAsync(file, { parsers: PARSERS });
      return { metadata: read, order: parquetSchema(read).children.map(({ element }) => element.name) };
    });
    check(metadata, file.byteLength);
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      if (rowStart >= mostRows) return;
      checkGroup(group, file.byteLength);
      // Of a group that is not read to its end, the pages behind that are not unpacked.
      const groupEnd = rowStart + Number(group.num_rows);
      const rowEnd = Math.min(groupEnd, mostRows);
      const columns = new Map<string, ColumnData[]>();
      const onChunk = (chunk: ColumnData): void =>
        void columns.set(chunk.columnName, [...(columns.get(chunk.columnName) ?? []), chunk]);
      if (rowEnd > rowStart)
        await explained(() =>
          parquetRead({
            file,
            metadata,
            rowStart,
            rowEnd,
            onChunk,
            compressors: LIMITED,
            parsers: PARSERS,
            geoparquet: false,
          }),
        );
      yield* rowsOf(columns, order, { rowStart, rowEnd, isWhole: rowEnd === groupEnd }, targets);
      rowStart = rowEnd;
    }
  } finally {
    await opened.close();
  }
}

/** Rows of a group. */
interface Span {
  readonly rowStart: number;
  readonly rowEnd: number;
  /** Whether it is all of the group. */
  readonly isWhole: boolean;
}

function* rowsOf(
  columns: ReadonlyMap<string, readonly ColumnData[]>,
  order: readonly string[],
  { rowStart, rowEnd, isWhole }: Span,
  targets: readonly ColumnTarget[],
): Generator<object> {
  // They come as they are unpacked; in a guessed schema they stand as in the file.
  const names = order.filter((name) => columns.has(name));
  const shape = shapeOf(names, targets);
  const chunks = names.map((name) => columns.get(name) ?? []);
  const claimed = rowEnd - rowStart;
  for (const [index, list] of chunks.entries()) {
    const present = list.reduce((sum, { columnData }) => sum + columnData.length, 0);
    // Whole pages come, also when a part of the group is read.
    if (isWhole ? present !== claimed : present < claimed)
      throw damaged(`its column ${names[index]} has ${present} values for ${claimed} rows`);
  }
  if (chunks.length === 0 && claimed > 0) throw damaged(`it has no column for ${claimed} rows`);
  for (let row = rowStart; row < rowEnd; row++) {
    yield shape(chunks.map((list) => valueAt(list, row)));
  }
}

function valueAt(chunks: readonly ColumnData[], row: number): unknown {
  const chunk = chunks.find(({ rowStart, rowEnd }) => row >= rowStart && row < rowEnd);
  return chunk?.columnData[row - chunk.rowStart] as unknown;
}

async function bufferOf(opened: OpenSealed): Promise<AsyncBuffer> {
  const byteLength = await opened.bytes();
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      const from = start < 0 ? Math.max(0, byteLength + start) : start;
      const length = Math.max(0, Math.min(end, byteLength) - from);
      if (length > MAX_GROUP_BYTES) throw tooLarge(`a part of it has ${length} bytes`);
      const { buffer, byteOffset, byteLength: read } = await opened.read(from, length);
      return read === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + read);
    },
  };
}

function check({ row_groups: groups, schema }: FileMetaData, size: number): void {
  if (groups.length > MAX_GROUPS || groups.length > size) throw tooLarge(`it has ${groups.length} row groups`);
  if (schema.length > MAX_COLUMNS) throw tooLarge(`it has more than ${MAX_COLUMNS} columns`);
}

function checkGroup({ columns, num_rows: rows }: RowGroup, size: number): void {
  let bytes = 0;
  for (const { meta_data: column } of columns) bytes += Number(column?.total_uncompressed_size ?? 0);
  if (bytes > MAX_GROUP_BYTES) throw tooLarge(`a row group of it has ${bytes} bytes`);
  // A value takes a bit at least, unless it is the same in thousands of rows.
  if (rows < 0n || Number(rows) > size * 100_000) throw tooLarge(`it claims ${rows} rows`);
}

/** Every compressor, with a limit on what a page may claim. */
const LIMITED: Compressors = Object.fromEntries(
  Object.entries(compressors).map(([codec, unpack]) => [
    codec,
    (input: Uint8Array, length: number) => {
      if (length > MAX_PAGE_BYTES) throw tooLarge(`a page of it claims ${length} bytes`);
      return unpack(input, length);
    },
  ]),
);

const DAY_MS = 86_400_000;

/** Times as `YYYY-MM-DD hh:mm:ss.fffffffff` in UTC. */
const PARSERS: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (value: bigint) => timeText(value * 1_000_000n),
  timestampFromMicroseconds: (value: bigint) => timeText(value * 1_000n),
  timestampFromNanoseconds: (value: bigint) => timeText(value),
  dateFromDays: (days: number) => dateText(days * DAY_MS)?.slice(0, 10),
};

function timeText(nanoseconds: bigint): string | undefined {
  const fraction = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = dateText(Number((nanoseconds - fraction) / 1_000_000n));
  if (seconds === undefined) return undefined;
  const digits = fraction
    .toString()
    .padStart(9, '0')
    .replace(/(?:000){1,3}$/u, '');
  return digits === '' ? seconds : `${seconds}.${digits}`;
}

function dateText(ms: number): string | undefined {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString().slice(0, 19).replace('T', ' ') : undefined;
}

async function explained<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('bad_request', `cannot read the Parquet file: ${messageOf(cause)}`, { cause });
  }
}

function damaged(why: string): AppError {
  return new AppError('bad_request', `cannot read the Parquet file: ${why.slice(0, 200)}`);
}

function tooLarge(why: string): AppError {
  return new AppError('bad_request', `cannot read the Parquet file: ${why}; write smaller row groups`);
}
