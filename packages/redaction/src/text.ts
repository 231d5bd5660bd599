/**
 * Texts and bodies of events, as bytes: JSON documents one after the other or in lines, and whatever else there is.
 *
 * Must stay true: a valid document stays valid, lines stay lines, and what has nothing to redact is not copied.
 */

import type { Bytes } from './bytes.ts';
import { NEWLINE } from './bytes.ts';
import { JsonWalk, NO_CONTEXT } from './json.ts';
import type { Edit, Rules } from './rules.ts';
import { applyEdits } from './rules.ts';

const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
/** Stands for a line that is no JSON, where texts are not to be stored: what of it is a text cannot be told. */
const UNREADABLE = '[redacted:line]';

/** Redacts a text, which may be JSON. Returns the same text if nothing changes. */
export function redactText(text: string, rules: Rules): string {
  const bytes = Buffer.from(text);
  const changed = redactBytes(bytes, rules);
  return changed === bytes ? text : Buffer.from(changed.buffer, changed.byteOffset, changed.length).toString('utf8');
}

/** The same over bytes in UTF-8. Returns the same array if nothing changes. Text that is no JSON is kept but for what is found. */
export function redactBytes(bytes: Uint8Array, rules: Rules): Uint8Array {
  return redacted(bytes, rules, false);
}

/**
 * Redacts events as senders write them: one JSON object a line, objects over several lines, an array. A line that is no JSON has
 * found things replaced, or, if the policy does not keep texts of some kind, is replaced as a whole.
 */
export function redactEvents(bytes: Uint8Array, rules: Rules): Uint8Array {
  return redacted(bytes, rules, rules.changesTexts);
}

function redacted(bytes: Uint8Array, rules: Rules, isStrict: boolean): Uint8Array {
  const { length } = bytes;
  if (!rules.isKeyed && !rules.suspects(bytes, 0, length)) return bytes;
  const edits: Edit[] = [];
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  // After a document that does not end, each line is for itself: else every line could be read to the end of the body.
  let isByLine = false;
  while (at < length) {
    const start = new JsonWalk(rules, bytes, length).skip(at);
    if (start >= length) break;
    const line = isByLine ? bytes.indexOf(NEWLINE, start) : -1;
    const walk = new JsonWalk(rules, bytes, line < 0 ? length : line);
    const end = isDocument(bytes, start) ? walk.value(start, NO_CONTEXT) : -1;
    if (end > 0 && endsDocument(bytes, end, walk.skip(end), line)) {
      for (const edit of walk.edits) edits.push(edit);
      at = end;
      continue;
    }
    const newline = bytes.indexOf(NEWLINE, start);
    isByLine ||= isDocument(bytes, start);
    // Text that is no JSON at all may have secrets over several lines.
    const stop = newline < 0 || (!isStrict && !isDocument(bytes, start)) ? endOfText(bytes, start) : newline;
    if (!isStrict) for (const edit of rules.edits(bytes, start, stop)) edits.push(edit);
    else if (!isUnreadableMark(bytes, start, stop))
      edits.push({ start, end: trimmed(bytes, start, stop), text: UNREADABLE });
    at = stop;
  }
  return edits.length === 0 ? bytes : applyEdits(bytes, 0, length, edits);
}

function isDocument(bytes: Bytes, at: number): boolean {
  return bytes[at] === OPEN_OBJECT || bytes[at] === OPEN_ARRAY;
}

/** True if only another document may begin at `next`, which is the first byte behind white space. */
function endsDocument(bytes: Bytes, end: number, next: number, line: number): boolean {
  if (next >= bytes.length || next === line || isDocument(bytes, next)) return true;
  return bytes.subarray(end, next).includes(NEWLINE);
}

/** The end of the lines that do not begin a document. */
function endOfText(bytes: Bytes, from: number): number {
  for (let at = from; at < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, at);
    if (newline < 0) return bytes.length;
    if (isDocument(bytes, newline + 1)) return newline;
    at = newline + 1;
  }
  return bytes.length;
}

function isUnreadableMark(bytes: Bytes, start: number, end: number): boolean {
  return Buffer.from(bytes.subarray(start, trimmed(bytes, start, end))).equals(Buffer.from(UNREADABLE));
}

function trimmed(bytes: Bytes, start: number, end: number): number {
  let at = end;
  while (at > start && (bytes[at - 1] as number) <= 0x20) at--;
  return at;
}
