/**
 * The server's token key, and the secrets of static tokens, which are derived from it. So nothing secret is in the database,
 * and a secret can still be shown again to an administrator (ADR 0017).
 *
 * Must stay true: the key is in a file that only its owner can read and nowhere else. A secret is valid only as a whole: it is
 * made again and compared, and nothing that is read out of it is believed before.
 */

import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

const FILE = 'token-key';
const MAX_LENGTH = 1_024;
const SECRET_PATTERN = /^p\.([A-Za-z0-9_-]{1,900})\.[A-Za-z0-9_-]{43}$/u;

export class TokenKey {
  readonly #key: Buffer;

  private constructor(key: Buffer) {
    this.#key = key;
  }

  /** Takes the given key, or reads the file, or makes it. Throws `bad_request` for one that is no key. */
  static open({ dataDir, given, random }: TokenKeyOptions): TokenKey {
    if (given !== undefined) return new TokenKey(decoded(given, 'the configuration'));
    const path = join(dataDir, FILE);
    if (!existsSync(path)) writeOnce(dataDir, path, `${random(32).toString('hex')}\n`);
    return new TokenKey(decoded(readFileSync(path, 'utf8'), path));
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
