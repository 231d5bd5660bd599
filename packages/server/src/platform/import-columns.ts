/**
 * From columns with names to events: a table's row becomes the JSON object that the data source's paths read it from, so that
 * files with columns (CSV, Parquet) go the same way as events do. Loaded by the thread of an import, hence with nothing behind it.
 *
 * Must stay true: the name of a column comes from a stranger's file; it becomes a key and nothing else.
 */

/** Where the value of a column goes. Plain data, because it goes to another thread. */
export interface ColumnTarget {
  readonly name: string;
  /** Keys from the row down to the value; none for a column that takes the whole row. */
  readonly keys: readonly string[];
  /** Whether its values are lists or maps, which a text has to be read as. */
  readonly isNested: boolean;
  /** Whether no text is a text: of a column that takes neither NULL nor a default in its place. */
  readonly keepsEmpty: boolean;
}

/** Turns the values of a row, in the order of `names`, into an object. */
export type RowShape = (values: readonly unknown[]) => object;

/** The shape of rows with these columns. What no column of the data source is called stays a key of its own name. */
export function shapeOf(names: readonly string[], targets: readonly ColumnTarget[]): RowShape {
  const setters = names.map((name) => setterOf(name, targets));
  return (values) => {
    const row = emptyRow();
    for (const [index, set] of setters.entries()) set(row, values[index]);
    return row;
  };
}

/** The shape of rows whose values stand in the order of the data source's columns. */
export function positionalShape(targets: readonly ColumnTarget[]): RowShape {
  const setters = targets.map((target) => (row: Row, value: unknown) => put(row, target, value));
  return (values) => {
    const row = emptyRow();
    for (const [index, set] of setters.entries()) set(row, values[index]);
    return row;
  };
}

/** True if the cells are the names of columns and not a first row: all differ, and most are known. */
export function isHeader(cells: readonly string[], targets: readonly ColumnTarget[]): boolean {
  const names = cells.map((cell) => cell.trim());
  if (names.some((name) => name === '') || new Set(names).size < names.length) return false;
  if (targets.length === 0) return names.every((name) => /^[\p{L}_][\p{L}\p{N}_ .-]{0,199}$/u.test(name));
  const known = names.filter((name) => findTarget(name, targets) !== undefined);
  return known.length * 2 >= names.length;
}

type Row = Record<string, unknown>;
type Setter = (row: Row, value: unknown) => void;

/** Without a prototype, whose name could be a key. */
function emptyRow(): Row {
  return Object.create(null) as Row;
}

function setterOf(name: string, targets: readonly ColumnTarget[]): Setter {
  const target = findTarget(name.trim(), targets) ?? {
    name,
    keys: [name.trim()],
    isNested: false,
    keepsEmpty: false,
  };
  return (row, value) => put(row, target, value);
}

/** By the column's name, or by the key that it is read from. */
function findTarget(name: string, targets: readonly ColumnTarget[]): ColumnTarget | undefined {
  return (
    targets.find((target) => target.name === name) ??
    targets.find(({ keys }) => keys.length > 0 && (keys.join('.') === name || (keys.length === 1 && keys[0] === name)))
  );
}

function put(row: Row, { keys, isNested, keepsEmpty }: ColumnTarget, given: unknown): void {
  const value = typeof given === 'string' ? fromText(given, isNested, keepsEmpty) : given;
  const last = keys.at(-1);
  if (value === undefined || value === null || last === undefined) return;
  let at = row;
  for (const key of keys.slice(0, -1)) {
    const next = at[key];
    const inner = typeof next === 'object' && next !== null && !Array.isArray(next) ? (next as Row) : emptyRow();
    at[key] = inner;
    at = inner;
  }
  at[last] = value;
}

/** No text is no value, except where a text is all that there could be. */
function fromText(text: string, isNested: boolean, keepsEmpty: boolean): unknown {
  if (text === '') return keepsEmpty ? '' : undefined;
  if (!isNested) return text;
  return tryJson(text) ?? tryJson(requoted(text)) ?? text;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** `['a','b']`, as the store writes lists, in JSON's quotes. */
function requoted(text: string): string {
  return text.replaceAll(/'((?:[^'\\]|\\.)*)'/gsu, (_, inner: string) =>
    JSON.stringify(inner.replaceAll(/\\(.)/gsu, '$1')),
  );
}

/** A row as JSON. Numbers that JSON's readers would round are texts, which the mapping reads with all their digits. */
export function jsonText(row: object): string {
  return JSON.stringify(row, (_, value: unknown) => {
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
    if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
    if (ArrayBuffer.isView(value)) return [...(value as unknown as Iterable<unknown>)];
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value).toLowerCase();
    return value;
  });
}
