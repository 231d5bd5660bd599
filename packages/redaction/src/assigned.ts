/**
 * Secrets that show what they are by the name in front of them: `password=…`, `"api_key": "…"`, `AWS_SECRET_ACCESS_KEY: …`,
 * `AccountKey=…`. The same judgement serves names in a text, keys of JSON objects and keys of attributes.
 *
 * Must stay true: counts of tokens, keys of rows and caches, and words of a sentence are not taken for secrets.
 */

import { BACKSLASH, COLON, DASH, DOT, isWord, latin1, NEWLINE, QUOTE, SPACE } from './bytes.ts';
import type { Bytes } from './bytes.ts';
import type { Found } from './phone.ts';

/** `password`: whatever it is. `credential`: what may be one. `token`: only what is drawn at random. */
export type NameKind = 'credential' | 'password' | 'token';

const MAX_NAME = 60;
const MAX_GAP = 12;
const MAX_VALUE = 4_096;
/** Bytes of a value in a text that are judged: more says no more. */
const MAX_JUDGED = 256;
const APOSTROPHE = 0x27;
const EQUALS = 0x3d;

const NO_SECRET =
  /(?:id|ids|name|names|count|counts|type|types|limit|length|size|tokens|price|cost|hash|usage|label|file|path|url|uri|policy|hint|expires?|ttl|at|version|prefix|position|index|status|s)$/u;
const PASSWORD = /(?:passwo?r?d|passphrase|passwd|pwd|userpass|dbpass|^pass$|pgpassword)/u;
const CREDENTIAL =
  /(?:api_?key|access_?key|secret|private_?key|account_?key|master_?key|encryption_?key|signing_?key|auth_?key|service_?key|ssh_?key|license_?key|subscription_?key|ocp_apim|auth_?token|access_?token|refresh_?token|session_?token|id_?token|bearer_?token|security_?token|csrf_?token|personal_?token|deploy_?token|bot_?token|oauth|authorization|credential|cookie|signature|^sig$|_sig$)/u;
const TOKEN = /(?:key|token)/u;

/** What kind of secret a value under this name would be; undefined if none. */
export function nameKind(name: string): NameKind | undefined {
  const text = name
    .slice(-MAX_NAME)
    .replaceAll(/([a-z])([A-Z])/gu, '$1_$2')
    .toLowerCase()
    .replaceAll(/[-. ]/gu, '_');
  if (PASSWORD.test(text))
    return /(?:_at|_hash|_id|_count|_length|_policy|_hint|_file|_type)$/u.test(text) ? undefined : 'password';
  if (/(?:_|^)(?:secret|credential)s?$/u.test(text)) return 'credential';
  if (NO_SECRET.test(text) && !/(?:^|_)(?:cookies?|credentials?|secrets?|access|keys)$/u.test(text)) return undefined;
  if (CREDENTIAL.test(text)) return 'credential';
  return TOKEN.test(text) ? 'token' : undefined;
}

/** True if the whole of `value`, which stands under a name of this kind, is a secret. */
export function isSecretValue(kind: NameKind, value: string): boolean {
  if (value.startsWith('[redacted:') || value.startsWith('[hash:')) return false;
  if (kind === 'password') return value.length > 0 && !/^(?:null|none|true|false|\*+|x{3,})$/iu.test(value);
  if (value.length > MAX_VALUE) return kind === 'credential' && !/\s/u.test(value.slice(0, MAX_VALUE));
  if (kind === 'credential') {
    if (value.includes('[redacted:')) return false;
    // Of a document each part is judged by its own key.
    if (/^\s*[{[]/u.test(value)) return false;
    const words = value.trim().split(/\s+/u);
    return words.length <= 3 && words.some((word) => word.length >= 8 && /\d/u.test(word) && /[A-Za-z]/u.test(word));
  }
  return isDrawn(value);
}

/** A run of 16 letters and digits or more, of both kinds, whose characters are as different as chance makes them. */
function isDrawn(value: string): boolean {
  const run = /[A-Za-z0-9+/=]{16,128}/u.exec(value)?.[0];
  if (run === undefined || !/\d/u.test(run) || !/[A-Za-z]/u.test(run)) return false;
  const counts = new Map<string, number>();
  for (const character of run) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / run.length) * Math.log2(count / run.length);
  return bits >= 3;
}

/**
 * Looks for a secret that is assigned to the name which has a telling word at `at`. `found` is the value without its quotes.
 */
export function findAssigned(bytes: Bytes, at: number, floor: number, end: number, found: Found): boolean {
  let nameEnd = at;
  while (nameEnd < end && nameEnd - at < MAX_NAME && isNameByte(bytes[nameEnd] as number)) nameEnd++;
  const gap = readGap(bytes, nameEnd, end);
  if (gap < 0) return false;
  const quote = quoteBefore(bytes, gap);
  const valueEnd = endOfValue(bytes, gap, Math.min(end, gap + MAX_JUDGED), quote);
  if (valueEnd - gap < 3) return false;
  let nameStart = at;
  while (nameStart > floor && at - nameStart < MAX_NAME && isNameByte(bytes[nameStart - 1] as number)) nameStart--;
  const kind = nameKind(latin1(bytes, nameStart, nameEnd));
  if (kind === undefined) return false;
  const value = latin1(bytes, gap, valueEnd);
  if (!isSecretValue(kind, value)) return false;
  // "password: required" is a sentence.
  const isTied = quote !== 0 || bytes[gap - 1] === EQUALS || bytes[gap - 1] === COLON;
  if (kind === 'password' && !isTied && /^[A-Za-z]*[.,;!?]?$/u.test(value)) return false;
  found.start = gap;
  found.end = endOfValue(bytes, valueEnd, Math.min(end, gap + MAX_VALUE), quote);
  return true;
}

/** Where the value begins behind quotes, spaces and one `=` or `:`; -1 if nothing is assigned. */
function readGap(bytes: Bytes, from: number, end: number): number {
  let assigned = false;
  let at = from;
  for (; at < end && at - from < MAX_GAP; at++) {
    const byte = bytes[at] as number;
    if (byte === COLON || byte === EQUALS) {
      if (assigned && byte === COLON) return -1;
      assigned = true;
    } else if (byte === 0x3e && bytes[at - 1] === EQUALS) continue;
    else if (byte === 0x5b) {
      if (bytes[at + 1] === 0x72 || bytes[at + 1] === 0x68) return -1;
    } else if (byte !== QUOTE && byte !== APOSTROPHE && byte !== SPACE && byte !== BACKSLASH && byte !== NEWLINE) break;
  }
  return assigned && at < end ? at : -1;
}

function quoteBefore(bytes: Bytes, at: number): number {
  const byte = bytes[at - 1];
  return byte === QUOTE || byte === APOSTROPHE ? byte : 0;
}

/** Values end with their quote, or with what separates them from the next. */
function endOfValue(bytes: Bytes, start: number, end: number, quote: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte === QUOTE || byte === BACKSLASH || byte === NEWLINE || byte === quote) break;
    if (
      byte === SPACE ||
      (quote === 0 &&
        (byte === 0x26 ||
          byte === 0x3b ||
          byte === 0x2c ||
          byte === 0x7d ||
          byte === 0x29 ||
          byte === 0x5d ||
          byte === APOSTROPHE))
    )
      break;
    at++;
  }
  return at;
}

function isNameByte(byte: number): boolean {
  return isWord(byte) || byte === DASH || byte === DOT;
}
