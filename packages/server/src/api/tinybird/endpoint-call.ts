/**
 * The parameters of a request to an endpoint: from the query string, a form, or a body of JSON, whatever the client says it sends.
 *
 * Must stay true: a parameter of the query string goes before one of the body. Whole numbers that JavaScript cannot hold keep
 * their digits.
 */

import { AppError } from '@glasshouse/model';
import type { CallValues } from '../../platform/endpoints-templates.ts';
import type { Exchange } from '../../http/router.ts';
import { checkJsonDepth } from '../json-depth.ts';
import { readUnpacked } from '../unpack.ts';

export interface EndpointCall extends CallValues {
  readonly repeated: ReadonlySet<string>;
  /** SQL over the result. */
  readonly over: string | undefined;
}

const MAX_BODY_BYTES = 4 << 20;
/** They are about the request and not for the pipe. */
const OWN: ReadonlySet<string> = new Set(['token', 'q', 'from', 'cli_version', '__tb__semver', 'release_replacements']);

/** Reads the request. Rejects with `bad_request`, `too_large`, `unsupported_media` or `cancelled`. */
export async function readCall({ request, query }: Pick<Exchange, 'query' | 'request'>): Promise<EndpointCall> {
  if (request.method !== 'POST') return callOf(query, '', '');
  const body = await readUnpacked(request, MAX_BODY_BYTES);
  return callOf(query, textOf(body), request.headers['content-type'] ?? '');
}

/** What a query string and a body say together. Throws `bad_request` for a body that claims to be JSON and is not. */
export function callOf(query: URLSearchParams, body: string, type: string): EndpointCall {
  const given = new Map<string, string[]>();
  collect(given, query);
  const json = jsonOf(body, type);
  if (json === undefined && body !== '') collect(given, new URLSearchParams(body.trim()));
  const over = given.get('q')?.[0] ?? json?.['q'];
  const values = new Map<string, unknown>();
  const repeated = new Set<string>();
  for (const [name, value] of Object.entries(json ?? {})) if (!OWN.has(name)) values.set(name, value);
  for (const [name, texts] of given) {
    if (OWN.has(name)) continue;
    values.set(name, texts.length === 1 ? texts[0] : texts);
    if (texts.length > 1) repeated.add(name);
  }
  return { values, repeated, over: typeof over === 'string' && over.trim() !== '' ? over : undefined };
}

function collect(given: Map<string, string[]>, pairs: URLSearchParams): void {
  for (const [name, value] of pairs) {
    const present = given.get(name);
    if (present === undefined) given.set(name, [value]);
    else present.push(value);
  }
}

function jsonOf(body: string, type: string): Readonly<Record<string, unknown>> | undefined {
  const claims = type.toLowerCase().startsWith('application/json');
  const trimmed = body.trim();
  if (trimmed === '' || (!claims && !trimmed.startsWith('{'))) return undefined;
  checkJsonDepth(trimmed);
  const value = parsed(trimmed);
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  if (!claims) return undefined;
  throw new AppError('bad_request', 'cannot read the body: it must be a JSON object, such as {"parameter": "value"}');
}

/** Undefined for what is no JSON. */
function parsed(text: string): unknown {
  const exactly = (_: string, value: unknown, context?: { readonly source?: string }): unknown => {
    const isInexact = typeof value === 'number' && !Number.isSafeInteger(value);
    const source = context?.source ?? '';
    return isInexact && /^-?\d{1,80}$/u.test(source) ? BigInt(source) : value;
  };
  try {
    return JSON.parse(text, exactly) as unknown;
  } catch {
    return undefined;
  }
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new AppError('bad_request', 'cannot read the body: it is not UTF-8', { cause });
  }
}
