/**
 * A segment: one file of the write-ahead log, holding frames of one table. This file knows names, directory entries and
 * what is durable; it does not know what is in a frame.
 *
 * Must stay true: a frame counts only after fdatasync returned, and a new file only after its directory was synced. After a
 * failed write or sync the file is cut back to the last durable frame and never appended to again, because what the kernel
 * kept of a failed sync is unknown.
 */

import { closeSync, fdatasyncSync, fsyncSync, ftruncateSync, openSync, unlinkSync, writevSync } from 'node:fs';
import { join } from 'node:path';

/** What the drain needs to know about a segment. */
export interface SegmentInfo {
  readonly table: string;
  readonly id: bigint;
  readonly path: string;
  readonly bytes: number;
  readonly rows: number;
  readonly days: ReadonlyMap<number, number>;
}

const NAME = /^([a-z_]+)\.([0-9a-f]{16})\.gz$/;

/** File name of a segment. */
export function segmentName(table: string, id: bigint): string {
  return `${table}.${id.toString(16).padStart(16, '0')}.gz`;
}

/** Table and id of a segment's file name, or undefined if it is some other file. */
export function parseSegmentName(name: string): { table: string; id: bigint } | undefined {
  const match = NAME.exec(name);
  return match === null ? undefined : { table: match[1] as string, id: BigInt(`0x${match[2]}`) };
}

export class SegmentWriter {
  readonly table: string;
  readonly id: bigint;
  readonly path: string;
  readonly openedAtMs: number;
  bytes = 0;
  rows = 0;
  readonly days = new Map<number, number>();
  private readonly fd: number;

  constructor(directory: string, table: string, id: bigint, nowMs: number) {
    this.table = table;
    this.id = id;
    this.openedAtMs = nowMs;
    this.path = join(directory, segmentName(table, id));
    this.fd = openSync(this.path, 'wx', 0o600);
    try {
      syncDirectory(directory);
    } catch (error) {
      closeSync(this.fd);
      unlinkSync(this.path);
      throw error;
    }
  }

  /** Appends a frame and makes it durable, or throws and leaves the segment as it was before. */
  append(parts: readonly Uint8Array[], length: number, rows: number, days: ReadonlyMap<number, number>): void {
    try {
      writeAll(this.fd, parts, this.bytes, length);
      fdatasyncSync(this.fd);
    } catch (error) {
      ftruncateSync(this.fd, this.bytes);
      throw error;
    }
    this.bytes += length;
    this.rows += rows;
    for (const [day, count] of days) this.days.set(day, (this.days.get(day) ?? 0) + count);
  }

  /** Closes the file; a segment without frames is removed and undefined returned. */
  seal(): SegmentInfo | undefined {
    closeSync(this.fd);
    if (this.rows === 0) {
      unlinkSync(this.path);
      return undefined;
    }
    const { table, id, path, bytes, rows, days } = this;
    return { table, id, path, bytes, rows, days: new Map(days) };
  }
}

/** Writes all parts at `position`; a short write (a nearly full disk) is continued until it fails for real. */
function writeAll(fd: number, parts: readonly Uint8Array[], position: number, length: number): void {
  let written = writevSync(fd, parts as Uint8Array[], position);
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

/** Makes created and removed names in a directory durable. */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Ids that grow with time and are unique over restarts and over servers that share a store. */
export class SegmentIds {
  private readonly node: bigint;
  private last = 0n;

  /** `node` is a 16-bit number that no other server of the same store has. */
  constructor(node: number) {
    this.node = BigInt(node & 0xffff);
  }

  next(nowMs: number): bigint {
    // 41 bits of milliseconds since 2020, 16 bits of node, 7 bits of sequence.
    const EPOCH_MS = 1_577_836_800_000;
    const floor = (BigInt(Math.max(0, nowMs - EPOCH_MS)) << 23n) | (this.node << 7n);
    const step = this.last + 1n;
    const sameNode = ((step >> 7n) & 0xffffn) === this.node;
    this.last = floor > this.last ? floor : sameNode ? step : (((this.last >> 23n) + 1n) << 23n) | (this.node << 7n);
    return this.last;
  }
}
