/**
 * A segment once more, for the store: the same rows in few large frames. A frame costs an insert a third of a millisecond, however
 * few rows it has, and most senders have few at a time.
 *
 * Must stay true: it is never what counts. It has exactly the rows of its segment, or there is none; it is not synced, and whoever has
 * no use for it takes the segment. It costs no request its ack: what goes wrong here ends it, and nothing else.
 */

import { openSync } from 'node:fs';
import { join } from 'node:path';
import type { Block } from '@glasshouse/native';
import { ConstantColumn } from '@glasshouse/native';
import { SEGMENT_COLUMN } from '@glasshouse/schema';
import { encodeFrame } from './frame.ts';
import type { SegmentInfo } from './segment.ts';
import { closeQuietly, gatheredName, unlinkQuietly, writeAll } from './segment.ts';

/** After so much what is gathered is written, as one frame. */
const FRAME_BYTES = 2 << 20;
const FRAME_ROWS = 1 << 14;
/** Rows of a frame that costs as little as it is. A segment with one of these is not gathered: copying them costs more than it gains. */
const MANY_ROWS = 512;

/** The file of the segment that is written now. */
interface Open {
  readonly path: string;
  readonly fd: number;
  bytes: number;
  rows: number;
  frames: number;
}

export class Gathered {
  private readonly directory: string;
  private readonly block: Block;
  private file: Open | undefined;
  /** Bytes of the frames that the block's rows came in. */
  private bytes = 0;
  /** Frames of the segment. */
  private taken = 0;
  /** Nothing more is gathered of the segment. */
  private isOver = false;

  constructor(directory: string, like: Block) {
    this.directory = directory;
    this.block = like.another();
  }

  /** Takes the rows of a frame of so many bytes, which was written to the segment. */
  take(block: Block, bytes: number, segment: Pick<SegmentInfo, 'id' | 'table'>): void {
    if (this.isOver) return;
    if (block.rows >= MANY_ROWS) return this.end();
    if (this.bytes >= FRAME_BYTES || this.block.rows >= FRAME_ROWS) this.flush(segment);
    try {
      this.block.mark();
      this.block.absorb(block);
    } catch {
      this.end();
    }
    this.bytes += bytes;
    this.taken++;
  }

  /** Gives the last frame back: it is not durable. */
  giveBack(): void {
    this.block.rollback();
    this.taken--;
  }

  /** Ends the file of a segment that was sealed; returns its path, or undefined where it would be no better than the segment. */
  finish(segment: SegmentInfo | undefined): string | undefined {
    if (segment !== undefined && this.taken > 1) this.flush(segment);
    const { file } = this;
    const isWhole = file !== undefined && file.rows === segment?.rows;
    if (isWhole) closeQuietly(file.fd);
    else this.end();
    this.block.reset();
    [this.file, this.bytes, this.taken, this.isOver] = [undefined, 0, 0, false];
    return isWhole ? file.path : undefined;
  }

  /** Gathers nothing more of the segment, and gives the disk back. */
  private end(): void {
    this.isOver = true;
    this.block.reset();
    if (this.file === undefined) return;
    closeQuietly(this.file.fd);
    unlinkQuietly(this.file.path);
    this.file = undefined;
  }

  private flush({ id, table }: Pick<SegmentInfo, 'id' | 'table'>): void {
    const { block } = this;
    if (this.isOver || block.rows === 0) return;
    try {
      const file = (this.file ??= this.open(gatheredName({ table, id })));
      block.column(SEGMENT_COLUMN, ConstantColumn).set(id);
      const place = { segment: id, sequence: file.frames };
      const { parts, length } = encodeFrame(block.pieces(), block.rows, block.days.byDay(), place);
      writeAll(file.fd, parts, file.bytes, length);
      file.bytes += length;
      file.rows += block.rows;
      file.frames++;
      block.reset();
    } catch {
      this.end();
    }
    this.bytes = 0;
  }

  private open(name: string): Open {
    const path = join(this.directory, name);
    return { path, fd: openSync(path, 'wx', 0o600), bytes: 0, rows: 0, frames: 0 };
  }
}
