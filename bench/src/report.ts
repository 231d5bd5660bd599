/** Tables of results, for the terminal and for the benchmark page, and the numbers in them as people read them. */

export interface Table {
  readonly title: string;
  /** What was done, in a sentence or two. */
  readonly text: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function decimals(value: number, digits: number): string {
  return value.toFixed(digits);
}

export function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
}

export function megabytes(bytes: number): string {
  return `${thousands(bytes / 1e6)} MB`;
}

export function times(ratio: number): string {
  return `${ratio.toFixed(ratio < 10 ? 2 : 1)} ×`;
}

/** Columns in line, for a terminal. */
export function asText({ title, text, head, rows }: Table): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? '').length)));
  // Numbers of a table stand under each other; of a list of facts, the text does.
  const isList = head.length === 2;
  const pad = (cell: string, column: number): string =>
    column === 0 || isList ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  const line = (cells: readonly string[]): string => cells.map(pad).join('  ').trimEnd();
  return ['', title, text, '', ...lines.map((cells) => `  ${line(cells)}`), ''].join('\n');
}

/** A Markdown section, laid out as the formatter of this repository would. */
export function asMarkdown({ title, text, head, rows }: Table): string {
  const lines = [head, ...rows].map((cells) => cells.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, column) => Math.max(4, ...lines.map((cells) => (cells[column] ?? '').length)));
  const isList = head.length === 2;
  const isRight = (column: number): boolean => column > 0 && !isList;
  const pad = (cell: string, column: number): string =>
    isRight(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  const line = (cells: readonly string[]): string => `| ${cells.map(pad).join(' | ')} |`;
  const rule = widths.map((width, column) => (isRight(column) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  const [first = [], ...others] = lines;
  return [`## ${title}`, '', text, '', line(first), line(rule), ...others.map(line), ''].join('\n');
}
