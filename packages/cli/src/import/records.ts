/**
 * A stream of bytes as records, each with its place: a line, or several that belong together. Separate from what they mean, so
 * that the place of a record depends on the bytes alone.
 *
 * Must stay true: the same bytes from the same offset give the same records, however they are cut into chunks.
 */

export interface RawRecord {
  /** Offsets of its first byte and of the one behind it, its line end included. */
  readonly start: number;
  readonly end: number;
  /** Number of its first line, from 1. */
  readonly line: number;
  /** Without its line end; undefined if it is longer than MAX_RECORD_BYTES. */
  readonly text: string | undefined;
}

/** How lines are joined to records. */
export type Framing =
  | { readonly kind: 'lines' }
  /** A record goes on until every quote is closed. */
  | { readonly kind: 'quoted'; readonly quote: string }
  /** A record begins with each line that matches. */
  | { readonly kind: 'start'; readonly pattern: RegExp };

const MAX_RECORD_BYTES = 3 << 20;

interface Line {
  readonly start: number;
  readonly end: number;
  readonly text: string | undefined;
}

export async function* recordsOf(
  chunks: AsyncIterable<Buffer>,
  framing: Framing,
  from: { readonly offset: number; readonly line: number },
): AsyncGenerator<RawRecord> {
  let number = from.line;
  let open: { start: number; end: number; line: number; texts: string[]; bytes: number; quotes: number } | undefined;
  const closed = (): RawRecord | undefined => {
    if (open === undefined) return undefined;
    const { start, end, line, texts, bytes } = open;
    open = undefined;
    return { start, end, line, text: bytes > MAX_RECORD_BYTES ? undefined : texts.join('\n') };
  };
  for await (const line of linesOf(chunks, from.offset)) {
    if (framing.kind === 'lines') yield { ...line, line: number };
    else {
      const begins = framing.kind === 'start' && (line.text === undefined || framing.pattern.test(line.text));
      if (begins) {
        const record = closed();
        if (record !== undefined) yield record;
      }
      open ??= { start: line.start, end: line.end, line: number, texts: [], bytes: 0, quotes: 0 };
      open.end = line.end;
      open.bytes += line.text === undefined ? MAX_RECORD_BYTES + 1 : line.end - line.start;
      // What is too long is counted and not kept.
      if (open.bytes <= MAX_RECORD_BYTES) open.texts.push(line.text ?? '');
      else open.texts = [];
      if (framing.kind === 'quoted') {
        open.quotes += countOf(line.text ?? '', framing.quote);
        if (open.quotes % 2 === 0) {
          const record = closed();
          if (record !== undefined) yield record;
        }
      }
    }
    number++;
  }
  const last = closed();
  if (last !== undefined) yield last;
}

function countOf(text: string, mark: string): number {
  let count = 0;
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) count++;
  return count;
}

const NEWLINE = 10;
const RETURN = 13;

async function* linesOf(chunks: AsyncIterable<Buffer>, offset: number): AsyncGenerator<Line> {
  let start = offset;
  let kept: Buffer[] = [];
  let length = 0;
  const lineOf = (piece: Buffer, end: number): Line => {
    length += piece.length;
    if (length <= MAX_RECORD_BYTES) kept.push(piece);
    const whole = kept.length === 1 ? kept[0] : Buffer.concat(kept);
    const isLong = length > MAX_RECORD_BYTES;
    const bytes = whole ?? Buffer.alloc(0);
    const to = bytes.at(-1) === RETURN ? bytes.length - 1 : bytes.length;
    // A mark of the byte order at the very beginning is no part of the text.
    const skip = start === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    const line = { start, end, text: isLong ? undefined : bytes.toString('utf8', skip, to) };
    start = end;
    kept = [];
    length = 0;
    return line;
  };
  let at = offset;
  for await (const chunk of chunks) {
    let done = 0;
    for (let next = chunk.indexOf(NEWLINE); next >= 0; next = chunk.indexOf(NEWLINE, done)) {
      yield lineOf(chunk.subarray(done, next), at + next + 1);
      done = next + 1;
    }
    const rest = chunk.subarray(done);
    length += rest.length;
    if (rest.length > 0 && length <= MAX_RECORD_BYTES) kept.push(rest);
    at += chunk.length;
  }
  if (at > start) yield lineOf(Buffer.alloc(0), at);
}
