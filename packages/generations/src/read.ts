/**
 * A record read by a dialect's table, in JavaScript: what the row is. A table becomes functions once, because this runs for every
 * generation that comes in; the compiled SQL of the same table has to agree with it.
 *
 * Must stay true: whatever the record is, this returns.
 */

import { MAPPED_COLUMNS, type ColumnKind } from './columns.ts';
import { listCallsText, listText } from './flat-list.ts';
import { OpenedJson } from './json.ts';
import { messagesText, prefixText } from './messages.ts';
import { elapsedMs, parseText, type RowValue } from './parse.ts';
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
  /** Events with their attributes as JSON text, and their time in nanoseconds since 1970. */
  readonly events?: readonly { readonly name: string; readonly time?: bigint; readonly attributes: string }[];
}

/** A record to be read: a span, or the line of an event. */
export type GenerationRecord = SpanRecord | string;

export type { RowValue };
export type GenerationRow = Readonly<Record<string, RowValue>>;
/** The values of a row, in the order of the columns that a dialect may fill (`MAPPED_COLUMNS`). */
export type GenerationValues = readonly RowValue[];

/** A record on its way through the sources. */
interface Reading {
  readonly span: SpanRecord | undefined;
  readonly line: string | undefined;
  readonly json: OpenedJson;
}

/** What stands in a source: a text, a number, a flag, a piece of JSON; undefined, null or an empty text for nothing. */
type Raw = (reading: Reading) => unknown;
type Value = (reading: Reading) => RowValue | undefined;

/** A dialect's table as functions. */
interface Reader {
  readonly recognises: (reading: Reading) => boolean;
  readonly columns: readonly { readonly place: number; readonly values: readonly Value[] }[];
  /** The values of a row of which nothing is reported. */
  readonly nothing: GenerationValues;
}

/** Whether a record is a generation in this dialect. */
export function recognises(dialect: Dialect, record: GenerationRecord): boolean {
  return readerOf(dialect).recognises(readingOf(record));
}

/** The row of a record; undefined if it is no generation in this dialect. */
export function readRow(dialect: Dialect, record: GenerationRecord): GenerationRow | undefined {
  const values = readFirst([dialect], record);
  return values === undefined
    ? undefined
    : Object.fromEntries(MAPPED_COLUMNS.map(({ name }, place) => [name, values[place] ?? null]));
}

/** The values of a record in the first dialect that recognises it; undefined if none does. */
export function readFirst(dialects: readonly Dialect[], record: GenerationRecord): GenerationValues | undefined {
  const reading = readingOf(record);
  for (const dialect of dialects) {
    const reader = readerOf(dialect);
    if (reader.recognises(reading)) return valuesOf(reader, reading);
  }
  return undefined;
}

function readingOf(record: GenerationRecord): Reading {
  const json = new OpenedJson();
  return typeof record === 'string' ? { span: undefined, line: record, json } : { span: record, line: undefined, json };
}

function valuesOf({ columns, nothing }: Reader, reading: Reading): GenerationValues {
  const row = nothing.slice();
  for (const { place, values } of columns) {
    for (const value of values) {
      const found = value(reading);
      if (found === undefined) continue;
      row[place] = found;
      break;
    }
  }
  return row;
}

const READERS = new WeakMap<Dialect, Reader>();

function readerOf(dialect: Dialect): Reader {
  let reader = READERS.get(dialect);
  if (reader === undefined) {
    reader = makeReader(dialect);
    READERS.set(dialect, reader);
  }
  return reader;
}

function makeReader(dialect: Dialect): Reader {
  const given: Readonly<Record<string, string>> = { dialect: dialect.name, usage_dialect: dialect.counting.dialect };
  const nothing = MAPPED_COLUMNS.map(
    ({ name, kind }) => given[name] ?? (kind === 'text' || kind === 'json' ? '' : null),
  );
  const alternatives = dialect.when.map((conditions) => conditions.map(conditionOf));
  return {
    recognises: (reading) => alternatives.some((conditions) => conditions.every((holds) => holds(reading))),
    columns: MAPPED_COLUMNS.flatMap(({ name, kind }, place) => {
      const sources = dialect.columns[name];
      return sources === undefined ? [] : [{ place, values: sources.map((source) => valueOf(kind, source)) }];
    }),
    nothing,
  };
}

function conditionOf({ source, in: wanted, absent, except }: Condition): (reading: Reading) => boolean {
  const raw = rawOf(source);
  if (except !== undefined) {
    return (reading) => {
      const value = raw(reading);
      return isNothing(value) || !except.includes(textOf(value));
    };
  }
  if (absent === true) return (reading) => isNothing(raw(reading));
  if (wanted === undefined) return (reading) => !isNothing(raw(reading));
  return (reading) => {
    const value = raw(reading);
    return !isNothing(value) && wanted.includes(textOf(value));
  };
}

function valueOf(kind: ColumnKind, { origin, at, as }: Source): Value {
  if ('from' in origin) {
    const [from, until] = [valueOf('time', origin.from), valueOf('time', origin.until)];
    return (reading) => elapsedMs(from(reading), until(reading));
  }
  const raw = rawOf({ origin, ...(at === undefined ? {} : { at }) });
  return (reading) => {
    const value = raw(reading);
    return isNothing(value) ? undefined : convert(kind, value, as);
  };
}

/** Numbers and flags that need no text in between, and the rest by its text. */
function convert(kind: ColumnKind, value: unknown, as: Conversion | undefined): RowValue | undefined {
  if (as === undefined) {
    if (kind === 'count' && typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1e14) {
      return value === 0 ? 0 : value;
    }
    if (kind === 'number' && typeof value === 'number' && value >= 1e-90 && value < 1e15) return value;
    if (kind === 'flag' && typeof value === 'boolean') return value;
  }
  return parseText(kind, textOf(value), as);
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}

function rawOf({ origin, at }: Pick<Source, 'origin' | 'at'>): Raw {
  const whole = originOf(origin);
  if (at === undefined) return whole;
  return (reading) => {
    const text = whole(reading);
    return typeof text === 'string' ? reading.json.stepInto(text, at) : undefined;
  };
}

function originOf(origin: Origin): Raw {
  if ('constant' in origin) return () => origin.constant;
  if ('line' in origin) return ({ line }) => line;
  const ofSpan = spanOrigin(origin);
  return ({ span, json }) => (span === undefined ? undefined : ofSpan(span, json));
}

function spanOrigin(origin: Origin): (span: SpanRecord, json: OpenedJson) => unknown {
  if ('attribute' in origin) {
    const { attribute, types } = origin;
    return (span) => attributeOf(attribute, types, span);
  }
  if ('field' in origin) return ({ fields }) => fields[origin.field];
  if ('event' in origin) return ({ events }) => events?.find(({ name }) => name === origin.event)?.attributes;
  if ('list' in origin) return ({ string }) => listText(origin, string ?? {});
  if ('callsIn' in origin) return ({ string }) => listCallsText(origin.callsIn, string ?? {});
  if ('momentOf' in origin) return ({ events }) => timeOf(origin.momentOf, events);
  if ('prefix' in origin) return ({ string }) => prefixText(origin.prefix, string ?? {});
  if ('messages' in origin) return ({ events }, json) => messagesText(origin.messages, events ?? [], json);
  return () => undefined;
}

/** Of the first event of one of the names; one that has none was at 0. */
function timeOf(names: readonly string[], events: SpanRecord['events']): bigint | undefined {
  const found = events?.find(({ name }) => names.includes(name));
  return found === undefined ? undefined : (found.time ?? 0n);
}

function attributeOf(key: string, types: readonly AttributeType[], record: SpanRecord): unknown {
  for (const type of types) {
    const map = record[type];
    if (map === undefined || !Object.hasOwn(map, key)) continue;
    const value = map[key];
    if (value !== '') return value;
  }
  return undefined;
}
