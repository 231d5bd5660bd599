/** Payment cards and IBANs: numbers that prove themselves by a check sum. */

import { isAlnum, isDigit, isUpper, latin1, SPACE } from './bytes.ts';
import type { Bytes } from './bytes.ts';

/** The check digit of ISO/IEC 7812 (Luhn). `digits` are ASCII digits only. */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    let digit = digits.charCodeAt(digits.length - 1 - index) - 0x30;
    if (index % 2 === 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 === 0;
}

/** First digits and lengths of the networks: what begins otherwise is a time, an order number or an id. */
const NETWORKS =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|(?:6011|64[4-9]\d|65\d\d)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12,15}|62\d{14,17}|(?:50|5[6-8]|63|67)\d{11,17})$/u;

/** True for the number of a payment card, without separators. */
export function isCard(digits: string): boolean {
  return digits.length >= 13 && digits.length <= 19 && NETWORKS.test(digits) && passesLuhn(digits);
}

/** Lengths by country, of the IBAN registry (ISO 13616). */
const IBAN_LENGTHS = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 ' +
    'GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 ' +
    'MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 SE24 SI19 SK24 ' +
    'SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** The end of the IBAN that begins at `start` with two letters and two digits, spaces allowed; -1 if there is none. */
export function ibanEnd(bytes: Bytes, start: number, end: number): number {
  if (!isDigit(bytes[start + 2]) || !isDigit(bytes[start + 3])) return -1;
  const isCapital = isUpper(bytes[start]) && isUpper(bytes[start + 1]);
  const length = IBAN_LENGTHS.get(latin1(bytes, start, start + 2).toUpperCase());
  if (length === undefined) return -1;
  let text = '';
  let spaces = 0;
  let at = start;
  for (; at < end && text.length < length; at++) {
    const byte = bytes[at] as number;
    if (isAlnum(byte)) text += String.fromCharCode(byte);
    else if (byte === SPACE && bytes[at - 1] !== SPACE) spaces++;
    else return -1;
  }
  // In small letters and without spaces it would look like any hex id, of which one in a hundred passes.
  if (text.length < length || isAlnum(bytes[at]) || (!isCapital && spaces === 0)) return -1;
  return remainder(text.toUpperCase()) === 1 ? at : -1;
}

/** ISO 7064, MOD 97-10. */
function remainder(iban: string): number {
  let rest = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    rest = (value > 9 ? rest * 100 + value : rest * 10 + value) % 97;
  }
  return rest;
}
