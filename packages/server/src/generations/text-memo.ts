/**
 * Texts that come again and again at one place of a record, as a model's name does: the same bytes give the same string, which is not made
 * anew. Where they don't come again nothing is remembered any more.
 */

const MAX_LENGTH = 64;
const PLACES = 64;
/** Texts after which it is decided whether it pays, and the share of them that has to be known. */
const TRIAL = 512;
const LEAST_KNOWN = 0.6;
/** Texts that pass by until it is tried again. */
const REST = 1 << 16;

/** Texts by where they are in the bytes. */
interface Texts {
  toString(encoding: 'utf8', start: number, end: number): string;
}

interface Known {
  readonly bytes: Uint8Array;
  readonly text: string;
}

export class TextMemo {
  private readonly known: (Known | undefined)[] = Array.from({ length: PLACES }, () => undefined);
  private asked = 0;
  private hits = 0;
  /** Texts that pass by yet. */
  private rest = 0;

  /** The text in `bytes[start, end)`; undefined where it doesn't pay to know. */
  find(bytes: Uint8Array, start: number, end: number, texts: Texts): string | undefined {
    const length = end - start;
    if (length > MAX_LENGTH || length === 0) return undefined;
    if (this.rest > 0) {
      this.rest--;
      return undefined;
    }
    if (++this.asked === TRIAL) this.judge();
    const first = bytes[start] as number;
    const last = bytes[end - 1] as number;
    const middle = bytes[start + (length >> 1)] as number;
    const place = (length * 7 + first * 31 + last * 17 + middle * 5) & (PLACES - 1);
    const known = this.known[place];
    if (known !== undefined && isSame(bytes, start, known.bytes, length)) {
      this.hits++;
      return known.text;
    }
    const text = texts.toString('utf8', start, end);
    this.known[place] = { bytes: new Uint8Array(Uint8Array.prototype.slice.call(bytes, start, end)), text };
    return text;
  }

  private judge(): void {
    if (this.hits < TRIAL * LEAST_KNOWN) this.rest = REST;
    this.asked = 0;
    this.hits = 0;
  }
}

function isSame(bytes: Uint8Array, start: number, known: Uint8Array, length: number): boolean {
  if (known.length !== length) return false;
  for (let at = 0; at < length; at++) if (bytes[start + at] !== known[at]) return false;
  return true;
}
