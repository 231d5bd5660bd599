/** The composition of prices: the book of what is known beyond what is shipped, and pricing again what is stored. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Store } from '@glasshouse/store';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { WatchedStore } from './control/audit-watch.ts';
import type { PriceTables } from './control/prices.ts';
import { PriceBook } from './control/prices.ts';
import { Repricer } from './control/reprice.ts';
import { nodeNumber } from './node-number.ts';

export interface OpenPrices {
  readonly book: PriceBook;
  readonly repricer: Repricer;
  /** Stops a re-pricing, which the next start goes on with. */
  close(): Promise<void>;
}

export interface PricesParts {
  readonly store: Store;
  /** The store, for rows that the audit log sees. */
  readonly control: WatchedStore;
  /** Resolves when everything acknowledged so far is in the store. */
  readonly flush: () => Promise<void>;
  /** Lets prices count for what comes in. */
  readonly tell: (tables: PriceTables) => void;
}

const AGAIN_MS = 2_000;

export async function openPrices(
  config: Config,
  log: Logger,
  { store, control, flush, tell }: PricesParts,
): Promise<OpenPrices> {
  const book = await PriceBook.open({
    store: control,
    now: Date.now,
    random: randomBytes,
    snapshotPath: join(config.dataDir, 'prices.json'),
  });
  book.onChange(tell);
  // While the store is away and nothing was saved, the book tells when it is back.
  if (!book.isPlain) await book.tables().then(tell, () => undefined);
  const repricer = new Repricer({
    store,
    control,
    book,
    flush,
    now: Date.now,
    random: randomBytes,
    node: nodeNumber(config.dataDir),
    onEnded: ({ id, tenant, by, status, dryRun, fromVersions, toVersion, sum, error }) =>
      log.info(
        { id, tenant, by, status, dryRun, fromVersions, toVersion, ...sum, reason: error },
        'a re-pricing ended',
      ),
  });
  let again: NodeJS.Timeout | undefined;
  let closed = false;
  const resume = (): void => {
    // The store may be away, or its tables not made yet.
    void repricer.resume().catch(() => {
      if (!closed) again = setTimeout(resume, AGAIN_MS).unref();
    });
  };
  resume();
  return {
    book,
    repricer,
    close: async () => {
      closed = true;
      clearTimeout(again);
      book.close();
      await repricer.close();
    },
  };
}
