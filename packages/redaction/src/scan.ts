/**
 * The scan: one pass over a text that stops where something to redact might be. A table tells for each pair of neighbouring
 * bytes who wants to have a look; almost all pairs of a text have nobody.
 *
 * Must stay true: `next` finds on the original bytes whatever it would find without their escapes, or says `escape`. So a text
 * in which nothing is found is looked at once and never copied.
 */

import { findEmail, findIpv4, findIpv6, findUrlPassword } from './address.ts';
import { findAssigned } from './assigned.ts';
import type { Bytes } from './bytes.ts';
import {
  beginsWord,
  CLOSE,
  COLON,
  DASH,
  DOT,
  hexValue,
  isDigit,
  isLetter,
  isWord,
  latin1,
  PLUS,
  SLASH,
  SPACE,
} from './bytes.ts';
import { ibanEnd, isCard } from './card.ts';
import { Groups } from './numbers.ts';
import { findPhone } from './phone.ts';
import { ASSIGNED, AT_SIGN, DIGIT, ESCAPE, GROUPS, PAIRS, SCHEME_END, TWO_COLONS, TYPOGRAPHY } from './triggers.ts';
import type { RedactionClass } from './policy.ts';

/** What a scan stops for. `escape`: this text has to be looked at without its escapes. */
export type Stop = Exclude<RedactionClass, 'person'> | 'escape';

const CARD_GROUPS = new Set([
  '4,4,4,4',
  '4,6,5',
  '4,6,4',
  '4,4,4,4,3',
  '4,4,4,1',
  '6,13',
  '6,10',
  '8,8',
  '4,4,8',
  '4,12',
]);

export class Scan {
  /** Range of the last find. */
  start = 0;
  end = 0;
  private bytes: Bytes = new Uint8Array();
  private floor = 0;
  private limit = 0;
  /** The range as text, once a pattern asked for it. */
  private text: string | undefined;
  private readonly wants: ReadonlySet<RedactionClass>;
  private readonly groups = new Groups();

  constructor(wants: ReadonlySet<RedactionClass>) {
    this.wants = wants;
  }

  /** Begins with the range of `bytes`. */
  open(bytes: Bytes, start: number, end: number): void {
    this.bytes = bytes;
    this.floor = start;
    this.limit = end;
    this.start = this.end = start;
    this.text = undefined;
  }

  /** The next find behind the last one; undefined if there is none. */
  next(isRaw: boolean): Stop | undefined {
    const { bytes, limit, wants } = this;
    let previous = this.end > this.floor ? (bytes[this.end - 1] as number) : SPACE;
    for (let at = this.end; at < limit; at++) {
      const byte = bytes[at] as number;
      const trigger = PAIRS[(previous << 8) | byte] as number;
      previous = byte;
      if (trigger === 0) continue;
      let stop: Stop | undefined;
      switch (trigger) {
        case DIGIT:
          stop = this.number(at);
          break;
        case AT_SIGN:
          if (wants.has('email') && findEmail(bytes, at, this.end, limit, this)) stop = 'email';
          break;
        case ESCAPE:
        case TYPOGRAPHY:
          if (isRaw && this.hides(at)) return 'escape';
          break;
        case SCHEME_END:
          if (wants.has('secret') && isSchemeEnd(bytes, at) && findUrlPassword(bytes, at + 1, limit, this))
            stop = 'secret';
          break;
        case TWO_COLONS:
          if (wants.has('ip') && findIpv6(bytes, at, this.end, limit, this)) stop = 'ip';
          break;
        case ASSIGNED:
          if (wants.has('secret') && isTelling(bytes, at) && findAssigned(bytes, at, this.floor, limit, this))
            stop = 'secret';
          break;
        default:
          if (wants.has('secret') && this.prefixed(trigger, at - 1)) stop = 'secret';
      }
      if (stop !== undefined) return stop;
    }
    return undefined;
  }

  /** True if an escape at `at` hides a character that could be part of something. */
  private hides(at: number): boolean {
    const { bytes } = this;
    const first = bytes[at - 1] as number;
    if (first === 0x25) return hexValue(bytes[at]) >= 2 && hexValue(bytes[at]) < 8 && hexValue(bytes[at + 1]) >= 0;
    if (first === 0x5c) {
      // `\b` and `\f` are also hex digits.
      if (bytes[at] !== 0x75) return true;
      // `\u00e9` and the like are letters; of the others each may be an at sign, a digit or a space.
      if (hexValue(bytes[at + 1]) === 0 && hexValue(bytes[at + 2]) === 0) return true;
      return isDigit(bytes[at + 5]) || bytes[at + 5] === PLUS || isWord(bytes[at + 5]) || bytes[at + 1] === 0x32;
    }
    const before = bytes[at - 2];
    const third = bytes[at + 1] as number;
    if (first === 0xe2 && third !== 0xaf && third !== 0x89 && (third < 0x90 || third > 0x95)) return false;
    return isDigit(before) || before === CLOSE || before === PLUS || (first === 0xc2 && isLetter(before));
  }

  private prefixed(group: number, pairAt: number): boolean {
    const { bytes, limit, floor } = this;
    for (const { text, pair, pattern, isWord: whole, holds } of GROUPS[group] ?? []) {
      const start = pairAt - pair;
      if (start < this.end || start + text.length > limit || !beginsWith(bytes, start, text)) continue;
      if (whole !== false && !beginsWord(bytes, start, this.end)) continue;
      pattern.lastIndex = start - floor;
      const match = pattern.exec((this.text ??= latin1(bytes, floor, limit)));
      if (match === null || (holds !== undefined && !holds(match[0]))) continue;
      const [from, to] = match.indices?.[match[1] === undefined ? 0 : 1] ?? [0, 0];
      this.start = floor + from;
      this.end = floor + to;
      return true;
    }
    return false;
  }

  /** A number whose first group of digits begins at `at`. */
  private number(at: number): Stop | undefined {
    const { bytes, limit, floor, wants, groups } = this;
    if (wants.has('iban') && at - 2 >= this.end && isLetter(bytes[at - 1]) && isLetter(bytes[at - 2])) {
      const end = beginsWord(bytes, at - 2, floor) ? ibanEnd(bytes, at - 2, limit) : -1;
      if (end > 0) return this.found('iban', at - 2, end);
    }
    if (!beginsWord(bytes, at, this.end)) return undefined;
    groups.read(bytes, at, limit);
    if (wants.has('ip')) {
      if (findIpv4(bytes, groups, floor, this)) return 'ip';
      if (bytes[groups.end(0)] === COLON && findIpv6(bytes, at, this.end, limit, this)) return 'ip';
    }
    if (groups.digits < 7 || groups.length(0) > 19) return undefined;
    const before = at > floor ? bytes[at - 1] : SPACE;
    const isFraction = (before === DOT || before === DASH) && !beginsWord(bytes, at - 1, floor);
    if (!isFraction) {
      if (wants.has('card') && this.card()) return 'card';
      if (wants.has('ssn') && this.ssn()) return 'ssn';
    }
    return wants.has('phone') && findPhone(bytes, groups, this.end, limit, this) ? 'phone' : undefined;
  }

  private card(): boolean {
    const { bytes, groups } = this;
    if (groups.length(0) >= 13) return this.cardOf(0);
    let lengths = '';
    let digits = 0;
    for (let last = 0; last < groups.count && digits < 19; last++) {
      digits += groups.length(last);
      lengths += last === 0 ? groups.length(last) : `,${groups.length(last)}`;
      if (digits < 13 || !groups.isUniform(last)) continue;
      const separator = groups.separator(0);
      if (separator !== SPACE && separator !== DASH && (separator !== DOT || last < 3)) return false;
      // Part of a longer id unless it is grouped as cards are.
      const goesOn = last + 1 < groups.count && groups.separator(last) === separator;
      if (goesOn && (separator !== SPACE || !CARD_GROUPS.has(lengths))) continue;
      if (!isWord(bytes[groups.end(last)]) && this.cardOf(last)) return true;
    }
    return false;
  }

  private cardOf(last: number): boolean {
    const { bytes, groups } = this;
    const end = groups.end(last);
    if (isWord(bytes[end]) || (bytes[end] === DOT && isDigit(bytes[end + 1]) && last === 0)) return false;
    if (!isCard(groups.text(last))) return false;
    this.start = groups.start(0);
    this.end = end;
    return true;
  }

  /** A social security number of the United States: 3, 2 and 4 digits, none of them reserved. */
  private ssn(): boolean {
    const { bytes, groups } = this;
    if (groups.length(0) !== 3 || groups.length(1) !== 2 || groups.length(2) !== 4 || !groups.isUniform(2))
      return false;
    const separator = groups.separator(0);
    if ((separator !== DASH && separator !== SPACE) || (groups.separator(2) === DASH && groups.count > 3)) return false;
    if (isWord(bytes[groups.end(2)])) return false;
    const text = groups.text(2);
    if (/^(?:000|666|9)|^\d{3}00|0000$/u.test(text)) return false;
    this.start = groups.start(0);
    this.end = groups.end(2);
    return true;
  }

  private found(stop: Stop, start: number, end: number): Stop {
    this.start = start;
    this.end = end;
    return stop;
  }
}

function beginsWith(bytes: Bytes, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[at + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

/** True behind `://`, also as JSON may write it: `:\/\/`. `at` is the last slash. */
function isSchemeEnd(bytes: Bytes, at: number): boolean {
  if (bytes[at - 1] === SLASH) return bytes[at - 2] === COLON;
  return bytes[at - 1] === 0x5c && bytes[at - 2] === SLASH;
}

/** The words that a name has if what it names is a secret. */
const TELLING = /key|token|secret|passw|passphrase|passwd|pwd|pass\b|credential|authorization|cookie|sig/iu;
/** What stands before the pair in these words: k-ey, t-ok-en, co-ok-ie, se-cr-et, pas-sw, p-wd, authori-za-tion, si-g. */
const BEFORE_PAIR = new Set(Array.from('ktosepic', (letter) => letter.charCodeAt(0)));

/** True if the pair that ends at `at` belongs to a telling word. */
function isTelling(bytes: Bytes, at: number): boolean {
  const before = at >= 2 ? (bytes[at - 2] as number) | 0x20 : SPACE;
  const isCredential = ((bytes[at - 1] as number) | 0x20) === 0x63 && ((bytes[at + 1] as number) | 0x20) === 0x65;
  if (!isCredential && !BEFORE_PAIR.has(before)) return false;
  return TELLING.test(latin1(bytes, Math.max(0, at - 8), at + 9));
}
