/** Records made of a dialect's own names and awkward values: seeded, so that a failure can be run again. */

import type { GenerationRecord, SpanRecord } from './read.ts';
import type { Condition, Dialect, FlatList, JsonPath, Source } from './source.ts';

const TEXTS = [
  '',
  '0',
  '7',
  '42',
  '-1',
  '1.5',
  '1e3',
  '1e-7',
  '5E+2',
  '0.00000000000012345',
  '99999999999999',
  '100000000000000',
  'true',
  'false',
  '1',
  'null',
  'chat',
  'LLM',
  'EMBEDDING',
  'completion',
  'success',
  'Failure',
  'error',
  'ERROR',
  'stop',
  'openai',
  'ünïcode ☃ 😀',
  'it\'s \\ "so"',
  'a\nb\tc\0d',
  '2025-01-31T10:00:00Z',
  '2025-02-30T10:00:00Z',
  '2024-02-29 23:59:59.123456789',
  '"2025-01-01T00:00:00.5+02:00"',
  '2025-01-01',
  '1699-01-01T00:00:00Z',
  '2025-01-01T24:00:00Z',
  '1024x768',
  '1024X768',
  'x',
  '{}',
  '[]',
  '[null]',
  '["stop"]',
  '[{"finish_reason":"length"}]',
  '{"total":1.25,"input":3}',
  '{"stream":true}',
  '{',
  '[1,2',
  ' {"input":9}',
  '{"input":[1]}',
  '{"content":"hi","message":{"content":"deep"}}',
  '200',
  '404',
  '600',
  '[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\\"city\\":1}"}}]',
  '[{"toolCallId":"c2","toolName":"weather","input":{"a":[1,null,"ü"]}},7,"x",null,{"name":""},{"name":5,"args":[]}]',
  '[{"role":"assistant","finish_reason":"tool_call","parts":[{"type":"text","content":"a","name":"b"},{"type":"tool_call","id":null,"name":"t","arguments":{"b":"☃"}}]}]',
  '[{"parts":{"type":"tool_call","name":"c"}},{"parts":["{\\"type\\":\\"tool_call\\",\\"name\\":\\"d\\"}"]},"tool_call"]',
];
/** About when fuzzed spans begin. */
const START_NS = 1_500_000_000n * 1_000_000_000n;
const NUMBERS = [0, 1, 7, 1500, -1, 0.5, 1.25, 1e-7, 12345678.9, 99999999999999, 100000000000000, 9007199254740991];

export class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = seed;
  }

  /**
   * A whole number from 0 to below `limit`. Draws that follow each other must not depend on each other, or some columns would never
   * be filled: so the counter is mixed well (mulberry32).
   */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

/** A record that the dialect probably recognises. */
export function fuzzRecord(dialect: Dialect, dice: Dice): GenerationRecord {
  return dialect.over === 'line' ? fuzzLine(dialect, dice) : fuzzSpan(dialect, dice);
}

function fuzzSpan(dialect: Dialect, dice: Dice): SpanRecord {
  const string: Record<string, string> = {};
  const int: Record<string, number> = {};
  const double: Record<string, number> = {};
  const bool: Record<string, boolean> = {};
  const json: Record<string, string> = {};
  const events: { name: string; attributes: string; time?: bigint }[] = [];
  for (const { origin, at } of sourcesOf(dialect)) {
    // What is gone into is JSON as a rule (below), and many sources go into the same.
    if (dice.below(at === undefined ? 3 : 60) > 0) continue;
    if ('attribute' in origin) {
      const key = origin.attribute;
      const type =
        dice.below(4) === 0 ? dice.of(['string', 'int', 'double', 'bool', 'json'] as const) : dice.of(origin.types);
      if (type === 'string') string[key] = dice.of(TEXTS);
      else if (type === 'int') int[key] = Math.trunc(dice.of(NUMBERS));
      else if (type === 'double') double[key] = dice.of(NUMBERS);
      else if (type === 'bool') bool[key] = dice.below(2) === 1;
      else json[key] = dice.of(TEXTS);
    } else if ('list' in origin) {
      flatten(origin, string, dice);
    } else if ('callsIn' in origin) {
      flatten(origin.callsIn, string, dice);
    } else if ('prefix' in origin) string[`${origin.prefix}${dice.of(['a', 'b.c', 'ü'])}`] = dice.of(TEXTS);
    else if ('momentOf' in origin) {
      const time = START_NS + BigInt(dice.below(2 ** 31)) * 1_000n;
      events.push({ name: dice.of(origin.momentOf), attributes: '{}', ...(dice.below(8) === 0 ? {} : { time }) });
    } else if ('event' in origin) events.push({ name: origin.event, attributes: dice.of(TEXTS) });
    else if ('messages' in origin)
      events.push({ name: dice.of(Object.keys(origin.messages)), attributes: dice.of(TEXTS) });
  }
  const texts = structures(dialect, dice);
  for (const [name, text] of Object.entries(texts.attributes)) string[name] = text;
  events.push(...texts.events);
  let scope = dice.of(['', 'test']);
  for (const { source, in: values, absent, except } of dice.of(dialect.when)) {
    const { origin } = source;
    if ('attribute' in origin) {
      if (absent) delete string[origin.attribute];
      else string[origin.attribute] = dice.of(values ?? TEXTS);
    } else if ('field' in origin && origin.field === 'scope_name') scope = dice.of(values ?? except ?? TEXTS);
  }
  const fields: Record<string, string> = {
    timestamp: `${BigInt(1_000_000_000 + dice.below(1_000_000_000)) * 1_000_000_000n + BigInt(dice.below(1_000_000_000))}`,
    duration_ns: String(dice.below(2 ** 32)),
    status_code: String(dice.below(3)),
  };
  if (scope !== '') fields['scope_name'] = scope;
  if (dice.below(2) === 0) fields['trace_id'] = '01020304050607080102030405060708';
  if (dice.below(2) === 0) fields['span_id'] = '1112131415161718';
  if (dice.below(3) === 0) fields['status_message'] = dice.of(TEXTS.filter((text) => text !== ''));
  if (dice.below(2) === 0) fields['parent_span_id'] = '2122232425262728';
  if (dice.below(3) > 0) fields['resource_attributes'] = dice.of([texts.resource, texts.resource, '{}', '[1]', '{']);
  return { fields, string, int, double, bool, json, events };
}

const ITEM_NUMBERS = ['0', '1', '2', '3', '10', '11', '01', '1234567', '-1', 'x'];

/** A list of messages with holes, names that nobody knows, and numbers that are none. */
function flatten({ list, role, content, parts, calls }: FlatList, into: Record<string, string>, dice: Dice): void {
  const names = [role, content, 'other'];
  for (const items of [parts, calls]) {
    if (items === undefined) continue;
    const fields = [...Object.values(items.fields), 'other'];
    for (let count = 4; count > 0; count--) names.push(`${items.list}.${dice.of(ITEM_NUMBERS)}.${dice.of(fields)}`);
  }
  for (let count = dice.below(12); count >= 0; count--) {
    into[`${list}.${dice.of(ITEM_NUMBERS)}.${dice.of(names)}`] = dice.of(TEXTS);
  }
}

/** Texts of JSON that have what the sources look for inside them. */
function structures(
  dialect: Dialect,
  dice: Dice,
): { attributes: Record<string, string>; events: { name: string; attributes: string }[]; resource: string } {
  const attributes = new Map<string, Record<string, unknown>>();
  const events = new Map<string, Record<string, unknown>>();
  let resource: Record<string, unknown> = {};
  for (const { origin, at } of sourcesOf(dialect)) {
    if (at === undefined || dice.below(2) === 0) continue;
    if ('attribute' in origin)
      attributes.set(origin.attribute, put(attributes.get(origin.attribute), at, fuzzValue(dice)));
    else if ('event' in origin) events.set(origin.event, put(events.get(origin.event), at, fuzzValue(dice)));
    else if ('field' in origin) resource = put(resource, at, fuzzValue(dice));
  }
  const often = <T>(entries: Iterable<T>): T[] => [...entries].filter(() => dice.below(3) > 0);
  return {
    attributes: Object.fromEntries(often(attributes).map(([name, value]) => [name, JSON.stringify(value)])),
    events: often(events).map(([name, value]) => ({ name, attributes: JSON.stringify(value) })),
    resource: JSON.stringify(resource),
  };
}

function fuzzLine(dialect: Dialect, dice: Dice): string {
  let root: Record<string, unknown> = {};
  for (const { origin, at } of sourcesOf(dialect)) {
    if ('line' in origin && at !== undefined && dice.below(3) === 0) root = put(root, at, fuzzValue(dice));
  }
  for (const { source, in: values, absent } of dice.of(dialect.when)) {
    const [key] = source.at ?? [];
    if (typeof key !== 'string') continue;
    if (absent) delete root[key];
    else root[key] = values === undefined ? dice.of(['x', START, 5]) : dice.of(values);
  }
  for (const key of ['response', 'attributes', 'proxy_metadata']) {
    // Some write an object as the text of it.
    if (key in root && dice.below(4) === 0) root[key] = JSON.stringify(root[key]);
  }
  const line = JSON.stringify(root);
  // Bytes that come in are whole letters.
  return dice.below(20) === 0 ? line.slice(0, dice.below(line.length)).toWellFormed() : line;
}

const START = '2025-06-07T08:09:10.111Z';

function fuzzValue(dice: Dice): unknown {
  switch (dice.below(6)) {
    case 0:
      return dice.of([null, true, false, [], {}, [1, 'a'], { a: { b: 1 } }]);
    case 1:
    case 2:
      return dice.of(NUMBERS);
    default:
      return dice.of(TEXTS);
  }
}

function put(value: unknown, [step, ...rest]: JsonPath, leaf: unknown): Record<string, unknown> {
  if (typeof step === 'number') {
    const list: unknown[] = Array.isArray(value) ? value : [];
    list[step] = rest.length === 0 ? leaf : put(list[step], rest, leaf);
    return list as unknown as Record<string, unknown>;
  }
  const object =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  const key = step ?? '';
  object[key] = rest.length === 0 ? leaf : put(object[key], rest, leaf);
  return object;
}

/** All sources of a dialect, those inside others too. */
function sourcesOf({ columns, when }: Dialect): Source[] {
  const conditions = when.flatMap((all: readonly Condition[]) => all.map(({ source }) => source));
  const direct = [...Object.values(columns).flat(), ...conditions];
  return direct.flatMap((source) => ('from' in source.origin ? [source.origin.from, source.origin.until] : [source]));
}
