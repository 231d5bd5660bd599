/**
 * Opening and closing listeners. The main port also takes gRPC: a connection that begins with the HTTP/2 preface is handed
 * to the gRPC server before anything else reads from it (RFC 9113, section 3.4).
 */

import type { Server as HttpServer, RequestListener } from 'node:http';
import { createServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import net from 'node:net';
import { AppError } from '@glasshouse/model';

const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0');

export interface Listener {
  readonly name: string;
  readonly port: number;
  /** Stops taking connections and resolves when the open ones are done, at the latest after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** An HTTP server with limits that keep idle and slow clients from holding it. */
function httpServer(listener: RequestListener): HttpServer {
  return createServer({ keepAliveTimeout: 75_000, headersTimeout: 30_000, requestTimeout: 300_000, maxHeaderSize: 64 << 10 }, listener);
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

/** Reads the first bytes of a connection, puts them back, and hands it to the right server. */
function sniff(socket: Socket, http: HttpServer, onHttp2: (socket: Socket) => void): void {
  socket.once('error', () => socket.destroy());
  const onData = (chunk: Buffer): void => {
    socket.pause();
    socket.unshift(chunk);
    const length = Math.min(chunk.length, HTTP2_PREFACE.length);
    const isHttp2 = length > 0 && chunk.subarray(0, length).equals(HTTP2_PREFACE.subarray(0, length));
    if (isHttp2) onHttp2(socket);
    else http.emit('connection', socket);
    process.nextTick(() => socket.resume());
  };
  socket.once('data', onData);
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
    return new AppError('conflict', `cannot listen on ${host}:${port} (${name}): another process has this port`, { cause: error });
  }
  return new AppError('internal', `cannot listen on ${host}:${port} (${name}): ${error.message}`, { cause: error });
}
