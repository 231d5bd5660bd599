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
import type { AttributeType, Condition, Dialect, Origin, Source } from './source.ts';

/** The values of a row, in the order of the columns that a dialect may fill (`MAPPED_COLUMNS`). */
export type GenerationValues = readonly RowValue[];

type Value = (slots: Slots) => RowValue | undefined;
type Holds = (slots: Slots) => boolean;

/** What stands in a source, if one of its slots is taken: a text, a number, a flag, a piece of JSON; undefined for nothing. */
interface Found {
  readonly slots: readonly number[];
  readonly raw: (slots: Slots) => unknown;
}

/** Where a column's value may come from. */
interface Fed {
  /** One of these has to be taken; undefined if there always is a value. */
  readonly slots: readonly number[] | undefined;
  readonly value: Value;
}

interface Column {
  readonly place: number;
  readonly values: readonly Value[];
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
  private readonly feeds: readonly (readonly (readonly number[] | undefined)[])[];
  /** By slot, the columns that it feeds. */
  private readonly fed: number[][] = [];
  /** Columns that always have a value. */
  private readonly always: number[] = [];
  private readonly isDone: Uint8Array;

  constructor({ name: dialect, counting, when, columns }: Dialect, layout: Layout) {
    const given: Readonly<Record<string, string>> = { dialect, usage_dialect: counting.dialect };
    this.nothing = MAPPED_COLUMNS.map(({ name, kind }) => given[name] ?? (isText(kind) ? '' : null));
    this.alternatives = when.map((conditions) => conditions.map((condition) => holds(condition, layout)));
    const asked = MAPPED_COLUMNS.flatMap(({ name, kind }, place) => {
      const sources = columns[name];
      return sources === undefined ? [] : [{ place, fed: sources.map((source) => valueOf(kind, source, layout)) }];
    });
    this.columns = asked.map(({ place, fed }) => ({ place, values: fed.map(({ value }) => value) }));
    this.feeds = asked.map(({ fed }) => fed.map(({ slots }) => slots));
    this.isDone = new Uint8Array(asked.length);
  }

  settle(slots: number): void {
    for (let slot = 0; slot < slots; slot++) this.fed.push([]);
    for (const [column, feeds] of this.feeds.entries()) {
      if (feeds.includes(undefined)) this.always.push(column);
      else for (const slot of new Set(feeds.flatMap((each) => each ?? []))) this.fed[slot]?.push(column);
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
    const { place, values } = this.columns[column] as Column;
    for (const value of values) {
      const found = value(slots);
      if (found === undefined) continue;
      row[place] = found;
      return;
    }
  }
}

function isText(kind: ColumnKind): boolean {
  return kind === 'text' || kind === 'json';
}

function holds({ source, in: wanted, absent, except }: Condition, layout: Layout): Holds {
  const { raw } = rawOf(source, layout);
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
    return { slots: undefined, value: () => value };
  }
  if ('from' in origin) {
    const [from, until] = [valueOf('time', origin.from, layout), valueOf('time', origin.until, layout)];
    return {
      slots: until.slots,
      value: (slots) => {
        const end = until.value(slots);
        return end === undefined ? undefined : elapsedMs(from.value(slots), end);
      },
    };
  }
  const { slots: feeding, raw } = rawOf({ origin, ...(at === undefined ? {} : { at }) }, layout);
  return {
    slots: feeding,
    value: (slots) => {
      const value = raw(slots);
      return isNothing(value) ? undefined : convert(value);
    },
  };
}

/** The lists are short, and most texts differ from all of them in their length. */
function isAmong(text: string, texts: readonly string[]): boolean {
  for (const one of texts) if (one === text) return true;
  return false;
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function rawOf({ origin, at }: Pick<Source, 'origin' | 'at'>, layout: Layout): Found {
  if ('line' in origin) return inSlot(layout.path(at ?? []));
  const whole = originOf(origin, layout);
  if (at === undefined) return whole;
  const memory = 'field' in origin ? 'lasting' : 'json';
  return {
    slots: whole.slots,
    raw: (slots) => {
      const text = whole.raw(slots);
      return typeof text === 'string' ? slots[memory].stepInto(text, at) : undefined;
    },
  };
}

function originOf(origin: Origin, layout: Layout): Found {
  if ('attribute' in origin) return attributeOf(origin.attribute, origin.types, layout);
  if ('field' in origin) return inSlot(layout.field(origin.field));
  if ('event' in origin) return inSlot(layout.event(origin.event));
  if ('momentOf' in origin) return inSlot(layout.momentOf(origin.momentOf));
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
  if ('constant' in origin) return { slots: [], raw: () => origin.constant };
  return { slots: [], raw: () => undefined };
}

type Texts = Readonly<Record<string, string>>;

function inSlot(slot: number): Found {
  return { slots: [slot], raw: (slots) => slots.get(slot) };
}

function made(slot: number, make: (found: unknown, slots: Slots) => string | undefined): Found {
  return {
    slots: [slot],
    raw: (slots) => {
      const found = slots.get(slot);
      return found === undefined ? undefined : make(found, slots);
    },
  };
}

function attributeOf(name: string, types: readonly AttributeType[], layout: Layout): Found {
  const ofTypes = types.map((type) => layout.attribute(name, type));
  const [first] = ofTypes;
  if (first !== undefined && ofTypes.length === 1) return inSlot(first);
  return {
    slots: ofTypes,
    raw: (slots) => {
      for (const slot of ofTypes) if (slots.has(slot)) return slots.get(slot);
      return undefined;
    },
  };
}
