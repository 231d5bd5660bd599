/**
 * Where uploads wait: a directory of files that live as long as their import. A file first, because what is imported may be
 * read from its end (Parquet), may have to be read twice, and must not depend on how slowly its sender sends.
 *
 * Must stay true: names of files are made here and of nothing that came with a request. What lies there nobody else can read, and
 * what a crash left behind is removed at the start.
 */

import { randomUUID } from 'node:crypto';
import { createWriteStream, mkdirSync, rmSync } from 'node:fs';
import { rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '@glasshouse/model';
import type { SealedFile } from './import-sealed.ts';
import { newKey, sealing } from './import-sealed.ts';

export interface SpoolOptions {
  readonly directory: string;
  /** Largest file, unpacked once. */
  readonly maxBytes: number;
  /** Uploads are refused when less than this is left on the disk. */
  readonly reserveBytes: number;
}

/** An upload that is on the disk. */
export interface Spooled extends SealedFile {
  readonly bytes: number;
  /** Removes the file. May be called twice. */
  dispose(): Promise<void>;
}

/** How often the disk is looked at, in bytes written. */
const LOOK_EVERY_BYTES = 64 << 20;

export class Spool {
  private readonly options: SpoolOptions;

  constructor(options: SpoolOptions) {
    this.options = options;
    rmSync(options.directory, { recursive: true, force: true });
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  }

  /** Writes all of a stream to a file. Rejects with `too_large`, `unavailable` when the disk is full, or the stream's error. */
  async take(stream: Readable, signal?: AbortSignal): Promise<Spooled> {
    const { directory, maxBytes } = this.options;
    const path = join(directory, randomUUID());
    const key = newKey();
    const dispose = (): Promise<void> => rm(path, { force: true });
    let bytes = 0;
    let lookAt = 0;
    const counter = new Transform({
      transform: (chunk: Buffer, _, done) => {
        bytes += chunk.length;
        if (bytes > maxBytes) {
          done(
            new AppError('too_large', `cannot import the data: it is larger than ${maxBytes} bytes; send less at once`),
          );
          return;
        }
        if (bytes < lookAt) {
          done(null, chunk);
          return;
        }
        lookAt = bytes + LOOK_EVERY_BYTES;
        this.look().then(() => done(null, chunk), done);
      },
    });
    try {
      const file = createWriteStream(path, { mode: 0o600 });
      await pipeline(stream, counter, sealing(key), file, signal === undefined ? {} : { signal });
    } catch (error) {
      await dispose();
      throw error;
    }
    return { path, key, bytes, dispose };
  }

  private async look(): Promise<void> {
    const { directory, reserveBytes } = this.options;
    const { bavail, bsize } = await statfs(directory);
    if (bavail * bsize >= reserveBytes) return;
    throw new AppError('unavailable', 'cannot import the data: the disk is nearly full', { retryAfterSeconds: 30 });
  }
}
