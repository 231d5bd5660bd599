/**
 * Patterns of model names: a name, a name with `*` for any characters, or a regular expression between slashes. Case doesn't
 * matter.
 *
 * Must stay true: patterns that users write are names and globs; regular expressions are for shipped data, because a bad one
 * can take for ever.
 */

import { AppError } from '@glasshouse/model';

/** Longest name that is looked up; longer ones are nobody's model. */
export const MAX_NAME_LENGTH = 256;

/** A pattern, ready to be matched with names in lower case. */
export interface Matcher {
  readonly pattern: string;
  readonly matches: (name: string) => boolean;
  /** How exact it is: 0 for a name, higher for less of one. */
  readonly rank: number;
}

/** What is wrong with a pattern; undefined if nothing is. */
export function patternFault(pattern: unknown): string | undefined {
  if (typeof pattern !== 'string' || pattern.trim() === '') return 'a pattern of models is a text, such as "gpt-4o*"';
  if (pattern.length > 1_000) return 'a pattern of models has 1000 characters at most';
  if (!isExpression(pattern)) return undefined;
  try {
    void new RegExp(pattern.slice(1, -1));
    return undefined;
  } catch {
    return `pattern=${pattern} is no regular expression`;
  }
}

/** Whether a pattern is a regular expression. */
export function isExpression(pattern: string): boolean {
  return pattern.length > 2 && pattern.startsWith('/') && pattern.endsWith('/');
}

/** Makes a pattern ready. Throws if it is none. */
export function matcher(pattern: string): Matcher {
  const fault = patternFault(pattern);
  if (fault !== undefined) throw new AppError('bad_request', `cannot match models with PATTERN=${pattern}: ${fault}`);
  if (isExpression(pattern)) {
    const expression = new RegExp(pattern.slice(1, -1), 'i');
    return { pattern, matches: (name) => expression.test(name), rank: 900 };
  }
  const glob = pattern.toLowerCase();
  if (!glob.includes('*')) return { pattern, matches: (name) => name === glob, rank: 0 };
  const parts = glob.split('*');
  const literal = glob.length - (parts.length - 1);
  return { pattern, matches: (name) => matchesParts(name, parts), rank: Math.max(1, 800 - literal) };
}

/** Whether a name is the parts with anything between them; linear, whatever the pattern. */
function matchesParts(name: string, parts: readonly string[]): boolean {
  const [first = '', last = ''] = [parts[0], parts.at(-1)];
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  let position = first.length;
  const end = name.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, position);
    if (found === -1 || found + part.length > end) return false;
    position = found + part.length;
  }
  return true;
}
