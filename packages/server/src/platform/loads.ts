/**
 * Loads: rows on their way into a table that is not live yet, by the same path as events. A load has an id of its own in the
 * place of a data source's, by which the hand-over finds where its rows go.
 *
 * Must stay true: a load lives in this process only. Rows of one that is over, or that a crash ended, go nowhere: whoever
 * loaded them was told that it failed, and nothing was replaced.
 */

import { randomUUID } from 'node:crypto';
import type { DataSourceEntry } from './resource-row.ts';

/** Where the rows of a load go. */
export interface Load {
  readonly entry: DataSourceEntry;
  /** Quoted name of the table. */
  readonly table: string;
}

/** A load, for whoever started it. */
export interface Loading {
  /** Stands for the data source in what is sent. */
  readonly id: string;
  /** True if rows may be missing, or there twice: then the table is of no use. */
  readonly hasFailed: boolean;
  end(): void;
}

const PREFIX = 'load_';

export class Loads {
  private readonly loads = new Map<string, Load & { hasFailed: boolean }>();

  begin(entry: DataSourceEntry, table: string): Loading {
    const id = PREFIX + randomUUID();
    const load = { entry, table, hasFailed: false };
    this.loads.set(id, load);
    return {
      id,
      get hasFailed() {
        return load.hasFailed;
      },
      end: () => void this.loads.delete(id),
    };
  }

  /** The load of this id; `ended` for one that is over, undefined for the id of something else. */
  find(id: string): Load | 'ended' | undefined {
    return this.loads.get(id) ?? (id.startsWith(PREFIX) ? 'ended' : undefined);
  }

  /** Says that it is not known what became of the load's rows. */
  fail(id: string): void {
    const load = this.loads.get(id);
    if (load !== undefined) load.hasFailed = true;
  }
}
