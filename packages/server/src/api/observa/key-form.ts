/**
 * What is kept of a key of Observa's SDK besides what every API key has, as the name of its record: which form its secret has, the
 * token that its events pass through, the pages that may send with it. So such keys are listed, cached and restored as all are.
 *
 * Must stay true: what was written is read as it was meant by every later version; a record that says something else is of a key
 * of another kind.
 */

import { AppError } from '@glasshouse/model';
import type { ApiKey } from '../../control/keys.ts';
import type { ParsedKey } from '../../control/secret.ts';

/** `jwt` says whose events it sends; `sk_` is for servers; `pk_` stands in pages, whose origin is asked. */
export type KeyKind = 'jwt' | 'pk_' | 'sk_';

/** A static token whose scopes the events of a key pass through. */
export interface BoundToken {
  readonly workspace: string;
  readonly tokenId: string;
}

export interface SdkKey extends ApiKey {
  readonly kind: KeyKind;
  /** What its maker called it; empty for a JWT. */
  readonly label: string;
  /** The events may be of either environment; else only of that of the key. */
  readonly isOfAnyEnvironment: boolean;
  /** Hosts of pages that may send with it, and with those below them; only for `pk_`. */
  readonly origins: readonly string[];
  /** Undefined if the events go into the tenant's own workspace. */
  readonly through: BoundToken | undefined;
}

export type KeyTraits = Pick<SdkKey, 'isOfAnyEnvironment' | 'kind' | 'label' | 'origins' | 'through'>;

const JWT_NAME = /^observa(?: (?<workspace>\S+) (?<tokenId>\S+))?$/u;
const PREFIXED_NAME = /^observa:(?<kind>[sp]k_) (?<environment>any|own) (?<origins>\S+) (?<label>.*)$/u;
const SECRET = /^[sp]k_(?<id>[a-z0-9]{12})_[A-Za-z0-9_-]{43}$/u;
const HOST = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?::\d{1,5})?$/u;
const MAX_ORIGINS = 20;
const MAX_HOST = 150;

export const MAX_LABEL = 100;

/** What the record of such a key is called. */
export function nameOf({ kind, label, isOfAnyEnvironment, origins, through }: KeyTraits): string {
  if (kind === 'jwt') return through === undefined ? 'observa' : `observa ${through.workspace} ${through.tokenId}`;
  const environment = isOfAnyEnvironment ? 'any' : 'own';
  return `observa:${kind} ${environment} ${origins.length === 0 ? '-' : origins.join(',')} ${label}`;
}

/** Undefined if the record is of a key of another kind. */
export function fromRecord(key: ApiKey): SdkKey | undefined {
  const jwt = JWT_NAME.exec(key.name);
  if (jwt !== null) {
    const { workspace, tokenId } = jwt.groups ?? {};
    const through = workspace === undefined || tokenId === undefined ? undefined : { workspace, tokenId };
    return { ...key, kind: 'jwt', label: '', isOfAnyEnvironment: false, origins: [], through };
  }
  const { kind, environment, origins = '', label = '' } = PREFIXED_NAME.exec(key.name)?.groups ?? {};
  if (kind !== 'sk_' && kind !== 'pk_') return undefined;
  const hosts = origins === '-' ? [] : origins.split(',');
  return { ...key, kind, label, isOfAnyEnvironment: environment === 'any', origins: hosts, through: undefined };
}

/** Takes an `sk_` or `pk_` secret apart; it is compared as a whole. Undefined if it is none. */
export function parsePrefixed(text: string): ParsedKey | undefined {
  const id = SECRET.exec(text)?.groups?.['id'];
  return id === undefined ? undefined : { id, secret: text };
}

/** Hosts of a list of origins (`https://app.example.com`) or hosts. Throws `bad_request`. */
export function readOrigins(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > MAX_ORIGINS)
    throw new AppError('bad_request', `cannot read allowedOrigins: it must be a list of at most ${MAX_ORIGINS}`);
  return (value as readonly unknown[]).map((each) => {
    const host = typeof each === 'string' ? hostOf(each) : undefined;
    if (host !== undefined) return host;
    throw new AppError(
      'bad_request',
      `cannot read allowedOrigins: ${JSON.stringify(each)?.slice(0, 80)} is none; give origins such as https://app.example.com`,
    );
  });
}

/** Whether a page may send with the key, by what its browser says of it: the page's host, or one above it, is allowed. */
export function allowsPage(
  { kind, origins }: Pick<SdkKey, 'kind' | 'origins'>,
  headers: { readonly origin?: string | undefined; readonly referer?: string | undefined },
): boolean {
  if (kind !== 'pk_') return true;
  const page = pageHost(headers.origin ?? headers.referer);
  return page !== undefined && origins.some((host) => page === host || page.endsWith(`.${host}`));
}

function hostOf(origin: string): string | undefined {
  const host = origin
    .trim()
    .toLowerCase()
    .replace(/^https?:\/\//u, '')
    .replace(/\/$/u, '');
  return host.length <= MAX_HOST && HOST.test(host) ? host : undefined;
}

function pageHost(address: string | undefined): string | undefined {
  try {
    return address === undefined ? undefined : new URL(address).host.toLowerCase();
  } catch {
    return undefined;
  }
}
