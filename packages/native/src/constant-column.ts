import { invariant } from '@glasshouse/model';
import type { Column, Pieces } from './column.ts';
import { INDEX_FLAGS, PREFIX } from './low-cardinality.ts';

/** LowCardinality(UInt64) with one value for the whole block: the id of the WAL segment. */
export class ConstantColumn implements Column {
  count = 0;
  private value = 0n;
  private indexes = new Uint8Array(256);
  private marked = 0;

  mark(): void {
    this.marked = this.count;
  }

  rollback(): void {
    this.count = this.marked;
  }

  reset(): void {
    this.count = 0;
    this.marked = 0;
  }

  /** The value of every row of the block that is written next. */
  set(value: bigint): void {
    this.value = value;
  }

  repeat(times: number): void {
    this.count += times;
  }

  appendDefault(): void {
    this.count++;
  }

  appendDefaults(values: number): void {
    this.count += values;
  }

  /** Its rows are known by it. */
  isDefault(): boolean {
    return false;
  }

  absorb(other: Column): void {
    invariant(other instanceof ConstantColumn, 'columns of two types');
    this.count += other.count;
  }

  writePrefix(out: Pieces): void {
    out.push(PREFIX);
  }

  writeData(out: Pieces): void {
    if (this.count === 0) return;
    if (this.indexes.length < this.count) this.indexes = new Uint8Array(this.count * 2);
    const head = new DataView(new ArrayBuffer(32));
    head.setBigUint64(0, BigInt(INDEX_FLAGS), true);
    head.setBigUint64(8, 1n, true);
    head.setBigUint64(16, this.value, true);
    head.setBigUint64(24, BigInt(this.count), true);
    out.push(new Uint8Array(head.buffer), this.indexes.subarray(0, this.count));
  }
}
