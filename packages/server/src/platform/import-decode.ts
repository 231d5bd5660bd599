/**
 * Unpacking what is imported: by what a header says, or by the first bytes of a file.
 *
 * Must stay true: no more than the limit ever comes out, however little went in.
 */

import { Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { AppError, messageOf } from '@glasshouse/model';

const DECODERS = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
} as const;

/** The stream without its content coding. Throws `unsupported_media`; fails with `too_large` or `bad_request` later. */
export function decoded(stream: Readable, coding: string, maxBytes: number): Readable {
  if (coding === '' || coding === 'identity') return stream;
  if (!Object.hasOwn(DECODERS, coding)) {
    throw new AppError(
      'unsupported_media',
      `cannot read Content-Encoding=${coding.slice(0, 40)}: send gzip, deflate, br or zstd`,
    );
  }
  return unpacked(stream, coding as keyof typeof DECODERS, maxBytes);
}

/** The coding of a file by how it begins; `identity` for a plain one. */
export function codingOfFile(head: Uint8Array): 'gzip' | 'identity' | 'zstd' {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return 'zstd';
  return 'identity';
}

function unpacked(stream: Readable, coding: keyof typeof DECODERS, maxBytes: number): Readable {
  const decoder = DECODERS[coding]();
  let bytes = 0;
  const counter = new Transform({
    transform: (chunk: Buffer, _, done) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) done(null, chunk);
      else done(new AppError('too_large', `cannot import the data: it is larger than ${maxBytes} bytes unpacked`));
    },
  });
  const fail = (error: unknown): void => {
    counter.destroy(
      error instanceof AppError
        ? error
        : new AppError('bad_request', `cannot unpack the data: it is not ${coding}: ${messageOf(error)}`, {
            cause: error,
          }),
    );
  };
  stream.on('error', (error) => counter.destroy(error));
  stream.on('close', () => {
    if (!stream.readableEnded) fail(new Error('it broke off'));
  });
  decoder.on('error', fail);
  counter.on('close', () => {
    stream.unpipe(decoder);
    decoder.destroy();
  });
  return stream.pipe(decoder).pipe(counter);
}
