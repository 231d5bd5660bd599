/**
 * OTLP export requests: every text of the message, wherever it stands, and the values of attributes by what their keys say. What
 * changes is written anew with its lengths; all else is copied as it came.
 *
 * Must stay true: what comes out decodes as the same message with other texts. Bytes that are no such message are not passed on.
 */

import { isUtf8 } from 'node:buffer';
import type { Signal } from '@glasshouse/model';
import { isSecretValue } from './assigned.ts';
import type { Bytes } from './bytes.ts';
import { utf8 } from './bytes.ts';
import type { Context } from './json.ts';
import { isForm, JsonWalk, NO_CONTEXT, numberMark, within } from './json.ts';
import { NO_KEY } from './keys.ts';
import { isPhoneText } from './phone.ts';
import type { FieldKind, Message } from './protobuf.ts';
import { delimited, FieldReader, int64, Malformed, REQUESTS } from './protobuf.ts';
import type { Edit, Rules } from './rules.ts';
import { applyEdits, isReplaced, markOf } from './rules.ts';

const MAX_DEPTH = 200;
const LENGTH_DELIMITED = 2;
const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
const STRING_VALUE = 1;
const INT_VALUE = 3;
const DOUBLE_VALUE = 4;
const ARRAY_VALUE = 5;
const LIST_VALUE = 6;
const BYTES_VALUE = 7;
const LIST: Message = { 1: 'keyValue' };
const ARRAY: Message = { 1: 'anyValue' };

/**
 * Redacts an export request in protobuf encoding. Returns the same array if nothing changes, and undefined for bytes that are no
 * such request: they must not be stored, because nobody knows what is in them.
 */
export function redactOtlp(signal: Signal, bytes: Uint8Array, rules: Rules): Uint8Array | undefined {
  try {
    return new OtlpWalk(bytes, rules).message(REQUESTS[signal], 0, bytes.length, NO_CONTEXT, 0) ?? bytes;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** Methods return the new content of what they walk, or undefined if it stays as it is. */
class OtlpWalk {
  private readonly bytes: Bytes;
  private readonly rules: Rules;

  constructor(bytes: Bytes, rules: Rules) {
    this.bytes = bytes;
    this.rules = rules;
  }

  message(message: Message, start: number, end: number, context: Context, depth: number): Uint8Array | undefined {
    if (depth > MAX_DEPTH) throw new Malformed();
    const rewrite = new Rewrite(this.bytes, start, end);
    const fields = new FieldReader(this.bytes, start, end);
    while (fields.next()) {
      if (fields.wireType !== LENGTH_DELIMITED) continue;
      const kind = message[fields.field];
      if (kind === undefined) continue;
      const changed = this.field(kind, fields.start, fields.end, context, depth + 1);
      if (changed !== undefined) rewrite.put(fields, delimited(fields.field, changed));
    }
    return rewrite.done();
  }

  private field(kind: FieldKind, start: number, end: number, context: Context, depth: number): Uint8Array | undefined {
    if (kind === 'text') return this.found(start, end);
    if (kind === 'keyValue') return this.keyValue(start, end, context, depth);
    if (kind === 'anyValue') return this.anyValue(start, end, context, depth);
    return this.message(kind, start, end, context, depth);
  }

  /** The key may stand behind the value, or several times; the last one counts. */
  private keyValue(start: number, end: number, outer: Context, depth: number): Uint8Array | undefined {
    const { bytes, rules } = this;
    let key = NO_KEY;
    const keys = new FieldReader(bytes, start, end);
    while (keys.next()) {
      if (keys.field === 1 && keys.wireType === LENGTH_DELIMITED) key = rules.keys.of(bytes, keys.start, keys.end);
    }
    const context = within(rules, outer, key);
    const rewrite = new Rewrite(bytes, start, end);
    const fields = new FieldReader(bytes, start, end);
    while (fields.next()) {
      if (fields.wireType !== LENGTH_DELIMITED || fields.field > 2) continue;
      const changed =
        fields.field === 1
          ? this.found(fields.start, fields.end)
          : this.anyValue(fields.start, fields.end, context, depth + 1);
      if (changed !== undefined) rewrite.put(fields, delimited(fields.field, changed));
    }
    return rewrite.done();
  }

  private anyValue(start: number, end: number, context: Context, depth: number): Uint8Array | undefined {
    if (depth > MAX_DEPTH) throw new Malformed();
    const { bytes } = this;
    const rewrite = new Rewrite(bytes, start, end);
    const fields = new FieldReader(bytes, start, end);
    while (fields.next()) {
      const { field, wireType } = fields;
      if (wireType === LENGTH_DELIMITED) {
        const changed = this.member(field, fields.start, fields.end, context, depth);
        if (changed !== undefined) rewrite.put(fields, delimited(field, changed));
        continue;
      }
      const text =
        field === INT_VALUE && wireType === 0
          ? int64(bytes, fields.start, fields.end).toString()
          : field === DOUBLE_VALUE && wireType === 1
            ? doubleText(bytes, fields.start)
            : undefined;
      const mark = text === undefined ? undefined : numberMark(this.rules, text, context);
      if (mark !== undefined) rewrite.put(fields, delimited(STRING_VALUE, Buffer.from(mark === 0 ? '' : mark)));
    }
    return rewrite.done();
  }

  private member(field: number, start: number, end: number, context: Context, depth: number): Uint8Array | undefined {
    switch (field) {
      case STRING_VALUE:
        return this.string(start, end, context);
      case ARRAY_VALUE:
        return this.message(ARRAY, start, end, context, depth + 1);
      case LIST_VALUE:
        return this.message(LIST, start, end, context, depth + 1);
      case BYTES_VALUE:
        return this.binary(start, end, context);
      default:
        return undefined;
    }
  }

  private string(start: number, end: number, context: Context): Uint8Array | undefined {
    if (start === end) return undefined;
    const { bytes, rules } = this;
    const { replaced, key } = context;
    const action = rules.actionOn(context.text);
    const first = bytes[start];
    if (
      (first === OPEN_OBJECT || first === OPEN_ARRAY) &&
      (rules.isKeyed || rules.has('secret')) &&
      replaced === undefined
    ) {
      const edits = this.json(start, end, context);
      if (edits !== undefined) return edits.length === 0 ? undefined : applyEdits(bytes, start, end, edits);
    }
    if (action !== 'keep' && !isForm(bytes, start, end, context))
      return this.replaced(start, end, rules.act(action, utf8(bytes, start, end)));
    if (key.secret !== undefined && rules.has('secret') && isSecretValue(key.secret, utf8(bytes, start, end))) {
      return this.replaced(start, end, markOf('secret'));
    }
    if (replaced !== undefined && isReplaced(utf8(bytes, start, end))) return undefined;
    if (
      replaced !== undefined &&
      (replaced !== 'phone' || rules.has('person') || isPhoneText(utf8(bytes, start, end)))
    ) {
      return this.replaced(start, end, markOf(replaced));
    }
    return this.found(start, end);
  }

  /** What changes in a text that is JSON; undefined if it is none. */
  private json(start: number, end: number, context: Context): readonly Edit[] | undefined {
    const walk = new JsonWalk(this.rules, this.bytes, end);
    const stop = walk.value(start, context);
    return stop < 0 || walk.skip(stop) < end ? undefined : walk.edits;
  }

  private binary(start: number, end: number, context: Context): Uint8Array | undefined {
    if (start === end) return undefined;
    const isText = isUtf8(this.bytes.subarray(start, end));
    if (isText) return this.string(start, end, context);
    // Of what is no text only all can be taken: an image in a prompt, say.
    const isKept = this.rules.actionOn(context.text) === 'keep' && context.replaced === undefined;
    return isKept ? undefined : new Uint8Array();
  }

  private found(start: number, end: number): Uint8Array | undefined {
    const edits = this.rules.edits(this.bytes, start, end);
    return edits.length === 0 ? undefined : applyEdits(this.bytes, start, end, edits);
  }

  private replaced(start: number, end: number, text: string): Uint8Array | undefined {
    const changed = Buffer.from(text);
    return changed.equals(this.bytes.subarray(start, end)) ? undefined : changed;
  }
}

/** A message with some of its fields exchanged. */
class Rewrite {
  private readonly source: Buffer;
  private readonly parts: Uint8Array[] = [];
  private copied: number;
  private readonly end: number;

  constructor(bytes: Bytes, start: number, end: number) {
    this.source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.copied = start;
    this.end = end;
  }

  put(field: FieldReader, bytes: Uint8Array): void {
    this.parts.push(this.source.subarray(this.copied, field.from), bytes);
    this.copied = field.end;
  }

  /** The whole, or undefined if nothing was exchanged. */
  done(): Uint8Array | undefined {
    if (this.parts.length === 0) return undefined;
    this.parts.push(this.source.subarray(this.copied, this.end));
    return Buffer.concat(this.parts);
  }
}

function doubleText(bytes: Bytes, at: number): string | undefined {
  const value = new DataView(bytes.buffer, bytes.byteOffset + at, 8).getFloat64(0, true);
  return Number.isSafeInteger(value) ? value.toString() : undefined;
}
