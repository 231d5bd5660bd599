/** HTTP as clients speak it, and as they should not: whole requests, and raw bytes on a socket. */

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { readFields } from './protobuf.ts';

const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  readonly text: string;
}

/** POSTs a body; it is protobuf unless the headers say otherwise. */
export async function post(
  url: string,
  body: Uint8Array | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    // Node's types want to know that the memory isn't shared.
    body: body as Uint8Array<ArrayBuffer> | string,
    headers: { 'content-type': PROTOBUF, ...headers },
  });
  return answerOf(response);
}

/** POSTs OTLP/JSON. */
export function postJson(url: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return post(url, body, { 'content-type': JSON_TYPE, ...headers });
}

/** Reads an answer whole. */
export async function answerOf(response: Response): Promise<Answer> {
  const body = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, body, text: body.toString('utf8') };
}

/** `google.rpc.Status`, the body of every OTLP error, in the encoding that the answer has. */
export function statusOf({ headers, body, text }: Answer): { readonly code: number; readonly message: string } {
  if (headers.get('content-type') === JSON_TYPE) return JSON.parse(text) as { code: number; message: string };
  const fields = readFields(body);
  return { code: Number(fields.get(1) ?? 0), message: String(fields.get(2) ?? '') };
}

/** The partial success of an export's answer in protobuf, or undefined if everything was taken. */
export function partialOf({ body }: Answer): { readonly rejected: number; readonly message: string } | undefined {
  const partial = readFields(body).get(1);
  if (!(partial instanceof Buffer)) return undefined;
  const fields = readFields(partial);
  return { rejected: Number(fields.get(1) ?? 0), message: String(fields.get(2) ?? '') };
}

/** A connection of its own, and all that came back on it. */
export interface RawConnection {
  readonly socket: Socket;
  /** What has come until now. */
  received(): string;
  /** Resolves when the text has come; rejects if the connection ends before. */
  until(text: string): Promise<void>;
  /** Resolves when the server has closed the connection. */
  closed(): Promise<void>;
}

/** Connects to a port of this machine. */
export async function rawConnection(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let text = '';
  let ended = false;
  const waiting = new Set<() => void>();
  const wake = (): void => waiting.forEach((check) => check());
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    wake();
  });
  socket.on('close', () => {
    ended = true;
    wake();
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const wait = (done: () => boolean, what: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (done()) resolve();
        else if (ended)
          reject(new Error(`cannot wait for ${what}: the connection ended after ${JSON.stringify(text)}`));
        else return;
        waiting.delete(check);
      };
      waiting.add(check);
      check();
    });
  return {
    socket,
    received: () => text,
    until: (wanted) => wait(() => text.includes(wanted), wanted),
    closed: () => wait(() => ended, 'the end'),
  };
}

/** The head of a POST of protobuf to /v1/traces. */
export function tracesHead(headers: Readonly<Record<string, number | string>>, version = '1.1'): string {
  const lines = Object.entries({ Host: 'localhost', 'Content-Type': PROTOBUF, ...headers }).map(
    ([k, v]) => `${k}: ${v}`,
  );
  return `POST /v1/traces HTTP/${version}\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** What came of a large result, read piece by piece. */
export interface Download {
  readonly status: number;
  readonly length: number;
  /** The last characters. */
  readonly tail: string;
  /** Whether the message ended as it should. */
  readonly isWhole: boolean;
}

const TAIL_BYTES = 2_000;
const WATCH_MS = 50;

/** POSTs a query and reads the result without keeping it; calls `watch` now and then meanwhile. */
export async function download(url: string, query: string, watch: () => Promise<void>): Promise<Download> {
  const upload = httpRequest(url, { method: 'POST' });
  upload.end(query);
  const [response] = (await once(upload, 'response')) as [IncomingMessage];
  let length = 0;
  let tail = Buffer.alloc(0);
  let watchedAt = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
      if (Date.now() - watchedAt < WATCH_MS) continue;
      watchedAt = Date.now();
      await watch();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
  }
  return { status: response.statusCode ?? 0, length, tail: tail.toString('utf8'), isWhole: response.complete };
}
