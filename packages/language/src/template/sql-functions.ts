/**
 * Functions that make pieces of SQL: names of columns and tables, conditions, secrets, and what is asked of the engine besides.
 *
 * Must stay true: names are checked and quoted, so that no value ends a name; a secret never becomes text of the statement.
 */

import { argument, givenParameter, type CallContext, type TemplateFunction } from './call.ts';
import { excerpt } from './error.ts';
import { identifier, missing, sqlLiteral } from './literal.ts';
import { DESCRIBING } from './type-functions.ts';
import { asText } from './types.ts';
import { NONE, stringValue, textOf, type Value } from './value.ts';

const EMPTY: Value = { kind: 'sql', text: '' };
/** Stands for a name that is not known yet: the number is a valid expression, and as a key to sort or group by too. */
const SAMPLE_COLUMN: Value = { kind: 'sql', text: '1' };

/** What a name may consist of: letters, digits and the marks that occur in names, but nothing that means something in SQL. */
const NAME = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_ :@/#+-]{0,254}$/u;

const OPERATORS: ReadonlyMap<string, string> = new Map([
  ['in', 'IN'],
  ['not_in', 'NOT IN'],
  ['gt', '>'],
  ['lt', '<'],
  ['gte', '>='],
  ['lte', '<='],
]);

const CACHE_SECONDS: ReadonlyMap<string, number> = new Map([
  ['5s', 5],
  ['1m', 60],
  ['5m', 300],
  ['30m', 1800],
  ['1h', 3600],
]);

const FEATURES: readonly string[] = ['analyzer', 'parallel_replicas'];
const MAX_THREADS = 1024;

export const SQL_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  ['column', { parameters: ['value', 'default'], least: 1, keywords: DESCRIBING, run: column }],
  ['columns', { parameters: ['value', 'default', 'fn'], least: 1, keywords: DESCRIBING, run: columns }],
  ['symbol', { parameters: ['value'], least: 1, run: (call) => onName(call, (name) => symbol(call, name)) }],
  ['table', { parameters: ['value'], least: 1, run: (call) => onName(call, (name) => dotted(call, name)) }],
  ['TABLE', { parameters: ['value'], least: 1, run: (call) => onName(call, (name) => dotted(call, name)) }],
  ['sql_and', { parameters: [], least: 0, anyKeywords: true, run: conditions }],
  ['sql_unescape', { parameters: ['value', 'what'], least: 1, run: unescaped }],
  ['tb_secret', { parameters: ['name', 'default'], least: 1, literalName: true, run: secret }],
  ['max_threads', { parameters: ['value'], least: 1, run: maxThreads }],
  ['cache_ttl', { parameters: ['value'], least: 1, run: cacheTtl }],
  ['backend_hint', { parameters: ['value'], least: 1, run: backendHint }],
  ['activate', { parameters: ['value'], least: 1, run: activate }],
];

/** `column(name, 'default')`: dots separate the parts of a nested name. */
function column(call: CallContext): Value {
  const value = withDefault(call);
  return value === undefined ? SAMPLE_COLUMN : onText(call, value, (name) => dotted(call, name));
}

/** `columns('a,b')`, and `columns('a,b', fn='sum')` for `sum(a) AS a, sum(b) AS b`. */
function columns(call: CallContext): Value {
  const value = withDefault(call);
  if (value === undefined) return SAMPLE_COLUMN;
  const names = namesOf(call, value);
  call.spend(names.length * 64);
  const fn = argument(call, 'fn');
  if (fn.kind === 'none') return { kind: 'sql', text: names.map((name) => dotted(call, name)).join(', ') };
  if (fn.kind !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/u.test(fn.value))
    throw call.fail('fn must be the name of a function');
  const text = names.map((name) => `${fn.value}(${dotted(call, name)}) AS ${symbol(call, name)}`).join(', ');
  return { kind: 'sql', text };
}

function namesOf(call: CallContext, value: Value): readonly string[] {
  const text = textOf(value);
  if (text !== undefined) return text.split(',').map((name) => name.trim());
  if (value.kind === 'list') return value.items.map((item) => (item.kind === 'string' ? item.value : ''));
  throw call.fail('columns() takes names with commas between them');
}

/** Undefined when there is none and one may be made up. */
function withDefault(call: CallContext): Value | undefined {
  const given = argument(call, 'value');
  const value = given.kind === 'none' ? argument(call, 'default') : given;
  if (value.kind !== 'none') return value;
  if (call.sample) return undefined;
  const why = call.parameter === undefined ? `${call.name}() has no value` : missing(call.parameter);
  throw call.fail(`${why}, and ${call.name}() has no default`, call.parameter);
}

function onName(call: CallContext, use: (name: string) => string): Value {
  const value = argument(call, 'value');
  if (value.kind === 'none' && call.sample) return { kind: 'sql', text: '`placeholder`' };
  return onText(call, value, use);
}

function onText(call: CallContext, value: Value, use: (name: string) => string): Value {
  const name = textOf(value);
  if (name !== undefined) return { kind: 'sql', text: use(name) };
  const why =
    value.kind === 'none' && value.parameter !== undefined ? missing(value.parameter) : `${call.name}() takes a name`;
  throw call.fail(why, call.parameter);
}

function dotted(call: CallContext, name: string): string {
  return name
    .split('.')
    .map((part) => identifier(checkedName(call, part)))
    .join('.');
}

/** One name, even with dots in it. */
function symbol(call: CallContext, name: string): string {
  for (const part of name.split('.')) checkedName(call, part);
  return identifier(name);
}

function checkedName(call: CallContext, name: string): string {
  if (NAME.test(name)) return name;
  const parameter = givenParameter(call);
  const given = parameter === undefined ? '' : `parameter ${parameter}=`;
  const why = `${given}'${excerpt(name)}' is not a name: ${call.name}() takes letters, digits, _ and a few marks`;
  throw call.fail(why, parameter);
}

/** `sql_and(a__in=Array(x, defined=False), b__gte=…)`; what is None is left out. */
function conditions(call: CallContext): Value {
  const parts: string[] = [];
  for (const [key, value] of call.given) {
    if (value.kind === 'none') continue;
    const cut = key.lastIndexOf('__');
    const operator = cut === -1 ? '=' : OPERATORS.get(key.slice(cut + 2));
    if (operator === undefined)
      throw call.fail(
        `sql_and() has no operator __${excerpt(key.slice(cut + 2))}; there are ${[...OPERATORS.keys()].join(', ')}`,
      );
    const literal = sqlLiteral(value, (cost) => call.spend(cost));
    if (typeof literal !== 'string') throw call.fail(literal.why);
    parts.push(`${identifier(cut === -1 ? key : key.slice(0, cut))} ${operator} ${literal}`);
  }
  return { kind: 'sql', text: parts.join(' AND ') };
}

/** Literals here are exact, so there is nothing to take back: `%` is never escaped. */
function unescaped(call: CallContext): Value {
  const text = textOf(argument(call, 'value'));
  if (text === undefined) throw call.fail('sql_unescape() takes text');
  return stringValue(text);
}

/** A secret is bound as a parameter of the statement, so that it is in no text, no log and no error. */
function secret(call: CallContext): Value {
  const name = textOf(argument(call, 'name')) ?? '';
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/u.test(name)) throw call.fail(`${excerpt(name)} is no name of a secret`);
  const bound = call.secret(name);
  if (bound !== undefined) return bound;
  const fallback = argument(call, 'default');
  if (fallback.kind !== 'none') return fallback;
  if (call.sample) return stringValue('');
  throw call.fail(`there is no secret ${name}`);
}

function maxThreads(call: CallContext): Value {
  const value = argument(call, 'value');
  if (value.kind === 'none' && call.sample) return EMPTY;
  const threads = Number(asText(value) ?? 'none');
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS)
    throw call.fail(`max_threads() takes a whole number from 1 to ${MAX_THREADS}`);
  call.settings.max_threads = threads;
  return EMPTY;
}

function cacheTtl(call: CallContext): Value {
  const seconds = CACHE_SECONDS.get(textOf(argument(call, 'value')) ?? '');
  if (seconds === undefined) throw call.fail(`cache_ttl() takes one of ${[...CACHE_SECONDS.keys()].join(', ')}`);
  call.settings.cacheSeconds = seconds;
  return EMPTY;
}

function backendHint(call: CallContext): Value {
  const value = argument(call, 'value');
  const hint = textOf(value);
  if (hint !== undefined) call.settings.backendHint = hint;
  else if (value.kind !== NONE.kind && value.kind !== 'bool') throw call.fail('backend_hint() takes text');
  return EMPTY;
}

function activate(call: CallContext): Value {
  const feature = textOf(argument(call, 'value')) ?? '';
  if (!FEATURES.includes(feature)) throw call.fail(`activate() takes one of ${FEATURES.join(', ')}`);
  call.settings.activate = [...(call.settings.activate ?? []), feature];
  return EMPTY;
}
