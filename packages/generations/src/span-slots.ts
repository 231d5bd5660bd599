/**
 * Spans as slots: attributes by name and type, columns of the span, and of its events what is asked for.
 *
 * Must stay true: of attributes with the same name and type the first counts, and of events with the same name.
 */

import { Layout, type AttributeSlots, type EventSlots } from './layout.ts';
import type { SpanEvent } from './messages.ts';
import { plainValues, type ByteSource, type PackedValues } from './packed.ts';
import { Slots, type Bytes } from './slots.ts';
import type { Dialect, SpanField } from './source.ts';
import { Table, type GenerationValues } from './table.ts';

/** Attributes of which a dialect takes all that begin alike. */
interface Prefix {
  readonly start: string;
  readonly slot: number;
}

export class SpanSlots {
  /** By name, the slots of the attributes that are asked for; texts that also belong to a prefix are told twice. */
  readonly attributes: ReadonlyMap<string, AttributeSlots>;
  /** Names of events that are asked for. */
  readonly events: ReadonlyMap<string, EventSlots>;
  readonly prefixes: readonly Prefix[];
  private readonly fields: ReadonlyMap<SpanField, number>;
  private readonly slots: Slots;
  private readonly table: Table;
  /** Texts whose names begin as is asked for. */
  private texts: Record<string, string> | undefined;

  constructor(dialects: readonly Dialect[]) {
    const layout = new Layout();
    this.table = new Table(dialects, layout);
    this.slots = new Slots(layout.size);
    this.attributes = layout.attributes;
    this.events = layout.events;
    this.fields = layout.fields;
    this.prefixes = [...layout.prefixes].map(([start, slot]) => ({ start, slot }));
  }

  /** Forgets the last span. Ranges of the next one are of these bytes. */
  begin(bytes?: Bytes, source?: ByteSource): void {
    this.slots.begin(bytes, source);
    this.texts = undefined;
  }

  /** The slot of a column of spans; -1 if nobody asks for it. */
  fieldSlot(name: SpanField): number {
    return this.fields.get(name) ?? -1;
  }

  /** A column of the span; nothing if nobody asks for it. */
  field(slot: number, value: string | number | bigint): void {
    if (slot >= 0) this.slots.set(slot, value);
  }

  /** A column as UTF-8. */
  fieldRange(slot: number, start: number, end: number): void {
    if (slot >= 0) this.slots.verbatim(slot, start, end);
  }

  /** Whether a slot is asked for, and this is the first value for it. */
  isOpen(slot: number | undefined): slot is number {
    return slot !== undefined && this.slots.isFree(slot);
  }

  set(slot: number, value: unknown): void {
    this.slots.set(slot, value);
  }

  /** What is in a slot; undefined for nothing. */
  get(slot: number): unknown {
    return this.slots.get(slot);
  }

  /** A text as UTF-8. */
  range(slot: number, start: number, end: number): void {
    this.slots.verbatim(slot, start, end);
  }

  /** A text whose name begins as a prefix. */
  prefixed({ slot }: Prefix, name: string, value: string): void {
    this.texts ??= Object.create(null) as Record<string, string>;
    this.texts[name] ??= value;
    if (this.slots.isFree(slot)) this.slots.set(slot, this.texts);
  }

  /** An event of a name that is asked for. Its attributes are JSON text, asked for only if they are wanted. */
  event(asked: EventSlots, name: string, time: bigint, attributes: () => string): void {
    const { slots } = this;
    for (const slot of asked.moments) if (slots.isFree(slot)) slots.set(slot, time);
    const isFirst = this.isOpen(asked.attributes < 0 ? undefined : asked.attributes);
    if (!isFirst && asked.messages.length === 0) return;
    const event: SpanEvent = { name, attributes: attributes() };
    if (isFirst) slots.set(asked.attributes, event.attributes);
    for (const slot of asked.messages) {
      const before = slots.get(slot) as SpanEvent[] | undefined;
      if (before === undefined) slots.set(slot, [event]);
      else before.push(event);
    }
  }

  /** The values of the span's row; undefined if it is no generation. */
  read(): GenerationValues | undefined {
    const values = this.table.read(this.slots);
    return values === undefined ? undefined : plainValues(values);
  }

  /** The same, as they are until the next span. */
  readPacked(): PackedValues | undefined {
    return this.table.read(this.slots);
  }

  /** Whether it is a generation. */
  recognises(): boolean {
    return this.table.recognises(this.slots);
  }
}
