import { AppError, SIGNALS, type Signal } from '@glasshouse/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FieldSpec, type MessageName, MESSAGES, ROOT_MESSAGES } from './fields.ts';
import { jsonToProtobuf } from './json.ts';
import { snakeCase } from './json-plan.ts';
import { protobufTypes, referenceDecoder } from './json-reference.ts';

/** One value in two spellings: as protobufjs' `fromObject` takes it, and as a client may write it in JSON text. */
interface Spelled {
  readonly plain: unknown;
  readonly json: string;
}

const types = protobufTypes();
const decode = referenceDecoder();
/** Arbitraries already built, by message and depth; building each anew would take exponentially long. */
const known = new Map<string, fc.Arbitrary<Spelled>>();

/** Mutations for each signal. */
const MUTATIONS = 10_000;

const TOKENS = [
  'null',
  'true',
  '0',
  '-1',
  '1.5',
  '1e400',
  '-0',
  '4294967296',
  '9223372036854775808',
  '-9223372036854775809',
  '18446744073709551616',
  '1790000000000000001',
  '99999999999999999999999999',
  '""',
  '" "',
  '"x"',
  '"NaN"',
  '"1e5"',
  '"0x1"',
  '"\\ud800"',
  '"é"',
  '"0af"',
  '[]',
  '{}',
  '[null]',
  '[[]]',
  '[{}]',
  '{"stringValue":1}',
  '"ffffffffffffffff"',
];

/** How often a message may still contain a message; at 0 only scalars are left. */
const DEPTH = 9;

function spelled(plain: unknown, json: string): Spelled {
  return { plain, json };
}

function spellings<T>(values: fc.Arbitrary<T>, ...spell: ((value: T) => Spelled)[]): fc.Arbitrary<Spelled> {
  return fc.tuple(values, fc.constantFrom(...spell)).map(([value, how]) => how(value));
}

function integers(values: fc.Arbitrary<bigint>): fc.Arbitrary<Spelled> {
  return spellings(
    values,
    (value) => spelled(value.toString(), `"${value}"`),
    (value) => spelled(value.toString(), value.toString()),
    (value) => spelled(value.toString(), `"${value}.0"`),
    (value) => spelled(value.toString(), `${value}.00`),
    (value) => spelled((value - (value % 1000n)).toString(), `${value / 1000n}e3`),
    (value) => spelled((value - (value % 10n)).toString(), `"${value / 10n}.00e+1"`),
  );
}

function smallIntegers(min: number, max: number): fc.Arbitrary<Spelled> {
  return spellings(
    fc.integer({ min, max }),
    (value) => spelled(value, String(value)),
    (value) => spelled(value, `"${value}"`),
    (value) => spelled(value, `${value}e0`),
  );
}

function bytes(size: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength: size, maxLength: size }).map((value) => Buffer.from(value));
}

function ids(size: number): fc.Arbitrary<Spelled> {
  return spellings(
    bytes(size),
    (id) => spelled(id.toString('base64'), `"${id.toString('hex')}"`),
    (id) => spelled(id.toString('base64'), `"${id.toString('hex').toUpperCase()}"`),
    (id) => spelled(id.toString('base64'), `"${id.toString('base64')}"`),
  );
}

function scalars(field: FieldSpec): fc.Arbitrary<Spelled> {
  switch (field.kind) {
    case 'string':
      return spellings(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ unit: 'binary-ascii', maxLength: 200 })),
        (text) => spelled(text, JSON.stringify(text)),
      );
    case 'bytes':
      return spellings(
        fc.uint8Array().map((value) => Buffer.from(value)),
        (value) => spelled(value.toString('base64'), `"${value.toString('base64')}"`),
        (value) => spelled(value.toString('base64'), `"${value.toString('base64url')}"`),
      );
    case 'traceId':
      return ids(16);
    case 'spanId':
      return ids(8);
    case 'bool':
      return spellings(
        fc.boolean(),
        (value) => spelled(value, String(value)),
        (value) => spelled(value, `"${value}"`),
      );
    case 'uint32':
    case 'fixed32':
      return smallIntegers(0, 0xffff_ffff);
    case 'sint32':
      return smallIntegers(-0x8000_0000, 0x7fff_ffff);
    case 'int64':
    case 'sfixed64':
      return integers(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
    case 'uint64':
    case 'fixed64':
      return integers(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
    case 'double':
      return spellings(
        fc.double(),
        (value) => spelled(value, Number.isFinite(value) ? minusZero(value) : `"${value}"`),
        (value) => spelled(value, `"${minusZero(value)}"`),
      );
    default: {
      const { prefix, names } = field.values ?? { prefix: '', names: [] };
      return spellings(
        fc.nat({ max: names.length - 1 }),
        (value) => spelled(value, String(value)),
        (value) => spelled(value, `"${value}"`),
        (value) => spelled(value, `"${prefix}${names[value]}"`),
        (value) => spelled(value, `"${names[value]?.toLowerCase()}"`),
      );
    }
  }
}

function minusZero(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function fields(field: FieldSpec, depth: number): fc.Arbitrary<Spelled> {
  const single = field.message === undefined ? scalars(field) : messages(field.message, depth - 1);
  if (!field.repeated) return single;
  return fc.array(single, { maxLength: 3 }).map((items) =>
    spelled(
      items.map((item) => item.plain),
      `[${items.map((item) => item.json).join()}]`,
    ),
  );
}

/** At most one field of each oneof, any subset of the others, keys of either style, and keys that mean nothing. */
function messages(name: MessageName, depth: number): fc.Arbitrary<Spelled> {
  const id = `${name} ${depth}`;
  const made = known.get(id) ?? makeMessages(name, depth);
  known.set(id, made);
  return made;
}

function makeMessages(name: MessageName, depth: number): fc.Arbitrary<Spelled> {
  const usable = MESSAGES[name].filter((field) => field.message === undefined || depth > 0);
  const groups = new Map<string, FieldSpec[]>();
  for (const field of usable)
    groups.set(field.oneof ?? field.name, [...(groups.get(field.oneof ?? field.name) ?? []), field]);
  const entries = [...groups.values()].map((group) =>
    fc.oneof(
      { weight: 1, arbitrary: fc.constant(undefined) },
      ...group.map((field) => ({
        weight: 4,
        arbitrary: fc
          .tuple(fc.constantFrom(field.name, snakeCase(field.name)), fields(field, depth))
          .map(([key, value]) => ({
            key,
            name: field.name,
            value,
          })),
      })),
    ),
  );
  const noise = fc.constantFrom('', '"resource":{"attributes":[[]]},', '"unknown_key":1.5,', '"__proto__":{"name":1},');
  return fc.tuple(noise, ...entries).map(([junk, ...chosen]) => {
    const set = chosen.filter((entry) => entry !== undefined);
    const unknown = MESSAGES[name].some((field) => field.name === 'resource') ? '' : junk;
    const body = set.map(({ key, value }) => `${JSON.stringify(key)}: ${value.json}`).join();
    return spelled(
      Object.fromEntries(set.map((entry) => [entry.name, entry.value.plain])),
      `{${unknown}${unknown !== '' && body === '' ? '"x":null' : body}}`,
    );
  });
}

function requests(signal: Signal): fc.Arbitrary<Spelled> {
  return messages(ROOT_MESSAGES[signal], DEPTH);
}

describe('random requests', () => {
  for (const signal of SIGNALS) {
    it(`mean the same in protobuf as in JSON (${signal})`, () => {
      const type = types.get(ROOT_MESSAGES[signal]);
      fc.assert(
        fc.property(requests(signal), ({ plain, json }) => {
          const expected =
            type?.encode(type.fromObject(plain as Record<string, unknown>)).finish() ?? new Uint8Array(0);
          expect(decode(signal, jsonToProtobuf(signal, Buffer.from(json)))).toEqual(decode(signal, expected));
        }),
        { numRuns: 400 },
      );
    });
  }
});

describe('mutated requests', () => {
  for (const signal of SIGNALS) {
    it(`are read or refused with bad_request, never anything else (${signal})`, () => {
      const samples = fc.sample(requests(signal), 100).map(({ json }) => Buffer.from(json));
      const random = new Random(0x9e37_79b9);
      const surprises: unknown[] = [];
      for (let round = 0; round < MUTATIONS; round += 1) {
        const body = mutate(samples[random.below(samples.length)] ?? Buffer.alloc(0), random);
        try {
          decode(signal, jsonToProtobuf(signal, body));
        } catch (error) {
          const expected =
            error instanceof AppError && error.code === 'bad_request' && error.message.startsWith('cannot ');
          if (!expected) surprises.push({ round, body: body.toString('latin1'), error });
        }
      }
      expect(surprises).toEqual([]);
    });
  }
});

/** A small generator with a fixed seed: fast-check's own bookkeeping would take most of the time of a fuzz run. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
}

/** Changes one to four places: a byte, a cut, a repeated piece, or a token that a careless client could have put there. */
function mutate(sample: Buffer, random: Random): Buffer {
  let body: Buffer = Buffer.from(sample);
  for (let count = 1 + random.below(4); count > 0; count -= 1) {
    const at = random.below(body.length + 1);
    const to = Math.min(body.length, at + random.below(12));
    switch (random.below(4)) {
      case 0:
        if (at < body.length) body[at] = random.below(256);
        break;
      case 1:
        body = Buffer.concat([body.subarray(0, at), body.subarray(to)]);
        break;
      case 2:
        body = Buffer.concat([body.subarray(0, to), body.subarray(at)]);
        break;
      default:
        body = replaceValue(body, at, TOKENS[random.below(TOKENS.length)] ?? '');
    }
  }
  return body;
}

/** Puts the token in the place of the JSON value that starts after the next colon, as far as one can see its end. */
function replaceValue(body: Buffer, at: number, token: string): Buffer {
  const text = body.toString('latin1');
  const start = text.indexOf(':', at) + 1;
  const end = start + (/^\s*(?:"[^"]*"|[-+.\w]+|[[{])/.exec(text.slice(start, start + 300))?.[0].length ?? 0);
  return Buffer.from(text.slice(0, start) + token + text.slice(end), 'latin1');
}
