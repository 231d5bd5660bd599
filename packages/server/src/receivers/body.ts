/** Bodies on their way into a buffer of the sink. */

import type { IncomingMessage } from 'node:http';
import type { ContentCoding } from '@glasshouse/model';
import { AppError, CONTENT_CODINGS } from '@glasshouse/model';
import { chunksOf, declaredLength, readError, tooLarge } from '../http/body.ts';
import { BODY_SLACK } from '../otlp/wire.ts';
import type { BodyBuffer, Sink } from '../pipeline/sink.ts';

/** Length assumed for a chunked body until it has ended. */
const CHUNKED_GUESS_BYTES = 64 << 10;

/** Smaller chunks may share their memory, and cost little. */
const LARGE_CHUNK_BYTES = 16 << 10;

/** Asks for room and reads the body, in this order. Rejects with `unavailable`, `too_large`, or `cancelled`. */
export async function receiveBody(request: IncomingMessage, sink: Sink, maxBytes: number): Promise<BodyBuffer> {
  const length = declaredLength(request, maxBytes) ?? CHUNKED_GUESS_BYTES;
  await sink.ready(length);
  return readInto(request, sink, length, maxBytes);
}

/** Reads the body into a buffer of the sink, a larger one if it turns out to be longer than was said. */
async function readInto(request: IncomingMessage, sink: Sink, length: number, maxBytes: number): Promise<BodyBuffer> {
  let body = sink.lend(length);
  let target = new Uint8Array(body.buffer);
  try {
    for await (const chunk of chunksOf(request)) {
      const end = body.length + chunk.length;
      if (end > maxBytes) throw tooLarge(maxBytes);
      if (end > target.length - BODY_SLACK) {
        const larger = sink.lend(end * 2);
        new Uint8Array(larger.buffer).set(target.subarray(0, body.length));
        larger.length = body.length;
        sink.giveBack(body);
        body = larger;
        target = new Uint8Array(body.buffer);
      }
      target.set(chunk, body.length);
      body.length = end;
      release(chunk);
    }
  } catch (error) {
    sink.giveBack(body);
    throw readError(error);
  }
  return body;
}

/**
 * Gives the memory of a chunk back that was copied. The collector sees small objects, and looks for the large blocks behind them only
 * when they have become many: then it goes through the whole heap, which takes longer than reading the bodies.
 */
function release({ buffer, length }: Buffer): void {
  if (length >= LARGE_CHUNK_BYTES && buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}

/** The body's content coding. Throws `unsupported_media`. */
export function codingOf(request: IncomingMessage): ContentCoding {
  const coding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase() || 'identity';
  const known = CONTENT_CODINGS.find((candidate) => candidate === coding);
  if (known !== undefined) return known;
  throw new AppError('unsupported_media', `cannot read Content-Encoding=${coding}: send ${CONTENT_CODINGS.join(', ')}`);
}
