/**
 * A counted number of places with a bounded queue in front. Separate because three of these stand side by side (readers,
 * the owner's reads, the owner's writes): none can take another's places, so queries never hold up an insert.
 *
 * Must stay true: every place holds exactly one engine call at a time, hence at most one thread of the pool.
 */
import { Crowd } from './crowd.ts';
import { Exception } from './exception.ts';

/** A place, with the named pipe through which its results come. `release` is called once. */
export interface Slot {
  readonly fifo: string;
  release(): void;
}

interface Waiter {
  readonly give: (fifo: string) => void;
}

/** So few beside one, on average, that it is mostly alone. */
const NEGLIGIBLE = 0.125;

export class Slots {
  readonly #free: string[];
  readonly #waiting: Waiter[] = [];
  readonly #maxWaiting: number;
  readonly #name: string;
  readonly #crowd: Crowd;
  readonly size: number;

  /** `fifos`: one named pipe for each place. `now` in ms, never going back. */
  constructor(name: string, fifos: readonly string[], maxWaiting: number, now: () => number) {
    this.#crowd = new Crowd(now);
    this.#name = name;
    this.#free = [...fifos];
    this.#maxWaiting = maxWaiting;
    this.size = fifos.length;
  }

  get busy(): number {
    return this.size - this.#free.length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** How many of those who run or wait are to be reckoned with: as many as there are, or as there have been of late. */
  get expected(): number {
    return Math.max(this.busy + this.waiting, Math.ceil(1 + this.#crowd.mean - NEGLIGIBLE));
  }

  /**
   * Waits for a place in order of arrival.
   * @throws Exception 202 when the queue is full, 394 when `signal` aborts first.
   */
  async acquire(signal: AbortSignal): Promise<Slot> {
    if (signal.aborted) throw cancelled();
    const free = this.#free.pop();
    if (free !== undefined) {
      this.#note();
      return this.#slot(free);
    }
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new Exception(
        202,
        'TOO_MANY_SIMULTANEOUS_QUERIES',
        `Too many simultaneous queries: ${this.size} run and ${this.#waiting.length} wait for a ${this.#name} slot`,
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const waiter: Waiter = { give: resolve };
    const onAbort = (): void => {
      const index = this.#waiting.indexOf(waiter);
      if (index >= 0) this.#waiting.splice(index, 1);
      this.#note();
      reject(cancelled());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(waiter);
    this.#note();
    try {
      return this.#slot(await promise);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #slot(fifo: string): Slot {
    let released = false;
    return {
      fifo,
      release: () => {
        if (released) return;
        released = true;
        const waiter = this.#waiting.shift();
        if (waiter === undefined) this.#free.push(fifo);
        else waiter.give(fifo);
        this.#note();
      },
    };
  }

  #note(): void {
    this.#crowd.note(this.busy + this.waiting);
  }
}

function cancelled(): Exception {
  return new Exception(394, 'QUERY_WAS_CANCELLED', 'Query was cancelled before it started: the client went away');
}
