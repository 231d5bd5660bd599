/** Which attributes of a span the dialects ask for: whoever makes records may leave out the others. */

import type { Dialect, Source } from './source.ts';

export interface AskedKeys {
  readonly names: readonly string[];
  /** Beginnings of names: lists that are flattened into attributes, and namespaces that are taken whole. */
  readonly prefixes: readonly string[];
}

export function askedKeys(dialects: readonly Dialect[]): AskedKeys {
  const names = new Set<string>();
  const prefixes = new Set<string>();
  const ask = ({ origin }: Source): void => {
    if ('attribute' in origin) names.add(origin.attribute);
    else if ('list' in origin) prefixes.add(`${origin.list}.`);
    else if ('callsIn' in origin) prefixes.add(`${origin.callsIn.list}.`);
    else if ('prefix' in origin) prefixes.add(origin.prefix);
    else if ('from' in origin) {
      ask(origin.from);
      ask(origin.until);
    }
  };
  for (const { when, columns } of dialects) {
    for (const conditions of when) for (const { source } of conditions) ask(source);
    for (const sources of Object.values(columns)) sources.forEach(ask);
  }
  return { names: [...names], prefixes: [...prefixes] };
}
