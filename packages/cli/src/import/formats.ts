/**
 * The meaning of a record: its fields, by the format of the file. One function per format, which throws a `BadRecord` with the
 * reason for what is none.
 */

import { messageOf } from '@glasshouse/model';
import { UsageError } from '../errors.ts';
import type { Framing } from './records.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** The record is not what the format says, or a conversion does not fit: the reason is the message. */
export class BadRecord extends Error {
  override readonly name = 'BadRecord';
}

export interface Reader {
  readonly framing: Framing;
  /** The fields; undefined for a record that is not meant to be one, such as an empty line. @throws BadRecord */
  readonly read: (text: string) => Fields | undefined;
}

export const FORMATS = ['jsonl', 'csv', 'log'] as const;
export type Format = (typeof FORMATS)[number];

/** Patterns that go by a name. */
export const PRESETS = ['combined', 'logfmt', 'pino'] as const;

const COMBINED =
  /^(?<remote_addr>\S+) (?<ident>\S+) (?<remote_user>\S+) \[(?<time>[^\]]+)\] "(?:(?<method>[A-Z]+) (?<path>\S+)(?: (?<protocol>[^"]*))?|(?<request>(?:[^"\\]|\\.)*))" (?<status>\d{3}) (?<bytes>\d+|-)(?: "(?<referer>(?:[^"\\]|\\.)*)" "(?<user_agent>(?:[^"\\]|\\.)*)")?/u;

export function jsonReader(): Reader {
  return { framing: { kind: 'lines' }, read: (text) => (text.trim() === '' ? undefined : objectOf(text)) };
}

/** `columns` are the names of the cells, in their order. */
export function csvReader(columns: readonly string[], delimiter: string): Reader {
  return {
    framing: { kind: 'quoted', quote: '"' },
    read: (text) => {
      if (text.trim() === '') return undefined;
      const cells = cellsOf(text, delimiter);
      if (cells.length > columns.length)
        throw new BadRecord(`it has ${cells.length} cells, and there are ${columns.length} columns`);
      // An empty cell is no value.
      return fieldsOf(cells.flatMap((cell, at) => (cell === '' ? [] : [[columns[at] ?? '', cell] as const])));
    },
  };
}

/** `pattern` is a regular expression with named groups, or the name of a preset. @throws UsageError */
export function logReader(pattern: string, start: string | undefined): Reader {
  const framing: Framing =
    start === undefined ? { kind: 'lines' } : { kind: 'start', pattern: regular(start, '--start') };
  if (pattern === 'logfmt') return { framing, read: (text) => (text.trim() === '' ? undefined : logfmt(text)) };
  if (pattern === 'pino')
    return { framing, read: (text) => (text.trim() === '' ? undefined : levelled(objectOf(text))) };
  const expression = pattern === 'combined' ? COMBINED : regular(pattern, '--pattern');
  if (!/\(\?<[A-Za-z_]/u.test(expression.source))
    throw new UsageError(
      `cannot use --pattern=${pattern}: it has no named group`,
      `give a regular expression such as '^(?<time>\\S+) (?<message>.*)', or one of ${PRESETS.join(', ')}`,
    );
  return {
    framing,
    read: (text) => {
      if (text.trim() === '') return undefined;
      const groups = expression.exec(text)?.groups;
      if (groups === undefined) throw new BadRecord('it does not match the pattern');
      const isGiven = ([, value]: [string, string | undefined]): boolean =>
        value !== undefined && (value !== '-' || expression !== COMBINED);
      return fieldsOf(Object.entries(groups).filter(isGiven));
    },
  };
}

function regular(text: string, option: string): RegExp {
  try {
    return new RegExp(text, 'su');
  } catch (cause) {
    throw new UsageError(`cannot use ${option}=${text}: ${messageOf(cause)}`, undefined, cause);
  }
}

/** An object without a prototype: names of fields are the file's. */
function fieldsOf(entries: Iterable<readonly [string, unknown]>): Fields {
  const fields = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of entries) fields[name] = value;
  return fields;
}

/** A number with more digits than a number has here is kept as it is written. */
interface ExactJson {
  readonly rawJSON: (text: string) => object;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
}
const EXACT = JSON as unknown as ExactJson;

/** The value of a JSON text, with every digit. */
export function parsedJson(text: string): unknown {
  if (!/\d{16}/u.test(text)) return JSON.parse(text) as unknown;
  return EXACT.parse(text, (_, value, { source }) =>
    typeof value === 'number' && source !== undefined && source.length > 15 ? EXACT.rawJSON(source) : value,
  );
}

function objectOf(text: string): Fields {
  let value: unknown;
  try {
    value = parsedJson(text);
  } catch (cause) {
    throw new BadRecord(`it is not JSON: ${messageOf(cause).slice(0, 120)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'rawJSON' in value)
    throw new BadRecord('it is JSON but not an object');
  return value as Fields;
}

const LEVELS: ReadonlyMap<unknown, string> = new Map([
  [10, 'trace'],
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
  [60, 'fatal'],
]);

function levelled(fields: Fields): Fields {
  const level = LEVELS.get(fields['level']);
  return level === undefined ? fields : { ...fields, level };
}

const PAIR = /([^\s=",]+)(?:=(?:"((?:[^"\\]|\\.)*)"|(\S*)))?(?:\s+|$)/uy;

function logfmt(text: string): Fields {
  const pairs: [string, unknown][] = [];
  const trimmed = text.trim();
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < trimmed.length) {
    const pair = PAIR.exec(trimmed);
    if (pair === null) throw new BadRecord('it is not logfmt: key=value, or key="value"');
    const [, name = '', quoted, plain] = pair;
    pairs.push([name, quoted === undefined ? (plain ?? true) : unescaped(quoted)]);
  }
  return fieldsOf(pairs);
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/gsu, (_, mark: string) => ({ n: '\n', t: '\t', r: '\r' })[mark] ?? mark);
}

/** The cells of a CSV record (RFC 4180). @throws BadRecord */
export function cellsOf(text: string, delimiter: string): string[] {
  const cells: string[] = [];
  for (let at = 0; ;) {
    let cell = '';
    if (text[at] === '"') {
      for (at++; ;) {
        const quote = text.indexOf('"', at);
        if (quote < 0) throw new BadRecord('a quote is not closed');
        cell += text.slice(at, quote);
        at = quote + 1;
        if (text[at] !== '"') break;
        cell += '"';
        at++;
      }
      if (at < text.length && !text.startsWith(delimiter, at)) throw new BadRecord('text stands behind a quoted cell');
    } else {
      const end = text.indexOf(delimiter, at);
      cell = text.slice(at, end < 0 ? text.length : end);
      at = end < 0 ? text.length : end;
    }
    cells.push(cell);
    if (at >= text.length) return cells;
    at += delimiter.length;
  }
}
