/**
 * One HTTP response in ClickHouse's form. Separate because the difficult part of it is time: the status can only be right
 * while nothing has been sent, so the head of a result is held back until the query has succeeded or the hold is full.
 *
 * Must stay true: `X-ClickHouse-Exception-Code` is sent on failure only; a result that failed midway never ends as a
 * complete HTTP message.
 */
import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import { createBrotliCompress, createDeflate, createGzip, createZstdCompress, constants } from 'node:zlib';
import type { Transform } from 'node:stream';
import { Exception, exceptionFrame, formatException, httpStatus } from './exception.ts';
import { contentType } from './formats.ts';

export type Coding = 'zstd' | 'gzip' | 'br' | 'deflate';

/** How long a client may take to read the last of a result that failed. */
const BREAK_AFTER_MS = 1_000;

/** What every answer says about the engine. */
export interface Identity {
  /** `26.7.2.1` */
  readonly version: string;
  readonly timezone: string;
  readonly displayName: string;
}

export interface AnswerOptions {
  readonly identity: Identity;
  readonly queryId: string;
  readonly coding: Coding | undefined;
  /** Marks the exception frame of this answer: 16 random letters and digits. */
  readonly tag: string;
  /** Bytes of the result held back until the outcome is known. */
  readonly holdBytes: number;
  /** How long a client may leave its receive window shut before it counts as gone. */
  readonly stallMs: number;
}

export type Summary = Readonly<Record<string, string>>;

export class Answer {
  readonly #res: ServerResponse;
  readonly #options: AnswerOptions;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #format: string | undefined;
  #sink: ServerResponse | Transform | undefined;

  constructor(res: ServerResponse, options: AnswerOptions) {
    this.#res = res;
    this.#options = options;
  }

  /** True when nobody is there to read; what is written from then on is dropped. */
  get gone(): boolean {
    return this.#res.destroyed || this.#res.closed;
  }

  /** Names the format of the result, before the first byte. */
  format(format: string): void {
    this.#format = format;
  }

  /** Takes the next bytes of the result; resolves when more are welcome. */
  async write(chunk: Buffer): Promise<void> {
    if (this.gone) return;
    if (this.#sink === undefined) {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes < this.#options.holdBytes) return;
      this.#begin(200, {});
      await this.#send(Buffer.concat(this.#held.splice(0)));
      return;
    }
    await this.#send(chunk);
  }

  /** Ends the answer. The summary is a header, so it only reaches the client when the result fitted into the hold. */
  async succeed(summary: Summary): Promise<void> {
    if (this.gone) return;
    if (this.#sink === undefined) {
      const body = Buffer.concat(this.#held.splice(0));
      this.#begin(200, { 'X-ClickHouse-Summary': JSON.stringify(summary) }, body.length);
      if (body.length > 0) await this.#send(body);
    }
    await this.#end();
  }

  /** Ends the answer with an exception: a proper status when nothing was sent, else a frame and a broken message. */
  async fail(exception: Exception): Promise<void> {
    if (this.gone) return;
    const text = formatException(exception, this.#options.identity.version);
    if (this.#sink === undefined) {
      this.#held = [];
      this.#format = undefined;
      const headers: Record<string, string> = { 'X-ClickHouse-Exception-Code': String(exception.number) };
      if (exception.number === 194) headers['WWW-Authenticate'] = 'Basic realm="ClickHouse server HTTP API"';
      if (exception.number === 202) headers['Retry-After'] = '1';
      const body = Buffer.from(text);
      this.#begin(httpStatus(exception.number), headers, body.length);
      await this.#send(body);
      await this.#end();
      return;
    }
    // One write, because clients look for the frame within a chunk.
    await this.#send(Buffer.from(exceptionFrame(text, this.#options.tag)));
    await this.#break();
  }

  #begin(status: number, headers: Readonly<Record<string, string>>, length?: number): void {
    const { identity, queryId, coding, tag } = this.#options;
    const res = this.#res;
    res.statusCode = status;
    res.setHeader('Content-Type', this.#format === undefined ? 'text/plain; charset=UTF-8' : contentType(this.#format));
    if (this.#format !== undefined) res.setHeader('X-ClickHouse-Format', this.#format);
    res.setHeader('X-ClickHouse-Query-Id', queryId);
    res.setHeader('X-ClickHouse-Timezone', identity.timezone);
    res.setHeader('X-ClickHouse-Server-Display-Name', identity.displayName);
    res.setHeader('X-ClickHouse-Exception-Tag', tag);
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    if (coding === undefined || length === 0) {
      if (length !== undefined) res.setHeader('Content-Length', length);
      this.#sink = res;
      return;
    }
    res.setHeader('Content-Encoding', coding);
    const compressor = createCompressor(coding);
    compressor.pipe(res, { end: false });
    this.#sink = compressor;
  }

  async #send(chunk: Buffer): Promise<void> {
    const sink = this.#sink;
    if (sink === undefined || this.gone) return;
    if (!sink.write(chunk)) await this.#unlessGone(once(sink, 'drain'));
  }

  async #end(): Promise<void> {
    const sink = this.#sink;
    if (sink !== undefined && sink !== this.#res) {
      const ended = once(sink, 'end');
      sink.end();
      await this.#unlessGone(ended);
    }
    if (!this.gone) this.#res.end();
  }

  /** Sends what is buffered and closes the connection without the end of the message, so that no client takes it for whole. */
  async #break(): Promise<void> {
    const sink = this.#sink;
    if (sink !== undefined && sink !== this.#res) {
      const ended = once(sink, 'end');
      sink.end();
      await this.#unlessGone(ended);
    }
    // Node's client throws away what it has buffered when it sees the connection end: it gets time to read the exception first.
    const read = Promise.withResolvers<void>();
    setTimeout(read.resolve, BREAK_AFTER_MS);
    await this.#unlessGone(read.promise);
    this.#res.socket?.destroySoon();
  }

  async #unlessGone(event: Promise<unknown>): Promise<void> {
    if (this.gone) return;
    const closed = Promise.withResolvers<void>();
    const onClose = (): void => closed.resolve();
    this.#res.once('close', onClose);
    // A client that stays connected and reads nothing must not keep a slot for ever.
    const stalled = setTimeout(() => this.#res.destroy(), this.#options.stallMs);
    try {
      await Promise.race([event, closed.promise]);
    } finally {
      clearTimeout(stalled);
      this.#res.off('close', onClose);
      event.catch(() => undefined);
    }
  }
}

function createCompressor(coding: Coding): Transform {
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

/** The best coding that both sides know, or none. */
export function chooseCoding(acceptEncoding: string | undefined): Coding | undefined {
  if (acceptEncoding === undefined) return undefined;
  const offered = new Set<string>();
  for (const part of acceptEncoding.split(',')) {
    const [name = '', ...rest] = part.trim().toLowerCase().split(';');
    if (!rest.some((parameter) => /^\s*q=0(?:\.0*)?\s*$/.test(parameter))) offered.add(name.trim());
  }
  const known: readonly Coding[] = ['zstd', 'gzip', 'br', 'deflate'];
  return known.find((coding) => offered.has(coding));
}
