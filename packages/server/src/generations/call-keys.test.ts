import { encodeText } from '@glasshouse/native';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallKeys } from './call-keys.ts';

function ofTexts(...parts: readonly string[]): number[] {
  const keys = new CallKeys().begin();
  for (const part of parts) keys.text(part);
  return [...keys.end().halves.subarray(0, 2)];
}

function ofBytes(...parts: readonly string[]): number[] {
  const keys = new CallKeys().begin();
  for (const part of parts) {
    const bytes = Buffer.concat([Buffer.from('abc'), encodeText(part), Buffer.from('def')]);
    keys.bytes(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 3, bytes.length - 3);
  }
  return [...keys.end().halves.subarray(0, 2)];
}

const texts = fc.array(fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'binary', maxLength: 600 })), {
  maxLength: 4,
});

describe('a key', () => {
  it('is the same of texts and of their bytes', () => {
    fc.assert(
      fc.property(texts, (parts) => {
        expect(ofTexts(...parts)).toEqual(ofBytes(...parts));
      }),
    );
  });

  it.each([
    [
      ['ab', 'c'],
      ['a', 'bc'],
    ],
    [['ab'], ['ab', '']],
    [['a\0'], ['a']],
    [['abcd', 'efgh'], ['abcdefgh']],
    [['é'], ['e']],
    [
      ['response', 'id-1'],
      ['response', 'id-2'],
    ],
  ])('of %j is another than of %j', (one, other) => {
    expect(ofTexts(...one)).not.toEqual(ofTexts(...other));
  });

  it('has a lower half that is not 0, behind the keys before it', () => {
    const keys = new CallKeys().begin().text('a').end().begin().text('b').end();
    expect(keys.count).toBe(2);
    expect([...keys.halves.subarray(0, 2)]).toEqual(ofTexts('a'));
    expect([...keys.halves.subarray(2, 4)]).toEqual(ofTexts('b'));
    expect(keys.clear().count).toBe(0);
  });
});
