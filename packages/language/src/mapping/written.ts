/**
 * Rows of JSON with their numbers as they were written: JavaScript has fewer digits than the engine.
 *
 * Must stay true: a text that is no JSON object is no row, and nothing is thrown for it.
 */

/** Text that `JSON.stringify` takes over as it is (TC39, JSON.parse source text access); the compiler does not know it yet. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

/** A number with the text that it was written as. In JSON it is that number, with all its digits. */
export class Written {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): unknown {
    return rawJSON(this.text);
  }
}

/** A row whose numbers are `Written`. */
export type Row = Readonly<Record<string, unknown>>;

/** Reads a line; undefined if it is no JSON object. */
export function readRow(line: string): Row | undefined {
  try {
    const value: unknown = JSON.parse(line, (_key, inner: unknown, context?: { readonly source?: string }) =>
      typeof inner === 'number' ? new Written(context?.source ?? String(inner)) : inner,
    );
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Written);
}
