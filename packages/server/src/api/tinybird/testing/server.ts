/** The whole server for tests of routes: the real composition on free ports, with an empty data directory. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import type { App } from '../../../app.ts';
import { startApp } from '../../../app.ts';
import { readConfig } from '../../../config.ts';

export const ADMIN = 'admin-token-of-the-tests';

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** The body as JSON. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestInit['body'];
  /** The secret to send; null for none, and that of the workspace's administrator if it is left out. */
  readonly token?: string | null;
}

export interface TestServer {
  readonly base: string;
  /** Of the port that is only for this interface. */
  readonly port: number;
  /** Of the port that is only for ClickHouse's interface. */
  readonly clickhousePort: number;
  readonly dataDir: string;
  /** What the main port serves. */
  readonly routes: App['routes'];
  /** The default workspace's administrator. */
  readonly admin: string;
  /** Warnings and errors that the server logged. */
  readonly faults: string[];
  /** `POST /v0/x`, or a path alone for GET. */
  call(request: string, options?: CallOptions): Promise<Answer>;
  /** Makes a static token with these scopes. */
  token(name: string, ...scopes: readonly string[]): Promise<string>;
  /** The rows of a query. */
  rows(sql: string, token?: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** The job when it has ended. */
  ended(id: string): Promise<Readonly<Record<string, unknown>>>;
  /** Sends events and waits until they are in the table. */
  events(name: string, ...rows: readonly object[]): Promise<void>;
  close(): Promise<void>;
}

const JOB_MS = 20_000;

export async function startTestServer(env: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'glasshouse-tinybird-'));
  const config = readConfig({
    GLASSHOUSE_DATA_DIR: dataDir,
    GLASSHOUSE_PORT: '0',
    GLASSHOUSE_OTLP_HTTP_PORT: '0',
    GLASSHOUSE_OTLP_GRPC_PORT: '0',
    GLASSHOUSE_CLICKHOUSE_PORT: '0',
    GLASSHOUSE_TINYBIRD_PORT: '0',
    GLASSHOUSE_ADMIN_TOKEN: ADMIN,
    ...env,
  });
  const faults: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void faults.push(line) });
  const app = await startApp(config, log);
  const portOf = (name: string): number => app.listeners.find((listener) => listener.name === name)?.port ?? 0;
  const base = `http://127.0.0.1:${portOf('main')}`;
  const call = async (request: string, options: CallOptions = {}): Promise<Answer> => {
    const [, method, path = request] = /^([A-Z]+) (.*)$/su.exec(request) ?? [];
    const secret = options.token === undefined ? server.admin : options.token;
    const response = await fetch(base + path, {
      method: method ?? 'GET',
      headers: { ...(secret === null ? {} : { authorization: `Bearer ${secret}` }), ...options.headers },
      redirect: 'manual',
      ...(options.body === undefined ? {} : { body: options.body }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type') === 'application/json';
    return {
      status: response.status,
      text,
      headers: response.headers,
      json: isJson ? (JSON.parse(text) as Readonly<Record<string, unknown>>) : {},
    };
  };
  const server = {
    base,
    port: portOf('tinybird'),
    clickhousePort: portOf('clickhouse'),
    dataDir,
    routes: app.routes,
    admin: ADMIN,
    faults,
    call,
    token: async (name: string, ...scopes: readonly string[]) => {
      const query = new URLSearchParams([['name', name], ...scopes.map((scope): [string, string] => ['scope', scope])]);
      const { status, text, json } = await call(`POST /v0/tokens?${query.toString()}`);
      if (status !== 200) throw new Error(`cannot make the token: ${status} ${text}`);
      return String(json['token']);
    },
    rows: async (sql: string, token?: string) => {
      const answer = await call('POST /v0/sql', { body: sql, ...(token === undefined ? {} : { token }) });
      if (answer.status !== 200) throw new Error(`cannot query ${sql}: ${answer.status} ${answer.text}`);
      return answer.json['data'] as readonly Readonly<Record<string, unknown>>[];
    },
    ended: async (id: string) => {
      for (const until = Date.now() + JOB_MS; ; await pause(20)) {
        const { json, text } = await call(`/v0/jobs/${id}`);
        if (['done', 'error', 'cancelled'].includes(String(json['status']))) return json;
        if (Date.now() > until) throw new Error(`the job does not end: ${text}`);
      }
    },
    events: async (name: string, ...rows: readonly object[]) => {
      const body = rows.map((row) => JSON.stringify(row)).join('\n');
      const { status, text } = await call(`POST /v0/events?name=${name}&wait=true`, { body });
      if (status !== 200) throw new Error(`cannot send events: ${status} ${text}`);
    },
    close: async () => {
      await app.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  if (config.auth === 'open') {
    const { json } = await call('/tokens', { token: null });
    server.admin = String(json['workspace_admin_token']);
  }
  return server;
}

/** A server of somebody else's, that imports may fetch from. */
export interface Elsewhere {
  readonly host: string;
  close(): Promise<void>;
}

export async function elsewhere(listener: RequestListener): Promise<Elsewhere> {
  const other = createServer(listener);
  await new Promise<void>((resolve) => {
    other.listen(0, '127.0.0.1', resolve);
  });
  return {
    host: `127.0.0.1:${(other.address() as AddressInfo).port}`,
    close: async () => {
      other.closeAllConnections();
      await new Promise((resolve) => other.close(resolve));
    },
  };
}
