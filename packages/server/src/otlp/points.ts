/**
 * What all data points have in common: times, metric name, attributes, flags, exemplars, and the columns for them in each
 * of the five metric tables.
 */

import type { FactTable } from '@glasshouse/schema';
import {
  ArrayColumn,
  Block,
  FixedColumn,
  LowCardinalityColumn,
  NullableColumn,
  StringColumn,
} from '@glasshouse/native';
import { AttributesJson } from './attributes-json.ts';
import { TypedAttributes } from './attributes.ts';
import type { Envelope, Range } from './envelope.ts';
import { EnvelopeColumns } from './envelope.ts';
import { FieldIndex } from './fields-index.ts';
import { MetadataReader } from './shared.ts';
import type { Wire } from './wire.ts';
import { malformed } from './wire.ts';

/** The fields of a Metric that every one of its data points repeats. */
export interface MetricHeader {
  readonly name: Range;
  readonly description: Range;
  readonly unit: Range;
  /** The Metric message itself, for its metadata (field 12). */
  readonly message: Range;
}

const VALUE_DOUBLE = 1;
const VALUE_INT = 2;

/** The common columns of one metric table. */
export class PointColumns {
  readonly block: Block;
  private readonly envelope: EnvelopeColumns;
  private readonly attributes: TypedAttributes;
  private readonly metadata: MetadataReader;
  private readonly timestamp: FixedColumn;
  private readonly startTimestamp: FixedColumn;
  private readonly flags: FixedColumn;
  private readonly labels: Readonly<Record<'name' | 'description' | 'unit' | 'metadata', LowCardinalityColumn>>;

  constructor(table: FactTable) {
    const block = new Block(table);
    this.block = block;
    this.envelope = new EnvelopeColumns(block);
    this.attributes = new TypedAttributes(block);
    this.metadata = new MetadataReader(block.repairs);
    this.timestamp = block.column('timestamp', FixedColumn);
    this.startTimestamp = block.column('start_timestamp', FixedColumn);
    this.flags = block.column('flags', FixedColumn);
    this.labels = {
      name: block.column('name', LowCardinalityColumn),
      description: block.column('description', LowCardinalityColumn),
      unit: block.column('unit', LowCardinalityColumn),
      metadata: block.column('metadata', LowCardinalityColumn),
    };
  }

  /** Appends what the point has in common with all others and closes its row. Values must be appended as well. */
  append(wire: Wire, point: Range, fields: FieldIndex, attributesField: number, flagsField: number): void {
    const attributesTag = (attributesField << 3) | 2;
    let pos = point.start;
    while (pos < point.end) {
      const tag = wire.varint(pos);
      const start = wire.pos;
      pos = wire.skip(tag, start, point.end);
      if (tag === attributesTag) this.attributes.append(wire, wire.pos, pos);
    }
    this.attributes.close();
    wire.fixed64(fields.fixed64At(TIME_FIELD));
    this.timestamp.appendHalves(wire.low, wire.high);
    this.block.days.add(wire.low, wire.high);
    appendFixed64(this.startTimestamp, wire, fields, START_FIELD);
    this.flags.appendUint32(fields.varint(wire, flagsField));
    this.block.rows++;
  }

  /** Fills the metric's own columns for the rows that its points added. */
  endMetric(wire: Wire, header: MetricHeader): void {
    const { name, description, unit, metadata } = this.labels;
    const rows = this.block.rows - name.count;
    if (rows === 0) return;
    name.repeat(name.localOf(wire, header.name.start, header.name.end), rows);
    description.repeat(description.localOf(wire, header.description.start, header.description.end), rows);
    unit.repeat(unit.localOf(wire, header.unit.start, header.unit.end), rows);
    const { source, length } = this.metadata.read(wire, header.message.start, header.message.end);
    metadata.repeat(metadata.localOf(source, 0, length), rows);
  }

  endScope(wire: Wire, envelope: Envelope): void {
    this.envelope.fill(wire, envelope);
  }
}

/** Field numbers that all data points share. */
const START_FIELD = 2;
export const TIME_FIELD = 3;

/** A number that was sent as a double or as an integer (NumberDataPoint, Exemplar). */
export class NumberColumns {
  private readonly type: FixedColumn;
  private readonly value: FixedColumn;
  private readonly valueInt: FixedColumn;

  constructor(type: FixedColumn, value: FixedColumn, valueInt: FixedColumn) {
    this.type = type;
    this.value = value;
    this.valueInt = valueInt;
  }

  append(wire: Wire, fields: FieldIndex, doubleField: number, intField: number): void {
    const doubleAt = fields.fixed64At(doubleField);
    const intAt = fields.fixed64At(intField);
    // A oneof: if both are there, the last one counts.
    if (doubleAt > intAt) {
      this.type.appendUint8(VALUE_DOUBLE);
      this.value.appendBytes(wire, doubleAt);
      this.valueInt.appendZeros(1);
    } else if (intAt >= 0) {
      this.type.appendUint8(VALUE_INT);
      this.value.appendFloat64(Number(wire.view.getBigInt64(intAt, true)));
      this.valueInt.appendBytes(wire, intAt);
    } else {
      this.type.appendUint8(0);
      this.value.appendZeros(1);
      this.valueInt.appendZeros(1);
    }
  }
}

/** Exemplar { time = 2, as_double = 3, span_id = 4, trace_id = 5, as_int = 6, filtered_attributes = 7 }. */
export class ExemplarColumns {
  private readonly fields = new FieldIndex();
  private readonly arrays: readonly ArrayColumn[];
  private readonly timestamp: FixedColumn;
  private readonly numbers: NumberColumns;
  private readonly traceId: FixedColumn;
  private readonly spanId: FixedColumn;
  private readonly attributes: StringColumn;
  private readonly json: AttributesJson;

  constructor(block: Block) {
    const array = (name: string): ArrayColumn => block.column(`exemplars.${name}`, ArrayColumn);
    const fixed = (name: string): FixedColumn => array(name).items as FixedColumn;
    this.timestamp = fixed('timestamp');
    this.numbers = new NumberColumns(fixed('value_type'), fixed('value'), fixed('value_int'));
    this.traceId = fixed('trace_id');
    this.spanId = fixed('span_id');
    this.attributes = array('attributes').items as StringColumn;
    this.json = new AttributesJson(block.repairs);
    this.arrays = ['timestamp', 'value_type', 'value', 'value_int', 'trace_id', 'span_id', 'attributes'].map(array);
  }

  /** Appends all exemplars of the point in `[pos, end)`, which are its field number `field`, and closes the row. */
  append(wire: Wire, pos: number, end: number, field: number): void {
    const wanted = (field << 3) | 2;
    while (pos < end) {
      const tag = wire.varint(pos);
      pos = wire.skip(tag, wire.pos, end);
      if (tag === wanted) this.appendOne(wire, wire.pos, pos);
    }
    for (const array of this.arrays) array.close();
  }

  private appendOne(wire: Wire, pos: number, end: number): void {
    const { fields } = this;
    fields.read(wire, pos, end, 'an exemplar');
    appendFixed64(this.timestamp, wire, fields, 2);
    this.numbers.append(wire, fields, 3, 6);
    if (fields.length(5) === 16) this.traceId.appendBytes(wire, fields.start(5));
    else this.traceId.appendZeros(1);
    if (fields.length(4) === 8) this.spanId.appendBytes(wire, fields.start(4));
    else this.spanId.appendZeros(1);
    this.json.begin();
    while (pos < end) {
      const tag = wire.varint(pos);
      pos = wire.skip(tag, wire.pos, end);
      if (tag === 0x3a) this.json.append(wire, wire.pos, pos);
    }
    this.json.finish();
    this.json.appendTo(this.attributes);
  }
}

/** Appends an optional double. */
export function appendOptional(column: NullableColumn, wire: Wire, fields: FieldIndex, field: number): void {
  const at = fields.fixed64At(field);
  if (at < 0) column.appendDefault();
  else column.appendFloat64(wire.view.getFloat64(at, true));
}

/** Appends a fixed64 or double, or zero if it is absent. */
export function appendFixed64(column: FixedColumn, wire: Wire, fields: FieldIndex, field: number): void {
  const at = fields.fixed64At(field);
  if (at < 0) column.appendZeros(1);
  else column.appendBytes(wire, at);
}

/** Appends a `repeated fixed64` or `repeated double`, packed or not, as an array. */
export function appendFixedArray(column: ArrayColumn, wire: Wire, pos: number, end: number, field: number): void {
  const items = column.items as FixedColumn;
  const [packed, single] = [(field << 3) | 2, (field << 3) | 1];
  while (pos < end) {
    const tag = wire.varint(pos);
    const start = wire.pos;
    pos = wire.skip(tag, start, end);
    if (tag === single) items.appendBytes(wire, start);
    else if (tag === packed) {
      if ((pos - wire.pos) % 8 !== 0) throw malformed('a packed array of 8-byte values is cut off');
      for (let at = wire.pos; at < pos; at += 8) items.appendBytes(wire, at);
    }
  }
  column.close();
}

/** Appends a `repeated uint64` (varints), packed or not, as an array. */
export function appendVarintArray(column: ArrayColumn, wire: Wire, pos: number, end: number, field: number): void {
  const items = column.items as FixedColumn;
  const [packed, single] = [(field << 3) | 2, field << 3];
  while (pos < end) {
    const tag = wire.varint(pos);
    const start = wire.pos;
    pos = wire.skip(tag, start, end);
    if (tag === single) {
      wire.varint64(start);
      items.appendHalves(wire.low, wire.high);
    } else if (tag === packed) {
      let at = wire.pos;
      while (at < pos) {
        wire.varint64(at);
        at = wire.pos;
        items.appendHalves(wire.low, wire.high);
      }
      if (at !== pos) throw malformed('a packed array is cut off');
    }
  }
  column.close();
}
