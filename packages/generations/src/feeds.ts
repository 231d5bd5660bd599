/**
 * Sources and conditions of dialects as functions over slots, made once. Separate from the tables (`table.ts`), which know no origin.
 *
 * Must stay true: a text of which the bytes are enough is never made a string here.
 */

import type { GenerationColumn } from './columns.ts';
import { listCallsText, listText } from './flat-list.ts';
import type { Layout } from './layout.ts';
import { messagesText, prefixText, type SpanEvent } from './messages.ts';
import { Instant, TextRange, type PackedValue } from './packed.ts';
import { converter, elapsedMs, textOf } from './parse.ts';
import type { Slots } from './slots.ts';
import type { Condition, Origin, Source } from './source.ts';
import { readTimeIn } from './time.ts';

export type Holds = (slots: Slots) => boolean;

/** What stands in a source: a text, a number, a flag, a piece of JSON; undefined for nothing. */
interface Found {
  /** One of these has to be taken. */
  readonly slots: readonly number[];
  /** What it is; undefined if it is what is in the first of the slots that has something. */
  readonly make?: (slots: Slots) => unknown;
}

/** Where a column's value may come from. */
export interface Fed {
  /** One of these has to be taken; undefined if there always is a value. */
  readonly slots: readonly number[] | undefined;
  /** The value; undefined if it is what is in the first of the slots that has something, converted. */
  readonly value?: (slots: Slots) => PackedValue | undefined;
  readonly convert: (value: unknown) => PackedValue | undefined;
  /** What becomes of bytes that are the very text, without a string in between; undefined if there has to be one. */
  readonly text: TextRange | undefined;
  /** What the time is that the text says; undefined if it is to be the text itself. */
  readonly time: Instant | undefined;
}

/** Where a dialect's things are, and which slots have texts that are wanted as strings. */
export interface Places {
  readonly layout: Layout;
  readonly words: Set<number>;
}

type ColumnType = Pick<GenerationColumn, 'kind' | 'type'>;

const NO_BYTES = { text: undefined, time: undefined } as const;
const TIME: ColumnType = { kind: 'time', type: '' };

/** The value that a source has for a column; undefined for nothing. It stays until the next record is read. */
export function valueIn(fed: Fed, slots: Slots): PackedValue | undefined {
  if (fed.value !== undefined) return fed.value(slots);
  const slot = fed.slots === undefined ? -1 : firstOf(fed.slots, slots);
  if (slot < 0) return undefined;
  const { text, time } = fed;
  if (text === undefined || !slots.isVerbatim(slot)) return fed.convert(slots.get(slot));
  slots.locate(slot, text);
  if (time === undefined) return text;
  return readTimeIn(text.source.bytes, text.start, text.end, time) ? time : undefined;
}

/** The first of the slots that has something; -1 for none. */
function firstOf(feeding: readonly number[], slots: Slots): number {
  for (let at = 0; at < feeding.length; at++) {
    const slot = feeding[at] as number;
    if (slots.has(slot)) return slot;
  }
  return -1;
}

/** What a condition asks of a record. */
export function holds({ source, in: wanted, absent, except }: Condition, { layout, words }: Places): Holds {
  const { slots: feeding, make } = foundOf(source, layout);
  const isText = wanted !== undefined || except !== undefined;
  if (isText) for (const slot of feeding) words.add(slot);
  if (make === undefined && !isText) {
    const isThere = absent !== true;
    return (slots) => firstOf(feeding, slots) >= 0 === isThere;
  }
  const raw = make ?? firstIn(feeding);
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

/** What a source says of a column. */
export function valueOf(column: ColumnType, { origin, at, as }: Source, places: Places): Fed {
  const { kind, type } = column;
  const { layout, words } = places;
  const convert = converter(kind, as);
  if ('constant' in origin) {
    const value = isNothing(origin.constant) ? undefined : convert(origin.constant);
    return { slots: undefined, value: () => value, convert, ...NO_BYTES };
  }
  if ('from' in origin) {
    const [from, until] = [valueOf(TIME, origin.from, places), valueOf(TIME, origin.until, places)];
    const value = (slots: Slots): number | undefined => {
      const end = valueIn(until, slots);
      const start = end === undefined ? undefined : valueIn(from, slots);
      return start instanceof Instant && end instanceof Instant ? elapsedMs(start, end) : undefined;
    };
    return { slots: until.slots, value, convert, ...NO_BYTES };
  }
  const { slots: feeding, make } = foundOf({ origin, ...(at === undefined ? {} : { at }) }, layout);
  if (make === undefined) {
    const areBytes = as === undefined && (kind === 'time' || type === 'String');
    const isWord = !areBytes && (kind === 'text' || typeof as === 'object');
    if (isWord) for (const slot of feeding) words.add(slot);
    const time = kind === 'time' ? new Instant() : undefined;
    return { slots: feeding, convert, ...(areBytes ? { text: new TextRange(), time } : NO_BYTES) };
  }
  const value = (slots: Slots): PackedValue | undefined => {
    const raw = make(slots);
    return isNothing(raw) ? undefined : convert(raw);
  };
  return { slots: feeding, value, convert, ...NO_BYTES };
}

/** The lists are short, and most texts differ from all of them in their length. */
function isAmong(text: string, texts: readonly string[]): boolean {
  for (const one of texts) if (one === text) return true;
  return false;
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function firstIn(feeding: readonly number[]): (slots: Slots) => unknown {
  return (slots) => {
    const slot = firstOf(feeding, slots);
    return slot < 0 ? undefined : slots.get(slot);
  };
}

function foundOf({ origin, at }: Pick<Source, 'origin' | 'at'>, layout: Layout): Found {
  if ('line' in origin) return { slots: [layout.path(at ?? [])] };
  const whole = originOf(origin, layout);
  if (at === undefined) return whole;
  const memory = 'field' in origin ? 'lasting' : 'json';
  const { slots: feeding, make = firstIn(feeding) } = whole;
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
