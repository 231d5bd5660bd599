/**
 * JSON paths of columns: `$.a.b`, `$.a[:]`, `$.a[:].b`, `$`, and quoted keys (`$.a."b.c"`, `$['b.c']`) for keys with dots and
 * brackets in them. Separate because the data file and the mapping must read them alike.
 *
 * Must stay true: whatever a path says, it is only a list of keys and `[:]`; nothing of it is evaluated.
 */

import { AppError } from '@glasshouse/model';

/** A path in three parts. */
export interface JsonPath {
  /** Keys from the row down to the value, or to the array whose elements are taken. Empty for the whole row. */
  readonly keys: readonly string[];
  /** What is taken of each element of that array: keys and further arrays. Undefined without a `[:]`. */
  readonly each: readonly PathStep[] | undefined;
}

/** A key, or `undefined` for the elements of an array. */
export type PathStep = string | undefined;

const MAX_STEPS = 64;
const PLAIN_KEY = /[^.[\]]+/y;
const QUOTED_KEY = /"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`]*)`/y;

/** Reads a path. Throws `bad_request` when it is not one. */
export function parsePath(text: string): JsonPath {
  if (!text.startsWith('$')) throw fault(text, 'it starts with $');
  const steps: PathStep[] = [];
  let at = 1;
  while (at < text.length) {
    const rest = text.slice(at, at + 3);
    if (rest === '[:]' || rest === '[*]') {
      steps.push(undefined);
      at += 3;
      continue;
    }
    const bracket = text.charAt(at) === '[';
    if (!bracket && text.charAt(at) !== '.') throw fault(text, `. or [:] is missing at position ${at + 1}`);
    const key = matchAt(QUOTED_KEY, text, at + 1) ?? (bracket ? undefined : matchAt(PLAIN_KEY, text, at + 1));
    if (key === undefined) throw fault(text, `a key is missing at position ${at + 2}`);
    if (key.value === '') throw fault(text, 'a key is empty');
    steps.push(key.value);
    at = key.end;
    if (!bracket) continue;
    if (text.charAt(at) !== ']') throw fault(text, `] is missing at position ${at + 1}`);
    at += 1;
  }
  if (steps.length > MAX_STEPS) throw fault(text, `it has more than ${MAX_STEPS} steps`);
  if (steps[0] === undefined && steps.length > 0) throw fault(text, 'a row is an object, so $ has no elements');
  const first = steps.indexOf(undefined);
  if (first === -1) return { keys: steps as string[], each: undefined };
  return { keys: steps.slice(0, first) as string[], each: steps.slice(first + 1) };
}

function matchAt(pattern: RegExp, text: string, at: number): { value: string; end: number } | undefined {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const quoted = match[1] ?? match[2];
  const value = quoted === undefined ? (match[3] ?? match[0]) : quoted.replaceAll(/\\(.)/gsu, '$1');
  return { value, end: at + match[0].length };
}

function fault(text: string, why: string): AppError {
  return new AppError('bad_request', `cannot read JSON path=${text}: ${why}; write it like $.a.b or $.a[:]`);
}
