/**
 * Buffers for request bodies, kept between requests so that a steady load allocates none. They are shared with the worker,
 * which learns of each once: handing them to and fro would make both threads' garbage collectors count them again and again.
 *
 * Must stay true: only one side touches a buffer at a time; what is lent is counted, because that is the memory that senders
 * can make us use.
 */

import { BODY_SLACK } from '../otlp/wire.ts';
import type { BodyBuffer } from './sink.ts';

const SMALLEST_BYTES = 64 << 10;
/** Free buffers kept in all; more go to the garbage collector. */
const MAX_FREE_BYTES = 32 << 20;

export class Bodies {
  private readonly free = new Map<number, BodyBuffer[]>();
  private readonly onDrop: (id: number) => void;
  private freeBytes = 0;
  private nextId = 1;
  /** Bytes of the buffers that are lent at present. */
  lentBytes = 0;

  /** `onDrop` is told of buffers that will not be lent again. */
  constructor(onDrop: (id: number) => void) {
    this.onDrop = onDrop;
  }

  /** A buffer for up to `bytes`, rounded up to a power of two so that it can be used again. */
  lend(bytes: number): BodyBuffer {
    const size = sizeFor(bytes);
    this.lentBytes += size;
    const kept = this.free.get(size)?.pop();
    if (kept === undefined) return { id: this.nextId++, buffer: new SharedArrayBuffer(size), length: 0 };
    this.freeBytes -= size;
    kept.length = 0;
    return kept;
  }

  giveBack(body: BodyBuffer): void {
    const size = body.buffer.byteLength;
    this.lentBytes -= size;
    if (this.freeBytes + size > MAX_FREE_BYTES) {
      this.onDrop(body.id);
      return;
    }
    this.freeBytes += size;
    const list = this.free.get(size);
    if (list === undefined) this.free.set(size, [body]);
    else list.push(body);
  }
}

function sizeFor(bytes: number): number {
  let size = SMALLEST_BYTES;
  while (size < bytes + BODY_SLACK) size *= 2;
  return size;
}
