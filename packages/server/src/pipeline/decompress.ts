/** Content codings of request bodies, with a limit on what may come out. */

import { gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import type { ContentCoding } from '@glasshouse/model';
import { AppError, messageOf } from '@glasshouse/model';

/** The decoded body. Throws `too_large` for more than `maxBytes`, and `bad_request` for bytes that are not of the coding. */
export function decompress(
  coding: Exclude<ContentCoding, 'identity'>,
  bytes: Uint8Array,
  maxBytes: number,
): Uint8Array {
  const options = { maxOutputLength: maxBytes };
  try {
    switch (coding) {
      case 'gzip':
        return gunzipSync(bytes, options);
      case 'deflate':
        // RFC 9110 says zlib format, but raw deflate is sent under the same name; the zlib header tells them apart.
        return ((bytes[0] ?? 0) & 0x0f) === 8 ? inflateSync(bytes, options) : inflateRawSync(bytes, options);
      case 'zstd':
        return zstdDecompressSync(bytes, options);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new AppError(
        'too_large',
        `cannot take the request: its body is larger than ${maxBytes} bytes decompressed`,
      );
    }
    throw new AppError('bad_request', `cannot decompress the body as ${coding}: ${messageOf(error)}`, { cause: error });
  }
}
