/**
 * Values of a row on their way into columns, as they are quickest to pass on: texts that are still bytes of the request, times as
 * numbers, amounts as whole numbers. Separate from the values of a row (`parse.ts`), which they become with `plainValues`.
 *
 * Must stay true: they are there until the next record is read. Who keeps them for longer takes `keptValues`.
 */

import { MAPPED_COLUMNS } from './columns.ts';
import type { RowValue } from './parse.ts';

/** Bytes of a request, and a view on the same memory. */
export interface ByteSource {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

const NO_SOURCE: ByteSource = { bytes: new Uint8Array(), view: new DataView(new ArrayBuffer(0)) };

/** A text that is `source[start, end)` in UTF-8; what is none in it is U+FFFD. */
export class TextRange {
  source = NO_SOURCE;
  start = 0;
  end = 0;

  /** Whether the text has more letters than this. */
  isLongerThan(length: number): boolean {
    const { bytes } = this.source;
    let plain = 0;
    for (let at = this.start; at < this.end; at++) if ((bytes[at] as number) < 0x80 && ++plain > length) return true;
    return this.end - this.start > length && this.toString().length > length;
  }

  toString(): string {
    const { buffer, byteOffset } = this.source.bytes;
    return Buffer.from(buffer, byteOffset + this.start, this.end - this.start).toString('utf8');
  }
}

/** A time in nanoseconds since 1970, by its seconds and what is left. */
export class Instant {
  seconds = 0;
  nanoseconds = 0;

  toString(): string {
    const digits = `${this.seconds}${String(this.nanoseconds).padStart(9, '0')}`;
    return this.seconds < 10 ? BigInt(digits).toString() : digits;
  }
}

/** A number where a row has an amount is one of 1e-12 dollars. */
export type PackedValue = RowValue | TextRange | Instant;

/** In the order of the columns that a dialect may fill (`MAPPED_COLUMNS`). */
export type PackedValues = readonly PackedValue[];

/** A copy that stays as long as the bytes of the request do. */
export function keptValues(values: PackedValues): PackedValues {
  return values.map((value) =>
    value instanceof TextRange
      ? Object.assign(new TextRange(), value)
      : value instanceof Instant
        ? Object.assign(new Instant(), value)
        : value,
  );
}

const IS_MONEY = MAPPED_COLUMNS.map(({ kind }) => kind === 'money');

/** The values of the row. */
export function plainValues(values: PackedValues): readonly RowValue[] {
  return values.map((value, place) => {
    const isPlain = typeof value !== 'object' || value === null;
    return isPlain && !(IS_MONEY[place] === true && typeof value === 'number') ? value : String(value);
  });
}
