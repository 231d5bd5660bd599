/**
 * Reading `multipart/form-data` (RFC 7578): small fields whole, files as streams, one at a time.
 *
 * Must stay true: the name of a file is a text like any other and never becomes part of a path. A body that is malformed or
 * breaks off is the sender's fault and ends in `bad_request`, with everything that was begun cleaned up.
 */

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import type { BusboyFileStream, BusboyInstance } from '@fastify/busboy';
import { AppError, messageOf } from '@glasshouse/model';

export interface MultipartLimits {
  /** Of each file, in bytes. */
  readonly fileBytes: number;
  readonly files: number;
}

/** A file while it comes. Its stream has to be read to the end. */
export interface Part {
  readonly field: string;
  /** As the sender wrote it; empty if it wrote none. */
  readonly filename: string;
  readonly stream: Readable;
}

const MAX_FIELD_BYTES = 1 << 20;
const MAX_FIELDS = 200;
const MAX_HEADER_BYTES = 16 << 10;

/** True if the request says that its body is of this form. */
export function isMultipart(request: IncomingMessage): boolean {
  return /^multipart\/form-data\s*(?:;|$)/iu.test(request.headers['content-type'] ?? '');
}

/**
 * Reads the body, which may be another stream than the request where that is packed. Resolves with the fields, in their order,
 * when all is read and `onFile` is done with every file. Rejects with `bad_request`, `too_large`, or what `onFile` throws.
 */
export async function readMultipart(
  request: IncomingMessage,
  body: Readable,
  limits: MultipartLimits,
  onFile: (part: Part) => Promise<void>,
): Promise<[string, string][]> {
  const parser = parserOf(request, limits);
  const fields: [string, string][] = [];
  const works: Promise<void>[] = [];
  const streams: Readable[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (error: unknown): void => reject(error instanceof AppError ? error : malformed(messageOf(error), error));
  parser.on('field', (name: string | undefined, value, _, isTruncated) => {
    if (isTruncated) fail(tooLarge(`its field ${shorten(name ?? '')} is longer than ${MAX_FIELD_BYTES} bytes`));
    else if (name !== undefined) fields.push([name, value]);
  });
  parser.on('file', (field: string | undefined, stream, filename: string | undefined) => {
    const over = (): void => fail(tooLarge(`a file of it is larger than ${limits.fileBytes} bytes`));
    streams.push(whole(stream, over));
    const work = onFile({ field: field ?? '', filename: filename ?? '', stream });
    works.push(work);
    work.catch(fail);
  });
  parser.on('filesLimit', () => fail(tooLarge(`it has more than ${limits.files} files`)));
  parser.on('fieldsLimit', () => fail(tooLarge(`it has more than ${MAX_FIELDS} fields`)));
  parser.on('partsLimit', () => fail(tooLarge('it has too many parts')));
  parser.on('error', fail);
  parser.on('finish', resolve);
  body.on('error', fail);
  request.once('close', () => {
    if (!request.complete) fail(new AppError('cancelled', 'cannot read the request: the client went away'));
  });
  body.pipe(parser);
  try {
    await promise;
    await Promise.all(works);
    return fields;
  } finally {
    body.unpipe(parser);
    parser.on('error', () => undefined);
    if (!parser.destroyed) parser.destroy();
    // Who still waits for the rest of a file would wait for ever.
    for (const stream of streams) if (!stream.readableEnded) stream.destroy(malformed('it ended early', undefined));
    await Promise.allSettled(works);
  }
}

/** A file's stream that fails when the file is over its limit, instead of ending as if it were whole. */
function whole(stream: BusboyFileStream, over: () => void): Readable {
  stream.once('limit', () => {
    over();
    stream.destroy(tooLarge('a file of it is too large'));
  });
  stream.on('error', () => undefined);
  return stream;
}

function parserOf(request: IncomingMessage, { fileBytes, files }: MultipartLimits): BusboyInstance {
  const type = request.headers['content-type'] ?? '';
  try {
    return new Busboy({
      headers: { ...request.headers, 'content-type': type },
      preservePath: true,
      limits: {
        fileSize: fileBytes,
        files,
        fields: MAX_FIELDS,
        fieldSize: MAX_FIELD_BYTES,
        parts: files + MAX_FIELDS,
        headerPairs: 50,
        headerSize: MAX_HEADER_BYTES,
      },
    });
  } catch (cause) {
    throw malformed(messageOf(cause), cause);
  }
}

function malformed(why: string, cause: unknown): AppError {
  return new AppError('bad_request', `cannot read the body: it is no multipart/form-data: ${why}`, { cause });
}

function tooLarge(why: string): AppError {
  return new AppError('too_large', `cannot take the request: ${why}`);
}

function shorten(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
