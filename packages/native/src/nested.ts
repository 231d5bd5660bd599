/**
 * Columns of columns: arrays and maps. Elements are appended to the inner columns first, and then the row is closed, which
 * records the running end as its offset.
 */

import { invariant } from '@glasshouse/model';
import type { Column, Pieces } from './column.ts';

/** Cumulative offsets over inner columns that grow together. */
abstract class OffsetColumn implements Column {
  count = 0;
  protected readonly parts: readonly Column[];
  private readonly first: Column;
  /** 64-bit cumulative offsets; the upper halves stay zero, a block never holds 2^32 elements. */
  private offsets = new Uint32Array(128);
  private marked = 0;

  constructor(first: Column, others: readonly Column[]) {
    this.first = first;
    this.parts = [first, ...others];
  }

  /** Closes a row: the elements appended since the last row are its elements. */
  close(): void {
    if ((this.count + 1) * 2 > this.offsets.length) this.reserve(1);
    this.offsets[this.count++ * 2] = this.first.count;
  }

  /** Closes `times` rows of `length` elements each, which were appended already. */
  closeRun(length: number, times: number): void {
    this.reserve(times);
    let end = this.first.count - length * times;
    for (let row = 0; row < times; row++) {
      end += length;
      this.offsets[this.count++ * 2] = end;
    }
  }

  private reserve(rows: number): void {
    const needed = (this.count + rows) * 2;
    if (needed <= this.offsets.length) return;
    const larger = new Uint32Array(Math.max(needed, this.offsets.length * 2));
    larger.set(this.offsets.subarray(0, this.count * 2));
    this.offsets = larger;
  }

  absorb(other: Column): void {
    invariant(other instanceof OffsetColumn && other.parts.length === this.parts.length, 'columns of two types');
    const before = this.first.count;
    this.reserve(other.count);
    for (let row = 0; row < other.count; row++)
      this.offsets[this.count++ * 2] = before + (other.offsets[row * 2] as number);
    for (const [index, part] of this.parts.entries()) part.absorb(other.parts[index] as Column);
  }

  mark(): void {
    this.marked = this.count;
    for (const part of this.parts) part.mark();
  }

  rollback(): void {
    this.count = this.marked;
    for (const part of this.parts) part.rollback();
  }

  reset(): void {
    this.count = 0;
    this.marked = 0;
    for (const part of this.parts) part.reset();
  }

  writePrefix(out: Pieces): void {
    for (const part of this.parts) part.writePrefix(out);
  }

  writeData(out: Pieces): void {
    if (this.count > 0) out.push(new Uint8Array(this.offsets.buffer, 0, this.count * 8));
    for (const part of this.parts) part.writeData(out);
  }

  appendDefault(): void {
    this.close();
  }

  appendDefaults(values: number): void {
    this.closeRun(0, values);
  }

  isDefault(): boolean {
    return this.first.count === 0;
  }
}

/** Array(T). */
export class ArrayColumn<Item extends Column = Column> extends OffsetColumn {
  readonly items: Item;

  constructor(items: Item) {
    super(items, []);
    this.items = items;
  }
}

/** Map(K, V), which Native writes as Array(Tuple(K, V)). */
export class MapColumn<Key extends Column = Column, Value extends Column = Column> extends OffsetColumn {
  readonly keys: Key;
  readonly values: Value;

  constructor(keys: Key, values: Value) {
    super(keys, [values]);
    this.keys = keys;
    this.values = values;
  }
}
