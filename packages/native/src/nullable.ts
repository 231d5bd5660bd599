/** Nullable(T) for fixed-width T: a byte per value that says whether it is missing, then all values. */

import { invariant } from '@glasshouse/model';
import type { Column, Pieces } from './column.ts';
import { FixedColumn } from './column.ts';

export class NullableColumn implements Column {
  readonly values: FixedColumn;
  private readonly missing = new FixedColumn(1);

  constructor(values: FixedColumn) {
    this.values = values;
  }

  get count(): number {
    return this.missing.count;
  }

  /** Appends a number as Float64. */
  appendFloat64(value: number): void {
    this.missing.appendUint8(0);
    this.values.appendFloat64(value);
  }

  /** Appends a whole number as UInt64. */
  appendUint64(value: number): void {
    this.missing.appendUint8(0);
    this.values.appendUint64(value);
  }

  /** Appends a whole number of 128 bits. */
  appendUint128(value: number | bigint): void {
    this.missing.appendUint8(0);
    this.values.appendUint128(value);
  }

  appendUint8(value: number): void {
    this.missing.appendUint8(0);
    this.values.appendUint8(value);
  }

  /** Appends NULL. */
  appendDefault(): void {
    this.missing.appendUint8(1);
    this.values.appendDefault();
  }

  appendDefaults(values: number): void {
    this.missing.fill(1, values);
    this.values.appendDefaults(values);
  }

  isDefault(): boolean {
    return this.missing.isFilledWith(1);
  }

  absorb(other: Column): void {
    invariant(other instanceof NullableColumn, 'columns of two types');
    this.missing.absorb(other.missing);
    this.values.absorb(other.values);
  }

  mark(): void {
    this.missing.mark();
    this.values.mark();
  }

  rollback(): void {
    this.missing.rollback();
    this.values.rollback();
  }

  reset(): void {
    this.missing.reset();
    this.values.reset();
  }

  writePrefix(): void {}

  writeData(out: Pieces): void {
    this.missing.writeData(out);
    this.values.writeData(out);
  }
}
