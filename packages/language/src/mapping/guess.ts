/**
 * Guesses the columns of a data source from lines that were sent to it before it was made.
 *
 * Must stay true: every line that is an object fits the columns that were guessed from it, and no value of it is lost. In doubt a type
 * is the wider one, and text is the widest: a column can be narrowed later.
 */

import { AppError, SEGMENT, type DataSourceColumn, type DataSourceEngine } from '@glasshouse/model';
import { INNER } from './levels.ts';
import { isObject, readRow, Written } from './written.ts';

export interface Guess {
  readonly columns: readonly DataSourceColumn[];
  readonly engine: DataSourceEngine;
  /** For each of the columns the share of rows that have a value for it, from 0 to 1. */
  readonly present: readonly number[];
}

/** Lines that are looked at. */
const MAX_LINES = 1000;
/** More columns than this and objects are kept as text. */
const MAX_COLUMNS = 200;
/** An object with more keys than this has them of its data, such as headers, and is kept as text. */
const MAX_KEYS = 64;
const MAX_DEPTH = 5;

type Kind = 'bool' | 'int64' | 'uint64' | 'float' | 'millis' | 'micros' | 'nanos' | 'text' | 'null';

/** What is known of the values at a path. */
interface Finding {
  readonly keys: readonly string[];
  readonly scalars: Set<Kind>;
  /** Kinds of the elements of arrays. */
  readonly elements: Set<Kind>;
  readonly children: Map<string, Finding>;
  arrays: number;
  objects: number;
  /** Lines with a value that is not null. */
  present: number;
}

/** A time: the day, the clock, the fraction of its second, and its zone, which is UTC if there is none. */
export const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[-+][01]\d:?[0-5]\d)?$/;

/** Names of columns by which rows are sought in time, best first. */
const TIME_NAMES = ['timestamp', 'start_time', 'time', 'ts', 'created_at', 'event_time', 'date'];

/** Names that the tables of a data source need themselves. */
const RESERVED = new RegExp(`^(?:${SEGMENT}$|${INNER}|c__|insertion_date$)`);

/**
 * Guesses columns and keys. Lines that are not objects are passed over. A key that some lines lack gives a `Nullable` column, or an
 * empty array; one that all have gives a column with a default, so that a later line without it is not turned away.
 *
 * Throws `bad_request` when no line is an object with a key in it, or when there are too many keys.
 */
export function guessSchema(lines: readonly string[]): Guess {
  const root = newFinding([]);
  for (const line of lines.slice(0, MAX_LINES)) {
    const row = readRow(line);
    if (row === undefined) continue;
    root.present += 1;
    root.objects += 1;
    observe(root, row);
  }
  const leaves = flattened(root);
  if (leaves.length === 0) {
    throw new AppError('bad_request', 'cannot guess a schema: no line is a JSON object with a key in it');
  }
  const time = timeOf(leaves, root.present);
  const names = namesOf(leaves);
  const columns = leaves.map((leaf, index) => columnOf(leaf, names[index] ?? '', root.present, leaf === time));
  const engine = engineOf(columns, time === undefined ? undefined : names[leaves.indexOf(time)]);
  return { columns, engine, present: leaves.map(({ present }) => present / root.present) };
}

function newFinding(keys: readonly string[]): Finding {
  return { keys, scalars: new Set(), elements: new Set(), children: new Map(), arrays: 0, objects: 0, present: 0 };
}

function observe(finding: Finding, object: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(object)) {
    // The engine has no name for an element with an empty key.
    if (key === '') continue;
    const child = finding.children.get(key) ?? newFinding([...finding.keys, key]);
    finding.children.set(key, child);
    if (value === null) continue;
    child.present += 1;
    if (Array.isArray(value)) {
      child.arrays += 1;
      for (const element of value) child.elements.add(kindOf(element));
    } else if (isObject(value)) {
      child.objects += 1;
      observe(child, value);
    } else child.scalars.add(kindOf(value));
  }
}

function kindOf(value: unknown): Kind {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'bool';
  if (value instanceof Written) return numberKind(value.text);
  return typeof value === 'string' ? textKind(value) : 'text';
}

function numberKind(text: string): Kind {
  if (!/^-?\d+$/.test(text)) return Number.isFinite(Number(text)) ? 'float' : 'text';
  const value = BigInt(text);
  if (value >= -(2n ** 63n) && value < 2n ** 63n) return 'int64';
  return value >= 0n && value < 2n ** 64n ? 'uint64' : 'text';
}

function textKind(text: string): Kind {
  const time = TIME.exec(text);
  if (time === null) return 'text';
  const [, day = '', clock = '', fraction = ''] = time;
  const parsedTime = new Date(`${day}T${clock}Z`);
  // What JavaScript moves to the next day, such as 24:00 or 30 February, is no time.
  if (Number.isNaN(parsedTime.getTime()) || parsedTime.toISOString().slice(0, 19) !== `${day}T${clock}`) return 'text';
  const year = Number(day.slice(0, 4));
  if (year < 1900 || year > 2298 || fraction.length > 9) return 'text';
  if (fraction.length <= 3) return 'millis';
  if (fraction.length <= 6) return 'micros';
  return year > 2260 ? 'text' : 'nanos';
}

/** The paths that become columns: objects are taken apart, unless that gives too many. */
function flattened(root: Finding): Finding[] {
  for (let depth = MAX_DEPTH; depth > 0; depth -= 1) {
    const leaves = leavesOf(root, depth);
    if (leaves.length <= MAX_COLUMNS) return leaves;
  }
  throw new AppError('bad_request', `cannot guess a schema: the lines have more than ${MAX_COLUMNS} keys`);
}

function leavesOf(finding: Finding, depth: number): Finding[] {
  return [...finding.children.values()].flatMap((child) => {
    const isOnlyObject = child.objects > 0 && child.arrays === 0 && child.scalars.size === 0;
    const apart = isOnlyObject && depth > 1 && child.children.size > 0 && child.children.size <= MAX_KEYS;
    return apart ? leavesOf(child, depth - 1) : [child];
  });
}

/** The type of a set of kinds, which is not empty. */
function typeOf(kinds: ReadonlySet<Kind>): string {
  const found = new Set(kinds);
  found.delete('null');
  const only = (...allowed: readonly Kind[]): boolean => [...found].every((kind) => allowed.includes(kind));
  if (only('bool')) return found.size === 0 ? 'String' : 'Bool';
  if (only('int64')) return 'Int64';
  if (only('float', 'int64', 'uint64') && found.has('float')) return 'Float64';
  if (only('int64', 'uint64')) return 'String';
  if (only('millis')) return 'DateTime64(3)';
  if (only('millis', 'micros')) return 'DateTime64(6)';
  return only('millis', 'micros', 'nanos') ? 'DateTime64(9)' : 'String';
}

function columnOf(leaf: Finding, name: string, lines: number, isTime: boolean): DataSourceColumn {
  const path = pathOf(leaf.keys);
  if (leaf.arrays > 0 && leaf.scalars.size === 0 && leaf.objects === 0) {
    const element = typeOf(leaf.elements);
    const type = `Array(${leaf.elements.has('null') ? `Nullable(${element})` : element})`;
    return { name, type, jsonPath: `${path}[:]`, kind: 'DEFAULT', expression: '[]' };
  }
  const type = leaf.arrays > 0 || leaf.objects > 0 ? 'String' : typeOf(leaf.scalars);
  if (isTime) return { name, type, jsonPath: path, kind: 'DEFAULT', expression: 'now64()' };
  if (leaf.present < lines) return { name, type: `Nullable(${type})`, jsonPath: path };
  return { name, type, jsonPath: path, kind: 'DEFAULT', expression: defaultOf(type) };
}

function defaultOf(type: string): string {
  if (type === 'String') return `''`;
  return type === 'Bool' ? 'false' : '0';
}

/** The column that rows are sorted by: a time that all lines have, by its name, or the first. */
function timeOf(leaves: readonly Finding[], lines: number): Finding | undefined {
  const times = leaves.filter(
    ({ present, arrays, objects, scalars }) =>
      present === lines && arrays === 0 && objects === 0 && typeOf(scalars).startsWith('DateTime64'),
  );
  const rank = ({ keys }: Finding): number => {
    const place = TIME_NAMES.indexOf((keys.at(-1) ?? '').toLowerCase());
    return place === -1 ? TIME_NAMES.length : place;
  };
  return times.toSorted((left, right) => rank(left) - rank(right))[0];
}

function engineOf(columns: readonly DataSourceColumn[], time: string | undefined): DataSourceEngine {
  if (time !== undefined) return { name: 'MergeTree', partitionKey: `toYYYYMM(${time})`, sortingKey: time };
  const first = columns.find(({ type }) => type === 'String' || type === 'Int64');
  return { name: 'MergeTree', sortingKey: first?.name ?? 'tuple()' };
}

/** Plain names: the keys joined by `_`, with a number behind those that are taken. */
function namesOf(leaves: readonly Finding[]): string[] {
  const taken = new Set<string>();
  return leaves.map(({ keys }) => {
    const plain = keys.join('_').replaceAll(/[^A-Za-z0-9_]/g, '_');
    const name = /^[A-Za-z_]/.test(plain) && !RESERVED.test(plain) ? plain : `x_${plain}`;
    let free = name;
    // The engine and its clients differ in whether the case of a name counts.
    for (let number = 2; taken.has(free.toLowerCase()); number += 1) free = `${name}_${number}`;
    taken.add(free.toLowerCase());
    return free;
  });
}

function pathOf(keys: readonly string[]): string {
  const steps = keys.map((key) =>
    /^[^.[\]\s`'"\\]+$/u.test(key) ? `.${key}` : `['${key.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}']`,
  );
  return `$${steps.join('')}`;
}
