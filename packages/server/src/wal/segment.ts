/**
 * A segment: one file of the write-ahead log, holding frames of one table. This file knows names, directory entries and
 * what is durable; it does not know what is in a frame.
 *
 * Must stay true: a frame counts only after fdatasync returned, and a new file only after its directory was synced. After a
 * failed write or sync the file is cut back to the last durable frame and never appended to again, because what the kernel
 * kept of a failed sync is unknown. Nothing is written behind a frame that is not durable yet.
 */

import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  openSync,
  unlinkSync,
  writevSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { invariant } from '@glasshouse/model';

/** What the drain needs to know about a segment. */
export interface SegmentInfo {
  readonly table: string;
  readonly id: bigint;
  readonly path: string;
  readonly bytes: number;
  readonly rows: number;
  readonly days: ReadonlyMap<number, number>;
  /** True if damaged frames were taken out of it, so that the table may rightly hold more of it than it has now. */
  readonly repaired: boolean;
  /** A file of the same rows that the store reads faster, and that may be gone: `gathered.ts`. */
  readonly gathered?: string;
  /** True if bytes may follow the last durable frame: it must be recovered as after a crash before it is handed over. */
  readonly unchecked: boolean;
}

const NAME = /^([a-z_]+)\.([0-9a-f]{16})(\.repaired)?\.gz$/;

/** What the name of a segment's file says. */
export interface SegmentName {
  readonly table: string;
  readonly id: bigint;
  readonly repaired: boolean;
}

/** File name of a segment. */
export function segmentName({ table, id, repaired }: SegmentName): string {
  return `${table}.${id.toString(16).padStart(16, '0')}${repaired ? '.repaired' : ''}.gz`;
}

const GATHERED = '.gathered';

/** Name of the file that a segment's rows are gathered in. */
export function gatheredName(name: Pick<SegmentName, 'id' | 'table'>): string {
  return `${segmentName({ ...name, repaired: false })}${GATHERED}`;
}

/** Name of the segment whose rows a file has gathered; undefined if it is some other file. */
export function gatheredFrom(name: string): string | undefined {
  const segment = name.slice(0, -GATHERED.length);
  return name.endsWith(GATHERED) && NAME.test(segment) ? segment : undefined;
}

/** Reads a segment's file name; undefined if it is some other file. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  return { table: match[1] as string, id: BigInt(`0x${match[2]}`), repaired: match[3] !== undefined };
}

const syncData = promisify(fdatasync);
const syncAll = promisify(fsync);

/** A frame that is in the file and may not be on the disk. */
interface Written {
  readonly length: number;
  readonly rows: number;
  readonly days: ReadonlyMap<number, number>;
}

export class SegmentWriter {
  readonly table: string;
  readonly id: bigint;
  readonly path: string;
  bytes = 0;
  rows = 0;
  frames = 0;
  readonly days = new Map<number, number>();
  private readonly directory: string;
  private readonly fd: number;
  private written: Written | undefined;
  private isCut = true;

  constructor(directory: string, table: string, id: bigint) {
    this.table = table;
    this.id = id;
    this.directory = directory;
    this.path = join(directory, segmentName({ table, id, repaired: false }));
    this.fd = openSync(this.path, 'wx', 0o600);
  }

  /** Appends a frame, of which nothing is needed afterwards; or throws. Then the segment is as before, and `seal` must follow. */
  write(parts: readonly Uint8Array[], length: number, rows: number, days: ReadonlyMap<number, number>): void {
    invariant(this.written === undefined, `a frame of ${this.path} is not synced`);
    try {
      writeAll(this.fd, parts, this.bytes, length);
    } catch (error) {
      this.isCut = cutQuietly(this.fd, this.bytes);
      throw error;
    }
    this.written = { length, rows, days };
  }

  /** Makes the frame that was written durable; or rejects, with the same consequences. */
  async sync(): Promise<void> {
    const { written, fd } = this;
    invariant(written, `${this.path} has no frame to sync`);
    try {
      // The name of a new file is made durable at the same time as what is in it: neither counts without the other.
      const both = [syncData(fd), ...(this.frames === 0 ? [syncNames(this.directory)] : [])];
      for (const outcome of await Promise.allSettled(both)) if (outcome.status === 'rejected') throw outcome.reason;
    } catch (error) {
      this.isCut = cutQuietly(fd, this.bytes);
      throw error;
    } finally {
      this.written = undefined;
    }
    this.bytes += written.length;
    this.rows += written.rows;
    this.frames++;
    for (const [day, count] of written.days) this.days.set(day, (this.days.get(day) ?? 0) + count);
  }

  /** Closes the file; a segment without frames is removed and undefined returned. Never throws: what counts is durable. */
  seal(): SegmentInfo | undefined {
    closeQuietly(this.fd);
    if (this.rows === 0) {
      // A file that cannot be removed holds nothing acknowledged; the next start removes it.
      unlinkQuietly(this.path);
      return undefined;
    }
    const { table, id, path, bytes, rows, days } = this;
    return { table, id, path, bytes, rows, days: new Map(days), repaired: false, unchecked: !this.isCut };
  }
}

/** Writes all parts at `position`; a short write (a nearly full disk) is continued until it fails for real. */
export function writeAll(fd: number, parts: readonly Uint8Array[], position: number, length: number): void {
  let written = writevSync(fd, parts, position);
  while (written < length) {
    let skip = written;
    const rest: Uint8Array[] = [];
    for (const part of parts) {
      if (skip >= part.length) skip -= part.length;
      else {
        rest.push(part.subarray(skip));
        skip = 0;
      }
    }
    const more = writevSync(fd, rest, position + written);
    if (more === 0) throw new Error('cannot write the segment: the file system accepted no bytes');
    written += more;
  }
}

/** Cuts the file, durably, and says whether that worked. */
function cutQuietly(fd: number, bytes: number): boolean {
  try {
    ftruncateSync(fd, bytes);
    fdatasyncSync(fd);
    return true;
  } catch {
    return false;
  }
}

export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // The descriptor is free all the same, and everything that counts was synced before.
  }
}

export function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Nothing in it counts.
  }
}

/** The same as below, on another thread. */
async function syncNames(directory: string): Promise<void> {
  const fd = openSync(directory, 'r');
  try {
    await syncAll(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes created and removed names in a directory durable. */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
