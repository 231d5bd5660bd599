/** Listeners and routes over real sockets: what a client does to a connection harms nobody else's. */

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBody } from './body.ts';
import type { Listener } from './listen.ts';
import { listenHttp } from './listen.ts';
import { failJson, Router, send } from './router.ts';

const LIMIT_BYTES = 100_000;

let listener: Listener;
let http2: Socket[];
/** What would be logged as a fault of the server. */
let faults: string[];

beforeEach(async () => {
  http2 = [];
  faults = [];
  const router = new Router(
    [
      {
        method: 'POST',
        path: '/echo',
        fail: failJson,
        handle: async ({ request, response }) =>
          send(response, 200, 'text/plain', await readBody(request, LIMIT_BYTES)),
      },
    ],
    (_, error) => faults.push(error.message),
  );
  listener = await listenHttp('main', '127.0.0.1', 0, router.listener, (socket) => http2.push(socket.destroy()));
});

afterEach(() => listener.close(0));

/** Sends pieces with a pause after each, and returns all that came back until the server closed the connection. */
async function exchange(pieces: readonly (string | Uint8Array)[], pauseMs = 1): Promise<string> {
  const socket = connect(listener.port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1'))).on('error', () => undefined);
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  for (const piece of pieces) {
    socket.write(piece);
    await pause(pauseMs);
  }
  await closed;
  return text;
}

const head = (length: number, more = ''): string =>
  `POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${length}\r\n${more}\r\n`;

describe('a connection', () => {
  it('is HTTP/1 also when its first bytes come one by one', async () => {
    expect(await exchange(`${head(2)}hi`.split(''))).toMatch(/^HTTP\/1\.1 200 OK.*\r\n\r\nhi$/s);
    expect(http2).toEqual([]);
  });

  it('is HTTP/2 when it begins with the preface, whole or in pieces', async () => {
    await exchange(['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']);
    await exchange(['P', 'RI * HT', 'TP/2.0\r\n\r\nSM\r\n\r\n']);
    expect(http2).toHaveLength(2);
  });
});

describe('a body over the limit', () => {
  it('is refused before any of it is sent when its length is declared', async () => {
    expect(await exchange([head(LIMIT_BYTES + 1)])).toMatch(/^HTTP\/1\.1 413 .*larger than 100000 bytes/s);
  });

  it('in chunks is refused while it is still coming; the client hears it, and the server lives', async () => {
    const upload = httpRequest({ port: listener.port, host: '127.0.0.1', method: 'POST', path: '/echo' });
    upload.on('error', () => undefined);
    const answered = once(upload, 'response') as Promise<[IncomingMessage]>;
    for (let sent = 0; sent < LIMIT_BYTES * 10; sent += 10_000) upload.write(Buffer.alloc(10_000));
    const [response] = await answered;
    expect(response.statusCode).toBe(413);
    response.resume();
    upload.end();
    expect(await exchange([`${head(2)}hi`])).toMatch(/ 200 OK/);
  });
});

describe('Expect: 100-continue', () => {
  const expecting = 'Expect: 100-continue\r\n';

  it('is answered when the body is wanted', async () => {
    expect(await exchange([head(2, expecting), 'hi'], 50)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
  });

  it('is answered with the refusal when it is not', async () => {
    expect(await exchange([head(LIMIT_BYTES + 1, expecting)])).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe('a client that goes away while it sends', () => {
  it('is no fault of the server', async () => {
    const socket = connect(listener.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`${head(1_000)}and no more`);
    await pause(20);
    socket.resetAndDestroy();
    expect(await exchange([`${head(2)}hi`], 50)).toMatch(/ 200 OK/);
    expect(faults).toEqual([]);
  });
});
