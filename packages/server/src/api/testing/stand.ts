/** A whole read path for tests: a real engine, its store, access, the door, and the routes on a port of their own. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '@glasshouse/engine';
import type { AppError, Scope } from '@glasshouse/model';
import { embeddedTarget, Store } from '@glasshouse/store';
import { Access } from '../../control/access.ts';
import { AdminToken } from '../../control/admin-token.ts';
import { Router } from '../../http/router.ts';
import type { AuditLine, DoorOptions } from '../../query/door.ts';
import { Door } from '../../query/door.ts';
import { clickhouseRoutes } from '../clickhouse.ts';
import { controlRoutes } from '../control.ts';
import { sqlRoutes } from '../sql.ts';

export const ADMIN = 'admin-token-of-the-tests';

export interface Stand {
  readonly base: string;
  readonly store: Store;
  readonly access: Access;
  readonly audit: AuditLine[];
  /** Errors of our own making; a test that sees one has failed. */
  readonly faults: AppError[];
  /** Moves the clock that keys expire by. */
  readonly clock: { offsetMs: number };
  /** The secret of a new key. */
  key(tenant: string, scopes?: readonly Scope[]): Promise<string>;
  /** GET /v0/sql. */
  sql(
    q: string,
    key?: string,
    extra?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; text: string; headers: Headers }>;
  close(): Promise<void>;
}

const LIMITS: DoorOptions['limits'] = {
  maxExecutionSeconds: 2,
  maxMemoryBytes: 400_000_000,
  maxThreads: 2,
  maxResultBytes: 200_000_000,
  concurrent: 4,
  waiting: 8,
  waitMs: 5_000,
};

export async function openStand(mode: 'open' | 'keys', limits: Partial<DoorOptions['limits']> = {}): Promise<Stand> {
  const dir = mkdtempSync(join(tmpdir(), 'glasshouse-api-'));
  const engine = await startEngine({
    dataDir: join(dir, 'engine'),
    backupDir: join(dir, 'backup'),
    maxMemoryBytes: 1 << 30,
    querySlots: 4,
  });
  const store = await Store.open({ target: embeddedTarget(engine), retentionDays: undefined });
  const clock = { offsetMs: 0 };
  const now = (): number => Date.now() + clock.offsetMs;
  const adminToken = AdminToken.open({ dataDir: dir, given: ADMIN, random: randomBytes });
  const access = await Access.open({ store, mode, adminToken, now });
  const audit: AuditLine[] = [];
  const faults: AppError[] = [];
  const door = new Door({ store, limits: { ...LIMITS, ...limits }, audit: (line) => audit.push(line), now });
  const routes = [...sqlRoutes(door, access), ...clickhouseRoutes(door, access), ...controlRoutes(access, now)];
  const server = createServer(new Router(routes, (_, error) => faults.push(error)).listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    base,
    store,
    access,
    audit,
    faults,
    clock,
    key: async (tenant, scopes = ['query']) => {
      await access.tenants.ensure(tenant);
      const placement = { tenant, project: 'p', environment: 'e' };
      return (await access.keys.create({ name: 'test', placement, scopes, expiresAt: undefined })).key;
    },
    sql: async (q, key, extra = {}) => {
      const response = await fetch(`${base}/v0/sql?${new URLSearchParams({ q, ...extra }).toString()}`, {
        headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
      });
      return { status: response.status, text: await response.text(), headers: response.headers };
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      access.close();
      await store.close();
      await engine.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A row of `spans`; what isn't given has its default. */
export function span(tenant: string, values: Readonly<Record<string, unknown>> = {}): object {
  return {
    _segment: '1',
    tenant_id: tenant,
    project_id: 'p',
    environment: 'e',
    timestamp: '2026-01-02 03:04:05.000000006',
    duration_ns: '5000000',
    trace_id: '0123456789abcdef',
    span_id: '01234567',
    name: 'work',
    service_name: `service-of-${tenant}`,
    ...values,
  };
}
