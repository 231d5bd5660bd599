/**
 * What the engine's JSON functions need around them to be exact. They parse with simdjson into numbers of 64 bits: 1.10
 * comes back as 1.1, a longer integer makes the whole document unreadable, and so does half of a surrogate pair, which
 * JavaScript writes when it cuts a text. Such lines are rewritten with texts in the place of numbers, which is slow and rare.
 */

import { all, any, forSome } from './logic.ts';
import { quoteText } from './quote.ts';

const EXPONENT = '[eE][-+]?[0-9]+';
/** A number as JSON writes it. */
const NUMBER = String.raw`-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:${EXPONENT})?`;
/** A number that the engine refuses or may refuse, and the constants that Python writes for floats. */
const UNREADABLE = String.raw`-?[1-9][0-9]{18,}(?:\.[0-9]+)?(?:${EXPONENT})?|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?[eE]\+?[0-9]{3,}|NaN|-?Infinity`;
const STRING = String.raw`"(?:[^"\\]|\\.)*"`;
const HEX = '[0-9a-fA-F]';
const PAIR = String.raw`\\u[dD][89abAB]${HEX}{2}\\u[dD][c-fC-F]${HEX}{2}`;
/** An escaped backslash or a surrogate pair, or a surrogate that stands alone. */
const SURROGATE = String.raw`(\\\\|${PAIR})|(\\u[dD][89a-fA-F]${HEX}{2})`;

/** Begins a number that became a string: an escape, because control characters cannot stand in JSON as they are. */
const MARK = String.raw`"\\u0001`;

/** True for a text that the engine may have written anew: a number, an object or an array. */
export function mayBeRewritten(text: string): string {
  return `ifNull(match(${text}, ${quoteText(`^(?:${NUMBER}$|[{[])`)}), 0)`;
}

/** True for the text of a number. */
export function isNumber(text: string): string {
  return `ifNull(match(${text}, ${quoteText(`^${NUMBER}$`)}), 0)`;
}

/** True for the text of a number of more than so many bytes. */
export function isLongNumber(text: string, bytes: number): string {
  return all([`ifNull(length(${text}) > ${bytes}, 0)`, isNumber(text)]);
}

/**
 * The line with all its numbers as strings that begin with a mark, so that their digits survive the parse. Slow: as long as
 * dozens of parses.
 */
export function marked(line: string): string {
  return tokens(line, `(${STRING})|(${NUMBER}|NaN|-?Infinity)`, '\\\\1');
}

/** The line with the numbers that are not readable as strings that begin with a mark. */
export function repaired(line: string): string {
  return tokens(line, `(${STRING})|(${UNREADABLE})|(${NUMBER})`, '\\\\1\\\\3');
}

/** Takes the marks out of a line. */
export function withoutMarks(line: string): string {
  return `replaceAll(${line}, '${MARK}', '"')`;
}

/** True if a line with marks is an object, and was one before its numbers became strings: `{1:2}` was none. */
export function isRepairedObject(line: string): string {
  const numberAsKey = String.raw`"\\u0001[^"]*"\s*:`;
  return all([`JSONType(${line}) = 'Object'`, `NOT match(${line}, ${quoteText(numberAsKey)})`]);
}

/** Takes the marks away again: from a value that is a number itself, and from the JSON of one that holds numbers. */
export function unmarked(text: string): string {
  const nested = String.raw`"\\u0001([^"]*)"`;
  return `replaceRegexpAll(replaceRegexpOne(${text}, '^\\x01', ''), ${quoteText(nested)}, '\\\\1')`;
}

/** `JSONExtract` of the value at a path. */
export function extract(json: string, keys: readonly string[], type: string): string {
  return `JSONExtract(${[json, ...keys.map(quoteText), quoteText(type)].join(', ')})`;
}

/** The exact text at a path of a marked line. */
export function markedText(markedLine: string, keys: readonly string[]): string {
  return unmarked(extract(markedLine, keys, 'Nullable(String)'));
}

/**
 * The bytes behind the first `"key":` of the line for rows where the condition is 1 and the key stands in the line but once, so that they
 * are the value's; else empty.
 */
export function rawValue(condition: string, line: string, keys: readonly string[]): string {
  const key = keys.at(-1);
  // A key that could be escaped in more ways than one is not looked for.
  if (key === undefined || !/^[\w .$@:-]+$/.test(key)) return `''`;
  const once = `countSubstrings(${line}, ${quoteText(`"${key}"`)}) = 1`;
  return `if(${condition}, if(${once}, trimBoth(simpleJSONExtractRaw(${line}, ${quoteText(key)}), ' \\t\\r\\n'), ''), '')`;
}

/**
 * The text of a value as the line has it, byte for byte, if `raw` reads as the same; NULL if not. A string stays as it is, whatever
 * it looks like.
 */
export function exactText(rewritten: string, text: string, raw: string): string {
  const isText = any([`startsWith(${raw}, '"')`, `${raw} = ${text}`]);
  const found = `multiIf(${isText}, ${text}, JSONExtract(${raw}, 'String') = ${text}, ${raw}, NULL)`;
  return `if(${rewritten}, ${found}, ${text})`;
}

/** True if the value, or where it was not found the line, has a number with a fraction or an exponent. */
export function hasFraction(condition: string, line: string, raw: string): string {
  return forSome(condition, line, (text) => `match(if(empty(${raw}), ${text}, ${raw}), '[:,[]\\\\s*-?[0-9]+[.eE]')`);
}

/**
 * Replaces tokens: the second group of the pattern by a string with a mark, the others by `kept`, which is written as in a literal. Surrogates without their
 * other half become U+FFFD. U+0001 and U+0002 serve as marks in between; a line that has them as they are is no JSON, and the
 * character that they become keeps it so.
 */
function tokens(line: string, pattern: string, kept: string): string {
  const clean = `translate(${line}, '\\x01\\x02', '\\x03\\x03')`;
  const split = `replaceRegexpAll(${clean}, ${quoteText(SURROGATE)}, '\\\\1\\x01\\\\2\\x02')`;
  const whole = `replaceRegexpAll(replaceAll(${split}, '\\x01\\x02', ''), '\\x01[^\\x02]*\\x02', '\\\\\\\\ufffd')`;
  const found = `replaceRegexpAll(${whole}, ${quoteText(pattern)}, '${kept}\\x01\\\\2\\x02')`;
  const numbers = `replaceAll(${found}, '\\x01\\x02', '')`;
  return `replaceAll(replaceAll(${numbers}, '\\x01', '${MARK}'), '\\x02', '"')`;
}
