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

/** What went wrong while a body was read: our own refusal, or a client that went away, which is no fault of the server. */
export function readError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  return new AppError('cancelled', 'cannot read the request: the client went away', { cause: thrown });
}

/** Reads the whole body, at most `maxBytes`. Rejects with `too_large`, or `cancelled` when the client goes away. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  declaredLength(request, maxBytes);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of chunksOf(request)) {
      length += chunk.length;
      if (length > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    throw readError(error);
  }
  return Buffer.concat(chunks);
}
