/**
 * Spans from the wire to the columns of the `spans` table (opentelemetry/proto/trace/v1/trace.proto). This is the hot path:
 * a span is read once, its strings are copied once, and no object is made for it.
 *
 * Must stay true: whether a span is taken is decided before anything of it is appended.
 */

import { Block, FixedColumn, LowCardinalityColumn } from '@glasshouse/native';
import { SPANS } from '@glasshouse/schema';
import { TypedAttributes } from './attributes.ts';
import type { Envelope, ItemReader } from './envelope.ts';
import { EnvelopeColumns } from './envelope.ts';
import { PromotedAttributes } from './promoted.ts';
import type { RejectReason, Rejections, TimeWindow } from './reject.ts';
import { EventColumns, LinkColumns } from './span-parts.ts';
import type { Wire } from './wire.ts';
import { malformed } from './wire.ts';

/** Field tags of Span. */
const TRACE_ID = 0x0a;
const SPAN_ID = 0x12;
const TRACE_STATE = 0x1a;
const PARENT_SPAN_ID = 0x22;
const NAME = 0x2a;
const KIND = 0x30;
const START_TIME = 0x39;
const END_TIME = 0x41;
const ATTRIBUTES = 0x4a;
const DROPPED_ATTRIBUTES = 0x50;
const EVENTS = 0x5a;
const DROPPED_EVENTS = 0x60;
const LINKS = 0x6a;
const DROPPED_LINKS = 0x70;
const STATUS = 0x7a;
const FLAGS = 0x85;

/** Told of spans that were taken and have a string attribute of one of its keys. */
export interface SpanWatch {
  readonly keys: readonly string[];
  /** Spans of one scope: start and end of each in the request. */
  spans(wire: Wire, ranges: readonly number[], envelope: Envelope): void;
}

export class SpanReader implements ItemReader {
  private readonly block = new Block(SPANS);
  readonly blocks: readonly Block[] = [this.block];
  private readonly envelope = new EnvelopeColumns(this.block);
  private readonly rejections: Rejections;
  private window: TimeWindow = { oldestHigh: 0, newestHigh: 0 };

  private readonly promoted: PromotedAttributes;
  private readonly attributes: TypedAttributes;
  private readonly events = new EventColumns(this.block);
  private readonly links = new LinkColumns(this.block);
  private readonly timestamp = this.block.column('timestamp', FixedColumn);
  private readonly duration = this.block.column('duration_ns', FixedColumn);
  private readonly traceId = this.block.column('trace_id', FixedColumn);
  private readonly spanId = this.block.column('span_id', FixedColumn);
  private readonly parentSpanId = this.block.column('parent_span_id', FixedColumn);
  private readonly traceState = this.block.column('trace_state', LowCardinalityColumn);
  private readonly flags = this.block.column('flags', FixedColumn);
  private readonly name = this.block.column('name', LowCardinalityColumn);
  private readonly kind = this.block.column('kind', FixedColumn);
  private readonly statusCode = this.block.column('status_code', FixedColumn);
  private readonly statusMessage = this.block.column('status_message', LowCardinalityColumn);
  private readonly droppedAttributes = this.block.column('dropped_attributes_count', FixedColumn);
  private readonly droppedEvents = this.block.column('dropped_events_count', FixedColumn);
  private readonly droppedLinks = this.block.column('dropped_links_count', FixedColumn);

  // Where the span's identity and times are, found before or while its other fields are read.
  private traceIdAt = -1;
  private spanIdAt = -1;
  private startAt = -1;
  private endAt = -1;

  private readonly watch: SpanWatch | undefined;
  private watched: number[] = [];

  constructor(rejections: Rejections, watch?: SpanWatch) {
    this.rejections = rejections;
    this.watch = watch;
    this.promoted = new PromotedAttributes(this.block);
    this.attributes = new TypedAttributes(this.block, this.promoted, watch?.keys);
  }

  /** Begins a request: the times that are taken from now on. */
  within(window: TimeWindow): void {
    this.watched = [];
    this.window = window;
  }

  endScope(wire: Wire, envelope: Envelope): void {
    this.envelope.fill(wire, envelope);
    if (this.watched.length === 0) return;
    const ranges = this.watched;
    this.watched = [];
    this.watch?.spans(wire, ranges, envelope);
  }

  item(wire: Wire, pos: number, end: number): void {
    this.traceIdAt = this.spanIdAt = this.startAt = this.endAt = -1;
    this.promoted.begin();
    const start = pos;
    let decided = false;
    let identityMoved = false;
    let parentAt = -1;
    let stateStart = 0;
    let stateEnd = 0;
    let nameStart = 0;
    let nameEnd = 0;
    let statusStart = 0;
    let statusEnd = 0;
    let kind = 0;
    let flags = 0;
    let droppedAttributes = 0;
    let droppedEvents = 0;
    let droppedLinks = 0;
    const bytes = wire.bytes;
    while (pos < end) {
      let tag = bytes[pos++] as number;
      if (tag >= 0x80) {
        tag = wire.varint(pos - 1);
        pos = wire.pos;
      }
      switch (tag) {
        case ATTRIBUTES:
        case EVENTS:
        case LINKS: {
          if (!decided) {
            if (this.refusal(wire) !== undefined) this.findIdentity(wire, wire.skip(tag, pos, end), end);
            if (!this.accepts(wire)) return;
            decided = true;
          }
          const fieldEnd = wire.enter(pos, end);
          if (tag === ATTRIBUTES) this.attributes.append(wire, wire.pos, fieldEnd);
          else if (tag === EVENTS) this.events.append(wire, wire.pos, fieldEnd);
          else this.links.append(wire, wire.pos, fieldEnd);
          pos = fieldEnd;
          break;
        }
        case TRACE_ID:
          pos = wire.enter(pos, end);
          this.traceIdAt = pos - wire.pos === 16 ? wire.pos : -1;
          identityMoved = decided;
          break;
        case SPAN_ID:
          pos = wire.enter(pos, end);
          this.spanIdAt = pos - wire.pos === 8 ? wire.pos : -1;
          identityMoved = decided;
          break;
        case PARENT_SPAN_ID:
          pos = wire.enter(pos, end);
          parentAt = pos - wire.pos === 8 ? wire.pos : -1;
          break;
        case TRACE_STATE:
          stateEnd = pos = wire.enter(pos, end);
          stateStart = wire.pos;
          break;
        case NAME:
          nameEnd = pos = wire.enter(pos, end);
          nameStart = wire.pos;
          break;
        case STATUS:
          statusEnd = pos = wire.enter(pos, end);
          statusStart = wire.pos;
          break;
        case START_TIME:
          this.startAt = pos;
          identityMoved = decided;
          pos += 8;
          break;
        case END_TIME:
          this.endAt = pos;
          pos += 8;
          break;
        case FLAGS:
          flags = wire.view.getUint32(pos, true);
          pos += 4;
          break;
        case KIND:
          kind = wire.varint(pos);
          pos = wire.pos;
          break;
        case DROPPED_ATTRIBUTES:
          droppedAttributes = wire.varint(pos);
          pos = wire.pos;
          break;
        case DROPPED_EVENTS:
          droppedEvents = wire.varint(pos);
          pos = wire.pos;
          break;
        case DROPPED_LINKS:
          droppedLinks = wire.varint(pos);
          pos = wire.pos;
          break;
        default:
          pos = wire.skip(tag, pos, end);
      }
    }
    if (pos !== end) throw malformed('a span is cut off');
    if (!decided && !this.accepts(wire)) return;
    // An identity that comes twice, once before the attributes: part of the row is there already.
    if (identityMoved && this.refusal(wire) !== undefined) throw malformed('a span has its id or time twice');

    this.appendTimes(wire);
    this.traceId.appendBytes(wire, this.traceIdAt);
    this.spanId.appendBytes(wire, this.spanIdAt);
    if (parentAt < 0) this.parentSpanId.appendZeros(1);
    else this.parentSpanId.appendBytes(wire, parentAt);
    this.traceState.appendText(wire, stateStart, stateEnd);
    this.flags.appendUint32(flags);
    this.name.appendText(wire, nameStart, nameEnd);
    this.kind.appendUint8(kind <= 5 ? kind : 0);
    this.appendStatus(wire, statusStart, statusEnd);
    this.attributes.close();
    this.promoted.close(wire);
    this.droppedAttributes.appendUint32(droppedAttributes);
    this.events.close();
    this.droppedEvents.appendUint32(droppedEvents);
    this.links.close();
    this.droppedLinks.appendUint32(droppedLinks);
    this.block.rows++;
    if (this.promoted.isMarked) this.watched.push(start, end);
  }

  /** Finds ids and times from `pos` on, for senders that write them after the attributes. */
  private findIdentity(wire: Wire, pos: number, end: number): void {
    while (pos < end) {
      const tag = wire.varint(pos);
      const start = wire.pos;
      pos = wire.skip(tag, start, end);
      if (tag === TRACE_ID) this.traceIdAt = pos - wire.pos === 16 ? wire.pos : -1;
      else if (tag === SPAN_ID) this.spanIdAt = pos - wire.pos === 8 ? wire.pos : -1;
      else if (tag === START_TIME) this.startAt = start;
      else if (tag === END_TIME) this.endAt = start;
    }
    if (pos !== end) throw malformed('a span is cut off');
  }

  private accepts(wire: Wire): boolean {
    const reason = this.refusal(wire);
    if (reason !== undefined) this.rejections.add(reason);
    return reason === undefined;
  }

  private refusal(wire: Wire): RejectReason | undefined {
    const view = wire.view;
    const { traceIdAt, spanIdAt, startAt } = this;
    if (traceIdAt < 0 || isZero(view, traceIdAt, 16)) return 'trace_id';
    if (spanIdAt < 0 || isZero(view, spanIdAt, 8)) return 'span_id';
    if (startAt < 0) return 'time_missing';
    return this.rejections.time(view.getUint32(startAt, true), view.getUint32(startAt + 4, true), this.window);
  }

  private appendTimes(wire: Wire): void {
    const view = wire.view;
    const low = view.getUint32(this.startAt, true);
    const high = view.getUint32(this.startAt + 4, true);
    this.timestamp.appendHalves(low, high);
    this.block.days.add(low, high);
    let durationLow = 0;
    let durationHigh = 0;
    if (this.endAt >= 0) {
      const endLow = view.getUint32(this.endAt, true);
      const borrow = endLow < low ? 1 : 0;
      durationHigh = view.getUint32(this.endAt + 4, true) - high - borrow;
      // An end before the start is a broken clock: a duration of 0, not of 584 years.
      durationLow = durationHigh < 0 ? 0 : (endLow - low) >>> 0;
      if (durationHigh < 0) durationHigh = 0;
    }
    this.duration.appendHalves(durationLow, durationHigh);
  }

  /** Status { message = 2, code = 3 }. */
  private appendStatus(wire: Wire, pos: number, end: number): void {
    let code = 0;
    let messageStart = 0;
    let messageEnd = 0;
    while (pos < end) {
      const tag = wire.varint(pos);
      pos = wire.pos;
      if (tag === 0x12) {
        messageEnd = pos = wire.enter(pos, end);
        messageStart = wire.pos;
      } else if (tag === 0x18) {
        code = wire.varint(pos);
        pos = wire.pos;
      } else pos = wire.skip(tag, pos, end);
    }
    if (pos !== end) throw malformed('a status is cut off');
    this.statusCode.appendUint8(code <= 2 ? code : 0);
    this.statusMessage.appendText(wire, messageStart, messageEnd);
  }
}

function isZero(view: DataView, at: number, length: number): boolean {
  for (let offset = 0; offset < length; offset += 4) if (view.getInt32(at + offset, true) !== 0) return false;
  return true;
}
