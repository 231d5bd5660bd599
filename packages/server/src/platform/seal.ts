/**
 * Sealing of secrets that are stored (AES-256-GCM), each bound to what it belongs to, so that nobody can put it in the place of another.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { RandomBytes } from '../control/secret.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Nonce, ciphertext and tag, in Base64. */
export function seal(value: string, owner: string, key: Uint8Array, random: RandomBytes): string {
  const nonce = random(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(owner));
  return Buffer.concat([nonce, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

/** The value; undefined if it was sealed with another key, or for another owner. */
export function unseal(sealed: string, owner: string, key: Uint8Array): string | undefined {
  try {
    const bytes = Buffer.from(sealed, 'base64');
    const [nonce, text, tag] = [
      bytes.subarray(0, NONCE_BYTES),
      bytes.subarray(NONCE_BYTES, -TAG_BYTES),
      bytes.subarray(-TAG_BYTES),
    ];
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(owner));
    decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
