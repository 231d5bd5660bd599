/**
 * From a request body to rows in the blocks of the tables: decompress, turn JSON into protobuf, decode. One decoder per
 * signal serves every receiver and both encodings.
 *
 * Must stay true: a request that fails leaves the blocks exactly as they were.
 */

import type { BodyFormat, ContentCoding, Placement, Signal } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Block } from '@glasshouse/native';
import type { Generations } from '../generations/maker.ts';
import type { ItemReader } from '../otlp/envelope.ts';
import { EnvelopeWalker } from '../otlp/envelope.ts';
import { jsonToProtobuf } from '../otlp/json.ts';
import { LogReader } from '../otlp/logs.ts';
import { MetricReader } from '../otlp/metrics.ts';
import { Rejections, timeWindow } from '../otlp/reject.ts';
import { SpanReader } from '../otlp/spans.ts';
import type { TimeWindow } from '../otlp/reject.ts';
import { BODY_SLACK, Wire } from '../otlp/wire.ts';
import { decompress } from './decompress.ts';
import type { BodyRules } from './redactor.ts';

/** What a signal's reader is to the decoder. */
interface SignalReader extends ItemReader {
  readonly blocks: readonly Block[];
  within(window: TimeWindow): void;
}

export interface DecodeOptions {
  readonly maxBodyBytes: number;
  /** Largest JSON body, after decompression. */
  readonly maxJsonBytes: number;
  readonly retentionMs: number | undefined;
  readonly maxAheadMs: number;
  readonly now: () => number;
}

export interface DecodeRequest {
  readonly signal: Signal;
  readonly format: BodyFormat;
  readonly coding: ContentCoding;
  readonly placement: Placement;
  readonly buffer: ArrayBufferLike;
  readonly length: number;
  /** What is redacted before anything is decoded. */
  readonly rules?: BodyRules | undefined;
}

export interface Decoded {
  readonly accepted: number;
  readonly rejected: number;
  /** Lines of a request of calls that are none. */
  readonly unfit?: number;
  readonly reasons: readonly (readonly [string, number])[];
  readonly message: string;
}

/** Days in one block: each becomes a part in the store, and a frame lists them all. */
export const MAX_DAYS = 1_000;

const NOUNS: Readonly<Record<Signal, string>> = { traces: 'spans', logs: 'log records', metrics: 'data points' };

export class Decoder {
  /** The blocks of all tables; whoever writes them resets them. */
  readonly blocks: readonly Block[];
  private readonly options: DecodeOptions;
  private readonly wire = new Wire();
  private readonly walker = new EnvelopeWalker();
  private readonly rejections = new Rejections();
  private readonly readers: Readonly<Record<Signal, SignalReader>>;

  private readonly generations: Generations | undefined;

  constructor(options: DecodeOptions, generations?: Generations) {
    this.options = options;
    this.generations = generations;
    this.readers = {
      traces: new SpanReader(this.rejections, generations),
      logs: new LogReader(this.rejections),
      metrics: new MetricReader(this.rejections),
    };
    this.blocks = Object.values(this.readers).flatMap((reader) => reader.blocks);
  }

  /** Days that the rows of the fullest block fall on. */
  get days(): number {
    return Math.max(...this.blocks.map((block) => block.days.byDay().size));
  }

  /** Appends the rows of a request to the blocks. Throws AppError, and then nothing was appended. */
  decode(request: DecodeRequest): Decoded {
    const { signal, placement } = request;
    const reader = this.readers[signal];
    const length = this.openBody(request);
    const { now, retentionMs, maxAheadMs } = this.options;
    reader.within(timeWindow(now(), retentionMs, maxAheadMs));
    this.rejections.clear();
    const before = count(reader.blocks);
    for (const block of reader.blocks) block.mark();
    this.generations?.mark();
    try {
      this.walker.walk(this.wire, length, placement, reader);
      this.generations?.settle();
      this.refuseManyDays(NOUNS[signal]);
    } catch (error) {
      for (const block of reader.blocks) block.rollback();
      this.generations?.rollback();
      throw error;
    }
    const after = count(reader.blocks);
    const repaired = after.repairs - before.repairs;
    const messages = [this.rejections.message(NOUNS[signal])];
    if (repaired > 0) messages.push(`replaced invalid UTF-8 in ${repaired} strings`);
    return {
      accepted: after.rows - before.rows,
      rejected: this.rejections.total,
      reasons: [...this.rejections.counts],
      message: messages.filter((message) => message !== '').join('; '),
    };
  }

  private refuseManyDays(noun: string): void {
    if (this.days <= MAX_DAYS) return;
    throw new AppError(
      'bad_request',
      `cannot take the request: its ${noun} fall on more than ${MAX_DAYS} days; send fewer days at once`,
    );
  }

  /** Points the wire at the protobuf bytes of the request and returns their number. */
  private openBody(request: DecodeRequest): number {
    const { coding, format, signal, buffer, length, rules } = request;
    if (coding === 'identity' && format === 'protobuf' && rules === undefined) {
      this.wire.open(buffer);
      return length;
    }
    const read = (): Uint8Array => this.protobufOf(request);
    const bytes = rules === undefined ? read() : rules.otlp(signal, rules.guarded(read));
    const padded = new Uint8Array(bytes.length + BODY_SLACK);
    padded.set(bytes);
    this.wire.open(padded.buffer);
    return bytes.length;
  }

  private protobufOf({ coding, format, signal, buffer, length }: DecodeRequest): Uint8Array {
    let bytes: Uint8Array = new Uint8Array(buffer, 0, length);
    if (coding !== 'identity') {
      const { maxBodyBytes, maxJsonBytes } = this.options;
      bytes = decompress(coding, bytes, format === 'json' ? maxJsonBytes : maxBodyBytes);
    }
    return format === 'json' ? jsonToProtobuf(signal, bytes) : bytes;
  }
}

function count(blocks: readonly Block[]): { rows: number; repairs: number } {
  let [rows, repairs] = [0, 0];
  for (const block of blocks) {
    rows += block.rows;
    repairs += block.repairs.count;
  }
  return { rows, repairs };
}
