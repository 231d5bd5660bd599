/**
 * Seeded randomness: the same seed gives the same workload on every machine, so that two runs differ only in what is
 * measured. Separate because the workload, the load generator and the queries all draw from it.
 *
 * Must stay true: nothing here allocates; a dozen words are drawn per span while the server is being measured.
 */

/** sfc32 (Chris Doty-Humphrey): 128 bits of state, passes PractRand, a few nanoseconds a draw. */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: number) {
    this.a = seed | 0;
    this.b = Math.imul(seed, 0x9e37_79b1);
    this.c = ~seed;
    for (let round = 0; round < 16; round++) this.uint32();
  }

  /** A signed 32-bit word of random bits. */
  uint32(): number {
    const word = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (this.c << 21) | (this.c >>> 11);
    this.c = (this.c + word) | 0;
    return word;
  }

  /** An integer from 0 up to, not including, `limit`; biased by less than limit / 2^32. */
  below(limit: number): number {
    return Math.floor(((this.uint32() >>> 0) / 0x1_0000_0000) * limit);
  }

  /** A number from 0 up to, not including, 1. */
  fraction(): number {
    return (this.uint32() >>> 0) / 0x1_0000_0000;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }

  /** `chosen` of the integers below `total`, each set equally likely. */
  subset(chosen: number, total: number): Set<number> {
    const picked = new Set<number>();
    while (picked.size < chosen) picked.add(this.below(total));
    return picked;
  }
}
