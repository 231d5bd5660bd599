/**
 * Where the fields of a small message are: for messages that are read in two passes, first the single fields in whatever
 * order they come, then the repeated ones.
 *
 * Must stay true: a known field number with a foreign wire type is an unknown field, so a position that is given out has as
 * many bytes behind it as its type needs.
 */

import type { Wire } from './wire.ts';
import { malformed } from './wire.ts';

/** Above the highest field number that is looked up. */
const MAX_FIELD = 16;
const MAX_TAG = MAX_FIELD << 3;

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;

export class FieldIndex {
  /** By tag: the position of the value (behind its length, where there is one), or -1. The last one wins. */
  private readonly starts = new Int32Array(MAX_TAG);
  private readonly ends = new Int32Array(MAX_TAG);

  /** Indexes the message in `[pos, end)`. `name` is for the error. */
  read(wire: Wire, pos: number, end: number, name: string): void {
    this.starts.fill(-1);
    while (pos < end) {
      const tag = wire.varint(pos);
      const start = wire.pos;
      pos = wire.skip(tag, start, end);
      if (tag >= MAX_TAG) continue;
      // For length-delimited fields `skip` leaves the position behind the length.
      this.starts[tag] = (tag & 7) === LENGTH_DELIMITED ? wire.pos : start;
      this.ends[tag] = pos;
    }
    if (pos !== end) throw malformed(`${name} is cut off`);
  }

  /** Where the value of a fixed64, sfixed64 or double field is, or -1. */
  fixed64At(field: number): number {
    return this.starts[(field << 3) | FIXED64] as number;
  }

  /** Where the value of a length-delimited field starts, or -1. */
  start(field: number): number {
    return this.starts[(field << 3) | LENGTH_DELIMITED] as number;
  }

  /** Where the value of a length-delimited field ends, if there is one. */
  end(field: number): number {
    return this.ends[(field << 3) | LENGTH_DELIMITED] as number;
  }

  /** Bytes of a length-delimited field's value, 0 if it is absent. */
  length(field: number): number {
    const start = this.start(field);
    return start < 0 ? 0 : this.end(field) - start;
  }

  /** The value of a varint field, 0 if it is absent. */
  varint(wire: Wire, field: number): number {
    const start = this.starts[(field << 3) | VARINT] as number;
    return start < 0 ? 0 : wire.varint(start);
  }

  /** The value of a sint32 field (zigzag), 0 if it is absent. */
  sint32(wire: Wire, field: number): number {
    const raw = this.varint(wire, field);
    return (raw >>> 1) ^ -(raw & 1);
  }
}
