/**
 * Random lines into random schemas on the real engine: every line ends in the data source or in its quarantine, byte for byte, and in
 * the one where a small model of the rules says. Seeded, so that a failure comes again.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataSource, Stage } from './stage.suite.ts';

const SCHEMAS = 16;
const LINES = 400;

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
});

afterAll(async () => stage.close());

type Random = () => number;

/** A generator of numbers below 1 (mulberry32). */
function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

/** Whether the JSON text of a value, which is not null, fits; undefined where the model does not know. */
type Fits = (json: string) => boolean | undefined;

const isString = (json: string): boolean => json.startsWith('"');
const text = (json: string): string => (isString(json) ? String(JSON.parse(json)) : json);
const isNested = (json: string): boolean => /^[{[]/.test(json);

const whole =
  (low: bigint, high: bigint): Fits =>
  (json) => {
    if (isNested(json)) return false;
    const value = text(json);
    if (value === 'true' || value === 'false') return true;
    const digits = /^(-?\d+)(?:\.0+)?$/.exec(value)?.[1];
    if (digits === undefined) return isString(json) || /^-?\d+\.\d*[1-9]$/.test(value) ? false : undefined;
    return BigInt(digits) >= low && BigInt(digits) <= high;
  };

const ifOpens =
  (bracket: string): Fits =>
  (json) =>
    json.startsWith(bracket) ? undefined : false;

const BOOLEANS = ['true', 'false', '1', '0', 'True', 'False', 'TRUE', 'FALSE'];

/** A type, what the model knows of it, and values that fit. */
const TYPES: readonly (readonly [type: string, fits: Fits, samples: readonly string[]])[] = [
  ['UInt8', whole(0n, 255n), ['0', '255', '1.0', '"7"', 'true']],
  ['Int16', whole(-32768n, 32767n), ['-32768', '5', '"-5"']],
  ['UInt64', whole(0n, 2n ** 64n - 1n), ['18446744073709551615', '9007199254740993', '0']],
  ['Int256', whole(-(2n ** 255n), 2n ** 255n - 1n), ['-5', String(10n ** 70n), '1.0']],
  ['String', () => true, ['"x"', '1.10', '{"a": 1.10}', '"\\ud83d"', '""', '-0', '[1e5]']],
  ['LowCardinality(String)', () => true, ['"x"', '"y"']],
  [
    'FixedString(4)',
    (json) => (isNested(json) ? undefined : Buffer.byteLength(text(json)) <= 4),
    ['"abcd"', '12', '""'],
  ],
  ['Bool', (json) => (isNested(json) ? false : BOOLEANS.includes(text(json)) || undefined), ['true', 'false', '1']],
  ['Float64', (json) => (isNested(json) ? false : undefined), ['0.1', '-1e300', '"2.5"', '7', '"NaN"']],
  [
    'Decimal(12, 3)',
    (json) => (isNested(json) || json === 'true' ? false : undefined),
    ['1.10', '999999999.999', '"5"'],
  ],
  [
    'DateTime',
    (json) => (isNested(json) || json.length < 4 ? false : undefined),
    ['"2025-01-01T00:00:00Z"', '1735689600'],
  ],
  ['DateTime64(6)', () => undefined, ['"2025-01-01 00:00:00.123456"', '1735689600123']],
  ['Date', () => undefined, ['"2025-01-31"', '"2025-01-31T10:00:00+02:00"']],
  ['UUID', (json) => (isNested(json) ? false : undefined), ['"6f1c3d0e-7c1b-4d7d-9a53-0a2f3b8d1e11"']],
  [
    "Enum8('a' = 1, 'b' = 2)",
    (json) => (isNested(json) ? false : ['a', 'b', '1', '2'].includes(text(json)) || undefined),
    ['"a"', '2'],
  ],
  ['Array(String)', ifOpens('['), ['["a","b"]', '[]', '[1.10, "é"]', '[{"x":1}]']],
  ['Array(UInt16)', ifOpens('['), ['[1,65535,"3"]', '[]']],
  ['Array(Float32)', ifOpens('['), ['[0.1,2]', '[]']],
  ['Array(Map(String, String))', ifOpens('['), ['[{"a":"b","c":null}]', '[]', '[{"n": 1.10}]']],
  ['Map(String, String)', (json) => json.startsWith('{'), ['{"a":"b"}', '{}', '{"a":null,"b":[1]}']],
  ['Map(String, Float64)', ifOpens('{'), ['{"a":1.5}', '{}']],
  ['Tuple(a UInt8, b String)', (json) => (isNested(json) ? undefined : false), ['{"a":1,"b":"x"}', '[1,"x"]']],
  ['IPv6', (json) => (isNested(json) ? false : undefined), ['"::1"', '"1.2.3.4"']],
  ['JSON', ifOpens('{'), ['{"a":{"b":[1,"x"]}}', '{}']],
];

const DEFAULTS: Readonly<Record<string, string>> = {
  String: `'none'`,
  UInt8: '7',
  'Array(String)': '[]',
  DateTime: 'now()',
  Bool: 'false',
  'Map(String, String)': 'map()',
};

interface Field {
  readonly keys: readonly string[];
  readonly type: string;
  readonly fits: Fits;
  readonly samples: readonly string[];
  readonly nullable: boolean;
  readonly expression: string | undefined;
}

const KEYS = ['a', 'b', 'key', 'a.b', 'ünï', 'with space', '$x', "it's", '"q"'];

function randomFields(random: Random): Field[] {
  const used = new Set<string>();
  return Array.from({ length: 3 + Math.floor(random() * 8) }, () => {
    const [type, fits, samples] = pick(random, TYPES);
    const keys = Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(random, KEYS));
    // A value is an object or it is not: paths through one another would make the model large.
    const path = keys.join('\0');
    if ([...used].some((other) => other.startsWith(path) || path.startsWith(other))) return undefined;
    used.add(path);
    const nullable = random() < 0.3 && !/^(?:Array|Map|Tuple|JSON|LowCardinality)/.test(type);
    return { keys, type, fits, samples, nullable, expression: random() < 0.4 ? DEFAULTS[type] : undefined };
  }).filter((field) => field !== undefined);
}

function randomString(random: Random): string {
  const parts = [
    'x',
    '',
    'ok',
    '1.10',
    '70000',
    '-1',
    'é',
    '😀',
    '\\u0041',
    '\\"',
    '\\\\',
    '\\ud800',
    '\\n',
    '{',
    '[1',
    'null',
    '2025-01-01T00:00:00Z',
    ' ',
  ];
  return `"${Array.from({ length: Math.floor(random() * 3) }, () => pick(random, parts)).join('')}"`;
}

function randomNumber(random: Random): string {
  const numbers = [
    '0',
    '-0',
    '1',
    '255',
    '256',
    '-1',
    '70000',
    '1.5',
    '1.10',
    '2.0',
    '1e2',
    '1E-3',
    '9007199254740993',
    '18446744073709551616',
    '1735689600',
    '1735689600123',
    '1e400',
    '0.30000000000000004',
    '-9.99e22',
    String(10n ** 76n),
  ];
  return random() < 0.8 ? pick(random, numbers) : String((random() - 0.5) * 10 ** Math.floor(random() * 30));
}

function randomValue(random: Random, depth = 0): string {
  const kind = random();
  const space = random() < 0.2 ? ' ' : '';
  if (kind < 0.3) return randomString(random);
  if (kind < 0.6) return randomNumber(random);
  if (kind < 0.7) return pick(random, ['true', 'false', 'null']);
  if (depth > 3) return '[]';
  const items = Array.from({ length: Math.floor(random() * 4) }, () => randomValue(random, depth + 1));
  if (kind < 0.85) return `[${space}${items.join(`,${space}`)}]`;
  const keys = ['a', 'b', 'k', 'ünï', '\\u0061'];
  return `{${items.map((item) => `"${pick(random, keys)}"${space}:${space}${item}`).join(`,${space}`)}}`;
}

interface Tree {
  [key: string]: Tree | string;
}

/** A line for the fields, with other keys among them; and for each field the JSON of its value, or undefined. */
function randomRow(random: Random, fields: readonly Field[]): { line: string; values: (string | undefined)[] } {
  const tree: Tree = {};
  const values = fields.map(({ keys, samples }) => {
    const kind = random();
    const value = kind < 0.9 ? pick(random, samples) : kind < 0.95 ? randomValue(random) : undefined;
    if (value === undefined) return undefined;
    let node = tree;
    for (const key of keys.slice(0, -1)) node = (node[key] ??= {}) as Tree;
    node[keys.at(-1) ?? ''] = value;
    return value === 'null' ? undefined : value;
  });
  if (random() < 0.5) tree['other'] = randomValue(random);
  const spaced = random() < 0.3 ? ' ' : '';
  const write = (node: Tree | string): string =>
    typeof node === 'string'
      ? node
      : `{${Object.entries(node)
          .map(([key, value]) => `${JSON.stringify(key)}:${spaced}${write(value)}`)
          .join(`,${spaced}`)}}`;
  return { line: write(tree), values };
}

/** True, false, or undefined where the model does not know. */
function expectation(fields: readonly Field[], values: readonly (string | undefined)[]): boolean | undefined {
  const verdicts = fields.map(({ fits, nullable, expression }, index) => {
    const value = values[index];
    return value === undefined ? nullable || expression !== undefined : fits(value);
  });
  if (verdicts.includes(false)) return false;
  return verdicts.includes(undefined) ? undefined : true;
}

/** Cuts, doubles or changes bytes: mostly no JSON any more. */
function damaged(random: Random, line: string): Buffer {
  const bytes = Buffer.from(line);
  const at = Math.floor(random() * bytes.length);
  const kind = random();
  if (kind < 0.3) return bytes.subarray(0, at);
  if (kind < 0.5) return Buffer.concat([bytes, bytes]);
  bytes[at] = Math.floor(random() * 256);
  return Buffer.from(bytes.map((byte) => (byte === 10 ? 32 : byte)));
}

function pathOf(keys: readonly string[]): string {
  return `$${keys.map((key) => `[${JSON.stringify(key)}]`).join('')}`;
}

describe('lines of every kind', () => {
  it.each(Array.from({ length: SCHEMAS }, (_, seed) => seed))('are all there, schema %i', async (seed) => {
    const random = seeded(seed + 1);
    const fields = randomFields(random);
    const source = dataSource([
      ...fields.map(({ keys, type, nullable, expression }, index) => {
        const column = { name: `c${index}`, type: nullable ? `Nullable(${type})` : type, jsonPath: pathOf(keys) };
        return expression === undefined ? column : ({ ...column, kind: 'DEFAULT', expression } as const);
      }),
      ['whole_line', 'String', '$'],
    ]);
    const rows = Array.from({ length: LINES }, () => randomRow(random, fields));
    const broken = rows.map((row) => (random() < 0.1 ? damaged(random, row.line) : undefined));
    const lines = rows.map((row, index) => broken[index] ?? Buffer.from(row.line));
    await stage.run(source, lines);
    const hexOf = async (sql: string): Promise<string[]> => (await stage.rows<{ h: string }>(sql)).map(({ h }) => h);
    const good = await hexOf('SELECT hex(whole_line) AS h FROM source');
    const bad = await hexOf('SELECT hex(c__line) AS h FROM source_quarantine WHERE notEmpty(c__error)');
    expect([...good, ...bad].toSorted()).toEqual(lines.map((line) => line.toString('hex').toUpperCase()).toSorted());
    // Both are put to the test.
    expect(Math.min(good.length, bad.length)).toBeGreaterThan(LINES / 20);
    const stored = new Set(good);
    const wrong = rows.flatMap(({ line, values }, index) => {
      const fits = broken[index] === undefined ? expectation(fields, values) : undefined;
      const isStored = stored.has(Buffer.from(line).toString('hex').toUpperCase());
      return fits === undefined || fits === isStored ? [] : [{ line, fits, types: fields.map(({ type }) => type) }];
    });
    expect(wrong).toEqual([]);
  });
});
