/**
 * Texts out of a line's bytes, for slots that are ranges: of a text of JSON what it says, of an object or array how `JSON.stringify`
 * writes it. Nothing is made before somebody wants it.
 */

const QUOTE = 0x22;

export class LineTexts {
  bytes: Buffer = Buffer.alloc(0);
  view = new DataView<ArrayBufferLike>(new ArrayBuffer(0));
  /** Where objects and arrays begin that are written otherwise than `JSON.stringify` does. */
  private readonly otherwise: number[] = [];

  /** Reads these bytes from now on. */
  begin(bytes: Buffer): void {
    if (this.bytes !== bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.otherwise.length = 0;
  }

  /** There is such an object or array at `start`. */
  inexact(start: number): void {
    this.otherwise.push(start);
  }

  toString(_: 'utf8', start: number, end: number): string {
    const text = this.bytes.toString('utf8', start, end);
    if (this.bytes[start - 1] === QUOTE) return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
    return this.otherwise.includes(start) ? JSON.stringify(JSON.parse(text)) : text;
  }

  latin1(start: number, end: number): string {
    return this.bytes.toString('latin1', start, end);
  }
}
