/**
 * Passwords as they are kept: scrypt with a salt of their own, and the parameters beside it, so that stronger ones can follow
 * without anybody's being locked out. Separate because nothing else may know how.
 *
 * Must stay true: a comparison takes the same time whatever is wrong, also for an account that is not there. At most a few are
 * computed at once, so that a flood of logins costs neither the memory nor the processors of the server.
 */

import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { AppError } from '@glasshouse/model';
import type { RandomBytes } from './secret.ts';

/**
 * Of the parameters that OWASP's cheat sheet on password storage names as equal (N = 2^17, p = 1 down to N = 2^13, p = 10) those
 * that take 32 MiB: N = 2^15, r = 8, p = 3.
 */
const LOG_COST = 15;
const BLOCK = 8;
const PARALLEL = 3;
const MAX_MEMORY_BYTES = 64 << 20;
const HASH_BYTES = 32;
const SALT_BYTES = 16;
const AT_ONCE = 2;
const MAX_WAITING = 32;
const FORM = /^scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/u;

interface Kept {
  readonly logCost: number;
  readonly block: number;
  readonly parallel: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

export class Passwords {
  private readonly random: RandomBytes;
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(random: RandomBytes = randomBytes) {
    this.random = random;
  }

  /** What is kept of a password. Rejects with `rate_limited` while too many are computed. */
  async hash(password: string): Promise<string> {
    const kept = { logCost: LOG_COST, block: BLOCK, parallel: PARALLEL, salt: this.random(SALT_BYTES) };
    const hash = await this.compute(password, kept);
    return ['scrypt', LOG_COST, BLOCK, PARALLEL, kept.salt.toString('base64url'), hash.toString('base64url')].join('$');
  }

  /** Whether this is the password; false, after the same work, if there is none. Rejects as `hash` does. */
  async matches(password: string, kept: string | undefined): Promise<boolean> {
    const known = kept === undefined ? undefined : parsed(kept);
    const nobody = { logCost: LOG_COST, block: BLOCK, parallel: PARALLEL, salt: Buffer.alloc(SALT_BYTES) };
    const hash = await this.compute(password, known ?? nobody);
    return timingSafeEqual(hash, known?.hash ?? Buffer.alloc(HASH_BYTES)) && known !== undefined;
  }

  private async compute(password: string, { logCost, block, parallel, salt }: Omit<Kept, 'hash'>): Promise<Buffer> {
    await this.enter();
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        const cost = { N: 2 ** logCost, r: block, p: parallel, maxmem: MAX_MEMORY_BYTES };
        // Texts that look the same are the same password, however a keyboard composes them.
        scrypt(password.normalize('NFKC'), salt, HASH_BYTES, cost, (error, hash) => {
          if (error === null) resolve(hash);
          else reject(error);
        });
      });
    } finally {
      this.running--;
      this.waiting.shift()?.();
    }
  }

  private async enter(): Promise<void> {
    if (this.running >= AT_ONCE) {
      if (this.waiting.length >= MAX_WAITING)
        throw new AppError('rate_limited', 'cannot check the password: too many are being checked; try again', {
          retryAfterSeconds: 5,
        });
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    this.running++;
  }
}

function parsed(text: string): Kept | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, logCost, block, parallel, salt = '', hash = ''] = match;
  return {
    ...{ logCost: Number(logCost), block: Number(block), parallel: Number(parallel) },
    ...{ salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') },
  };
}
