/**
 * Which resources a pipe may depend on, by the names in its SQL. Nodes may be templates, which are no SQL yet, so names are
 * looked for in the text and not in a syntax tree.
 *
 * Must stay true: a name that is used is found. One that is found and not used (a column of that name) only asks for `force`.
 */

import type { Pipe } from '@glasshouse/model';
import { QUARANTINE_SUFFIX } from '@glasshouse/model';

/** Literals and comments. */
const QUIET = /'(?:[^'\\]|\\.)*'|--[^\n]*|\/\*.*?\*\//gsu;
/** A name that is not called, not a field of something, and not the value of `AS`. */
const NAME = /(?<![\w.])(?:`([^`]+)`|"([^"]+)"|([A-Za-z_]\w*))(?!\s*\()/gu;

/** Settings of a node that name a data source. */
const TARGETS = ['DATASOURCE', 'TARGET_DATASOURCE'] as const;

/** All names in the text of a statement or a template that may be names of resources. */
export function namesIn(sql: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [, back, double, bare] of sql.replaceAll(QUIET, ' ').matchAll(NAME)) {
    const name = back ?? double ?? bare ?? '';
    names.add(name);
    if (name.endsWith(QUARANTINE_SUFFIX)) names.add(name.slice(0, -QUARANTINE_SUFFIX.length));
  }
  return names;
}

/** Data sources that nodes of the pipe write to. */
export function targetsOf(pipe: Pipe): readonly string[] {
  return pipe.nodes.flatMap(({ settings }) => TARGETS.flatMap((key) => settings[key] ?? []));
}

/** True if the pipe reads or writes what has this name. */
export function mentions(pipe: Pipe, name: string): boolean {
  if (targetsOf(pipe).includes(name)) return true;
  // A node hides what else has its name.
  if (pipe.nodes.some((node) => node.name === name)) return false;
  return pipe.nodes.some(({ sql }) => namesIn(sql).has(name));
}
