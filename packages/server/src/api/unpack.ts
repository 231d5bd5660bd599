/**
 * Reading a compressed request body, with the limit on what comes out of it.
 *
 * Must stay true: no more than the limit is ever unpacked.
 */

import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { AppError } from '@glasshouse/model';
import { readBody, tooLarge } from '../http/body.ts';

const UNPACKERS = {
  br: promisify(brotliDecompress),
  deflate: promisify(inflate),
  gzip: promisify(gunzip),
  zstd: promisify(zstdDecompress),
} as const;

/** The body without its Content-Encoding. Rejects with `too_large`, `unsupported_media` or `bad_request`. */
export async function readUnpacked(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const coding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const body = await readBody(request, maxBytes);
  if (coding === 'identity' || coding === '' || body.length === 0) return body;
  if (!Object.hasOwn(UNPACKERS, coding)) {
    throw new AppError(
      'unsupported_media',
      `cannot read Content-Encoding=${coding}: gzip, deflate, br and zstd are supported`,
    );
  }
  try {
    return await UNPACKERS[coding as keyof typeof UNPACKERS](body, { maxOutputLength: maxBytes });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
    throw new AppError('bad_request', `cannot unpack the body: it is not ${coding}`, { cause });
  }
}
