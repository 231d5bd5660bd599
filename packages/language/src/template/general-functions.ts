/**
 * Functions that are no types and make no SQL: `defined`, `error`, lists, and the few of Python's own that templates use.
 *
 * Must stay true: the size of a result is bounded before it is made.
 */

import { argument, type CallContext, type TemplateFunction } from './call.ts';
import { MAX_ITEMS } from './limits.ts';
import { asText, typeNamed } from './types.ts';
import { compare, kindOf, listValue, stringValue, textOf, type Value } from './value.ts';

const ERROR_STATUS = { least: 400, most: 599 } as const;

export const GENERAL_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  [
    'defined',
    {
      parameters: ['value'],
      least: 1,
      run: (call) => ({ kind: 'bool', value: argument(call, 'value').kind !== 'none' }),
    },
  ],
  ['error', { parameters: ['message', 'code'], least: 1, run: (call) => raise(call, false) }],
  ['custom_error', { parameters: ['body', 'code'], least: 1, run: (call) => raise(call, true) }],
  [
    'split_to_array',
    {
      parameters: ['value', 'default', 'separator'],
      least: 1,
      keywords: ['description', 'required', 'example', 'format', 'enum'],
      run: splitToArray,
    },
  ],
  ['enumerate_with_last', { parameters: ['list'], least: 1, run: enumerateWithLast }],
  ['min', { parameters: [], least: 0, anyPositional: true, run: (call) => extreme(call, -1) }],
  ['max', { parameters: [], least: 0, anyPositional: true, run: (call) => extreme(call, 1) }],
  ['len', { parameters: ['value'], least: 1, run: length }],
  ['str', { parameters: ['value'], least: 1, run: text }],
  ['int', { parameters: ['value'], least: 1, run: integer }],
  ['float', { parameters: ['value'], least: 1, run: float }],
  ['list', { parameters: ['value'], least: 1, run: list }],
  ['range', { parameters: ['start', 'stop', 'step'], least: 1, run: range }],
];

/** `error('text')` and `custom_error({…}, 404)`. While a template is only checked, nothing is raised. */
function raise(call: CallContext, custom: boolean): Value {
  if (call.sample) return { kind: 'sql', text: '' };
  const value = argument(call, custom ? 'body' : 'message');
  const code = argument(call, 'code');
  const status = code.kind === 'int' ? Number(code.value) : 400;
  if ((code.kind !== 'int' && code.kind !== 'none') || status < ERROR_STATUS.least || status > ERROR_STATUS.most)
    throw call.fail(`the code of ${call.name}() must be a status from ${ERROR_STATUS.least} to ${ERROR_STATUS.most}`);
  const body = jsonOf(call, value);
  const message = typeof body === 'string' ? body : JSON.stringify(body);
  throw call.raise(message, { status, ...(custom && { body }) });
}

function jsonOf(call: CallContext, value: Value): unknown {
  call.spend(16);
  switch (value.kind) {
    case 'none':
      return null;
    case 'bool':
    case 'float':
    case 'string':
      return value.value;
    case 'int':
      return value.value >= Number.MIN_SAFE_INTEGER && value.value <= Number.MAX_SAFE_INTEGER
        ? Number(value.value)
        : String(value.value);
    case 'list':
      return value.text ?? value.items.map((item) => jsonOf(call, item));
    case 'dict':
      // Own properties are defined, not assigned, so that a key such as __proto__ is a key.
      return Object.fromEntries([...value.entries].map(([key, item]) => [key, jsonOf(call, item)]));
    case 'sql':
      throw call.fail(`${call.name}() takes text or a dict`);
  }
}

function splitToArray(call: CallContext): Value {
  const given = argument(call, 'value');
  const value = given.kind === 'none' ? argument(call, 'default') : given;
  if (value.kind === 'list' && value.text === undefined) return value;
  const whole = value.kind === 'none' ? '' : asText(value);
  const separator = call.given.has('separator') ? textOf(argument(call, 'separator')) : ',';
  if (whole === undefined) throw call.fail(`split_to_array() takes text, not ${kindOf(value)}`);
  if (separator === undefined || separator === '') throw call.fail('the separator of split_to_array() must be text');
  call.spend(whole.length);
  const parts = whole.split(separator, MAX_ITEMS + 1).map((part) => stringValue(part.trim()));
  return bounded(call, parts);
}

/** `(last, item)` for every item. */
function enumerateWithLast(call: CallContext): Value {
  const items = itemsOf(call, argument(call, 'list'));
  call.spend(items.length);
  const pairs: Value[] = [];
  for (const [index, item] of items.entries()) {
    const pair = listValue([{ kind: 'bool', value: index === items.length - 1 }, item], true);
    if (pair === undefined) throw call.fail('the list is nested too deeply');
    pairs.push(pair);
  }
  return bounded(call, pairs);
}

function extreme(call: CallContext, sign: 1 | -1): Value {
  const [only] = call.positional;
  const items = call.positional.length === 1 && only !== undefined ? itemsOf(call, only) : call.positional;
  call.spend(items.length);
  let [best] = items;
  if (best === undefined) throw call.fail(`${call.name}() needs at least one value`);
  for (const item of items.slice(1)) {
    const order = compare(item, best);
    if (order === undefined) throw call.fail(`${kindOf(item)} and ${kindOf(best)} have no order`);
    if (order * sign > 0) best = item;
  }
  return best;
}

function length(call: CallContext): Value {
  const value = argument(call, 'value');
  if (value.kind === 'list') return { kind: 'int', value: BigInt(value.items.length) };
  if (value.kind === 'dict') return { kind: 'int', value: BigInt(value.entries.size) };
  // Python counts code points.
  if (value.kind === 'string')
    return {
      kind: 'int',
      value: BigInt(value.value.length - (value.value.match(/[\u{10000}-\u{10ffff}]/gu)?.length ?? 0)),
    };
  throw call.fail(`len() takes text, a list or a dict, not ${kindOf(value)}`);
}

function text(call: CallContext): Value {
  const value = argument(call, 'value');
  if (value.kind === 'bool') return stringValue(value.value ? 'True' : 'False');
  const plain = asText(value);
  if (plain === undefined) throw call.fail(`str() takes text or a number, not ${kindOf(value)}`);
  return stringValue(plain);
}

function integer(call: CallContext): Value {
  const value = argument(call, 'value');
  if (value.kind === 'bool') return { kind: 'int', value: value.value ? 1n : 0n };
  if (value.kind === 'float') return { kind: 'int', value: BigInt(Math.trunc(value.value)) };
  const read = typeNamed('Int256')?.read(value);
  if (read?.kind !== 'int') throw call.fail(`int() takes a whole number, not ${kindOf(value)}`);
  return { kind: 'int', value: read.value };
}

function float(call: CallContext): Value {
  const value = argument(call, 'value');
  const read = typeNamed('Float64')?.read(value);
  if (read?.kind !== 'float') throw call.fail(`float() takes a number, not ${kindOf(value)}`);
  return { kind: 'float', value: read.value };
}

function list(call: CallContext): Value {
  return bounded(call, itemsOf(call, argument(call, 'value')));
}

function range(call: CallContext): Value {
  const [a, b, step] = ['start', 'stop', 'step'].map((name) => {
    const value = argument(call, name);
    if (value.kind === 'none' && call.given.get(name) === undefined) return undefined;
    if (value.kind !== 'int') throw call.fail(`range() takes whole numbers, not ${kindOf(value)}`);
    return value.value;
  });
  const [start, stop, by] = b === undefined ? [0n, a ?? 0n, 1n] : [a ?? 0n, b, step ?? 1n];
  if (by === 0n) throw call.fail('the step of range() must not be 0');
  const span = by > 0n ? stop - start : start - stop;
  const size = by > 0n ? by : -by;
  const count = span <= 0n ? 0n : (span + size - 1n) / size;
  if (count > BigInt(MAX_ITEMS)) throw call.fail(`range() makes at most ${MAX_ITEMS} numbers`);
  call.spend(Number(count) * 16);
  return bounded(
    call,
    Array.from({ length: Number(count) }, (_, index) => ({ kind: 'int', value: start + BigInt(index) * by }) as const),
  );
}

function itemsOf(call: CallContext, value: Value): readonly Value[] {
  if (value.kind === 'list') return value.items;
  if (value.kind === 'dict') return [...value.entries.keys()].map(stringValue);
  throw call.fail(`${call.name}() takes a list, not ${kindOf(value)}`);
}

function bounded(call: CallContext, items: readonly Value[]): Value {
  const made = listValue(items);
  if (made === undefined) throw call.fail('the list is too long or nested too deeply');
  return made;
}
