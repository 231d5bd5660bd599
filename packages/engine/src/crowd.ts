/**
 * How many run or wait beside one another, on average over the last moments. Separate from the places because what is there at an
 * instant says little under a load: a query that finds nobody is joined before it ends.
 *
 * Must stay true: one after the other, however fast, is no crowd.
 */

/** By then what was before counts a third. */
const MEMORY_MS = 1_000;

export class Crowd {
  readonly #now: () => number;
  #beside = 0;
  #mean = 0;
  #until: number;

  /** `now` in ms, never going back. */
  constructor(now: () => number) {
    this.#now = now;
    this.#until = now();
  }

  /** Takes down that from now on so many run or wait. */
  note(count: number): void {
    this.#mean = this.mean;
    this.#until = this.#now();
    this.#beside = Math.max(0, count - 1);
  }

  /** How many there were beside one. */
  get mean(): number {
    const kept = Math.exp((this.#until - this.#now()) / MEMORY_MS);
    return this.#beside + (this.#mean - this.#beside) * kept;
  }
}
