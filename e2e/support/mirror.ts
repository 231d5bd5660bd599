/** What tests of mirrors need besides: a destination that can be away, a port to come back to, and the settings over HTTP. */

import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect } from 'vitest';

/** A port that nobody has at present. */
export async function freePort(): Promise<number> {
  const server = createNetServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** An Events API that remembers what it took, and does not know batches by their names; as Tinybird's. */
export class EventsDouble {
  /** Lines that were taken, by how often. */
  readonly lines = new Map<string, number>();
  readonly tokens = new Set<string>();
  readonly names = new Set<string>();
  /** Answered instead of 202. */
  refusal: { readonly status: number; readonly headers?: Record<string, string>; readonly text?: string } | undefined;
  requests = 0;
  private server: Server | undefined;
  readonly port: number;

  constructor(port: number) {
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async open(): Promise<void> {
    const server = createServer((request, response) => {
      void buffer(request).then((body) => {
        this.requests++;
        if (this.refusal !== undefined) {
          response.writeHead(this.refusal.status, this.refusal.headers).end(this.refusal.text ?? '');
          return;
        }
        this.tokens.add(request.headers.authorization ?? '');
        this.names.add(new URL(request.url ?? '', this.url).searchParams.get('name') ?? '');
        const lines = body.toString('utf8').trimEnd().split('\n');
        for (const line of lines) this.lines.set(line, (this.lines.get(line) ?? 0) + 1);
        response.writeHead(202, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ successful_rows: lines.length, quarantined_rows: 0 }));
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.server = server;
  }

  /** Away: connections are refused. */
  async close(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }
}

/** The status of the default tenant's mirror. */
export interface MirrorStatus {
  readonly sentLines: number;
  readonly queuedLines: number;
  readonly deadBatches: number;
  readonly retries: number;
  readonly exactlyOnce: boolean | null;
  readonly dropped: Readonly<Record<string, number>>;
  readonly lastError: { readonly status: number; readonly reason: string } | null;
}

export interface ListedMirror {
  readonly tenant: string;
  readonly url: string;
  readonly percent: number;
  readonly status: MirrorStatus | null;
}

/** Admin token of the servers under test. */
export const ADMIN = 'admin-token-of-the-mirror-tests';

/** A request of the control plane, by the administrator unless told otherwise, answered with its JSON. */
export async function control<T = unknown>(
  origin: string,
  request: string,
  { body, token = ADMIN }: { readonly body?: unknown; readonly token?: string } = {},
): Promise<T> {
  const [method = 'GET', path = '/'] = request.split(' ');
  const response = await fetch(origin + path, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`cannot ${request}: ${response.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** How it stands with the only mirror. */
export async function mirrorStatus(origin: string): Promise<MirrorStatus | null> {
  const { mirrors } = await control<{ mirrors: readonly ListedMirror[] }>(origin, 'GET /api/v1/mirror');
  return mirrors[0]?.status ?? null;
}

/** Resolves when nothing waits for the mirror any more. */
export async function mirrored(origin: string, timeout = 60_000): Promise<void> {
  await expect
    .poll(
      async () => {
        const status = await mirrorStatus(origin);
        return status === null ? -1 : status.queuedLines;
      },
      { timeout, interval: 100 },
    )
    .toBe(0);
}
