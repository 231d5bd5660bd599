/**
 * What a request says, wherever it says it: in the query string, in a form, in a body of JSON. Clients of the same route do it
 * differently, and some send JSON without saying so, so the body's content decides.
 *
 * Must stay true: a parameter of the query string goes before one of the body. What is not known is ignored by who asks.
 */

import { Readable } from 'node:stream';
import { AppError } from '@glasshouse/model';
import type { Exchange } from '../../http/router.ts';
import { checkJsonDepth } from '../json-depth.ts';
import { readUnpacked } from '../unpack.ts';
import { isMultipart, readMultipart } from './multipart.ts';

const MAX_BODY_BYTES = 2 << 20;

export class Fields {
  private readonly values: ReadonlyMap<string, readonly string[]>;
  /** The body as JSON, where it is an object. */
  readonly json: Readonly<Record<string, unknown>>;
  /** The body as it came, where it is neither a form nor JSON. */
  readonly text: string;

  constructor(
    pairs: Iterable<readonly [string, string]>,
    json: Readonly<Record<string, unknown>> = {},
    text: string = '',
  ) {
    const values = new Map<string, string[]>();
    for (const [name, value] of pairs) values.set(name, [...(values.get(name) ?? []), value]);
    this.values = values;
    this.json = json;
    this.text = text;
  }

  /** The first value of this name; undefined if there is none. */
  get(name: string): string | undefined {
    return this.values.get(name)?.[0];
  }

  /** All values of this name. */
  all(name: string): readonly string[] {
    return this.values.get(name) ?? [];
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  /** True for `true`, `1` and `yes`. */
  flag(name: string): boolean {
    return /^(?:true|1|yes)$/iu.test(this.get(name) ?? '');
  }

  /** The value of this name. Throws `bad_request` if there is none, or an empty one. */
  need(name: string, what: string): string {
    const value = this.get(name);
    if (value !== undefined && value.trim() !== '') return value;
    throw new AppError('bad_request', `cannot ${what}: ${name} is missing; add ${name}=…`);
  }

  /** With what comes behind these, such as the fields of a form. */
  and(pairs: Iterable<readonly [string, string]>): Fields {
    return new Fields([...this.pairs(), ...pairs], this.json, this.text);
  }

  *pairs(): Generator<[string, string]> {
    for (const [name, values] of this.values) for (const value of values) yield [name, value];
  }
}

/** Reads all of a request that is no upload. Rejects with `bad_request`, `too_large`, `unsupported_media` or `cancelled`. */
export async function readFields(exchange: Exchange, maxBytes = MAX_BODY_BYTES): Promise<Fields> {
  const { request, query } = exchange;
  if (request.method === 'GET' || request.method === 'HEAD') return new Fields(query);
  const body = await readUnpacked(request, maxBytes);
  if (isMultipart(request)) {
    const limits = { fileBytes: maxBytes, files: 0 };
    return new Fields(query).and(
      await readMultipart(request, Readable.from([body]), limits, ({ stream }) => {
        stream.resume();
        return Promise.resolve();
      }),
    );
  }
  return fieldsOf(query, textOf(body), request.headers['content-type'] ?? '');
}

/** What a body says that is no multipart form. Throws `bad_request` if it claims to be JSON and is not. */
export function fieldsOf(query: Iterable<readonly [string, string]>, body: string, type: string): Fields {
  const trimmed = body.trim();
  if (trimmed === '') return new Fields(query);
  const isJson = type.startsWith('application/json');
  if (isJson || /^\{\s*(?:"|\})/u.test(trimmed)) {
    checkJsonDepth(trimmed);
    const json = parsed(trimmed);
    if (json !== undefined) return new Fields([...query, ...pairsOf(json)], json);
    if (isJson)
      throw new AppError('bad_request', 'cannot read the body: it must be a JSON object, such as {"name": "x"}');
  }
  if (/^[\w.-]+=/u.test(trimmed)) return new Fields([...query, ...new URLSearchParams(trimmed)]);
  return new Fields(query, {}, body);
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Texts, numbers and truth values as a form would have them; the rest is for who knows its shape. */
function pairsOf(json: Readonly<Record<string, unknown>>): [string, string][] {
  return Object.entries(json).flatMap(([name, value]): [string, string][] => {
    const values = Array.isArray(value) ? (value as unknown[]) : [value];
    return values.flatMap((one): [string, string][] =>
      typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean' ? [[name, String(one)]] : [],
    );
  });
}

/** The body as text. Throws `bad_request` for what is no UTF-8: a parameter that was guessed at would be another one. */
function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new AppError('bad_request', 'cannot read the body: it is not UTF-8', { cause });
  }
}
