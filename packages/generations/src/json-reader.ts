/**
 * JSON paths as SQL. The engine's functions parse the whole text each time, so all the keys that are wanted of one object are
 * taken at once, as a tuple that is bound to a name; what is itself an object is a text of that tuple, and is opened the same way.
 *
 * Must stay true: an array is never taken for an object (the engine would fill the tuple by place).
 */

import { quoteName, quoteText } from './quote.ts';
import type { JsonPath } from './source.ts';

interface Opened {
  readonly name: string;
  readonly text: string;
  /** Key → place in the tuple. */
  readonly keys: Map<string, number>;
}

export class JsonReader {
  private readonly objects = new Map<string, Opened>();
  private readonly arrays = new Map<string, readonly [name: string, sql: string]>();
  /** Names in the order in which they were first wanted: one that is opened inside another comes later. */
  private readonly order: string[] = [];
  private readonly written: boolean;

  /** @param written whether to write everything out instead of binding it to names */
  constructor(written = false) {
    this.written = written;
  }

  /** `Nullable(String)`: the text at the path of a text, NULL if there is nothing. */
  at(text: string, path: JsonPath): string {
    if (this.written) return this.inline(text, path);
    let current = text;
    for (const step of path)
      current = typeof step === 'number' ? this.element(current, step) : this.member(current, step);
    return current;
  }

  /** The same, written out: for a text that has no name outside of a lambda. */
  inline(text: string, path: JsonPath): string {
    let current = text;
    for (const step of path) {
      current =
        typeof step === 'number'
          ? `${arrayOf(current)}[${step + 1}]`
          : `JSONExtract(${objectText(current)}, ${quoteText(step)}, 'Nullable(String)')`;
    }
    return current;
  }

  /** `Array(Nullable(String))`: the elements of the array that a text is; none of anything else. */
  elements(text: string): string {
    return arrayOf(text);
  }

  /** What is bound, each after what it uses. */
  bindings(): readonly (readonly [name: string, sql: string])[] {
    const objects = new Map([...this.objects.values()].map((opened) => [opened.name, opened] as const));
    const arrays = new Map(this.arrays.values());
    return this.order.map((name) => {
      const opened = objects.get(name);
      if (opened === undefined) return [name, arrays.get(name) ?? ''];
      const type = [...opened.keys.keys()].map((key) => `${quoteName(key)} Nullable(String)`).join(', ');
      return [name, `JSONExtract(${objectText(opened.text)}, ${quoteText(`Tuple(${type})`)})`];
    });
  }

  private member(text: string, key: string): string {
    let opened = this.objects.get(text);
    if (opened === undefined) {
      opened = { name: this.newName(), text, keys: new Map() };
      this.objects.set(text, opened);
    }
    let place = opened.keys.get(key);
    if (place === undefined) {
      place = opened.keys.size + 1;
      opened.keys.set(key, place);
    }
    return `tupleElement(${opened.name}, ${place})`;
  }

  private element(text: string, index: number): string {
    let bound = this.arrays.get(text);
    if (bound === undefined) {
      bound = [this.newName(), arrayOf(text)];
      this.arrays.set(text, bound);
    }
    return `${bound[0]}[${index + 1}]`;
  }

  private newName(): string {
    const name = `_json_${this.order.length}`;
    this.order.push(name);
    return name;
  }
}

function objectText(text: string): string {
  return opening(text, '{', '{}');
}

function arrayOf(text: string): string {
  return `JSONExtract(${opening(text, '[', '[]')}, 'Array(Nullable(String))')`;
}

/** The text if it begins as it should, else an empty one of the kind. */
function opening(text: string, bracket: string, empty: string): string {
  return `ifNull(if(match(${text}, ${quoteText(`^\\s*\\${bracket}`)}), ${text}, ${quoteText(empty)}), ${quoteText(empty)})`;
}
