/**
 * The write-ahead log: one open segment per table, blocks appended to it as frames, and sealed when it is large enough or
 * when the drain has nothing else to do.
 *
 * Must stay true: `commit` either makes all given blocks durable or throws after undoing what it can, and then no request
 * in them may be acknowledged.
 */

import type { Block } from '@glasshouse/native';
import { ConstantColumn } from '@glasshouse/native';
import { SEGMENT_COLUMN } from '@glasshouse/schema';
import { encodeFrame } from './frame.ts';
import type { SegmentInfo } from './segment.ts';
import { SegmentIds, SegmentWriter } from './segment.ts';

export interface LogOptions {
  readonly directory: string;
  readonly node: number;
  readonly maxSegmentRows: number;
  readonly maxSegmentBytes: number;
  readonly now: () => number;
}

export class Log {
  private readonly options: LogOptions;
  private readonly ids: SegmentIds;
  private readonly open = new Map<string, SegmentWriter>();
  private readonly sealed: SegmentInfo[] = [];

  constructor(options: LogOptions) {
    this.options = options;
    this.ids = new SegmentIds(options.node);
  }

  /** Rows in segments that are still open. */
  get openRows(): number {
    let rows = 0;
    for (const segment of this.open.values()) rows += segment.rows;
    return rows;
  }

  /** Appends the blocks and syncs them. Returns the number of bytes written. */
  commit(blocks: readonly Block[]): number {
    let bytes = 0;
    for (const block of blocks) {
      if (block.rows === 0) continue;
      const segment = this.segmentOf(block.table.name);
      block.column(SEGMENT_COLUMN, ConstantColumn).set(segment.id);
      const days = block.days.byDay();
      const { parts, length } = encodeFrame(block.pieces(), block.rows, days);
      try {
        segment.append(parts, length, block.rows, days);
      } catch (error) {
        this.sealOne(segment);
        throw error;
      }
      bytes += length;
      const { maxSegmentRows, maxSegmentBytes } = this.options;
      if (segment.rows >= maxSegmentRows || segment.bytes >= maxSegmentBytes) this.sealOne(segment);
    }
    return bytes;
  }

  private segmentOf(table: string): SegmentWriter {
    let segment = this.open.get(table);
    if (segment === undefined) {
      const nowMs = this.options.now();
      segment = new SegmentWriter(this.options.directory, table, this.ids.next(nowMs), nowMs);
      this.open.set(table, segment);
    }
    return segment;
  }

  private sealOne(segment: SegmentWriter): void {
    this.open.delete(segment.table);
    const info = segment.seal();
    if (info !== undefined) this.sealed.push(info);
  }

  /** Seals every segment that holds rows. */
  seal(): void {
    for (const segment of this.open.values()) if (segment.rows > 0) this.sealOne(segment);
  }

  /** The segments sealed since the last call. */
  takeSealed(): SegmentInfo[] {
    return this.sealed.splice(0);
  }
}
