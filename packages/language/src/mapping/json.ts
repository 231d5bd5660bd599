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

/** A row's text, by the names that it has in the statement. */
export interface SourceText {
  /** The line as it came. */
  readonly line: string;
  /** UInt8: the line is readable as it is. */
  readonly plain: string;
  /** The repaired line, where it is not. */
  readonly whole: string;
}

/**
 * The line with the numbers that are not readable as strings that begin with a mark, and with U+FFFD for every surrogate that lacks its
 * other half. Slow: as long as dozens of parses.
 *
 * U+0001 and U+0002 stand for the ends of a number in between; a line that has them as they are is no JSON, and the character that
 * they become keeps it so.
 */
export function repaired(line: string): string {
  const clean = `translate(${line}, '\\x01\\x02', '\\x03\\x03')`;
  const split = `replaceRegexpAll(${clean}, ${quoteText(SURROGATE)}, '\\\\1\\x01\\\\2\\x02')`;
  const whole = `replaceRegexpAll(replaceAll(${split}, '\\x01\\x02', ''), '\\x01[^\\x02]*\\x02', '\\\\\\\\ufffd')`;
  return withMarks(
    `replaceRegexpAll(${whole}, ${quoteText(`(${STRING})|(${UNREADABLE})|(${NUMBER})`)}, '\\\\1\\\\3\\x01\\\\2\\x02')`,
  );
}

/** A readable or repaired line with all its numbers as strings that begin with a mark, so that their digits survive the parse. Slow as well. */
export function marked({ line, plain, whole }: SourceText, empty: string): string {
  const readable = `if(${plain}, concat(${line}, ${empty}), concat(${whole}, ${empty}))`;
  return withMarks(`replaceRegexpAll(${readable}, ${quoteText(`(${STRING})|(${NUMBER})`)}, '\\\\1\\x01\\\\2\\x02')`);
}

/** Of a text in which U+0001 and U+0002 follow every token, with a number between them or nothing. */
function withMarks(tokens: string): string {
  return `replaceAll(replaceAll(replaceAll(${tokens}, '\\x01\\x02', ''), '\\x01', '${MARK}'), '\\x02', '"')`;
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
 * A text that is rewritten as the line has it: byte for byte where its key stands in the line but once, so that what stands behind it is
 * the value; else with its digits, but without the spaces in it. A string stays as it is, whatever it looks like.
 *
 * Objects in text columns are common, so what stands behind the key is compared for all rows at once, and only where it differs looked
 * at further; only where it may be another's is it parsed to see whether it is the value.
 */
export function exactText(
  rewritten: string,
  text: string,
  source: SourceText,
  keys: readonly string[],
  bind: (sql: string) => string,
): string {
  // Not found is what stands in a string that is an object's text.
  const slow = (empty: string): string => `ifNull(${markedText(marked(source, empty), keys)}, ${text})`;
  const key = soughtKey(keys);
  if (key === undefined) return `if(${rewritten}, ${forSome(rewritten, slow)}, ${text})`;
  // Nothing is searched in the rows that need no search.
  const sought = bind(`if(${rewritten}, ${source.line}, '')`);
  const isSame = all([standsOnce(sought, key), `ifNull(${rawAfter(sought, key)} = ${text}, 0)`]);
  const differs = bind(all([rewritten, `NOT ${isSame}`]));
  const exact = forSome(differs, (empty) => {
    const line = `concat(${source.line}, ${empty})`;
    const raw = rawValue(line, key);
    // The key could be written with escapes, or stand in a string that is an object's text, and what was found be another's.
    const elsewhere = `multiSearchAny(${line}, [${[String.raw`\u00`, String.raw`\"${key}`].map(quoteText).join(', ')}])`;
    const cases = [
      [any([`startsWith(${raw}, '"')`, `ifNull(${raw} = ${text}, 0)`]), text],
      [all([`notEmpty(${raw})`, source.plain, `NOT ${elsewhere}`]), raw],
      [`JSONExtract(${raw}, 'String') = ${text}`, raw],
    ];
    return `multiIf(${[...cases.flat(), slow(empty)].join(', ')})`;
  });
  return `if(${differs}, ${exact}, ${text})`;
}

/** True if the value, or the line where the value is not found in it, has a number with a fraction or an exponent. */
export function hasFraction(condition: string, line: string, keys: readonly string[]): string {
  return forSome(condition, (empty) => {
    const text = `concat(${line}, ${empty})`;
    const key = soughtKey(keys);
    const raw = key === undefined ? `''` : rawValue(text, key);
    const searched = key === undefined ? text : `if(empty(${raw}), ${text}, ${raw})`;
    return `match(${searched}, '[:,[]\\\\s*-?[0-9]+[.eE]')`;
  });
}

/** The last key of a path, if the line can be searched for it: others could be escaped in more ways than one. */
function soughtKey(keys: readonly string[]): string | undefined {
  const key = keys.at(-1);
  return key !== undefined && /^[\w .$@:-]+$/.test(key) ? key : undefined;
}

/** UInt8: the key stands in the line but once. */
function standsOnce(line: string, key: string): string {
  return `countSubstrings(${line}, ${quoteText(`"${key}"`)}) = 1`;
}

/** The bytes behind the first `"key":` of the line up to the end of the value, with the spaces around it. */
function rawAfter(line: string, key: string): string {
  return `simpleJSONExtractRaw(${line}, ${quoteText(key)})`;
}

/** The bytes behind `"key":` if the key stands in the line but once, else empty. */
function rawValue(line: string, key: string): string {
  return `if(${standsOnce(line, key)}, trimBoth(${rawAfter(line, key)}, ' \\t\\r\\n'), '')`;
}
