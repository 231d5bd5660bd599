/**
 * What an attack of the platform's list is: requests of one tenant, here the attacker, that try to get at another one, the victim,
 * or at rows that a narrow credential of the attacker's own workspace must not see. The list is data; `isolation-platform.test.ts`
 * sends it to a whole server.
 *
 * Must stay true: no request contains a value that only the victim has, so an answer that contains one has leaked it.
 */

/** What of the victim an attacker may have heard of: names and ids. None of it may come back unless the request said it. */
export interface Victim {
  readonly tenant: string;
  readonly database: string;
  readonly workspace: string;
  readonly source: string;
  readonly sourceId: string;
  readonly target: string;
  readonly column: string;
  readonly pipe: string;
  readonly pipeId: string;
  readonly copy: string;
  readonly sink: string;
  readonly token: string;
  readonly tokenId: string;
  readonly job: string;
  readonly deployment: string;
  /** Id of a key that Observa's SDK has. */
  readonly sdkKey: string;
  /** Id of one of its `sk_` keys. */
  readonly apiKey: string;
  /** Address of an account of somebody else. */
  readonly account: string;
  /** Of its secrets, which clients call variables. */
  readonly variable: string;
  /** `host:port` of a server that only answers on this machine. */
  readonly hidden: string;
  /** Ports of the server itself. */
  readonly ports: readonly number[];
}

/** In every value of the victim's rows, statements and token names, and in no request. */
export const SECRET = 'Zq7xSECRET';
/** In every row of the attacker's workspace that its narrow credentials must not see, and in no request. */
export const HIDDEN = 'Vk3wHIDDEN';
/** Of the attacker's own names, one that narrow credentials must not learn. */
export const PRIVATE = 'private_5d1f';

/** Whose credential a request carries; `narrow` ones see some of the attacker's workspace. */
export type Who =
  | 'admin'
  | 'key'
  | 'none'
  | 'filtered'
  | 'filtered_or'
  | 'jwt'
  | 'jwt_filtered'
  | 'jwt_fixed'
  | 'caller'
  | 'writer'
  | 'writer_all'
  | 'sdk'
  | 'sdk_through'
  | 'session'
  | 'server_key'
  | 'page_key';

export const NARROW: ReadonlySet<Who> = new Set<Who>([
  'filtered',
  'filtered_or',
  'jwt',
  'jwt_filtered',
  'jwt_fixed',
  'caller',
  'writer',
  'writer_all',
  'sdk',
  'sdk_through',
  'session',
  'server_key',
  'page_key',
]);

export interface Step {
  /** `POST /v0/sql`; a path alone is GET. */
  readonly request: string;
  /** The port of ClickHouse's interface instead of the main one. */
  readonly isClickhouse?: true;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly as?: Who;
  /** A secret of the attack's own making instead of a credential. */
  readonly secret?: string;
}

export interface Attack {
  readonly surface: string;
  readonly steps: readonly Step[];
  /** `refused`: some step must be. `works`: all must be answered, and their jobs done, because nothing of the attacker's own fails. */
  readonly must?: 'refused' | 'works';
}

export const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };

export function one(surface: string, step: Step, must?: Attack['must']): Attack {
  return { surface, steps: [step], ...(must === undefined ? {} : { must }) };
}

/** A statement to `/v0/sql`, in one of the ways to send it. */
export function sql(text: string, as: Who = 'admin', way = 0): Step {
  switch (way % 4) {
    case 0:
      return { request: `/v0/sql?q=${encodeURIComponent(text)}`, as };
    case 1:
      return { request: 'POST /v0/sql', body: text, as };
    case 2:
      return { request: 'POST /v0/sql', body: JSON.stringify({ q: text }), headers: JSON_TYPE, as };
    default:
      return { request: 'POST /v0/sql', body: `q=${encodeURIComponent(text)}`, headers: FORM_TYPE, as };
  }
}

/** A statement to ClickHouse's interface. */
export function clickhouse(text: string, query = '', headers: Readonly<Record<string, string>> = {}): Step {
  return { request: `POST /${query}`, isClickhouse: true, body: text, headers, as: 'key' };
}

export function form(request: string, fields: Readonly<Record<string, string>>, as: Who = 'admin'): Step {
  return { request, body: new URLSearchParams(fields).toString(), headers: FORM_TYPE, as };
}

export function json(request: string, body: unknown, as: Who = 'admin'): Step {
  return { request, body: JSON.stringify(body), headers: JSON_TYPE, as };
}

/** A file, or several, as a form of parts written by hand: names that a client would not let through. */
export function parts(
  request: string,
  files: readonly { readonly field: string; readonly filename: string; readonly content: string }[],
  as: Who = 'admin',
): Step {
  const boundary = 'edge-of-a-part';
  const body = files.map(
    ({ field, filename, content }) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="${filename}"\r\nContent-Type: text/plain\r\n\r\n${content}\r\n`,
  );
  return {
    request,
    body: `${body.join('')}--${boundary}--\r\n`,
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    as,
  };
}
