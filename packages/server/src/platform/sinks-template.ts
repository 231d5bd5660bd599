/**
 * Names of the files that a sink writes: a template such as `trips/{country}/{started_at, '%Y-%m-%d'}_{4}`. A column's name stands for
 * its value, with a format for that of a date; a number for parts of about the same size. Rows that differ in any of these go into
 * different files. `{date}` and `{timestamp}` are the time of the run where the result has no such column.
 *
 * Must stay true: a name made of values stays below the folder that it is put into.
 */

import { AppError } from '@glasshouse/model';
import { quoteName, quoteText } from '@glasshouse/store';

export interface FileTemplate {
  /** An SQL list of texts that tells the files of rows apart; undefined if all go into one. */
  readonly key: string | undefined;
  /** The name of the file for the texts of a key, without the ending. */
  readonly nameOf: (key: readonly string[]) => string;
}

const PART = /\{([^{}]*)\}/gu;
const COLUMN = /^([A-Za-z_]\w*)\s*(?:,\s*'([^']*)'\s*)?$/u;
const FORMAT = /^[\w%:/. -]{1,60}$/u;
const MAX_PARTS = 1_000;

/** Reads a template for a result with these columns and a run at this time. Throws `bad_request`. */
export function readFileTemplate(text: string, columns: readonly string[], at: Date): FileTemplate {
  const refuse = (why: string): never => {
    throw new AppError('bad_request', `cannot use EXPORT_FILE_TEMPLATE ${text.slice(0, 200)}: ${why}`);
  };
  const expressions: string[] = [];
  const pieces: ((key: readonly string[]) => string)[] = [];
  let from = 0;
  for (const match of text.matchAll(PART)) {
    const literal = text.slice(from, match.index);
    pieces.push(() => literal);
    from = match.index + match[0].length;
    const inner = (match[1] ?? '').trim();
    if (/^\d{1,4}$/u.test(inner)) {
      const count = Number(inner);
      if (count < 1 || count > MAX_PARTS) refuse(`a number of files is from 1 to ${MAX_PARTS}`);
      pieces.push(valueAt(expressions.length, false));
      expressions.push(`toString(rowNumberInAllBlocks() % ${count})`);
      continue;
    }
    const [, name, format] = COLUMN.exec(inner) ?? [];
    if (name === undefined)
      return refuse(`{${inner}} is no column, no column with a format such as '%Y', and no number`);
    if (format !== undefined && !FORMAT.test(format)) refuse(`'${format}' is no format of a date`);
    if (columns.includes(name)) {
      pieces.push(valueAt(expressions.length, format !== undefined));
      expressions.push(expressionOf(name, format));
    } else if (name === 'date' || name === 'timestamp') {
      const time = formatted(at, format ?? (name === 'date' ? '%Y-%m-%d' : '%Y%m%dT%H%M%SZ'));
      pieces.push(() => time);
    } else refuse(`the result has no column ${name}`);
  }
  const rest = text.slice(from);
  if (/[{}]/u.test(rest)) refuse('a brace is not closed');
  pieces.push(() => rest);
  return {
    key: expressions.length === 0 ? undefined : `[${expressions.join(', ')}]`,
    nameOf: (key) => pieces.map((piece) => piece(key)).join(''),
  };
}

/** A path of plain segments, each of which is a name and leads nowhere else. Throws `bad_request` if nothing is left of it. */
export function plainPath(...parts: readonly string[]): string {
  const segments = parts
    .join('/')
    .split('/')
    .map((segment) => segment.replaceAll(/[^\w.=@,+~ -]/gu, '_').trim())
    .filter((segment) => segment !== '' && segment !== '.')
    .map((segment) => (/^\.+$/u.test(segment) ? '_' : segment.slice(0, 200)));
  if (segments.length === 0) throw new AppError('bad_request', 'cannot export: the file has no name');
  return segments.join('/');
}

/** Slashes of a format make folders, those of a value do not. */
function valueAt(index: number, isFormatted: boolean): (key: readonly string[]) => string {
  return (key) => {
    const value = key[index] ?? '';
    return isFormatted ? value : value.replaceAll('/', '_');
  };
}

function expressionOf(name: string, format: string | undefined): string {
  const column = quoteName(name);
  if (format === undefined) return `ifNull(toString(${column}), '')`;
  return `ifNull(formatDateTime(${column}, ${quoteText(engineFormat(format))}), '')`;
}

/** Minutes are `%M` in most languages, and `%i` to the engine. */
function engineFormat(format: string): string {
  return format.replaceAll('%M', '%i');
}

function formatted(at: Date, format: string): string {
  const [date = '', time = ''] = at.toISOString().split('T');
  const [year = '', month = '', day = ''] = date.split('-');
  const [hour = '', minute = '', second = ''] = time.slice(0, 8).split(':');
  const fields: Readonly<Record<string, string>> = {
    Y: year,
    m: month,
    d: day,
    H: hour,
    M: minute,
    i: minute,
    S: second,
  };
  return format
    .replaceAll('%F', '%Y-%m-%d')
    .replaceAll('%T', '%H:%M:%S')
    .replaceAll(/%(\w)/gu, (all, letter: string) => fields[letter] ?? all);
}
