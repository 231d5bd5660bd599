/**
 * The field table made ready for reading JSON: for each message, a map from JSON key to field, with the wire tag, the
 * linked message and the enum names already worked out. Separate from the table, which stays plain data.
 *
 * Must stay true: both the camelCase and the snake_case name of a field lead to the same entry.
 */
import { type EnumSpec, type FieldKind, type FieldSpec, type MessageName, MESSAGES } from './fields.ts';

/** What the reader needs to know of one field. Every property is always present: one object shape keeps lookups fast. */
export interface FieldPlan {
  readonly kind: FieldKind;
  readonly repeated: boolean;
  /** Sent even when it has the default value of its type. */
  readonly always: boolean;
  /** Field number and wire type of one value, as a varint. */
  readonly tag: number;
  readonly message: MessagePlan | undefined;
  readonly values: EnumPlan | undefined;
  /** Tag of the attribute list that takes the original of a cut trace id; 0 when there is none. */
  readonly originalTag: number;
  /** Tag of the double that takes a bare number which is no 64-bit integer; 0 when there is none. */
  readonly doubleTag: number;
}

export interface MessagePlan {
  readonly name: MessageName;
  readonly fields: Map<string, FieldPlan>;
}

export interface EnumPlan {
  /** Number by upper-case name, with the prefix and without. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Two of the names, for error messages. */
  readonly example: string;
}

export const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

const WIRE_TYPES: Readonly<Record<FieldKind, number>> = {
  string: WIRE_BYTES,
  bytes: WIRE_BYTES,
  traceId: WIRE_BYTES,
  spanId: WIRE_BYTES,
  bool: WIRE_VARINT,
  uint32: WIRE_VARINT,
  sint32: WIRE_VARINT,
  fixed32: WIRE_FIXED32,
  int64: WIRE_VARINT,
  uint64: WIRE_VARINT,
  fixed64: WIRE_FIXED64,
  sfixed64: WIRE_FIXED64,
  double: WIRE_FIXED64,
  enum: WIRE_VARINT,
  message: WIRE_BYTES,
};

/** The tag varint of a field. */
export function wireTag(number: number, wireType: number): number {
  return number * 8 + wireType;
}

/** Works the whole table out. Messages are linked first and filled afterwards, because AnyValue contains itself. */
export function planMessages(): Readonly<Record<MessageName, MessagePlan>> {
  const plans = {} as Record<MessageName, MessagePlan>;
  const names = Object.keys(MESSAGES) as MessageName[];
  for (const name of names) plans[name] = { name, fields: new Map() };
  for (const name of names) {
    for (const field of MESSAGES[name]) {
      const plan = planField(field, plans);
      plans[name].fields.set(field.name, plan);
      plans[name].fields.set(snakeCase(field.name), plan);
    }
  }
  return plans;
}

function planField(field: FieldSpec, plans: Readonly<Record<MessageName, MessagePlan>>): FieldPlan {
  const isPacked = field.repeated === true && WIRE_TYPES[field.kind] !== WIRE_BYTES;
  return {
    kind: field.kind,
    repeated: field.repeated === true,
    always: field.oneof !== undefined || field.repeated === true,
    tag: wireTag(field.number, isPacked ? WIRE_BYTES : WIRE_TYPES[field.kind]),
    message: field.message === undefined ? undefined : plans[field.message],
    values: field.values === undefined ? undefined : planEnum(field.values),
    originalTag: field.originalInto === undefined ? 0 : wireTag(field.originalInto, WIRE_BYTES),
    doubleTag: field.elseDouble === undefined ? 0 : wireTag(field.elseDouble, WIRE_FIXED64),
  };
}

function planEnum(values: EnumSpec): EnumPlan {
  const numbers = new Map<string, number>();
  for (const [number, name] of values.names.entries()) {
    numbers.set(name, number);
    numbers.set(values.prefix + name, number);
  }
  return { numbers, example: `${values.prefix}${values.names[1]}` };
}

/** `timeUnixNano` → `time_unix_nano`. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
