/**
 * Events from a request's body to the block of the log: split, and copied as they came. What they mean is for the engine to
 * find out, which parses JSON several times as fast.
 */

import { isUtf8 } from 'node:buffer';
import type { ContentCoding, Placement } from '@glasshouse/model';
import { Block, ConstantColumn, FixedColumn, LowCardinalityColumn, StringColumn } from '@glasshouse/native';
import { EVENTS } from '@glasshouse/schema';
import type { Generations, LineReader } from '../generations/maker.ts';
import { timeWindow } from '../otlp/reject.ts';
import type { Decoded } from './decode.ts';
import type { SentBody } from './plain.ts';
import { plainOf } from './plain.ts';
import { eachEvent } from './lines.ts';
import { decompress } from './decompress.ts';
import type { Share } from './share.ts';
import { chooser } from './share.ts';
import type { BodyBuffer } from './sink.ts';

export interface EventsOptions {
  /** Largest body after decompression. */
  readonly maxBodyBytes: number;
  readonly retentionMs: number | undefined;
  readonly maxAheadMs: number;
  readonly now: () => number;
}

/** Where the events of a request go. */
export interface EventsTarget {
  readonly tenant: string;
  /** Id of the data source. */
  readonly dataSource: string;
  /** Id of the request. */
  readonly importId: string;
  /** Condition on the rows that the sender may write; empty for none. */
  readonly filter: string;
  /** Whether the data source is one of those whose rows report calls of models. */
  readonly hasGenerations?: boolean;
  /** Whose the sender's data is, whatever a line says; undefined where the credential does not tell. */
  readonly placement?: Placement | undefined;
  /** Only these of the events are taken; all unless it is given. */
  readonly share?: Share | undefined;
}

/** Where the events from a byte of the body on go. */
export interface LaterTarget extends EventsTarget {
  readonly from: number;
}

export interface EventsBody extends EventsTarget, SentBody {
  /** In the same commit; only of a body without a coding. */
  readonly later?: LaterTarget;
}

const NANOSECONDS = 1_000_000n;

export class EventsReader {
  readonly block = new Block(EVENTS);
  private readonly options: EventsOptions;
  private readonly generations: Generations | undefined;
  /** Events of the request outside of its share. */
  private left = 0;
  private readonly segment = this.block.column('_segment', ConstantColumn);
  private readonly tenant = this.block.column('tenant_id', LowCardinalityColumn);
  private readonly dataSource = this.block.column('datasource_id', LowCardinalityColumn);
  private readonly importId = this.block.column('import_id', LowCardinalityColumn);
  private readonly filter = this.block.column('filter', LowCardinalityColumn);
  private readonly receivedAt = this.block.column('received_at', FixedColumn);
  private readonly line = this.block.column('line', StringColumn);

  constructor(options: EventsOptions, generations?: Generations) {
    this.options = options;
    this.generations = generations;
  }

  /** Appends the events of a request to the block. Throws AppError, and then nothing was appended. */
  decode(body: EventsBody): Decoded {
    const { block } = this;
    const { later } = body;
    this.left = 0;
    block.mark();
    this.generations?.mark();
    try {
      const before = block.repairs.count;
      const rows =
        later === undefined
          ? this.append(body, 0, body.length)
          : this.append(body, 0, later.from) +
            this.append({ ...body, hasGenerations: false, ...later }, later.from, body.length);
      const repaired = block.repairs.count - before;
      const { left } = this;
      const messages = [
        ...(repaired > 0 ? [`replaced invalid UTF-8 in ${repaired} events`] : []),
        ...(left > 0 ? [`left out ${left} of ${left + rows} events: the data source takes a share of them`] : []),
      ];
      return { accepted: rows, rejected: left, reasons: [], message: messages.join('; ') };
    } catch (error) {
      block.rollback();
      this.generations?.rollback();
      throw error;
    }
  }

  /** Appends the events of these bytes of the body. Returns how many they are. */
  private append(body: EventsBody, from: number, to: number): number {
    const source = plainOf(body, from, to, this.options.maxBodyBytes);
    const { line } = this;
    const look = body.hasGenerations === true ? this.look(body) : undefined;
    const isIn = body.share === undefined ? undefined : chooser(body.share);
    let rows = 0;
    const { bytes } = source;
    // Asked once of the whole: of a valid text each event is one, because it begins and ends beside ASCII.
    const isValid = isUtf8(bytes);
    eachEvent(bytes, (start, end) => {
      if (isIn?.(bytes.subarray(start, end)) === false) {
        this.left++;
        return;
      }
      if (isValid) line.appendRaw(bytes.subarray(start, end));
      else line.appendText(source, start, end);
      look?.(bytes, start, end, isValid);
      rows++;
    });
    if (rows > 0) this.fill(body, rows);
    return rows;
  }

  private look(target: EventsTarget): LineReader | undefined {
    const { now, retentionMs, maxAheadMs } = this.options;
    return this.generations?.lines(target, timeWindow(now(), retentionMs, maxAheadMs));
  }

  /** What all events of a request have in common. */
  private fill(target: EventsTarget, rows: number): void {
    this.segment.repeat(rows);
    this.tenant.repeat(this.tenant.localOfString(target.tenant), rows);
    this.dataSource.repeat(this.dataSource.localOfString(target.dataSource), rows);
    this.importId.repeat(this.importId.localOfString(target.importId), rows);
    this.filter.repeat(this.filter.localOfString(target.filter), rows);
    const nowMs = BigInt(this.options.now());
    const [low, high] = halves(nowMs);
    const [lowNs, highNs] = halves(nowMs * NANOSECONDS);
    for (let row = 0; row < rows; row++) {
      this.receivedAt.appendHalves(low, high);
      this.block.days.add(lowNs, highNs);
    }
    this.block.rows += rows;
  }
}

function halves(value: bigint): [number, number] {
  return [Number(value & 0xffff_ffffn), Number(value >> 32n)];
}

/** Events that a data source is made from. */
const SAMPLE_EVENTS = 200;
const SAMPLE_BYTES = 10 << 20;

/** The first events of a body, for a guess at what they have in common. */
export function sampleOf({ buffer, length }: BodyBuffer, coding: ContentCoding): string[] {
  const sent = Buffer.from(buffer, 0, length);
  const plain = Buffer.from(coding === 'identity' ? sent : decompress(coding, sent, SAMPLE_BYTES));
  const events: string[] = [];
  eachEvent(plain, (start, end) => {
    if (events.length < SAMPLE_EVENTS) events.push(plain.toString('utf8', start, end));
  });
  return events;
}
