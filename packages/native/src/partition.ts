/**
 * How many rows of a block fall on each UTC day: the partitions that the engine will make of it. After a crash the drain
 * compares these numbers with what the table holds of a segment.
 *
 * Must stay true: the day is computed exactly as `toDate(timestamp)` does, to the nanosecond.
 */

const NANOSECONDS_PER_DAY = 86_400_000_000_000n;

export class DayCounter {
  private readonly counts = new Map<number, number>();
  private marked = new Map<number, number>();
  private day = -1;
  private run = 0;
  // The bounds of `day` as halves of 64-bit nanoseconds.
  private startHigh = 0;
  private startLow = 0;
  private endHigh = 0;
  private endLow = 0;

  /** Counts a row whose time in Unix nanoseconds is given as its two unsigned halves. */
  add(low: number, high: number): void {
    if (
      (high > this.startHigh || (high === this.startHigh && low >= this.startLow)) &&
      (high < this.endHigh || (high === this.endHigh && low < this.endLow))
    ) {
      this.run++;
      return;
    }
    this.settle();
    const day = ((BigInt(high) << 32n) | BigInt(low)) / NANOSECONDS_PER_DAY;
    const start = day * NANOSECONDS_PER_DAY;
    const end = start + NANOSECONDS_PER_DAY;
    this.day = Number(day);
    this.startHigh = Number(start >> 32n);
    this.startLow = Number(start & 0xffff_ffffn);
    this.endHigh = Number(end >> 32n);
    this.endLow = Number(end & 0xffff_ffffn);
    this.run = 1;
  }

  private settle(): void {
    if (this.run > 0) this.counts.set(this.day, (this.counts.get(this.day) ?? 0) + this.run);
    this.run = 0;
  }

  /** Rows by day, the day counted from 1970-01-01. */
  byDay(): ReadonlyMap<number, number> {
    this.settle();
    return this.counts;
  }

  /** Counts what another counted. */
  absorb(other: DayCounter): void {
    this.settle();
    for (const [day, count] of other.byDay()) this.counts.set(day, (this.counts.get(day) ?? 0) + count);
  }

  mark(): void {
    this.settle();
    this.marked = new Map(this.counts);
  }

  rollback(): void {
    this.run = 0;
    this.counts.clear();
    for (const [day, count] of this.marked) this.counts.set(day, count);
  }

  reset(): void {
    this.run = 0;
    this.counts.clear();
    this.marked.clear();
  }
}
