/**
 * Replaces the rows of a data source: a table beside the live one takes the new rows, and, where only some are replaced, the
 * others; then they change places. Whoever puts rows into `table` and lets them change places is somebody else.
 *
 * Must stay true: what comes to the live table after the beginning is in the new one too: it was acknowledged, and it is not
 * what is replaced. Segments are handed over in the order of their ids, so the greatest id at the beginning tells both apart.
 * Rows of engines that add up are not merged meanwhile: a merged row would be of both.
 */

import { randomUUID } from 'node:crypto';
import type { DataSource } from '@glasshouse/model';
import { AppError, invariant, SEGMENT } from '@glasshouse/model';
import type { Client } from './client.ts';
import { isAdditive } from './datasource-ddl.ts';
import { quoteName, quoteText } from './ddl.ts';
import { COPYING, sameNames } from './rebuild.ts';

export interface ReplacementOptions {
  readonly client: Client;
  /** The live table, quoted. */
  readonly source: string;
  /** The table that is made, quoted. */
  readonly target: string;
  readonly dataSource: DataSource;
  readonly create: () => Promise<void>;
  readonly discard: () => Promise<void>;
}

export class Replacement {
  private readonly options: ReplacementOptions;
  /** Segments above came after the beginning. */
  private top: bigint | undefined;
  private merging = true;

  constructor(options: ReplacementOptions) {
    this.options = options;
  }

  /** Quoted name of the table that takes the new rows. */
  get table(): string {
    return this.options.target;
  }

  /**
   * Makes the new table. With a condition, which has been judged, it has all rows that do not meet it. `hold` keeps the store
   * free of hand-overs until the function that it resolves with is called.
   */
  async begin(hold: () => Promise<() => void>, condition: string | undefined, signal?: AbortSignal): Promise<void> {
    const { create, source, dataSource } = this.options;
    await create();
    const release = await hold();
    let touched: readonly string[] = [];
    try {
      if (isAdditive(dataSource.engine)) await this.stopMerges();
      const [row] = await this.rows<{ top: string }>(`SELECT toString(max(${SEGMENT})) AS top FROM ${source}`);
      this.top = BigInt(row?.top ?? 0);
      if (condition !== undefined) touched = await this.attachUntouched(condition);
    } finally {
      release();
    }
    if (condition === undefined) return;
    for (const id of touched) {
      signal?.throwIfAborted();
      const where = `_partition_id = ${quoteText(id)} AND ${SEGMENT} <= ${this.top} AND ifNull((${condition}), 0) = 0`;
      await this.copy(where);
    }
  }

  /** Takes over what came to the live table since. To be called while nothing is handed over. */
  async settle(): Promise<void> {
    invariant(this.top !== undefined, 'a replacement is settled before it began');
    await this.copy(`${SEGMENT} > ${this.top}`);
  }

  /** Lets merges run again; to be called when all is over. */
  async release(): Promise<void> {
    if (this.merging) return;
    await this.options.client.command(`SYSTEM START MERGES ${this.options.source}`);
    this.merging = true;
  }

  /** Removes the new table, unless it is live. */
  async discard(): Promise<void> {
    await this.release().catch(() => undefined);
    await this.options.discard();
  }

  /** Partitions without a row that meets the condition are taken as they are; resolves with the others. */
  private async attachUntouched(condition: string): Promise<readonly string[]> {
    const { client, source, target } = this.options;
    const partitions = await this.rows<{ id: string; hits: string }>(
      `SELECT _partition_id AS id, countIf(ifNull((${condition}), 0) != 0) AS hits FROM ${source} GROUP BY id ORDER BY id`,
    );
    const touched: string[] = [];
    for (const { id, hits } of partitions) {
      if (hits !== '0') {
        touched.push(id);
        continue;
      }
      // Its files are shared, so this takes no time. A table that was altered may differ in what only the engine sees.
      await client.command(`ALTER TABLE ${target} ATTACH PARTITION ID ${quoteText(id)} FROM ${source}`).catch(() => {
        touched.push(id);
      });
    }
    return touched;
  }

  private async copy(where: string): Promise<void> {
    const { client, source, target, dataSource } = this.options;
    const { columns, list } = sameNames(dataSource, dataSource);
    const names = columns.map(quoteName).join(', ');
    try {
      await client.command(
        `INSERT INTO ${target} (${names}, ${SEGMENT}) SELECT ${list}, ${SEGMENT} FROM ${source} WHERE ${where}`,
        { settings: COPYING, queryId: `replacement-${randomUUID()}` },
      );
    } catch (cause) {
      throw new AppError(
        'internal',
        `cannot replace rows of data source=${dataSource.name}: the others cannot be kept`,
        { cause },
      );
    }
  }

  private async stopMerges(): Promise<void> {
    await this.options.client.command(`SYSTEM STOP MERGES ${this.options.source}`);
    this.merging = false;
  }

  private rows<Row>(sql: string): Promise<Row[]> {
    return this.options.client.rows<Row>(sql);
  }
}
