/**
 * Attributes (`repeated KeyValue`) as the text of one JSON object, written byte by byte: strings are copied from the request
 * with no more than their escapes, everything else goes through `any-value.ts`.
 *
 * Must stay true: the text is valid JSON and valid UTF-8, whatever the sender sent.
 */

import { isUtf8 } from 'node:buffer';
import { ByteBuffer, encodeText, sameBytes, sourceOf } from '@glasshouse/native';
import type { Source, StringColumn, TextRepairs } from '@glasshouse/native';
import { anyValueJson, textAt } from './any-value.ts';
import { KeyValue } from './attributes.ts';
import type { Wire } from './wire.ts';

/** A text as the columns take it: the first `length` bytes of a source. */
export interface Text {
  readonly source: Source;
  readonly length: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** A control character takes six bytes as `\u001f`. */
const LONGEST_ESCAPE = 6;

const SHORT_TEXT = 32;

export class AttributesJson implements Source {
  private readonly buffer = new ByteBuffer(1024);
  private readonly keyValue = new KeyValue();
  private readonly repairs: TextRepairs;
  // The last attribute's value if it was a string, as a range of the request; -1 if it was not.
  private stringStart = -1;
  private stringEnd = -1;

  constructor(repairs: TextRepairs) {
    this.repairs = repairs;
  }

  get bytes(): Uint8Array {
    return this.buffer.bytes;
  }

  get view(): DataView {
    return this.buffer.view;
  }

  /** Length of the text so far. */
  get length(): number {
    return this.buffer.length;
  }

  /** Starts an object. */
  begin(): void {
    this.buffer.clear();
    this.byte(OPEN);
  }

  /** Adds the KeyValue message in `[pos, end)`. */
  append(wire: Wire, pos: number, end: number): void {
    const pair = this.keyValue;
    pair.read(wire, pos, end);
    const { keyStart, keyEnd, valueStart, valueEnd } = pair;
    if (this.buffer.length > 1) this.byte(COMMA);
    this.string(wire, keyStart, keyEnd);
    this.byte(COLON);
    if (pair.findText(wire)) {
      this.stringStart = pair.textStart;
      this.stringEnd = pair.textEnd;
      this.string(wire, pair.textStart, pair.textEnd);
      return;
    }
    this.stringStart = -1;
    this.text(anyValueJson(wire, valueStart, valueEnd));
  }

  /** The string value of the attribute that was appended last, if its key is `key` and its value a string. */
  lastValueOf(wire: Wire, key: Text): Text | undefined {
    const { keyStart, keyEnd } = this.keyValue;
    if (this.stringStart < 0 || keyEnd - keyStart !== key.length) return undefined;
    if (!sameBytes(key.source.view, 0, wire.view, keyStart, key.length)) return undefined;
    const length = this.stringEnd - this.stringStart;
    return { source: sourceOf(wire.bytes.subarray(this.stringStart, this.stringEnd)), length };
  }

  /** Ends the object. */
  finish(): void {
    this.byte(CLOSE);
  }

  /** Appends the finished object to a column. */
  appendTo(column: StringColumn): void {
    column.appendText(this, 0, this.buffer.length);
  }

  private byte(value: number): void {
    this.buffer.reserve(1);
    this.buffer.bytes[this.buffer.length++] = value;
  }

  /** Appends JSON text; what is short and ASCII, as numbers are, without an encoder. */
  private text(json: string): void {
    const { buffer } = this;
    const before = buffer.length;
    if (json.length <= SHORT_TEXT) {
      buffer.reserve(json.length);
      let seen = 0;
      for (let index = 0; index < json.length; index++) {
        const code = json.charCodeAt(index);
        seen |= code;
        buffer.bytes[buffer.length++] = code;
      }
      if (seen < 0x80) return;
      buffer.length = before;
    }
    this.raw(encodeText(json));
  }

  private raw(bytes: Uint8Array): void {
    this.buffer.reserve(bytes.length);
    this.buffer.bytes.set(bytes, this.buffer.length);
    this.buffer.length += bytes.length;
  }

  private string(wire: Wire, start: number, end: number): void {
    const { buffer } = this;
    const before = buffer.length;
    buffer.reserve((end - start) * LONGEST_ESCAPE + 2);
    const { bytes } = buffer;
    const from = wire.bytes;
    let at = before;
    let seen = 0;
    bytes[at++] = QUOTE;
    for (let pos = start; pos < end; pos++) {
      const byte = from[pos] as number;
      seen |= byte;
      if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) bytes[at++] = byte;
      else at = escape(bytes, at, byte);
    }
    bytes[at++] = QUOTE;
    buffer.length = at;
    if (seen < 0x80 || isUtf8(from.subarray(start, end))) return;
    this.repairs.count++;
    buffer.length = before;
    this.raw(encodeText(JSON.stringify(textAt(wire, start, end))));
  }
}

/** Writes the escape of a byte and returns the position behind it. */
function escape(bytes: Uint8Array, at: number, byte: number): number {
  const text = JSON.stringify(String.fromCharCode(byte));
  for (let index = 1; index < text.length - 1; index++) bytes[at++] = text.charCodeAt(index);
  return at;
}
