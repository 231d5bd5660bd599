/**
 * Answers of endpoints that may be used again for some seconds. Small ones only, and of bounded size together.
 *
 * Must stay true: the key holds everything that an answer depends on, but for the data and the time; the filters and parameters of
 * a token are in the statement. An answer is never used after its time.
 */

import { createHash } from 'node:crypto';

export interface KeptAnswer {
  readonly body: Buffer;
  readonly format: string;
  readonly contentType: string | undefined;
  readonly rows: number | undefined;
}

export interface AnswerCacheOptions {
  readonly now: () => number;
  readonly maxBytes?: number;
  /** Larger answers are not kept. */
  readonly maxAnswerBytes?: number;
}

interface Kept {
  readonly answer: KeptAnswer;
  readonly until: number;
}

const MAX_BYTES = 32 << 20;
const MAX_ANSWER_BYTES = 1 << 20;
/** What an entry takes beside its body, roughly. */
const OVERHEAD_BYTES = 512;
const MAX_SECONDS = 86_400;

export class AnswerCache {
  readonly maxAnswerBytes: number;
  private readonly maxBytes: number;
  private readonly now: () => number;
  /** The one that was used the longest ago is the first. */
  private readonly kept = new Map<string, Kept>();
  private bytes = 0;

  constructor({ now, maxBytes = MAX_BYTES, maxAnswerBytes = MAX_ANSWER_BYTES }: AnswerCacheOptions) {
    this.now = now;
    this.maxBytes = maxBytes;
    this.maxAnswerBytes = maxAnswerBytes;
  }

  /** Bytes that are kept. */
  get size(): number {
    return this.bytes;
  }

  /** The key of a statement of a tenant with everything around it that changes the answer. */
  keyOf(tenant: string, sql: string, rest: unknown): string {
    return createHash('sha256')
      .update(JSON.stringify([tenant, sql, rest]))
      .digest('base64');
  }

  get(key: string): KeptAnswer | undefined {
    const found = this.kept.get(key);
    if (found === undefined) return undefined;
    this.remove(key, found);
    if (found.until <= this.now()) return undefined;
    this.insert(key, found);
    return found.answer;
  }

  /** Keeps an answer for so many seconds, unless it is too large. */
  put(key: string, answer: KeptAnswer, seconds: number): void {
    const former = this.kept.get(key);
    if (former !== undefined) this.remove(key, former);
    if (seconds <= 0 || answer.body.length > this.maxAnswerBytes) return;
    this.insert(key, { answer, until: this.now() + Math.min(seconds, MAX_SECONDS) * 1000 });
    for (const [oldest, kept] of this.kept) {
      if (this.bytes <= this.maxBytes) return;
      this.remove(oldest, kept);
    }
  }

  private insert(key: string, kept: Kept): void {
    this.kept.set(key, kept);
    this.bytes += kept.answer.body.length + OVERHEAD_BYTES;
  }

  private remove(key: string, kept: Kept): void {
    this.kept.delete(key);
    this.bytes -= kept.answer.body.length + OVERHEAD_BYTES;
  }
}
