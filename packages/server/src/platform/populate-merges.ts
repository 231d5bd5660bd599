/**
 * Keeps data sources unmerged while their rows are told apart by their segments: a merged row has but the last segment of those that it
 * is made of, and so would change sides of a cut.
 *
 * Must stay true: what is held is let go by the last that holds it. A restart of the engine forgets what was stopped, and whoever
 * relied on it hears of that.
 */

import { AppError } from '@glasshouse/model';
import type { DataSources } from '@glasshouse/store';

/** Tables that are not merged until they are released. */
export interface Unmerged {
  /** Rejects with `unavailable` if they may have been merged all the same. */
  confirm(): Promise<void>;
  /** Holds the tables that have come to the same names since. */
  renew(): Promise<void>;
  release(): Promise<void>;
}

/** Two readings of whole seconds differ by less. */
const CLOCK_SECONDS = 2;

export class Merges {
  private readonly client: DataSources['client'];
  private readonly holders = new Map<string, number>();

  constructor(client: DataSources['client']) {
    this.client = client;
  }

  /** Stops the merges of these tables; names quoted. */
  async stop(tables: readonly string[]): Promise<Unmerged> {
    const startedAt = tables.length === 0 ? 0 : await this.engineStarted();
    for (const table of tables) this.holders.set(table, (this.holders.get(table) ?? 0) + 1);
    const held: Unmerged = {
      confirm: async () => {
        if (tables.length === 0) return;
        if (Math.abs((await this.engineStarted()) - startedAt) <= CLOCK_SECONDS) return;
        throw new AppError(
          'unavailable',
          'cannot finish the population: the engine was restarted meanwhile; start again with truncate=true',
        );
      },
      renew: async () => {
        for (const table of tables) await this.client.command(`SYSTEM STOP MERGES ${table}`);
      },
      release: async () => {
        for (const table of tables) await this.letGo(table);
      },
    };
    try {
      await held.renew();
    } catch (error) {
      await held.release();
      throw error;
    }
    return held;
  }

  private async letGo(table: string): Promise<void> {
    const others = (this.holders.get(table) ?? 1) - 1;
    if (others > 0) {
      this.holders.set(table, others);
      return;
    }
    this.holders.delete(table);
    await this.client.command(`SYSTEM START MERGES ${table}`).catch(() => undefined);
  }

  /** When the engine started, in seconds since 1970. */
  private async engineStarted(): Promise<number> {
    const [row] = await this.client.rows<{ at: string }>(
      'SELECT toInt64(toUnixTimestamp(now())) - toInt64(uptime()) AS at',
    );
    return Number(row?.at ?? 0);
  }
}
