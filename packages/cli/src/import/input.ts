/** The bytes of what is imported: a file, what a packed file has in it, or standard input. */

import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { AppError, messageOf } from '@glasshouse/model';
import { UsageError } from '../errors.ts';
import { whyNot } from '../platform/files.ts';

const CHUNK_BYTES = 1 << 20;

/** Chunks from an offset of the text. The offset of a packed file is reached by reading up to it. */
export async function* chunksOf(path: string, offset: number): AsyncGenerator<Buffer> {
  const isPacked = path.endsWith('.gz');
  const file = createReadStream(path, { start: isPacked ? 0 : offset, highWaterMark: CHUNK_BYTES });
  const source: Readable = isPacked ? createGunzip({ chunkSize: CHUNK_BYTES }) : file;
  if (isPacked) {
    file.on('error', (error) => source.destroy(error));
    file.pipe(source as ReturnType<typeof createGunzip>);
  }
  let skip = isPacked ? offset : 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (skip >= chunk.length) skip -= chunk.length;
      else {
        yield chunk.subarray(skip);
        skip = 0;
      }
    }
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_'))
      throw new AppError('bad_request', `cannot unpack file=${path}: ${messageOf(cause)}`, { cause });
    throw new UsageError(`cannot read file=${path}: ${whyNot(cause)}`, undefined, cause);
  } finally {
    file.destroy();
    source.destroy();
  }
}

/** Chunks of standard input. */
export async function* chunksOfInput(input: NodeJS.ReadableStream): AsyncGenerator<Buffer> {
  for await (const chunk of input) yield Buffer.from(chunk);
}
