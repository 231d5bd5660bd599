/** Prices on a real engine: the book, the re-pricer and the routes over HTTP, with rows of generations written straight into the table. */

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { AppError, Scope } from '@glasshouse/model';
import { StoreError } from '@glasshouse/store';
import { PriceBook } from '../../control/prices.ts';
import { Repricer } from '../../control/reprice.ts';
import type { RepricerOptions } from '../../control/reprice.ts';
import { Router } from '../../http/router.ts';
import { openStand as openPlatform } from '../../platform/testing/stand.ts';
import { Door } from '../../query/door.ts';
import { priceRoutes } from '../prices.ts';

const LIMITS = {
  maxExecutionSeconds: 10,
  maxMemoryBytes: 400_000_000,
  maxThreads: 2,
  maxResultBytes: 200_000_000,
  concurrent: 4,
  waiting: 8,
  waitMs: 5_000,
};

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A row of generations; the rest has its default. */
export interface GivenRow extends Readonly<Record<string, unknown>> {
  readonly tenant_id: string;
  /** `YYYY-MM-DD hh:mm:ss` */
  readonly time: string;
}

export async function openPricesStand(options: Partial<RepricerOptions> = {}) {
  const stand = await openPlatform();
  const platform = await stand.open();
  const { store, access } = stand;
  const now = Date.now;
  const snapshotPath = join(stand.dir, 'prices.json');
  const away: typeof store.rows = () =>
    Promise.reject(new StoreError('cannot reach the store', 0, 'UNREACHABLE', undefined));
  const openBook = (isUp = true): Promise<PriceBook> => {
    const given = isUp
      ? store
      : { target: store.target, rows: away, insertRows: () => Promise.reject(new Error('cannot reach the store')) };
    return PriceBook.open({ store: given, now, random: randomBytes, snapshotPath, refreshMs: 3_600_000 });
  };
  const book = await openBook();
  const openRepricer = (given: Partial<RepricerOptions> = {}): Repricer =>
    new Repricer({
      store,
      book,
      flush: () => Promise.resolve(),
      now,
      random: randomBytes,
      node: 7,
      ...options,
      ...given,
    });
  const repricer = openRepricer();
  const door = new Door({ store, limits: LIMITS, audit: () => undefined, now });
  const faults: AppError[] = [];
  const routes = priceRoutes({ book, repricer, door, credentials: platform.credentials, now });
  const server = createServer(new Router(routes, (_, error) => faults.push(error)).listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/prices`;
  let segment = 0;
  return {
    ...stand,
    base,
    book,
    openBook,
    repricer,
    openRepricer,
    faults,
    platform,

    key: async (tenant: string, scopes: readonly Scope[] = ['query']): Promise<string> => {
      await access.tenants.ensure(tenant);
      const placement = { tenant, project: 'p', environment: 'e' };
      return (await access.keys.create({ name: 'test', placement, scopes, expiresAt: undefined })).key;
    },

    ask: async (
      method: 'DELETE' | 'GET' | 'POST',
      path: string,
      { body, key, tenant }: { readonly body?: unknown; readonly key?: string; readonly tenant?: string } = {},
    ): Promise<Answer> => {
      const response = await fetch(base + path, {
        method,
        headers: {
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          ...(tenant === undefined ? {} : { 'x-glasshouse-tenant': tenant }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as Answer['body'] };
    },

    /** Writes rows as one segment. */
    add: async (rows: readonly GivenRow[]): Promise<void> => {
      segment++;
      await store.insertRows(
        'generations',
        rows.map((row) => ({ _segment: String(segment), project_id: 'p', environment: 'e', ...row })),
      );
    },

    close: async (): Promise<void> => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await repricer.close();
      book.close();
      await stand.close();
    },
  };
}

export type PricesStand = Awaited<ReturnType<typeof openPricesStand>>;
