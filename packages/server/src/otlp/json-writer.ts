/**
 * A protobuf writer that fills its buffer from the end to the start. The content of a submessage is written before its
 * length, so lengths are known when they are written: canonical varints, no second pass and no moving of bytes.
 *
 * Separate from the JSON reader because it knows the wire only. Must stay true: whatever is written later stands
 * before it in the output, hence a field is its value, then its length, then its tag.
 */

const MINIMUM_BYTES = 1024;
/** Up to this many characters, a loop over an ASCII string is faster than two calls into the runtime. */
const SHORT_STRING = 40;

export class BackwardWriter {
  #buffer: Buffer;
  #view: DataView;
  #position: number;

  constructor(expectedBytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(expectedBytes, MINIMUM_BYTES));
    this.#view = new DataView(this.#buffer.buffer);
    this.#position = this.#buffer.length;
  }

  /** Bytes written so far; the difference of two readings is the length of what was written between them. */
  get length(): number {
    return this.#buffer.length - this.#position;
  }

  /** What was written, as a view of the writer's buffer. The writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#buffer.subarray(this.#position);
  }

  /** A tag or any other varint of up to 32 bits. */
  varint32(value: number): void {
    if (value < 0x80) {
      if (this.#position === 0) this.#grow(1);
      this.#buffer[--this.#position] = value;
      return;
    }
    this.varint64(value, 0);
  }

  /** A varint from its low and high 32 bits, both unsigned. */
  varint64(low: number, high: number): void {
    const bits = high === 0 ? 32 - Math.clz32(low) : 64 - Math.clz32(high);
    const size = bits === 0 ? 1 : Math.ceil(bits / 7);
    if (this.#position < size) this.#grow(size);
    this.#position -= size;
    let at = this.#position;
    while (high !== 0 || low > 0x7f) {
      this.#buffer[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#buffer[at] = low;
  }

  fixed32(value: number): void {
    if (this.#position < 4) this.#grow(4);
    this.#position -= 4;
    this.#view.setUint32(this.#position, value, true);
  }

  /** Eight bytes from the low and high 32 bits, both unsigned. */
  fixed64(low: number, high: number): void {
    if (this.#position < 8) this.#grow(8);
    this.#position -= 8;
    this.#view.setUint32(this.#position, low, true);
    this.#view.setUint32(this.#position + 4, high, true);
  }

  double(value: number): void {
    if (this.#position < 8) this.#grow(8);
    this.#position -= 8;
    this.#view.setFloat64(this.#position, value, true);
  }

  byte(value: number): void {
    if (this.#position === 0) this.#grow(1);
    this.#buffer[--this.#position] = value;
  }

  bytes(value: Uint8Array): void {
    if (this.#position < value.length) this.#grow(value.length);
    this.#position -= value.length;
    this.#buffer.set(value, this.#position);
  }

  /** The bytes that an even number of hex digits stands for. False, and nothing written, when one is no hex digit. */
  hex(digits: string): boolean {
    const size = digits.length / 2;
    if (this.#position < size) this.#grow(size);
    const start = this.#position - size;
    for (let index = 0; index < size; index += 1) {
      const byte = hexDigit(digits.charCodeAt(index * 2)) * 16 + hexDigit(digits.charCodeAt(index * 2 + 1));
      if (byte < 0) return false;
      this.#buffer[start + index] = byte;
    }
    this.#position = start;
    return true;
  }

  /** The text as UTF-8, without its length. A lone surrogate becomes U+FFFD, because protobuf strings are valid UTF-8. */
  text(value: string): void {
    if (value.length <= SHORT_STRING && this.#ascii(value)) return;
    const size = Buffer.byteLength(value);
    if (this.#position < size) this.#grow(size);
    this.#position -= size;
    this.#buffer.write(value, this.#position, size, 'utf8');
  }

  #ascii(value: string): boolean {
    if (this.#position < value.length) this.#grow(value.length);
    let at = this.#position;
    for (let index = value.length - 1; index >= 0; index -= 1) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      this.#buffer[--at] = code;
    }
    this.#position = at;
    return true;
  }

  #grow(needed: number): void {
    const written = this.#buffer.subarray(this.#position);
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, written.length + needed));
    this.#position = larger.length - written.length;
    larger.set(written, this.#position);
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** The value of a hex digit, or a number so negative that a sum with it is negative. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -0x1000;
}
