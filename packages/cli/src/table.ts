/**
 * Laying out rows as text: aligned columns that fit the terminal, or one field a line where they can't. Pure: strings in,
 * lines out.
 */

import { fit, pad, printable, textWidth } from './width.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Cut only when nothing else can be: half a number or a time is worse than none. */
  readonly keep?: boolean;
}

/** What a table needs to know of where it will be shown. */
export interface Sheet {
  /** Cells in a line; undefined for no limit, as in a pipe. */
  readonly width?: number | undefined;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  /** Rule under the titles. */
  readonly rule?: boolean;
}

/** NULL is shown as such; a text may bring the colours that it gets after it was measured. */
export type Cell = string | null | { readonly text: string; readonly paint: (text: string) => string };

export const PLAIN_SHEET: Sheet = { bold: (text) => text, dim: (text) => text };

const GAP = 2;
/** Narrower than this, a column of text says nothing. */
const LEAST_WIDTH = 10;
const NULL_TEXT = 'NULL';

/** The lines of a table. */
export function layoutTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  sheet: Sheet = PLAIN_SHEET,
): string[] {
  if (columns.length === 0) return [];
  const texts = rows.map((row) => columns.map((_, index) => cellText(row[index] ?? null)));
  const titles = columns.map(({ title }) => printable(title));
  const natural = columns.map((_, index) =>
    texts.reduce((widest, row) => Math.max(widest, textWidth(row[index] ?? '')), textWidth(titles[index] ?? '')),
  );
  const available = sheet.width === undefined ? Number.POSITIVE_INFINITY : sheet.width - GAP * (columns.length - 1);
  const kept = natural.map((width, index) => (columns[index]?.keep === true ? width : Math.min(width, LEAST_WIDTH)));
  const cut = natural.map((width) => Math.min(width, LEAST_WIDTH));
  const widths = shrink(natural, kept, available) ?? shrink(natural, cut, available);
  if (widths === undefined) return layoutRecords(titles, texts, rows, sheet);

  const line = (cells: readonly string[], paint: (text: string, index: number) => string): string =>
    cells
      .map((text, index) => {
        const width = widths[index] ?? 0;
        const cut = fit(text, width);
        const last = index === cells.length - 1 && columns[index]?.align !== 'right';
        // Padding stays outside the colour, and the last column of text needs none.
        const spaces = ' '.repeat(Math.max(0, width - textWidth(cut)));
        const painted = paint(cut, index);
        return columns[index]?.align === 'right' ? spaces + painted : last ? painted : painted + spaces;
      })
      .join(' '.repeat(GAP))
      .trimEnd();

  const lines = [line(titles, (text) => sheet.bold(text))];
  if (sheet.rule === true) lines.push(sheet.dim(widths.map((width) => '─'.repeat(width)).join(' '.repeat(GAP))));
  rows.forEach((row, number) => {
    lines.push(line(texts[number] ?? [], (text, index) => painter(row[index] ?? null, sheet)(text)));
  });
  return lines;
}

/** Names and values in two columns, as status pages show them. */
export function layoutPairs(pairs: readonly (readonly [string, string])[], sheet: Sheet = PLAIN_SHEET): string[] {
  const width = pairs.reduce((widest, [name]) => Math.max(widest, textWidth(name)), 0);
  return pairs.map(([name, value]) => `${sheet.dim(pad(name, width))}  ${value}`.trimEnd());
}

/** One field a line, for rows that are wider than the terminal. */
function layoutRecords(
  titles: readonly string[],
  texts: readonly (readonly string[])[],
  rows: readonly (readonly Cell[])[],
  sheet: Sheet,
): string[] {
  const lines: string[] = [];
  const nameWidth = Math.max(...titles.map(textWidth));
  texts.forEach((row, number) => {
    lines.push(sheet.dim(`── row ${number + 1} ──`));
    titles.forEach((title, index) => {
      const text = fit(row[index] ?? '', Math.max(LEAST_WIDTH, (sheet.width ?? 80) - nameWidth - GAP));
      lines.push(
        `${sheet.bold(pad(title, nameWidth))}${' '.repeat(GAP)}${painter(rows[number]?.[index] ?? null, sheet)(text)}`.trimEnd(),
      );
    });
  });
  return lines;
}

/** Takes cells from the widest columns, none under its least width, until the row fits; undefined if it can't. */
function shrink(natural: readonly number[], least: readonly number[], available: number): number[] | undefined {
  if (sum(natural) <= available) return [...natural];
  if (sum(least) > available) return undefined;
  const limited = (limit: number): number[] =>
    natural.map((width, index) => Math.max(least[index] ?? 0, Math.min(width, limit)));
  // The largest common limit under which everything fits.
  let low = 0;
  let high = Math.max(...natural);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (sum(limited(middle)) <= available) low = middle;
    else high = middle - 1;
  }
  const widths = limited(low);
  let left = available - sum(widths);
  return widths.map((width, index) => {
    const extra = Math.min(left, (natural[index] ?? 0) - width);
    left -= extra;
    return width + extra;
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function cellText(cell: Cell): string {
  if (cell === null) return NULL_TEXT;
  return printable(typeof cell === 'string' ? cell : cell.text);
}

function painter(cell: Cell, sheet: Sheet): (text: string) => string {
  if (cell === null) return sheet.dim;
  return typeof cell === 'string' ? (text) => text : cell.paint;
}
