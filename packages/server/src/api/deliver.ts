/**
 * Sends the result of a query to an HTTP client: head, compression, back-pressure, and an end that tells the truth.
 *
 * Must stay true: a result that broke off never ends as a complete HTTP message, and a client that goes away ends its query.
 */

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Transform } from 'node:stream';
import { constants, createBrotliCompress, createDeflate, createGzip, createZstdCompress } from 'node:zlib';
import type { Exchange } from '../http/router.ts';
import type { Answer } from '../query/door.ts';

export type Coding = 'zstd' | 'gzip' | 'br' | 'deflate';

/** A signal that aborts when the client has gone before it has its answer. */
export function signalOf(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** The best coding that the client takes, or none. */
export function acceptedCoding(exchange: Exchange): Coding | undefined {
  const header = exchange.request.headers['accept-encoding'];
  if (typeof header !== 'string') return undefined;
  const offered = new Set<string>();
  for (const part of header.toLowerCase().split(',')) {
    const [name = '', ...rest] = part.split(';');
    if (!rest.some((parameter) => /^\s*q\s*=\s*0(?:\.0*)?\s*$/u.test(parameter))) offered.add(name.trim());
  }
  return (['zstd', 'gzip', 'br', 'deflate'] as const).find((coding) => offered.has(coding));
}

/** Streams the answer until `signal`, that of the response, aborts. Resolves when it has been sent, or has broken off and the connection with it. */
export async function deliver(
  response: ServerResponse,
  answer: Answer,
  headers: Readonly<Record<string, string>>,
  coding: Coding | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) {
    answer.stream.destroy();
    return;
  }
  signal.addEventListener('abort', () => answer.stream.destroy(), { once: true });
  try {
    response.writeHead(200, {
      ...headers,
      ...(coding === undefined ? {} : { 'Content-Encoding': coding, Vary: 'Accept-Encoding' }),
      ...(coding === undefined && answer.length !== undefined ? { 'Content-Length': answer.length } : {}),
    });
  } catch (error) {
    answer.stream.destroy();
    throw error;
  }
  const packer = coding === undefined ? undefined : createPacker(coding);
  packer?.pipe(response, { end: false });
  const sink = packer ?? response;
  let whole = true;
  try {
    for await (const chunk of answer.stream as AsyncIterable<Buffer>) {
      if (!sink.write(chunk)) await once(sink, 'drain', { signal });
    }
  } catch {
    whole = false;
  }
  if (signal.aborted) {
    packer?.destroy();
    return;
  }
  if (packer !== undefined) {
    const emptied = once(packer, 'end', { signal });
    packer.end();
    await emptied.catch(() => undefined);
  }
  // What the engine said about the failure is the last thing sent; then the connection breaks without the message's end.
  if (whole) response.end();
  else response.socket?.destroySoon();
}

function createPacker(coding: Coding): Transform {
  switch (coding) {
    case 'gzip':
      return createGzip({ level: 3 });
    case 'deflate':
      return createDeflate({ level: 3 });
    case 'br':
      return createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
    case 'zstd':
      return createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  }
}
