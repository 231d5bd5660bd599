/**
 * What a span has any number of: its events and links, as columns of arrays. Separate from the span itself, which is one row of
 * single values.
 */

import type { Block } from '@glasshouse/native';
import { ArrayColumn, FixedColumn, LowCardinalityColumn, StringColumn } from '@glasshouse/native';
import { AttributesJson } from './attributes-json.ts';
import type { Wire } from './wire.ts';
import { malformed } from './wire.ts';

/** Span.Event { time_unix_nano = 1, name = 2, attributes = 3, dropped_attributes_count = 4 }. */
export class EventColumns {
  private readonly timestamp: ArrayColumn<FixedColumn>;
  private readonly name: ArrayColumn<LowCardinalityColumn>;
  private readonly dropped: ArrayColumn<FixedColumn>;
  private readonly attributes: ArrayColumn<StringColumn>;
  private readonly json: AttributesJson;

  constructor(block: Block) {
    this.timestamp = block.column('events.timestamp', ArrayColumn) as ArrayColumn<FixedColumn>;
    this.name = block.column('events.name', ArrayColumn) as ArrayColumn<LowCardinalityColumn>;
    this.attributes = block.column('events.attributes', ArrayColumn) as ArrayColumn<StringColumn>;
    this.dropped = block.column('events.dropped_attributes_count', ArrayColumn) as ArrayColumn<FixedColumn>;
    this.json = new AttributesJson(block.repairs);
  }

  append(wire: Wire, pos: number, end: number): void {
    let low = 0;
    let high = 0;
    let nameStart = 0;
    let nameEnd = 0;
    let dropped = 0;
    this.json.begin();
    while (pos < end) {
      const tag = wire.varint(pos);
      pos = wire.pos;
      if (tag === 0x09) {
        wire.fixed64(pos);
        ({ low, high, pos } = wire);
      } else if (tag === 0x12) {
        nameEnd = pos = wire.enter(pos, end);
        nameStart = wire.pos;
      } else if (tag === 0x1a) {
        const fieldEnd = wire.enter(pos, end);
        this.json.append(wire, wire.pos, fieldEnd);
        pos = fieldEnd;
      } else if (tag === 0x20) {
        dropped = wire.varint(pos);
        pos = wire.pos;
      } else pos = wire.skip(tag, pos, end);
    }
    if (pos !== end) throw malformed('an event is cut off');
    this.timestamp.items.appendHalves(low, high);
    this.name.items.appendText(wire, nameStart, nameEnd);
    this.dropped.items.appendUint32(dropped);
    this.json.finish();
    this.json.appendTo(this.attributes.items);
  }

  close(): void {
    this.timestamp.close();
    this.name.close();
    this.attributes.close();
    this.dropped.close();
  }
}

/** Span.Link { trace_id = 1, span_id = 2, trace_state = 3, attributes = 4, dropped_attributes_count = 5, flags = 6 }. */
export class LinkColumns {
  private readonly traceId: ArrayColumn<FixedColumn>;
  private readonly spanId: ArrayColumn<FixedColumn>;
  private readonly traceState: ArrayColumn<StringColumn>;
  private readonly flags: ArrayColumn<FixedColumn>;
  private readonly dropped: ArrayColumn<FixedColumn>;
  private readonly attributes: ArrayColumn<StringColumn>;
  private readonly json: AttributesJson;

  constructor(block: Block) {
    this.traceId = block.column('links.trace_id', ArrayColumn) as ArrayColumn<FixedColumn>;
    this.spanId = block.column('links.span_id', ArrayColumn) as ArrayColumn<FixedColumn>;
    this.traceState = block.column('links.trace_state', ArrayColumn) as ArrayColumn<StringColumn>;
    this.flags = block.column('links.flags', ArrayColumn) as ArrayColumn<FixedColumn>;
    this.attributes = block.column('links.attributes', ArrayColumn) as ArrayColumn<StringColumn>;
    this.dropped = block.column('links.dropped_attributes_count', ArrayColumn) as ArrayColumn<FixedColumn>;
    this.json = new AttributesJson(block.repairs);
  }

  append(wire: Wire, pos: number, end: number): void {
    let traceIdAt = -1;
    let spanIdAt = -1;
    let stateStart = 0;
    let stateEnd = 0;
    let dropped = 0;
    let flags = 0;
    this.json.begin();
    while (pos < end) {
      const tag = wire.varint(pos);
      pos = wire.pos;
      if (tag === 0x0a) {
        pos = wire.enter(pos, end);
        traceIdAt = pos - wire.pos === 16 ? wire.pos : -1;
      } else if (tag === 0x12) {
        pos = wire.enter(pos, end);
        spanIdAt = pos - wire.pos === 8 ? wire.pos : -1;
      } else if (tag === 0x1a) {
        stateEnd = pos = wire.enter(pos, end);
        stateStart = wire.pos;
      } else if (tag === 0x22) {
        const fieldEnd = wire.enter(pos, end);
        this.json.append(wire, wire.pos, fieldEnd);
        pos = fieldEnd;
      } else if (tag === 0x28) {
        dropped = wire.varint(pos);
        pos = wire.pos;
      } else if (tag === 0x35) {
        flags = wire.view.getUint32(pos, true);
        pos += 4;
      } else pos = wire.skip(tag, pos, end);
    }
    if (pos !== end) throw malformed('a link is cut off');
    if (traceIdAt < 0) this.traceId.items.appendZeros(1);
    else this.traceId.items.appendBytes(wire, traceIdAt);
    if (spanIdAt < 0) this.spanId.items.appendZeros(1);
    else this.spanId.items.appendBytes(wire, spanIdAt);
    this.traceState.items.appendText(wire, stateStart, stateEnd);
    this.flags.items.appendUint32(flags);
    this.dropped.items.appendUint32(dropped);
    this.json.finish();
    this.json.appendTo(this.attributes.items);
  }

  close(): void {
    this.traceId.close();
    this.spanId.close();
    this.traceState.close();
    this.flags.close();
    this.attributes.close();
    this.dropped.close();
  }
}
