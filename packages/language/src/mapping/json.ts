/**
 * What the engine's JSON functions need around them to be exact. They parse with simdjson into numbers of 64 bits: 1.10
 * comes back as 1.1, a longer integer makes the whole document unreadable, and so does half of a surrogate pair, which
 * JavaScript writes when it cuts a text.
 *
 * Must stay true: everything here that costs more than a comparison stands behind a condition that is rarely true, because
 * the engine evaluates the branches of `if` only for the rows that need them.
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

/** Whether a text is a JSON number. */
export function isNumber(text: string): string {
  return `match(${text}, ${quoteText(`^${NUMBER}$`)})`;
}

/**
 * The line with every number as a string that begins with U+0001, so that its digits survive the parse. Control characters
 * cannot stand in JSON as they are, so they are free to use as marks; a line that has one stays what it is.
 */
export function marked(line: string): string {
  return `replaceAll(replaceAll(${tokenised(line)}, '\\x01', '"\\\\u0001'), '\\x02', '"')`;
}

/** As `marked`, with plain strings for the numbers. */
export function withTexts(line: string): string {
  return `replaceAll(replaceAll(${tokenised(line)}, '\\x01', '"'), '\\x02', '"')`;
}

/** Takes the marks away again: from a value that is a number itself, and from the JSON of one that holds numbers. */
export function unmarked(text: string): string {
  const nested = String.raw`"\\u0001([^"]*)"`;
  return (
    `if(startsWith(${text}, '\\x01'), substring(${text}, 2), ` +
    `replaceRegexpAll(${text}, ${quoteText(nested)}, '\\\\1'))`
  );
}

/** True if a marked line is an object, and was one before its numbers became strings: `{1:2}` was none. */
export function isMarkedObject(text: string): string {
  const key = String.raw`"\\u0001[^"]*"\s*:`;
  return `(JSONType(${text}) = 'Object' AND NOT match(${text}, ${quoteText(key)}))`;
}

/** Numbers between U+0001 and U+0002, lone surrogates replaced. */
function tokenised(line: string): string {
  const whole = `replaceRegexpAll(${wholeCharacters(line)}, ${quoteText(STRING_OR_NUMBER)}, '\\\\1\\x01\\\\2\\x02')`;
  const free = `position(${line}, '\\x01') = 0 AND position(${line}, '\\x02') = 0`;
  return `if(${free}, replaceAll(${whole}, '\\x01\\x02', ''), ${line})`;
}

/** U+FFFD in the place of a surrogate without its other half, as every decoder of UTF-8 has it. */
function wholeCharacters(line: string): string {
  const split = `replaceRegexpAll(${line}, ${quoteText(SURROGATE)}, '\\\\1\\x01\\\\2\\x02')`;
  return `replaceRegexpAll(replaceAll(${split}, '\\x01\\x02', ''), '\\x01[^\\x02]*\\x02', '\\\\\\\\ufffd')`;
}

/** Where a text stands in the JSON of a row. */
export interface Origin {
  /** The line as it came. */
  readonly line: string;
  /** The marked line. */
  readonly marked: string;
  readonly keys: readonly string[];
}

/** `JSONExtract` of the value at a path. */
export function extract(json: string, keys: readonly string[], type: string): string {
  return `JSONExtract(${[json, ...keys.map(quoteText), quoteText(type)].join(', ')})`;
}

/** The exact text at the path, out of the marked line. Slow. */
export function slowText({ marked: json, keys }: Origin): string {
  if (keys.length === 0) return 'NULL';
  return unmarked(extract(json, keys, 'Nullable(String)'));
}

/**
 * The exact text of a value for a `String`, from the text that the parse gave: a number as it was written, an object or array
 * byte for byte if its key stands in the line but once, else with its spaces taken out.
 */
export function exactText(text: string, origin: Origin): string {
  const numeric = `${text} >= '-' AND ${text} < ':' AND ${isNumber(text)}`;
  const nested = `startsWith(${text}, '{') OR startsWith(${text}, '[')`;
  return `multiIf(${numeric}, ${exactNumber(text, origin)}, ${nested}, ${exactNested(text, origin)}, ${text})`;
}

/** The exact text of a number; a string that looks like one is left as it is. */
export function exactNumber(text: string, origin: Origin): string {
  const raw = rawAt(origin);
  if (raw === undefined) return slowText(origin);
  return `multiIf(${raw.unique} AND (${raw.text} = ${text} OR ${raw.text} = concat('"', ${text}, '"')), ${text}, ${slowText(origin)})`;
}

function exactNested(text: string, origin: Origin): string {
  const raw = rawAt(origin);
  if (raw === undefined) return slowText(origin);
  const same = `(${raw.text} = ${text} OR JSONExtract(${raw.text}, 'String') = ${text})`;
  const opens = `(startsWith(${raw.text}, '{') OR startsWith(${raw.text}, '['))`;
  return (
    `multiIf(${raw.unique} AND ${opens} AND ${same}, ${raw.text}, ` +
    `${raw.unique} AND startsWith(${raw.text}, '"'), ${text}, ${slowText(origin)})`
  );
}

/** The bytes behind the first `"key":` of the line, which are the value's if the key is there but once. */
function rawAt({ line, keys }: Origin): { text: string; unique: string } | undefined {
  const key = keys.at(-1);
  // A key that could be escaped in more ways than one is not looked for.
  if (key === undefined || !/^[\w .$@:-]+$/.test(key)) return undefined;
  return {
    text: `trimBoth(simpleJSONExtractRaw(${line}, ${quoteText(key)}))`,
    unique: `countSubstrings(${line}, ${quoteText(`"${key}"`)}) = 1`,
  };
}
