/**
 * Everything that a command writes: results to standard output, words about the work to standard error. Separate so that one
 * place knows what a terminal is, and a pipe gets neither colours nor movement.
 */

import { styleText } from 'node:util';
import type { Cell, Column, Sheet } from './table.ts';
import { layoutPairs, layoutTable } from './table.ts';
import { textWidth } from './width.ts';

/** The part of a stream that is needed here; a test gives its own. */
export interface TextSink {
  write(data: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  once?(event: 'drain', listener: () => void): unknown;
}

export type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
export type Paint = (colour: Colour, text: string) => string;

/** Words about work that takes long. */
export interface Progress {
  update(text: string): void;
  /** Takes the words away from a terminal. */
  end(): void;
}

/** Lines of progress in a log are this far apart. */
const PROGRESS_PAUSE_MS = 5_000;
const DEFAULT_COLUMNS = 80;

export class Output {
  readonly paint: Paint;
  private readonly paintNote: Paint;
  private readonly out: TextSink;
  private readonly err: TextSink;

  constructor(out: TextSink, err: TextSink, environment: Readonly<Record<string, string | undefined>>) {
    this.out = out;
    this.err = err;
    const wanted = !environment['NO_COLOR'] && environment['TERM'] !== 'dumb';
    this.paint = painter(wanted && out.isTTY === true);
    this.paintNote = painter(wanted && err.isTTY === true);
  }

  get isTerminal(): boolean {
    return this.out.isTTY === true;
  }

  /** How tables are to be laid out here. */
  get sheet(): Sheet {
    return {
      width: this.isTerminal ? (this.out.columns ?? DEFAULT_COLUMNS) : undefined,
      bold: (text) => this.paint('bold', text),
      dim: (text) => this.paint('dim', text),
      rule: this.isTerminal,
    };
  }

  /** Writes raw bytes as they are, and resolves when more may come. */
  async raw(chunk: Uint8Array): Promise<void> {
    const { out } = this;
    if (out.write(chunk) === false && out.once !== undefined)
      await new Promise<void>((resolve) => out.once?.('drain', resolve));
  }

  line(text = ''): void {
    this.out.write(`${text}\n`);
  }

  lines(lines: readonly string[]): void {
    if (lines.length > 0) this.out.write(`${lines.join('\n')}\n`);
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value, null, this.isTerminal ? 2 : undefined));
  }

  table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): void {
    this.lines(layoutTable(columns, rows, this.sheet));
  }

  pairs(pairs: readonly (readonly [string, string])[]): void {
    this.lines(layoutPairs(pairs, this.sheet));
  }

  /** To standard error: what a person may want to know, and no script reads. */
  note(text: string, colour?: Colour): void {
    this.err.write(`${colour === undefined ? text : this.paintNote(colour, text)}\n`);
  }

  /** On a terminal one line that changes; elsewhere a line now and then. `now` is in ms. */
  progress(now: () => number): Progress {
    let shown = '';
    let printedAt = now();
    const terminal = this.err.isTTY === true;
    const clear = (): void => {
      if (terminal && shown !== '') this.err.write(`\r${' '.repeat(textWidth(shown))}\r`);
      shown = '';
    };
    return {
      update: (text) => {
        if (text === shown) return;
        if (terminal) {
          clear();
          this.err.write(this.paintNote('dim', text));
        } else if (now() - printedAt < PROGRESS_PAUSE_MS) return;
        else {
          this.err.write(`${text}\n`);
          printedAt = now();
        }
        shown = text;
      },
      end: clear,
    };
  }
}

function painter(colours: boolean): Paint {
  return colours ? (colour, text) => styleText(colour, text, { validateStream: false }) : (_, text) => text;
}

/** Bytes in the largest fitting unit. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit] ?? 'B'}`;
}

/** A duration in ms, as a person says it. */
export function durationText(ms: number): string {
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${(ms / 1000).toFixed(1)} s`;
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

/** A whole number with its thousands apart. */
export function countText(count: number): string {
  return Math.round(count)
    .toString()
    .replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',');
}
