/**
 * The first rows of what somebody might want to import: so much of a file as a schema is guessed from, whether it comes with a
 * request or from a URL.
 *
 * Must stay true: of a file that can be read from its start no more than the sample is kept or unpacked, however large it is. A
 * row that the sample ends in is no row of it, unless it would have to be CSV to tell.
 */

import type { Readable } from 'node:stream';
import { Readable as ReadableStream } from 'node:stream';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { AppError, messageOf } from '@glasshouse/model';
import type { FetchOptions } from './fetch-guard.ts';
import { openUrl } from './fetch-guard.ts';
import type { ImportFormat } from './import-convert.ts';
import type { CsvDialect } from './import-csv.ts';
import { codingOfFile, decoded } from './import-decode.ts';
import { piecesOf } from './import-pieces.ts';
import type { SealedFile } from './import-sealed.ts';
import { headOf } from './import-sealed.ts';
import type { Slots } from './import-slots.ts';
import type { Spool, Spooled } from './import-spool.ts';

export interface SamplesOptions {
  readonly spool: Spool;
  readonly slots: Slots;
  readonly fetch: Omit<FetchOptions, 'signal'>;
  /** Longest row. */
  readonly rowBytes: number;
  /** Largest file, as it comes and unpacked. */
  readonly maxBytes: number;
}

/** So much is looked at of a file that can be read from its start. Parquet has to be whole. */
const SAMPLE_BYTES = 1 << 20;
const SAMPLE_ROWS = 1_000;
const HEAD_BYTES = 4 << 10;
const PARQUET = Buffer.from('PAR1');
const NEWLINE = 0x0a;
const QUOTE = 0x22;

export class Samples {
  private readonly options: SamplesOptions;

  constructor(options: SamplesOptions) {
    this.options = options;
  }

  /** Keeps the beginning of a stream, and reads the rest so that its sender can be answered. Rejects like `Spool.take`. */
  take(stream: Readable, signal?: AbortSignal): Promise<Spooled> {
    const { spool, maxBytes } = this.options;
    return spool.take(ReadableStream.from(beginningOf(stream, { maxBytes, drains: true })), signal);
  }

  /** Fetches the beginning of what is at a URL. Rejects like `openUrl`. */
  async fetch(url: string, signal?: AbortSignal): Promise<Spooled> {
    const { fetch, spool, maxBytes } = this.options;
    const { stream, coding } = await openUrl(url, { ...fetch, signal });
    try {
      const body = decoded(stream, coding, maxBytes);
      return await spool.take(ReadableStream.from(beginningOf(body, { maxBytes, drains: false })), signal);
    } finally {
      // Whoever is not asked any more goes on to send otherwise.
      stream.destroy();
    }
  }

  /** The first rows of a file, as JSON texts. Of CSV, values that look like numbers or truth values are that. */
  async rows(file: Spooled, format: ImportFormat, dialect: CsvDialect, signal?: AbortSignal): Promise<string[]> {
    const { slots, rowBytes, maxBytes } = this.options;
    const sizes = { pieceBytes: SAMPLE_BYTES, rowBytes, maxBytes, mostRows: SAMPLE_ROWS };
    return slots.within(signal, async () => {
      const pieces = piecesOf(
        { file: { path: file.path, key: file.key }, format, dialect, targets: [], ...sizes },
        signal,
      );
      const first = await pieces.next();
      // The rest is of no interest, and neither is the thread.
      await pieces.return(undefined);
      if (first.done === true) return [];
      const lines = Buffer.from(first.value).toString('utf8').split('\n', SAMPLE_ROWS);
      const rows = lines.filter((line) => line.trim() !== '');
      return format === 'csv' ? rows.map(typed) : rows;
    });
  }
}

/** The format of a file by how it begins: what is neither Parquet nor JSON is CSV. */
export async function formatOfFile(file: SealedFile): Promise<ImportFormat> {
  const head = await headOf(file, HEAD_BYTES);
  if (isParquet(head)) return 'parquet';
  return isJson(head) ? 'ndjson' : 'csv';
}

interface Limits {
  readonly maxBytes: number;
  /** Whether to read what is behind the sample, without keeping it. */
  readonly drains: boolean;
}

/** The beginning of a file, unpacked; all of one that is Parquet. */
async function* beginningOf(chunks: AsyncIterable<Buffer>, { maxBytes, drains }: Limits): AsyncGenerator<Buffer> {
  const source = chunks[Symbol.asyncIterator]();
  const head = await first(source, PARQUET.length);
  const coding = codingOfFile(head);
  if (isParquet(head)) {
    yield* chain(head, source);
    return;
  }
  if (coding === 'identity') yield wholeRows(await first(chain(head, source), SAMPLE_BYTES));
  else yield* unpackedBeginning(chain(head, source), coding, maxBytes);
  if (drains) await drain(source, maxBytes);
  else await source.return?.();
}

/** The beginning of a packed file. One that is cut off, as by a client that sends no more than a sample, is no fault here. */
async function* unpackedBeginning(
  chunks: AsyncIterable<Buffer>,
  coding: 'gzip' | 'zstd',
  maxBytes: number,
): AsyncGenerator<Buffer> {
  const packed = ReadableStream.from(chunks, { objectMode: false });
  const decoder = coding === 'gzip' ? createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }) : createZstdDecompress();
  packed.on('error', (error) => decoder.destroy(error));
  try {
    yield* beginningOf(packed.pipe(decoder) as AsyncIterable<Buffer>, { maxBytes, drains: false });
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('bad_request', `cannot unpack the data: it is not ${coding}: ${messageOf(cause)}`, { cause });
  } finally {
    packed.unpipe(decoder);
    packed.destroy();
    decoder.destroy();
  }
}

/** As many bytes as are asked for, or all that there are. */
async function first(source: AsyncIterator<Buffer>, bytes: number): Promise<Buffer> {
  const read: Buffer[] = [];
  let length = 0;
  while (length < bytes) {
    const next = await source.next();
    if (next.done === true) break;
    read.push(next.value);
    length += next.value.length;
  }
  return Buffer.concat(read);
}

async function* chain(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value;
  }
}

async function drain(source: AsyncIterator<Buffer>, maxBytes: number): Promise<void> {
  for (let bytes = 0; ;) {
    const next = await source.next();
    if (next.done === true) return;
    bytes += next.value.length;
    if (bytes > maxBytes)
      throw new AppError('too_large', `cannot read the data: it is larger than ${maxBytes} bytes; send its beginning`);
  }
}

/**
 * The bytes without the row that they end in, if they may have been cut there. Half a row of CSV is a row like any other, with other
 * values; half a row of JSON is none, and is passed over where rows are read.
 */
function wholeRows(bytes: Buffer): Buffer {
  if (bytes.length < SAMPLE_BYTES || isJson(bytes)) return bytes;
  let end = 0;
  let inText = false;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) inText = !inText;
    else if (bytes[at] === NEWLINE && !inText) end = at + 1;
  }
  return bytes.subarray(0, end === 0 ? bytes.length : end);
}

function isParquet(head: Buffer): boolean {
  return head.subarray(0, PARQUET.length).equals(PARQUET);
}

function isJson(head: Buffer): boolean {
  return /^\uFEFF?\s*[[{]/u.test(head.toString('utf8', 0, HEAD_BYTES));
}

/** A row of CSV with values as JSON would have them. */
function typed(row: string): string {
  const values = JSON.parse(row) as Record<string, unknown>;
  return JSON.stringify(values, (_, value: unknown) => {
    if (typeof value !== 'string') return value;
    if (/^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/u.test(value)) return Number(value);
    return value === 'true' || value === 'false' ? value === 'true' : value;
  });
}
