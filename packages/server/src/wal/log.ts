/**
 * The write-ahead log: one open segment per table, blocks appended to it as frames, and sealed when it is large enough or
 * when the drain has nothing else to do.
 *
 * Must stay true: `commit` never throws. Per table it either makes the block durable or undoes it and reports the failure;
 * what failed may not be acknowledged. A table's failure does not touch the others, nor the commits that come after it.
 */

import type { Block } from '@glasshouse/native';
import { ConstantColumn } from '@glasshouse/native';
import { SEGMENT_COLUMN } from '@glasshouse/schema';
import { encodeFrame } from './frame.ts';
import { openIdMark, SegmentIds } from './ids.ts';
import type { SegmentInfo } from './segment.ts';
import { SegmentWriter } from './segment.ts';

export interface LogOptions {
  readonly directory: string;
  readonly node: number;
  readonly maxSegmentRows: number;
  readonly maxSegmentBytes: number;
  readonly now: () => number;
}

/** What became of a commit. */
export interface Commit {
  /** Bytes that were made durable. */
  readonly bytes: number;
  /** Why nothing was stored, by the name of the table. */
  readonly failures: ReadonlyMap<string, unknown>;
  /** Where the rows were stored, by the name of the table. */
  readonly segments: ReadonlyMap<string, bigint>;
}

/** The store makes a part of each day, so a segment of many days takes it long and holds up all others. */
const MAX_SEGMENT_DAYS = 100;

export class Log {
  private readonly options: LogOptions;
  private readonly ids: SegmentIds;
  private readonly open = new Map<string, SegmentWriter>();
  private readonly sealed: SegmentInfo[] = [];

  constructor(options: LogOptions) {
    this.options = options;
    this.ids = new SegmentIds(options.node, openIdMark(options.directory));
  }

  /** Rows in segments that are still open. */
  get openRows(): number {
    let rows = 0;
    for (const segment of this.open.values()) rows += segment.rows;
    return rows;
  }

  /** Appends the blocks, each to its table's segment, and syncs them. */
  commit(blocks: readonly Block[]): Commit {
    const failures = new Map<string, unknown>();
    const segments = new Map<string, bigint>();
    let bytes = 0;
    for (const block of blocks) {
      if (block.rows === 0) continue;
      try {
        const segment = this.segmentOf(block.table.name);
        bytes += this.append(segment, block);
        segments.set(block.table.name, segment.id);
      } catch (error) {
        failures.set(block.table.name, error);
      }
    }
    return { bytes, failures, segments };
  }

  /** Makes one block durable and returns the length of its frame, or throws with nothing of it stored. */
  private append(segment: SegmentWriter, block: Block): number {
    block.column(SEGMENT_COLUMN, ConstantColumn).set(segment.id);
    const days = block.days.byDay();
    const place = { segment: segment.id, sequence: segment.frames };
    const { parts, length } = encodeFrame(block.pieces(), block.rows, days, place);
    try {
      segment.append(parts, length, block.rows, days);
    } catch (error) {
      this.sealOne(segment);
      throw error;
    }
    const { maxSegmentRows, maxSegmentBytes } = this.options;
    const isFull =
      segment.rows >= maxSegmentRows || segment.bytes >= maxSegmentBytes || segment.days.size >= MAX_SEGMENT_DAYS;
    if (isFull) this.sealOne(segment);
    return length;
  }

  private segmentOf(table: string): SegmentWriter {
    let segment = this.open.get(table);
    if (segment === undefined) {
      segment = new SegmentWriter(this.options.directory, table, this.ids.next(this.options.now()));
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

  /** Gives no segment an id up to this one any more; the open ones are to be sealed. False if none would have had one. */
  skipIds(to: bigint): boolean {
    return this.ids.skipTo(to);
  }

  /** Closes everything, also what is empty. The log takes nothing afterwards. */
  close(): void {
    for (const segment of this.open.values()) this.sealOne(segment);
  }

  /** The segments sealed since the last call. */
  takeSealed(): SegmentInfo[] {
    return this.sealed.splice(0);
  }
}
