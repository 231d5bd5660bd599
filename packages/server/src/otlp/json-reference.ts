/**
 * Test support: the field table as a protobufjs schema, to decode what the JSON reader writes with somebody else's
 * decoder. Separate because several tests use it; never imported by the server.
 */
import type { Signal } from '@glasshouse/model';
import protobuf from 'protobufjs';
import { type FieldSpec, type MessageName, MESSAGES, ROOT_MESSAGES } from './fields.ts';

/** The messages of the table as protobufjs types. Enums are int32, which have the same encoding. */
export function protobufTypes(): Map<MessageName, protobuf.Type> {
  const root = new protobuf.Root();
  const types = new Map<MessageName, protobuf.Type>();
  for (const name of Object.keys(MESSAGES) as MessageName[]) {
    const type = new protobuf.Type(name);
    const groups = new Map<string, string[]>();
    for (const field of MESSAGES[name]) {
      type.add(
        new protobuf.Field(field.name, field.number, protobufKind(field), field.repeated ? 'repeated' : undefined),
      );
      if (field.oneof !== undefined) groups.set(field.oneof, [...(groups.get(field.oneof) ?? []), field.name]);
    }
    for (const [group, members] of groups) type.add(new protobuf.OneOf(group, members));
    types.set(name, type);
    root.add(type);
  }
  root.resolveAll();
  return types;
}

function protobufKind(field: FieldSpec): string {
  if (field.kind === 'message') return field.message ?? '';
  if (field.kind === 'enum') return 'int32';
  return field.kind === 'traceId' || field.kind === 'spanId' ? 'bytes' : field.kind;
}

/** Decodes requests into plain objects: 64-bit integers as strings, bytes as base64, scalars that were not sent as zero. */
export function referenceDecoder(): (signal: Signal, bytes: Uint8Array) => Record<string, unknown> {
  const types = protobufTypes();
  return (signal, bytes) => {
    const type = types.get(ROOT_MESSAGES[signal]) as protobuf.Type;
    return type.toObject(type.decode(bytes), { longs: String, bytes: String, defaults: true });
  };
}
