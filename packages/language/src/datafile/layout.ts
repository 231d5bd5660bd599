/**
 * The layout of a data file: which lines are a directive's value, which are its block, which are comments. What a directive
 * says is read elsewhere.
 *
 * Must stay true: a block ends at the next line that stands no further right than the directive that opened it, if that line
 * starts with a directive. So an indented block may contain any word, and a block that is not indented ends all the same.
 */

import { isConnector, isOfOtherKind, unknownHint, type Form, type Vocabulary } from './directives.ts';
import { includedLines, type Include } from './include.ts';
import { nearest } from './nearest.ts';
import type { Place, Report } from './notice.ts';
import { Source, type SourceLine } from './source.ts';

export interface Directive {
  /** In upper case; the clauses of DDL are `ORDER BY` and so on. */
  readonly key: string;
  readonly place: Required<Place>;
  /** The value without the quotes around it and without a comment behind it, or the block as one text. */
  readonly source: Source;
  /** The lines of a block, which starts with what stands behind `>`; undefined when the directive has a value. */
  readonly block?: readonly SourceLine[];
}

interface Head {
  readonly key: string;
  readonly line: SourceLine;
  readonly indent: number;
  /** Where the value starts in the line. */
  readonly valueAt: number;
  readonly form: Form | undefined;
}

const WORD = /^[ \t]*([A-Za-z][A-Za-z0-9_]*)(?=[\s>=]|$)/u;
const CLAUSE = /^[ \t]*(ORDER[ \t]+BY|PARTITION[ \t]+BY|SAMPLE[ \t]+BY|PRIMARY[ \t]+KEY)(?=[\s(]|$)/iu;
/** How directives start that are too long to be recognised by a letter or two. */
const PREFIXED = /^(?:ENGINE|COPY|EXPORT|TARGET|FORWARD|DEPLOYMENT|SHARED)_/u;
/** Directives that stand less than this further right than the one before are taken for sloppy, not for text. */
const SLOPPY_COLUMNS = 4;

/** Cuts a file into directives. Unknown ones go to the report; included fragments are put in place. */
export function readDirectives(
  file: readonly SourceLine[],
  vocabulary: Vocabulary,
  report: Report,
  include: Include,
): Directive[] {
  const directives: Directive[] = [];
  let lines = file;
  let at = 0;
  while (at < lines.length && !report.full) {
    const line = lines[at];
    if (line === undefined || isBlankOrComment(line.text)) {
      at += 1;
      continue;
    }
    const head = headOf(line, vocabulary);
    if (head === undefined) {
      reportUnknown(line, vocabulary, report);
      at = endOfUnknown(lines, at, vocabulary);
      continue;
    }
    const end = endOf(lines, at, head, vocabulary);
    const directive = directiveOf(head, lines.slice(at + 1, end), report);
    if (directive.key === 'INCLUDE') {
      const included = includedLines(directive, include, report);
      if (included.length > 0) {
        lines = [...included, ...lines.slice(end)];
        at = 0;
        continue;
      }
    } else directives.push(directive);
    at = end;
  }
  return directives;
}

function isBlankOrComment(text: string): boolean {
  const trimmed = text.trim();
  return trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith('--');
}

/** Columns of white space in front; a tab goes to the next multiple of four. */
function indentOf(text: string): number {
  let columns = 0;
  for (const char of text) {
    if (char === '\t') columns += 4 - (columns % 4);
    else if (/\s/u.test(char)) columns += 1;
    else break;
  }
  return columns;
}

function headOf(line: SourceLine, vocabulary: Vocabulary): Head | undefined {
  const clause = vocabulary.clauses ? CLAUSE.exec(line.text) : null;
  const match = clause ?? WORD.exec(line.text);
  const word = match?.[1];
  if (match === null || word === undefined) return undefined;
  const key = word.toUpperCase().replaceAll(/\s+/gu, ' ');
  const form = clause === null ? vocabulary.forms.get(key) : 'value';
  if (form === undefined && !isConnector(key)) return undefined;
  return { key, line, indent: indentOf(line.text), valueAt: match[0].length, form };
}

/** The index behind the last line that belongs to a directive. */
function endOf(lines: readonly SourceLine[], at: number, head: Head, vocabulary: Vocabulary): number {
  const rest = head.line.text.slice(head.valueAt).trim();
  if (rest.startsWith('>') || (rest === '' && head.form === 'block')) return endOfBlock(lines, at, head, vocabulary);
  return head.form === 'value' ? endOfValue(lines, at, head, rest, vocabulary) : at + 1;
}

function endOfBlock(lines: readonly SourceLine[], at: number, head: Head, vocabulary: Vocabulary): number {
  let contentIndent: number | undefined;
  for (let index = at + 1; index < lines.length; index += 1) {
    const line = lines[index];
    if (line === undefined || isBlankOrComment(line.text)) continue;
    if (endsBlock(line, head, contentIndent, vocabulary)) return index;
    contentIndent ??= indentOf(line.text);
  }
  return lines.length;
}

function endsBlock(line: SourceLine, head: Head, contentIndent: number | undefined, vocabulary: Vocabulary): boolean {
  const indent = indentOf(line.text);
  const indented = contentIndent !== undefined && contentIndent > head.indent;
  const sloppy = indented && indent < contentIndent && indent < head.indent + SLOPPY_COLUMNS;
  if (indent > head.indent && !sloppy) return false;
  const next = headOf(line, vocabulary);
  const word = WORD.exec(line.text)?.[1] ?? '';
  if (next !== undefined) {
    const isSql = head.key === 'FORWARD_QUERY' || head.key === 'DESCRIPTION';
    if (isSql && next.key.includes(' ')) return false;
    return /^[A-Z_ \t\d]+$/u.test(line.text.slice(0, next.valueAt)) || (indented && indent <= head.indent);
  }
  return indented && indent <= head.indent && isMisspelt(word, head.key, vocabulary);
}

/** A line that hangs out of an indented block, and whose first word is nearly a directive. */
function isMisspelt(word: string, block: string, vocabulary: Vocabulary): boolean {
  if (block === 'DESCRIPTION' || word.length < 4 || word !== word.toUpperCase()) return false;
  if (PREFIXED.test(word) || isOfOtherKind(word, vocabulary)) return true;
  const limit = block === 'SCHEMA' || block === 'INDEXES' ? 2 : 1;
  return nearest(word, vocabulary.forms.keys(), limit) !== undefined;
}

/** A value goes on over the following lines while one of its brackets is open. */
function endOfValue(
  lines: readonly SourceLine[],
  at: number,
  head: Head,
  rest: string,
  vocabulary: Vocabulary,
): number {
  let open = openBrackets(rest);
  let index = at + 1;
  if (!vocabulary.clauses) return index;
  for (; open > 0 && index < lines.length; index += 1) {
    const line = lines[index];
    if (line === undefined) break;
    if (headOf(line, vocabulary) !== undefined && indentOf(line.text) <= head.indent) break;
    open += openBrackets(line.text);
  }
  return open > 0 ? at + 1 : index;
}

/** Opening brackets less closing ones, outside of quotes and of a comment at the end. */
function openBrackets(text: string): number {
  let open = 0;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (quote !== '') {
      if (char === '\\') at += 1;
      else if (char === quote) quote = '';
    } else if (char === '#' || text.startsWith('--', at)) break;
    else if (char === "'" || char === '"' || char === '`') quote = char;
    else if (char === '(') open += 1;
    else if (char === ')') open -= 1;
  }
  return open;
}

function directiveOf(head: Head, following: readonly SourceLine[], report: Report): Directive {
  const { key, line, valueAt } = head;
  const text = line.text.slice(valueAt);
  const place = { file: line.file, line: line.line, column: indexOfWord(line.text) + 1 };
  const arrow = text.trimStart().startsWith('>');
  if (!arrow && !(head.form === 'block' && text.trim() === '')) {
    const source = valueSource([line, ...following], valueAt, key);
    return head.form === 'block'
      ? { key, place, source, block: [{ ...line, text: text.trim() }] }
      : { key, place, source };
  }
  if (!arrow) report.warn(place, `${key} has a block, but no > behind it.`, `write ${key} >`);
  const from = arrow ? line.text.indexOf('>', valueAt) + 1 : line.text.length;
  const first = { ...line, text: ' '.repeat(from) + line.text.slice(from) };
  const block = withoutComments([first, ...following], head);
  return { key, place, source: new Source(block), block };
}

function indexOfWord(text: string): number {
  return text.length - text.trimStart().length;
}

/** Blanks the lines of a block that are comments: those with `#` that stand no further right than the directive. */
function withoutComments(lines: readonly SourceLine[], head: Head): SourceLine[] {
  return lines.map((line, index) => {
    const isComment = index > 0 && line.text.trimStart().startsWith('#') && indentOf(line.text) <= head.indent;
    return isComment ? { ...line, text: '' } : line;
  });
}

function valueSource(lines: readonly SourceLine[], valueAt: number, key: string): Source {
  const source = new Source(lines);
  const value = source.text.slice(valueAt);
  const start = valueAt + (value.length - value.trimStart().length);
  const end = source.text.trimEnd().length;
  if (end <= start) return source.only(start, start);
  const quoted = quotedEnd(source.text, start, end);
  if (quoted !== undefined) return source.only(start + 1, quoted);
  if (key === 'DESCRIPTION' || key === 'SQL' || key === 'FORWARD_QUERY' || key === 'SCHEMA')
    return source.only(start, end);
  return source.only(start, lines.length > 1 ? end : commentStart(source.text, start, end));
}

/** Where ` # comment` begins behind a value that has no quotes around it, or the end. */
function commentStart(text: string, start: number, end: number): number {
  let quote = '';
  for (let at = start; at < end; at += 1) {
    const char = text.charAt(at);
    if (quote !== '') {
      if (char === '\\') at += 1;
      else if (char === quote) quote = '';
    } else if (/['"`]/u.test(char) && text.indexOf(char, at + 1) !== -1) quote = char;
    else if (char === '#' && /\s/u.test(text.charAt(at - 1))) return at;
  }
  return end;
}

/** Where the closing quote is, if the value is one quoted text with nothing but a comment behind it. */
function quotedEnd(text: string, start: number, end: number): number | undefined {
  const quote = text.charAt(start);
  if (quote !== '"' && quote !== "'") return undefined;
  const close = text.indexOf(quote, start + 1);
  if (close === -1 || close >= end) return undefined;
  return /^\s*(?:(?:#|--).*)?$/u.test(text.slice(close + 1, end)) ? close : undefined;
}

function reportUnknown(line: SourceLine, vocabulary: Vocabulary, report: Report): void {
  const word = /^\S+/u.exec(line.text.trimStart())?.[0] ?? '';
  const shown = word.length > 40 ? `${word.slice(0, 40)}…` : word;
  report.problem(
    { file: line.file, line: line.line, column: indexOfWord(line.text) + 1 },
    `cannot read directive=${shown}: a .${vocabulary.kind} file has no such directive`,
    unknownHint(word.replace(/[>=].*$/u, '').toUpperCase(), vocabulary),
  );
}

/** An unknown directive takes the lines with it that stand further right, because they would be reported one by one. */
function endOfUnknown(lines: readonly SourceLine[], at: number, vocabulary: Vocabulary): number {
  const indent = indentOf(lines[at]?.text ?? '');
  let index = at + 1;
  for (; index < lines.length; index += 1) {
    const line = lines[index];
    if (line === undefined || isBlankOrComment(line.text)) continue;
    if (indentOf(line.text) <= indent || headOf(line, vocabulary) !== undefined) break;
  }
  return index;
}
