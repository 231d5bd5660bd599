/**
 * What the engine's JSON functions need around them to be exact. They parse with simdjson into numbers of 64 bits: 1.10
 * comes back as 1.1, a longer integer makes the whole document unreadable, and so does half of a surrogate pair, which
 * JavaScript writes when it cuts a text. Some lines are therefore read a second time, with their numbers as texts.
 *
 * Must stay true: what costs more than a comparison, and is rarely needed, stands in `forSome`.
 */

import { quoteText } from './quote.ts';

/** A number as JSON writes it. */
const NUMBER = String.raw`-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?`;
/** A string, or a number or one of the constants that Python writes for floats. */
const STRING_OR_NUMBER = String.raw`("(?:[^"\\]|\\.)*")|(${NUMBER}|NaN|-?Infinity)`;
const HEX = '[0-9a-fA-F]';
const PAIR = String.raw`\\u[dD][89abAB]${HEX}{2}\\u[dD][c-fC-F]${HEX}{2}`;
/** An escaped backslash or a surrogate pair, or a surrogate that stands alone. */
const SURROGATE = String.raw`(\\\\|${PAIR})|(\\u[dD][89a-fA-F]${HEX}{2})`;

/**
 * The expression for the rows where the condition, a UInt8, is 1, and the default of its type for the others. The branches of `if`
 * are evaluated for the rows that need them too, but not when a part of one stands somewhere else in the statement as well; a
 * lambda over an array without elements is never evaluated.
 */
export function forSome(condition: string, expression: string): string {
  return `arrayMap(z -> ${expression}, range(${condition}))[1]`;
}

/** Whether a text is a JSON number. */
export function isNumber(text: string): string {
  return `match(${text}, ${quoteText(`^${NUMBER}$`)})`;
}

/**
 * The line with every number as a string that begins with U+0001, so that its digits survive the parse, and with U+FFFD for
 * every surrogate that lacks its other half. Control characters cannot stand in JSON as they are, so they are free to serve as
 * marks; a line that has some keeps one that is none, and stays unreadable. Slow: ten parses or more.
 */
export function marked(line: string): string {
  const clean = `translate(${line}, '\\x01\\x02', '\\x03\\x03')`;
  const split = `replaceRegexpAll(${clean}, ${quoteText(SURROGATE)}, '\\\\1\\x01\\\\2\\x02')`;
  const whole = `replaceRegexpAll(replaceAll(${split}, '\\x01\\x02', ''), '\\x01[^\\x02]*\\x02', '\\\\\\\\ufffd')`;
  const tokens = `replaceRegexpAll(${whole}, ${quoteText(STRING_OR_NUMBER)}, '\\\\1\\x01\\\\2\\x02')`;
  const numbers = `replaceAll(${tokens}, '\\x01\\x02', '')`;
  return `replaceAll(replaceAll(${numbers}, '\\x01', '"\\\\u0001'), '\\x02', '"')`;
}

/** A marked line with plain strings for its numbers. */
export function withTexts(markedLine: string): string {
  return `replaceAll(${markedLine}, '"\\\\u0001', '"')`;
}

/** Takes the marks away again: from a value that is a number itself, and from the JSON of one that holds numbers. */
export function unmarked(text: string): string {
  const nested = String.raw`"\\u0001([^"]*)"`;
  return `replaceRegexpAll(replaceRegexpOne(${text}, '^\\x01', ''), ${quoteText(nested)}, '\\\\1')`;
}

/** True if a marked line is an object, and was one before its numbers became strings: `{1:2}` was none. */
export function isMarkedObject(text: string): string {
  const key = String.raw`"\\u0001[^"]*"\s*:`;
  return `(JSONType(${text}) = 'Object' AND NOT match(${text}, ${quoteText(key)}))`;
}

/** `JSONExtract` of the value at a path. */
export function extract(json: string, keys: readonly string[], type: string): string {
  return `JSONExtract(${[json, ...keys.map(quoteText), quoteText(type)].join(', ')})`;
}

/** The exact text at a path of a marked line. */
export function markedText(markedLine: string, keys: readonly string[]): string {
  return keys.length === 0 ? 'NULL' : unmarked(extract(markedLine, keys, 'Nullable(String)'));
}

/**
 * The bytes behind the first `"key":` of the line, for rows where the key stands in it but once, so that they are the value's.
 * Empty for all others, and for rows that the condition leaves out.
 */
export function rawValue(condition: string, line: string, keys: readonly string[]): string {
  const key = keys.at(-1);
  // A key that could be escaped in more ways than one is not looked for.
  if (key === undefined || !/^[\w .$@:-]+$/.test(key)) return `''`;
  const once = `countSubstrings(${line}, ${quoteText(`"${key}"`)}) = 1`;
  const raw = `trimBoth(simpleJSONExtractRaw(${line}, ${quoteText(key)}))`;
  return forSome(condition, `if(${once}, ${raw}, '')`);
}

/** True for a text that may be a number, an object or an array, which the engine may have written anew. */
export function isRewritten(text: string): string {
  const number = `${text} >= '-' AND ${text} < ':' AND ${isNumber(text)}`;
  return `ifNull((${number}) OR startsWith(${text}, '{') OR startsWith(${text}, '['), 0)`;
}

/**
 * How to have the exact text of a rewritten value: 0 as it is, 1 out of its bytes in the line, 2 out of the marked line. `raw` is
 * its `rawValue`. A string stays as it is, whatever it looks like.
 */
export function exactness(rewritten: string, text: string, raw: string): string {
  const asIs = `${raw} = ${text} OR startsWith(${raw}, '"')`;
  const same = `JSONExtract(${raw}, 'String') = ${text}`;
  return forSome(rewritten, `multiIf(${asIs}, 0, ${same}, 1, 2)`);
}
