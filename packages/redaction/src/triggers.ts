/**
 * Which pairs of neighbouring bytes are worth a look, and who looks. Derived once from the tables of what is looked for.
 *
 * Must stay true: every secret with a prefix, every telling word and every digit behind another byte has its pair here.
 */

import { isDigit } from './bytes.ts';
import type { Prefix } from './prefixes.ts';
import { PREFIXES } from './prefixes.ts';

export const DIGIT = 1;
export const AT_SIGN = 2;
export const ESCAPE = 3;
export const TYPOGRAPHY = 4;
export const SCHEME_END = 5;
export const TWO_COLONS = 6;
export const ASSIGNED = 7;
const FIRST_GROUP = 8;

/** Two bytes of each word that names a secret, in the cases that people write. */
const TELLING_PAIRS = ['ey', 'ok', 'cr', 'sw', 'wd', 'sp', 's=', 's:', 's"', "s'", 'za', 'g=', 'g"'];

/** Prefixes by trigger. */
export const GROUPS: readonly (readonly Prefix[] | undefined)[] = group();
/** The trigger of each pair, `first << 8 | second`; 0 for none. */
export const PAIRS: Uint8Array = pairs();

function group(): Prefix[][] {
  const byPair = new Map<string, Prefix[]>();
  for (const prefix of PREFIXES) {
    const pair = prefix.text.slice(prefix.pair, prefix.pair + 2);
    const present = byPair.get(pair);
    if (present === undefined) byPair.set(pair, [prefix]);
    else present.push(prefix);
  }
  const groups: Prefix[][] = [];
  let number = FIRST_GROUP;
  for (const prefixes of byPair.values()) groups[number++] = prefixes;
  return groups;
}

function pairs(): Uint8Array {
  const table = new Uint8Array(1 << 16);
  const set = (first: number, second: number, trigger: number): void => {
    table[(first << 8) | second] = trigger;
  };
  for (const pair of TELLING_PAIRS) {
    for (const spelling of [pair, pair.toUpperCase(), pair[0]?.toUpperCase() + pair.slice(1)]) {
      set(spelling.charCodeAt(0), spelling.charCodeAt(1), ASSIGNED);
    }
  }
  for (let first = 0; first < 256; first++) {
    set(first, 0x40, AT_SIGN);
    for (let digit = 0x30; digit <= 0x39; digit++) {
      if (!isDigit(first)) set(first, digit, DIGIT);
      if (first === 0x25 && digit >= 0x32 && digit <= 0x37) set(first, digit, ESCAPE);
    }
  }
  for (const letter of [0x62, 0x66, 0x75]) set(0x5c, letter, ESCAPE);
  set(0xe2, 0x80, TYPOGRAPHY);
  set(0xc2, 0xa0, TYPOGRAPHY);
  set(0x2f, 0x2f, SCHEME_END);
  set(0x5c, 0x2f, SCHEME_END);
  set(0x3a, 0x3a, TWO_COLONS);
  for (const [trigger, prefixes] of GROUPS.entries()) {
    for (const { text, pair } of prefixes ?? []) set(text.charCodeAt(pair), text.charCodeAt(pair + 1), trigger);
  }
  return table;
}
