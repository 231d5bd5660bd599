/**
 * Telephone numbers as they are written: international (`+`, `00`), of North America, with a trunk zero (United Kingdom,
 * Germany, France), of India, and with an area in parentheses. Digits without any sign of being a number to call are one only
 * behind a word that says so: a time in seconds has ten digits too.
 *
 * Must stay true: a date, a time, an address of the internet, a price, a UUID and a plain integer are none.
 */

import { beginsWord, CLOSE, DASH, DOT, isDigit, isWord, latin1, NEWLINE, OPEN, PLUS, SLASH, SPACE } from './bytes.ts';
import type { Bytes } from './bytes.ts';
import type { Groups } from './numbers.ts';

/** A range; `end` is 0 if nothing was found. */
export interface Found {
  start: number;
  end: number;
}

/** Country calling codes of ITU-T E.164 with one or two digits; the others have three. */
const SHORT_CODES = new Set(
  '1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98'.split(
    ' ',
  ),
);
const LONG_CODES =
  /^(?:2[1-69]\d|35\d|37\d|38[0-9]|42[013]|50\d|59\d|67\d|68\d|69\d|80[08]|85\d|87\d|88\d|96\d|97\d|99\d)/u;
const EXTENSION = /[ ,;]{0,2}(?:x|ext\.?|extn\.?|extension|ext=|#)[ :=]{0,2}\d{1,6}(?!\d)/iuy;
const BEHIND_WORD =
  /(?<!redacted:)(?:phone|mobile?|tel|cell|whatsapp|fax|handy|telefon|sms|contact|call|dial|telephone|number)[a-z]{0,4}[^\w\n]{0,6}(?:(?:is|number|nr|no|me|at|on|to|ist|us|him|her)[^\w\n]{1,3}){0,3}$/iu;
const CONTEXT_BYTES = 40;
const MAX_DIGITS = 15;

/** Looks for a telephone number whose first digit is that of `groups`. */
export function findPhone(bytes: Bytes, groups: Groups, floor: number, end: number, found: Found): boolean {
  const at = groups.start(0);
  found.end = 0;
  if (groups.digits < 7) return false;
  const lead = leadOf(bytes, at, floor);
  const last = lead.plus ? internationalEnd(groups, 0) : nationalEnd(bytes, groups, lead.paren, floor);
  if (last < 0) return false;
  found.start = lead.start;
  found.end = groups.end(last);
  if (isDigit(bytes[found.end]) || (found.end < end && isWord(bytes[found.end]) && !isExtension(bytes, found.end))) {
    return false;
  }
  found.end = withExtension(bytes, found.end, end);
  return true;
}

/** Digits that are a telephone number if a key or a word says that they are: 7 to 15 of them. */
export function isPhoneText(text: string): boolean {
  const digits = text.replace(/\D/gu, '').length;
  return digits >= 6 && digits <= 17;
}

/** What stands before the first digit: a plus, an opening parenthesis, or both. */
function leadOf(bytes: Bytes, at: number, floor: number): { start: number; plus: boolean; paren: boolean } {
  let start = at;
  const paren = start > floor && bytes[start - 1] === OPEN;
  if (paren) start--;
  const plus = start > floor && bytes[start - 1] === PLUS && beginsWord(bytes, start - 1, floor);
  if (plus) start--;
  return { start, plus, paren };
}

/** The last group of an international number whose country code begins at digit `skip`; -1 if it is none. */
function internationalEnd(groups: Groups, skip: number): number {
  const text = groups.text(groups.count - 1).slice(skip);
  const code = codeLength(text);
  if (code === 0) return -1;
  const exact = text.startsWith('1') || text.startsWith('7') ? 11 : 0;
  let digits = -skip;
  let best = -1;
  for (let group = 0; group < groups.count; group++) {
    // `+44 (0)20 …`: the zero is not dialled.
    if (!(groups.length(group) === 1 && group > 0 && groups.separator(group) === CLOSE)) digits += groups.length(group);
    if (digits > MAX_DIGITS) break;
    // Enough digits, and what follows begins like a number of its own.
    if (best >= 0 && digits - groups.length(group) >= 11 && groups.length(group) > 2 && groups.startsWithZero(group))
      break;
    if (exact === 0 ? digits >= 8 : digits === exact) best = group;
    if (exact > 0 && digits >= exact) break;
  }
  return best;
}

function codeLength(text: string): number {
  if (SHORT_CODES.has(text.slice(0, 1))) return 1;
  if (SHORT_CODES.has(text.slice(0, 2))) return 2;
  return LONG_CODES.test(text) ? 3 : 0;
}

function nationalEnd(bytes: Bytes, groups: Groups, paren: boolean, floor: number): number {
  const at = groups.start(0);
  if (!paren && !standsAlone(bytes, at, floor)) return -1;
  const first = groups.length(0);
  if (bytes[at] === 0x30 && bytes[at + 1] === 0x30 && (first === 2 ? groups.count > 1 : bytes[at + 2] !== 0x30)) {
    const last = internationalEnd(groups, 2);
    if (last >= 0 && groups.digits >= 11) return last;
  }
  const last = patternEnd(bytes, groups, paren);
  if (last >= 0) return continues(bytes, groups.end(last)) ? -1 : last;
  return behindWordEnd(bytes, groups, floor);
}

/** The last group of a number that its grouping shows to be one; -1 if it does not. */
function patternEnd(bytes: Bytes, groups: Groups, paren: boolean): number {
  const at = groups.start(0);
  const [a, b, c] = [groups.length(0), groups.length(1), groups.length(2)];
  const head = bytes[at] as number;
  if (a === 3 && b === 3 && c === 4 && head >= 0x32 && (bytes[groups.start(1)] as number) >= 0x32) return 2;
  if (a === 1 && head === 0x31 && b === 3 && c === 3 && groups.length(3) === 4) {
    return (bytes[groups.start(1)] as number) >= 0x32 ? 3 : -1;
  }
  if (paren && a <= 5 && a >= 2 && bytes[groups.end(0)] === CLOSE) return grownEnd(groups, 8, 12);
  if (a === 5 && b === 5 && head >= 0x36 && groups.isUniform(1) && isGap(groups.separator(0))) return 1;
  if (a === 6 && head === 0x30 && b === 5 && (bytes[at + 1] as number) >= 0x36) return 1;
  if (head !== 0x30 || !isDigit(bytes[at + 1]) || bytes[at + 1] === 0x30) return -1;
  if (a === 2 && [1, 2, 3, 4].every((group) => groups.length(group) === 2) && groups.isUniform(4)) return 4;
  if (a === 2 && b >= 7 && b <= 9 && groups.separator(0) !== DOT) return 1;
  if (a === 2 && b === 4 && c === 4) return 2;
  if (a < 3 || a > 6 || (groups.separator(0) === DOT && b <= 3 && c <= 3 && groups.length(3) <= 3)) return -1;
  return grownEnd(groups, 9, 12);
}

/** The last of as many groups of two digits and more as `least` to `most` digits make; -1 if they do not. */
function grownEnd(groups: Groups, least: number, most: number): number {
  let digits = groups.length(0);
  let best = -1;
  for (let group = 1; group < Math.min(groups.count, 6); group++) {
    if (groups.length(group) < 2) break;
    digits += groups.length(group);
    if (digits > most) break;
    if (digits >= least) best = group;
  }
  return best;
}

/** Behind a word such as "phone": as many groups as make 7 to 15 digits. */
function behindWordEnd(bytes: Bytes, groups: Groups, floor: number): number {
  const first = groups.length(0);
  if (first > 13) return -1;
  const start = groups.start(0);
  if (!BEHIND_WORD.test(latin1(bytes, Math.max(floor, start - CONTEXT_BYTES), start))) return -1;
  let digits = 0;
  let best = -1;
  for (let group = 0; group < groups.count; group++) {
    digits += groups.length(group);
    if (digits > 13) break;
    if (digits >= 7) best = group;
  }
  return best;
}

/** False behind a word, and where a longer id, version or fraction goes on. */
function standsAlone(bytes: Bytes, at: number, floor: number): boolean {
  if (at <= floor) return true;
  const before = bytes[at - 1] as number;
  if (before === DOT || before === DASH || before === SLASH) return beginsWord(bytes, at - 1, floor);
  return before !== PLUS || beginsWord(bytes, at - 1, floor);
}

/** True if an id goes on behind a number that would end here. */
function continues(bytes: Bytes, at: number): boolean {
  const byte = bytes[at];
  return (byte === DASH || byte === DOT || byte === SLASH) && isDigit(bytes[at + 1]);
}

function isGap(byte: number): boolean {
  return byte === SPACE || byte === DASH;
}

function isExtension(bytes: Bytes, at: number): boolean {
  const byte = (bytes[at] as number) | 0x20;
  return byte === 0x78 || byte === 0x65;
}

function withExtension(bytes: Bytes, at: number, end: number): number {
  if (bytes[at] === NEWLINE) return at;
  EXTENSION.lastIndex = 0;
  const match = EXTENSION.exec(latin1(bytes, at, Math.min(end, at + 24)));
  return match === null ? at : at + match[0].length;
}
