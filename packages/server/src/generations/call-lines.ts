/**
 * Lines of events as rows of generations: by a scan of their bytes, and as a whole where that finds something unusual.
 *
 * Must stay true: which of the two ways a line goes changes nothing of its row, which stays until the next line is read.
 */

import type { Dialect, PackedValues } from '@glasshouse/generations';
import { LineSlots } from '@glasshouse/generations';
import { LineScan } from './line-scan.ts';

export class CallLines {
  private readonly slots: LineSlots;
  private readonly scan: LineScan;

  constructor(dialects: readonly Dialect[]) {
    this.slots = new LineSlots(dialects);
    this.scan = new LineScan(this.slots);
  }

  /** The row of the line in `bytes[start, end)`; undefined if it is no generation. `isValid` says that it is known to be UTF-8. */
  read(bytes: Buffer, start: number, end: number, isValid: boolean): PackedValues | undefined {
    if (isValid && this.scan.scan(bytes, start, end)) return this.slots.readPacked();
    return this.readText(bytes.toString('utf8', start, end));
  }

  /** The row of a line as text. */
  readText(line: string): PackedValues | undefined {
    this.slots.fillLine(line);
    return this.slots.readPacked();
  }
}
