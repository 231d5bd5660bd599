/**
 * Kinds of bytes, for matchers that read text byte by byte. Bytes of 0x80 and above are parts of letters outside of ASCII:
 * they end a number or a key, because writing systems without spaces put them right beside.
 */

const DIGIT = 1;
const LOWER = 2;
const UPPER = 4;
const UNDERSCORE = 8;

const KINDS = new Uint8Array(256);
for (let byte = 0x30; byte <= 0x39; byte++) KINDS[byte] = DIGIT;
for (let byte = 0x61; byte <= 0x7a; byte++) KINDS[byte] = LOWER;
for (let byte = 0x41; byte <= 0x5a; byte++) KINDS[byte] = UPPER;
KINDS[0x5f] = UNDERSCORE;

export const SPACE = 0x20;
export const QUOTE = 0x22;
export const PERCENT = 0x25;
export const OPEN = 0x28;
export const CLOSE = 0x29;
export const PLUS = 0x2b;
export const DASH = 0x2d;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const COLON = 0x3a;
export const AT = 0x40;
export const BACKSLASH = 0x5c;
export const NEWLINE = 0x0a;

export type Bytes = Uint8Array;

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && KINDS[byte] === DIGIT;
}

export function isUpper(byte: number | undefined): boolean {
  return byte !== undefined && KINDS[byte] === UPPER;
}

export function isLetter(byte: number | undefined): boolean {
  return byte !== undefined && ((KINDS[byte] as number) & (LOWER | UPPER)) !== 0;
}

export function isAlnum(byte: number | undefined): boolean {
  return byte !== undefined && ((KINDS[byte] as number) & (DIGIT | LOWER | UPPER)) !== 0;
}

/** Letters, digits and `_`. */
export function isWord(byte: number | undefined): boolean {
  return byte !== undefined && KINDS[byte] !== 0;
}

/** The value of a hex digit, or -1. */
export function hexValue(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** The bytes as text of one character each, for regular expressions: positions stay what they are. */
export function latin1(bytes: Bytes, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', start, end);
}

/** The bytes as the UTF-8 text that they are. */
export function utf8(bytes: Bytes, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8', start, end);
}

/**
 * True if a token may begin at `at`: no word stands right before it. The letter of an escape such as `\n` is none.
 * `floor` is where the text begins.
 */
export function beginsWord(bytes: Bytes, at: number, floor: number): boolean {
  if (at <= floor || !isWord(bytes[at - 1])) return true;
  return at - 2 >= floor && bytes[at - 2] === BACKSLASH && isLetter(bytes[at - 1]);
}
