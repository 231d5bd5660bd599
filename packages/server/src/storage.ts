/** The store, and the engine behind it unless that is somebody else's. */

import { join } from 'node:path';
import type { Engine } from '@glasshouse/engine';
import { startEngine } from '@glasshouse/engine';
import { embeddedTarget, remoteTarget, Store, StoreError } from '@glasshouse/store';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { logEngine } from './events.ts';

export interface Storage {
  readonly store: Store;
  /** Undefined with a store of somebody else's. */
  readonly engine: Engine | undefined;
  /** True if the last process left a restore that this start finished. */
  readonly isRestored: boolean;
}

/** Opens the store, with an engine of ours unless there is a server for it. A store that is away is waited for in the background. */
export async function openStore(config: Config, log: Logger): Promise<Storage> {
  const kept = { retentionDays: config.retentionDays || undefined, auditDays: config.auditDays };
  if (config.storeUrl !== undefined) {
    const store = Store.connect({ target: remoteTarget(config.storeUrl, config.storeCluster), ...kept });
    // It may be away, and come later: the log takes data until then.
    void migrate(store, log, () => true);
    return { store, engine: undefined, isRestored: false };
  }
  const engine = await startEngine({
    dataDir: join(config.dataDir, 'engine'),
    backupDir: backupDirectory(config),
    maxMemoryBytes: config.engineMaxMemory,
    querySlots: config.querySlots,
    maxExecutionSeconds: config.queryMaxSeconds,
    onEvent: (event) => logEngine(log, event),
  });
  const store = Store.connect({ target: embeddedTarget(engine), ...kept });
  const isRestored = await store.placeRestored();
  await store.endRestore();
  if (isRestored) log.warn('put the tables of a backup in place: the restore was interrupted');
  await migrate(store, log, () => false);
  return { store, engine, isRestored };
}

/** Brings the schema up to date, again and again while the store is away or `retries` the error that it answered. */
async function migrate(store: Store, log: Logger, retries: (error: unknown) => boolean): Promise<void> {
  for (let delayMs = 500; ; delayMs = Math.min(delayMs * 2, 30_000)) {
    try {
      const ran = await store.migrate();
      if (ran.length > 0) log.info({ migrations: ran }, 'migrated the store');
      return;
    } catch (error) {
      const isAway = error instanceof StoreError && error.number === 0;
      if (!isAway && !retries(error)) throw error;
      log.error({ err: error }, 'cannot migrate the store: nothing can be handed over yet');
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}

/** Where backups are, which the engine writes and nobody else. */
export function backupDirectory(config: Config): string {
  return join(config.dataDir, 'backup');
}
