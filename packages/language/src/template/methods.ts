/**
 * Methods of text and dicts that templates may call. Documented are `get`, `split`, `join` and `replace`; the others are as harmless.
 *
 * Must stay true: the size of a result is known to be within bounds before it is made.
 */

import { MAX_ITEMS, MAX_TEXT } from './limits.ts';
import { kindOf, listValue, NONE, stringValue, textOf, type DictValue, type Value } from './value.ts';

/** A value, or why there is none. */
export type Outcome = Value | { readonly kind: 'fault'; readonly why: string };

type TextMethod = (text: string, parameters: readonly Value[]) => Outcome;
type DictMethod = (dict: DictValue, parameters: readonly Value[]) => Outcome;

interface Method {
  /** Least and greatest number of arguments. */
  readonly count: readonly [number, number];
  readonly text?: TextMethod;
  readonly dict?: DictMethod;
}

export const fault = (why: string): Outcome => ({ kind: 'fault', why });
const bool = (value: boolean): Outcome => ({ kind: 'bool', value });
const listOf = (items: readonly Value[]): Outcome => listValue(items) ?? fault('the list is too long or too deep');

const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['split', { count: [0, 2], text: split }],
  ['join', { count: [1, 1], text: join }],
  ['replace', { count: [2, 2], text: replace }],
  ['strip', { count: [0, 0], text: (text) => stringValue(text.trim()) }],
  ['lower', { count: [0, 0], text: (text) => bounded(text.toLowerCase()) }],
  ['upper', { count: [0, 0], text: (text) => bounded(text.toUpperCase()) }],
  ['startswith', { count: [1, 1], text: (text, [other]) => onText(other, (start) => bool(text.startsWith(start))) }],
  ['endswith', { count: [1, 1], text: (text, [other]) => onText(other, (end) => bool(text.endsWith(end))) }],
  [
    'get',
    { count: [1, 2], dict: (dict, [key, other]) => onText(key, (name) => dict.entries.get(name) ?? other ?? NONE) },
  ],
  ['keys', { count: [0, 0], dict: (dict) => listOf([...dict.entries.keys()].map(stringValue)) }],
  ['values', { count: [0, 0], dict: (dict) => listOf([...dict.entries.values()]) }],
  ['items', { count: [0, 0], dict: items }],
]);

export const METHOD_NAMES: readonly string[] = [...METHODS.keys()];

export function isMethod(name: string): boolean {
  return METHODS.has(name);
}

/** Calls a method that exists. */
export function callMethod(object: Value, name: string, parameters: readonly Value[]): Outcome {
  const method = METHODS.get(name);
  const [least, most] = method?.count ?? [0, 0];
  if (parameters.length < least || parameters.length > most)
    return fault(
      `.${name}() takes ${least === most ? least : `${least} to ${most}`} arguments, not ${parameters.length}`,
    );
  const text = textOf(object);
  if (method?.text !== undefined && text !== undefined) return method.text(text, parameters);
  if (method?.dict !== undefined && object.kind === 'dict') return method.dict(object, parameters);
  return fault(`.${name}() is not a method of ${kindOf(object)}`);
}

function onText(value: Value | undefined, use: (text: string) => Outcome): Outcome {
  const text = value === undefined ? undefined : textOf(value);
  return text === undefined ? fault('the argument must be text') : use(text);
}

function bounded(text: string): Outcome {
  return text.length > MAX_TEXT ? fault(`the text is longer than ${MAX_TEXT} characters`) : stringValue(text);
}

/** `split()` by white space, `split(',')`, and `split(',', 1)` with at most so many cuts. */
function split(text: string, [separator, most]: readonly Value[]): Outcome {
  if (separator === undefined) {
    const trimmed = text.trim();
    return listOf(trimmed === '' ? [] : trimmed.split(/\s+/u, MAX_ITEMS + 1).map(stringValue));
  }
  return onText(separator, (mark) => {
    if (mark === '') return fault('the separator must not be empty');
    if (most === undefined) return listOf(text.split(mark, MAX_ITEMS + 1).map(stringValue));
    if (most.kind !== 'int') return fault('the number of cuts must be a whole number');
    return listOf(splitAtMost(text, mark, most.value < 0n ? MAX_ITEMS : Number(most.value)).map(stringValue));
  });
}

function splitAtMost(text: string, mark: string, cuts: number): readonly string[] {
  const parts: string[] = [];
  let from = 0;
  while (parts.length < cuts) {
    const at = text.indexOf(mark, from);
    if (at === -1) break;
    parts.push(text.slice(from, at));
    from = at + mark.length;
  }
  return [...parts, text.slice(from)];
}

function join(text: string, [list]: readonly Value[]): Outcome {
  if (list?.kind !== 'list') return fault('the argument must be a list');
  const parts: string[] = [];
  let length = 0;
  for (const item of list.items) {
    if (item.kind !== 'string') return fault('the items of the list must be text');
    length += item.value.length + text.length;
    if (length > MAX_TEXT + text.length) return fault(`the text is longer than ${MAX_TEXT} characters`);
    parts.push(item.value);
  }
  return stringValue(parts.join(text));
}

function replace(text: string, [from, to]: readonly Value[]): Outcome {
  return onText(from, (old) =>
    onText(to, (fresh) => {
      if (old === '') return fault('the text to replace must not be empty');
      const parts = text.split(old);
      const length = text.length + (parts.length - 1) * (fresh.length - old.length);
      return length > MAX_TEXT
        ? fault(`the text is longer than ${MAX_TEXT} characters`)
        : stringValue(parts.join(fresh));
    }),
  );
}

function items(dict: DictValue): Outcome {
  const pairs: Value[] = [];
  for (const [key, value] of dict.entries) {
    const pair = listValue([stringValue(key), value], true);
    if (pair === undefined) return fault('the dict is too deep');
    pairs.push(pair);
  }
  return listOf(pairs);
}
