/** Reading a request's body whole, with a limit that holds before and while it is read. */

import type { IncomingMessage } from 'node:http';
import { AppError } from '@glasshouse/model';

/** The declared length, or undefined for a chunked body. Refuses what is declared larger than the limit. */
export function declaredLength(request: IncomingMessage, maxBytes: number): number | undefined {
  const header = request.headers['content-length'];
  if (header === undefined) return undefined;
  const length = Number(header);
  if (length > maxBytes) throw tooLarge(maxBytes);
  return length;
}

/** The error for a body over the limit. */
export function tooLarge(maxBytes: number): AppError {
  return new AppError(
    'too_large',
    `cannot take the request: its body is larger than ${maxBytes} bytes; send smaller batches`,
  );
}

/** The chunks of the body. Unlike the request itself, it leaves the connection open when the reader stops early, for an answer. */
export function chunksOf(request: IncomingMessage): AsyncIterable<Buffer> {
  return { [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer> };
}

/** Reads the whole body, at most `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  declaredLength(request, maxBytes);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunksOf(request)) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
