/** Lines that are scanned, beside the same lines read as a whole: the rows have to be the same, whatever is in the lines. */

import { LINE_DIALECTS, LineSlots, plainValues, type GenerationValues } from '@glasshouse/generations';
import { describe, expect, it } from 'vitest';
// oxlint-disable-next-line no-restricted-imports -- test support, which that package doesn't export
import { Dice, fuzzRecord } from '../../../generations/src/fuzz.suite.ts';
// oxlint-disable-next-line no-restricted-imports -- test support, which that package doesn't export
import { FIXTURES } from '../../../generations/src/fixtures.suite.ts';
import { CallLines } from './call-lines.ts';
import { LineScan } from './line-scan.ts';

const whole = new LineSlots(LINE_DIALECTS);
const lines = new CallLines(LINE_DIALECTS);
const scanned = new LineSlots(LINE_DIALECTS);
const scan = new LineScan(scanned);

/** Between other bytes, as in a body. */
function inBody(text: string): { bytes: Buffer; start: number; end: number } {
  const line = Buffer.from(text);
  const bytes = Buffer.concat([Buffer.from('{"a":1}\n'), line, Buffer.from('}\n"{"a":1}')]);
  return { bytes, start: 8, end: 8 + line.length };
}

function readWhole(line: string): GenerationValues | undefined {
  whole.fillLine(line);
  return whole.read();
}

function expectSame(text: string): void {
  const { bytes, start, end } = inBody(text);
  // What is no Unicode is replaced on the way into bytes.
  const wanted = readWhole(bytes.toString('utf8', start, end));
  const values = lines.read(bytes, start, end, true);
  const found = values === undefined ? undefined : plainValues(values);
  if (JSON.stringify(found) !== JSON.stringify(wanted)) expect([text, found]).toEqual([text, wanted]);
}

function isScanned(text: string): boolean {
  const { bytes, start, end } = inBody(text);
  return scan.scan(bytes, start, end);
}

/** Undefined for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A line that was read from the fixtures' own JSON. */
const KNOWN = FIXTURES.flatMap(({ record }) => (typeof record === 'string' ? [record] : []));

describe('a line', () => {
  it.each(KNOWN)('of a client is scanned, and is the row that it is: %s', (text) => {
    expect(isScanned(text)).toBe(true);
    expectSame(text);
    expect(readWhole(text)).toBeDefined();
  });

  it.each(KNOWN)('is the same with white space and escapes, as other clients write it: %s', (text) => {
    const value = JSON.parse(text) as unknown;
    const spaced = JSON.stringify(value, null, 2);
    expect(isScanned(spaced)).toBe(true);
    expectSame(spaced);
    expectSame(spaced.replaceAll('\n', '\r\n\t'));
    expectSame(
      text.replaceAll(/[\u0080-\u{10ffff}]/gu, (char) =>
        [...Array(char.length).keys()].map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
      ),
    );
  });

  it.each([
    ['a key that comes twice', '{"model":"a","start_time":"2026-01-01T00:00:00Z","model":"b"}'],
    [
      'an object that comes twice',
      '{"model":"a","start_time":"2026-01-01T00:00:00Z","response":{"id":"x"},"response":{"model":"m"}}',
    ],
    ['a key with an escape', '{"mod\\u0065l":"a","start_time":"2026-01-01T00:00:00Z"}'],
    ['one very deep', `{"model":"a","start_time":"2026-01-01T00:00:00Z","x":${'['.repeat(70)}${']'.repeat(70)}}`],
  ])('with %s is read as a whole', (_, text) => {
    expect(isScanned(text)).toBe(false);
    expectSame(text);
    expect(readWhole(text)).toBeDefined();
  });

  const event = (more: string): string => `{"model":"a","start_time":"2026-01-01T00:00:00Z",${more}}`;

  it.each([
    event('"messages":[{"role":"user","content":"a\\"b\\\\c\\nd\\te"}]'),
    event('"messages":[{"role":"user","content":"a\\/b"}]'),
    event('"messages":[{"role":"user","content":"\\u00e9\\u0001\\ud83d\\ude00\\ud800"}]'),
    event('"messages":[{"role": "user"}]'),
    event('"messages":[{"a":1,"a":2}]'),
    event('"messages":[{"2":1,"1":2,"b":0,"0x":1}]'),
    event('"messages":[{"__proto__":1,"constructor":{}}]'),
    event('"messages":[1.50,-0,0,-1,1e2,1E+2,12345678901234567890,0.1,123456789012345,1234567890123456]'),
    event('"messages":{"z":1,"a":{"z":[],"a":{}}}'),
    event('"messages":"[{\\"role\\":\\"user\\"}]"'),
    event('"messages":"\\u0000"'),
    event('"messages":[]'),
    event('"messages":{}'),
    event('"messages":null,"user":null'),
    event('"proxy_metadata":{"project":"p","extra":{"b":1,"b":2},"chat_id":7}'),
    event('"proxy_metadata":{"project":"p","9":1,"1":2}'),
    event('"proxy_metadata":{"project":"p", "chat_id":"c"}'),
    event('"proxy_metadata":"{\\"project\\":\\"p\\"}"'),
    event('"proxy_metadata":[1,{"project":"p"}]'),
    event('"response":{"choices":[{"finish_reason":"stop"},{"finish_reason":"no"}]}'),
    event('"response":{"choices":[]}'),
    event('"response":{"choices":[null,{"finish_reason":"no"}]}'),
    event('"response":{"choices":{"0":{"finish_reason":"no"}}}'),
    event('"response":"{\\"usage\\":{\\"prompt_tokens\\":5}}"'),
    event('"response":"  [1]"'),
    event('"response":7'),
    event('"response":true,"stream":false'),
    event('"stream":"true","cache_hit":1'),
    event('"prompt_tokens":99999999999999'),
    event('"prompt_tokens":999999999999999'),
    event('"prompt_tokens":-0'),
    event('"prompt_tokens":1.0'),
    event('"prompt_tokens":1e3'),
    event('"cost":0.000012,"duration":1e-3'),
    event('"user":"","user_id":"u"'),
    event('"user":"ü☃😀"'),
    event(`"${'k'.repeat(100)}":1`),
    event(Array.from({ length: 200 }, (_, at) => `"key${at}":${at}`).join()),
    event('"":1,"":2'),
  ])('%s is scanned, and is the row that it is', (text) => {
    expect(isScanned(text)).toBe(true);
    for (let time = 0; time < 3; time++) expectSame(text);
  });

  it.each([
    '',
    '{',
    '{}',
    '[]',
    'null',
    '"text"',
    '\u00a0{"model":"a"}',
    '\ufeff{"model":"a"}',
    '{"model":"a","start_time":"2026-01-01T00:00:00Z"',
    '{"model":"a","start_time":"2026-01-01T00:00:00Z"}}',
    '{"model":"a","start_time":"2026-01-01T00:00:00Z"},',
    '{"model":"a","start_time":"2026-01-01T00:00:00Z",}',
    '{"model":"a" "start_time":"2026-01-01T00:00:00Z"}',
    '{"model""a","start_time":"2026-01-01T00:00:00Z"}',
    '{model:"a"}',
    "{'model':'a'}",
    event('"user":"a\tb"'),
    event('"user":"a\u0001b"'),
    event('"user":"\\x"'),
    event('"user":"\\u12g4"'),
    event('"user":"\\u12'),
    event('"user":01'),
    event('"user":-'),
    event('"user":+1'),
    event('"user":.5'),
    event('"user":1.'),
    event('"user":1e'),
    event('"user":1e+'),
    event('"user":0x1'),
    event('"user":1_000'),
    event('"user":NaN'),
    event('"user":Infinity'),
    event('"user":tru'),
    event('"user":truee'),
    event('"user":nul'),
    event('"other":falsy'),
    event('"other":[1,]'),
    event('"other":[,1]'),
    event('"other":[1 2]'),
    event('"other":{"a":1,}'),
    event('"other":{"a"}'),
    event('"other":{1:2}'),
    event('"other":01'),
    event('"other":"a\nb"'),
    event('"other":\u000b1'),
    event('"oth\ner":1'),
    event('"other":1 // comment'),
    event('"other":[1}'),
    event('"other":{"a":1]'),
    event('"other":1\u0001'),
  ])('%j that is no line of a call is none', (text) => {
    expectSame(text);
    expect(readWhole(text)).toBeUndefined();
  });
});

describe('lines of all dialects', () => {
  /** Some bytes of a line changed, so that most are no JSON any more. */
  function broken(text: string, dice: Dice): string {
    const bytes = Buffer.from(text);
    const marks = '{}[]",:\\ \n0e-.ntu\u0001/';
    for (let count = dice.below(3); count >= 0; count--) {
      const at = dice.below(bytes.length);
      const mark = marks.charCodeAt(dice.below(marks.length));
      if (dice.below(2) === 0) bytes[at] = mark;
      else bytes.copyWithin(at, dice.below(bytes.length));
    }
    return bytes.toString('utf8');
  }

  /** As another client may write it. */
  function rewritten(text: string, dice: Dice): string {
    const value = parsed(text);
    if (value === undefined) return text;
    switch (dice.below(4)) {
      case 0:
        return JSON.stringify(value, null, dice.below(3));
      case 1:
        return JSON.stringify(value).replaceAll(/[:,]/gu, (mark) => (dice.below(4) === 0 ? `${mark} ` : mark));
      case 2:
        return JSON.stringify(value).replaceAll(/[a-z]/gu, (letter) =>
          dice.below(20) === 0 ? `\\u00${letter.charCodeAt(0).toString(16)}` : letter,
        );
      default:
        return `${text.slice(0, -1)},${text.slice(1)}`;
    }
  }

  it.each([11, 12, 13, 14])('are the rows that they are, whatever is in them (seed %i)', (seed) => {
    const dice = new Dice(seed);
    let known = 0;
    for (let round = 0; round < 1_500; round++) {
      const text = fuzzRecord(dice.of(LINE_DIALECTS), dice) as string;
      expectSame(text);
      expectSame(rewritten(text, dice));
      expectSame(broken(text, dice));
      expectSame(broken(rewritten(text, dice), dice));
      if (isScanned(text)) known++;
    }
    // Or nothing would have been compared.
    expect(known).toBeGreaterThan(1_000);
  });
});
