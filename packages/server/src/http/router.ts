/**
 * Routes over node:http, which the hot path uses without a framework in between: a route is a method, a path and a handler,
 * and each protocol says how its errors look. Most paths are exact; some have named parts (`patterns.ts`).
 *
 * Must stay true: a handler that throws is answered in its own protocol's error shape, and never takes the server down. An
 * exact path is found without looking at any pattern, and goes before all of them.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AppError } from '@glasshouse/model';
import { toAppError } from '@glasshouse/model';
import type { PathParams } from './patterns.ts';
import { isPattern, Patterns } from './patterns.ts';

/** One request and its answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Path without the query string. */
  readonly path: string;
  /** Parameters of the query string. */
  readonly query: URLSearchParams;
  /** Named parts of the path, decoded; empty for an exact path. */
  readonly params: PathParams;
}

export type Handler = (exchange: Exchange) => Promise<void> | void;

/** Answers an error in a protocol's own shape. The status and headers of the table of errors are already known. */
export type Failure = (exchange: Exchange, error: AppError) => void;

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS' | 'HEAD';
  /** Exact, or with named parts: `/v0/jobs/:id`, `/v0/pipes/:name.json`. */
  readonly path: string;
  readonly handle: Handler;
  readonly fail: Failure;
}

/** Told about requests that failed on our side, so that they are logged once and counted. */
export type OnError = (exchange: Exchange, error: AppError) => void;

export class Router {
  private readonly routes = new Map<string, Route>();
  private readonly patterns: Patterns<Route>;
  private readonly onError: OnError;

  constructor(routes: readonly Route[], onError: OnError) {
    for (const route of routes) if (!isPattern(route.path)) this.routes.set(`${route.method} ${route.path}`, route);
    this.patterns = new Patterns(routes.filter(({ path }) => isPattern(path)));
    this.onError = onError;
  }

  /** The listener for node:http. */
  readonly listener = (request: IncomingMessage, response: ServerResponse): void => {
    const target = request.url ?? '/';
    const mark = target.indexOf('?');
    const path = mark < 0 ? target : target.slice(0, mark);
    const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
    const exact = this.routes.get(`${request.method} ${path}`);
    if (exact !== undefined) {
      void this.run(exact, { request, response, path, query, params: {} });
      return;
    }
    const found = this.patterns.find(path, ({ method }) => method === request.method);
    if (found === undefined) this.answerUnrouted({ request, response, path, query, params: {} });
    else void this.run(found.route, { request, response, path, query, params: found.params });
  };

  private async run(route: Route, exchange: Exchange): Promise<void> {
    try {
      await route.handle(exchange);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.kind.httpStatus >= 500) this.onError(exchange, error);
      if (exchange.response.headersSent) {
        // The status is out: breaking the connection is the only way left to say that the answer isn't whole.
        exchange.response.destroy();
        return;
      }
      if (error.retryAfterSeconds !== undefined) {
        exchange.response.setHeader('Retry-After', String(error.retryAfterSeconds));
      }
      discardBody(exchange.request, exchange.response);
      route.fail(exchange, error);
    }
  }

  private answerUnrouted(exchange: Exchange): void {
    const { request, response, path } = exchange;
    const exact = [...this.routes.values()].filter((route) => route.path === path);
    const methods = [...new Set([...exact, ...this.patterns.all(path)].map((route) => route.method))];
    const status = methods.length > 0 ? 405 : 404;
    if (methods.length > 0) response.setHeader('Allow', methods.join(', '));
    const error =
      status === 404
        ? `cannot find path=${path}: this port has no such route`
        : `cannot ${request.method} path=${path}: it takes ${methods.join(', ')}`;
    discardBody(request, response);
    sendJson(response, status, { error });
  }
}

/** How long a client that was refused may go on sending before its connection is cut. */
const LINGER_MS = 5_000;

/**
 * Before an early answer: what still comes of the body will be dropped, and the connection ends, which the answer says lest
 * the client sends its next request there. Closing it at once would reset it, and a client that is still sending would lose
 * the answer that tells it to stop.
 */
function discardBody(request: IncomingMessage, response: ServerResponse): void {
  const socket = request.socket as Socket | null;
  if (socket === null || request.complete || request.method === 'GET' || request.method === 'HEAD') return;
  response.setHeader('Connection', 'close');
  // What Node calls after the last answer of a connection: it would destroy the socket, which resets it if data is unread.
  socket.destroySoon = () => void socket.end();
  response.once('finish', () => {
    const overdue = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(overdue));
    request.resume();
  });
}

/** Sends a JSON document. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, 'application/json', JSON.stringify(body));
}

/** Sends a whole body. */
export function send(response: ServerResponse, status: number, contentType: string, body: string | Uint8Array): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

/** `{"error": message}`: the shape of our own routes and of Tinybird's. */
export const failJson: Failure = (exchange, error) =>
  sendJson(exchange.response, error.kind.httpStatus, { error: error.message });
