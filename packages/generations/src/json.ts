/**
 * JSON as the sources see it: every value is a text, and a text that is an object or an array can be gone into, whether it was
 * written as JSON or as a text of JSON. Clients do either with the same field.
 */

import type { JsonPath } from './source.ts';

/** The text at a path; undefined if there is nothing, or null. */
export function stepInto(text: string, path: JsonPath): string | undefined {
  let current: string | undefined = text;
  for (const step of path) {
    if (current === undefined) return undefined;
    current = textOfValue(child(current, step));
  }
  return current;
}

function child(text: string, step: string | number): unknown {
  const value = openJson(text);
  if (typeof step === 'number') return Array.isArray(value) ? (value as unknown[])[step] : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, step))
    return undefined;
  return (value as Record<string, unknown>)[step];
}

/** The object or array that a text holds; undefined if it holds neither. */
function openJson(text: string): unknown {
  const start = text.trimStart();
  if (!start.startsWith('{') && !start.startsWith('[')) return undefined;
  try {
    return JSON.parse(start) as unknown;
  } catch {
    return undefined;
  }
}

function textOfValue(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
