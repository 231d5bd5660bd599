/**
 * Buffers for request bodies, kept between requests so that a steady load allocates none. A buffer is lent, transferred to
 * the worker with the body in it, and comes back with the answer.
 *
 * Must stay true: what is lent is counted, because that is the memory that senders can make us use.
 */

import { BODY_SLACK } from '../otlp/wire.ts';
import type { BodyBuffer } from './sink.ts';

const SMALLEST_BYTES = 64 << 10;
/** Free buffers kept in all; more go to the garbage collector. */
const MAX_FREE_BYTES = 32 << 20;

export class Bodies {
  private readonly free = new Map<number, ArrayBuffer[]>();
  private freeBytes = 0;
  /** Bytes of the buffers that are lent at present. */
  lentBytes = 0;

  /** A buffer for up to `bytes`, rounded up to a power of two so that it can be used again. */
  lend(bytes: number): BodyBuffer {
    const size = sizeFor(bytes);
    this.lentBytes += size;
    const kept = this.free.get(size)?.pop();
    if (kept !== undefined) this.freeBytes -= size;
    return { buffer: kept ?? new ArrayBuffer(size), length: 0 };
  }

  /** Counts a lent buffer as gone that will not come back. */
  forget(bytes: number): void {
    this.lentBytes -= bytes;
  }

  giveBack(buffer: ArrayBuffer): void {
    const size = buffer.byteLength;
    this.lentBytes -= size;
    if (this.freeBytes + size > MAX_FREE_BYTES) return;
    this.freeBytes += size;
    const list = this.free.get(size);
    if (list === undefined) this.free.set(size, [buffer]);
    else list.push(buffer);
  }
}

function sizeFor(bytes: number): number {
  let size = SMALLEST_BYTES;
  while (size < bytes + BODY_SLACK) size *= 2;
  return size;
}
