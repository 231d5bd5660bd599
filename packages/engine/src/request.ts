/**
 * Reads everything but the statement from an HTTP request: who asks, the settings, parameters, formats and ids. Separate
 * because the rule "every URL parameter that has no meaning of its own is a setting" is the interface's sharpest edge.
 *
 * Must stay true: a reader can lower the limits that the engine was started with and never raise them.
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { chooseCoding, type Coding } from './answer.ts';
import { Exception } from './exception.ts';

export type User = 'writer' | 'reader';

export interface Credential {
  readonly user: string;
  readonly password: string;
}

export interface Credentials {
  readonly writer: Credential;
  readonly reader: Credential;
}

/** One request, without its statement. */
export interface Request {
  readonly user: User;
  /** GET and HEAD may only read, whoever asks. */
  readonly safeMethod: boolean;
  readonly query: string | undefined;
  readonly queryId: string | undefined;
  readonly database: string | undefined;
  readonly defaultFormat: string;
  readonly settings: ReadonlyMap<string, string>;
  readonly params: ReadonlyMap<string, string>;
  readonly coding: Coding | undefined;
  /** The client wants the outcome before the first byte. */
  readonly waitForEnd: boolean;
  readonly holdBytes: number | undefined;
}

/** URL parameters that are neither settings nor read here; the embedded engine has no quotas and sends no traces. */
const IGNORED = new Set([
  'quota_key',
  'stacktrace',
  'close_session',
  'client_protocol_version',
  'session_timeout',
  'session_check',
]);
const MAX_HOLD_BYTES = 64 << 20;

/** Reads the request line and headers. @throws Exception 516 (credential), 48 (what is not supported), 36 (malformed). */
export function readRequest(req: IncomingMessage, url: URL, credentials: Credentials): Request {
  const user = authenticate(req, url, credentials);
  const settings = new Map<string, string>();
  const params = new Map<string, string>();
  let compress = false;
  let waitForEnd = false;
  let holdBytes: number | undefined;
  let query: string | undefined;
  let queryId: string | undefined;
  let defaultFormat = header(req, 'x-clickhouse-format') ?? header(req, 'x-clickhouse-default-format');
  let database = header(req, 'x-clickhouse-database');

  for (const [name, value] of url.searchParams) {
    if (name.startsWith('param_')) params.set(name.slice('param_'.length), value);
    else if (IGNORED.has(name) || name === 'user' || name === 'password') continue;
    else if (name === 'query') query = value;
    else if (name === 'query_id') queryId = value === '' ? undefined : value;
    else if (name === 'database') database = value;
    else if (name === 'default_format') defaultFormat = value;
    else if (name === 'enable_http_compression') compress = truth(value);
    else if (name === 'wait_end_of_query') waitForEnd = truth(value);
    else if (name === 'buffer_size') holdBytes = wholeNumber(name, value);
    else if (name === 'compress' || name === 'decompress') {
      if (truth(value)) throw unsupported(`${name}=${value}`, 'use Accept-Encoding and Content-Encoding');
    } else if (name === 'session_id') throw unsupported(name, 'every request has a session of its own');
    else if (name === 'role')
      throw new Exception(511, 'UNKNOWN_ROLE', `There is no role \`${value}\` in the embedded engine`);
    else settings.set(name, value);
  }
  if (queryId !== undefined && /[\r\n]/.test(queryId)) {
    throw new Exception(36, 'BAD_ARGUMENTS', 'query_id must not contain line breaks');
  }
  if (defaultFormat !== undefined && !/^[A-Za-z0-9_]+$/.test(defaultFormat)) {
    throw new Exception(73, 'UNKNOWN_FORMAT', `Unknown format ${defaultFormat}`);
  }
  if ((header(req, 'content-type') ?? '').startsWith('multipart/form-data')) {
    throw unsupported('multipart/form-data', 'the embedded engine takes no external tables');
  }
  return {
    user,
    safeMethod: req.method === 'GET' || req.method === 'HEAD',
    query,
    queryId,
    database: database === '' ? undefined : database,
    defaultFormat: defaultFormat ?? 'TabSeparated',
    settings,
    params,
    coding: compress ? chooseCoding(header(req, 'accept-encoding')) : undefined,
    waitForEnd,
    holdBytes: holdBytes === undefined ? undefined : Math.min(holdBytes, MAX_HOLD_BYTES),
  };
}

/** Merges the engine's limits into a reader's settings: what the request asks for counts where it is stricter. */
export function withinLimits(
  asked: ReadonlyMap<string, string>,
  limits: ReadonlyMap<string, number>,
): Map<string, string> {
  const settings = new Map(asked);
  // The session becomes readonly after its settings; asking for another mode first would only make that fail.
  settings.delete('readonly');
  for (const [name, limit] of limits) {
    const value = Number(asked.get(name));
    const stricter = asked.has(name) && Number.isFinite(value) && value > 0 && value < limit;
    if (!stricter) settings.set(name, String(limit));
  }
  return settings;
}

/** Basic, then the two headers, then URL parameters: the first that is there counts. */
function authenticate(req: IncomingMessage, url: URL, credentials: Credentials): User {
  const given = givenCredential(req, url);
  for (const user of ['writer', 'reader'] as const) {
    const known = credentials[user];
    if (given.user === known.user && sameSecret(given.password, known.password)) return user;
  }
  throw new Exception(
    516,
    'AUTHENTICATION_FAILED',
    `${given.user}: Authentication failed: password is incorrect, or there is no user with such name.`,
  );
}

function givenCredential(req: IncomingMessage, url: URL): Credential {
  const basic = /^Basic\s+(\S+)$/i.exec(header(req, 'authorization') ?? '');
  if (basic !== null) {
    const text = Buffer.from(basic[1] ?? '', 'base64').toString('utf8');
    const colon = text.indexOf(':');
    return colon < 0 ? { user: text, password: '' } : { user: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  const user = header(req, 'x-clickhouse-user');
  if (user !== undefined) return { user, password: header(req, 'x-clickhouse-key') ?? '' };
  return { user: url.searchParams.get('user') ?? 'default', password: url.searchParams.get('password') ?? '' };
}

/** Compares without telling by its time how much was right. */
function sameSecret(given: string, known: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(known);
  return a.length === b.length && timingSafeEqual(a, b);
}

function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function truth(value: string): boolean {
  return value === '1' || value.toLowerCase() === 'true';
}

function wholeNumber(name: string, value: string): number {
  if (!/^\d{1,15}$/.test(value)) {
    throw new Exception(27, 'CANNOT_PARSE_INPUT_ASSERTION_FAILED', `Cannot parse ${name}=${value}: not a whole number`);
  }
  return Number(value);
}

function unsupported(what: string, why: string): Exception {
  return new Exception(48, 'NOT_IMPLEMENTED', `${what} is not supported by the embedded engine: ${why}`);
}
