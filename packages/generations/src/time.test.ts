import { describe, expect, it } from 'vitest';
import { TIME } from './convert.ts';
import { Dice } from './fuzz.suite.ts';
import { Instant } from './packed.ts';
import { readTime, readTimeIn } from './time.ts';

const IS_TIME = new RegExp(TIME);

/** The nanoseconds of a text, which are the same of its bytes between others. */
function timeOf(text: string): string | undefined {
  const [instant, other] = [new Instant(), new Instant()];
  const isTime = readTime(text, instant);
  const bytes = Buffer.from(`1${text}1`);
  expect(readTimeIn(bytes, 1, bytes.length - 1, other)).toBe(isTime);
  if (!isTime) return undefined;
  expect(other).toEqual(instant);
  return instant.toString();
}

/** The same by the pattern that the engine follows, and by the runtime's own calendar. */
function reference(raw: string): string | undefined {
  const text = raw.replace(/^"|"$/g, '');
  if (!IS_TIME.test(text)) return undefined;
  const fraction = /[.]([0-9]+)/.exec(text)?.[1] ?? '';
  const zone = text.slice(fraction === '' ? 19 : 20 + fraction.length);
  const ms = Date.parse(`${text.slice(0, 10)}T${text.slice(11, 19)}${zone === '' ? 'Z' : zone}`);
  return BigInt(`${ms / 1_000}${fraction.padEnd(9, '0')}`).toString();
}

describe('a time', () => {
  it.each([
    ['2025-01-31T10:00:00Z', '1738317600000000000'],
    ['2024-02-29 23:59:59.123456789', '1709251199123456789'],
    ['"2025-01-01T00:00:00.5+02:00"', '1735682400500000000'],
    ['1970-01-01T00:00:00Z', '0'],
    ['1970-01-01T00:00:09.000000001', '9000000001'],
    ['2259-12-31T23:59:59-19:59', reference('2259-12-31T23:59:59-19:59')],
  ])('%s is read', (text, expected) => {
    expect(timeOf(text)).toBe(expected);
    expect(reference(text)).toBe(expected);
  });

  it.each([
    '',
    '2025-02-30T10:00:00Z',
    '2100-02-29T00:00:00',
    '2025-01-01',
    '2025-01-01T24:00:00Z',
    '2260-01-01T00:00:00Z',
  ])('%j is none', (text) => {
    expect(timeOf(text)).toBeUndefined();
  });

  it('is what the pattern says, of every day and of texts with a letter changed', () => {
    const dice = new Dice(Number(process.env['GLASSHOUSE_FUZZ_SEED'] ?? 20_264));
    const two = (limit: number): string => String(dice.below(limit)).padStart(2, '0');
    let times = 0;
    for (let run = 0; run < 30_000; run++) {
      const year = dice.of([
        '1969',
        '1970',
        '1999',
        '2000',
        '2024',
        '2025',
        '2100',
        '2199',
        '2259',
        '2260',
        `20${two(100)}`,
      ]);
      const fraction = dice.of(['', '', '.', `.${'0123456789'.slice(0, dice.below(11))}`, '.5']);
      const zone = dice.of(['', 'Z', 'z', `+${two(24)}:${two(64)}`, `-${two(22)}:${two(62)}`, '+0100', 'Z ']);
      let text = `${year}-${two(14)}-${two(33)}${dice.of(['T', ' ', 't'])}${two(25)}:${two(61)}:${two(61)}${fraction}${zone}`;
      if (dice.below(4) === 0) {
        const at = dice.below(text.length);
        text =
          text.slice(0, at) +
          dice.of(['', '0', '9', '-', ':', '"', 'T', '٣', '/', '\n']) +
          text.slice(at + dice.below(2));
      }
      if (dice.below(8) === 0) text = dice.of([`"${text}"`, `"${text}`, `${text}"`, `""${text}"`]);
      const expected = reference(text);
      expect([text, timeOf(text)]).toEqual([text, expected]);
      if (expected !== undefined) times++;
    }
    expect(times).toBeGreaterThan(1_000);
  });
});
