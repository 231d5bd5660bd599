/**
 * Promoted attributes of a span: the few that nearly every dashboard filters by have a column of their own beside the map.
 * They are picked up while the attributes are read; the engine would have to search the map of every row for them.
 */

import type { Block } from '@glasshouse/native';
import { encodeText, FixedColumn, LowCardinalityColumn, sameBytes, sourceOf } from '@glasshouse/native';
import type { Wire } from './wire.ts';

const MAX_STATUS = 0xffff;

/** An attribute key to compare with the request's bytes. */
class Key {
  readonly length: number;
  private readonly view: DataView;

  constructor(text: string) {
    const bytes = encodeText(text);
    this.length = bytes.length;
    this.view = sourceOf(bytes).view;
  }

  isAt(wire: Wire, start: number): boolean {
    return sameBytes(this.view, 0, wire.view, start, this.length);
  }
}

/** What a key means, as bits. Zero is a key that was not looked at yet. */
const LOOKED_AT = 1;
const MARK = 2;
const ROUTE = 4;
const MODEL = 8;
const STATUS = 16;

const PROMOTED: readonly (readonly [name: string, meaning: number])[] = [
  ['http.route', ROUTE],
  ['gen_ai.request.model', MODEL],
  ['http.response.status_code', STATUS],
  ['http.status_code', STATUS],
];

/**
 * What the keys of a column of maps mean. The column numbers its keys anyway, so each is compared with the names once, and
 * after that its number says it.
 */
export class KeyMeanings {
  private readonly column: LowCardinalityColumn;
  private readonly names: readonly (readonly [key: Key, meaning: number])[];
  private meanings = new Uint8Array(256);
  private forgotten = 0;

  constructor(column: LowCardinalityColumn, marks: readonly string[]) {
    this.column = column;
    const named = [...PROMOTED, ...marks.map((name) => [name, MARK] as const)];
    this.names = named.map(([name, meaning]) => [new Key(name), meaning]);
  }

  /** Of the key that was appended to the column last, which stands in `[start, end)`. */
  ofLast(wire: Wire, start: number, end: number): number {
    const { column } = this;
    if (column.forgotten !== this.forgotten) {
      this.meanings.fill(0);
      this.forgotten = column.forgotten;
    }
    return this.meanings[column.last] || this.look(column.last, wire, start, end);
  }

  private look(id: number, wire: Wire, start: number, end: number): number {
    if (id >= this.meanings.length) {
      const larger = new Uint8Array(Math.max(id + 1, this.meanings.length * 2));
      larger.set(this.meanings);
      this.meanings = larger;
    }
    let meaning = LOOKED_AT;
    for (const [key, bits] of this.names) {
      if (key.length === end - start && key.isAt(wire, start)) meaning |= bits;
    }
    this.meanings[id] = meaning;
    return meaning;
  }
}

export class PromotedAttributes {
  /** Whether the row has a string attribute of one of the keys that are looked out for. */
  isMarked = false;
  private readonly route: LowCardinalityColumn;
  private readonly model: LowCardinalityColumn;
  private readonly status: FixedColumn;
  private routeStart = 0;
  private routeEnd = 0;
  private modelStart = 0;
  private modelEnd = 0;
  private statusCode = 0;

  constructor(block: Block) {
    this.route = block.column('http_route', LowCardinalityColumn);
    this.model = block.column('gen_ai_model', LowCardinalityColumn);
    this.status = block.column('http_status_code', FixedColumn);
  }

  /** Forgets what was picked up of the row before. */
  begin(): void {
    this.routeStart = this.routeEnd = this.modelStart = this.modelEnd = this.statusCode = 0;
    this.isMarked = false;
  }

  /** A string attribute: what its key means, and its text in `[start, end)`. The first of a name counts, as in the map. */
  text(meaning: number, start: number, end: number): void {
    if (meaning === LOOKED_AT) return;
    if ((meaning & MARK) !== 0 && end > start) this.isMarked = true;
    if ((meaning & ROUTE) !== 0 && this.routeEnd === 0) {
      this.routeStart = start;
      this.routeEnd = end;
    } else if ((meaning & MODEL) !== 0 && this.modelEnd === 0) {
      this.modelStart = start;
      this.modelEnd = end;
    }
  }

  /** An integer attribute, given as its unsigned halves. */
  integer(meaning: number, low: number, high: number): void {
    if ((meaning & STATUS) === 0 || this.statusCode !== 0 || high !== 0 || low > MAX_STATUS) return;
    this.statusCode = low;
  }

  /** Ends the row. */
  close(wire: Wire): void {
    this.route.appendText(wire, this.routeStart, this.routeEnd);
    this.model.appendText(wire, this.modelStart, this.modelEnd);
    this.status.appendUint16(this.statusCode);
  }
}
