/**
 * The admin token: the credential that exists before any other. It is given by configuration, or made at the first start
 * and kept in a file that only its owner can read.
 *
 * Must stay true: the token is in that file and nowhere else; this object holds its hash.
 */

import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@glasshouse/model';
import type { RandomBytes } from './secret.ts';
import { hashSecret, sameHash } from './secret.ts';

export interface AdminTokenOptions {
  readonly dataDir: string;
  /** From the configuration; nothing is written then. */
  readonly given: string | undefined;
  readonly random: RandomBytes;
}

const MIN_LENGTH = 16;

export class AdminToken {
  /** Where the token can be read, or undefined if the configuration gave it. */
  readonly path: string | undefined;
  private readonly hash: Buffer;

  private constructor(token: string, path: string | undefined) {
    this.hash = hashSecret(token);
    this.path = path;
  }

  /** Takes the given token, or reads the file, or makes it. Rejects with `bad_request` for a token that is too short. */
  static open(options: AdminTokenOptions): AdminToken {
    const { dataDir, given, random } = options;
    if (given !== undefined) return new AdminToken(checked(given.trim(), 'GLASSHOUSE_ADMIN_TOKEN'), undefined);
    const path = join(dataDir, 'admin-token');
    if (!existsSync(path)) writeOnce(dataDir, path, `gha_${random(32).toString('base64url')}\n`);
    return new AdminToken(checked(readFileSync(path, 'utf8').trim(), path), path);
  }

  matches(secret: string): boolean {
    return sameHash(hashSecret(secret), this.hash);
  }
}

/** The whole file appears at once, and the first of two writers wins. */
function writeOnce(dataDir: string, path: string, content: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, content, { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function checked(token: string, source: string): string {
  if (token.length >= MIN_LENGTH) return token;
  throw new AppError(
    'bad_request',
    `cannot use the admin token of ${source}: it is shorter than ${MIN_LENGTH} characters`,
  );
}
