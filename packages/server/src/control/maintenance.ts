/**
 * Backup, restore and reset of a running server: what the store does, and what ingestion and workspaces have to do meanwhile.
 * One at a time.
 *
 * Must stay true: a backup has everything that was acknowledged before it began; what is acknowledged while tables are put
 * in place waits in the log and goes into the new ones. Nothing is handed over and no data source changes between the plan of a
 * restore and its end, even if that end is the next start.
 */

import { cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AppError, messageOf } from '@glasshouse/model';
import type { BackupProgress, BackupResult, ReadBackup, Store } from '@glasshouse/store';

/** What workspaces have to do with it. */
export interface MaintainedWorkspaces {
  /** `id:version` of tables out of sight that belong to a workspace all the same. */
  kept(): ReadonlySet<string>;
  /** Lets nobody change a data source any more, and resolves with what lets them again. Rejects with `conflict`. */
  quiesce(what: string): Promise<() => void>;
  /** Removes the rows of all data sources. */
  empty(): Promise<void>;
}

/** The key that tokens are made with: it belongs to a backup, and is no table. */
export interface MaintainedKey {
  saveTo(directory: string): void;
  /** Whether the tokens of a backup will be valid. Lays its key ready. */
  stage(directory: string): 'same' | 'taken over' | 'other';
  takeStaged(): void;
  forgetStaged(): void;
}

export interface MaintenanceOptions {
  readonly store: Pick<
    Store,
    'backup' | 'deleteFacts' | 'endRestore' | 'placeRestored' | 'planRestore' | 'readBackup' | 'replaced'
  >;
  readonly workspaces: MaintainedWorkspaces;
  readonly key: MaintainedKey;
  /** The only directory that the engine may back up to. */
  readonly backupDir: string;
  /** Resolves when everything acknowledged so far is in the store. */
  readonly flush: () => Promise<void>;
  /** Keeps the store free of inserts until the returned function is called. */
  readonly hold: () => Promise<() => void>;
  /** Lets every segment from now on have an id above this one; true if that took the sealing of those that have not. */
  readonly skipIds: (to: bigint) => Promise<boolean>;
  /** Reads tenants, keys and workspaces again, after they changed as a whole. Waits for a store that is away. */
  readonly reload: () => Promise<void>;
  readonly now: () => number;
}

export interface RestoreResult extends BackupResult {
  /** Database of what was replaced. */
  readonly replaced: string;
  /** What the administrator has to know about the tokens of workspaces. */
  readonly tokens: string;
}

const TOKENS = {
  same: 'as in the backup',
  'taken over': 'as in the backup, with its token key; those of this server are over',
  other: 'not valid: start the server with the token key that the backup was made under, or hand out new ones',
} as const;

export type OnProgress = (progress: BackupProgress) => void;

export class Maintenance {
  private readonly options: MaintenanceOptions;
  private running: string | undefined;
  /** Tables are in between, and only a start can go on. */
  private isUnfinished = false;

  constructor(options: MaintenanceOptions) {
    this.options = options;
  }

  /** Backs up to `path`, which must not exist, or under the present time into the backup directory. */
  backup(path: string | undefined, onProgress: OnProgress): Promise<BackupResult & { readonly path: string }> {
    return this.alone('backup', async () => {
      const { store, workspaces, key, backupDir, flush, hold, now } = this.options;
      const name = new Date(now()).toISOString().replaceAll(':', '-').slice(0, 23);
      const target = path === undefined ? join(backupDir, name) : resolve(path);
      if (await exists(target)) throw new AppError('conflict', `cannot back up to path=${target}: it exists already`);
      await flush();
      const inside = dirname(target) === backupDir;
      const written = inside ? target : join(backupDir, `.outgoing-${name}`);
      try {
        const result = await store.backup({ path: written, kept: workspaces.kept(), hold, onProgress });
        key.saveTo(written);
        if (!inside) await move(written, target);
        return { ...result, path: target };
      } catch (error) {
        await rm(written, { recursive: true, force: true });
        throw error;
      }
    });
  }

  /**
   * Replaces everything by the backup at `path`. Rejects with nothing changed; or, if its tables cannot all be put in place,
   * with `internal`: then everything waits for the next start, which finishes it.
   */
  restore(path: string, onProgress: OnProgress): Promise<RestoreResult> {
    return this.alone('restore', async () => {
      const { backupDir, key } = this.options;
      const source = resolve(path);
      if (!(await exists(source)))
        throw new AppError('not_found', `cannot restore path=${source}: there is no such backup`);
      const inside = dirname(source) === backupDir;
      const read = inside ? source : join(backupDir, `.incoming-${basename(source)}`);
      try {
        if (!inside) await cp(source, read, { recursive: true });
        return await this.replaceAll(read, onProgress);
      } finally {
        key.forgetStaged();
        if (!inside) await rm(read, { recursive: true, force: true });
      }
    });
  }

  /** Deletes all telemetry, and, if asked to, all rows of data sources. */
  reset({ dataSources }: { readonly dataSources: boolean }): Promise<void> {
    return this.alone('reset', async () => {
      const { store, workspaces, flush, hold } = this.options;
      await flush();
      const open = dataSources ? await workspaces.quiesce('a reset') : undefined;
      try {
        const release = await hold();
        try {
          await store.deleteFacts();
          if (dataSources) await workspaces.empty();
        } finally {
          release();
        }
      } finally {
        open?.();
      }
    });
  }

  private async replaceAll(path: string, onProgress: OnProgress): Promise<RestoreResult> {
    const { store, workspaces, key, flush, hold, skipIds, reload } = this.options;
    const undo: (() => void)[] = [];
    const giveWay = (): void => undo.toReversed().forEach((act) => act());
    let read: ReadBackup;
    let tokens: keyof typeof TOKENS;
    try {
      read = await store.readBackup(path, onProgress);
      // The ledger tells segments apart by their ids, and later ones by greater ids: also from those of another server.
      if (await skipIds(read.greatestSegment)) await flush();
      undo.push(await workspaces.quiesce('a restore'));
      undo.push(await hold());
      tokens = read.hasWorkspaces ? key.stage(path) : 'same';
      await store.planRestore(path, read);
    } catch (error) {
      await store.endRestore();
      giveWay();
      throw error;
    }
    // From here on there is no way back, and nothing may come in between.
    try {
      key.takeStaged();
      await store.placeRestored();
      await reload();
      await store.endRestore();
    } catch (cause) {
      this.isUnfinished = true;
      throw new AppError(
        'internal',
        `cannot finish the restore: ${messageOf(cause)}; nothing is handed over to the store until the next start, which goes on with it`,
        { cause },
      );
    }
    giveWay();
    return { files: read.files, bytes: read.bytes, replaced: store.replaced, tokens: TOKENS[tokens] };
  }

  private async alone<T>(name: string, act: () => Promise<T>): Promise<T> {
    if (this.running !== undefined) {
      throw new AppError('conflict', `cannot start a ${name}: a ${this.running} is running`);
    }
    this.running = name;
    try {
      return await act();
    } finally {
      this.running = this.isUnfinished ? 'restore that the next start goes on with' : undefined;
    }
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
