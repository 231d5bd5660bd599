/**
 * Keeps operations on one data source apart that would undo each other: a move of its rows and a copy into it, two moves, a
 * move and a truncation. Who comes second is told so, and not kept waiting for what may take hours.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { AppError } from '@glasshouse/model';

interface Held {
  /** What the operation is called: `a move of its rows`. */
  readonly what: string;
  readonly shared: boolean;
  count: number;
}

/** What an operation needs: keys, each once, of which nobody else has any. */
export interface Claim {
  readonly exclusive: readonly string[];
  /** What the operation is called. */
  readonly what: string;
  /** Keys that others have too, if they share them under the same name. */
  readonly shared: readonly string[];
  readonly sharedAs: string;
}

const ASK_EVERY_MS = 50;

/** The refusal of an operation because another one runs on the key. */
export class BusyError extends AppError {
  readonly key: string;
  /** What the other operation is called. */
  readonly what: string;

  constructor(wanted: string, key: string, what: string) {
    super('conflict', `cannot start ${wanted}: ${what} is under way; try again when it is done`);
    this.name = 'BusyError';
    this.key = key;
    this.what = what;
  }
}

export class Locks {
  private readonly held = new Map<string, Held>();
  private readonly counts = new Map<string, number>();
  /** What keeps everything else from beginning. */
  private closedFor: string | undefined;
  private idle: (() => void) | undefined;

  /** How many operations ran on the key so far: whether anything did since it was asked last. */
  count(key: string): number {
    return this.counts.get(key) ?? 0;
  }

  /**
   * Runs as soon as nothing is in the way, which is looked at again and again. Resolves with undefined if nobody wants it any more.
   */
  async patiently<T>(claim: () => Claim, isWanted: () => boolean, act: () => Promise<T>): Promise<T | undefined> {
    for (; isWanted(); await pause(ASK_EVERY_MS)) {
      const { exclusive, shared, what, sharedAs } = claim();
      const isFree =
        this.closedFor === undefined &&
        exclusive.every((key) => !this.held.has(key)) &&
        shared.every((key) => {
          const held = this.held.get(key);
          return held === undefined || (held.shared && held.what === sharedAs);
        });
      // Between the look and the taking of the keys nobody else runs.
      if (isFree) return this.exclusivelyAll(exclusive, what, () => this.sharingAll(shared, sharedAs, act));
    }
    return undefined;
  }

  /** Resolves when nothing runs on the key, or nobody waits for that any more. */
  async whenFree(key: string, isWanted: () => boolean): Promise<void> {
    while (this.held.has(key) && isWanted()) await pause(ASK_EVERY_MS);
  }

  /** Runs while nothing else runs on any of the keys. */
  exclusivelyAll<T>(keys: readonly string[], what: string, act: () => Promise<T>): Promise<T> {
    const [key, ...rest] = keys;
    if (key === undefined) return act();
    return this.exclusively(key, what, () => this.exclusivelyAll(rest, what, act));
  }

  /** Runs while nothing runs on any of the keys but others of the same name that share it. */
  sharingAll<T>(keys: readonly string[], what: string, act: () => Promise<T>): Promise<T> {
    const [key, ...rest] = keys;
    if (key === undefined) return act();
    return this.sharing(key, what, () => this.sharingAll(rest, what, act));
  }

  /** Runs while nothing else runs on the key. Rejects with `BusyError` at once if something does. */
  exclusively<T>(key: string, what: string, act: () => Promise<T>): Promise<T> {
    return this.run(key, { what, shared: false, count: 0 }, act);
  }

  /** Runs while nothing runs on the key but others of the same name that share it. Rejects with `BusyError` at once if something does. */
  sharing<T>(key: string, what: string, act: () => Promise<T>): Promise<T> {
    return this.run(key, { what, shared: true, count: 0 }, act);
  }

  /**
   * Lets nothing begin any more, and resolves when nothing runs, with what lets it begin again. Rejects with `conflict` if
   * something takes longer than `waitMs`, or has closed already.
   */
  async close(what: string, waitMs: number): Promise<() => void> {
    if (this.closedFor !== undefined)
      throw new AppError('conflict', `cannot start ${what}: ${this.closedFor} is under way; try again when it is done`);
    this.closedFor = what;
    const open = (): void => {
      this.closedFor = undefined;
    };
    let timer: NodeJS.Timeout | undefined;
    if (this.held.size > 0) {
      await new Promise<void>((resolve) => {
        this.idle = resolve;
        timer = setTimeout(resolve, waitMs);
      });
      clearTimeout(timer);
      this.idle = undefined;
    }
    const [running] = this.held.values();
    if (running === undefined) return open;
    open();
    throw new AppError(
      'conflict',
      `cannot start ${what}: ${running.what} is under way for longer than ${waitMs / 1000} s; try again when it is done`,
    );
  }

  private async run<T>(key: string, wanted: Held, act: () => Promise<T>): Promise<T> {
    const present = this.held.get(key);
    if (this.closedFor !== undefined) {
      throw new AppError(
        'unavailable',
        `cannot start ${wanted.what}: ${this.closedFor} is under way; try again when it is done`,
        { retryAfterSeconds: 5 },
      );
    }
    if (present !== undefined && !(present.shared && wanted.shared && present.what === wanted.what)) {
      throw new BusyError(wanted.what, key, present.what);
    }
    const held = present ?? wanted;
    this.held.set(key, held);
    held.count++;
    try {
      return await act();
    } finally {
      held.count--;
      this.counts.set(key, this.count(key) + 1);
      if (held.count === 0) this.held.delete(key);
      if (this.held.size === 0) this.idle?.();
    }
  }
}
