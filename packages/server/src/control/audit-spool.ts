/**
 * Lines on their way into the audit log: files that are only ever appended to, so that a change can be recorded while the store
 * is away, and before it is acknowledged. A file is removed when the table has its rows.
 *
 * Must stay true: `append` resolves when its lines are synced; lines that were given together stand together or not at all. A
 * file that cannot be written to its end is cut back, or nothing is appended to it again.
 */

import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, messageOf } from '@glasshouse/model';

export interface SpoolOptions {
  readonly directory: string;
  /** Largest size of all files; then nothing more is taken. */
  readonly maxBytes: number;
}

const MAX_FILE_BYTES = 4 << 20;
const FILE = /^\d{10}\.ndjson$/u;

export class AuditSpool {
  private readonly options: SpoolOptions;
  private file: { readonly handle: FileHandle; readonly path: string; bytes: number } | undefined;
  private waiting: {
    readonly text: string;
    readonly resolve: () => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  private turn: Promise<unknown> = Promise.resolve();
  private next = 1;
  /** Sizes of the files that are complete, oldest first. */
  private readonly sealed = new Map<string, number>();

  private constructor(options: SpoolOptions) {
    this.options = options;
  }

  /** Opens the directory. What earlier processes left there is complete. */
  static async open(options: SpoolOptions): Promise<AuditSpool> {
    const spool = new AuditSpool(options);
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    const names = (await readdir(options.directory)).filter((name) => FILE.test(name)).toSorted();
    for (const name of names) {
      const path = join(options.directory, name);
      spool.sealed.set(path, (await readFile(path)).length);
      spool.next = Number(name.slice(0, 10)) + 1;
    }
    return spool;
  }

  /** Files that are complete, oldest first. */
  get paths(): readonly string[] {
    return [...this.sealed.keys()];
  }

  /** Appends a text of whole lines. Rejects with `unavailable` when it cannot be kept. */
  append(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ text, resolve, reject });
      // Whoever comes during a sync shares the next one.
      if (this.waiting.length === 1) void this.inTurn(() => this.commit());
    });
  }

  /** Completes the present file, if there is one. What `carried` says begins the next one before anything else. */
  seal(carried: () => string): Promise<void> {
    return this.inTurn(async () => {
      if (this.file === undefined) return;
      await this.end();
      const text = carried();
      if (text !== '') await this.write(text);
    });
  }

  /** Forgets a complete file: the table has its rows. */
  async remove(path: string): Promise<void> {
    await rm(path, { force: true });
    this.sealed.delete(path);
  }

  async close(): Promise<void> {
    await this.inTurn(() => this.end());
  }

  private async commit(): Promise<void> {
    const batch = this.waiting;
    this.waiting = [];
    try {
      await this.write(batch.map(({ text }) => text).join(''));
      for (const { resolve } of batch) resolve();
    } catch (cause) {
      const error =
        cause instanceof AppError
          ? cause
          : new AppError('unavailable', `cannot write the audit log: ${messageOf(cause)}`, {
              cause,
              retryAfterSeconds: 5,
            });
      for (const { reject } of batch) reject(error);
    }
  }

  private async write(text: string): Promise<void> {
    const { maxBytes } = this.options;
    let used = this.file?.bytes ?? 0;
    for (const bytes of this.sealed.values()) used += bytes;
    if (used + text.length > maxBytes) {
      throw new AppError(
        'unavailable',
        `cannot write the audit log: ${maxBytes} bytes of it wait for the store, which has to come back first`,
        { retryAfterSeconds: 5 },
      );
    }
    const file = (this.file ??= await this.begin());
    const bytes = Buffer.from(text);
    try {
      let written = 0;
      while (written < bytes.length)
        written += (await file.handle.write(bytes, written, bytes.length - written, file.bytes + written)).bytesWritten;
      await file.handle.datasync();
      file.bytes += bytes.length;
    } catch (error) {
      // What the kernel kept of it is unknown.
      await file.handle.truncate(file.bytes).catch(() => undefined);
      await this.end();
      throw error;
    }
    if (file.bytes >= MAX_FILE_BYTES) await this.end();
  }

  private async begin(): Promise<NonNullable<AuditSpool['file']>> {
    const { directory } = this.options;
    const path = join(directory, `${String(this.next++).padStart(10, '0')}.ndjson`);
    const handle = await open(path, 'wx', 0o600);
    const parent = await open(directory, 'r');
    try {
      await parent.sync();
    } finally {
      await parent.close();
    }
    return { handle, path, bytes: 0 };
  }

  private async end(): Promise<void> {
    const { file } = this;
    if (file === undefined) return;
    this.file = undefined;
    this.sealed.set(file.path, file.bytes);
    await file.handle.close().catch(() => undefined);
  }

  private inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.turn.then(act);
    this.turn = turn.catch(() => undefined);
    return turn;
  }
}

/** A line of a value: a digest in front, so that damage is told from what was written. */
export function lineOf(value: object): string {
  const json = JSON.stringify(value);
  return `${digestOf(json)} ${json}\n`;
}

/** The values of a file's lines, and how many lines are no good, such as one that the end of a process cut. */
export function readLines(text: string): { readonly values: readonly unknown[]; readonly damaged: number } {
  const values: unknown[] = [];
  let damaged = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const json = line.slice(9);
    const value = line[8] === ' ' && digestOf(json) === line.slice(0, 8) ? parsed(json) : undefined;
    if (value === undefined) damaged++;
    else values.push(value);
  }
  return { values, damaged };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function digestOf(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, 8);
}
