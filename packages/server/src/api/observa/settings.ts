/** What the routes of keys and accounts have in common: their bodies, and who is let in without being asked. */

import { AppError } from '@glasshouse/model';
import { readBody } from '../../http/body.ts';
import { credentialOf } from '../../http/credential.ts';
import type { Exchange } from '../../http/router.ts';
import type { Fields } from './form.ts';
import { isFields } from './form.ts';

const MAX_BODY_BYTES = 64 << 10;
const DAY_MS = 86_400_000;
const MAX_DAYS = 3_650;
const DEFAULT_OVERLAP_SECONDS = 86_400;
const MAX_OVERLAP_SECONDS = 30 * 86_400;

/**
 * Whether nobody is asked who they are: without authentication, where only this machine is answered. Throws `unsupported_media` for
 * what a page of another site could have a browser send.
 */
export function isAnybody({ request }: Exchange, { isOpen }: { readonly isOpen: boolean }): boolean {
  if (!isOpen || credentialOf(request.headers) !== undefined) return false;
  demandJson(request);
  return true;
}

/** Throws `unsupported_media` unless the body says that it is JSON, which no page can say of a body to another site unasked. */
export function demandJson({ method, headers }: Exchange['request']): void {
  if (method !== 'POST' || /^application\/json\b/iu.test(headers['content-type'] ?? '')) return;
  throw new AppError('unsupported_media', 'cannot read the body: send it as Content-Type: application/json');
}

/** The body as a JSON object, empty for none. Rejects with `bad_request`. */
export async function readFields({ request }: Exchange): Promise<Fields> {
  const body = await readBody(request, MAX_BODY_BYTES);
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new AppError('bad_request', 'cannot read the body: it is not JSON', { cause });
  }
  if (isFields(value)) return value;
  throw new AppError('bad_request', 'cannot read the body: it must be a JSON object');
}

/** `expiresInDays` in ms; undefined if it is not said. */
export function lifeMsOf(fields: Fields): number | undefined {
  const days = numberOf(fields, 'expiresInDays', 1e-6, MAX_DAYS);
  return days === undefined ? undefined : days * DAY_MS;
}

/** `overlapSeconds` in ms. */
export function overlapMsOf(fields: Fields): number {
  return (numberOf(fields, 'overlapSeconds', 0, MAX_OVERLAP_SECONDS) ?? DEFAULT_OVERLAP_SECONDS) * 1000;
}

function numberOf(fields: Fields, name: string, min: number, max: number): number | undefined {
  const value = fields[name] ?? undefined;
  if (value === undefined || (typeof value === 'number' && value >= min && value <= max)) return value;
  throw new AppError('bad_request', `cannot read ${name}: it must be a number, at most ${max}`);
}
