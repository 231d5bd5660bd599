/**
 * Opening and closing listeners. The main port also takes gRPC: a connection that begins with the HTTP/2 preface is handed
 * to the gRPC server before anything else reads from it (RFC 9113, section 3.4).
 */

import type { IncomingMessage, Server as HttpServer, RequestListener, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import net from 'node:net';
import { AppError, nodeHttp } from '@glasshouse/model';

const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0');

/** How long a client may take to send the head of a request. */
const HEADERS_MS = 30_000;

export interface Listener {
  readonly name: string;
  readonly port: number;
  /** Stops taking connections and resolves when the open ones are done, at the latest after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** An HTTP server with limits that keep idle and slow clients from holding it. */
function httpServer(listener: RequestListener): HttpServer {
  const options = {
    keepAliveTimeout: 75_000,
    headersTimeout: HEADERS_MS,
    requestTimeout: 300_000,
    maxHeaderSize: 64 << 10,
  };
  return nodeHttp.createServer(options, listener).on('checkContinue', (request, response) => {
    inviteLate(request, response);
    listener(request, response);
  });
}

/** Answers `Expect: 100-continue` when the body is first asked for, so that who is refused before hears that instead. */
function inviteLate(request: IncomingMessage, response: ServerResponse): void {
  const read = request._read.bind(request);
  let invited = false;
  request._read = (size) => {
    if (!invited && !response.headersSent) response.writeContinue();
    invited = true;
    read(size);
  };
}

/** Listens for HTTP. `onHttp2` takes connections that turn out to be HTTP/2. Rejects with `conflict` if the port is taken. */
export async function listenHttp(
  name: string,
  host: string,
  port: number,
  listener: RequestListener,
  onHttp2?: (socket: Socket) => void,
): Promise<Listener> {
  const http = httpServer(listener);
  if (onHttp2 === undefined) return open(name, host, port, http, http);
  const front = net.createServer({ noDelay: true }, (socket) => sniff(socket, http, onHttp2));
  return open(name, host, port, front, http);
}

/** Reads the first bytes of a connection, as many as tell the two protocols apart, puts them back, and hands it over. */
function sniff(socket: Socket, http: HttpServer, onHttp2: (socket: Socket) => void): void {
  socket.once('error', () => socket.destroy());
  socket.setTimeout(HEADERS_MS, () => socket.destroy());
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const length = Math.min(head.length, HTTP2_PREFACE.length);
    const isAlike = head.subarray(0, length).equals(HTTP2_PREFACE.subarray(0, length));
    // POST begins like the preface, too: one byte is not enough to tell.
    if (isAlike && length < HTTP2_PREFACE.length) return;
    socket.off('data', onData).pause();
    socket.setTimeout(0).removeAllListeners('timeout');
    socket.unshift(head);
    if (isAlike) onHttp2(socket);
    else http.emit('connection', socket);
    process.nextTick(() => socket.resume());
  };
  socket.on('data', onData);
}

async function open(name: string, host: string, port: number, server: Server, http: HttpServer): Promise<Listener> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(name, host, port, error)));
    server.listen(port, host, 1024, resolve);
  });
  const address = server.address();
  return {
    name,
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: (graceMs) => close(server, http, graceMs),
  };
}

async function close(server: Server, http: HttpServer, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  http.closeIdleConnections();
  const timer = setTimeout(() => http.closeAllConnections(), graceMs);
  if (server === http) await closed;
  clearTimeout(timer);
  http.closeAllConnections();
}

function listenError(name: string, host: string, port: number, error: NodeJS.ErrnoException): AppError {
  if (error.code === 'EADDRINUSE') {
    return new AppError('conflict', `cannot listen on ${host}:${port} (${name}): another process has this port`, {
      cause: error,
    });
  }
  return new AppError('internal', `cannot listen on ${host}:${port} (${name}): ${error.message}`, { cause: error });
}
