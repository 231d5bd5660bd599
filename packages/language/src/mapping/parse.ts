/**
 * One parse for all paths: the paths of a data source become one `Tuple` type for `JSONExtract`, which fills it in a single
 * pass over the document.
 *
 * Must stay true: a value that the tuple leaves NULL is missing or null in the row. The engine fills a tuple from an array by
 * position, so every nested tuple starts with an element that only an array can fill.
 */

import { invariant } from '@glasshouse/model';
import { extract } from './json.ts';
import type { Bindings } from './levels.ts';
import { all, forSome } from './logic.ts';
import { quoteName, quoteText } from './quote.ts';

/** How a value is wanted: as text, or as an array or map of a certain type, with text for whatever is not one. */
export type Want = 'text' | { readonly shape: string };

/** Where a wanted value is found after the parse. */
export interface Found {
  /** `Nullable(String)`, or for a shape `Variant(shape, String)`; NULL when the value is missing or null. */
  readonly value: string;
  /** UInt8: the value is missing or null. Differs from `isNull(value)` where the value was parsed out of a text. */
  readonly missing: string;
}

/** Where the values of one parse are. */
export interface Parse {
  find(keys: readonly string[], want: Want): Found;
}

/** Only an array fills it; no event has such a key. */
const ARRAY_GUARD = 'c__is_an_array';

interface Node {
  readonly keys: readonly string[];
  readonly children: Map<string, Node>;
  text: boolean;
  readonly shapes: Set<string>;
}

/** Binds the parse of all wanted values out of `json`. Paths must not be empty. */
export function bindParse(
  wants: readonly { readonly keys: readonly string[]; readonly want: Want }[],
  json: string,
  bindings: Bindings,
): Parse {
  const root = newNode([]);
  for (const { keys, want } of wants) {
    const node = nodeAt(root, keys);
    if (want === 'text') node.text = true;
    else node.shapes.add(want.shape);
  }
  const planner = new Planner(json, bindings);
  if (root.children.size > 0) planner.parseObject(root, json, undefined);
  return planner;
}

class Planner implements Parse {
  readonly #json: string;
  readonly #bindings: Bindings;
  readonly #found = new Map<string, Found>();
  #suspect: string | undefined;

  constructor(json: string, bindings: Bindings) {
    this.#json = json;
    this.#bindings = bindings;
  }

  find(keys: readonly string[], want: Want): Found {
    const found = this.#found.get(foundKey(keys, want));
    invariant(found, `no parse was planned for ${JSON.stringify(keys)}`);
    return found;
  }

  /** Parses a text into the children of a node. `valid` says when the children count. */
  parseObject(node: Node, json: string, valid: string | undefined): void {
    const tuple = this.#bindings.add(`JSONExtract(${json}, ${quoteText(tupleType(node, valid === undefined))})`);
    this.#children(node, tuple, valid === undefined ? 0 : 1, valid);
  }

  #children(node: Node, tuple: string, offset: number, valid: string | undefined): void {
    let index = offset;
    for (const child of node.children.values()) {
      index += 1;
      this.#child(child, `tupleElement(${tuple}, ${index})`, valid);
    }
  }

  #child(node: Node, element: string, valid: string | undefined): void {
    const guarded = (value: string): string => (valid === undefined ? value : `if(${valid}, ${value}, NULL)`);
    const [only] = demands(node).length === 1 ? demands(node) : [];
    if (only === 'children') {
      const guard = [`isNull(tupleElement(${element}, 1))`, `NOT ${this.#hidesArray(node)}`];
      this.#children(node, element, 1, this.#bindings.add(all([...(valid === undefined ? [] : [valid]), ...guard])));
      return;
    }
    const value = this.#bindings.add(guarded(element));
    if (only !== undefined && only !== 'text') {
      this.#found.set(foundKey(node.keys, { shape: only.shape }), { value, missing: `isNull(${value})` });
      return;
    }
    this.#found.set(foundKey(node.keys, 'text'), { value, missing: `isNull(${value})` });
    for (const shape of node.shapes) {
      const parsed = this.#bindings.add(extract(`assumeNotNull(${value})`, [], variantOf(shape)));
      this.#found.set(foundKey(node.keys, { shape }), { value: parsed, missing: `isNull(${value})` });
    }
    if (node.children.size === 0) return;
    const opens = this.#bindings.add(`ifNull(startsWith(${value}, '{'), 0)`);
    this.parseObject(node, `assumeNotNull(${value})`, opens);
  }

  /** True for an array that the guard misses because its first element is null. */
  #hidesArray(node: Node): string {
    const json = this.#json;
    const path = node.keys.map(quoteText).join(', ');
    return forSome(this.#nullFirst(), (empty) => `JSONType(concat(${json}, ${empty}), ${path}) = 'Array'`);
  }

  /** UInt8: some array of the document may begin with null. */
  #nullFirst(): string {
    const hasNull = `position(${this.#json}, 'null') > 0`;
    this.#suspect ??= this.#bindings.add(
      forSome(hasNull, (empty) => `match(concat(${this.#json}, ${empty}), '\\[\\s*null')`),
    );
    return this.#suspect;
  }
}

function newNode(keys: readonly string[]): Node {
  return { keys, children: new Map(), text: false, shapes: new Set() };
}

function nodeAt(root: Node, keys: readonly string[]): Node {
  let node = root;
  for (const key of keys) {
    const child = node.children.get(key) ?? newNode([...node.keys, key]);
    node.children.set(key, child);
    node = child;
  }
  return node;
}

function demands(node: Node): ('text' | 'children' | { shape: string })[] {
  return [
    ...(node.text ? (['text'] as const) : []),
    ...[...node.shapes].map((shape) => ({ shape })),
    ...(node.children.size > 0 ? (['children'] as const) : []),
  ];
}

function tupleType(node: Node, isRoot: boolean): string {
  const elements = [...node.children].map(([key, child]) => `${quoteName(key)} ${elementType(child)}`);
  return `Tuple(${[...(isRoot ? [] : [`${ARRAY_GUARD} Nullable(String)`]), ...elements].join(', ')})`;
}

function elementType(node: Node): string {
  const [only] = demands(node).length === 1 ? demands(node) : [];
  if (only === 'children') return tupleType(node, false);
  if (only === undefined || only === 'text') return 'Nullable(String)';
  return variantOf(only.shape);
}

function variantOf(shape: string): string {
  return `Variant(${shape}, String)`;
}

function foundKey(keys: readonly string[], want: Want): string {
  return JSON.stringify([keys, want === 'text' ? null : want.shape]);
}
