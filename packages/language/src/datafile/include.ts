/**
 * INCLUDE "file.incl" "NAME=value": a fragment of a data file put in its place, with `$NAME` replaced in it.
 *
 * Must stay true: however fragments include each other, the result is bounded.
 */

import type { Directive } from './layout.ts';
import type { Report } from './notice.ts';
import { splitLines, type SourceLine } from './source.ts';

/** Finds the text of a fragment by the name that the file gives it, which may be a path; undefined when there is none. */
export type FindFragment = (name: string) => string | undefined;

/** The fragments of one file, and how much of them was taken. */
export interface Include {
  readonly find: FindFragment | undefined;
  files: number;
  characters: number;
}

const MAX_FILES = 50;
const MAX_WORDS_LENGTH = 1000;
/** Of all fragments of a file together, in UTF-16 units. */
const MAX_CHARACTERS = 1_048_576;

/** The lines that an INCLUDE stands for; none, with a problem in the report, when it cannot be resolved. */
export function includedLines({ source, place }: Directive, include: Include, report: Report): SourceLine[] {
  const [name = '', ...settings] = wordsOf(source.text.trim().slice(0, MAX_WORDS_LENGTH));
  if (name === '') {
    report.problem(place, 'cannot include a file: its name is missing', 'write INCLUDE "name.incl"');
    return [];
  }
  const tooMany = (): SourceLine[] => {
    report.problem(
      place,
      `cannot include file=${name}: the fragments are too many or too large`,
      'look for a fragment that includes itself',
    );
    return [];
  };
  if (include.files >= MAX_FILES) return tooMany();
  const text = include.find?.(name);
  if (text === undefined) {
    const why = include.find === undefined ? 'fragments are not available here' : 'there is no such fragment';
    report.problem(place, `cannot include file=${name}: ${why}`, 'send the .incl file along, or write its lines here');
    return [];
  }
  const filled = fill(text, settings);
  include.files += 1;
  include.characters += filled.length;
  if (include.characters > MAX_CHARACTERS) return tooMany();
  return splitLines(filled, name);
}

/** The value of INCLUDE may have been unquoted as a whole, so a name without quotes is taken too. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+(?:"[^"]*"|'[^']*')?)/gu)].map(
    ([, double, single, bare]) => double ?? single ?? bare?.replaceAll(/["']/gu, '') ?? '',
  );
}

function fill(text: string, settings: readonly string[]): string {
  const values = new Map(
    settings.flatMap((setting) => {
      const at = setting.indexOf('=');
      return at === -1 ? [] : [[setting.slice(0, at), setting.slice(at + 1)] as const];
    }),
  );
  if (values.size === 0) return text;
  return text.replaceAll(
    /\$(?:\{(\w+)\}|(\w+))/gu,
    (whole, braced?: string, bare?: string) => values.get(braced ?? bare ?? '') ?? whole,
  );
}
