/**
 * Fetching a URL that a user gave, for an import. The name is resolved once, every address that it has is looked at, and the
 * connection goes to one of these: asking again could give another answer (DNS rebinding). Redirects are followed by hand, each
 * through the same door.
 *
 * Must stay true: nothing is sent to an address that was not looked at. Whatever the other side does, the fetch ends: by its
 * deadline, by silence, or by its size.
 */

import { lookup } from 'node:dns/promises';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import { AppError, nodeHttp, messageOf } from '@glasshouse/model';
import { isPublicAddress } from './addresses.ts';

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** Which addresses may be reached, and how they are found. */
export interface Reach {
  /** `host:port` of servers that may be reached although their addresses are not public. */
  readonly allow: ReadonlySet<string>;
  /** Setting that says so. */
  readonly setting?: string;
  /** How names become addresses; the system's way unless a test says otherwise. */
  readonly resolve?: (host: string) => Promise<readonly Address[]>;
}

export interface FetchOptions extends Reach {
  readonly maxBytes: number;
  /** The whole of it, redirects and body, may take this long. */
  readonly maxMs: number;
  /** Longest silence, before the answer and within it. */
  readonly idleMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Fetched {
  /** The body as it comes, packed if `coding` says so. Fails when it is too large, too slow, or breaks off. */
  readonly stream: Readable;
  readonly coding: string;
  /** The address that answered, after redirects, without its query. */
  readonly url: string;
}

const MAX_REDIRECTS = 5;
const MAX_URL_LENGTH = 8_192;
/** A body that comes more slowly than this, after the first idle time, is held open to harm and not to be read. */
const LEAST_BYTES_PER_SECOND = 256;

/** Opens the URL. Rejects with `bad_request` for what may not or cannot be fetched, `too_large`, or `timeout`. */
export async function openUrl(text: string, options: FetchOptions): Promise<Fetched> {
  const deadline = AbortSignal.timeout(options.maxMs);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  let url = parseUrl(text);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const address = await addressOf(url, options, signal);
    const response = await ask(url, address, options, signal);
    const { statusCode = 0, headers } = response;
    if ([301, 302, 303, 307, 308].includes(statusCode)) {
      response.destroy();
      if (headers.location === undefined) throw refused(url, 'it redirects to nowhere');
      url = parseUrl(headers.location, url);
      continue;
    }
    if (statusCode !== 200) {
      response.destroy();
      throw refused(url, `it answered ${statusCode}`);
    }
    if (Number(headers['content-length'] ?? 0) > options.maxBytes) {
      response.destroy();
      throw tooLarge(url, options);
    }
    return {
      stream: bounded(response, url, options, signal),
      coding: (headers['content-encoding'] ?? 'identity').trim().toLowerCase() || 'identity',
      url: shown(url),
    };
  }
  throw refused(url, `it redirects more than ${MAX_REDIRECTS} times`);
}

/** Reads a URL as a user may give it. Throws `bad_request`. */
export function parseUrl(text: string, base?: URL): URL {
  const url = text.length > MAX_URL_LENGTH ? null : URL.parse(text.trim(), base?.href);
  if (url === null) throw new AppError('bad_request', `cannot fetch url=${text.slice(0, 120)}: it is no URL`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused(url, 'only http and https are supported');
  if (url.username !== '' || url.password !== '') throw refused(url, 'it has a user name or password in it');
  if (url.hostname === '') throw refused(url, 'it names no host');
  return url;
}

/** The port that a URL means. */
export function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

/** The host without the brackets of IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replaceAll(/^\[|\]$/gu, '');
}

/** The address that a connection for the URL has to go to. Rejects with `bad_request` if it may not be reached. */
export async function addressOf(
  url: URL,
  { allow, setting = 'GLASSHOUSE_IMPORT_ALLOW', resolve = system }: Reach,
  signal: AbortSignal,
): Promise<Address> {
  const host = hostOf(url);
  const family = isIP(host);
  const found = family > 0 ? [{ address: host, family }] : await resolved(url, host, resolve, signal);
  const [first] = found;
  if (first === undefined) throw refused(url, 'its name has no address');
  if (allow.has(`${url.hostname}:${portOf(url)}`)) return first;
  // One private address among public ones is no accident.
  if (found.every(({ address }) => isPublicAddress(address))) return first;
  throw refused(url, `its address is not public; an operator can allow the host and port in ${setting}`);
}

async function resolved(
  url: URL,
  host: string,
  resolve: (host: string) => Promise<readonly Address[]>,
  signal: AbortSignal,
): Promise<readonly Address[]> {
  try {
    return await untilAborted(resolve(host), signal);
  } catch (cause) {
    if (signal.aborted) throw ended(url, signal);
    throw refused(url, 'its name cannot be resolved', cause);
  }
}

function system(host: string): Promise<readonly Address[]> {
  return lookup(host, { all: true, order: 'verbatim' });
}

/** Sends the request to the address, by the name of the URL. */
function ask(
  url: URL,
  { address, family }: Address,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const isSecure = url.protocol === 'https:';
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = (isSecure ? httpsRequest : nodeHttp.request)({
    host: address,
    family,
    port: portOf(url),
    path: `${url.pathname}${url.search}`,
    method: 'GET',
    // Nothing of this server's own connections.
    agent: false,
    setHost: false,
    headers: {
      host: url.host,
      accept: '*/*',
      'accept-encoding': 'identity',
      'user-agent': 'glasshouse',
      connection: 'close',
    },
    maxHeaderSize: 32 << 10,
    timeout: options.idleMs,
    signal,
    ...(isSecure && isIP(hostOf(url)) === 0 ? { servername: url.hostname } : {}),
  });
  request.once('response', resolve);
  request.once('timeout', () => request.destroy(silence(url, options)));
  request.once('error', (cause) => {
    if (signal.aborted) reject(ended(url, signal));
    else reject(cause instanceof AppError ? cause : refused(url, messageOf(cause), cause));
  });
  request.end();
  return promise;
}

/** The body, within its limits. */
function bounded(response: IncomingMessage, url: URL, options: FetchOptions, signal: AbortSignal): Readable {
  let bytes = 0;
  const startedAt = Date.now();
  const counter = new Transform({
    transform: (chunk: Buffer, _, done) => {
      bytes += chunk.length;
      const seconds = (Date.now() - startedAt - options.idleMs) / 1000;
      if (bytes > options.maxBytes) done(tooLarge(url, options));
      else if (seconds > 0 && bytes < seconds * LEAST_BYTES_PER_SECOND) done(silence(url, options));
      else done(null, chunk);
    },
  });
  response.setTimeout(options.idleMs, () => counter.destroy(silence(url, options)));
  response.on('error', (cause) =>
    counter.destroy(signal.aborted ? ended(url, signal) : refused(url, `it broke off: ${messageOf(cause)}`, cause)),
  );
  response.on('aborted', () => counter.destroy(signal.aborted ? ended(url, signal) : refused(url, 'it broke off')));
  counter.on('close', () => response.destroy());
  return response.pipe(counter);
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** For messages: what is behind the path may be a secret, as in signed URLs. */
function shown(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`.slice(0, 200);
}

function refused(url: URL, why: string, cause?: unknown): AppError {
  return new AppError('bad_request', `cannot fetch url=${shown(url)}: ${why}`, { cause });
}

function tooLarge(url: URL, { maxBytes }: FetchOptions): AppError {
  return new AppError('too_large', `cannot fetch url=${shown(url)}: it is larger than ${maxBytes} bytes`);
}

function silence(url: URL, { idleMs }: FetchOptions): AppError {
  return new AppError('timeout', `cannot fetch url=${shown(url)}: it sends nothing, or too slowly, for ${idleMs} ms`);
}

function ended(url: URL, signal: AbortSignal): AppError {
  const isLate = (signal.reason as Error | undefined)?.name === 'TimeoutError';
  if (isLate) return new AppError('timeout', `cannot fetch url=${shown(url)}: it takes too long`);
  return new AppError('cancelled', `cannot fetch url=${shown(url)}: it was cancelled`);
}
