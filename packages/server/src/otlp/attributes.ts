/**
 * Attributes (`repeated KeyValue`) to columns: each type to a map of its own, the rest to JSON text.
 *
 * This is the form for spans, log records and data points, whose numbers people compute with. Resources, scopes, events,
 * links and exemplars have theirs as one JSON object (`attributes-json.ts`).
 */

import type { Block } from '@glasshouse/native';
import { FixedColumn, LowCardinalityColumn, MapColumn, StringColumn } from '@glasshouse/native';
import { anyValueJson, BOOL_VALUE, DOUBLE_VALUE, INT_VALUE, STRING_VALUE, valueField } from './any-value.ts';
import type { PromotedAttributes } from './promoted.ts';
import { KeyMeanings } from './promoted.ts';
import type { Wire } from './wire.ts';
import { malformed } from './wire.ts';

/** The parts of a KeyValue message, as ranges of the body. */
export class KeyValue {
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  textStart = 0;
  textEnd = 0;

  read(wire: Wire, pos: number, end: number): void {
    const bytes = wire.bytes;
    // Nearly every KeyValue is a key shorter than 128 bytes and then a value that ends with the message.
    const keyStart = pos + 2;
    const keyEnd = keyStart + (bytes[pos + 1] as number);
    if (bytes[pos] === 0x0a && keyEnd < end && bytes[keyEnd] === 0x12 && keyEnd < keyStart + 0x80) {
      let valueLength = bytes[keyEnd + 1] as number;
      let valueStart = keyEnd + 2;
      if (valueLength >= 0x80) valueLength = (valueLength & 0x7f) | ((bytes[valueStart++] as number) << 7);
      // A length of three bytes is misread as 16 KiB or more.
      if (valueLength < 0x4000 && valueStart + valueLength === end) {
        this.keyStart = keyStart;
        this.keyEnd = keyEnd;
        this.valueStart = valueStart;
        this.valueEnd = end;
        return;
      }
    }
    this.readAny(wire, pos, end);
  }

  private readAny(wire: Wire, pos: number, end: number): void {
    this.keyStart = this.keyEnd = this.valueStart = this.valueEnd = pos;
    while (pos < end) {
      const tag = wire.varint(pos);
      pos = wire.pos;
      if (tag === 0x0a) {
        this.keyEnd = wire.enter(pos, end);
        this.keyStart = wire.pos;
        pos = this.keyEnd;
      } else if (tag === 0x12) {
        this.valueEnd = wire.enter(pos, end);
        this.valueStart = wire.pos;
        pos = this.valueEnd;
      } else pos = wire.skip(tag, pos, end);
    }
    if (pos !== end) throw malformed('an attribute is cut off');
  }

  /** Finds the text of the value. False if the value isn't a string. */
  findText(wire: Wire): boolean {
    const { valueStart, valueEnd } = this;
    if (valueStart < valueEnd && wire.bytes[valueStart] === STRING_VALUE) {
      this.textEnd = wire.enter(valueStart + 1, valueEnd);
      this.textStart = wire.pos;
      if (this.textEnd === valueEnd) return true;
    }
    const field = valueField(wire, valueStart, valueEnd);
    this.textStart = field.start;
    this.textEnd = field.end;
    return field.tag === STRING_VALUE;
  }
}

/** Where promoted attributes go, and what the keys of the two maps mean in which they are found. */
interface Promotion {
  readonly attributes: PromotedAttributes;
  readonly strings: KeyMeanings;
  readonly ints: KeyMeanings;
}

type StringMap = MapColumn<LowCardinalityColumn, StringColumn>;
type FixedMap = MapColumn<LowCardinalityColumn, FixedColumn>;

/** The five attribute maps of a fact table. */
export class TypedAttributes {
  private readonly keyValue = new KeyValue();
  private readonly strings: StringMap;
  private readonly ints: FixedMap;
  private readonly doubles: FixedMap;
  private readonly bools: FixedMap;
  private readonly others: StringMap;
  /** Told of every text and integer. */
  private readonly promoted: Promotion | undefined;

  /** `marks` are the keys that rows with one of them are marked by. */
  constructor(block: Block, promoted?: PromotedAttributes, marks: readonly string[] = []) {
    this.strings = block.column('attributes_string', MapColumn) as StringMap;
    this.ints = block.column('attributes_int', MapColumn) as FixedMap;
    this.doubles = block.column('attributes_double', MapColumn) as FixedMap;
    this.bools = block.column('attributes_bool', MapColumn) as FixedMap;
    this.others = block.column('attributes_json', MapColumn) as StringMap;
    this.promoted =
      promoted === undefined
        ? undefined
        : {
            attributes: promoted,
            strings: new KeyMeanings(this.strings.keys, marks),
            ints: new KeyMeanings(this.ints.keys, []),
          };
  }

  /** Appends the KeyValue message in `[pos, end)` to the open row. */
  append(wire: Wire, pos: number, end: number): void {
    const pair = this.keyValue;
    pair.read(wire, pos, end);
    const { keyStart, keyEnd, valueStart, valueEnd } = pair;
    // An AnyValue is a oneof: nearly always one field that fills the message exactly.
    const tag = valueStart < valueEnd ? (wire.bytes[valueStart] as number) : 0;
    const start = valueStart + 1;
    if (tag === STRING_VALUE) {
      const stringEnd = wire.enter(start, valueEnd);
      if (stringEnd === valueEnd) {
        this.strings.keys.appendText(wire, keyStart, keyEnd);
        this.strings.values.appendText(wire, wire.pos, stringEnd);
        this.promote(wire, keyStart, keyEnd, wire.pos, stringEnd);
        return;
      }
    } else if (tag === INT_VALUE) {
      wire.varint64(start);
      if (wire.pos === valueEnd) {
        this.ints.keys.appendText(wire, keyStart, keyEnd);
        this.ints.values.appendHalves(wire.low, wire.high);
        this.promoteInteger(wire, keyStart, keyEnd);
        return;
      }
    } else if (tag === BOOL_VALUE) {
      wire.varint64(start);
      if (wire.pos === valueEnd) {
        this.bools.keys.appendText(wire, keyStart, keyEnd);
        this.bools.values.appendUint8((wire.low | wire.high) === 0 ? 0 : 1);
        return;
      }
    } else if (tag === DOUBLE_VALUE && start + 8 === valueEnd) {
      this.doubles.keys.appendText(wire, keyStart, keyEnd);
      this.doubles.values.appendBytes(wire, start);
      return;
    }
    this.appendAny(wire, pair);
  }

  /** Appends what is not a single field in its usual encoding: arrays and the like, and what only looks unusual. */
  private appendAny(wire: Wire, { keyStart, keyEnd, valueStart, valueEnd }: KeyValue): void {
    const { tag, start, end } = valueField(wire, valueStart, valueEnd);
    switch (tag) {
      case STRING_VALUE:
        this.strings.keys.appendText(wire, keyStart, keyEnd);
        this.strings.values.appendText(wire, start, end);
        this.promote(wire, keyStart, keyEnd, start, end);
        return;
      case INT_VALUE:
        wire.varint64(start);
        this.ints.keys.appendText(wire, keyStart, keyEnd);
        this.ints.values.appendHalves(wire.low, wire.high);
        this.promoteInteger(wire, keyStart, keyEnd);
        return;
      case BOOL_VALUE:
        wire.varint64(start);
        this.bools.keys.appendText(wire, keyStart, keyEnd);
        this.bools.values.appendUint8((wire.low | wire.high) === 0 ? 0 : 1);
        return;
      case DOUBLE_VALUE:
        this.doubles.keys.appendText(wire, keyStart, keyEnd);
        this.doubles.values.appendBytes(wire, start);
        return;
      default:
        this.others.keys.appendText(wire, keyStart, keyEnd);
        this.others.values.appendString(anyValueJson(wire, valueStart, valueEnd));
    }
  }

  private promote(wire: Wire, keyStart: number, keyEnd: number, start: number, end: number): void {
    const { promoted } = this;
    if (promoted !== undefined) promoted.attributes.text(promoted.strings.ofLast(wire, keyStart, keyEnd), start, end);
  }

  /** Promotes the integer that was read last. */
  private promoteInteger(wire: Wire, keyStart: number, keyEnd: number): void {
    const { promoted } = this;
    if (promoted !== undefined)
      promoted.attributes.integer(promoted.ints.ofLast(wire, keyStart, keyEnd), wire.low, wire.high);
  }

  /** Ends the row. */
  close(): void {
    this.strings.close();
    this.ints.close();
    this.doubles.close();
    this.bools.close();
    this.others.close();
  }
}
