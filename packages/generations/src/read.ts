/**
 * A record read by the tables of dialects, in JavaScript: what its row is. For records that are there as a whole; whoever has bytes fills
 * the slots himself (`span-slots.ts`, `line-slots.ts`).
 *
 * Must stay true: whatever the record is, this returns.
 */

import { MAPPED_COLUMNS } from './columns.ts';
import { LineSlots } from './line-slots.ts';
import type { RowValue } from './parse.ts';
import type { AttributeType, Dialect, SpanField } from './source.ts';
import { SpanSlots } from './span-slots.ts';
import type { GenerationValues } from './table.ts';

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

export type { GenerationValues, RowValue };
export type GenerationRow = Readonly<Record<string, RowValue>>;

/** Dialects of both kinds, ready to read. */
interface Reader {
  readonly spans: SpanSlots;
  readonly lines: LineSlots;
}

const READERS = new WeakMap<object, Reader>();

/** Whether a record is a generation in this dialect. */
export function recognises(dialect: Dialect, record: GenerationRecord): boolean {
  return filled(readerOf(dialect, [dialect]), record).recognises();
}

/** The row of a record; undefined if it is no generation in this dialect. */
export function readRow(dialect: Dialect, record: GenerationRecord): GenerationRow | undefined {
  const values = filled(readerOf(dialect, [dialect]), record).read();
  return values === undefined
    ? undefined
    : Object.fromEntries(MAPPED_COLUMNS.map(({ name }, place) => [name, values[place] ?? null]));
}

/** The values of a record in the first dialect that recognises it; undefined if none does. */
export function readFirst(dialects: readonly Dialect[], record: GenerationRecord): GenerationValues | undefined {
  return filled(readerOf(dialects, dialects), record).read();
}

function readerOf(key: object, dialects: readonly Dialect[]): Reader {
  let reader = READERS.get(key);
  if (reader === undefined) {
    const over = (what: Dialect['over']): readonly Dialect[] => dialects.filter((dialect) => dialect.over === what);
    reader = { spans: new SpanSlots(over('span')), lines: new LineSlots(over('line')) };
    READERS.set(key, reader);
  }
  return reader;
}

function filled({ spans, lines }: Reader, record: GenerationRecord): LineSlots | SpanSlots {
  if (typeof record !== 'string') {
    fillSpan(spans, record);
    return spans;
  }
  lines.fillLine(record);
  return lines;
}

const TYPES: readonly AttributeType[] = ['string', 'int', 'double', 'bool', 'json'];

function fillSpan(slots: SpanSlots, record: SpanRecord): void {
  slots.begin();
  for (const [name, value] of Object.entries(record.fields)) slots.field(slots.fieldSlot(name as SpanField), value);
  for (const type of TYPES) {
    for (const [name, value] of Object.entries(record[type] ?? {})) {
      const slot = slots.attributes.get(name)?.[type];
      if (slots.isOpen(slot)) slots.set(slot, value);
    }
  }
  for (const [name, value] of Object.entries(record.string ?? {})) {
    for (const prefix of slots.prefixes) if (name.startsWith(prefix.start)) slots.prefixed(prefix, name, value);
  }
  for (const { name, time = 0n, attributes } of record.events ?? []) {
    const asked = slots.events.get(name);
    if (asked !== undefined) slots.event(asked, name, time, () => attributes);
  }
}
