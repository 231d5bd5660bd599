/**
 * Log records from the wire to the columns of the `logs` table (opentelemetry/proto/logs/v1/logs.proto).
 *
 * A record without an event time takes the time it was observed, as the data model asks (OpenTelemetry Logs Data Model,
 * "Field: Timestamp"). Ids of a wrong length are stored as no id: a record is worth keeping without its trace.
 */

import { Block, FixedColumn, LowCardinalityColumn, StringColumn } from '@glasshouse/native';
import { LOGS } from '@glasshouse/schema';
import { anyValueJson, STRING_VALUE, valueField } from './any-value.ts';
import { TypedAttributes } from './attributes.ts';
import type { Envelope, ItemReader } from './envelope.ts';
import { EnvelopeColumns } from './envelope.ts';
import type { RejectReason, Rejections, TimeWindow } from './reject.ts';
import type { Wire } from './wire.ts';
import { malformed } from './wire.ts';

/** Field tags of LogRecord. */
const TIME = 0x09;
const SEVERITY_NUMBER = 0x10;
const SEVERITY_TEXT = 0x1a;
const BODY = 0x2a;
const ATTRIBUTES = 0x32;
const DROPPED_ATTRIBUTES = 0x38;
const FLAGS = 0x45;
const TRACE_ID = 0x4a;
const SPAN_ID = 0x52;
const OBSERVED_TIME = 0x59;
const EVENT_NAME = 0x62;

const BODY_EMPTY = 0;
const BODY_STRING = 1;
const BODY_JSON = 2;

export class LogReader implements ItemReader {
  private readonly block = new Block(LOGS);
  readonly blocks: readonly Block[] = [this.block];
  private readonly envelope = new EnvelopeColumns(this.block);
  private readonly rejections: Rejections;
  private window: TimeWindow = { oldestHigh: 0, newestHigh: 0 };

  private readonly attributes = new TypedAttributes(this.block);
  private readonly timestamp = this.block.column('timestamp', FixedColumn);
  private readonly observed = this.block.column('observed_timestamp', FixedColumn);
  private readonly traceId = this.block.column('trace_id', FixedColumn);
  private readonly spanId = this.block.column('span_id', FixedColumn);
  private readonly flags = this.block.column('flags', FixedColumn);
  private readonly severityNumber = this.block.column('severity_number', FixedColumn);
  private readonly severityText = this.block.column('severity_text', LowCardinalityColumn);
  private readonly eventName = this.block.column('event_name', LowCardinalityColumn);
  private readonly body = this.block.column('body', StringColumn);
  private readonly bodyType = this.block.column('body_type', FixedColumn);
  private readonly droppedAttributes = this.block.column('dropped_attributes_count', FixedColumn);

  // Where the record's times are, found before or while its other fields are read; -1 if absent or zero.
  private timeAt = -1;
  private observedAt = -1;

  constructor(rejections: Rejections) {
    this.rejections = rejections;
  }

  /** Sets the times that are taken from now on. */
  within(window: TimeWindow): void {
    this.window = window;
  }

  endScope(wire: Wire, envelope: Envelope): void {
    this.envelope.fill(wire, envelope);
  }

  item(wire: Wire, pos: number, end: number): void {
    this.timeAt = this.observedAt = -1;
    let decided = false;
    let timesMoved = false;
    let traceIdAt = -1;
    let spanIdAt = -1;
    let textStart = 0;
    let textEnd = 0;
    let bodyStart = 0;
    let bodyEnd = 0;
    let eventStart = 0;
    let eventEnd = 0;
    let severity = 0;
    let flags = 0;
    let dropped = 0;
    while (pos < end) {
      const tag = wire.varint(pos);
      pos = wire.pos;
      switch (tag) {
        case ATTRIBUTES: {
          if (!decided) {
            if (this.timeAt < 0 || this.refusal(wire) !== undefined) this.findTimes(wire, pos, end);
            if (!this.accepts(wire)) return;
            decided = true;
          }
          const fieldEnd = wire.enter(pos, end);
          this.attributes.append(wire, wire.pos, fieldEnd);
          pos = fieldEnd;
          break;
        }
        case TIME:
          this.timeAt = timeAt(wire, pos);
          timesMoved = decided;
          pos += 8;
          break;
        case OBSERVED_TIME:
          this.observedAt = timeAt(wire, pos);
          timesMoved = decided;
          pos += 8;
          break;
        case SEVERITY_NUMBER:
          severity = wire.varint(pos);
          pos = wire.pos;
          break;
        case SEVERITY_TEXT:
          textEnd = pos = wire.enter(pos, end);
          textStart = wire.pos;
          break;
        case BODY:
          bodyEnd = pos = wire.enter(pos, end);
          bodyStart = wire.pos;
          break;
        case EVENT_NAME:
          eventEnd = pos = wire.enter(pos, end);
          eventStart = wire.pos;
          break;
        case TRACE_ID:
          pos = wire.enter(pos, end);
          traceIdAt = pos - wire.pos === 16 ? wire.pos : -1;
          break;
        case SPAN_ID:
          pos = wire.enter(pos, end);
          spanIdAt = pos - wire.pos === 8 ? wire.pos : -1;
          break;
        case FLAGS:
          flags = wire.view.getUint32(pos, true);
          pos += 4;
          break;
        case DROPPED_ATTRIBUTES:
          dropped = wire.varint(pos);
          pos = wire.pos;
          break;
        default:
          pos = wire.skip(tag, pos, end);
      }
    }
    if (pos !== end) throw malformed('a log record is cut off');
    if (!decided && !this.accepts(wire)) return;
    // A time that comes twice, once before the attributes: part of the row is there already.
    if (timesMoved && this.refusal(wire) !== undefined) throw malformed('a log record has its time twice');

    this.appendTimes(wire);
    if (traceIdAt < 0) this.traceId.appendZeros(1);
    else this.traceId.appendBytes(wire, traceIdAt);
    if (spanIdAt < 0) this.spanId.appendZeros(1);
    else this.spanId.appendBytes(wire, spanIdAt);
    this.flags.appendUint32(flags);
    this.severityNumber.appendUint8(severity <= 24 ? severity : 0);
    this.severityText.appendText(wire, textStart, textEnd);
    this.eventName.appendText(wire, eventStart, eventEnd);
    this.appendBody(wire, bodyStart, bodyEnd);
    this.attributes.close();
    this.droppedAttributes.appendUint32(dropped);
    this.block.rows++;
  }

  private findTimes(wire: Wire, pos: number, end: number): void {
    // `pos` is behind the tag of an attribute.
    pos = wire.skip(ATTRIBUTES, pos, end);
    while (pos < end) {
      const tag = wire.varint(pos);
      const start = wire.pos;
      pos = wire.skip(tag, start, end);
      if (tag === TIME) this.timeAt = timeAt(wire, start);
      else if (tag === OBSERVED_TIME) this.observedAt = timeAt(wire, start);
    }
    if (pos !== end) throw malformed('a log record is cut off');
  }

  private accepts(wire: Wire): boolean {
    const reason = this.refusal(wire);
    if (reason !== undefined) this.rejections.add(reason);
    return reason === undefined;
  }

  private refusal(wire: Wire): RejectReason | undefined {
    const at = this.timeAt < 0 ? this.observedAt : this.timeAt;
    if (at < 0) return 'time_missing';
    return this.rejections.time(wire.view.getUint32(at, true), wire.view.getUint32(at + 4, true), this.window);
  }

  private appendTimes(wire: Wire): void {
    const view = wire.view;
    const at = this.timeAt < 0 ? this.observedAt : this.timeAt;
    const low = view.getUint32(at, true);
    const high = view.getUint32(at + 4, true);
    this.timestamp.appendHalves(low, high);
    this.block.days.add(low, high);
    if (this.observedAt < 0) this.observed.appendZeros(1);
    else this.observed.appendHalves(view.getUint32(this.observedAt, true), view.getUint32(this.observedAt + 4, true));
  }

  private appendBody(wire: Wire, start: number, end: number): void {
    const value = valueField(wire, start, end);
    if (value.tag === 0) {
      this.body.appendDefault();
      this.bodyType.appendUint8(BODY_EMPTY);
    } else if (value.tag === STRING_VALUE) {
      this.body.appendText(wire, value.start, value.end);
      this.bodyType.appendUint8(BODY_STRING);
    } else {
      this.body.appendString(anyValueJson(wire, start, end));
      this.bodyType.appendUint8(BODY_JSON);
    }
  }
}

/** The position of a time, or -1 if it is zero, which means unknown. */
function timeAt(wire: Wire, pos: number): number {
  return wire.view.getInt32(pos, true) === 0 && wire.view.getInt32(pos + 4, true) === 0 ? -1 : pos;
}
