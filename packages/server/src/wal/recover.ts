/**
 * What a start finds in the log's directory: segments that were not handed over before the process ended. Torn tails (frames
 * that were being written, and never acknowledged) are cut off. Damage anywhere else is in acknowledged data: the frames
 * that can still be read go into a repaired file, and the damaged one is put aside for whoever wants to look at it.
 *
 * Must stay true: no frame that can be read is lost, a crash at any point of a repair leaves what the next start repairs
 * again, and a file that cannot be read now stays where it is.
 */

import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { FrameInfo } from './frame.ts';
import { scanFrames } from './scan.ts';
import type { Scan } from './scan.ts';
import type { SegmentInfo, SegmentName } from './segment.ts';
import { gatheredFrom, parseSegmentName, segmentName, syncDirectory, unlinkQuietly } from './segment.ts';

/** A segment that lost acknowledged data. */
export interface Damage {
  /** Where the file is now, as it was found. */
  readonly path: string;
  /** Damaged places in it, and their bytes. */
  readonly places: number;
  readonly bytes: number;
  /** Rows known to be lost; `rowsUnknown` counts the places of which not even that can be said. */
  readonly rows: number;
  readonly rowsUnknown: number;
  /** Rows that were kept. */
  readonly rowsKept: number;
}

export interface Recovered {
  readonly segments: readonly SegmentInfo[];
  /** Segments whose tail was cut, with the number of bytes that went. */
  readonly torn: readonly { readonly path: string; readonly bytes: number }[];
  readonly damaged: readonly Damage[];
  /** Files that could not be read or repaired now. They stay for the next start. */
  readonly failed: readonly { readonly path: string; readonly error: unknown }[];
}

/** Folder, in the log's directory, of what the store refused and what was found damaged. */
export const QUARANTINE = 'quarantine';

/**
 * Reads every leftover segment in id order, checks all its frames, cuts what is torn and repairs what is damaged.
 * `except` names paths that somebody else is taking care of.
 */
export function recoverSegments(directory: string, except: ReadonlySet<string> = new Set()): Recovered {
  const names = readdirSync(directory);
  const segments: SegmentInfo[] = [];
  const torn: { path: string; bytes: number }[] = [];
  const damaged: Damage[] = [];
  const failed: { path: string; error: unknown }[] = [];
  for (const name of names) {
    const parsed = parseSegmentName(name);
    const gathered = gatheredFrom(name);
    if (gathered !== undefined && !except.has(join(directory, gathered))) unlinkQuietly(join(directory, name));
    const path = join(directory, name);
    if (parsed === undefined || except.has(path)) continue;
    // The repair of this one was interrupted before the original was put aside: it is made again.
    if (parsed.repaired && names.includes(segmentName({ ...parsed, repaired: false }))) continue;
    try {
      const one = recoverSegment(path, parsed);
      if (one.segment !== undefined) segments.push(one.segment);
      if (one.tornBytes > 0) torn.push({ path, bytes: one.tornBytes });
      if (one.damage !== undefined) damaged.push(one.damage);
    } catch (error) {
      failed.push({ path, error });
    }
  }
  syncDirectory(directory);
  segments.sort((a, b) => (a.id < b.id ? -1 : 1));
  return { segments, torn, damaged, failed };
}

/** Brings one segment's file in order. `segment` is undefined if nothing is left of it. */
export function recoverSegment(
  path: string,
  name: SegmentName,
): { segment: SegmentInfo | undefined; tornBytes: number; damage: Damage | undefined } {
  const size = statSync(path).size;
  const scan = scanFile(path, size, name.id);
  const { frames, gaps } = scan;
  const tornBytes = gaps.reduce((sum, gap) => sum + (gap.kind === 'torn' ? gap.length : 0), 0);
  const info = (at: string, bytes: number, repaired: boolean): SegmentInfo => {
    const { table, id } = name;
    return { table, id, path: at, bytes, repaired, unchecked: false, ...totals(frames) };
  };
  if (gaps.some((gap) => gap.kind === 'damaged')) {
    const damage = damageOf(keepAside(path), scan);
    const repaired = frames.length === 0 ? undefined : writeRepaired(path, name, frames);
    if (repaired?.path !== path) unlinkSync(path);
    return { segment: repaired && info(repaired.path, repaired.bytes, true), tornBytes, damage };
  }
  if (frames.length === 0) {
    unlinkSync(path);
    return { segment: undefined, tornBytes, damage: undefined };
  }
  if (tornBytes > 0) cut(path, size - tornBytes);
  return { segment: info(path, size - tornBytes, name.repaired), tornBytes, damage: undefined };
}

function damageOf(path: string, { frames, gaps }: Scan): Damage {
  const damaged = gaps.filter((gap) => gap.kind === 'damaged');
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  return {
    path,
    places: damaged.length,
    bytes: sum(damaged.map((gap) => gap.length)),
    rows: sum(damaged.map((gap) => gap.rows ?? 0)),
    rowsUnknown: damaged.filter((gap) => gap.rows === undefined).length,
    rowsKept: sum(frames.map((frame) => frame.rows)),
  };
}

function scanFile(path: string, size: number, segment: bigint): Scan {
  const fd = openSync(path, 'r');
  try {
    let buffer = new Uint8Array(1 << 20);
    const read = (position: number, length: number): Uint8Array => {
      if (buffer.length < length) buffer = new Uint8Array(length);
      return buffer.subarray(0, readSync(fd, buffer, 0, length, position));
    };
    // A header's length is trusted only within the file, so no damage makes this buffer larger than the file.
    return scanFrames((position, length) => read(position, Math.min(length, size - position)), size, segment);
  } finally {
    closeSync(fd);
  }
}

/** Copies the intact frames into the segment's repaired file. */
function writeRepaired(path: string, name: SegmentName, frames: readonly FrameInfo[]): { path: string; bytes: number } {
  const target = join(dirname(path), segmentName({ ...name, repaired: true }));
  const fresh = `${target}.new`;
  const [from, to] = [openSync(path, 'r'), openSync(fresh, 'w', 0o600)];
  let bytes = 0;
  try {
    for (const { offset, length } of frames) {
      const frame = new Uint8Array(length);
      readSync(from, frame, 0, length, offset);
      for (let written = 0; written < length;)
        written += writeSync(to, frame, written, length - written, bytes + written);
      bytes += length;
    }
    fsyncSync(to);
  } finally {
    closeSync(from);
    closeSync(to);
  }
  renameSync(fresh, target);
  syncDirectory(dirname(path));
  return { path: target, bytes };
}

/** Gives a damaged file a second name in the quarantine and returns that. */
function keepAside(path: string): string {
  const directory = join(dirname(path), QUARANTINE);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (let number = 1; ; number++) {
    const target = join(directory, `${basename(path)}.damaged${number === 1 ? '' : `.${number}`}`);
    try {
      linkSync(path, target);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') {
        // Its own name of an earlier, interrupted repair will do.
        if (statSync(path).ino === statSync(target).ino) return target;
        continue;
      }
      // Not every file system has links.
      copyFileSync(path, target, constants.COPYFILE_EXCL);
    }
    syncDirectory(directory);
    return target;
  }
}

function cut(path: string, bytes: number): void {
  const fd = openSync(path, 'r+');
  try {
    ftruncateSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function totals(frames: readonly FrameInfo[]): { rows: number; days: Map<number, number> } {
  let rows = 0;
  const days = new Map<number, number>();
  for (const frame of frames) {
    rows += frame.rows;
    for (const [day, count] of frame.days) days.set(day, (days.get(day) ?? 0) + count);
  }
  return { rows, days };
}
