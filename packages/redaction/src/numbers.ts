/**
 * Groups of digits as people and machines write them: `4111 1111 1111 1111`, `(415) 555-2671`, `192.0.2.1`. They are read once,
 * and what they are is asked of the one reading.
 *
 * Must stay true: reading is bounded, so that a text of digits only is read in time proportional to its length.
 */

import { CLOSE, DASH, DOT, isDigit, OPEN, SLASH, SPACE } from './bytes.ts';
import type { Bytes } from './bytes.ts';

const MAX_GROUPS = 20;
const MAX_SEPARATORS = 3;
const MAX_DIGITS = 24;

export class Groups {
  count = 0;
  /** Digits of all groups. */
  digits = 0;
  private readonly starts = new Uint32Array(MAX_GROUPS);
  private readonly ends = new Uint32Array(MAX_GROUPS);
  private bytes: Bytes = new Uint8Array();

  /** Reads the groups from the digit at `at` on. */
  read(bytes: Bytes, at: number, end: number): void {
    this.bytes = bytes;
    this.count = 0;
    this.digits = 0;
    let start = at;
    while (this.count < MAX_GROUPS && this.digits < MAX_DIGITS) {
      let next = start;
      while (next < end && isDigit(bytes[next])) next++;
      this.starts[this.count] = start;
      this.ends[this.count] = next;
      this.count++;
      this.digits += next - start;
      start = next;
      while (start < end && start - next < MAX_SEPARATORS && isSeparator(bytes[start] as number)) start++;
      if (start === next || start >= end || !isDigit(bytes[start])) return;
    }
  }

  start(group: number): number {
    return this.starts[group] as number;
  }

  end(group: number): number {
    return this.ends[group] as number;
  }

  length(group: number): number {
    return group < this.count ? this.end(group) - this.start(group) : 0;
  }

  startsWithZero(group: number): boolean {
    return this.bytes[this.start(group)] === 0x30;
  }

  /** The first byte between this group and the next one, or 0 if it is the last. */
  separator(group: number): number {
    return group + 1 < this.count ? (this.bytes[this.end(group)] as number) : 0;
  }

  /** True if the same single byte stands between all groups from the first to `last`. */
  isUniform(last: number): boolean {
    const separator = this.separator(0);
    for (let group = 0; group < last; group++) {
      if (this.separator(group) !== separator || this.start(group + 1) - this.end(group) !== 1) return false;
    }
    return true;
  }

  /** The digits of the groups from the first to `last`. */
  text(last: number): string {
    let text = '';
    for (let group = 0; group <= last; group++) {
      for (let at = this.start(group); at < this.end(group); at++)
        text += String.fromCharCode(this.bytes[at] as number);
    }
    return text;
  }
}

function isSeparator(byte: number): boolean {
  return byte === SPACE || byte === DASH || byte === DOT || byte === SLASH || byte === OPEN || byte === CLOSE;
}
