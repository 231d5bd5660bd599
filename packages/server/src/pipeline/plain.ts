/** The bytes of a body of events as they are read: without its coding, and without what may not be stored. */

import type { ContentCoding } from '@glasshouse/model';
import type { Source } from '@glasshouse/native';
import { decompress } from './decompress.ts';
import type { BodyRules } from './redactor.ts';

/** A body as it was received. */
export interface SentBody {
  readonly coding: ContentCoding;
  readonly buffer: ArrayBufferLike;
  readonly length: number;
  /** What is redacted before anything is read. */
  readonly rules?: BodyRules | undefined;
}

/** The bytes from `from` to `to`. Throws AppError: `bad_request` for a coding that cannot be undone, `too_large` over `maxBytes`. */
export function plainOf(
  { coding, buffer, rules }: SentBody,
  from: number,
  to: number,
  maxBytes: number,
): Source & { readonly bytes: Buffer } {
  if (coding === 'identity' && rules === undefined) {
    return { bytes: Buffer.from(buffer, from, to - from), view: new DataView(buffer, from) };
  }
  const sent = new Uint8Array(buffer, from, to - from);
  const plain = coding === 'identity' ? sent : decompress(coding, sent, maxBytes);
  const bytes = rules === undefined ? plain : rules.events(plain);
  return {
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
  };
}
