/**
 * The server's token key, and the secrets of static tokens, which are derived from it. So nothing secret is in the database,
 * and a secret can still be shown again to an administrator (ADR 0017).
 *
 * Must stay true: the key is in files that only their owner can read and nowhere else: that of the data directory, and the one
 * of each backup, because the tokens of a backup are worth nothing without it. A secret is valid only as a whole: it is made
 * again and compared, and nothing that is read out of it is believed before.
 */

import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@glasshouse/model';
import type { RandomBytes } from '../control/secret.ts';

export interface TokenKeyOptions {
  readonly dataDir: string;
  /** From the configuration, 64 hex digits; nothing is written then. Servers that share a store need the same one. */
  readonly given?: string | undefined;
  readonly random: RandomBytes;
}

/** What of a token its secret depends on. */
export interface SecretParts {
  readonly tenant: string;
  readonly tokenId: string;
  /** Grows when the token is refreshed. */
  readonly generation: number;
}

/** What can be read out of a secret, before it is known to be one. */
export interface ClaimedSecret {
  readonly workspaceId: string;
  readonly tokenId: string;
}

/** Whether the tokens of a backup are valid here: with the key as it is, with that of the backup, or not. */
export type KeyMatch = 'same' | 'taken over' | 'other';

const FILE = 'token-key';
/** Tells keys apart; nothing follows from it. */
const PRINT_FILE = 'token-key-print';
/** The key of a backup, until its tables are in place. */
const STAGED_FILE = 'token-key.restoring';
const MAX_LENGTH = 1_024;
const SECRET_PATTERN = /^p\.([A-Za-z0-9_-]{1,900})\.[A-Za-z0-9_-]{43}$/u;

export class TokenKey {
  #key: Buffer;
  /** The data directory, if the key is kept there. */
  private readonly dataDir: string | undefined;

  private constructor(key: Buffer, dataDir: string | undefined) {
    this.#key = key;
    this.dataDir = dataDir;
  }

  /**
   * Takes the given key, or reads the file, or makes it. Throws `bad_request` for one that is no key. `isRestored` says that
   * the tables of a backup were put in place since: then its key counts.
   */
  static open({ dataDir, given, random }: TokenKeyOptions, isRestored = false): TokenKey {
    if (given !== undefined) return new TokenKey(decoded(given, 'the configuration'), undefined);
    const path = join(dataDir, FILE);
    if (!existsSync(path)) writeOnce(dataDir, path, `${random(32).toString('hex')}\n`);
    const key = new TokenKey(decoded(readFileSync(path, 'utf8'), path), dataDir);
    if (isRestored) key.takeStaged();
    else key.forgetStaged();
    return key;
  }

  /** Adds the key to a backup, if it is kept in the data directory. */
  saveTo(directory: string): void {
    writeFileSync(join(directory, PRINT_FILE), `${this.print}\n`, { mode: 0o600, flush: true });
    if (this.dataDir !== undefined) write(join(directory, FILE), this.#key);
  }

  /**
   * Says whether the tokens of a backup will be valid, and lays its key ready; `takeStaged` or `forgetStaged` must follow.
   * Throws `bad_request` for a file that is no key.
   */
  stage(directory: string): KeyMatch {
    const path = join(directory, FILE);
    if (existsSync(path)) {
      const key = decoded(readFileSync(path, 'utf8'), path);
      if (timingSafeEqual(key, this.#key)) return 'same';
      if (this.dataDir === undefined) return 'other';
      write(join(this.dataDir, STAGED_FILE), key);
      return 'taken over';
    }
    const print = join(directory, PRINT_FILE);
    return !existsSync(print) || readFileSync(print, 'utf8').trim() === this.print ? 'same' : 'other';
  }

  /** Uses the key that was laid ready, if one was, from now on. The former one stays in a file beside it. */
  takeStaged(): void {
    if (this.dataDir === undefined) return;
    const [path, staged] = [join(this.dataDir, FILE), join(this.dataDir, STAGED_FILE)];
    if (!existsSync(staged)) return;
    const key = decoded(readFileSync(staged, 'utf8'), staged);
    write(`${path}.replaced`, this.#key);
    renameSync(staged, path);
    this.#key = key;
  }

  forgetStaged(): void {
    if (this.dataDir !== undefined) rmSync(join(this.dataDir, STAGED_FILE), { force: true });
  }

  /** A key of 32 bytes for another purpose, from which this one does not follow. It is another one after a restore. */
  derived(purpose: string): Buffer {
    return createHmac('sha256', this.#key).update(`key for ${purpose}`).digest();
  }

  private get print(): string {
    return createHmac('sha256', this.#key).update('print').digest('hex').slice(0, 16);
  }

  /** The secret of a token, in the layout of Tinybird's: `p.`, what it is for, and the proof. */
  secretOf({ tenant, tokenId, generation }: SecretParts): string {
    const claims = { u: workspaceId(tenant), id: tokenId, host: 'glasshouse' };
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
    const proof = createHmac('sha256', this.#key)
      .update(JSON.stringify([tenant, tokenId, generation]))
      .digest();
    return `p.${payload}.${proof.toString('base64url')}`;
  }
}

/** Reads what a secret says about itself; undefined if the text has not the form of one. */
export function parseSecret(text: string): ClaimedSecret | undefined {
  const payload = text.length <= MAX_LENGTH ? SECRET_PATTERN.exec(text)?.[1] : undefined;
  if (payload === undefined) return undefined;
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as unknown;
    if (typeof claims !== 'object' || claims === null) return undefined;
    const { u, id } = claims as { readonly u?: unknown; readonly id?: unknown };
    return typeof u === 'string' && typeof id === 'string' ? { workspaceId: u, tokenId: id } : undefined;
  } catch {
    return undefined;
  }
}

/** Compares secrets without telling by its time how much was right. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'));
}

/** The id of a tenant's workspace: a UUID, because that is what clients take for one, made of the tenant's name. */
export function workspaceId(tenant: string): string {
  return uuidOf(`workspace ${tenant}`);
}

/** A UUID (RFC 9562, version 8) that is the same for the same text. */
export function uuidOf(text: string): string {
  const bytes = hash('sha256', text, 'buffer').subarray(0, 16);
  return formatUuid(bytes, 0x80);
}

/** A UUID (RFC 9562, version 4). */
export function randomUuid(random: RandomBytes): string {
  return formatUuid(random(16), 0x40);
}

function formatUuid(bytes: Uint8Array, version: number): string {
  const copy = Buffer.from(bytes);
  copy[6] = ((copy[6] as number) & 0x0f) | version;
  copy[8] = ((copy[8] as number) & 0x3f) | 0x80;
  const hex = copy.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function decoded(text: string, source: string): Buffer {
  const hex = text.trim();
  if (/^[0-9a-f]{64}$/iu.test(hex)) return Buffer.from(hex, 'hex');
  throw new AppError('bad_request', `cannot use the token key of ${source}: it must be 64 hex digits`);
}

/** The whole file appears at once, for its owner only. */
function write(path: string, key: Buffer): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${key.toString('hex')}\n`, { mode: 0o600, flush: true });
  renameSync(draft, path);
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
