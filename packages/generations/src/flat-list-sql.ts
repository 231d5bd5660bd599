/**
 * Lists of messages that clients flatten into attributes, in SQL: what `flat-list.ts` says in JavaScript.
 *
 * Must stay true: no expression here throws, whatever the attributes are called.
 */

import { MAX_MESSAGES } from './convert.ts';
import { quoteText } from './quote.ts';
import type { FlatItems, FlatList } from './source.ts';

const NUMBER = '(?:0|[1-9][0-9]{0,5})';

/** `Nullable(String)`: the messages as JSON. @param attributes the map of string attributes */
export function listSql(flat: FlatList, attributes: string): string {
  const at = (name: string): string => valueAt(attributes, [quoteText(`${flat.list}.`), 'toString(i)'], name);
  const { parts, calls } = flat;
  const content = `toJSONString(${at(flat.content)})`;
  const withParts =
    parts === undefined
      ? content
      : `if(${at(flat.content)} != '' OR empty(${numbersOf(flat, parts, attributes)}), ${content}, ${arrayText(partsOf(flat, parts, attributes))})`;
  const withCalls =
    calls === undefined
      ? `''`
      : `if(empty(${callsOf(flat, calls, attributes)}), '', concat(',"tool_calls":', ${arrayText(callsOf(flat, calls, attributes))}))`;
  const message = `concat('{"role":', toJSONString(${at(flat.role)}), ',"content":', ${withParts}, ${withCalls}, '}')`;
  const numbers = messageNumbers(flat, attributes);
  return `if(empty(${numbers}), NULL, ${arrayText(`arrayMap(i -> ${message}, ${numbers})`)})`;
}

/** `Nullable(String)`: the calls of tools of all messages as JSON. */
export function listCallsSql(flat: FlatList, attributes: string): string {
  if (flat.calls === undefined) return "CAST(NULL, 'Nullable(String)')";
  const found = `arrayFlatten(arrayMap(i -> ${callsOf(flat, flat.calls, attributes)}, ${messageNumbers(flat, attributes)}))`;
  return `if(empty(${found}), NULL, ${arrayText(found)})`;
}

/** The numbers of the messages, in order. */
function messageNumbers(flat: FlatList, attributes: string): string {
  const names = [escape(flat.role), escape(flat.content)];
  for (const items of [flat.parts, flat.calls]) if (items !== undefined) names.push(itemPattern(items));
  const pattern = `^${escape(flat.list)}[.]${NUMBER}[.](?:${names.join('|')})$`;
  const keys = `arrayFilter(k -> match(toString(k), ${quoteText(pattern)}), mapKeys(${attributes}))`;
  return `arraySlice(${ordered(keys, `^${escape(flat.list)}[.]([0-9]+)`)}, 1, ${MAX_MESSAGES})`;
}

/** The numbers of the items of the message `i`, in order. */
function numbersOf(flat: FlatList, items: FlatItems, attributes: string): string {
  const pattern = `^${escape(flat.list)}[.]${NUMBER}[.]${itemPattern(items)}$`;
  const start = `concat(${quoteText(`${flat.list}.`)}, toString(i), ${quoteText(`.${items.list}.`)})`;
  const keys = `arrayFilter(k -> startsWith(toString(k), ${start}) AND match(toString(k), ${quoteText(pattern)}), mapKeys(${attributes}))`;
  return ordered(keys, `^${escape(flat.list)}[.][0-9]+[.]${escape(items.list)}[.]([0-9]+)`);
}

function ordered(keys: string, number: string): string {
  return `arraySort(arrayDistinct(arrayMap(k -> toUInt32OrZero(extract(toString(k), ${quoteText(number)})), ${keys})))`;
}

function partsOf(flat: FlatList, items: FlatItems, attributes: string): string {
  const { type = '', text = '', url = '' } = items.fields;
  const at = (field: string): string => itemAt(flat, items, attributes, field);
  const some = (name: string, field: string): string =>
    field === '' ? `''` : `if(${at(field)} = '', '', concat(${quoteText(`,"${name}":`)}, toJSONString(${at(field)})))`;
  const part = `concat('{"type":', toJSONString(${at(type)}), ${some('text', text)}, ${some('url', url)}, '}')`;
  return `arrayMap(j -> ${part}, ${numbersOf(flat, items, attributes)})`;
}

function callsOf(flat: FlatList, items: FlatItems, attributes: string): string {
  const { id = '', name = '', arguments: given = '' } = items.fields;
  const at = (field: string): string => `toJSONString(${itemAt(flat, items, attributes, field)})`;
  const call = `concat('{"id":', ${at(id)}, ',"name":', ${at(name)}, ',"arguments":', ${at(given)}, '}')`;
  const named = `arrayFilter(j -> ${itemAt(flat, items, attributes, name)} != '', ${numbersOf(flat, items, attributes)})`;
  return `arrayMap(j -> ${call}, ${named})`;
}

function itemAt(flat: FlatList, items: FlatItems, attributes: string, field: string): string {
  return valueAt(
    attributes,
    [quoteText(`${flat.list}.`), 'toString(i)', quoteText(`.${items.list}.`), 'toString(j)'],
    field,
  );
}

function valueAt(attributes: string, start: readonly string[], name: string): string {
  return `${attributes}[concat(${start.join(', ')}, ${quoteText(`.${name}`)})]`;
}

function itemPattern({ list, fields }: FlatItems): string {
  return `${escape(list)}[.]${NUMBER}[.](?:${Object.values(fields).map(escape).join('|')})`;
}

function arrayText(items: string): string {
  return `concat('[', arrayStringConcat(${items}, ','), ']')`;
}

function escape(text: string): string {
  return text.replaceAll('.', '[.]');
}
