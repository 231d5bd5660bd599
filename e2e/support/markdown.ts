/**
 * Reading the documentation as data: code blocks with what is said of them, cells of tables, and links.
 *
 * A block is run by the tests if `<!-- test -->` stands before it; `<!-- not run: why -->` says that it is not, and why.
 */

export interface Block {
  readonly language: string;
  readonly text: string;
  /** Line of its first line of code, counted from 1. */
  readonly line: number;
  /** What the comment before it says: `test`, `not run: …`, or nothing. */
  readonly mark: string | undefined;
}

/** The fenced code blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  const lines = page.split('\n');
  let mark: string | undefined;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    const fence = /^(\s*)```(\w*)$/.exec(line);
    if (fence === null) {
      if (line.trim() !== '') mark = /^\s*<!-- (.*) -->$/.exec(line)?.[1];
      continue;
    }
    const first = at + 1;
    const end = lines.indexOf(`${fence[1]}\`\`\``, first);
    if (end < 0) throw new Error(`cannot read the page: the block of line ${at + 1} has no end`);
    const text = lines.slice(first, end).map((code) => code.slice(fence[1]?.length ?? 0));
    blocks.push({ language: fence[2] ?? '', text: text.join('\n'), line: first + 1, mark });
    mark = undefined;
    at = end;
  }
  return blocks;
}

/** The rows of all tables of a page, without titles, each cell without its back-ticks. */
export function rowsOf(page: string): string[][] {
  const lines = page.split('\n');
  const isRow = (line: string | undefined): boolean => line?.startsWith('|') === true;
  return lines
    .filter((line, at) => isRow(line) && isRow(lines[at - 1]) && !/^\|[\s:|-]+\|$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')),
    );
}

/** The targets of the links of a page that lead to other files, without their anchors. */
export function fileLinksOf(page: string): string[] {
  const targets = [...page.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
  return targets.filter((target) => !/^(https?:|#|mailto:)/.test(target)).map((target) => target.replace(/#.*$/, ''));
}
