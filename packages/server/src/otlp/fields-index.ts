/**
 * Where the fields of a small message are: for messages that are read in two passes, first the single fields in whatever
 * order they come, then the repeated ones.
 */

import type { Wire } from './wire.ts';
import { malformed } from './wire.ts';

const MAX_FIELD = 32;

export class FieldIndex {
  /** Position of the value of each field (behind its tag, and behind its length), or -1. The last one wins. */
  private readonly starts = new Int32Array(MAX_FIELD);
  private readonly ends = new Int32Array(MAX_FIELD);

  /** Indexes the message in `[pos, end)`. `name` is for the error. */
  read(wire: Wire, pos: number, end: number, name: string): void {
    this.starts.fill(-1);
    while (pos < end) {
      const tag = wire.varint(pos);
      const start = wire.pos;
      pos = wire.skip(tag, start, end);
      const field = tag >>> 3;
      if (field >= MAX_FIELD) continue;
      // For length-delimited fields `skip` leaves the position behind the length.
      this.starts[field] = (tag & 7) === 2 ? wire.pos : start;
      this.ends[field] = pos;
    }
    if (pos !== end) throw malformed(`${name} is cut off`);
  }

  has(field: number): boolean {
    return (this.starts[field] as number) >= 0;
  }

  start(field: number): number {
    return this.starts[field] as number;
  }

  end(field: number): number {
    return this.ends[field] as number;
  }

  /** Bytes of the field's value, 0 if it is absent. */
  length(field: number): number {
    return this.has(field) ? this.end(field) - this.start(field) : 0;
  }

  varint(wire: Wire, field: number): number {
    return this.has(field) ? wire.varint(this.start(field)) : 0;
  }

  /** A zigzag-encoded sint32. */
  sint32(wire: Wire, field: number): number {
    const raw = this.varint(wire, field);
    return (raw >>> 1) ^ -(raw & 1);
  }
}
