/**
 * Calls of tools as one shape, `[{id, name, arguments}]`, whichever of the shapes of providers and clients they come in. Arguments are
 * a text, as OpenAI writes them: JSON if they are a structure.
 *
 * Must stay true: whatever the text is, this returns, and the engine's expression has the same value.
 */

import { OpenedJson } from './json.ts';
import type { JsonReader } from './json-reader.ts';
import type { JsonPath } from './source.ts';

/** Where a call has them: OpenAI's chat, OpenTelemetry and OpenAI's responses, Vercel from version 5 and before. */
const PATHS: readonly (readonly [field: string, paths: readonly JsonPath[]])[] = [
  ['id', [['call_id'], ['id'], ['toolCallId']]],
  ['name', [['function', 'name'], ['name'], ['toolName']]],
  ['arguments', [['function', 'arguments'], ['arguments'], ['input'], ['args']]],
];
/** The type of a part that is a call, in messages that have parts. */
const CALL_PART = 'tool_call';

/** The calls in a list of calls, or in a list of messages with parts; undefined if there are none. */
export function callsText(text: string, areMessages: boolean): string | undefined {
  // Most messages have none, and are not opened for it.
  if (areMessages && !text.includes(CALL_PART)) return undefined;
  const elements = elementsOf(text);
  const calls = areMessages
    ? elements
        .flatMap((message) => elementsOf(valueAt(message, ['parts'])))
        .filter((part) => textOf(valueAt(part, ['type'])) === CALL_PART)
    : elements;
  const found = calls.map((call) =>
    Object.fromEntries(
      PATHS.map(([field, paths]) => [
        field,
        paths.map((path) => textOf(valueAt(call, path))).find((value) => value !== '') ?? '',
      ]),
    ),
  );
  const named = found.filter(({ name }) => name !== '');
  return named.length === 0 ? undefined : JSON.stringify(named);
}

/** The same as SQL: `Nullable(String)`. */
export function callsSql(text: string, areMessages: boolean, json: JsonReader): string {
  const value = (element: string, path: JsonPath): string => `nullIf(${json.inline(element, path)}, '')`;
  const elements = json.elements(text);
  const calls = areMessages
    ? `arrayFilter(p -> ifNull(${value('p', ['type'])} = '${CALL_PART}', 0), arrayFlatten(arrayMap(m -> ${json.elements(json.inline('m', ['parts']))}, ${elements})))`
    : elements;
  const fields = PATHS.flatMap(([field, paths]) => [
    `'${field}'`,
    `coalesce(${[...paths.map((path) => value('c', path)), `''`].join(', ')})`,
  ]);
  const named = `arrayFilter(c -> c['name'] != '', arrayMap(c -> map(${fields.join(', ')}), ${calls}))`;
  const found = `if(empty(${named}), NULL, toJSONString(${named}))`;
  return areMessages ? `if(ifNull(position(${text}, '${CALL_PART}'), 0) = 0, NULL, ${found})` : found;
}

// What one list has opened is not remembered for the next: looking it up would cost more, the longer the list is.
const elementsOf = (value: unknown): readonly unknown[] => new OpenedJson().elements(value);
const valueAt = (value: unknown, path: JsonPath): unknown => new OpenedJson().stepInto(value, path);

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}
