/**
 * A hand for writing and reading Protocol Buffers messages field by field: the tests need messages that no SDK would make,
 * cut, wrong and hostile ones, so no encoder that knows the schema would do.
 */

/** A value of wire type 0, of at most 64 bits. */
export function varint(field: number, value: bigint | number): Buffer {
  return Buffer.from([...varintBytes(BigInt(field) << 3n), ...varintBytes(BigInt.asUintN(64, BigInt(value)))]);
}

/** A value of wire type 1: fixed64 or sfixed64. */
export function fixed64(field: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return Buffer.concat([Buffer.from(varintBytes((BigInt(field) << 3n) | 1n)), bytes]);
}

/** A value of wire type 1: double. */
export function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return fixed64(field, bytes.readBigUInt64LE());
}

/** A value of wire type 2: text, bytes, or a message given by its fields. */
export function nested(field: number, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array)));
  return Buffer.concat([
    Buffer.from([...varintBytes((BigInt(field) << 3n) | 2n), ...varintBytes(BigInt(body.length))]),
    body,
  ]);
}

function varintBytes(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return bytes;
}

/** The fields of a message by number: varints as numbers, nested ones as bytes. Enough for the answers of OTLP. */
export function readFields(message: Uint8Array): ReadonlyMap<number, Buffer | number> {
  const fields = new Map<number, Buffer | number>();
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('cannot read the message: it is cut off');
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = next();
    if ((tag & 7) === 0) {
      fields.set(tag >> 3, next());
      continue;
    }
    const length = next();
    fields.set(tag >> 3, Buffer.from(message.subarray(at, at + length)));
    at += length;
  }
  return fields;
}
