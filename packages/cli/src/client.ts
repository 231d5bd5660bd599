/**
 * The server's HTTP interface as the commands use it. One place for the credential, for telling "nobody there" from "it said
 * no", and for reading results without losing digits.
 */

import { AppError, ERROR_KINDS, messageOf } from '@glasshouse/model';
import type { ErrorCode } from '@glasshouse/model';
import { UnreachableError } from './errors.ts';

export interface ClientOptions {
  /** Address of the main port, without a slash at the end. */
  readonly url: string;
  readonly token?: string | undefined;
  /** Tenant to act for; needs the admin scope. */
  readonly tenant?: string | undefined;
}

/** A number as the engine wrote it, where a JavaScript number would lose digits. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [name: string]: Value };

/** A result of the JSONCompact format. */
export interface SqlResult {
  readonly meta: readonly { readonly name: string; readonly type: string }[];
  readonly data: readonly (readonly Value[])[];
  readonly rows: number;
  readonly rows_before_limit_at_least?: number;
  readonly statistics?: { readonly elapsed: number; readonly rows_read: number; readonly bytes_read: number };
}

export interface SqlOptions {
  readonly signal?: AbortSignal | undefined;
  /** Values of `{name:Type}`. */
  readonly params?: Readonly<Record<string, string>>;
}

/** One line of progress of a long admin request, or its result. */
export interface JobLine {
  readonly progress?: string;
  readonly done?: number;
  readonly total?: number;
  readonly result?: Readonly<Record<string, Value>>;
  readonly error?: string;
}

export class Client {
  readonly url: string;
  private readonly headers: Readonly<Record<string, string>>;

  constructor({ url, token, tenant }: ClientOptions) {
    this.url = url;
    this.headers = {
      'User-Agent': 'glasshouse-cli',
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(tenant === undefined ? {} : { 'X-Glasshouse-Tenant': tenant }),
    };
  }

  /**
   * Sends a request and returns the answer whatever its status.
   * @throws UnreachableError if nobody answers
   */
  async request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(this.headers);
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
    try {
      return await fetch(this.url + path, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted === true) throw new AppError('cancelled', 'cancelled', { cause: error });
      throw new UnreachableError(
        `cannot reach ${this.url}: ${causeOf(error)}`,
        'is it running? see `glasshouse status`',
        error,
      );
    }
  }

  /** As `request`, but an answer that is not 2xx becomes an error with what the server said. */
  async ask(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await this.request(path, init);
    return response.ok ? response : this.refuse(response.status, await response.text());
  }

  /** Throws the error that an answer stands for. */
  refuse(status: number, body: string): never {
    throw errorOf(status, body);
  }

  async json<T>(method: 'DELETE' | 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<T> {
    const response = await this.ask(path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    });
    return (await response.json()) as T;
  }

  /** The JSON of an answer to any request; undefined for an answer without a body. */
  async answer<T>(path: string, init: RequestInit = {}): Promise<T | undefined> {
    const text = await wholeText(await this.ask(path, init), init.signal ?? undefined);
    if (text.trim() === '') return undefined;
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new AppError('internal', `cannot read the answer to ${path.replace(/\?.*/u, '')}: it is no JSON`, {
        cause,
      });
    }
  }

  async text(path: string): Promise<string> {
    const response = await this.ask(path);
    return response.text();
  }

  /** Runs a statement; `format` is used unless the statement names one. Resolves when the result begins. */
  query(sql: string, format: string, options: SqlOptions = {}): Promise<Response> {
    return this.ask('/v0/sql', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ ...options.params, q: sql, format }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }

  /** Runs a statement and reads its whole result. */
  async sql(sql: string, options: SqlOptions = {}): Promise<SqlResult> {
    const response = await this.query(sql, 'JSONCompact', options);
    return parseExact(await wholeText(response, options.signal)) as unknown as SqlResult;
  }

  /** The rows of a result as objects. */
  async rows(sql: string, options: SqlOptions = {}): Promise<Record<string, Value>[]> {
    const { meta, data } = await this.sql(sql, options);
    return data.map((row) => Object.fromEntries(meta.map(({ name }, index) => [name, row[index] ?? null])));
  }

  /** A long request that reports as lines of JSON. Resolves to the result. @throws AppError with the error it reports */
  async job(path: string, body: unknown, onLine: (line: JobLine) => void): Promise<Readonly<Record<string, Value>>> {
    const response = await this.ask(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' },
    });
    let result: Readonly<Record<string, Value>> | undefined;
    for await (const text of linesOf(response)) {
      const line = JSON.parse(text) as JobLine;
      if (line.error !== undefined) throw new AppError('internal', line.error);
      if (line.result !== undefined) result = line.result;
      else onLine(line);
    }
    if (result === undefined) throw new AppError('internal', `cannot tell how ${path} ended: the connection broke off`);
    return result;
  }
}

/** The whole body. @throws AppError `internal` for one that ends early, `cancelled` when the signal ended it */
async function wholeText(response: Response, signal?: AbortSignal): Promise<string> {
  try {
    return await response.text();
  } catch (cause) {
    throw brokenOff(cause, signal);
  }
}

/** The error for a body that ends early. */
export function brokenOff(cause: unknown, signal?: AbortSignal): AppError {
  if (signal?.aborted === true) return new AppError('cancelled', 'cancelled', { cause });
  return new AppError('internal', `cannot read the whole result: it broke off (${causeOf(cause)})`, { cause });
}

/** The body of an answer as it arrives. */
export async function* bodyOf({ body }: Response): AsyncGenerator<Uint8Array> {
  // The declaration of a response's body leaves the type of its pieces open.
  if (body !== null) yield* body as unknown as AsyncIterable<Uint8Array>;
}

/** The body of an answer, line by line. */
async function* linesOf(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of bodyOf(response)) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield line;
  }
  if (rest.trim() !== '') yield rest;
}

/** The error that an answer stands for: its status decides the code, its body the words. */
function errorOf(status: number, body: string): AppError {
  const code =
    (Object.keys(ERROR_KINDS) as ErrorCode[]).find((key) => ERROR_KINDS[key].httpStatus === status) ??
    (status < 500 ? 'bad_request' : 'internal');
  return new AppError(code, messageIn(body) ?? `the server answered ${status}`);
}

function messageIn(body: string): string | undefined {
  try {
    const parsed = JSON.parse(body) as Readonly<Record<'error' | 'errors' | 'message', unknown>>;
    const message = parsed.error ?? parsed.message;
    if (typeof message !== 'string') return undefined;
    // Several things may be wrong with a data file.
    const more = Array.isArray(parsed.errors) ? parsed.errors.filter((line) => typeof line === 'string') : [];
    return [message, ...more.map((line) => `  ${line}`)].join('\n');
  } catch {
    return body.trim().slice(0, 2000) || undefined;
  }
}

/** Parses JSON; a number that a double can't hold stays the text that it was. */
export function parseExact(text: string): Value {
  return JSON.parse(text, (_, value: Value, context?: { readonly source?: string }) =>
    typeof value === 'number' &&
    !Number.isSafeInteger(value) &&
    Number.isInteger(value) &&
    context?.source !== undefined
      ? context.source
      : value,
  ) as Value;
}

/** What really happened: fetch wraps it. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError) return cause.errors.map(messageOf).join(', ');
  return messageOf(cause ?? error);
}

/** A value as text: JSON for what has structure. */
export function textOf(value: Value | undefined): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
