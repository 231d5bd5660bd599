/**
 * Where the events of a body begin and end. Clients send one JSON object per line, with or without a newline at the end; some
 * send a single object over several lines, or an array of objects. The content decides, because no two agree on a header.
 *
 * Must stay true: every byte that is not white space belongs to exactly one event, also in a body that is not JSON at all:
 * then each line is one, for the quarantine to show.
 */

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** Receives the range of an event. */
export type Visit = (start: number, end: number) => void;

/** Calls `visit` for each event of the body. */
export function eachEvent(bytes: Buffer, visit: Visit): void {
  const start = skipSpace(bytes, hasMark(bytes) ? 3 : 0);
  if (bytes[start] === OPEN_ARRAY && eachElement(bytes, start, visit)) return;
  if (bytes[start] === OPEN_OBJECT && !endsInLine(bytes, start) && eachValue(bytes, start, visit)) return;
  eachLine(bytes, start, visit);
}

/** UTF-8's byte order mark. */
function hasMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

function eachLine(bytes: Buffer, from: number, visit: Visit): void {
  for (let at = from; at < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, at);
    const next = newline < 0 ? bytes.length : newline;
    const start = skipSpace(bytes, at);
    let end = next;
    while (end > start && isSpace(bytes[end - 1] as number)) end--;
    if (start < end) visit(start, end);
    at = next + 1;
  }
}

/** True if the object that begins at `start` ends before the line does, as in NDJSON. */
function endsInLine(bytes: Buffer, start: number): boolean {
  const newline = bytes.indexOf(NEWLINE, start);
  return newline < 0 || endOfValue(bytes, start, newline) >= 0;
}

/** Visits objects that follow each other, over however many lines; false, and nothing visited, if that is not what is there. */
function eachValue(bytes: Buffer, from: number, visit: Visit): boolean {
  const ranges: number[] = [];
  for (let at = from; at < bytes.length;) {
    const end = bytes[at] === OPEN_OBJECT ? endOfValue(bytes, at, bytes.length) : -1;
    if (end < 0) return false;
    ranges.push(at, end);
    at = skipSpace(bytes, end);
  }
  visitAll(ranges, visit);
  return true;
}

/** Visits the elements of an array that is the whole body; false, and nothing visited, if that is not what is there. */
function eachElement(bytes: Buffer, from: number, visit: Visit): boolean {
  const ranges: number[] = [];
  let at = skipSpace(bytes, from + 1);
  while (bytes[at] !== CLOSE_ARRAY) {
    const end = endOfValue(bytes, at, bytes.length);
    if (end <= at) return false;
    ranges.push(at, end);
    at = skipSpace(bytes, end);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
    else if (bytes[at] !== CLOSE_ARRAY) return false;
  }
  if (skipSpace(bytes, at + 1) < bytes.length) return false;
  visitAll(ranges, visit);
  return true;
}

function visitAll(ranges: readonly number[], visit: Visit): void {
  for (let index = 0; index < ranges.length; index += 2) visit(ranges[index] as number, ranges[index + 1] as number);
}

/** The end of the JSON value at `start`, by its brackets and quotes; -1 if it does not end before `limit`. */
function endOfValue(bytes: Buffer, start: number, limit: number): number {
  let depth = 0;
  for (let at = start; at < limit; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at = endOfString(bytes, at, limit);
        if (at < 0) return -1;
        break;
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        depth++;
        continue;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        // The bracket of what the value stands in.
        if (depth === 0) return trimmed(bytes, start, at);
        depth--;
        break;
      case COMMA:
        if (depth === 0) return trimmed(bytes, start, at);
        continue;
      default:
        continue;
    }
    if (depth === 0) return at + 1;
  }
  return -1;
}

/** The closing quote of the string at `start`; -1 if there is none, or a newline before it, which no JSON string has. */
function endOfString(bytes: Buffer, start: number, limit: number): number {
  for (let at = start + 1; at < limit; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
    else if (byte === NEWLINE) return -1;
  }
  return -1;
}

function trimmed(bytes: Buffer, start: number, end: number): number {
  let at = end;
  while (at > start && isSpace(bytes[at - 1] as number)) at--;
  return at;
}

function skipSpace(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && isSpace(bytes[at] as number)) at++;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === NEWLINE || byte === RETURN || byte === TAB;
}
