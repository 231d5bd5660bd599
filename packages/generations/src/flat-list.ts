/**
 * Lists of messages that clients flatten into attributes, in JavaScript: `llm.input_messages.0.message.role`, with parts and calls of
 * tools that are lists themselves. What `flat-list-sql.ts` says in SQL.
 *
 * Must stay true: the order is that of the numbers, which may begin at one and have holes; a name that isn't known adds nothing.
 */

import { MAX_MESSAGES } from './convert.ts';
import type { FlatList, FlatItems } from './source.ts';

interface Message {
  role: string;
  content: string;
  readonly parts: Items;
  readonly calls: Items;
}

/** By number, the fields that are there. */
type Items = Map<number, Fields>;
type Fields = Record<string, string>;

const DOT = 0x2e;
const ZERO = 0x30;

/** The messages of a list as JSON: `[{role, content}]`, where content is a text or a list of parts, with `tool_calls` if there are any. */
export function listText(list: FlatList, attributes: Readonly<Record<string, string>>): string | undefined {
  const messages = messagesOf(list, attributes);
  if (messages.length === 0) return undefined;
  return JSON.stringify(
    messages.map(({ role, content, parts, calls }) => {
      const tool_calls = callsOf(calls);
      return {
        role,
        content: content === '' && parts.size > 0 ? inOrder(parts).map(partOf) : content,
        ...(tool_calls.length === 0 ? {} : { tool_calls }),
      };
    }),
  );
}

/** The calls of tools of all messages of a list, as JSON: `[{id, name, arguments}]`. */
export function listCallsText(list: FlatList, attributes: Readonly<Record<string, string>>): string | undefined {
  const found = messagesOf(list, attributes).flatMap(({ calls }) => callsOf(calls));
  return found.length === 0 ? undefined : JSON.stringify(found);
}

/** The messages of the records that are being read: two columns ask for the same ones. */
const READ = new WeakMap<object, Map<FlatList, readonly Message[]>>();

function messagesOf(flat: FlatList, attributes: Readonly<Record<string, string>>): readonly Message[] {
  const lists = READ.get(attributes) ?? new Map<FlatList, readonly Message[]>();
  const known = lists.get(flat);
  if (known !== undefined) return known;
  const messages = readMessages(flat, attributes);
  READ.set(attributes, lists.set(flat, messages));
  return messages;
}

function readMessages(flat: FlatList, attributes: Readonly<Record<string, string>>): readonly Message[] {
  const { list, role, content, parts, calls } = flat;
  const start = list.length + 1;
  let messages: Map<number, Message> | undefined;
  for (const key in attributes) {
    if (!key.startsWith(list) || key.charCodeAt(start - 1) !== DOT) continue;
    const end = key.indexOf('.', start);
    const number = numberIn(key, start, end);
    if (number < 0) continue;
    messages ??= new Map();
    const message = messages.get(number) ?? { role: '', content: '', parts: new Map(), calls: new Map() };
    const value = attributes[key] ?? '';
    if (isRest(key, end + 1, role)) message.role = value;
    else if (isRest(key, end + 1, content)) message.content = value;
    else if (!take(parts, key, end + 1, value, message.parts) && !take(calls, key, end + 1, value, message.calls))
      continue;
    messages.set(number, message);
  }
  return messages === undefined ? [] : inOrder(messages).slice(0, MAX_MESSAGES);
}

/** Whether what is left of a name is a field of an item of the list; if so, the item has it. */
function take(items: FlatItems | undefined, name: string, from: number, value: string, into: Items): boolean {
  if (items === undefined || !name.startsWith(items.list, from)) return false;
  const start = from + items.list.length + 1;
  if (name.charCodeAt(start - 1) !== DOT) return false;
  const end = name.indexOf('.', start);
  const number = numberIn(name, start, end);
  if (number < 0) return false;
  for (const field in items.fields) {
    if (!isRest(name, end + 1, items.fields[field] ?? '')) continue;
    const item = into.get(number) ?? {};
    item[field] = value;
    into.set(number, item);
    return true;
  }
  return false;
}

function isRest(name: string, from: number, rest: string): boolean {
  return name.length - from === rest.length && name.endsWith(rest);
}

/** The number of up to six digits in `[start, end)`, written as numbers are; -1 if there is none. */
function numberIn(text: string, start: number, end: number): number {
  const digits = end - start;
  if (digits < 1 || digits > 6 || (digits > 1 && text.charCodeAt(start) === ZERO)) return -1;
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

function inOrder<T>(items: ReadonlyMap<number, T>): readonly T[] {
  if (items.size < 2) return [...items.values()];
  return [...items].sort(([a], [b]) => a - b).map(([, item]) => item);
}

function partOf({ type = '', text = '', url = '' }: Readonly<Fields>): object {
  return { type, ...(text === '' ? {} : { text }), ...(url === '' ? {} : { url }) };
}

function callsOf(items: Items): readonly object[] {
  return inOrder(items).flatMap(({ id = '', name = '', arguments: given = '' }) =>
    name === '' ? [] : [{ id, name, arguments: given }],
  );
}
