/**
 * Reads a request's body: its coding, its beginning as SQL, and the rest as data for a spool file. Separate because only
 * here does it matter where the text of a statement ends and arbitrary bytes begin.
 *
 * Must stay true: memory holds at most the SQL text; data goes to the file as it comes.
 */
import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { messageOf } from '@glasshouse/model';
import { Exception, toException } from './exception.ts';
import { judge, type InsertStatement, type Statement } from './statement.ts';

/** Longest SQL text, without inline data. */
const MAX_SQL_BYTES = 16 << 20;
/** How much of a text may pass before an INSERT must have shown where its data begins. */
const PEEK_BYTES = 64 << 10;

/** What the request asks for; for an INSERT with data also where the data comes from. */
export type Work =
  | { readonly statement: Exclude<Statement, InsertStatement> }
  | { readonly statement: InsertStatement; readonly data: InsertData };

export interface InsertData {
  /** Data that stood in the SQL text itself. */
  readonly inline: Buffer;
  readonly stream: Readable | undefined;
  /** Name for the engine's COMPRESSION clause when `stream` is still compressed. */
  readonly compression: string | undefined;
}

/** Content codings that the engine undoes while it reads the file, by the name it knows them by. */
const ENGINE_CODINGS: Readonly<Record<string, string>> = {
  gzip: 'gz',
  'x-gzip': 'gz',
  deflate: 'deflate',
  br: 'br',
  zstd: 'zstd',
  xz: 'xz',
  lz4: 'lz4',
  bz2: 'bz2',
  snappy: 'snappy',
};

/**
 * Joins the `query` parameter and the body as a server does (a line break between them) and judges the statement.
 * @throws Exception for what {@link judge} refuses, for a coding nobody knows (89), and for too long a text (229).
 */
export async function readWork(query: string | undefined, req: IncomingMessage): Promise<Work> {
  const coding = req.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  const hasBody = req.method !== 'GET' && req.method !== 'HEAD' && req.headers['content-length'] !== '0';
  const prefix = query === undefined || query === '' ? Buffer.alloc(0) : Buffer.from(hasBody ? `${query}\n` : query);

  if (hasBody && prefix.length > 0) {
    const early = judgeQuietly(prefix);
    if (early?.kind === 'insert') {
      const inline = prefix.subarray(early.dataStart);
      const compression = ENGINE_CODINGS[coding];
      if (compression !== undefined && inline.toString('latin1').trim() === '') {
        return { statement: early, data: { inline: Buffer.alloc(0), stream: req, compression } };
      }
      return { statement: early, data: { inline, stream: decoded(req, coding), compression: undefined } };
    }
  }
  if (!hasBody) return settle(prefix, judge(prefix, true), undefined);

  const stream = decoded(req, coding);
  let text: Buffer = prefix;
  let nextPeek = PEEK_BYTES;
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  for (;;) {
    const step = await chunks.next().catch((error: unknown) => {
      throw decodingFailure(error);
    });
    if (step.done === true) return settle(text, judge(text, true), undefined);
    text = text.length === 0 ? step.value : Buffer.concat([text, step.value]);
    if (text.length < nextPeek) continue;
    nextPeek *= 2;
    const statement = judge(text, false);
    if (statement !== undefined) return settle(text, statement, rest(chunks));
    if (text.length > MAX_SQL_BYTES) {
      throw new Exception(229, 'QUERY_IS_TOO_LARGE', `Query is too large: over ${MAX_SQL_BYTES} bytes of SQL`);
    }
  }
}

function settle(text: Buffer, statement: Statement | undefined, stream: Readable | undefined): Work {
  if (statement === undefined) throw new Exception(62, 'SYNTAX_ERROR', 'Empty query');
  if (statement.kind !== 'insert') return { statement };
  return { statement, data: { inline: text.subarray(statement.dataStart), stream, compression: undefined } };
}

/** The statement in the `query` parameter alone, if it is one; a statement that goes on in the body is judged later. */
function judgeQuietly(prefix: Buffer): Statement | undefined {
  try {
    return judge(prefix, false);
  } catch {
    return undefined;
  }
}

function rest(chunks: AsyncIterator<Buffer>): Readable {
  return Readable.from({ [Symbol.asyncIterator]: () => chunks }, { objectMode: false });
}

function decoded(req: IncomingMessage, coding: string): Readable {
  const decoder = decoderFor(coding);
  if (decoder === undefined) return req;
  req.on('error', (error) => decoder.destroy(error));
  return req.pipe(decoder);
}

function decoderFor(coding: string): Transform | undefined {
  switch (coding) {
    case 'identity':
    case '':
      return undefined;
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    case 'zstd':
      return createZstdDecompress();
    default:
      throw new Exception(89, 'UNKNOWN_COMPRESSION_METHOD', `Unknown compression method: ${coding}`);
  }
}

/** What zlib reports about a body is the sender's mistake. */
export function decodingFailure(error: unknown): Exception {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/^(?:Z_|ERR_|ZSTD_)/.test(code)) return toException(error);
  return new Exception(271, 'CANNOT_DECOMPRESS', `Cannot decompress the data: ${messageOf(error)}`, { cause: error });
}

/** Writes the data to `path` and says how many bytes it was (as they came, perhaps compressed). */
export async function spool(data: InsertData, path: string, signal: AbortSignal): Promise<number> {
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600, highWaterMark: 1 << 20 });
  const parts = async function* (): AsyncGenerator<Buffer> {
    if (data.inline.length > 0) yield data.inline;
    if (data.stream !== undefined) yield* data.stream as AsyncIterable<Buffer>;
  };
  await pipeline(parts, file, { signal });
  return file.bytesWritten;
}
