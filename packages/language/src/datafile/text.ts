/**
 * The text of a block: descriptions and SQL, freed from the indentation that the file gives them.
 *
 * Must stay true: indenting the result again by any amount, and reading that, gives the same text.
 */

import type { Token } from '../lexer.ts';
import { splitLines, type SourceLine } from './source.ts';

/** Prose: no blank lines at its ends, no indentation that all lines share, none of the first line. */
export function proseOf(lines: readonly SourceLine[]): string {
  return dedent(lines.map((line) => line.text)).trim();
}

/** Escapes of a string literal; of an unknown one the engine keeps the backslash. */
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\n',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '`': '`',
};

/** The prose in a string literal. Control characters, which no prose has, are blanks. */
export function proseOfString({ value }: Pick<Token, 'value'>): string {
  const text = value.replaceAll(/\\(.)/gsu, (escape, char: string) => ESCAPES[char] ?? escape);
  // oxlint-disable-next-line no-control-regex
  return proseOf(splitLines(text.replaceAll(/[\0-\x08\x0b-\x0c\x0e-\x1f\x7f]/gu, ' '), ''));
}

/** A string literal on one line that says the text. */
export function quoteProse(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\t', '\\t')}'`;
}

/**
 * SQL as written, without the lines that start with `#`: these are comments of the data file, and mostly none of SQL. The `%`
 * of a template stands alone in the first line, whatever its indentation was, because it is often not that of the rest.
 */
export function sqlOf(lines: readonly SourceLine[]): string {
  const texts = withoutBlankEdges(lines.map((line) => line.text).filter((text) => !isComment(text)));
  const [first = '', ...rest] = texts;
  if (!first.trimStart().startsWith('%')) return dedent(texts).trimEnd();
  const behind = first.trimStart().slice(1).trim();
  const body = dedent(behind === '' || isComment(behind) ? rest : [behind, ...dedent(rest).split('\n')]).trimEnd();
  return body === '' ? '%' : `%\n${body}`;
}

function isComment(text: string): boolean {
  return text.trimStart().startsWith('#');
}

function dedent(texts: readonly string[]): string {
  const kept = withoutBlankEdges(texts);
  const shared = kept.filter((text) => text.trim() !== '').map((text) => /^[ \t]*/u.exec(text)?.[0] ?? '');
  const prefix = shared.reduce((common, indent) => commonPrefix(common, indent), shared[0] ?? '');
  return kept.map((text) => (text.trim() === '' ? '' : text.slice(prefix.length))).join('\n');
}

function withoutBlankEdges(texts: readonly string[]): string[] {
  const first = texts.findIndex((text) => text.trim() !== '');
  const last = texts.findLastIndex((text) => text.trim() !== '');
  return first === -1 ? [] : texts.slice(first, last + 1);
}

function commonPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
}
