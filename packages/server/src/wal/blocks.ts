/**
 * The blocks of a segment, for whoever reads the log besides the store.
 *
 * Must stay true: a block is given only if every bit of its frame is as it was written. What is no intact frame is left out: the drain
 * has judged that before.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { scanFrames } from './scan.ts';

/** Calls `visit` with each block of the file, in Native format, in order. */
export function eachBlock(path: string, segment: bigint, visit: (block: Uint8Array) => void): void {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    let buffer = new Uint8Array(1 << 20);
    const read = (position: number, length: number): Uint8Array => {
      const wanted = Math.min(length, size - position);
      if (buffer.length < wanted) buffer = new Uint8Array(wanted);
      return buffer.subarray(0, readSync(fd, buffer, 0, wanted, position));
    };
    for (const { offset, length } of scanFrames(read, size, segment).frames) visit(gunzipSync(read(offset, length)));
  } finally {
    closeSync(fd);
  }
}
