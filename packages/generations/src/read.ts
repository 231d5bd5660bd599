/**
 * A record read by a dialect's table, in JavaScript: what the row is. The compiled SQL has to agree with it; it is also what
 * explains a single record. Separate from the compiler because two readers of one table check each other.
 *
 * Must stay true: whatever the record is, this returns.
 */

import { MAPPED_COLUMNS, type ColumnKind } from './columns.ts';
import { COUNT, DECIMALS, MAX_MESSAGES, MONEY, NANOSECONDS, NUMBER, SIZE, TIME } from './convert.ts';
import { stepInto } from './json.ts';
import type { AttributeType, Condition, Conversion, Dialect, Origin, Source, SpanField } from './source.ts';

/** A span as the table of spans stores it. */
export interface SpanRecord {
  /** By name, as the text that a source reads; ids of zeros and names that are empty are nothing. */
  readonly fields: Readonly<Partial<Record<SpanField, string>>>;
  readonly string?: Readonly<Record<string, string>>;
  readonly int?: Readonly<Record<string, number | bigint>>;
  readonly double?: Readonly<Record<string, number>>;
  readonly bool?: Readonly<Record<string, boolean>>;
  /** Structures, as JSON texts. */
  readonly json?: Readonly<Record<string, string>>;
  /** Events with their attributes as JSON text. */
  readonly events?: readonly { readonly name: string; readonly attributes: string }[];
}

/** A record to be read: a span, or the line of an event. */
export type GenerationRecord = SpanRecord | string;

/**
 * A value of a row: times are nanoseconds since 1970, amounts whole numbers of 1e-12 dollars, both as decimal texts; null is
 * nothing.
 */
export type RowValue = string | number | boolean | null;
export type GenerationRow = Readonly<Record<string, RowValue>>;

/** Whether a record is a generation in this dialect. */
export function recognises(dialect: Dialect, record: GenerationRecord): boolean {
  return dialect.when.some((conditions) => conditions.every((condition) => holds(condition, record)));
}

/** The row of a record; undefined if it is no generation in this dialect. */
export function readRow(dialect: Dialect, record: GenerationRecord): GenerationRow | undefined {
  if (!recognises(dialect, record)) return undefined;
  const row: Record<string, RowValue> = {};
  for (const { name, kind } of MAPPED_COLUMNS) row[name] = valueOf(kind, dialect.columns[name] ?? [], record);
  row['dialect'] = dialect.name;
  row['usage_dialect'] = dialect.counting.dialect;
  return row;
}

function holds({ source, in: values, absent }: Condition, record: GenerationRecord): boolean {
  const text = textOf(source, record);
  if (absent) return text === undefined;
  return text !== undefined && (values === undefined || values.includes(text));
}

function valueOf(kind: ColumnKind, sources: readonly Source[], record: GenerationRecord): RowValue {
  for (const source of sources) {
    const value = convert(kind, source, record);
    if (value !== undefined) return value;
  }
  return kind === 'text' || kind === 'json' ? '' : null;
}

function convert(kind: ColumnKind, source: Source, record: GenerationRecord): RowValue | undefined {
  if ('from' in source.origin) return elapsed(source.origin.from, source.origin.until, record);
  const raw = textOf(source, record);
  return raw === undefined ? undefined : parse(kind, raw, source.as);
}

function parse(kind: ColumnKind, raw: string, as: Conversion | undefined): RowValue | undefined {
  const text = converted(raw, as);
  if (text === undefined) return undefined;
  switch (kind) {
    case 'count':
      return as === 'whole seconds' ? wholeMilliseconds(text) : fits(COUNT, text) ? Number(text) : undefined;
    case 'number':
      return fits(NUMBER, text)
        ? (Number(text) * (as === 'seconds' ? 1e3 : 1)) / (as === 'nanoseconds' ? 1e6 : 1)
        : undefined;
    case 'time':
      return timeOf(text, as);
    case 'flag':
      return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : undefined;
    case 'money':
      return fits(MONEY, text) ? amountOf(text) : undefined;
    default:
      return text === '' ? undefined : text;
  }
}

function converted(raw: string, as: Conversion | undefined): string | undefined {
  if (as === 'width' || as === 'height') return new RegExp(SIZE).exec(raw)?.[as === 'width' ? 1 : 2];
  if (typeof as !== 'object') return raw;
  const word = asciiLower(raw);
  return Object.hasOwn(as.words.words, word) ? as.words.words[word] : as.words.open ? raw : undefined;
}

function asciiLower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function fits(pattern: string, text: string): boolean {
  return new RegExp(pattern).test(text);
}

function wholeMilliseconds(text: string): number | undefined {
  if (!fits(NUMBER, text)) return undefined;
  const ms = Math.floor(Number(text) * 1_000 + 0.5);
  return ms < 1e14 ? ms : undefined;
}

function timeOf(raw: string, as: Conversion | undefined): string | undefined {
  if (as === 'nanoseconds') return fits(NANOSECONDS, raw) ? BigInt(raw).toString() : undefined;
  // Some write a time as JSON, quotes included.
  const text = raw.replace(/^"|"$/g, '');
  if (!fits(TIME, text)) return undefined;
  const parts = /^(.{19})(?:[.]([0-9]+))?(.*)$/.exec(text.replace(' ', 'T'));
  const [, instant = '', fraction = '', zone = ''] = parts ?? [];
  const ms = BigInt(Date.parse(`${instant}${zone === '' ? 'Z' : zone}`));
  return (ms * 1_000_000n + BigInt(fraction.padEnd(9, '0'))).toString();
}

function elapsed(from: Source, until: Source, record: GenerationRecord): number | undefined {
  const start = convert('time', from, record);
  const end = convert('time', until, record);
  if (typeof start !== 'string' || typeof end !== 'string') return undefined;
  const ns = BigInt(end) - BigInt(start);
  return ns < 0n ? undefined : Number(ns) / 1e6;
}

/** Exact, in 1e-12 dollars; what is smaller is cut off. */
function amountOf(text: string): string | undefined {
  const [, whole = '', fraction = '', exponent = '0'] =
    /^([0-9]+)(?:[.]([0-9]+))?(?:[eE](-?[0-9]+))?$/.exec(text) ?? [];
  const shift = Number(exponent) - fraction.length + DECIMALS;
  const digits = BigInt(whole + fraction);
  const amount = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  return amount < 10n ** 27n ? amount.toString() : undefined;
}

/** The text of a source; undefined if there is none. */
function textOf({ origin, at }: Source, record: GenerationRecord): string | undefined {
  const text = originText(origin, record);
  const found = text === undefined || at === undefined ? text : stepInto(text, at);
  return found === '' ? undefined : found;
}

function originText(origin: Origin, record: GenerationRecord): string | undefined {
  if ('constant' in origin) return origin.constant;
  if (typeof record === 'string') return 'line' in origin ? record : undefined;
  if ('attribute' in origin) return attribute(origin.attribute, origin.types, record);
  if ('field' in origin) return record.fields[origin.field];
  if ('event' in origin) return record.events?.find(({ name }) => name === origin.event)?.attributes;
  if ('list' in origin) return listText(origin, record.string ?? {});
  if ('prefix' in origin) return prefixText(origin.prefix, record.string ?? {});
  if ('messages' in origin) return messagesText(origin.messages, record);
  return undefined;
}

function attribute(key: string, types: readonly AttributeType[], record: SpanRecord): string | undefined {
  for (const type of types) {
    const map = record[type];
    if (map === undefined || !Object.hasOwn(map, key)) continue;
    const text = String(map[key]);
    if (text !== '') return text;
  }
  return undefined;
}

function listText(
  { list, role, content }: { list: string; role: string; content: string },
  attributes: Readonly<Record<string, string>>,
): string | undefined {
  const roles = Object.keys(attributes).filter(
    (key) =>
      key.startsWith(`${list}.`) &&
      key.endsWith(`.${role}`) &&
      /^[0-9]+$/.test(key.slice(list.length + 1, -role.length - 1)),
  );
  if (roles.length === 0) return undefined;
  const messages = Array.from({ length: Math.min(roles.length, MAX_MESSAGES) }, (_, index) => ({
    role: own(attributes, `${list}.${index}.${role}`),
    content: own(attributes, `${list}.${index}.${content}`),
  }));
  return JSON.stringify(messages);
}

function prefixText(prefix: string, attributes: Readonly<Record<string, string>>): string | undefined {
  const entries = Object.entries(attributes).filter(([key]) => key.startsWith(prefix));
  return entries.length === 0
    ? undefined
    : JSON.stringify(Object.fromEntries(entries.map(([key, value]) => [key.slice(prefix.length), value])));
}

function messagesText(
  messages: Extract<Origin, { messages: unknown }>['messages'],
  record: SpanRecord,
): string | undefined {
  const found = (record.events ?? []).filter(({ name }) => Object.hasOwn(messages, name));
  if (found.length === 0) return undefined;
  return JSON.stringify(
    found.map(({ name, attributes }) => {
      const { role = '', content: paths = [] } = messages[name] ?? {};
      const content = paths.map((path) => stepInto(attributes, path)).find((text) => text !== undefined && text !== '');
      return { role, content: content ?? '' };
    }),
  );
}

function own(map: Readonly<Record<string, string>>, key: string): string {
  return Object.hasOwn(map, key) ? (map[key] ?? '') : '';
}
