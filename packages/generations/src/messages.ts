/** Texts that are put together out of several attributes or events: messages that are events, and namespaces of metadata. */

import type { OpenedJson } from './json.ts';
import type { Origin } from './source.ts';

/** An event of a span: its attributes as JSON text, its time in nanoseconds since 1970. */
export interface SpanEvent {
  readonly name: string;
  readonly time?: bigint;
  readonly attributes: string;
}

/** The attributes that begin alike, without it, as JSON. */
export function prefixText(prefix: string, attributes: Readonly<Record<string, string>>): string | undefined {
  const entries: [string, string][] = [];
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith(prefix)) entries.push([key.slice(prefix.length), value]);
  }
  return entries.length === 0 ? undefined : JSON.stringify(Object.fromEntries(entries));
}

/** Messages that are events of the span, all of which are messages, as JSON. */
export function messagesText(
  messages: Extract<Origin, { messages: unknown }>['messages'],
  events: readonly SpanEvent[],
  json: OpenedJson,
): string {
  return JSON.stringify(
    events.map(({ name, attributes }) => {
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
