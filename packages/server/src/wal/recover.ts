/**
 * What a start finds in the log's directory: segments that were not handed over before the process ended. Their torn tails
 * (frames that were being written, and never acknowledged) are cut off, so that what is left is exactly what was durable.
 */

import { closeSync, fsyncSync, ftruncateSync, openSync, readdirSync, readSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { FrameInfo } from './frame.ts';
import { scanFrames } from './frame.ts';
import type { SegmentInfo } from './segment.ts';
import { parseSegmentName, syncDirectory } from './segment.ts';

export interface Recovered {
  readonly segments: readonly SegmentInfo[];
  /** Segments whose tail was cut, with the number of bytes that went. */
  readonly torn: readonly { readonly path: string; readonly bytes: number }[];
}

/** Reads every leftover segment in id order, checks all its frames and cuts what is torn. */
export function recoverSegments(directory: string): Recovered {
  const segments: SegmentInfo[] = [];
  const torn: { path: string; bytes: number }[] = [];
  for (const name of readdirSync(directory).sort()) {
    const parsed = parseSegmentName(name);
    if (parsed === undefined) continue;
    const path = join(directory, name);
    const size = statSync(path).size;
    const { frames, validBytes } = scanFile(path, size);
    if (validBytes < size) torn.push({ path, bytes: size - validBytes });
    if (frames.length === 0) {
      unlinkSync(path);
      continue;
    }
    if (validBytes < size) cut(path, validBytes);
    segments.push({ ...parsed, path, bytes: validBytes, ...totals(frames) });
  }
  syncDirectory(directory);
  segments.sort((a, b) => (a.id < b.id ? -1 : 1));
  return { segments, torn };
}

function scanFile(path: string, size: number): ReturnType<typeof scanFrames> {
  const fd = openSync(path, 'r');
  try {
    let buffer = new Uint8Array(1 << 20);
    return scanFrames((position, length) => {
      if (buffer.length < length) buffer = new Uint8Array(length);
      return buffer.subarray(0, readSync(fd, buffer, 0, length, position));
    }, size);
  } finally {
    closeSync(fd);
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
