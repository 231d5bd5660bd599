/** Texts that are put together out of several attributes or events: messages that clients flatten, and namespaces of metadata. */

import { MAX_MESSAGES } from './convert.ts';
import type { OpenedJson } from './json.ts';
import type { Origin } from './source.ts';

/** A list flattened into `list.N.role` and `list.N.content`, as JSON. */
export function listText(
  { list, role, content }: Extract<Origin, { list: string }>,
  attributes: Readonly<Record<string, string>>,
): string | undefined {
  let count = 0;
  for (const key in attributes) {
    if (!key.startsWith(list) || key[list.length] !== '.' || !key.endsWith(role)) continue;
    const end = key.length - role.length - 1;
    if (key[end] === '.' && /^[0-9]+$/.test(key.slice(list.length + 1, end))) count++;
  }
  if (count === 0) return undefined;
  const messages = Array.from({ length: Math.min(count, MAX_MESSAGES) }, (_, index) => ({
    role: own(attributes, `${list}.${index}.${role}`),
    content: own(attributes, `${list}.${index}.${content}`),
  }));
  return JSON.stringify(messages);
}

/** The attributes that begin alike, without it, as JSON. */
export function prefixText(prefix: string, attributes: Readonly<Record<string, string>>): string | undefined {
  const entries: [string, string][] = [];
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith(prefix)) entries.push([key.slice(prefix.length), value]);
  }
  return entries.length === 0 ? undefined : JSON.stringify(Object.fromEntries(entries));
}

/** Messages that are events of the span, as JSON. */
export function messagesText(
  messages: Extract<Origin, { messages: unknown }>['messages'],
  events: readonly { readonly name: string; readonly attributes: string }[],
  json: OpenedJson,
): string | undefined {
  const found = events.filter(({ name }) => Object.hasOwn(messages, name));
  if (found.length === 0) return undefined;
  return JSON.stringify(
    found.map(({ name, attributes }) => {
      const { role = '', content: paths = [] } = messages[name] ?? {};
      for (const path of paths) {
        const value = json.stepInto(attributes, path);
        if (value === undefined || value === null || value === '') continue;
        return { role, content: typeof value === 'string' ? value : JSON.stringify(value) };
      }
      return { role, content: '' };
    }),
  );
}

function own(map: Readonly<Record<string, string>>, key: string): string {
  return Object.hasOwn(map, key) ? (map[key] ?? '') : '';
}
