/**
 * JSON events of a file, cut into pieces of whole lines that go through the sink one by one. NDJSON is passed on as it is: what
 * a line means is for the mapping to find out. A file that is an array, or objects over several lines, becomes lines first.
 *
 * Must stay true: every byte that is not white space between values is in exactly one piece, also of a file that is not JSON:
 * then its lines end in the quarantine for their sender to see.
 */

import { AppError } from '@glasshouse/model';

export interface PieceLimits {
  /** A piece is no longer than this, unless a single line is. */
  readonly pieceBytes: number;
  /** Longest line. */
  readonly lineBytes: number;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);
/** So much of a file is looked at for its form. */
const HEAD_BYTES = 1 << 20;

/** Pieces of the file, each of whole lines. Throws `too_large` for a line over the limit. */
export async function* jsonPieces(chunks: AsyncIterable<Buffer>, limits: PieceLimits): AsyncGenerator<Buffer> {
  const { head, rest } = await peek(chunks, HEAD_BYTES);
  const start = head.subarray(0, 3).equals(MARK) ? head.subarray(3) : head;
  yield* linesOf(isLined(start) ? chain(start, rest) : valueLines(chain(start, rest), limits), limits);
}

/** Gathers lines into pieces. */
async function* linesOf(chunks: AsyncIterable<Buffer>, { pieceBytes, lineBytes }: PieceLimits): AsyncGenerator<Buffer> {
  let open: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    open.push(chunk);
    length += chunk.length;
    if (length < pieceBytes) continue;
    const all = Buffer.concat(open);
    let from = 0;
    while (all.length - from >= pieceBytes) {
      const end = all.lastIndexOf(NEWLINE, from + pieceBytes - 1);
      const cut = end >= from ? end : all.indexOf(NEWLINE, from + pieceBytes);
      if (cut < 0) break;
      checkLine(cut - from - pieceBytes, lineBytes - pieceBytes);
      yield all.subarray(from, cut + 1);
      from = cut + 1;
    }
    open = [all.subarray(from)];
    length = all.length - from;
    checkLine(length, Math.max(lineBytes, pieceBytes));
  }
  if (length > 0) yield Buffer.concat(open);
}

/** Values of a file that is an array, or values in a row, each in a line of its own. */
async function* valueLines(chunks: AsyncIterable<Buffer>, { lineBytes }: PieceLimits): AsyncGenerator<Buffer> {
  let base: number | undefined;
  let depth = 0;
  let inText = false;
  let escaped = false;
  let open: Buffer[] = [];
  let length = 0;
  const close = (): Buffer | undefined => {
    const value = Buffer.concat(open);
    open = [];
    length = 0;
    return value.every(isSpace) ? undefined : Buffer.concat([spaced(value), Buffer.from('\n')]);
  };
  for await (const chunk of chunks) {
    const made: Buffer[] = [];
    let from = 0;
    const end = (at: number): void => {
      open.push(chunk.subarray(from, at));
      const value = close();
      if (value !== undefined) made.push(value);
    };
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (inText) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inText = false;
        continue;
      }
      if (base === undefined) {
        if (isSpace(byte)) continue;
        base = byte === OPEN_ARRAY ? 1 : 0;
        if (base === 1) {
          depth = 1;
          from = at + 1;
          continue;
        }
      }
      if (byte === QUOTE) inText = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        depth--;
        if (depth === base && base === 0) {
          end(at + 1);
          from = at + 1;
        } else if (depth < base && byte === CLOSE_OBJECT) {
          // It closes nothing, and stays where it is for the sender to see.
          depth = base;
        } else if (depth < base) {
          end(at);
          from = at + 1;
          // Behind the array there is nothing; what is there all the same is values in a row.
          base = 0;
          depth = 0;
        }
      } else if (byte === COMMA && depth === base) {
        end(at);
        from = at + 1;
      }
    }
    open.push(chunk.subarray(from));
    length += chunk.length - from;
    checkLine(length, lineBytes);
    if (made.length > 0) yield Buffer.concat(made);
  }
  const value = close();
  if (value !== undefined) yield value;
}

/** True unless the file begins with an array, or with an object that goes on behind the end of its line. */
function isLined(head: Buffer): boolean {
  const start = head.findIndex((byte) => !isSpace(byte));
  if (head[start] === OPEN_ARRAY) return false;
  if (head[start] !== OPEN_OBJECT) return true;
  const newline = head.indexOf(NEWLINE, start);
  if (newline < 0) return true;
  return isBalanced(head.subarray(start, newline));
}

/** True if brackets that are opened in the line are closed in it, or if there is no telling. */
function isBalanced(line: Buffer): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < line.length; at++) {
    const byte = line[at];
    if (byte === BACKSLASH && inText) at++;
    else if (byte === QUOTE) inText = !inText;
    else if (!inText && (byte === OPEN_OBJECT || byte === OPEN_ARRAY)) depth++;
    else if (!inText && (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY)) depth--;
  }
  return depth <= 0 || inText;
}

/** Line breaks within a value stand between tokens, where a blank says the same. */
function spaced(value: Buffer): Buffer {
  const copy = Buffer.from(value);
  for (let at = 0; at < copy.length; at++) if (copy[at] === NEWLINE || copy[at] === RETURN) copy[at] = SPACE;
  return copy;
}

function checkLine(length: number, most: number): void {
  if (length <= most) return;
  throw new AppError('too_large', `cannot import the data: it has a row of more than ${most} bytes`);
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === NEWLINE || byte === RETURN || byte === 0x09;
}

/** The first bytes, and all chunks behind them. */
async function peek(
  chunks: AsyncIterable<Buffer>,
  bytes: number,
): Promise<{ readonly head: Buffer; readonly rest: AsyncIterator<Buffer> }> {
  const rest = chunks[Symbol.asyncIterator]();
  const read: Buffer[] = [];
  let length = 0;
  while (length < bytes) {
    const next = await rest.next();
    if (next.done === true) break;
    read.push(next.value);
    length += next.value.length;
  }
  return { head: Buffer.concat(read), rest };
}

async function* chain(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value;
  }
}
