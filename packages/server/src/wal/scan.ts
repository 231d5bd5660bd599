/**
 * Reads a segment from end to end and says which frames are intact and what lies between them. Separate from the frame's
 * format, because telling an unfinished write from rotten data is a judgement of its own.
 *
 * Must stay true: an intact frame is found wherever it is, also behind damage; what is skipped is always reported.
 */

import type { FrameInfo, ReadAt } from './frame.ts';
import { FRAME_MAGIC, isCutHeader, isIntact, readHeader } from './frame.ts';

/** Bytes of a segment that are no intact frame. */
export interface Gap {
  readonly offset: number;
  readonly length: number;
  /**
   * `torn`: the end of the file as a write leaves it that never finished, so nothing of it was acknowledged.
   * `damaged`: anything else; what stood here may have been acknowledged.
   */
  readonly kind: 'torn' | 'damaged';
  /** Rows that stood here, undefined where that cannot be read any more. */
  readonly rows: number | undefined;
}

export interface Scan {
  readonly frames: readonly FrameInfo[];
  readonly gaps: readonly Gap[];
}

const WINDOW_BYTES = 1 << 20;

/** Scans `size` bytes of the file of `segment`. */
export function scanFrames(read: ReadAt, size: number, segment: bigint): Scan {
  const frames: FrameInfo[] = [];
  const gaps: Gap[] = [];
  let offset = 0;
  while (offset < size) {
    const header = readHeader(read, offset, segment);
    if (header !== undefined && isIntact(read, header)) {
      const { length, sequence, rows, days } = header;
      frames.push({ offset, length, sequence, rows, days });
      offset += length;
      continue;
    }
    if (header !== undefined) {
      // The header can be trusted, so all up to its frame's end is that frame, or the file ends before it.
      const isWhole = offset + header.length <= size;
      const length = isWhole ? header.length : size - offset;
      gaps.push({ offset, length, kind: isWhole ? 'damaged' : 'torn', rows: header.rows });
      offset += length;
      continue;
    }
    const next = findFrame(read, offset + 1, size, segment) ?? size;
    const isTorn = next === size && isUnfinished(read, offset, size);
    gaps.push({ offset, length: next - offset, kind: isTorn ? 'torn' : 'damaged', rows: undefined });
    offset = next;
  }
  return { frames, gaps };
}

/** Offset of the first intact frame at or after `from`. */
function findFrame(read: ReadAt, from: number, size: number, segment: bigint): number | undefined {
  for (let start = from; start < size; start += WINDOW_BYTES) {
    // The copy outlives the reads of the candidates.
    const window = Buffer.from(read(start, WINDOW_BYTES + FRAME_MAGIC.length - 1));
    for (let at = window.indexOf(FRAME_MAGIC); at >= 0; at = window.indexOf(FRAME_MAGIC, at + 1)) {
      const header = readHeader(read, start + at, segment);
      if (header !== undefined && isIntact(read, header)) return start + at;
    }
  }
  return undefined;
}

/** True for what a write that never finished leaves: the beginning of a header, or blocks of the file never filled. */
function isUnfinished(read: ReadAt, offset: number, size: number): boolean {
  if (isCutHeader(read, offset, size - offset)) return true;
  for (let at = offset; at < size; at += WINDOW_BYTES) {
    if (read(at, WINDOW_BYTES).some((byte) => byte !== 0)) return false;
  }
  return true;
}
