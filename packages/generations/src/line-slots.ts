/**
 * Lines of events as slots. The paths that the dialects ask for are a tree, so that one walk through a line finds all of them, and
 * what nobody asks for is passed over.
 *
 * Must stay true: of a key that comes twice the last counts, with what is inside it; a text that holds JSON is opened where something
 * inside it is asked for.
 */

import { openJson } from './json.ts';
import { Layout, type PathNode } from './layout.ts';
import { plainValues, type ByteSource, type PackedValues } from './packed.ts';
import { Slots, type Bytes } from './slots.ts';
import type { Dialect } from './source.ts';
import { Table, type GenerationValues } from './table.ts';

export class LineSlots {
  /** What is asked for of a line. */
  readonly root: PathNode;
  private readonly slots: Slots;
  private readonly table: Table;

  constructor(dialects: readonly Dialect[]) {
    const layout = new Layout();
    this.table = new Table(dialects, layout);
    this.slots = new Slots(layout.size);
    this.root = layout.root;
  }

  /** Forgets the last line. Ranges of the next one are of these bytes. */
  begin(bytes?: Bytes, source?: ByteSource): void {
    this.slots.begin(bytes, source);
  }

  /** The value at a slot: a text, a number, a flag, an object or array; null for nothing. */
  set(slot: number, value: unknown): void {
    this.slots.set(slot, value);
  }

  /** The text at a slot as valid UTF-8. */
  range(slot: number, start: number, end: number): void {
    this.slots.range(slot, start, end);
  }

  /** The same of a text that is these very bytes. */
  verbatim(slot: number, start: number, end: number): void {
    this.slots.verbatim(slot, start, end);
  }

  /** Whether a slot's text is wanted as such, wherever it goes. */
  isWord(slot: number): boolean {
    return this.table.words.has(slot);
  }

  /** The value at a node, and all that is asked for inside it: a JSON value, the whole line as its text. */
  fill({ slot, keys, elements }: PathNode, value: unknown): void {
    if (slot >= 0) this.slots.set(slot, value);
    if (keys.size === 0 && elements.size === 0) return;
    const opened = typeof value === 'string' ? openJson(value) : value;
    if (typeof opened !== 'object' || opened === null) return;
    if (Array.isArray(opened)) {
      for (const [index, node] of elements) this.fill(node, opened[index]);
      return;
    }
    const object = opened as Readonly<Record<string, unknown>>;
    for (const key in object) {
      const node = keys.get(key);
      if (node !== undefined) this.fill(node, object[key]);
    }
  }

  /** Takes a line that is there as a text. */
  fillLine(line: string): void {
    this.begin();
    this.fill(this.root, line);
  }

  /** The values of the line's row; undefined if it is no generation. */
  read(): GenerationValues | undefined {
    const values = this.table.read(this.slots);
    return values === undefined ? undefined : plainValues(values);
  }

  /** The same, as they are until the next line. */
  readPacked(): PackedValues | undefined {
    return this.table.read(this.slots);
  }

  /** Whether it is a generation. */
  recognises(): boolean {
    return this.table.recognises(this.slots);
  }
}
