/**
 * Write filters that can be told here: rows of a data source that a token may not write go to the quarantine, by the engine; no
 * generation may be made of them. Filters that say more than `column = 'text' AND …` are for the engine alone.
 */

const EQUAL = /^\(*\s*`?([A-Za-z_][A-Za-z0-9_]*)`?\s*=\s*'([^'\\]*)'\s*\)*$/;

/** What a row must have, by key; undefined if the filter asks for something else. */
export function equalities(filter: string): ReadonlyMap<string, string> | undefined {
  const wanted = new Map<string, string>();
  if (filter === '') return wanted;
  for (const part of filter.split(/\sAND\s/i)) {
    const [, key, value] = EQUAL.exec(part.trim()) ?? [];
    if (key === undefined || value === undefined) return undefined;
    if ((wanted.get(key) ?? value) !== value) return undefined;
    wanted.set(key, value);
  }
  return wanted;
}
