/**
 * What became of requests: a sender that asked to wait is told how many of its events are in the table and how many in the
 * quarantine, once the segment of the log that holds them was handed over.
 */

/** How many events of a request ended where. */
export interface Outcome {
  readonly successful: number;
  readonly quarantined: number;
}

interface Waiting {
  readonly importId: string;
  readonly rows: number;
  readonly resolve: (outcome: Outcome) => void;
}

/** Segments whose end is remembered, for requests that ask right after it. */
const REMEMBERED = 64;

export class Outcomes {
  private readonly waiting = new Map<bigint, Waiting[]>();
  /** Quarantined events by request, of segments that were handed over lately. */
  private readonly settled = new Map<bigint, ReadonlyMap<string, number>>();

  /** Resolves when the segment was handed over; with undefined when that takes longer than `timeoutMs`. */
  of(segment: bigint, importId: string, rows: number, timeoutMs: number): Promise<Outcome | undefined> {
    const quarantined = this.settled.get(segment);
    if (quarantined !== undefined) return Promise.resolve(outcomeOf(rows, quarantined.get(importId)));
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        const others = (this.waiting.get(segment) ?? []).filter((one) => one !== waiting);
        if (others.length === 0) this.waiting.delete(segment);
        else this.waiting.set(segment, others);
        resolve(undefined);
      }, timeoutMs);
      const waiting: Waiting = {
        importId,
        rows,
        resolve: (outcome) => {
          clearTimeout(timer);
          resolve(outcome);
        },
      };
      this.waiting.set(segment, [...(this.waiting.get(segment) ?? []), waiting]);
    });
  }

  /** Tells everybody who waits for the segment. */
  settle(segment: bigint, quarantined: ReadonlyMap<string, number>): void {
    this.settled.set(segment, quarantined);
    for (const old of [...this.settled.keys()].slice(0, -REMEMBERED)) this.settled.delete(old);
    for (const { importId, rows, resolve } of this.waiting.get(segment) ?? []) {
      resolve(outcomeOf(rows, quarantined.get(importId)));
    }
    this.waiting.delete(segment);
  }
}

function outcomeOf(rows: number, quarantined = 0): Outcome {
  return { successful: rows - quarantined, quarantined };
}
