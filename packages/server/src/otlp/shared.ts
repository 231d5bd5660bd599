/**
 * Resources and instrumentation scopes, decoded once: a sender repeats the same bytes in every request, so the last ones are
 * remembered by their bytes and what was made of them is used again.
 */

import { encodeText, hashOf, sameBytes, sourceOf } from '@glasshouse/native';
import type { TextRepairs } from '@glasshouse/native';
import type { Text } from './attributes-json.ts';
import { AttributesJson } from './attributes-json.ts';
import type { Wire } from './wire.ts';
import { malformed } from './wire.ts';

const NO_TEXT: Text = { source: sourceOf(new Uint8Array()), length: 0 };
const EMPTY_OBJECT = textOf('{}');

/** Makes a Text of a string. */
export function textOf(text: string): Text {
  const bytes = encodeText(text);
  return { source: sourceOf(bytes), length: bytes.length };
}

export interface Resource {
  readonly attributes: Text;
  readonly service: Text;
  readonly project: Text;
  readonly droppedAttributes: number;
}

export interface Scope {
  readonly name: Text;
  readonly version: Text;
  readonly attributes: Text;
  readonly droppedAttributes: number;
}

interface Remembered<T> {
  readonly message: Text;
  readonly value: T;
}

/** Bytes of all messages that are remembered, and of one: a fleet has as many resources as processes. */
const REMEMBERED_BYTES = 1 << 20;
const MAX_MESSAGE_BYTES = 16 << 10;
/** What a message takes besides its bytes, about. */
const ENTRY_BYTES = 512;

/** Decodes a message, or finds what an equal one was decoded to. */
abstract class Memory<T> {
  protected readonly json: AttributesJson;
  /** By the hash of the message; of two with the same one the last. The first is the oldest. */
  private readonly remembered = new Map<number, Remembered<T>>();
  private bytes = 0;

  constructor(repairs: TextRepairs) {
    this.json = new AttributesJson(repairs);
  }

  /** The message in `[start, end)`. */
  read(wire: Wire, start: number, end: number): T {
    const length = end - start;
    if (length > MAX_MESSAGE_BYTES) return this.decode(wire, start, end);
    const hash = hashOf(wire, start, length);
    const found = this.remembered.get(hash);
    if (found?.message.length === length && sameBytes(found.message.source.view, 0, wire.view, start, length)) {
      return found.value;
    }
    const value = this.decode(wire, start, end);
    this.remember(hash, { message: { source: sourceOf(wire.bytes.subarray(start, end)), length }, value });
    return value;
  }

  private remember(hash: number, entry: Remembered<T>): void {
    this.forget(hash);
    this.remembered.set(hash, entry);
    this.bytes += entry.message.length + ENTRY_BYTES;
    for (const oldest of this.remembered.keys()) {
      if (this.bytes <= REMEMBERED_BYTES) break;
      this.forget(oldest);
    }
  }

  private forget(hash: number): void {
    const entry = this.remembered.get(hash);
    if (entry === undefined) return;
    this.bytes -= entry.message.length + ENTRY_BYTES;
    this.remembered.delete(hash);
  }

  protected abstract decode(wire: Wire, start: number, end: number): T;

  /** The finished JSON object as a Text of its own. */
  protected finished(): Text {
    this.json.finish();
    if (this.json.length === EMPTY_OBJECT.length) return EMPTY_OBJECT;
    return { source: sourceOf(this.json.bytes.subarray(0, this.json.length)), length: this.json.length };
  }
}

const SERVICE_NAME = textOf('service.name');
const SERVICE_NAMESPACE = textOf('service.namespace');
const PROJECT_NAME = textOf('project.name');

/** Resource { attributes = 1, dropped_attributes_count = 2 }. */
export class ResourceMemory extends Memory<Resource> {
  protected decode(wire: Wire, start: number, end: number): Resource {
    let [service, namespace, project] = [NO_TEXT, NO_TEXT, NO_TEXT];
    this.json.begin();
    const droppedAttributes = readFields(wire, start, end, 0x0a, 0x10, (pos, fieldEnd) => {
      this.json.append(wire, pos, fieldEnd);
      service = this.json.lastValueOf(wire, SERVICE_NAME) ?? service;
      project = this.json.lastValueOf(wire, PROJECT_NAME) ?? project;
      namespace = this.json.lastValueOf(wire, SERVICE_NAMESPACE) ?? namespace;
    });
    const named = [project, namespace, service].find((text) => text.length > 0) ?? NO_TEXT;
    return { attributes: this.finished(), service, project: named, droppedAttributes };
  }
}

/** InstrumentationScope { name = 1, version = 2, attributes = 3, dropped_attributes_count = 4 }. */
export class ScopeMemory extends Memory<Scope> {
  protected decode(wire: Wire, start: number, end: number): Scope {
    let [name, version] = [NO_TEXT, NO_TEXT];
    this.json.begin();
    const droppedAttributes = readFields(wire, start, end, 0x1a, 0x20, (pos, fieldEnd, tag) => {
      if (tag === 0x0a) name = copyOf(wire, pos, fieldEnd);
      else if (tag === 0x12) version = copyOf(wire, pos, fieldEnd);
      else this.json.append(wire, pos, fieldEnd);
    });
    return { name, version, attributes: this.finished(), droppedAttributes };
  }
}

/** Metadata of a Metric (field 12) as a JSON object. */
export class MetadataReader {
  private readonly json: AttributesJson;

  constructor(repairs: TextRepairs) {
    this.json = new AttributesJson(repairs);
  }

  read(wire: Wire, start: number, end: number): Text {
    this.json.begin();
    let pos = start;
    while (pos < end) {
      const tag = wire.varint(pos);
      pos = wire.skip(tag, wire.pos, end);
      if (tag === 0x62) this.json.append(wire, wire.pos, pos);
    }
    this.json.finish();
    return { source: this.json, length: this.json.length };
  }
}

function copyOf(wire: Wire, start: number, end: number): Text {
  return { source: sourceOf(wire.bytes.subarray(start, end)), length: end - start };
}

/** Visits length-delimited fields up to `attributesTag`, and returns the varint field `droppedTag`. */
function readFields(
  wire: Wire,
  start: number,
  end: number,
  attributesTag: number,
  droppedTag: number,
  visit: (pos: number, end: number, tag: number) => void,
): number {
  let dropped = 0;
  let pos = start;
  while (pos < end) {
    const tag = wire.varint(pos);
    const at = wire.pos;
    pos = wire.skip(tag, at, end);
    if (tag === droppedTag) dropped = wire.varint(at);
    else if ((tag & 7) === 2 && tag <= attributesTag) visit(wire.pos, pos, tag);
  }
  if (pos !== end) throw malformed('a resource or scope is cut off');
  return dropped;
}
