/** Pipes behind their routes for tests: a real engine, the platform on top of it, the query door, and a port. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AppError, Pipe, PipeNode } from '@glasshouse/model';
import { EventStore, quoteName, tenantDatabase } from '@glasshouse/store';
import type { Route } from '../../../http/router.ts';
import { Router } from '../../../http/router.ts';
import { builtInPipes } from '../../../platform/built-in-pipes.ts';
import type { OpenPipes } from '../../../platform/endpoints-open.ts';
import { openPipes as open } from '../../../platform/endpoints-open.ts';
import { Materializer } from '../../../platform/materialize.ts';
import type { Platform } from '../../../platform/platform.ts';
import { parseScope } from '../../../platform/scopes.ts';
import type { Stand as PlatformStand, Given } from '../../../platform/testing/stand.ts';
import { administrator, openStand as openPlatform, testJudges } from '../../../platform/testing/stand.ts';
import type { EndpointUse } from '../../../platform/usage.ts';
import type { AuditLine, DoorOptions } from '../../../query/door.ts';
import { Door } from '../../../query/door.ts';

export const TENANT = 'acme';

/** What routes may be made of. */
export interface Parts extends Omit<OpenPipes, 'usage'> {
  readonly stand: PlatformStand;
  readonly platform: Platform;
  readonly door: Door;
  readonly usage: { record(use: EndpointUse): void };
  readonly now: () => number;
}

export interface PipeStand extends Parts {
  readonly base: string;
  readonly audit: AuditLine[];
  readonly uses: EndpointUse[];
  readonly faults: AppError[];
  /** What the usage log was told to write. */
  readonly written: { readonly tenant: string; readonly id: string; readonly lines: string }[];
  /** Materializations and schedules that failed. */
  readonly failed: unknown[];
  /** The secret of the workspace's admin token. */
  readonly admin: string;
  /** A data source with rows, inserted past the log. */
  rows(name: string, values: string): Promise<void>;
  put(name: string, nodes: Readonly<Record<string, string>> | string, values?: Partial<Pipe>): Promise<void>;
  /** The secret of a new token with these scopes. */
  token(name: string, ...scopes: readonly string[]): Promise<string>;
  /** Rows of a query of ours in the workspace's database. */
  ask<Row>(sql: string): Promise<Row[]>;
  call(path: string, init?: CallInit): Promise<Answer>;
  close(): Promise<void>;
}

export interface CallInit {
  readonly method?: string;
  readonly body?: RequestInit['body'];
  readonly headers?: Readonly<Record<string, string>>;
  /** The secret to send; null for none, and that of the administrator if it is left out. */
  readonly token?: string | null;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

const LIMITS: DoorOptions['limits'] = {
  maxExecutionSeconds: 2,
  maxMemoryBytes: 400_000_000,
  maxThreads: 2,
  maxResultBytes: 200_000_000,
  concurrent: 4,
  waiting: 100,
  waitMs: 5_000,
};

export async function openPipes(
  routesOf: (parts: Parts) => Route[],
  given: Given & { readonly builtIn?: readonly Pipe[] } = {},
  limits: Partial<DoorOptions['limits']> = {},
): Promise<PipeStand> {
  const stand = await openPlatform();
  await stand.access.tenants.ensure(TENANT);
  await stand.store.prepareTenant(TENANT);
  const platform = await stand.open(given);
  const audit: AuditLine[] = [];
  const uses: EndpointUse[] = [];
  const faults: AppError[] = [];
  const now = (): number => Date.now() + stand.clock.offsetMs;
  const door = new Door({
    store: stand.store,
    limits: { ...LIMITS, ...limits },
    audit: (line) => audit.push(line),
    now,
  });
  const written: PipeStand['written'] = [];
  const failed: unknown[] = [];
  const { tables, store } = stand;
  const opened = open({
    platform,
    tables,
    store,
    door,
    judges: given.judges ?? testJudges(),
    builtIn: given.builtIn ?? builtInPipes(),
    materializer: new Materializer({
      store: new EventStore(store),
      catalog: platform.catalog,
      onFailed: (one) => failed.push(one),
    }),
    append: (tenant, id, lines) => {
      written.push({ tenant, id, lines });
      return Promise.resolve();
    },
    dataDir: stand.dir,
    now,
    onFailed: (one) => failed.push(one),
    secrets: () => new Map([['KEY', 'hidden']]),
    usageEveryMs: 3_600_000,
  });
  const usage: Parts['usage'] = {
    record: (use) => {
      uses.push(use);
      opened.usage.record(use);
    },
  };
  const parts: Parts = { ...opened, stand, platform, door, usage, now };
  const server = createServer(new Router(routesOf(parts), (_, error) => faults.push(error)).listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const by = administrator(TENANT);
  const admin = platform.tokens.defaultToken(TENANT, 'workspace admin token')?.token ?? '';
  return {
    ...parts,
    base,
    audit,
    uses,
    faults,
    written,
    failed,
    admin,
    ask: (sql) => stand.store.rows(sql, { database: tenantDatabase(TENANT) }),
    rows: (name, values) =>
      stand.store.command(`INSERT INTO ${quoteName(tenantDatabase(TENANT))}.${quoteName(name)} ${values}`),
    put: async (name, nodes, values = {}) => {
      const texts = typeof nodes === 'string' ? { endpoint: nodes } : nodes;
      const list = Object.entries(texts).map(([node, sql], index, all): PipeNode => ({
        name: node,
        sql,
        type: index === all.length - 1 ? 'endpoint' : 'default',
        settings: {},
      }));
      await platform.registry.putPipe(TENANT, { kind: 'pipe', name, nodes: list, tokens: [], tags: [], ...values });
    },
    token: async (name, ...scopes) =>
      (await platform.tokens.create(by, { name, scopes: scopes.map((scope) => parseScope(scope)) })).token,
    call: async (path, { token, method = 'GET', body, ...init } = {}) => {
      const secret = token === undefined ? admin : token;
      const headers = { ...(secret === null ? {} : { authorization: `Bearer ${secret}` }), ...init.headers };
      const response = await fetch(base + path, { method, headers, ...(body === undefined ? {} : { body }) });
      return { status: response.status, text: await response.text(), headers: response.headers };
    },
    close: async () => {
      await opened.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await stand.close();
    },
  };
}
