/**
 * JSON as the sources see it: every value is a text, and a text that is an object or an array can be gone into, whether it was
 * written as JSON or as a text of JSON. Clients do either with the same field.
 */

import type { JsonPath } from './source.ts';

/** Texts that are remembered beyond their record: as many as a fleet has processes that send at the same time, about. */
const MAX_LASTING = 256;
/** Longer ones are rare, and would take much memory: of those only the last is remembered. */
const MAX_LASTING_LENGTH = 1 << 14;

/** JSON texts of a record that were opened: many columns go into the same few. */
export class OpenedJson {
  private readonly texts: string[] = [];
  private readonly values: unknown[] = [];

  /** What stands at a path of a text or of a value: undefined or null if there is nothing. */
  stepInto(value: unknown, path: JsonPath): unknown {
    let current = value;
    for (const step of path) {
      current = child(typeof current === 'string' ? this.open(current) : current, step);
      if (current === undefined || current === null) return undefined;
    }
    return current;
  }

  /** The elements of an array, or of the text of one; none of anything else. */
  elements(value: unknown): readonly unknown[] {
    const opened = typeof value === 'string' ? this.open(value) : value;
    return Array.isArray(opened) ? (opened as readonly unknown[]) : [];
  }

  /** Forgets all texts. */
  clear(): void {
    if (this.texts.length === 0) return;
    this.texts.length = 0;
    this.values.length = 0;
  }

  protected isLast(text: string): boolean {
    return this.texts.at(-1) === text;
  }

  protected open(text: string): unknown {
    const known = this.texts.indexOf(text);
    if (known >= 0) {
      // The next one that asks probably has this very text, which need not be compared then.
      this.texts[known] = text;
      return this.values[known];
    }
    const value = openJson(text);
    this.texts.push(text);
    this.values.push(value);
    return value;
  }
}

/** The same of texts that many records have in common. */
export class LastingJson extends OpenedJson {
  private readonly opened = new Map<string, unknown>();

  protected override open(text: string): unknown {
    if (text.length > MAX_LASTING_LENGTH) {
      if (!this.isLast(text)) this.clear();
      return super.open(text);
    }
    let value = this.opened.get(text);
    if (value !== undefined) return value;
    value = openJson(text);
    if (this.opened.size >= MAX_LASTING) this.opened.clear();
    this.opened.set(text, value);
    return value;
  }
}

function child(value: unknown, step: string | number): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  if (typeof step === 'number') return Array.isArray(value) ? (value as unknown[])[step] : undefined;
  return !Array.isArray(value) && Object.hasOwn(value, step) ? (value as Record<string, unknown>)[step] : undefined;
}

/** The object or array that a text holds; undefined if it holds neither. */
export function openJson(text: string): unknown {
  const start = text.trimStart();
  if (!start.startsWith('{') && !start.startsWith('[')) return undefined;
  try {
    return JSON.parse(start) as unknown;
  } catch {
    return undefined;
  }
}
