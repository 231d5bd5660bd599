/**
 * Which slot stands for what: everything that some dialects ask for, by where it stands, so that whoever fills slots knows what to look
 * for and whoever reads them where to look.
 */

import type { AttributeType, JsonPath, Origin, SpanField } from './source.ts';

/** A value inside a line: its own slot, and the values inside it that are asked for. */
export interface PathNode {
  /** -1 if nobody asks for the value as a whole. */
  slot: number;
  /** Where the value is an object. */
  readonly keys: Map<string, PathNode>;
  /** Where it is an array. */
  readonly elements: Map<number, PathNode>;
}

type Messages = Extract<Origin, { messages: unknown }>['messages'];

/** The slots of one attribute, by the type of its value. */
export type AttributeSlots = Partial<Record<AttributeType, number>>;

/** What is asked of events of a name. */
export interface EventSlots {
  /** The attributes of the first one; -1 if nobody asks. */
  attributes: number;
  /** When the first event of one of several names was. */
  readonly moments: number[];
  /** All of them, with those of other names, in order. */
  readonly messages: number[];
}

export class Layout {
  /** Slots so far. */
  size = 0;
  readonly root: PathNode = { slot: -1, keys: new Map(), elements: new Map() };
  readonly attributes = new Map<string, AttributeSlots>();
  readonly fields = new Map<SpanField, number>();
  /** By how names of string attributes begin. */
  readonly prefixes = new Map<string, number>();
  readonly events = new Map<string, EventSlots>();
  private readonly moments = new Map<string, number>();
  private readonly messages = new Map<Messages, number>();

  attribute(name: string, type: AttributeType): number {
    const slots = entry(this.attributes, name, (): AttributeSlots => ({}));
    return (slots[type] ??= this.size++);
  }

  field(name: SpanField): number {
    return entry(this.fields, name, () => this.size++);
  }

  prefix(start: string): number {
    return entry(this.prefixes, start, () => this.size++);
  }

  event(name: string): number {
    const slots = this.eventOf(name);
    if (slots.attributes < 0) slots.attributes = this.size++;
    return slots.attributes;
  }

  momentOf(names: readonly string[]): number {
    return entry(this.moments, JSON.stringify(names), () => {
      for (const name of new Set(names)) this.eventOf(name).moments.push(this.size);
      return this.size++;
    });
  }

  messagesOf(messages: Messages): number {
    return entry(this.messages, messages, () => {
      for (const name of Object.keys(messages)) this.eventOf(name).messages.push(this.size);
      return this.size++;
    });
  }

  /** A value of a line. */
  path(path: JsonPath): number {
    let node = this.root;
    for (const step of path) {
      const empty = (): PathNode => ({ slot: -1, keys: new Map(), elements: new Map() });
      node = typeof step === 'number' ? entry(node.elements, step, empty) : entry(node.keys, step, empty);
    }
    if (node.slot < 0) node.slot = this.size++;
    return node.slot;
  }

  private eventOf(name: string): EventSlots {
    return entry(this.events, name, () => ({ attributes: -1, moments: [], messages: [] }));
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
