/**
 * Numbers as OTLP/JSON clients write them: 64-bit integers as decimal strings, bare numbers or bigints, doubles as
 * numbers or strings. Separate from the reader because the arithmetic is subtle: 64 bits pass through here as two
 * halves of 32, since bigints would cost an allocation for every timestamp.
 *
 * Must stay true: nothing here rounds an integer. What does not fit is reported, never cut.
 */

/** A decimal number as JSON spells it; `Number()` alone would also take '', ' 1', '0x1' and '0b1'. */
const DECIMAL = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const INTEGER_PARTS = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
const LEADING_ZEROS = /^0+(?=\d)/;
const ALL_ZEROS = /^0+$/;
const TWO_32 = 0x1_0000_0000;
const CHAR_0 = 48;
const CHAR_MINUS = 45;
/** Digits of 2^64, which is the longest number of interest. */
const MAX_DIGITS = 20;

/**
 * The plain digits of an integer written in any of JSON's ways ('-12', '1.50e3', '2.0'), with all of them kept, or
 * undefined when the text is no integer or has over 20 digits.
 */
export function integerDigits(text: string): string | undefined {
  const parts = INTEGER_PARTS.exec(text);
  if (parts === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = parts;
  const digits = (whole + fraction).replace(LEADING_ZEROS, '');
  if (digits === '0') return '0';
  const zeros = Number(exponent) - fraction.length;
  if (zeros < 0 && !(-zeros < digits.length && ALL_ZEROS.test(digits.slice(zeros)))) return undefined;
  if (digits.length + zeros > MAX_DIGITS) return undefined;
  return sign + (zeros < 0 ? digits.slice(0, zeros) : digits + '0'.repeat(zeros));
}

/** The value of a double given as a JSON number or string, or undefined when it is neither. */
export function toDouble(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string') return undefined;
  if (DECIMAL.test(value)) return Number(value);
  if (value === 'NaN') return Number.NaN;
  if (value === 'Infinity') return Number.POSITIVE_INFINITY;
  if (value === '-Infinity') return Number.NEGATIVE_INFINITY;
  return undefined;
}

/** The value of an integer of at most 32 bits within the given bounds, or undefined when it is none. */
export function toInteger(value: unknown, min: number, max: number): number | undefined {
  const number = typeof value === 'string' && DECIMAL.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max) return undefined;
  // Minus zero would otherwise be taken for a value to send.
  return number + 0;
}

/** Reads 64-bit integers; the result stays in `low` and `high` until the next call. */
export class Integer64 {
  /** Low 32 bits, unsigned. */
  low = 0;
  /** High 32 bits, unsigned; two's complement for a negative number. */
  high = 0;

  get isZero(): boolean {
    return this.low === 0 && this.high === 0;
  }

  /** Reads a value in 0 … 2^64-1, or with `signed` in -2^63 … 2^63-1. False when it is not such an integer. */
  read(value: unknown, signed: boolean): boolean {
    if (typeof value === 'string') return this.#readText(value, signed);
    if (typeof value === 'number') return this.#readNumber(value, signed);
    return typeof value === 'bigint' && this.#readText(value.toString(), signed);
  }

  #readText(text: string, signed: boolean): boolean {
    const negative = text.charCodeAt(0) === CHAR_MINUS;
    let start = negative ? 1 : 0;
    if (text.length === start) return false;
    while (start < text.length - 1 && text.charCodeAt(start) === CHAR_0) start += 1;
    const split = text.length - 9;
    let head = 0;
    let tail = 0;
    for (let index = start; index < text.length; index += 1) {
      const digit = text.charCodeAt(index) - CHAR_0;
      if (digit < 0 || digit > 9) {
        // '1.0' and '1e3' are integers as well, in the JSON mapping of protobuf.
        const digits = integerDigits(text);
        return digits !== undefined && this.#readText(digits, signed);
      }
      if (index < split) head = head * 10 + digit;
      else tail = tail * 10 + digit;
    }
    if (text.length - start > MAX_DIGITS) return false;
    // head * 10^9 + tail can pass 2^53, so head is multiplied in two parts; every product below stays exact.
    const upper = Math.floor(head / 0x1_0000) * 1e9;
    const lower = (head % 0x1_0000) * 1e9 + tail + (upper % 0x1_0000) * 0x1_0000;
    return this.#set(lower % TWO_32, Math.floor(upper / 0x1_0000) + Math.floor(lower / TWO_32), negative, signed);
  }

  #readNumber(value: number, signed: boolean): boolean {
    if (!Number.isInteger(value)) return false;
    const size = Math.abs(value);
    // Dividing by a power of two is exact, and so is the rest.
    return this.#set(size % TWO_32, Math.floor(size / TWO_32), value < 0, signed);
  }

  #set(low: number, high: number, negative: boolean, signed: boolean): boolean {
    if (high >= TWO_32) return false;
    if (negative && (high !== 0 || low !== 0)) {
      if (!signed || high > 0x8000_0000 || (high === 0x8000_0000 && low > 0)) return false;
      this.low = -low >>> 0;
      this.high = (~high + (low === 0 ? 1 : 0)) >>> 0;
      return true;
    }
    if (signed && high > 0x7fff_ffff) return false;
    this.low = low;
    this.high = high;
    return true;
  }
}
