/**
 * A walk over the text of JSON, which is changed in place of what it says: only strings and numbers become others, each whole or
 * between its escapes. Nothing is parsed that does not change.
 *
 * Must stay true: a valid document stays one; what is not valid is reported, so that the caller treats it as plain text.
 */

import type { Bytes } from './bytes.ts';
import { BACKSLASH, COLON, isDigit, latin1, QUOTE, utf8 } from './bytes.ts';
import { isSecretValue } from './assigned.ts';
import { isCard } from './card.ts';
import type { KeyKind } from './keys.ts';
import { NO_KEY } from './keys.ts';
import type { RedactionClass, TextKind } from './policy.ts';
import { isPhoneText } from './phone.ts';
import type { Edit, Rules } from './rules.ts';
import { applyEdits, isReplaced, markOf } from './rules.ts';

const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const MAX_DEPTH = 500;
/** JSON in a string in JSON: as deep as senders nest it. */
const MAX_NESTED = 4;
const FORM_VALUE = /^[A-Za-z0-9_.:/-]{0,64}$/u;
const WORD = /[A-Za-z0-9+.-]/u;

/** What the keys above a value say about it. */
export interface Context {
  readonly text: TextKind | undefined;
  readonly replaced: RedactionClass | undefined;
  readonly key: KeyKind;
}

export const NO_CONTEXT: Context = { text: undefined, replaced: undefined, key: NO_KEY };

/** The context of a value under this key in a context. */
export function within(rules: Rules, outer: Context, key: KeyKind): Context {
  if (key === NO_KEY) return outer;
  return {
    text: key.text ?? outer.text,
    replaced: rules.personClass(key) ?? outer.replaced,
    key,
  };
}

export class JsonWalk {
  readonly edits: Edit[] = [];
  private readonly rules: Rules;
  private readonly bytes: Bytes;
  private readonly limit: number;
  private readonly nested: number;

  constructor(rules: Rules, bytes: Bytes, limit: number, nested = 0) {
    this.rules = rules;
    this.bytes = bytes;
    this.limit = limit;
    this.nested = nested;
  }

  /** Walks the value at `at` and returns where it ends; -1 if it is no JSON, and then the edits mean nothing. */
  value(at: number, context: Context, depth = 0): number {
    switch (this.bytes[at]) {
      case QUOTE: {
        const end = this.endOfString(at);
        if (end > 0) this.string(at + 1, end - 1, context);
        return end;
      }
      case OPEN_OBJECT:
        return depth > MAX_DEPTH ? -1 : this.object(at, context, depth);
      case OPEN_ARRAY:
        return depth > MAX_DEPTH ? -1 : this.array(at, context, depth);
      default:
        return this.scalar(at, context);
    }
  }

  /** The first byte at or behind `at` that is no white space. */
  skip(at: number): number {
    let next = at;
    for (; next < this.limit; next++) {
      const byte = this.bytes[next] as number;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    }
    return next;
  }

  private object(from: number, context: Context, depth: number): number {
    const { bytes, rules } = this;
    let at = this.skip(from + 1);
    if (bytes[at] === CLOSE_OBJECT && at < this.limit) return at + 1;
    for (;;) {
      if (at >= this.limit || bytes[at] !== QUOTE) return -1;
      const end = this.endOfString(at);
      if (end < 0) return -1;
      const key = this.keyOf(at + 1, end - 1);
      this.scanned(at + 1, end - 1);
      at = this.skip(end);
      if (bytes[at] !== COLON) return -1;
      at = this.value(this.skip(at + 1), within(rules, context, key), depth + 1);
      if (at < 0) return -1;
      at = this.skip(at);
      if (at >= this.limit) return -1;
      if (bytes[at] === CLOSE_OBJECT) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = this.skip(at + 1);
    }
  }

  private array(from: number, context: Context, depth: number): number {
    const { bytes } = this;
    let at = this.skip(from + 1);
    if (bytes[at] === CLOSE_ARRAY && at < this.limit) return at + 1;
    for (;;) {
      at = this.value(at, context, depth + 1);
      if (at < 0) return -1;
      at = this.skip(at);
      if (at >= this.limit) return -1;
      if (bytes[at] === CLOSE_ARRAY) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = this.skip(at + 1);
    }
  }

  private keyOf(start: number, end: number): KeyKind {
    const { bytes, rules } = this;
    for (let at = start; at < end; at++) {
      if (bytes[at] !== BACKSLASH) continue;
      const key = Buffer.from(this.decoded(start, end));
      return rules.keys.of(key, 0, key.length);
    }
    return rules.keys.of(bytes, start, end);
  }

  /** A string's content. */
  private string(start: number, end: number, context: Context): void {
    if (start === end) return;
    const { rules } = this;
    const { replaced, key } = context;
    const action = rules.actionOn(context.text);
    if (action !== 'keep' && !isForm(this.bytes, start, end, context)) {
      this.replace(start, end, rules.act(action, this.decoded(start, end)));
    } else if (key.secret !== undefined && rules.has('secret') && isSecretValue(key.secret, this.decoded(start, end))) {
      this.replace(start, end, markOf('secret'));
    } else if (replaced !== undefined) {
      const text = this.decoded(start, end);
      if (isReplaced(text)) return;
      if (replaced !== 'phone' || isPhoneText(text) || rules.has('person')) this.replace(start, end, markOf(replaced));
      else this.scanned(start, end);
    } else if (!this.unpacked(start, end, context)) this.scanned(start, end);
  }

  /** JSON in a string is walked like what is around it. */
  private unpacked(start: number, end: number, context: Context): boolean {
    const { bytes, rules, nested } = this;
    const first = bytes[start];
    if (nested >= MAX_NESTED || (first !== OPEN_OBJECT && first !== OPEN_ARRAY) || end - start < 4) return false;
    const inner = Buffer.from(this.decoded(start, end));
    const walk = new JsonWalk(rules, inner, inner.length, nested + 1);
    const stop = walk.value(0, context);
    if (stop < 0 || walk.skip(stop) < inner.length) return false;
    if (walk.edits.length === 0) return true;
    const changed = applyEdits(inner, 0, inner.length, walk.edits);
    this.replace(start, end, utf8(changed, 0, changed.length));
    return true;
  }

  private scanned(start: number, end: number): void {
    for (const edit of this.rules.edits(this.bytes, start, end)) this.edits.push(edit);
  }

  private replace(start: number, end: number, text: string): void {
    const written = JSON.stringify(text).slice(1, -1);
    if (written === utf8(this.bytes, start, end)) return;
    this.edits.push({ start, end, text: written });
  }

  /** A number, or `true`, `false`, `null`. */
  private scalar(at: number, context: Context): number {
    const { bytes } = this;
    let end = at;
    while (end < this.limit && end - at < 400 && WORD.test(String.fromCharCode(bytes[end] as number))) end++;
    const text = latin1(bytes, at, end);
    if (text === 'true' || text === 'false' || text === 'null') return end;
    if (!/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/u.test(text)) return -1;
    const mark = numberMark(this.rules, text, context);
    if (mark !== undefined) this.edits.push({ start: at, end, text: mark === 0 ? '0' : JSON.stringify(mark) });
    return end;
  }

  private endOfString(at: number): number {
    const { bytes, limit } = this;
    for (let next = at + 1; next < limit; next++) {
      const byte = bytes[next] as number;
      if (byte === QUOTE) return next + 1;
      if (byte === BACKSLASH) next++;
      else if (byte < 0x20) return -1;
    }
    return -1;
  }

  private decoded(start: number, end: number): string {
    const text = utf8(this.bytes, start, end);
    if (!text.includes('\\')) return text;
    try {
      return JSON.parse(`"${text}"`) as string;
    } catch {
      return text;
    }
  }
}

/** Whether a text is part of the form of a conversation: its key says so, and it looks like it. */
export function isForm(bytes: Bytes, start: number, end: number, { key, text }: Context): boolean {
  return key.isForm && text !== 'users' && FORM_VALUE.test(latin1(bytes, start, end));
}

/** What a number becomes: a text, or zero; undefined if it stays. */
export function numberMark(rules: Rules, text: string, { text: kind, replaced, key }: Context): string | 0 | undefined {
  if (rules.has('card') && isDigit(text.charCodeAt(0)) && isCard(text)) return markOf('card');
  if (kind === 'users') {
    const action = rules.actionOn(kind);
    if (action === 'drop') return text === '0' ? undefined : 0;
    if (action !== 'keep') return rules.act(action, text);
  }
  if (key.secret === 'password' && rules.has('secret')) return markOf('secret');
  if (replaced === 'phone' && !isPhoneText(text)) return undefined;
  return replaced === undefined || text.length < 4 ? undefined : markOf(replaced);
}
