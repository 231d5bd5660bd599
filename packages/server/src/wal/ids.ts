/**
 * Ids of segments. The table is the ledger of the hand-over by these ids, so an id that came back would make one segment
 * pass for another, which loses data. Separate from the segment's file because it is the one promise that outlives it.
 *
 * Must stay true: ids grow, over restarts and whatever the clock does. The file of the mark says which ids were given away
 * for good; a new id above the mark is used only after the mark was raised and synced.
 */

import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseSegmentName, syncDirectory } from './segment.ts';

const EPOCH_MS = 1_577_836_800_000;
/** Ids of this much time are reserved at once, so that the mark is written about once a minute. */
const RESERVED_MS = 60_000n;

// 41 bits of milliseconds since 2020, 16 bits of node, 7 bits of sequence.
const TIME_SHIFT = 23n;
const NODE_SHIFT = 7n;
const NODE_MASK = 0xffffn;

/** Where the highest id that may have been given is kept. */
export interface IdMark {
  readonly highest: bigint;
  /** Makes a higher mark durable, or throws. */
  raise(to: bigint): void;
}

export class SegmentIds {
  private readonly node: bigint;
  private readonly mark: IdMark;
  private last: bigint;
  private reserved: bigint;

  /** `node` is a 16-bit number that no other server of the same store has. */
  constructor(node: number, mark: IdMark) {
    this.node = BigInt(node) & NODE_MASK;
    this.mark = mark;
    this.last = mark.highest;
    this.reserved = mark.highest;
  }

  /** An id that was never given before. Throws, and gives none, if the mark cannot be raised. */
  next(nowMs: number): bigint {
    const slot = (time: bigint): bigint => (time << TIME_SHIFT) | (this.node << NODE_SHIFT);
    const now = slot(BigInt(Math.max(0, nowMs - EPOCH_MS)));
    const step = this.last + 1n;
    const isOurs = ((step >> NODE_SHIFT) & NODE_MASK) === this.node;
    const id = now > this.last ? now : isOurs ? step : slot((this.last >> TIME_SHIFT) + 1n);
    if (id > this.reserved) {
      const upTo = id + (RESERVED_MS << TIME_SHIFT);
      this.mark.raise(upTo);
      this.reserved = upTo;
    }
    this.last = id;
    return id;
  }

  /**
   * Gives no id up to this one any more: rows may come with it that another server, or this one under another clock, gave it
   * to. False if none would have been given anyway. Throws, and changes nothing, if the mark cannot be raised.
   */
  skipTo(id: bigint): boolean {
    if (id <= this.last) return false;
    if (id > this.reserved) {
      this.mark.raise(id);
      this.reserved = id;
    }
    this.last = id;
    return true;
  }
}

const MARK_FILE = 'segment-ids';

/** The mark in a log's directory. Segments that are there count too, should the file be gone. */
export function openIdMark(directory: string): IdMark {
  const path = join(directory, MARK_FILE);
  let highest = readMark(path);
  for (const name of readdirSync(directory)) {
    const id = parseSegmentName(name)?.id ?? 0n;
    if (id > highest) highest = id;
  }
  return {
    highest,
    raise: (to) => {
      const fresh = `${path}.new`;
      const fd = openSync(fresh, 'w', 0o600);
      try {
        writeSync(fd, `${to.toString(16)}\n`);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(fresh, path);
      syncDirectory(directory);
    },
  };
}

function readMark(path: string): bigint {
  try {
    const text = readFileSync(path, 'latin1').trim();
    return /^[0-9a-f]{1,16}$/.test(text) ? BigInt(`0x${text}`) : 0n;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0n;
    throw error;
  }
}
