/**
 * `--map`: which field of a record becomes which field of a row. `field=path` moves, `field='text'` is the same in every row,
 * and a conversion may follow: `field=path:time`.
 */

import { UsageError } from '../errors.ts';
import type { Fields } from './formats.ts';
import { BadRecord, parsedJson } from './formats.ts';
import { timeText } from './times.ts';

const CONVERSIONS = ['int', 'float', 'time', 'json', 'text'] as const;
type Conversion = (typeof CONVERSIONS)[number];

/** One assignment. */
export interface Assignment {
  readonly field: string;
  readonly from: { readonly literal: string } | { readonly keys: readonly string[] };
  readonly conversion: Conversion | undefined;
}

const FIELD = /\s*([A-Za-z_]\w*)\s*=\s*/uy;
const LITERAL = /'((?:[^']|'')*)'/uy;
const ROOT = /\$(?=[.[])|(?=[^\s,:$'[\].])/uy;
const STEP = /\.?([^\s,:$'"[\].=]+)|\[(\d+)\]|\['((?:[^']|'')*)'\]/uy;
const TYPE = /\s*(?::([a-z]+))?\s*(?:,|$)/uy;

/** Reads assignments, with commas between them. @throws UsageError with the place of what is wrong */
export function parseMap(text: string): Assignment[] {
  const assignments: Assignment[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) return undefined;
    at = pattern.lastIndex;
    return match;
  };
  const wrong = (why: string): never => {
    throw new UsageError(
      `cannot read --map at ${JSON.stringify(text.slice(at, at + 30))}: ${why}`,
      "give field=path or field='text' with commas between, such as start_time=$.ts:time,provider='openai'",
    );
  };
  while (at < text.length) {
    const field = take(FIELD)?.[1] ?? wrong('a name and = are missing');
    const literal = take(LITERAL)?.[1];
    const keys: string[] = [];
    if (literal === undefined) {
      if (take(ROOT) === undefined) wrong('a path or a text in single quotes is missing');
      for (let step = take(STEP); step !== undefined; step = take(STEP))
        keys.push(step[1] ?? step[2] ?? (step[3] ?? '').replaceAll("''", "'"));
      if (keys.length === 0) wrong('the path is empty');
    }
    const end = take(TYPE) ?? wrong('only a conversion or a comma may stand here');
    const conversion = CONVERSIONS.find((one) => one === end[1]);
    if (end[1] !== undefined && conversion === undefined)
      wrong(`there is no conversion :${end[1]}; give one of :${CONVERSIONS.join(', :')}`);
    const from = literal === undefined ? { keys } : { literal: literal.replaceAll("''", "'") };
    if (assignments.some((one) => one.field === field)) wrong(`${field} is given twice`);
    assignments.push({ field, from, conversion });
  }
  return assignments;
}

/** Makes rows of records. Without assignments a record is the row; with `keepsOthers` fields that nothing was made of stay. */
export function mapper(assignments: readonly Assignment[], keepsOthers: boolean): (fields: Fields) => Fields {
  if (assignments.length === 0) return (fields) => fields;
  const used = new Set(assignments.flatMap(({ from }) => ('keys' in from && from.keys.length === 1 ? from.keys : [])));
  return (fields) => {
    const row = Object.create(null) as Record<string, unknown>;
    if (keepsOthers) for (const [name, value] of Object.entries(fields)) if (!used.has(name)) row[name] = value;
    for (const { field, from, conversion } of assignments) {
      const value = 'literal' in from ? from.literal : valueAt(fields, from.keys);
      if (value === undefined || value === null) delete row[field];
      else row[field] = conversion === undefined ? value : converted(value, conversion, field);
    }
    return row;
  };
}

function valueAt(fields: Fields, keys: readonly string[]): unknown {
  let value: unknown = fields;
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

function converted(value: unknown, conversion: Conversion, field: string): unknown {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const refuse = (what: string): never => {
    throw new BadRecord(`${field}: '${text.slice(0, 60)}' is not ${what}`);
  };
  switch (conversion) {
    case 'text':
      return text;
    case 'json':
      try {
        return parsedJson(text);
      } catch {
        return refuse('JSON');
      }
    case 'time':
      return timeText(text) ?? refuse('a time');
    case 'float': {
      const number = Number(text);
      return text.trim() !== '' && Number.isFinite(number) ? number : refuse('a number');
    }
    case 'int': {
      const whole = /^\s*([+-]?\d+)(?:\.0*)?\s*$/u.exec(text)?.[1] ?? refuse('a whole number');
      const number = Number(whole);
      // The text of a larger number: the table takes it with all its digits.
      return Number.isSafeInteger(number) ? number : whole.replace(/^\+/u, '');
    }
  }
}
