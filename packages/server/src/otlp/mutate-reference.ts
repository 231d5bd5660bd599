/**
 * Test support: damages protobuf messages, for the fuzz tests of the decoders. Separate because the fuzz test and runs by
 * hand share it; never imported by the server.
 */

import type { MessageName } from './fields.ts';
import { MESSAGES } from './fields.ts';
import type { WireField } from './wire-reference.ts';
import { joinFields, Random, rewrite, splitFields, varint } from './wire-reference.ts';

const GIANTS = [2n ** 31n - 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, 0x7fn, 0x3fffn].map(
  (value) => varint(value),
);
const TAGS = Buffer.from([
  0x00, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x12, 0x1a, 0x21, 0x2a, 0x32, 0x39, 0x3a, 0x41, 0x4a, 0x5a, 0x7f, 0x80,
  0xff,
]);

/** A damaged message, made from one of the samples and pieces of the others. */
export function damaged(name: MessageName, samples: readonly Buffer[], random: Random): Buffer {
  const sample = random.pick(samples);
  switch (random.below(12)) {
    case 0:
      return random.bytes(random.below(200));
    case 1:
      return nested(sample, random);
    case 2:
      return mutateBytes(rewrite(name, sample, random), samples, random);
    case 3:
    case 4:
      return mutateBytes(sample, samples, random);
    default: {
      let message = sample;
      for (let count = 1 + random.below(3); count > 0; count--) message = mutateFields(name, message, samples, random);
      return random.chance(20) ? mutateBytes(message, samples, random) : message;
    }
  }
}

/** Changes one to four places without regard to fields. */
function mutateBytes(sample: Buffer, samples: readonly Buffer[], random: Random): Buffer {
  let body = Buffer.from(sample);
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = random.below(body.length + 1);
    const to = Math.min(body.length, at + random.below(40));
    const other = random.pick(samples);
    const from = random.below(other.length + 1);
    const insert = (piece: Buffer): Buffer<ArrayBuffer> =>
      Buffer.concat([body.subarray(0, at), piece, body.subarray(to)]);
    switch (random.below(8)) {
      case 0:
      case 1:
        if (at < body.length) body.writeUInt8(body.readUInt8(at) ^ (1 << random.below(8)), at);
        break;
      case 2:
        if (at < body.length) body.writeUInt8(TAGS.readUInt8(random.below(TAGS.length)), at);
        break;
      case 3:
        body = body.subarray(0, at);
        break;
      case 4:
        body = insert(Buffer.alloc(0));
        break;
      case 5:
        body = insert(other.subarray(from, from + random.below(60)));
        break;
      case 6:
        body = insert(random.pick(GIANTS));
        break;
      default:
        body = insert(random.bytes(random.below(12)));
    }
  }
  return body;
}

/** Changes one field somewhere in the tree, with the lengths around it right again. */
function mutateFields(name: MessageName, message: Buffer, samples: readonly Buffer[], random: Random): Buffer {
  let fields: WireField[];
  try {
    fields = splitFields(message);
  } catch {
    return mutateBytes(message, samples, random);
  }
  if (fields.length === 0) return random.bytes(random.below(12));
  const at = random.below(fields.length);
  const field = fields[at] as WireField;
  const spec = MESSAGES[name].find(({ number }) => number === field.number);
  if (spec?.message !== undefined && field.wireType === 2 && random.chance(85)) {
    fields[at] = { ...field, value: mutateFields(spec.message, field.value, samples, random) };
    return joinFields(fields);
  }
  switch (random.below(7)) {
    case 0:
      fields.splice(at, 1);
      break;
    case 1:
      fields.splice(random.below(fields.length), 0, field);
      break;
    case 2:
      fields.push(...fields.splice(at, 1));
      break;
    case 3:
      // A value of a length that its type does not have. For anything but wire type 2 what follows is then read as fields.
      return Buffer.concat([
        joinFields(fields.slice(0, at)),
        varint(BigInt(field.number * 8 + field.wireType), random.chance(20) ? 10 : 1),
        field.wireType === 2
          ? varint(BigInt(Math.max(0, field.value.length + random.below(5) - 2)), 1 + random.below(10))
          : Buffer.alloc(0),
        field.value.subarray(0, random.below(field.value.length + 1)),
        joinFields(fields.slice(at + 1)),
      ]);
    case 4:
      fields[at] = { ...field, number: 1 + random.below(17) };
      break;
    case 5:
      fields[at] = { ...field, wireType: 2, value: random.bytes(random.below(24)) };
      break;
    default:
      fields[at] = {
        ...field,
        ...random.pick([
          { wireType: 0, value: varint(2n ** BigInt(random.below(64)), 1 + random.below(10)) },
          { wireType: 1, value: random.bytes(8) },
          { wireType: 5, value: random.bytes(4) },
        ]),
      };
  }
  return joinFields(fields);
}

/** Wraps the end of the message into up to a hundred arrays, lists, or whatever field it may be. */
function nested(sample: Buffer, random: Random): Buffer {
  const tags = random.pick([
    [0x0a, 0x2a],
    [0x0a, 0x32, 0x12],
    [0x0a, 0x12, 0x4a],
  ]);
  let inner = sample.subarray(random.below(sample.length + 1));
  for (let level = random.below(200); level >= 0; level--) {
    inner = Buffer.concat([Buffer.from([tags[level % tags.length] ?? 0x0a]), varint(BigInt(inner.length)), inner]);
  }
  return inner;
}
