/**
 * What is told of rows to somebody who wants to make a data source for them: the columns that would hold them, and the first rows
 * as these columns would. Separate from `guess.ts` because nothing is made of it here: whoever asked decides, so a column
 * says no more than has to be said.
 *
 * Must stay true: like with a guessed schema, every one of the rows fits the columns. The columns can be written in a data file,
 * so a key that no path in one can name, such as one with a line break, has no column.
 */

import type { DataSourceColumn } from '@glasshouse/model';
import { identifierFault } from '../lexer.ts';
import { guessSchema, TIME } from './guess.ts';
import { parsePath } from './path.ts';
import { readRow, Written, type Row } from './written.ts';

export interface DescribedColumn extends DataSourceColumn {
  /** Share of the rows that have a value for it, from 0 to 1. */
  readonly present: number;
}

export interface Description {
  readonly columns: readonly DescribedColumn[];
  /** Of the first rows the values by the names of the columns. Times are in UTC, and numbers have all their digits in JSON. */
  readonly preview: readonly Row[];
}

export interface DescribeOptions {
  /** Whether rows come from a file whose columns have names, so that a path says nothing where it is the name. */
  readonly named: boolean;
  readonly previewRows: number;
}

/** Describes rows of JSON, one a line. Lines that are no objects are passed over. Throws `bad_request` like `guessSchema`. */
export function describeRows(lines: readonly string[], { named, previewRows }: DescribeOptions): Description {
  const { columns: guessed, present } = guessSchema(lines);
  const columns = guessed.flatMap((column, index): DescribedColumn[] => {
    const jsonPath = writablePath(column.jsonPath ?? '$');
    return jsonPath === undefined ? [] : [described({ ...column, jsonPath }, named, present[index] ?? 0)];
  });
  const readers = columns.map(readerOf);
  const preview: Row[] = [];
  for (const line of lines) {
    if (preview.length >= previewRows) break;
    const row = readRow(line);
    if (row !== undefined) preview.push(Object.fromEntries(readers.map((read) => read(row))));
  }
  return { columns, preview };
}

/** Without the default of a guessed column, which is there for rows that nobody has seen, and which no row here needs. */
function described(guessed: DataSourceColumn, named: boolean, present: number): DescribedColumn {
  const { name, type, jsonPath = '$', kind, expression } = guessed;
  const { keys } = parsePath(jsonPath);
  const isNamed = named && keys.length === 1 && keys[0] === name;
  // Nothing is NULL in an array's place.
  const needsDefault = isArray(type) && present < 1 && kind !== undefined && expression !== undefined;
  return { name, type, ...(isNamed ? {} : { jsonPath }), ...(needsDefault ? { kind, expression } : {}), present };
}

/** The path with quotes that need no escapes, which data files know none of; undefined if there are no such. */
function writablePath(path: string): string | undefined {
  if (identifierFault(path) === undefined) return path;
  const { keys, each } = parsePath(path);
  const steps = keys.map((key) => {
    const quote = key.includes("'") ? '"' : "'";
    return `[${quote}${key}${quote}]`;
  });
  const text = `$${steps.join('')}${each === undefined ? '' : '[:]'}`;
  const isSame = keys.every((key) => !key.includes("'") || !key.includes('"'));
  return isSame && identifierFault(text) === undefined ? text : undefined;
}

function readerOf({ name, type, jsonPath }: DataSourceColumn): (row: Row) => [string, unknown] {
  const keys = parsePath(jsonPath ?? `$[${JSON.stringify(name)}]`).keys;
  return (row) => {
    let value: unknown = row;
    for (const key of keys) {
      const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
      value = isThere ? (value as Row)[key] : undefined;
    }
    return [name, asType(value, type)];
  };
}

function isArray(type: string): boolean {
  return type.startsWith('Array(');
}

/** The value as a column of a guessed type has it. */
function asType(value: unknown, type: string): unknown {
  const inner = /^(?:Array|Nullable)\((.*)\)$/su.exec(type)?.[1];
  if (isArray(type)) return Array.isArray(value) ? value.map((element) => asType(element, inner ?? '')) : [];
  if (value === undefined || value === null) return null;
  if (inner !== undefined) return asType(value, inner);
  const precision = /^DateTime64\((\d)\)$/u.exec(type)?.[1];
  if (precision !== undefined && typeof value === 'string') return timeText(value, Number(precision));
  if (type !== 'String' || typeof value === 'string') return value;
  return value instanceof Written ? value.text : JSON.stringify(value);
}

function timeText(text: string, precision: number): string {
  const [, day = '', clock = '', fraction = '', zone = 'Z'] = TIME.exec(text) ?? [];
  const at = new Date(`${day}T${clock}${zone.replace(/(\d\d)(\d\d)$/u, '$1:$2')}`);
  if (Number.isNaN(at.getTime())) return text;
  return `${at.toISOString().slice(0, 19).replace('T', ' ')}.${fraction.padEnd(precision, '0').slice(0, precision)}`;
}
