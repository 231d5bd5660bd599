/**
 * A policy made ready: what each class is looked for with, and how a text is hashed. It keeps scratch memory, so one thread uses
 * it at a time.
 *
 * Must stay true: applying rules twice gives what applying them once gave.
 */

import { createHmac } from 'node:crypto';
import type { Bytes } from './bytes.ts';
import { utf8 } from './bytes.ts';
import { withoutEscapes } from './escapes.ts';
import { KeyMemory } from './keys.ts';
import type { KeyKind } from './keys.ts';
import type { Action, Policy, RedactionClass, TextKind } from './policy.ts';
import { TEXT_KINDS } from './policy.ts';
import { Scan } from './scan.ts';

/** A replacement of the range `[start, end)`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const HASH_CHARACTERS = 32;
/** What a text became already. */
const REPLACED = /^\[(?:hash:[0-9a-f]{32}|redacted:[a-z]+)\]$/u;
/** Nothing shorter can be a secret, an address or a number to call. */
const MIN_FIND = 5;
/** A text in which replacements uncover more so often was made for that, and is replaced as a whole. */
const MAX_PASSES = 6;

/** True for a text that was replaced before: it stays what it became. */
export function isReplaced(text: string): boolean {
  return REPLACED.test(text);
}

/** What stands in the place of something of this class. */
export function markOf(what: RedactionClass): string {
  return `[redacted:${what}]`;
}

export class Rules {
  readonly policy: Policy;
  readonly keys = new KeyMemory();
  /** Values are changed because of their keys. */
  readonly isKeyed: boolean;
  /** Texts of some kind are not kept as they are. */
  readonly changesTexts: boolean;
  private readonly classes: ReadonlySet<RedactionClass>;
  private readonly scan: Scan;
  private readonly hashKey: Uint8Array;

  /** `hashKey` is secret and of this installation: without it, hashes of likely texts could be looked up. */
  constructor(policy: Policy, hashKey: Uint8Array) {
    this.policy = policy;
    this.hashKey = hashKey;
    this.classes = new Set(policy.redact);
    this.scan = new Scan(this.classes);
    this.changesTexts = TEXT_KINDS.some((kind) => policy[kind] !== 'keep');
    this.isKeyed = this.changesTexts || ['person', 'phone', 'email'].some((one) => this.has(one as RedactionClass));
  }

  has(what: RedactionClass): boolean {
    return this.classes.has(what);
  }

  /** True if something in the range is to be replaced; faster than `edits`, and never wrong if it says no. */
  suspects(bytes: Bytes, start: number, end: number): boolean {
    if (this.classes.size === 0 || end - start < MIN_FIND) return false;
    this.scan.open(bytes, start, end);
    return this.scan.next(true) !== undefined;
  }

  /**
   * What is to be replaced in the text of the range, in order. Escapes are seen through and never cut. Where a replacement
   * uncovers something else, the whole range is one edit.
   */
  edits(bytes: Bytes, start: number, end: number): Edit[] {
    const edits = this.pass(bytes, start, end);
    if (edits.length === 0) return edits;
    let changed = applyEdits(bytes, start, end, edits);
    for (let pass = 1; pass < MAX_PASSES; pass++) {
      const more = this.pass(changed, 0, changed.length);
      if (more.length === 0) return pass === 1 ? edits : [{ start, end, text: utf8(changed, 0, changed.length) }];
      changed = applyEdits(changed, 0, changed.length, more);
    }
    return [{ start, end, text: markOf('secret') }];
  }

  private pass(bytes: Bytes, start: number, end: number): Edit[] {
    if (!this.suspects(bytes, start, end)) return [];
    const plain = withoutEscapes(bytes, start, end);
    const { scan } = this;
    scan.open(plain.bytes, 0, plain.bytes.length);
    const edits: Edit[] = [];
    for (let stop = scan.next(false); stop !== undefined; stop = scan.next(false)) {
      if (stop === 'escape') continue;
      const { origin } = plain;
      edits.push({
        start: origin === undefined ? scan.start + start : (origin[scan.start] as number),
        end: origin === undefined ? scan.end + start : (origin[scan.end] as number),
        text: markOf(stop),
      });
    }
    return edits;
  }

  /** The text with what is in it replaced; the same if there is nothing. */
  clean(text: string): string {
    const bytes = Buffer.from(text);
    const edits = this.edits(bytes, 0, bytes.length);
    if (edits.length === 0) return text;
    const changed = applyEdits(bytes, 0, bytes.length, edits);
    return utf8(changed, 0, changed.length);
  }

  /** What is done with texts of this kind. */
  actionOn(kind: TextKind | undefined): Action {
    return kind === undefined ? 'keep' : this.policy[kind];
  }

  /** The class by which a value under this key is replaced whole; undefined if it is not. */
  personClass(key: KeyKind): RedactionClass | undefined {
    if (key.person === undefined) return undefined;
    if (this.has(key.person)) return key.person;
    return this.has('person') ? 'person' : undefined;
  }

  /** A text after the action. */
  act(action: Action, text: string): string {
    if (isReplaced(text)) return text;
    switch (action) {
      case 'keep':
        return this.clean(text);
      case 'drop':
        return '';
      case 'truncate':
        return firstCharacters(this.clean(text), this.policy.truncateTo);
      case 'hash':
        return text === '' ? text : this.hash(text);
    }
  }

  private hash(text: string): string {
    const digest = createHmac('sha256', this.hashKey).update(text).digest('hex').slice(0, HASH_CHARACTERS);
    return `[hash:${digest}]`;
  }
}

/** At most `count` characters, none of them cut in half. */
function firstCharacters(text: string, count: number): string {
  if (text.length <= count) return text;
  let end = 0;
  for (let index = 0; index < count && end < text.length; index++)
    end += (text.codePointAt(end) as number) > 0xffff ? 2 : 1;
  return text.slice(0, end);
}

/** The range of `bytes` with its edits, which are in order and do not overlap. */
export function applyEdits(bytes: Bytes, start: number, end: number, edits: readonly Edit[]): Uint8Array {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: Buffer[] = [];
  let from = start;
  for (const edit of edits) {
    parts.push(source.subarray(from, edit.start), Buffer.from(edit.text));
    from = edit.end;
  }
  parts.push(source.subarray(from, end));
  return Buffer.concat(parts);
}
