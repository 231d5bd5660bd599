/**
 * JSON that nobody asks for, passed over byte by byte. It is checked as strictly as `JSON.parse` does, because a line that is no JSON is
 * no generation, wherever it is wrong.
 *
 * Must stay true: `isExact` stays true only while what was passed is what `JSON.stringify` would write of it. When in doubt it is false.
 */

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const LETTER_E = 0x65;
const CAPITAL_E = 0x45;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LETTER_B = 0x62;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_R = 0x72;
const LETTER_T = 0x74;
const LETTER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** What is deeper is left to the parser. */
const MAX_DEPTH = 64;
/** Digits of a whole number that is written as it is read. */
const MAX_DIGITS = 15;
/** Keys of one object that are compared with each other. */
const MAX_KEYS = 16;

/** By byte: whether it stands for itself in a text. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < SPACE || byte === QUOTE || byte === BACKSLASH ? 0 : 1,
);

export class JsonSkim {
  /** Whether what was passed since it was set is written as `JSON.stringify` writes it. */
  isExact = true;
  /** Whether the last text has an escape. */
  hasEscape = false;
  private bytes: Uint8Array = new Uint8Array();
  private end = 0;
  /** Where keys of the objects begin and end that are open. */
  private readonly keys = new Int32Array(2 * MAX_KEYS * (MAX_DEPTH + 1));

  /** Reads these bytes from now on, up to `end`. */
  begin(bytes: Uint8Array, end: number): void {
    this.bytes = bytes;
    this.end = end;
    this.isExact = true;
  }

  /** Behind white space. */
  space(from: number): number {
    const { bytes, end } = this;
    if (from < end && (bytes[from] as number) > SPACE) return from;
    let at = from;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte !== SPACE && byte !== NEWLINE && byte !== RETURN && byte !== TAB) break;
    }
    if (at !== from) this.isExact = false;
    return at;
  }

  /** The closing quote of the text that begins at `start`; -1 if it is none. */
  text(start: number): number {
    const { bytes, end } = this;
    this.hasEscape = false;
    for (let at = start; at < end; at++) {
      while (IS_PLAIN[bytes[at] as number] === 1) at++;
      const byte = bytes[at] as number;
      if (byte === QUOTE) return at;
      if (byte !== BACKSLASH) return -1;
      this.hasEscape = true;
      at = this.escape(at + 1);
      if (at < 0) return -1;
    }
    return -1;
  }

  /** The closing quote of a text without an escape; -1 if there is one. */
  plainText(start: number): number {
    const close = this.text(start);
    return this.hasEscape ? -1 : close;
  }

  /** The last byte of the escape whose letter is at `at`; -1 if it is none. */
  private escape(at: number): number {
    if (at >= this.end) return -1;
    switch (this.bytes[at]) {
      case QUOTE:
      case BACKSLASH:
      case LETTER_B:
      case LETTER_F:
      case LETTER_N:
      case LETTER_R:
      case LETTER_T:
        return at;
      case SLASH:
        this.isExact = false;
        return at;
      case LETTER_U:
        this.isExact = false;
        if (at + 4 >= this.end) return -1;
        for (let digit = at + 1; digit <= at + 4; digit++) if (!isHex(this.bytes[digit] as number)) return -1;
        return at + 4;
      default:
        return -1;
    }
  }

  /** Behind the value at `at`; -1 if it is none, or too deep. */
  value(at: number, depth: number): number {
    if (at >= this.end) return -1;
    switch (this.bytes[at]) {
      case QUOTE: {
        const close = this.text(at + 1);
        return close < 0 ? -1 : close + 1;
      }
      case OPEN_OBJECT:
        return depth >= MAX_DEPTH ? -1 : this.object(at + 1, depth);
      case OPEN_ARRAY:
        return depth >= MAX_DEPTH ? -1 : this.array(at + 1, depth);
      case LETTER_T:
        return this.word(at, 0x74, 0x72, 0x75, 0x65);
      case LETTER_N:
        return this.word(at, 0x6e, 0x75, 0x6c, 0x6c);
      case LETTER_F:
        return this.bytes[at + 1] === 0x61 ? this.word(at + 1, 0x61, 0x6c, 0x73, 0x65) : -1;
      default:
        return this.number(at);
    }
  }

  private object(from: number, depth: number): number {
    const { bytes, keys } = this;
    const base = 2 * MAX_KEYS * depth;
    let count = 0;
    let at = this.space(from);
    if (bytes[at] === CLOSE_OBJECT && at < this.end) return at + 1;
    for (;;) {
      if (at >= this.end || bytes[at] !== QUOTE) return -1;
      const close = this.text(at + 1);
      if (close < 0) return -1;
      if (this.isExact) {
        if (this.hasEscape || isDigit(bytes[at + 1] as number) || count === MAX_KEYS) this.isExact = false;
        else {
          keys[base + 2 * count] = at + 1;
          keys[base + 2 * count + 1] = close;
          if (this.isThere(base, count)) this.isExact = false;
          count++;
        }
      }
      at = this.space(close + 1);
      if (bytes[at] !== COLON) return -1;
      at = this.value(this.space(at + 1), depth + 1);
      if (at < 0) return -1;
      at = this.space(at);
      if (at >= this.end) return -1;
      if (bytes[at] === CLOSE_OBJECT) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = this.space(at + 1);
    }
  }

  /** Whether the key at `place` was there before. */
  private isThere(base: number, place: number): boolean {
    const { bytes, keys } = this;
    const start = keys[base + 2 * place] as number;
    const length = (keys[base + 2 * place + 1] as number) - start;
    for (let other = base; other < base + 2 * place; other += 2) {
      const from = keys[other] as number;
      if ((keys[other + 1] as number) - from !== length) continue;
      let same = 0;
      while (same < length && bytes[from + same] === bytes[start + same]) same++;
      if (same === length) return true;
    }
    return false;
  }

  private array(from: number, depth: number): number {
    const { bytes } = this;
    let at = this.space(from);
    if (bytes[at] === CLOSE_ARRAY && at < this.end) return at + 1;
    for (;;) {
      at = this.value(at, depth + 1);
      if (at < 0) return -1;
      at = this.space(at);
      if (at >= this.end) return -1;
      if (bytes[at] === CLOSE_ARRAY) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = this.space(at + 1);
    }
  }

  private word(at: number, first: number, second: number, third: number, fourth: number): number {
    const { bytes } = this;
    const isThere =
      at + 4 <= this.end &&
      bytes[at] === first &&
      bytes[at + 1] === second &&
      bytes[at + 2] === third &&
      bytes[at + 3] === fourth;
    return isThere ? at + 4 : -1;
  }

  private number(start: number): number {
    const { bytes } = this;
    const first = bytes[start] === MINUS ? start + 1 : start;
    let at = this.digits(first);
    if (at === first || (bytes[first] === ZERO && at > first + 1)) return -1;
    if (at - first > MAX_DIGITS || (bytes[first] === ZERO && first > start)) this.isExact = false;
    if (at < this.end && bytes[at] === POINT) {
      this.isExact = false;
      const behind = this.digits(at + 1);
      if (behind === at + 1) return -1;
      at = behind;
    }
    if (at < this.end && (bytes[at] === LETTER_E || bytes[at] === CAPITAL_E)) {
      this.isExact = false;
      at++;
      if (at < this.end && (bytes[at] === PLUS || bytes[at] === MINUS)) at++;
      const behind = this.digits(at);
      if (behind === at) return -1;
      at = behind;
    }
    return at;
  }

  private digits(from: number): number {
    let at = from;
    while (at < this.end && isDigit(this.bytes[at] as number)) at++;
    return at;
  }
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function isHex(byte: number): boolean {
  return isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}
