/**
 * Walks a parsed OTLP/JSON request along the field table and writes it as protobuf. Separate from the entry point,
 * which deals with text, and from the writer, which knows no JSON.
 *
 * Must stay true: keys that are not in the table are never looked into; arrays and objects are walked from the end,
 * because the writer fills its buffer backwards; the recursion is bounded, since only AnyValue contains itself.
 */
import { AppError } from '@glasshouse/model';
import { base64Bytes, LONG_TRACE_ID_DIGITS, unusualId } from './json-ids.ts';
import { Integer64, toDouble, toInteger } from './json-numbers.ts';
import { type EnumPlan, type FieldPlan, type MessagePlan, WIRE_BYTES, wireTag } from './json-plan.ts';
import { BackwardWriter } from './json-writer.ts';

/** How deep AnyValue may be nested in AnyValue. */
const MAX_VALUE_DEPTH = 64;
/** The attribute that keeps a trace id of 64 hex digits, of which only the first half is the trace id. */
const ORIGINAL_TRACE_ID = 'otlp.original_trace_id';

const MAX_UINT32 = 0xffff_ffff;
const MAX_INT32 = 0x7fff_ffff;
const MIN_INT32 = -0x8000_0000;
/** Longest excerpt of a client's value that an error message repeats. */
const EXCERPT_CHARACTERS = 60;
const NUMBER_64_FIX = 'send a decimal string such as "1790000000000000001"';

/** Thrown when an integer above 2^53 arrived as a bare number: its text has to be parsed again, keeping all digits. */
export class InexactNumber extends Error {}

export interface ReaderOptions {
  /** A guess at the size of the output in bytes. */
  readonly expectedBytes: number;
  /** Bare integers above 2^53 were parsed as bigints; a number that large is then what the client wrote. */
  readonly exact: boolean;
}

export class JsonReader {
  readonly #writer: BackwardWriter;
  readonly #exact: boolean;
  readonly #integer = new Integer64();
  /** Keys and indexes that lead to the value being read; only the first entries, as many as the level says, are valid. */
  readonly #path: (string | number)[] = [];
  #valueDepth = 0;

  constructor(options: ReaderOptions) {
    this.#writer = new BackwardWriter(options.expectedBytes);
    this.#exact = options.exact;
  }

  /** Writes one whole message. Throws `bad_request` with the JSON path of a fault, or InexactNumber. */
  read(plan: MessagePlan, value: unknown): Uint8Array {
    this.#message(plan, value, 0);
    return this.#writer.finish();
  }

  #message(plan: MessagePlan, value: unknown, level: number): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.#notAnObject(plan, value, level);
    const record = value as Record<string, unknown>;
    const isValue = plan.name === 'AnyValue';
    if (isValue && ++this.#valueDepth > MAX_VALUE_DEPTH) {
      throw this.#fault(
        level,
        value,
        `values are nested deeper than ${MAX_VALUE_DEPTH}; flatten it or send it as a JSON string`,
      );
    }
    const keys = Object.keys(record);
    // From the last key to the first, so that the fields stand in the client's order: decoders are fastest when the
    // resource comes before its spans and the key before its value.
    for (let index = keys.length - 1; index >= 0; index -= 1) {
      const key = keys[index] as string;
      const field = plan.fields.get(key);
      if (field === undefined) continue;
      const item = record[key];
      if (item === null) continue;
      this.#path[level] = key;
      if (field.repeated) this.#repeated(field, item, level + 1);
      else this.#field(field, item, level + 1);
    }
    if (isValue) this.#valueDepth -= 1;
  }

  #repeated(field: FieldPlan, value: unknown, level: number): void {
    if (!Array.isArray(value)) throw this.#fault(level, value, 'the field is repeated; send an array');
    const items = value as unknown[];
    if (field.message === undefined) {
      this.#packed(field, items, level);
      return;
    }
    for (let index = items.length - 1; index >= 0; index -= 1) {
      const item = items[index];
      this.#path[level] = index;
      if (item !== null) this.#field(field, item, level + 1);
      // In a list of values null has a place of its own: it is the empty value.
      else if (field.message.name === 'AnyValue') this.#field(field, {}, level + 1);
    }
  }

  #packed(field: FieldPlan, items: readonly unknown[], level: number): void {
    if (items.length === 0) return;
    const before = this.#writer.length;
    for (let index = items.length - 1; index >= 0; index -= 1) {
      this.#path[level] = index;
      this.#scalar(field, items[index], level + 1);
    }
    this.#delimit(field.tag, before);
  }

  #field(field: FieldPlan, value: unknown, level: number): void {
    const before = this.#writer.length;
    switch (field.kind) {
      case 'message':
        this.#message(field.message as MessagePlan, value, level);
        this.#delimit(field.tag, before);
        return;
      case 'string':
        if (typeof value !== 'string') throw this.#fault(level, value, 'it is not a string; put it in quotes');
        this.#text(field.tag, value, field.always);
        return;
      case 'traceId':
        this.#traceId(field, value, level);
        return;
      case 'spanId':
        this.#id(field, value, 8, level);
        return;
      case 'bytes': {
        const bytes = typeof value === 'string' ? base64Bytes(value) : undefined;
        if (bytes === undefined) throw this.#fault(level, value, 'it is not base64; send the bytes as a base64 string');
        this.#bytes(field.tag, bytes, field.always);
        return;
      }
      default:
        if (this.#scalar(field, value, level)) this.#writer.varint32(field.tag);
    }
  }

  /** Writes a number, bool or enum. False when no tag is wanted: the value is a default that need not be sent, or is complete. */
  #scalar(field: FieldPlan, value: unknown, level: number): boolean {
    switch (field.kind) {
      case 'fixed64':
      case 'sfixed64':
      case 'int64':
      case 'uint64':
        return this.#integer64(field, value, level);
      case 'double': {
        const number = toDouble(value);
        if (number === undefined)
          throw this.#fault(level, value, 'it is not a number; send a number, "NaN", "Infinity" or "-Infinity"');
        if (Object.is(number, 0) && !field.always) return false;
        this.#writer.double(number);
        return true;
      }
      case 'bool':
        return this.#bool(field, value, level);
      case 'enum':
        return this.#enumeration(field.values as EnumPlan, value, level);
      case 'sint32': {
        const number = toInteger(value, MIN_INT32, MAX_INT32);
        if (number === undefined)
          throw this.#fault(level, value, 'it is not an integer of 32 bits; send one in -2147483648 … 2147483647');
        if (number === 0 && !field.always) return false;
        this.#writer.varint32(((number << 1) ^ (number >> 31)) >>> 0);
        return true;
      }
      default: {
        const number = toInteger(value, 0, MAX_UINT32);
        if (number === undefined)
          throw this.#fault(level, value, 'it is not an unsigned integer of 32 bits; send one in 0 … 4294967295');
        if (number === 0 && !field.always) return false;
        if (field.kind === 'fixed32') this.#writer.fixed32(number);
        else this.#writer.varint32(number);
        return true;
      }
    }
  }

  #integer64(field: FieldPlan, value: unknown, level: number): boolean {
    if (typeof value === 'number' && !this.#exact && Number.isInteger(value) && !Number.isSafeInteger(value)) {
      throw new InexactNumber();
    }
    const signed = field.kind === 'int64' || field.kind === 'sfixed64';
    if (!this.#integer.read(value, signed)) {
      // The JavaScript SDK writes every whole number as intValue, 1e300 too; in protobuf it sends that one as a double.
      if (field.doubleTag !== 0 && (typeof value === 'number' || typeof value === 'bigint')) {
        this.#writer.double(Number(value));
        this.#writer.varint32(field.doubleTag);
        return false;
      }
      throw this.#fault(
        level,
        value,
        `it is not ${signed ? 'a signed' : 'an unsigned'} integer of 64 bits; ${NUMBER_64_FIX}`,
      );
    }
    if (this.#integer.isZero && !field.always) return false;
    if (field.kind === 'fixed64' || field.kind === 'sfixed64')
      this.#writer.fixed64(this.#integer.low, this.#integer.high);
    else this.#writer.varint64(this.#integer.low, this.#integer.high);
    return true;
  }

  #bool(field: FieldPlan, value: unknown, level: number): boolean {
    const isTrue = value === true || value === 'true';
    if (!isTrue && value !== false && value !== 'false')
      throw this.#fault(level, value, 'it is not a bool; send true or false');
    if (!isTrue && !field.always) return false;
    this.#writer.byte(isTrue ? 1 : 0);
    return true;
  }

  #enumeration(plan: EnumPlan, value: unknown, level: number): boolean {
    const named = typeof value === 'string' ? plan.numbers.get(value.toUpperCase()) : undefined;
    const number = named ?? toInteger(value, MIN_INT32, MAX_INT32);
    if (number === undefined) {
      throw this.#fault(
        level,
        value,
        `it is neither a number nor a name of this enum; send a number or a name such as "${plan.example}"`,
      );
    }
    if (number === 0) return false;
    // A negative enum is sign-extended to 64 bits.
    this.#writer.varint64(number >>> 0, number < 0 ? MAX_UINT32 : 0);
    return true;
  }

  #traceId(field: FieldPlan, value: unknown, level: number): void {
    if (typeof value !== 'string' || value.length !== LONG_TRACE_ID_DIGITS) {
      this.#id(field, value, 16, level);
      return;
    }
    this.#id(field, value.slice(0, LONG_TRACE_ID_DIGITS / 2), 16, level);
    if (field.originalTag === 0) return;
    const attribute = this.#writer.length;
    const inner = this.#writer.length;
    this.#text(wireTag(1, WIRE_BYTES), value, true);
    this.#delimit(wireTag(2, WIRE_BYTES), inner);
    this.#text(wireTag(1, WIRE_BYTES), ORIGINAL_TRACE_ID, true);
    this.#delimit(field.originalTag, attribute);
  }

  #id(field: FieldPlan, value: unknown, size: 8 | 16, level: number): void {
    if (value === '') return;
    const before = this.#writer.length;
    if (typeof value !== 'string' || value.length % 2 !== 0 || !this.#writer.hex(value)) {
      const bytes = typeof value === 'string' ? unusualId(value, size) : undefined;
      if (bytes === undefined) {
        throw this.#fault(level, value, `it is neither hex nor base64 of ${size} bytes; send ${size * 2} hex digits`);
      }
      this.#writer.bytes(bytes);
    }
    this.#delimit(field.tag, before);
  }

  #text(tag: number, value: string, always: boolean): void {
    if (value === '' && !always) return;
    const before = this.#writer.length;
    this.#writer.text(value);
    this.#delimit(tag, before);
  }

  #bytes(tag: number, value: Uint8Array, always: boolean): void {
    if (value.length === 0 && !always) return;
    const before = this.#writer.length;
    this.#writer.bytes(value);
    this.#delimit(tag, before);
  }

  /** Closes what was written since `before` as a length-delimited field. */
  #delimit(tag: number, before: number): void {
    this.#writer.varint32(this.#writer.length - before);
    this.#writer.varint32(tag);
  }

  #notAnObject(plan: MessagePlan, value: unknown, level: number): AppError {
    const fix =
      plan.name === 'AnyValue'
        ? 'it is a bare value; wrap it, as in {"stringValue": "…"}'
        : 'it is not an object; send a JSON object';
    return this.#fault(level, value, fix);
  }

  #fault(level: number, value: unknown, why: string): AppError {
    const path = this.#path
      .slice(0, level)
      .map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`))
      .join('');
    return new AppError('bad_request', `cannot read ${path || 'the request'}=${excerpt(value)}: ${why}`);
  }
}

function excerpt(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '[…]' : '{…}';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > EXCERPT_CHARACTERS ? `${value.slice(0, EXCERPT_CHARACTERS)}…` : value);
}
