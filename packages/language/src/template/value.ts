/**
 * The values of expressions, and what Python says about them: truth, equality, order, membership.
 *
 * Must stay true: text from a caller is only ever a `string` (or within a `list` or `dict`), and `sql` is only ever made by the functions
 * of this folder from checked parts. Nothing turns one into the other, so no value can become SQL.
 */

import { MAX_ITEMS, MAX_TEXT, MAX_VALUE_DEPTH } from './limits.ts';

export interface ListValue {
  readonly kind: 'list';
  readonly items: readonly Value[];
  readonly tuple: boolean;
  /** The text that a caller gave for an array; comparisons with text and conversions to other types see it. */
  readonly text?: string;
  readonly depth: number;
}

export interface DictValue {
  readonly kind: 'dict';
  readonly entries: ReadonlyMap<string, Value>;
  readonly depth: number;
}

export type Value =
  | {
      readonly kind: 'none';
      /** The parameter that was not given. */
      readonly parameter?: string;
    }
  | { readonly kind: 'bool'; readonly value: boolean }
  | {
      readonly kind: 'int';
      readonly value: bigint;
      /** ClickHouse type that it is rendered with, such as `Int32`; without it the bare number is. */
      readonly type?: string;
    }
  | { readonly kind: 'float'; readonly value: number; readonly type?: string }
  | { readonly kind: 'string'; readonly value: string }
  | ListValue
  | DictValue
  | { readonly kind: 'sql'; readonly text: string };

export const NONE: Value = { kind: 'none' };

export function stringValue(value: string): Value {
  return { kind: 'string', value };
}

/** Undefined when it has too many items or levels. */
export function listValue(items: readonly Value[], tuple = false, text?: string): ListValue | undefined {
  const depth = depthOf(items);
  if (items.length > MAX_ITEMS || depth > MAX_VALUE_DEPTH) return undefined;
  return { kind: 'list', items, tuple, depth, ...(text !== undefined && { text }) };
}

/** Undefined when it has too many entries or levels. */
export function dictValue(entries: ReadonlyMap<string, Value>): DictValue | undefined {
  const depth = depthOf([...entries.values()]);
  if (entries.size > MAX_ITEMS || depth > MAX_VALUE_DEPTH) return undefined;
  return { kind: 'dict', entries, depth };
}

function depthOf(values: readonly Value[]): number {
  let deepest = 0;
  for (const value of values) {
    if (value.kind === 'list' || value.kind === 'dict') deepest = Math.max(deepest, value.depth);
  }
  return deepest + 1;
}

/**
 * A value as a caller gives it: text, or what JSON holds. `budget` counts items down, so that a large body cannot take long.
 *
 * Undefined for what no request can hold, for text that is no Unicode, and for what is too large.
 */
export function fromJson(json: unknown, budget = { items: MAX_ITEMS }, level = 0): Value | undefined {
  budget.items -= 1;
  if (budget.items < 0 || level > MAX_VALUE_DEPTH) return undefined;
  switch (typeof json) {
    case 'undefined':
      return NONE;
    case 'string':
      return json.length <= MAX_TEXT && json.isWellFormed() ? stringValue(json) : undefined;
    case 'boolean':
      return { kind: 'bool', value: json };
    case 'bigint':
      return { kind: 'int', value: json };
    case 'number':
      if (Number.isSafeInteger(json))
        return Object.is(json, -0) ? { kind: 'float', value: json } : { kind: 'int', value: BigInt(json) };
      return Number.isFinite(json) ? { kind: 'float', value: json } : undefined;
    case 'object':
      if (json === null) return NONE;
      return Array.isArray(json) ? listFromJson(json, budget, level) : dictFromJson(json, budget, level);
    case 'symbol':
    case 'function':
      return undefined;
  }
}

function listFromJson(json: readonly unknown[], budget: { items: number }, level: number): Value | undefined {
  const items: Value[] = [];
  for (const item of json) {
    const value = fromJson(item, budget, level + 1);
    if (value === undefined) return undefined;
    items.push(value);
  }
  return listValue(items);
}

function dictFromJson(json: object, budget: { items: number }, level: number): Value | undefined {
  const entries = new Map<string, Value>();
  for (const [key, item] of Object.entries(json)) {
    const value = fromJson(item, budget, level + 1);
    if (value === undefined || !key.isWellFormed()) return undefined;
    entries.set(key, value);
  }
  return dictValue(entries);
}

/** Python's truth: nothing, zero and what is empty are false. */
export function isTrue(value: Value): boolean {
  switch (value.kind) {
    case 'none':
      return false;
    case 'bool':
      return value.value;
    case 'int':
      return value.value !== 0n;
    case 'float':
      return value.value !== 0;
    case 'string':
      return value.value !== '';
    case 'list':
      return value.text === undefined ? value.items.length > 0 : value.text !== '';
    case 'dict':
      return value.entries.size > 0;
    case 'sql':
      return true;
  }
}

/** What a value is called in an error. */
export function kindOf(value: Value): string {
  switch (value.kind) {
    case 'none':
      return value.parameter === undefined ? 'None' : `parameter ${value.parameter}, which is not given`;
    case 'bool':
      return 'True or False';
    case 'int':
    case 'float':
      return 'a number';
    case 'string':
      return 'text';
    case 'list':
      return value.tuple ? 'a tuple' : 'a list';
    case 'dict':
      return 'a dict';
    case 'sql':
      return 'a piece of SQL';
  }
}

/** How much a comparison or a copy of the value costs, in units or items, without looking further than its own items. */
function sizeOf(value: Value): number {
  if (value.kind === 'string') return value.value.length;
  if (value.kind === 'sql') return value.text.length;
  if (value.kind === 'list') return value.items.length;
  return value.kind === 'dict' ? value.entries.size : 1;
}

/** Number of a `bool`, `int` or `float`; Python counts True as 1. */
export function numberOf(value: Value): bigint | number | undefined {
  if (value.kind === 'bool') return value.value ? 1n : 0n;
  return value.kind === 'int' || value.kind === 'float' ? value.value : undefined;
}

/**
 * Python's equality, with one addition: an array that was given as empty text equals `['']` and `''` alike, which is what templates
 * in use compare with. `spend` is called with the cost of every level.
 */
export function isEqual(a: Value, b: Value, spend: (cost: number) => void): boolean {
  spend(Math.min(sizeOf(a), sizeOf(b)));
  const [x, y] = [numberOf(a), numberOf(b)];
  // oxlint-disable-next-line eqeqeq -- compares a bigint with a number by value
  if (x !== undefined && y !== undefined) return x == y;
  if (a.kind === 'string' && b.kind === 'string') return a.value === b.value;
  if (a.kind === 'list' && b.kind === 'string') return isText(a, b.value);
  if (a.kind === 'string' && b.kind === 'list') return isText(b, a.value);
  if (a.kind === 'list' && b.kind === 'list') {
    if (a.items.length !== b.items.length || a.tuple !== b.tuple) return false;
    return a.items.every((item, index) => isEqual(item, b.items[index] ?? NONE, spend));
  }
  if (a.kind === 'dict' && b.kind === 'dict') {
    if (a.entries.size !== b.entries.size) return false;
    return [...a.entries].every(([key, item]) => {
      const other = b.entries.get(key);
      return other !== undefined && isEqual(item, other, spend);
    });
  }
  return a.kind === 'none' && b.kind === 'none';
}

function isText(list: ListValue, text: string): boolean {
  if (list.text !== undefined) return list.text === text;
  const [only] = list.items;
  return text === '' && list.items.length === 1 && only?.kind === 'string' && only.value === '';
}

/** Negative, zero or positive; undefined for values that have no order between them. */
export function compare(a: Value, b: Value): number | undefined {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : 0;
  const [left, right] = [textOf(a), textOf(b)];
  if (left === undefined || right === undefined) return undefined;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Text of a string, or the text that a list was given as. */
export function textOf(value: Value): string | undefined {
  if (value.kind === 'string') return value.value;
  return value.kind === 'list' ? value.text : undefined;
}
