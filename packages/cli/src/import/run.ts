/**
 * The import itself: batches are made, a few are under way at a time, and what the server has is written down in their order.
 *
 * Must stay true: the journal says no more than the server has; rejected lines are in their file before the journal says so.
 */

import { closeSync, constants, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { AppError } from '@glasshouse/model';
import type { Batch } from './batches.ts';
import type { Journal } from './journal.ts';
import { writeJournal } from './journal.ts';
import type { Sender } from './sender.ts';

export interface RunOptions {
  readonly batches: AsyncIterable<Batch>;
  readonly sender: Pick<Sender, 'send'>;
  readonly journal: Journal;
  /** Undefined for what cannot be resumed. */
  readonly journalPath: string | undefined;
  readonly rejectedPath: string;
  readonly onBad: 'skip' | 'stop';
  readonly onProgress: (journal: Journal) => void;
}

const UNDER_WAY = 4;
const OPEN_OR_MAKE = constants.O_CREAT | constants.O_RDWR;

/** Resolves to the journal of all that is there. Rejects with what stopped it, after what was under way is written down. */
export async function importAll(options: RunOptions): Promise<Journal> {
  const { batches, sender, journalPath } = options;
  let journal = options.journal;
  const rejects = new RejectedFile(options.rejectedPath, journal.rejectedBytes);
  const note = (change: Partial<Journal>): void => {
    journal = { ...journal, ...change };
    if (journalPath !== undefined) writeJournal(journalPath, journal);
    options.onProgress(journal);
  };
  const underWay: { readonly batch: Batch; readonly sent: Promise<void> }[] = [];
  const begin = (batch: Batch, waits: boolean): void => {
    const name = `${journal.id}.${batch.start}`;
    const sent = batch.rows.length === 0 ? Promise.resolve() : sender.send(name, batch.rows, waits);
    // It is looked at when its turn comes.
    sent.catch(() => undefined);
    underWay.push({ batch, sent });
  };
  const finishFirst = async (): Promise<void> => {
    const first = underWay[0];
    if (first === undefined) return;
    await first.sent;
    underWay.shift();
    const { batch } = first;
    rejects.write(batch.rejected);
    const { lines, rows, rejected } = journal.counts;
    note({
      offset: batch.end,
      line: batch.nextLine,
      rejectedBytes: rejects.bytes,
      counts: {
        lines: lines + batch.lines,
        rows: rows + batch.rows.length,
        rejected: rejected + batch.rejected.length,
      },
    });
  };
  const finishAll = async (): Promise<void> => {
    while (underWay.length > 0) await finishFirst();
  };
  try {
    note({});
    // The last one is held back until all others are there: when it is in the table, so is everything.
    let last: Batch | undefined;
    for await (const batch of batches) {
      if (last !== undefined) begin(last, false);
      last = undefined;
      const bad = batch.rejected[0];
      if (bad !== undefined && options.onBad === 'stop') {
        await finishAll();
        throw new AppError(
          'bad_request',
          `cannot import line=${bad.line}: ${bad.reason}; what is before line ${journal.line} is imported`,
        );
      }
      last = batch;
      while (underWay.length >= UNDER_WAY) await finishFirst();
    }
    await finishAll();
    if (last !== undefined) {
      begin(last, true);
      await finishAll();
    }
    note({ isDone: true });
    return journal;
  } finally {
    rejects.close();
  }
}

/** The file of rejected lines; it is not made before there is one. */
class RejectedFile {
  bytes: number;
  private readonly path: string;
  private descriptor: number | undefined;

  constructor(path: string, bytes: number) {
    this.path = path;
    this.bytes = bytes;
    // What was written without being noted is written again.
    if (bytes > 0) ftruncateSync(this.open(), bytes);
  }

  write(rejected: Batch['rejected']): void {
    if (rejected.length === 0) return;
    const text = Buffer.from(rejected.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const descriptor = this.open();
    if (this.bytes === 0) ftruncateSync(descriptor, 0);
    for (let at = 0; at < text.length;) at += writeSync(descriptor, text, at, text.length - at, this.bytes + at);
    fsyncSync(descriptor);
    this.bytes += text.length;
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
  }

  private open(): number {
    // Without O_APPEND, with which writes at a position go to the end.
    this.descriptor ??= openSync(this.path, OPEN_OR_MAKE, 0o600);
    return this.descriptor;
  }
}
