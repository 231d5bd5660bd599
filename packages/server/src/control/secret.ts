/**
 * What an API key looks like and how a secret is compared. Separate so that making, storing and checking agree.
 *
 * Must stay true: only the hash of a secret is ever kept, and a comparison takes the same time whatever is wrong.
 */

import { createHash, timingSafeEqual } from 'node:crypto';

/** Random bytes, as `crypto.randomBytes` gives them. */
export type RandomBytes = (size: number) => Buffer;

/** The parts of `gh_<id>_<secret>`: the id is public, the secret is 32 random bytes. */
export interface ParsedKey {
  readonly id: string;
  readonly secret: string;
}

const ID_LENGTH = 12;
const ID_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';
const KEY_PATTERN = /^gh_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/u;

/** Takes a key apart; undefined if the text isn't one. */
export function parseKey(text: string): ParsedKey | undefined {
  const match = KEY_PATTERN.exec(text);
  return match === null ? undefined : { id: match[1] as string, secret: match[2] as string };
}

/** Makes a new key. */
export function makeKey(random: RandomBytes): { readonly id: string; readonly key: string; readonly hash: Buffer } {
  const id = [...random(ID_LENGTH)].map((byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join('');
  const secret = random(32).toString('base64url');
  return { id, key: `gh_${id}_${secret}`, hash: hashSecret(secret) };
}

/** SHA-256. A fast hash is enough here: the secret is 256 random bits, so there is nothing to guess. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Compares hashes without telling by its time how much was right. */
export function sameHash(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
