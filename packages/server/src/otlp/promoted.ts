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

const ROUTE = new Key('http.route');
const MODEL = new Key('gen_ai.request.model');
const STATUS = new Key('http.response.status_code');
const OLD_STATUS = new Key('http.status_code');

/** Keys to look out for. Of a key that has none of their lengths nothing else is compared. */
class Marks {
  private readonly keys: readonly Key[];
  /** By length: 1 if a key has it. */
  private readonly lengths = new Uint8Array(MAX_MARK + 1);

  constructor(names: readonly string[]) {
    this.keys = names.map((name) => new Key(name));
    for (const { length } of this.keys) this.lengths[length] = 1;
  }

  has(wire: Wire, start: number, length: number): boolean {
    if (length > MAX_MARK || this.lengths[length] === 0) return false;
    for (const key of this.keys) if (key.length === length && key.isAt(wire, start)) return true;
    return false;
  }
}

const MAX_MARK = 63;

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
  private readonly marks: Marks;

  constructor(block: Block, marks: readonly string[] = []) {
    this.marks = new Marks(marks);
    this.route = block.column('http_route', LowCardinalityColumn);
    this.model = block.column('gen_ai_model', LowCardinalityColumn);
    this.status = block.column('http_status_code', FixedColumn);
  }

  /** Forgets what was picked up of the row before. */
  begin(): void {
    this.routeStart = this.routeEnd = this.modelStart = this.modelEnd = this.statusCode = 0;
    this.isMarked = false;
  }

  /** A string attribute: its key in `[keyStart, keyEnd)`, its text in `[start, end)`. The first of a name counts, as in the map. */
  text(wire: Wire, keyStart: number, keyEnd: number, start: number, end: number): void {
    const length = keyEnd - keyStart;
    if (!this.isMarked && end > start) this.isMarked = this.marks.has(wire, keyStart, length);
    if (length === ROUTE.length && this.routeEnd === 0 && ROUTE.isAt(wire, keyStart)) {
      this.routeStart = start;
      this.routeEnd = end;
    } else if (length === MODEL.length && this.modelEnd === 0 && MODEL.isAt(wire, keyStart)) {
      this.modelStart = start;
      this.modelEnd = end;
    }
  }

  /** An integer attribute, given as its unsigned halves. */
  integer(wire: Wire, keyStart: number, keyEnd: number, low: number, high: number): void {
    const length = keyEnd - keyStart;
    if (length !== STATUS.length && length !== OLD_STATUS.length) return;
    if (this.statusCode !== 0 || high !== 0 || low > MAX_STATUS) return;
    if ((length === STATUS.length ? STATUS : OLD_STATUS).isAt(wire, keyStart)) this.statusCode = low;
  }

  /** Ends the row. */
  close(wire: Wire): void {
    this.route.appendText(wire, this.routeStart, this.routeEnd);
    this.model.appendText(wire, this.modelStart, this.modelEnd);
    this.status.appendUint16(this.statusCode);
  }
}
