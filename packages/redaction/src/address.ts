/** Addresses: of mail, of the internet, and the credentials in a URL. Each is looked for from its rarest byte in both directions. */

import {
  AT,
  beginsWord,
  COLON,
  DASH,
  DOT,
  hexValue,
  isAlnum,
  isDigit,
  isLetter,
  isWord,
  latin1,
  PLUS,
  SLASH,
} from './bytes.ts';
import type { Bytes } from './bytes.ts';
import type { Groups } from './numbers.ts';
import type { Found } from './phone.ts';

const MAX_LOCAL = 64;
const MAX_DOMAIN = 255;
const MAX_AUTHORITY = 512;

/** Letters, digits and what RFC 5321 lets stand between them in practice; parts of letters outside of ASCII too. */
const LOCAL = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) LOCAL[byte] = isWord(byte) || byte >= 0x80 ? 1 : 0;
for (const character of ".+-'%~!#$^&*") LOCAL[character.charCodeAt(0)] = 1;

/** Looks for an address of mail whose `@` is at `at`. `floor` is the first byte that may belong to it. */
export function findEmail(bytes: Bytes, at: number, floor: number, end: number, found: Found): boolean {
  let start = at;
  while (
    start > floor &&
    at - start < MAX_LOCAL &&
    LOCAL[bytes[start - 1] as number] === 1 &&
    !isEscape(bytes, start - 1, floor)
  ) {
    start--;
  }
  while (start < at && !isWord(bytes[start]) && bytes[start] !== PLUS && (bytes[start] as number) < 0x80) start++;
  if (start === at) return false;
  const stop = endOfDomain(bytes, at + 1, end);
  if (stop < 0) return false;
  // A remote repository, and the names of images for dense screens.
  if (bytes[stop] === COLON && at - start === 3 && latin1(bytes, start, at) === 'git') return false;
  if (/^\dx\.(?:png|jpe?g|gif|webp|svg|avif)$/iu.test(latin1(bytes, at + 1, stop))) return false;
  found.start = start;
  found.end = stop;
  return true;
}

/** True for the letter of an escape such as `\n`, at `at`. */
function isEscape(bytes: Bytes, at: number, floor: number): boolean {
  return at > floor && bytes[at - 1] === 0x5c && isLetter(bytes[at]);
}

/** The end of a name of at least two labels, the last of letters; -1 if none begins at `at`. */
function endOfDomain(bytes: Bytes, at: number, end: number): number {
  const limit = Math.min(end, at + MAX_DOMAIN);
  let next = at;
  let label = at;
  let stop = -1;
  for (; next <= limit; next++) {
    const byte = next < limit ? (bytes[next] as number) : 0;
    if (isAlnum(byte) || byte === DASH || byte >= 0x80) continue;
    if (next === label) break;
    if (label > at && isTopLevel(bytes, label, next)) stop = next;
    if (byte !== DOT) break;
    label = next + 1;
  }
  while (stop > at && bytes[stop - 1] === DASH) stop--;
  return stop;
}

function isTopLevel(bytes: Bytes, start: number, end: number): boolean {
  if (end - start < 2) return false;
  if ((bytes[start] as number) >= 0x80 || latin1(bytes, start, start + 4) === 'xn--') return true;
  for (let at = start; at < end; at++) {
    if (!isLetter(bytes[at]) && (bytes[at] as number) < 0x80) return at - start >= 2 && bytes[at] === DASH;
  }
  return true;
}

/** Looks for the password of a URL whose `//` ends before `at`: `scheme://user:password@host`, or a long token as the user. */
export function findUrlPassword(bytes: Bytes, at: number, end: number, found: Found): boolean {
  const limit = Math.min(end, at + MAX_AUTHORITY);
  let colon = -1;
  let last = -1;
  for (let next = at; next < limit; next++) {
    const byte = bytes[next] as number;
    if (byte === AT) last = next;
    else if (byte === COLON && colon < 0) colon = next;
    else if (
      byte <= 0x20 ||
      byte === SLASH ||
      byte === 0x22 ||
      byte === 0x27 ||
      byte === 0x3c ||
      byte === 0x3e ||
      byte === 0x5c ||
      byte === 0x3f
    )
      break;
  }
  if (last < 0) return false;
  const start = colon >= 0 && colon < last ? colon + 1 : at;
  if (
    start === last ||
    latin1(bytes, at, at + 10) === '[redacted:' ||
    latin1(bytes, start, start + 10) === '[redacted:'
  )
    return false;
  if (start === at && !/^(?=.*\d)[A-Za-z0-9_-]{16,}$/u.test(latin1(bytes, at, last))) return false;
  found.start = start;
  found.end = last;
  return true;
}

/** Looks for an IPv4 address in groups of digits. Those of the own machine say nothing about anybody. */
export function findIpv4(bytes: Bytes, groups: Groups, floor: number, found: Found): boolean {
  if (groups.count < 4 || !groups.isUniform(3) || groups.separator(0) !== DOT) return false;
  const start = groups.start(0);
  const stop = groups.end(3);
  if (isWord(bytes[stop]) || (bytes[stop] === DOT && isDigit(bytes[stop + 1]))) return false;
  if (bytes[start - 1] === DOT || bytes[start - 1] === DASH) return false;
  for (let group = 0; group < 4; group++) {
    const text = latin1(bytes, groups.start(group), groups.end(group));
    if (text.length > 3 || Number(text) > 255 || (text.length > 1 && text.startsWith('0'))) return false;
  }
  const text = latin1(bytes, start, stop);
  if (text.startsWith('127.') || text === '0.0.0.0') return false;
  if (/(?:version|ver|release|v)["':=\s]{0,4}$/iu.test(latin1(bytes, Math.max(floor, start - 14), start))) return false;
  found.start = start;
  found.end = stop;
  return true;
}

const MAX_IPV6 = 45;

/** Looks for an IPv6 address around a byte of it. */
export function findIpv6(bytes: Bytes, at: number, floor: number, end: number, found: Found): boolean {
  let start = at;
  while (start > floor && at - start < MAX_IPV6 && isIpv6Byte(bytes[start - 1] as number)) start--;
  let stop = at;
  while (stop < end && stop - start <= MAX_IPV6 && isIpv6Byte(bytes[stop] as number)) stop++;
  // A colon may also stand between the address and what is around it.
  while (bytes[start] === COLON && bytes[start + 1] !== COLON) start++;
  while (stop > start && bytes[stop - 1] === COLON && bytes[stop - 2] !== COLON) stop--;
  if (!beginsWord(bytes, start, floor) || isWord(bytes[stop]) || stop - start < 5) return false;
  const text = latin1(bytes, start, stop);
  const parts = text.split(':');
  if (parts.some((part) => part.length > 4) || !/\d/u.test(text)) return false;
  const gaps = text.split('::').length - 1;
  const filled = parts.filter((part) => part !== '').length;
  if (gaps === 0 ? parts.length !== 8 || filled !== 8 : gaps !== 1 || filled > 7 || filled < 2) return false;
  found.start = start;
  found.end = stop;
  return true;
}

function isIpv6Byte(byte: number): boolean {
  return byte === COLON || hexValue(byte) >= 0;
}
