/**
 * Tables of dialects as functions over slots, made once: which dialect a record is in, and what its columns are. Only columns that are
 * fed by a slot that is taken are looked at; each asks its sources in their order.
 *
 * Must stay true: whatever is in the slots, this returns, with the values that the compiled SQL of the same table has.
 */

import { MAPPED_COLUMNS, type ColumnKind } from './columns.ts';
import { listCallsText, listText } from './flat-list.ts';
import type { Layout } from './layout.ts';
import { messagesText, prefixText, type SpanEvent } from './messages.ts';
import { converter, elapsedMs, textOf, type RowValue } from './parse.ts';
import type { Slots } from './slots.ts';
import type { Condition, Dialect, Origin, Source } from './source.ts';

/** The values of a row, in the order of the columns that a dialect may fill (`MAPPED_COLUMNS`). */
export type GenerationValues = readonly RowValue[];

type Holds = (slots: Slots) => boolean;

/** What stands in a source: a text, a number, a flag, a piece of JSON; undefined for nothing. */
interface Found {
  /** One of these has to be taken. */
  readonly slots: readonly number[];
  /** What it is; undefined if it is what is in the first of the slots that has something. */
  readonly make?: (slots: Slots) => unknown;
}

/** Where a column's value may come from. */
interface Fed {
  /** One of these has to be taken; undefined if there always is a value. */
  readonly slots: readonly number[] | undefined;
  /** The value; undefined if it is what is in the first of the slots that has something, converted. */
  readonly value?: (slots: Slots) => RowValue | undefined;
  readonly convert: (value: unknown) => RowValue | undefined;
}

interface Column {
  readonly place: number;
  readonly fed: readonly Fed[];
}

/** Dialects over the same records, in the order of precedence. */
export class Table {
  private readonly dialects: readonly DialectTable[];

  constructor(dialects: readonly Dialect[], layout: Layout) {
    const made = dialects.map((dialect) => new DialectTable(dialect, layout));
    // Only now it is known how many slots there are.
    for (const dialect of made) dialect.settle(layout.size);
    this.dialects = made;
  }

  /** The values of the record in the first dialect that recognises it; undefined if none does. */
  read(slots: Slots): GenerationValues | undefined {
    for (const dialect of this.dialects) if (dialect.recognises(slots)) return dialect.read(slots);
    return undefined;
  }

  /** Whether a dialect recognises the record. */
  recognises(slots: Slots): boolean {
    return this.dialects.some((dialect) => dialect.recognises(slots));
  }
}

class DialectTable {
  private readonly alternatives: readonly (readonly Holds[])[];
  /** The values of a row of which nothing is reported. */
  private readonly nothing: GenerationValues;
  private readonly columns: readonly Column[];
  /** By slot, the columns that it feeds. */
  private readonly fed: number[][] = [];
  /** Columns that always have a value. */
  private readonly always: number[] = [];
  private readonly isDone: Uint8Array;

  constructor({ name: dialect, counting, when, columns }: Dialect, layout: Layout) {
    const given: Readonly<Record<string, string>> = { dialect, usage_dialect: counting.dialect };
    this.nothing = MAPPED_COLUMNS.map(({ name, kind }) => given[name] ?? (isText(kind) ? '' : null));
    this.alternatives = when.map((conditions) => conditions.map((condition) => holds(condition, layout)));
    this.columns = MAPPED_COLUMNS.flatMap(({ name, kind }, place) => {
      const sources = columns[name];
      return sources === undefined ? [] : [{ place, fed: sources.map((source) => valueOf(kind, source, layout)) }];
    });
    this.isDone = new Uint8Array(this.columns.length);
  }

  settle(slots: number): void {
    for (let slot = 0; slot < slots; slot++) this.fed.push([]);
    for (const [column, { fed }] of this.columns.entries()) {
      if (fed.some((each) => each.slots === undefined)) this.always.push(column);
      else for (const slot of new Set(fed.flatMap((each) => each.slots ?? []))) this.fed[slot]?.push(column);
    }
  }

  recognises(slots: Slots): boolean {
    for (const conditions of this.alternatives) {
      let isMet = true;
      for (let at = 0; isMet && at < conditions.length; at++) isMet = (conditions[at] as Holds)(slots);
      if (isMet) return true;
    }
    return false;
  }

  read(slots: Slots): GenerationValues {
    const { fed, isDone } = this;
    const { taken, count } = slots;
    const row = this.nothing.slice();
    isDone.fill(0);
    for (let at = 0; at < count; at++) {
      const columns = fed[taken[at] as number] as readonly number[];
      for (const column of columns) {
        if (isDone[column] === 1) continue;
        isDone[column] = 1;
        this.fill(row, column, slots);
      }
    }
    for (const column of this.always) this.fill(row, column, slots);
    return row;
  }

  private fill(row: RowValue[], column: number, slots: Slots): void {
    const { place, fed } = this.columns[column] as Column;
    for (const { slots: feeding, value, convert } of fed) {
      let found: RowValue | undefined;
      if (value !== undefined) found = value(slots);
      else if (feeding !== undefined) {
        const raw = firstOf(feeding, slots);
        if (raw !== undefined) found = convert(raw);
      }
      if (found === undefined) continue;
      row[place] = found;
      return;
    }
  }
}

/** What is in the first of the slots that has something. */
function firstOf(feeding: readonly number[], slots: Slots): unknown {
  for (let at = 0; at < feeding.length; at++) {
    const slot = feeding[at] as number;
    if (slots.has(slot)) return slots.get(slot);
  }
  return undefined;
}

function isText(kind: ColumnKind): boolean {
  return kind === 'text' || kind === 'json';
}

function holds({ source, in: wanted, absent, except }: Condition, layout: Layout): Holds {
  const raw = rawOf(source, layout);
  if (except !== undefined) {
    return (slots) => {
      const value = raw(slots);
      return isNothing(value) || !isAmong(textOf(value), except);
    };
  }
  if (absent === true) return (slots) => isNothing(raw(slots));
  if (wanted === undefined) return (slots) => !isNothing(raw(slots));
  return (slots) => {
    const value = raw(slots);
    return !isNothing(value) && isAmong(textOf(value), wanted);
  };
}

function valueOf(kind: ColumnKind, { origin, at, as }: Source, layout: Layout): Fed {
  const convert = converter(kind, as);
  if ('constant' in origin) {
    const value = isNothing(origin.constant) ? undefined : convert(origin.constant);
    return { slots: undefined, value: () => value, convert };
  }
  if ('from' in origin) {
    const [from, until] = [valueOf('time', origin.from, layout), valueOf('time', origin.until, layout)];
    const value = (slots: Slots): RowValue | undefined => {
      const end = valueIn(until, slots);
      return end === undefined ? undefined : elapsedMs(valueIn(from, slots), end);
    };
    return { slots: until.slots, value, convert };
  }
  const { slots: feeding, make } = foundOf({ origin, ...(at === undefined ? {} : { at }) }, layout);
  if (make === undefined) return { slots: feeding, convert };
  const value = (slots: Slots): RowValue | undefined => {
    const raw = make(slots);
    return isNothing(raw) ? undefined : convert(raw);
  };
  return { slots: feeding, value, convert };
}

function valueIn({ slots: feeding, value, convert }: Fed, slots: Slots): RowValue | undefined {
  if (value !== undefined) return value(slots);
  const raw = feeding === undefined ? undefined : firstOf(feeding, slots);
  return raw === undefined ? undefined : convert(raw);
}

/** The lists are short, and most texts differ from all of them in their length. */
function isAmong(text: string, texts: readonly string[]): boolean {
  for (const one of texts) if (one === text) return true;
  return false;
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function rawOf(source: Source, layout: Layout): (slots: Slots) => unknown {
  const { slots: feeding, make } = foundOf(source, layout);
  return make ?? ((slots) => firstOf(feeding, slots));
}

function foundOf({ origin, at }: Pick<Source, 'origin' | 'at'>, layout: Layout): Found {
  if ('line' in origin) return { slots: [layout.path(at ?? [])] };
  const whole = originOf(origin, layout);
  if (at === undefined) return whole;
  const memory = 'field' in origin ? 'lasting' : 'json';
  const { slots: feeding, make = (slots: Slots) => firstOf(feeding, slots) } = whole;
  return {
    slots: feeding,
    make: (slots) => {
      const text = make(slots);
      return typeof text === 'string' ? slots[memory].stepInto(text, at) : undefined;
    },
  };
}

function originOf(origin: Origin, layout: Layout): Found {
  if ('attribute' in origin) {
    const { attribute, types } = origin;
    return { slots: types.map((type) => layout.attribute(attribute, type)) };
  }
  if ('field' in origin) return { slots: [layout.field(origin.field)] };
  if ('event' in origin) return { slots: [layout.event(origin.event)] };
  if ('momentOf' in origin) return { slots: [layout.momentOf(origin.momentOf)] };
  if ('messages' in origin) {
    const { messages } = origin;
    return made(layout.messagesOf(messages), (found, { json }) =>
      messagesText(messages, found as readonly SpanEvent[], json),
    );
  }
  if ('list' in origin) return made(layout.prefix(`${origin.list}.`), (found) => listText(origin, found as Texts));
  if ('callsIn' in origin) {
    const { callsIn } = origin;
    return made(layout.prefix(`${callsIn.list}.`), (found) => listCallsText(callsIn, found as Texts));
  }
  if ('prefix' in origin) {
    return made(layout.prefix(origin.prefix), (found) => prefixText(origin.prefix, found as Texts));
  }
  return { slots: [], make: () => ('constant' in origin ? origin.constant : undefined) };
}

type Texts = Readonly<Record<string, string>>;

function made(slot: number, make: (found: unknown, slots: Slots) => string | undefined): Found {
  return {
    slots: [slot],
    make: (slots) => {
      const found = slots.get(slot);
      return found === undefined ? undefined : make(found, slots);
    },
  };
}
