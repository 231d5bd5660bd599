/**
 * Columns: the lines of SCHEMA, of a CREATE TABLE and of an ALTER. All three have one grammar here, a name, a type, and then in
 * any order a JSON path, a default, a comment and a codec.
 *
 * Must stay true: a faulty column does not hide the faults of the columns behind it.
 */

import { SEGMENT, type DataSourceColumn } from '@glasshouse/model';
import { isOperator, type Token } from '../lexer.ts';
import { attributeAt, isJsonPath, takeAttributes } from './attributes.ts';
import { indexAt } from './indexes.ts';
import { Report, type Place } from './notice.ts';
import { Cursor, lex, Source, splitLines } from './source.ts';
import { takeType } from './types.ts';

/** A column and where it was written. */
export interface PlacedColumn {
  readonly column: DataSourceColumn;
  readonly place: Place;
}

/**
 * Reads the columns of a `schema` parameter, or of anything that looks like the lines of SCHEMA.
 * `file` is the name that problems carry. Throws DataFileError with all problems.
 */
export function parseSchema(text: string, { file = 'schema' }: { readonly file?: string } = {}): DataSourceColumn[] {
  const report = new Report(file);
  const lines = splitLines(text, file);
  const columns = readColumns(withoutHashLines(new Source(lines)), report);
  if (columns.length === 0 && report.count === 0) {
    report.problem({ file, line: 1 }, 'cannot read the schema: it is empty', 'write columns');
  }
  report.settle();
  return columns.map(({ column }) => column);
}

/** Lines that start with `#` are comments; the SQL lexer knows only some of them. */
export function withoutHashLines(source: Source): Source {
  const text = source.text.replaceAll(/^[ \t]*#.*$/gmu, (line) => ' '.repeat(line.length));
  return source.withText(text);
}

/** Reads a comma-separated list of columns up to the end of the source; problems go to the report. */
export function readColumns(source: Source, report: Report): PlacedColumn[] {
  const tokens = report.attempt(() => lex(source));
  if (tokens === undefined) return [];
  return readColumnList(new Cursor(source, tokens), report, () => false);
}

/**
 * Reads columns until `atEnd`. `other` takes an entry that is no column, such as an index, and says whether it did.
 */
export function readColumnList(
  cursor: Cursor,
  report: Report,
  atEnd: (cursor: Cursor) => boolean,
  other: (cursor: Cursor) => boolean = refuseIndex,
): PlacedColumn[] {
  const columns: PlacedColumn[] = [];
  while (!cursor.done && !atEnd(cursor) && !report.full) {
    const start = cursor.place();
    const whole = report.attempt(() => {
      if (other(cursor)) return true;
      const column = takeColumn(cursor);
      columns.push({ column, place: start });
      return true;
    });
    if (whole === undefined) skipEntry(cursor, atEnd);
    else endEntry(cursor, report, atEnd);
  }
  refuseDoubles(columns, report);
  return columns;
}

/** Takes `name Type` and what may follow. `stop` ends the attributes early. Throws Fault. */
export function takeColumn(cursor: Cursor, stop: (cursor: Cursor) => boolean = () => false): DataSourceColumn {
  const name = takeColumnName(cursor);
  if (cursor.done || isOperator(cursor.peek(), ',') || attributeAt(cursor) !== undefined || stop(cursor)) {
    throw cursor.fault(
      `cannot read column=${name}: its type is missing`,
      `write the type after the name, such as ${name} String`,
      cursor.before,
    );
  }
  const type = takeType(cursor, `column=${name}`);
  const { comment = '', ...attributes } = takeAttributes(cursor, { name, type, stop });
  return { name, ...attributes, ...(comment === '' ? {} : { comment }) };
}

/** Takes what a MODIFY COLUMN changes: a type, and what may follow one; each may be absent, and a comment empty. Throws Fault. */
export function takeModification(
  cursor: Cursor,
  name: string,
  stop: (cursor: Cursor) => boolean,
): Omit<Partial<DataSourceColumn>, 'name'> {
  const ends = cursor.done || cursor.atOperator(',') || cursor.atOperator(';') || stop(cursor);
  if (ends) return {};
  if (attributeAt(cursor) === undefined) {
    const type = takeType(cursor, `column=${name}`);
    return takeAttributes(cursor, { name, type, stop });
  }
  const { type, ...changes } = takeAttributes(cursor, { name, type: '', stop });
  if (type === '') return changes;
  throw cursor.fault(
    `cannot modify column=${name}: NULL changes its type`,
    'write the whole type, Nullable(…)',
    cursor.before,
  );
}

/** Takes a column's name, bare or quoted. Throws Fault. */
export function takeColumnName(cursor: Cursor): string {
  const first = cursor.peek();
  if (isJsonPath(first)) {
    throw cursor.fault(
      `cannot read the JSON path ${cursor.sight}: no column stands before it`,
      'write `name` Type first',
    );
  }
  const name = first?.kind === 'quoted' ? cursor.take().value : takeBareName(cursor);
  if (name === '' || name.trim() !== name) {
    throw cursor.fault(`cannot read column=${name}: the name is blank at an end`, 'give it a plain name', first);
  }
  if (name === SEGMENT) {
    throw cursor.fault(`cannot use column=${name}: the name is reserved`, 'choose another name', first);
  }
  return name;
}

/** `user-id`, `a.b` and `2nd` are names too when nothing separates their parts. */
function takeBareName(cursor: Cursor): string {
  const first = cursor.peek();
  if (first?.kind !== 'word' && first?.kind !== 'number') {
    throw cursor.fault(
      `cannot read a column: ${cursor.sight} is no name`,
      'write `name` Type, and put names that are not plain in backticks',
    );
  }
  let end = cursor.take().end;
  for (let next = cursor.peek(); next !== undefined && next.start === end; next = cursor.peek()) {
    if (!isNamePart(next)) break;
    end = cursor.take().end;
  }
  return cursor.source.text.slice(first.start, end);
}

function isNamePart(token: Token): boolean {
  if (token.kind === 'operator') return ['.', '-'].includes(token.text);
  return token.kind === 'word' || token.kind === 'number';
}

/** `INDEX name expression TYPE type` does not belong among the columns of SCHEMA. */
function refuseIndex(cursor: Cursor): boolean {
  if (!indexAt(cursor)) return false;
  throw cursor.fault('cannot read INDEX: SCHEMA takes columns only', 'write it in a block INDEXES >');
}

/** Behind a column there is a comma, or the end. */
function endEntry(cursor: Cursor, report: Report, atEnd: (cursor: Cursor) => boolean): void {
  if (cursor.done || atEnd(cursor) || cursor.takeOperator(',')) return;
  const [before, next] = [cursor.before, cursor.peek()];
  if (cursor.onNewLine && (next?.kind === 'word' || next?.kind === 'quoted')) {
    const end = cursor.source.placeAt(before?.end ?? 0);
    report.problem(end, `cannot read the columns: a comma is missing before ${cursor.sight}`, forgottenComma(next));
    return;
  }
  report.problem(
    cursor.place(),
    `cannot read the columns: ${cursor.sight} is not expected here`,
    'a column is `name` Type `json:$.path` DEFAULT value, and a comma comes after it',
  );
  skipEntry(cursor, atEnd);
}

function forgottenComma(next: Token): string {
  const directive = next.kind === 'word' && /^[A-Z]{3}[A-Z_]*$/u.test(next.text);
  return directive
    ? 'write a comma at the end of the line; a directive such as ENGINE has to start further to the left'
    : 'write a comma at the end of the line';
}

/** Goes behind the next comma that is not in brackets. */
function skipEntry(cursor: Cursor, atEnd: (cursor: Cursor) => boolean): void {
  let depth = 0;
  while (!cursor.done) {
    if (depth <= 0 && atEnd(cursor)) return;
    const token = cursor.take();
    if (token.kind === 'operator' && '([{'.includes(token.text)) depth += 1;
    if (token.kind === 'operator' && ')]}'.includes(token.text)) depth -= 1;
    if (depth <= 0 && isOperator(token, ',')) return;
  }
}

function refuseDoubles(columns: readonly PlacedColumn[], report: Report): void {
  const first = new Map<string, Place>();
  for (const { column, place } of columns) {
    const before = first.get(column.name);
    if (before === undefined) first.set(column.name, place);
    else
      report.problem(
        place,
        `cannot add column=${column.name}: line ${before.line} has it already`,
        'rename one of them',
      );
  }
}
