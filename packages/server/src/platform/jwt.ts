/**
 * JSON Web Tokens of a workspace: HS256 over the workspace's admin token, with the claims that Tinybird's clients write
 * (https://www.tinybird.co/docs/forward/administration/tokens/jwt). Made here for those who ask, and more often made by a
 * client's own server.
 *
 * Must stay true: nothing of a token is believed before its signature was checked, with one algorithm and no other.
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import { AppError, messageOf } from '@glasshouse/model';
import type { TokenScope } from './scopes.ts';
import { checkScope } from './scopes.ts';

/** What a JWT says, once it is believed. */
export interface JwtClaims {
  readonly workspaceId: string;
  readonly name: string;
  /** Seconds since 1970. */
  readonly expiresAt: number;
  readonly scopes: readonly TokenScope[];
  /** Requests per second. */
  readonly rps: number | undefined;
}

export interface NewJwt {
  readonly workspaceId: string;
  readonly name: string;
  /** Seconds since 1970. */
  readonly expiresAt: number;
  readonly issuedAt: number;
  readonly scopes: readonly TokenScope[];
  readonly rps?: number | undefined;
}

/** Clocks of the client's server and of this one may differ by so much, in seconds. */
const LEEWAY_SECONDS = 5;
const MAX_LENGTH = 16_384;
const MAX_SCOPES = 1_000;
const FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/u;

/** True if the text may be a JWT: three parts, of which the first is a JSON object. */
export function looksLikeJwt(text: string): boolean {
  return text.startsWith('eyJ') && text.length <= MAX_LENGTH && FORM.test(text);
}

/** Makes a JWT that whoever holds `secret` can check. */
export function signJwt(jwt: NewJwt, secret: string): string {
  const payload = {
    workspace_id: jwt.workspaceId,
    name: jwt.name,
    exp: jwt.expiresAt,
    iat: jwt.issuedAt,
    scopes: jwt.scopes.map(({ type, resource, filter, fixedParams }) => ({
      type,
      resource,
      ...(filter === undefined ? {} : { filter }),
      ...(fixedParams === undefined ? {} : { fixed_params: fixedParams }),
    })),
    ...(jwt.rps === undefined ? {} : { limits: { rps: jwt.rps } }),
  };
  return signClaims(payload, secret);
}

/** Makes a JWT of any claims. */
export function signClaims(claims: object, secret: string): string {
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${text}.${signatureOf(text, secret)}`;
}

/** The workspace that a JWT claims to be of, to find the secret by; undefined if it is none. To be believed only after `verifyJwt`. */
export function claimedWorkspace(text: string): string | undefined {
  return claimed(text, 'workspace_id');
}

/** What a JWT says in a claim that is a text; undefined if it says none. To be believed only after its signature was checked. */
export function claimed(text: string, claim: string): string | undefined {
  const payload = looksLikeJwt(text) ? decode(text.split('.')[1]) : undefined;
  const value = payload?.[claim];
  return typeof value === 'string' ? value : undefined;
}

/**
 * Checks a JWT against the secrets that may have signed it, at a time in seconds since 1970. Throws `unauthenticated`, without
 * saying what would have been right.
 */
export function verifyJwt(text: string, secrets: readonly string[], nowSeconds: number): JwtClaims {
  return checked(verifyClaims(text, secrets), nowSeconds);
}

/** The claims of a JWT that one of the secrets has signed; none of them is checked. Throws `unauthenticated`. */
export function verifyClaims(text: string, secrets: readonly string[]): Fields {
  const [header, payload, signature] = looksLikeJwt(text) ? text.split('.') : [];
  const head = decode(header);
  if (head === undefined || payload === undefined || signature === undefined) throw refused('it is not a JWT');
  if (head['alg'] !== 'HS256') throw refused('its algorithm must be HS256');
  if (head['crit'] !== undefined) throw refused('it has critical headers that are not known here');
  // As text: several texts decode to the same bytes, and only one of them was signed.
  const given = Buffer.from(signature);
  const signed = secrets.some((secret) => {
    const expected = Buffer.from(signatureOf(`${header}.${payload}`, secret));
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!signed) throw refused('its signature is not that of the workspace admin token');
  const claims = decode(payload);
  if (claims === undefined) throw refused('its payload is not a JSON object');
  return claims;
}

type Fields = Readonly<Record<string, unknown>>;

function checked(claims: Fields, nowSeconds: number): JwtClaims {
  const { workspace_id: workspaceId, name, exp, nbf, iat, scopes, limits } = claims;
  if (typeof workspaceId !== 'string') throw refused('it has no workspace_id');
  if (typeof name !== 'string' || name === '') throw refused('it has no name');
  if (!isTime(exp)) throw refused('it has no exp, the time in seconds at which it expires');
  if (exp + LEEWAY_SECONDS <= nowSeconds) throw refused(`it expired on ${dateOf(exp)}`);
  for (const from of [nbf, iat]) {
    if (from === undefined) continue;
    if (!isTime(from)) throw refused('its nbf or iat is no time in seconds');
    if (from - LEEWAY_SECONDS > nowSeconds) throw refused(`it is not valid before ${dateOf(from)}`);
  }
  if (!Array.isArray(scopes) || scopes.length === 0 || scopes.length > MAX_SCOPES)
    throw refused(`it has no list of 1 to ${MAX_SCOPES} scopes`);
  try {
    return { workspaceId, name, expiresAt: exp, scopes: scopes.map((scope) => jwtScope(scope)), rps: rpsOf(limits) };
  } catch (error) {
    throw refused(messageOf(error));
  }
}

/** A scope of a JWT as JSON: reading only. Throws `bad_request` for anything else. */
export function jwtScope(value: unknown): TokenScope {
  const refuse = (why: string): never => {
    throw new AppError('bad_request', `cannot use the scopes of a JWT: ${why}`);
  };
  if (!isObject(value)) return refuse('each must be an object with type and resource');
  const { type, resource, filter, fixed_params: fixedParams } = value;
  if (type !== 'PIPES:READ' && type !== 'DATASOURCES:READ')
    return refuse('only PIPES:READ and DATASOURCES:READ can be given to a JWT');
  if (typeof resource !== 'string' || resource === '*') return refuse(`${type} needs a resource`);
  if (filter !== undefined && typeof filter !== 'string') return refuse('filter must be a text');
  if (fixedParams !== undefined && (type !== 'PIPES:READ' || !isObject(fixedParams)))
    return refuse('fixed_params must be an object, and of PIPES:READ');
  return checkScope({
    type,
    resource,
    ...(filter === undefined ? {} : { filter }),
    ...(fixedParams === undefined ? {} : { fixedParams }),
  });
}

/** `limits.rps`; undefined if there is none. Throws `bad_request` for one that is no positive number. */
export function rpsOf(limits: unknown): number | undefined {
  if (limits === undefined || limits === null) return undefined;
  const rps = isObject(limits) ? limits['rps'] : null;
  if (rps === undefined) return undefined;
  if (typeof rps === 'number' && Number.isFinite(rps) && rps > 0) return rps;
  throw new AppError('bad_request', 'cannot use the limits of a JWT: rps must be a number above 0');
}

function signatureOf(text: string, secret: string): string {
  return createHmac('sha256', secret).update(text).digest('base64url');
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string | undefined): Fields | undefined {
  if (part === undefined) return undefined;
  try {
    const value = JSON.parse(Buffer.from(part, 'base64url').toString()) as unknown;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 && value < 1e11;
}

function dateOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function refused(why: string): AppError {
  return new AppError('unauthenticated', `cannot accept the JWT: ${why}`);
}
