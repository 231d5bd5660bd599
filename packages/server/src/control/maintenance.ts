/**
 * Backup, restore and reset of a running server: what the store does, and what ingestion has to do meanwhile. One at a time.
 *
 * Must stay true: a backup has everything that was acknowledged before it began; what is acknowledged while tables are put
 * in place waits in the log and goes into the new ones.
 */

import { cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AppError } from '@glasshouse/model';
import type { BackupProgress, BackupResult, Store } from '@glasshouse/store';

export interface MaintenanceOptions {
  readonly store: Pick<Store, 'backup' | 'restore' | 'deleteFacts'>;
  /** The only directory that the engine may back up to. */
  readonly backupDir: string;
  /** Resolves when everything acknowledged so far is in the store. */
  readonly flush: () => Promise<void>;
  /** Keeps the store free of inserts until the returned function is called. */
  readonly hold: () => Promise<() => void>;
  /** Reads tenants and keys again, after they may have changed as a whole. */
  readonly reload: () => Promise<void>;
  readonly now: () => number;
}

export type OnProgress = (progress: BackupProgress) => void;

export class Maintenance {
  private readonly options: MaintenanceOptions;
  private running: string | undefined;

  constructor(options: MaintenanceOptions) {
    this.options = options;
  }

  /** Backs up to `path`, which must not exist, or under the present time into the backup directory. */
  backup(path: string | undefined, onProgress: OnProgress): Promise<BackupResult & { readonly path: string }> {
    return this.alone('backup', async () => {
      const { store, backupDir, flush, now } = this.options;
      const name = new Date(now()).toISOString().replaceAll(':', '-').slice(0, 23);
      const target = path === undefined ? join(backupDir, name) : resolve(path);
      if (await exists(target)) throw new AppError('conflict', `cannot back up to path=${target}: it exists already`);
      await flush();
      const inside = dirname(target) === backupDir;
      const written = inside ? target : join(backupDir, `.outgoing-${name}`);
      try {
        const result = await store.backup(written, onProgress);
        if (!inside) await move(written, target);
        return { ...result, path: target };
      } catch (error) {
        await rm(written, { recursive: true, force: true });
        throw error;
      }
    });
  }

  /** Replaces everything by the backup at `path`. */
  restore(path: string, onProgress: OnProgress): Promise<BackupResult & { readonly replaced: string }> {
    return this.alone('restore', async () => {
      const { store, backupDir, hold, reload } = this.options;
      const source = resolve(path);
      if (!(await exists(source)))
        throw new AppError('not_found', `cannot restore path=${source}: there is no such backup`);
      const inside = dirname(source) === backupDir;
      const read = inside ? source : join(backupDir, `.incoming-${basename(source)}`);
      try {
        if (!inside) await cp(source, read, { recursive: true });
        const result = await store.restore(read, (exchange) => exclusively(hold, exchange), onProgress);
        await reload();
        return result;
      } finally {
        if (!inside) await rm(read, { recursive: true, force: true });
      }
    });
  }

  /** Deletes all telemetry. */
  reset(): Promise<void> {
    return this.alone('reset', async () => {
      const { store, flush, hold } = this.options;
      await flush();
      await exclusively(hold, () => store.deleteFacts());
    });
  }

  private async alone<T>(name: string, act: () => Promise<T>): Promise<T> {
    if (this.running !== undefined) {
      throw new AppError('conflict', `cannot start a ${name}: a ${this.running} is running`);
    }
    this.running = name;
    try {
      return await act();
    } finally {
      this.running = undefined;
    }
  }
}

async function exclusively(hold: () => Promise<() => void>, act: () => Promise<void>): Promise<void> {
  const release = await hold();
  try {
    await act();
  } finally {
    release();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Moves a directory, by copying where it goes to another file system. */
async function move(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    await cp(from, to, { recursive: true });
    await rm(from, { recursive: true, force: true });
  }
}
