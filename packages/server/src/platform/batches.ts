/**
 * Batches of events that their sender names, so that one which is sent again is taken once: whoever does not know whether a batch
 * arrived sends it again under its name.
 *
 * Must stay true: a name is refused as known only if the rows are durable, and taken as new only if they are nowhere. The name is
 * part of each row in the log, so it is as durable as they are; the hand-over writes it into the store before the segment goes.
 * What lies between is in `pending`, and after a start, or a failure of which nobody knows what it left in the log, nothing is
 * taken as new before the log is handed over.
 */

import { createHash } from 'node:crypto';
import { AppError } from '@glasshouse/model';
import { BATCH_PREFIX } from '@glasshouse/store';

export interface BatchesOptions {
  /** Whether the store has the name. */
  readonly isStored: (importId: string) => Promise<boolean>;
  /** Resolves when all that is in the log by now is in the store. */
  readonly flush: () => Promise<void>;
  /** Longest time that a batch waits for the log, in ms; then its sender is told to come again. */
  readonly maxWaitMs?: number;
}

const MAX_WAIT_MS = 10_000;
const NAME = /^[\w.:-]{1,128}$/u;

/** The id that the rows of a batch carry. @throws AppError `bad_request` for what is no name */
export function batchImportId(name: string, tenant: string, dataSource: string): string {
  if (!NAME.test(name))
    throw new AppError(
      'bad_request',
      `cannot take the batch=${name.slice(0, 40)}: X-Glasshouse-Batch takes 1 to 128 of the characters A-Z a-z 0-9 _ . : -`,
    );
  const owner = createHash('sha256').update(`${tenant}\0${dataSource}`).digest('hex').slice(0, 32);
  return `${BATCH_PREFIX}${name}-${owner}`;
}

export class Batches {
  private readonly options: BatchesOptions;
  /** Batches that are being taken, or that were and are not known to be in the store. Resolves to whether it was taken. */
  private readonly pending = new Map<string, Promise<boolean>>();
  private isSettled = false;
  private settling: Promise<void> | undefined;

  constructor(options: BatchesOptions) {
    this.options = options;
  }

  /**
   * Calls `accept` unless the batch was taken before, and resolves to what it gives; to undefined for a batch that is known.
   * `accept` gives the number of rows. Rejects as it does, and with `unavailable` when it cannot be told now.
   */
  async once<T extends { readonly accepted: number }>(
    importId: string,
    accept: () => Promise<T>,
  ): Promise<T | undefined> {
    for (let before = this.pending.get(importId); before !== undefined; before = this.pending.get(importId))
      if (await before) return undefined;
    const attempt = this.attempt(importId, accept);
    const taken = attempt.then(
      () => true,
      () => {
        if (this.pending.get(importId) === taken) this.pending.delete(importId);
        return false;
      },
    );
    this.pending.set(importId, taken);
    const result = await attempt;
    // No row carries its name, so that nothing would ever take it out; and it is in the store if it was known.
    if ((result === undefined || result.accepted === 0) && this.pending.get(importId) === taken)
      this.pending.delete(importId);
    return result;
  }

  /** To be told when the store has these names. */
  stored(importIds: readonly string[]): void {
    for (const id of importIds) this.pending.delete(id);
  }

  private async attempt<T>(importId: string, accept: () => Promise<T>): Promise<T | undefined> {
    await this.settle();
    if (await this.options.isStored(importId)) return undefined;
    try {
      return await accept();
    } catch (error) {
      const isNowhere = error instanceof AppError && (error.code === 'bad_request' || error.code === 'too_large');
      if (!isNowhere) this.isSettled = false;
      throw error;
    }
  }

  private async settle(): Promise<void> {
    if (this.isSettled) return;
    this.settling ??= this.options.flush().then(
      () => {
        this.isSettled = true;
        this.settling = undefined;
      },
      (error: unknown) => {
        this.settling = undefined;
        throw error;
      },
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const why = 'cannot tell whether the batch is there: the log is not handed over yet; send it again';
      timer = setTimeout(() => reject(new AppError('unavailable', why)), this.options.maxWaitMs ?? MAX_WAIT_MS);
    });
    try {
      await Promise.race([this.settling, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
