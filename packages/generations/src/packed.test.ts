import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAPPED_COLUMNS, placeOf } from './columns.ts';
import { Instant, keptValues, plainValues, TextRange, type PackedValue } from './packed.ts';

/** A text between other bytes. */
function range(text: string): TextRange {
  const bytes = Buffer.concat([Buffer.from('é"'), Buffer.from(text), Buffer.from('"é')]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Object.assign(new TextRange(), { source: { bytes, view }, start: 3, end: bytes.length - 3 });
}

function row(values: Readonly<Record<string, PackedValue>>): PackedValue[] {
  return MAPPED_COLUMNS.map(({ name }) => values[name] ?? null);
}

describe('packed values', () => {
  it('are those of the row: texts, nanoseconds and amounts as texts, all else as it is', () => {
    const time = Object.assign(new Instant(), { seconds: 1_738_317_600, nanoseconds: 5 });
    const plain = plainValues(
      row({ prompt: range('[1]'), time, client_cost: 12_300_000, input_tokens: 7, streaming: false, provider: 'x' }),
    );
    const expected = {
      prompt: '[1]',
      time: '1738317600000000005',
      client_cost: '12300000',
      input_tokens: 7,
      streaming: false,
      provider: 'x',
    };
    expect(plain).toEqual(row(expected));
  });

  it('stay as they are once they are kept', () => {
    const [prompt, time] = [range('first'), Object.assign(new Instant(), { seconds: 10 })];
    const kept = keptValues(row({ prompt, time }));
    Object.assign(prompt, range('second'));
    time.seconds = 20;
    expect(plainValues(kept)[placeOf('prompt')]).toBe('first');
    expect(plainValues(kept)[placeOf('time')]).toBe('10000000000');
  });
});

describe('a text that is bytes', () => {
  it('is longer than what its letters are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 24 }), fc.nat({ max: 30 }), (text, length) => {
        expect(range(text).isLongerThan(length)).toBe(text.length > length);
        expect(String(range(text))).toBe(text);
      }),
    );
  });
});
