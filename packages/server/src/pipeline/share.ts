/**
 * Which events belong to a share of them: by a hash of a field of the event, or of the whole line. For sources that are let in, or
 * mirrored, by percent.
 *
 * Must stay true: the same event is always chosen alike, by every server and in every version; and what is among a smaller share is
 * among a larger one.
 */

import { crc32 } from 'node:zlib';

export interface Share {
  /** From 0 to 100. */
  readonly percent: number;
  /** Field whose text decides, with dots between the names of nested ones; empty for the whole line. */
  readonly key: string;
}

/** Says of a line whether it is in the share; undefined if all are. */
export function chooser({ percent, key }: Share): ((line: Uint8Array) => boolean) | undefined {
  if (percent >= 100) return undefined;
  const limit = (percent / 100) * 2 ** 32;
  if (key === '') return (line) => placeOf(line) < limit;
  const path = key.split('.');
  return (line) => placeOf(valueAt(line, path) ?? line) < limit;
}

/** A number of 32 bits that spreads evenly: CRC-32, mixed by the end of MurmurHash3 (public domain). */
function placeOf(bytes: Uint8Array | string): number {
  let hash = crc32(bytes);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The text of a field; undefined if there is none that is a text, a number or a truth value. */
function valueAt(line: Uint8Array, path: readonly string[]): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.length).toString('utf8'));
  } catch {
    return undefined;
  }
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' ? value : undefined;
}
