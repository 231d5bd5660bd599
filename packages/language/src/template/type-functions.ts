/**
 * `Int32(limit, 10)`, `Array(ids, 'String')` and their like: a parameter's value, checked and typed.
 *
 * Must stay true: a value that was given is never replaced by the default, also when it does not fit.
 */

import { argument, givenParameter, type CallContext, type TemplateFunction } from './call.ts';
import { excerpt } from './error.ts';
import { missing } from './literal.ts';
import { arrayElement, arrayFromText, asText, typeNamed } from './types.ts';
import { isTrue, listValue, NONE, textOf, type Value } from './value.ts';

/** Arguments that describe a parameter and change nothing in the SQL. `enum` is not enforced, as in the service. */
export const DESCRIBING: readonly string[] = ['description', 'required', 'example', 'format', 'enum'];

/** What checking one item of an array costs, in units of copying. */
const ITEM_COST = 16;

type Type = NonNullable<ReturnType<typeof typeNamed>>;

/** The function of a type. */
export function typeFunction(type: Type): TemplateFunction {
  return {
    parameters: ['value', 'default', 'defined'],
    least: 1,
    isType: true,
    keywords: DESCRIBING,
    run: (call) => {
      const value = valueOrDefault(call);
      if (value.kind === 'none') return absent(call, type);
      call.spend(textOf(value)?.length ?? 0);
      return type.read(value) ?? refuse(call, value, `${type.name} takes ${type.expects}`);
    },
  };
}

/** `Array(name, 'Type', default)`; a second argument that names no type is the default. */
export const ARRAY: TemplateFunction = {
  parameters: ['value', 'type', 'default'],
  least: 1,
  isType: true,
  keywords: ['defined', ...DESCRIBING],
  run: (call) => {
    const { type, fallback } = arrayArguments(call);
    const given = argument(call, 'value');
    const value = given.kind === 'none' ? fallback : given;
    if (value.kind === 'none') return absentArray(call, type);
    const list = asList(value);
    if (list?.kind !== 'list') return refuse(call, value, 'Array takes a list of values');
    call.spend(list.items.length * ITEM_COST);
    const items = list.items.map((item) => arrayElement(type, item) ?? refuseItem(call, item, type));
    return listValue(items) ?? refuse(call, value, 'the list is too long');
  },
};

function arrayArguments(call: CallContext): { type: Type | undefined; fallback: Value } {
  const named = argument(call, 'type');
  const fallback = argument(call, 'default');
  if (named.kind === 'none') return { type: undefined, fallback };
  const text = textOf(named);
  const type = text === undefined ? undefined : typeNamed(text);
  if (type?.name === 'JSON' || (text !== undefined && /^[A-Za-z]+[0-9]*\(/u.test(text)))
    throw call.fail(`an array of ${excerpt(text ?? '')} is not supported`);
  if (type !== undefined) return { type, fallback };
  if (call.given.has('default')) throw call.fail(`there is no type ${excerpt(text ?? '')}`);
  return { type: undefined, fallback: named };
}

function asList(value: Value): Value | undefined {
  if (value.kind === 'list') return value;
  const text = asText(value);
  return text === undefined ? undefined : arrayFromText(text);
}

function valueOrDefault(call: CallContext): Value {
  const value = argument(call, 'value');
  return value.kind === 'none' ? argument(call, 'default') : value;
}

/** A missing Boolean is false and a missing JSON is `{}`, as in the service; all others have to be given. */
function absent(call: CallContext, type: Type): Value {
  if (isOptional(call)) return NONE;
  if (call.sample || ((type.name === 'Boolean' || type.name === 'JSON') && !isRequired(call))) return type.sample;
  throw absence(call);
}

function absentArray(call: CallContext, type: Type | undefined): Value {
  if (isOptional(call)) return NONE;
  const sample = type === undefined ? arrayFromText('') : listValue([arrayElement(type, type.sample) ?? NONE]);
  if (call.sample && sample !== undefined) return sample;
  throw absence(call);
}

/** `defined=False` makes a missing parameter None, which `sql_and` leaves out. */
function isOptional(call: CallContext): boolean {
  const defined = call.given.get('defined');
  return defined?.kind === 'bool' && !defined.value;
}

function isRequired(call: CallContext): boolean {
  return isTrue(argument(call, 'required'));
}

function absence(call: CallContext): Error {
  if (call.parameter === undefined) return call.fail(`${call.name}() has no value`);
  return call.fail(missing(call.parameter), call.parameter);
}

/** Throws; the return type lets it stand where a value is wanted. */
function refuse(call: CallContext, value: Value, why: string): never {
  const shown = shownValue(value);
  const parameter = givenParameter(call);
  if (parameter === undefined) throw call.fail(`${call.name}(${shown}) does not fit: ${why}`);
  throw call.fail(`parameter ${parameter}=${shown} does not fit: ${why}`, parameter);
}

function refuseItem(call: CallContext, item: Value, type: Type | undefined): never {
  return refuse(
    call,
    item,
    type === undefined
      ? 'an item of an array must be text or a number'
      : `each item of Array('${type.name}') must be ${type.expects}`,
  );
}

function shownValue(value: Value): string {
  const text = textOf(value);
  if (text !== undefined) return `'${excerpt(text)}'`;
  if (value.kind === 'list') return `[${value.items.length} items]`;
  return value.kind === 'dict' ? `{${value.entries.size} keys}` : excerpt(asText(value) ?? value.kind);
}
