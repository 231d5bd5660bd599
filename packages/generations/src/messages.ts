/** Texts that are put together out of several attributes or events: messages that are events, and namespaces of metadata. */

import type { OpenedJson } from './json.ts';
import type { Origin } from './source.ts';

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
