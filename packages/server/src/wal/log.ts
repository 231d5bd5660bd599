/**
 * The write-ahead log: one open segment per table, blocks appended to it as frames, and sealed when it is large enough or
 * when the drain has nothing else to do.
 *
 * Must stay true: `commit` never rejects. Per table it either makes the block durable or undoes it and reports the failure;
 * what failed may not be acknowledged. A table's failure does not touch the others, nor the commits that come after it. One
 * commit at a time: until it is over, nothing else may be asked of the log.
 */

import { invariant } from '@glasshouse/model';
import type { Block } from '@glasshouse/native';
import { ConstantColumn } from '@glasshouse/native';
import { SEGMENT_COLUMN } from '@glasshouse/schema';
import { encodeFrame } from './frame.ts';
import { Gathered } from './gathered.ts';
import { openIdMark, SegmentIds } from './ids.ts';
import type { SegmentInfo } from './segment.ts';
import { SegmentWriter } from './segment.ts';

export interface LogOptions {
  readonly directory: string;
  readonly node: number;
  readonly maxSegmentRows: number;
  readonly maxSegmentBytes: number;
  readonly now: () => number;
  /** Tables of which the store gets gathered what came in small frames. */
  readonly gathers?: ReadonlySet<string>;
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
  private readonly gathered = new Map<string, Gathered>();
  private readonly sealed: SegmentInfo[] = [];
  private isBusy = false;

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

  /**
   * Appends the blocks, each to its table's segment, and syncs these, all at the same time. When the call returns the blocks are
   * written and may be filled again; when its promise resolves they are durable.
   */
  async commit(blocks: readonly Block[]): Promise<Commit> {
    this.rest();
    this.isBusy = true;
    const failures = new Map<string, unknown>();
    const segments = new Map<string, bigint>();
    let bytes = 0;
    const syncs: Promise<void>[] = [];
    for (const block of blocks) {
      if (block.rows === 0) continue;
      const { name } = block.table;
      try {
        const segment = this.segmentOf(name);
        const length = this.write(segment, block);
        const sync = async (): Promise<void> => {
          await this.sync(segment);
          bytes += length;
          segments.set(name, segment.id);
        };
        syncs.push(sync().catch((error: unknown) => void failures.set(name, error)));
        this.gatheredOf(block)?.take(block, length, segment);
      } catch (error) {
        failures.set(name, error);
      }
    }
    await Promise.all(syncs);
    this.isBusy = false;
    return { bytes, failures, segments };
  }

  /** Writes one block and returns the length of its frame, or throws with nothing of it stored. */
  private write(segment: SegmentWriter, block: Block): number {
    block.column(SEGMENT_COLUMN, ConstantColumn).set(segment.id);
    // The block counts the days of the next commit while this one is synced.
    const days = new Map(block.days.byDay());
    const place = { segment: segment.id, sequence: segment.frames };
    const { parts, length } = encodeFrame(block.pieces(), block.rows, days, place);
    try {
      segment.write(parts, length, block.rows, days);
    } catch (error) {
      this.sealOne(segment);
      throw error;
    }
    return length;
  }

  /** Makes durable what was written, or rejects with nothing of it stored. */
  private async sync(segment: SegmentWriter): Promise<void> {
    try {
      await segment.sync();
    } catch (error) {
      this.gathered.get(segment.table)?.giveBack();
      this.sealOne(segment);
      throw error;
    }
    const { maxSegmentRows, maxSegmentBytes } = this.options;
    const isFull =
      segment.rows >= maxSegmentRows || segment.bytes >= maxSegmentBytes || segment.days.size >= MAX_SEGMENT_DAYS;
    if (isFull) this.sealOne(segment);
  }

  private rest(): void {
    invariant(!this.isBusy, 'a commit of the log is not over');
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
    const gathered = this.gathered.get(segment.table)?.finish(info?.unchecked === true ? undefined : info);
    if (info !== undefined) this.sealed.push(gathered === undefined ? info : { ...info, gathered });
  }

  private gatheredOf(block: Block): Gathered | undefined {
    const { name } = block.table;
    if (this.options.gathers?.has(name) !== true) return undefined;
    let gathered = this.gathered.get(name);
    if (gathered === undefined) {
      gathered = new Gathered(this.options.directory, block);
      this.gathered.set(name, gathered);
    }
    return gathered;
  }

  /** Seals every segment that holds rows. */
  seal(): void {
    this.rest();
    for (const segment of this.open.values()) if (segment.rows > 0) this.sealOne(segment);
  }

  /** Gives no segment an id up to this one any more; the open ones are to be sealed. False if none would have had one. */
  skipIds(to: bigint): boolean {
    return this.ids.skipTo(to);
  }

  /** Closes everything, also what is empty. The log takes nothing afterwards. */
  close(): void {
    this.rest();
    for (const segment of this.open.values()) this.sealOne(segment);
  }

  /** The segments sealed since the last call. */
  takeSealed(): SegmentInfo[] {
    return this.sealed.splice(0);
  }
}
